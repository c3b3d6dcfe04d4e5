//! Our prose is our own: it shares no run of words with the original's pages or help.
//!
//! A program compares them, and shows only our side of a common run.

use std::collections::HashSet;
use std::fs;
use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::lab::boot::Kit;
use crate::lab::fetch;
use crate::lab::guest;
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::supervise;
use crate::lab::world::{Program, Side, World};

/// The longest allowed run of common words.
const MOST: usize = 8;

/// Where the original's pages are in the kit.
const THEIRS: &str = "pages";

/// Our pages.
pub const PAGES: [(&str, &str); 4] = [
    ("ipvsadm.8", include_str!("../../man/ipvsadm.8")),
    ("ipvsadm-save.8", include_str!("../../man/ipvsadm-save.8")),
    (
        "ipvsadm-restore.8",
        include_str!("../../man/ipvsadm-restore.8"),
    ),
    ("ipvsadm-json.5", include_str!("../../man/ipvsadm-json.5")),
];

/// The sections with text that must be the same: names and messages.
const THE_SAME: [&str; 2] = ["SYNOPSIS", "DIAGNOSTICS"];

pub fn tests() -> Vec<KernelTest> {
    let mut test = KernelTest::new("own_words::no_sentence_is_the_originals", no_common_runs);
    // It does not depend on the kernel.
    test.kernels = vec![Kernel::V7_2];
    vec![test]
}

/// Copies the original's pages to where guests find them.
pub fn bring_their_pages(kit: &Kit) -> Result<()> {
    let target = kit.path().join(THEIRS);
    fs::create_dir_all(&target)?;
    for entry in fs::read_dir(fetch::pages()?.join("usr/share/man/man8"))? {
        let page = entry?;
        let mut unpack = supervise::command("gzip")?;
        unpack.arg("-dc").arg(page.path()).stdout(Stdio::piped());
        let unpacked = supervise::output(&mut unpack)?;
        ensure!(
            unpacked.status.success(),
            "gzip -dc {}",
            page.path().display()
        );
        fs::write(target.join(page.file_name()), unpacked.stdout)?;
    }
    Ok(())
}

fn no_common_runs(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let help = |side| -> Result<String> {
        let output = here.run(&Program::ipvsadm(side).args(["-h"]))?.success()?;
        Ok(String::from_utf8(output)?)
    };
    let mut theirs = vec![help(Side::Reference)?];
    for entry in fs::read_dir(guest::kit().join(THEIRS))? {
        theirs.push(fs::read_to_string(entry?.path())?);
    }
    let known = theirs.iter().flat_map(|text| runs(text)).collect();
    for text in &theirs {
        ensure!(
            !common(&known, text).is_empty(),
            "a copy would not be found"
        );
    }

    let pages = PAGES.map(|(name, page)| (name, without_the_same(page)));
    let others = [
        ("README.md", include_str!("../../README.md").to_owned()),
        (
            "DIFFERENCES.md",
            include_str!("../../DIFFERENCES.md").to_owned(),
        ),
        (
            "ipvsadm.service",
            include_str!("../../packaging/ipvsadm.service").to_owned(),
        ),
        (
            "the service's script",
            include_str!("../../packaging/service").to_owned(),
        ),
        ("the help", help(Side::Ours)?),
    ];
    for (name, text) in pages.into_iter().chain(others) {
        let common = common(&known, &text).join("\n");
        ensure!(
            common.is_empty(),
            "{name} has runs of words of the original:\n{common}"
        );
    }
    Ok(())
}

/// The runs of words in a text that are already known.
fn common(known: &HashSet<String>, text: &str) -> Vec<String> {
    let runs = runs(text).into_iter();
    runs.filter(|run| known.contains(run)).collect()
}

/// Every run of one word more than allowed.
fn runs(text: &str) -> Vec<String> {
    let words = words(text);
    let runs = words.windows(MOST + 1);
    runs.map(|run| run.join(" ")).collect()
}

/// A page without the sections that are intentionally the same.
fn without_the_same(page: &str) -> String {
    let mut is_wanted = true;
    let lines = page.split_inclusive('\n').filter(|line| {
        if let Some(title) = line.strip_prefix(".SH ") {
            is_wanted = !THE_SAME.contains(&title.trim());
        }
        is_wanted
    });
    lines.collect()
}

/// The words of a page in lowercase, without options and markup.
fn words(page: &str) -> Vec<String> {
    let lines = page
        .lines()
        .map(|line| match line.strip_prefix(['.', '\'']) {
            Some(request) => request.split_once(' ').map_or("", |(_, text)| text),
            None => line,
        });
    let text = lines.collect::<Vec<_>>().join(" ");
    let text = text
        .replace("\\-", "-")
        .replace("\\ ", " ")
        .replace("\\~", " ");
    let text = ["\\fB", "\\fI", "\\fR", "\\fP", "\\&", "\\e"]
        .iter()
        .fold(text, |text, mark| text.replace(mark, ""));
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    let parts = parts.filter(|part| !part.is_empty() && !part.starts_with('-'));
    parts.map(str::to_lowercase).collect()
}
