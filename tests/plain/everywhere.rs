//! Every command and option is in all the places where people look for it.

use std::fs;
use std::path::Path;

use ipvsadm::cli::complete::{Answer, answer};
use ipvsadm::cli::help::help;
use ipvsadm::cli::surroundings::Surroundings;
use ipvsadm::cli::{OptionSpec, Spec, Verb, specs};

/// The spellings of a row.
fn spellings(row: Spec) -> Vec<String> {
    let letters = match row {
        Spec::Command(row) => row.short,
        Spec::Option(row) => row.short.as_slice(),
    };
    let letters = letters.iter().map(|&letter| char::from(letter));
    let letters = letters.map(|letter| format!("-{letter}"));
    letters.chain([format!("--{}", row.long())]).collect()
}

/// Whether the text contains the whole word.
fn has_word(text: &str, word: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.into_iter().any(|found| found == word)
}

/// The start of a line before an option is completed.
fn line_before(row: &OptionSpec, verb: Verb) -> Vec<&'static str> {
    let command = specs().find_map(|row| match row {
        Spec::Command(row) if row.verb == verb => Some(row.long),
        _ => None,
    });
    let command = match command {
        Some("start-daemon") => vec!["--start-daemon", "master"],
        Some("stop-daemon") => vec!["--stop-daemon", "master"],
        Some(name) => vec![Box::leak(format!("--{name}").into_boxed_str()) as &str],
        None => panic!("no command takes --{}", row.long),
    };
    match row.long {
        "ipv6" => [&command[..], &["-f", "7"]].concat(),
        "sort-by" => [&command[..], &["--watch"]].concat(),
        "client" | "state" => [&command[..], &["-c"]].concat(),
        _ => command,
    }
}

fn is_offered(before: &[&str], word: &str) -> bool {
    let words: Vec<&[u8]> = before.iter().chain([&word]).map(|w| w.as_bytes()).collect();
    let Answer::Words(found) = answer(&words, &Surroundings::default()) else {
        return false;
    };
    found
        .iter()
        .any(|found| found.text == word.as_bytes() && !found.about.is_empty())
}

#[test]
fn every_row_is_in_the_help() {
    let help = help(b"ipvsadm");
    for row in specs() {
        for word in spellings(row) {
            assert!(has_word(&help, &word), "{word}");
        }
    }
}

#[test]
fn every_row_is_in_the_manual() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/ipvsadm.8");
    let page = fs::read_to_string(path).expect("the page is there");
    let page = page
        .replace("\\-", "-")
        .replace("\\fB", " ")
        .replace("\\fR", " ");
    for row in specs() {
        for word in spellings(row) {
            assert!(has_word(&page, &word), "{word}");
        }
    }
}

#[test]
fn every_row_is_completed() {
    for row in specs() {
        let name = format!("--{}", row.long());
        let Spec::Option(row) = row else {
            assert!(is_offered(&[], &name), "{name}");
            continue;
        };
        if row.is_global {
            assert!(is_offered(&[], &name), "{name}");
            assert!(is_offered(&["-C"], &name), "{name}");
        }
        for verb in [row.must, row.may, row.one_of].concat() {
            let before = line_before(row, verb);
            assert!(is_offered(&before, &name), "{before:?} {name}");
        }
    }
}
