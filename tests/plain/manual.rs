//! The manual matches the declarations, and is complete.

use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::{env, fs};

use clap_mangen::Man;
use ipvsadm::cli::{Spec, specs};

use crate::face::face;

const BEGIN: &str = ".\\\" The following is generated from the declarations.\n";
const END: &str = ".\\\" End of the part generated from the declarations.\n";
const BEGIN_FINDINGS: &str = ".\\\" The following is generated from the findings.\n";
const END_FINDINGS: &str = ".\\\" End of the part generated from the findings.\n";

fn page() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/ipvsadm.8");
    let text = fs::read_to_string(&path).expect("the page exists");
    (path, text)
}

/// Commands and options for the page, in lines of reasonable length.
fn generated_from_declarations() -> String {
    let mut roff = Vec::new();
    let man = Man::new(face());
    man.render_options_section(&mut roff)
        .expect("writing to a string succeeds");
    let roff = String::from_utf8(roff).expect("roff is text");
    let roff = roff.replace("\\*(Aq", "'");
    let lines = roff.lines();
    lines
        .filter(|line| !line.starts_with(".ie") && !line.starts_with(".el"))
        .map(wrap)
        .collect()
}

/// A text in lines of reasonable length.
fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut length = 0;
        for word in line.split(' ') {
            if length > 0 && length + word.len() >= 79 {
                wrapped.push('\n');
                length = 0;
            }
            let blank = if length > 0 { " " } else { "" };
            write!(wrapped, "{blank}{word}").expect("writing to a string succeeds");
            length += blank.len() + word.len();
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Checks that the part of the page between two lines is this text, or updates it.
fn hold(begin: &str, end: &str, expected: &str) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock();
    let (path, page) = page();
    let (before, rest) = page
        .split_once(begin)
        .expect("the page says where it begins");
    let (part, after) = rest.split_once(end).expect("the page says where it ends");
    if env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(path, [before, begin, expected, end, after].concat()).expect("it is ours");
        return;
    }
    assert!(
        part == expected,
        "a declaration has changed: UPDATE_MANUAL=1 cargo test --test plain manual"
    );
}

#[test]
fn the_options_are_those_of_the_table() {
    hold(BEGIN, END, &generated_from_declarations());
}

/// The manual's section on the doctor's findings: a paragraph for each.
fn generated_from_findings() -> String {
    let mut roff = String::new();
    for (title, checks) in ipvsadm::doctor::GROUPS {
        writeln!(roff, ".SS {title}").expect("writing to a string succeeds");
        for check in *checks {
            let name = check.name.replace('-', "\\-");
            let why = check.why.replace('-', "\\-");
            write!(roff, ".TP\n.B {name}\n{}", wrap(&why)).expect("writing to a string succeeds");
        }
    }
    roff
}

#[test]
fn the_findings_are_those_of_the_doctor() {
    hold(BEGIN_FINDINGS, END_FINDINGS, &generated_from_findings());
}

#[test]
fn every_declaration_is_on_the_page() {
    let (_, page) = page();
    for row in specs() {
        let name = row.long().replace('-', "\\-");
        assert!(page.contains(&format!("\\-\\-{name}\\fR")), "--{name}");
    }
}

#[test]
fn every_command_is_in_the_synopsis() {
    let (_, page) = page();
    let synopsis = page.split(".SH ").find(|part| part.starts_with("SYNOPSIS"));
    let synopsis = synopsis.expect("the page has one").replace('\\', "");
    let words: Vec<&str> = synopsis
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .collect();
    for row in specs().filter(|row| matches!(row, Spec::Command(_))) {
        let letters = row.letters().iter();
        let mut names = letters.map(|&letter| format!("fB-{}fR", char::from(letter)));
        let long = format!("fB--{}fR", row.long());
        let is_there = words.contains(&long.as_str()) || names.any(|name| words.contains(&&*name));
        assert!(is_there, "--{}", row.long());
    }
}
