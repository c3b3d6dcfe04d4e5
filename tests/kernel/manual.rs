//! The manual: its examples work, and mandoc has nothing to say about its pages.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::lab::boot::Kit;
use crate::lab::fetch;
use crate::lab::guest;
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};

pub const PAGES: [(&str, &str); 4] = [
    ("ipvsadm.8", include_str!("../../man/ipvsadm.8")),
    ("ipvsadm-save.8", include_str!("../../man/ipvsadm-save.8")),
    (
        "ipvsadm-restore.8",
        include_str!("../../man/ipvsadm-restore.8"),
    ),
    ("ipvsadm-json.5", include_str!("../../man/ipvsadm-json.5")),
];

/// What there is when the examples of a section begin.
const GIVEN: &[(&str, &str)] = &[(
    "DRAINING",
    "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m\n",
)];

const MANDOC: &str = "mandoc";

pub fn tests() -> Vec<KernelTest> {
    let mut lint = KernelTest::new("manual::mandoc_has_nothing_to_say", lint);
    // It speaks to no kernel.
    lint.kernels = vec![Kernel::V7_2];
    vec![KernelTest::new("manual::examples_work", examples), lint]
}

/// Puts mandoc where guests find it.
pub fn bring_mandoc(kit: &Kit) -> Result<()> {
    let mandoc = fetch::mandoc()?.join("usr/bin/mandoc");
    fs::copy(mandoc, kit.path().join(MANDOC))?;
    Ok(())
}

fn lint(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let lint = |page: &str| {
        let mandoc = Program::new(guest::kit().join(MANDOC));
        let mandoc = mandoc.args(["-T", "lint", "-W", "style"]).stdin(page);
        here.run(&mandoc)
    };
    for (name, page) in PAGES {
        let output = lint(page)?;
        ensure!(output.stdout.is_empty(), "{name}:\n{output}");
        output.success()?;
    }
    ensure!(!lint(".SH\n")?.stdout.is_empty(), "it says nothing at all");
    Ok(())
}

fn examples(world: &mut World) -> Result<()> {
    let mut count = 0;
    for (name, page) in PAGES {
        let here = world.namespace(name)?;
        for (section, lines) in sections(page) {
            prepare(&here, section)?;
            for line in lines.iter().filter(|line| line.starts_with("ipvsadm")) {
                // What comes behind belongs to other programs.
                let line = line.split(" |").next().unwrap_or_default();
                let output = here.run(&Program::shell(Side::Ours, line))?;
                let done = output.success();
                done.with_context(|| format!("{name}, {section}: {line}"))?;
                count += 1;
            }
        }
    }
    ensure!(count > 15, "only {count} examples were found");
    Ok(())
}

/// A section begins with what its examples take for granted, and nothing else.
fn prepare(here: &Namespace, section: &str) -> Result<()> {
    let given = GIVEN.iter().find(|(name, _)| *name == section);
    let rules = given.map_or("", |(_, rules)| rules);
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]);
    here.run(&restore.stdin(format!("-C\n{rules}")))?
        .success()?;
    Ok(())
}

/// The lines that are set as they are typed, section by section.
fn sections(page: &str) -> Vec<(&str, Vec<String>)> {
    let mut sections = vec![("", Vec::new())];
    let mut is_typed = false;
    for line in page.lines() {
        match line {
            ".RS" => is_typed = true,
            ".RE" => is_typed = false,
            _ if is_typed => {
                let line = line.replace("\\-", "-").replace("\\e", "\\");
                if let Some((_, lines)) = sections.last_mut() {
                    lines.push(line);
                }
            }
            _ => sections.extend(line.strip_prefix(".SH ").map(|name| (name, Vec::new()))),
        }
    }
    sections
}
