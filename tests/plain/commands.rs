//! Lines become typed commands, or fail with a message and status.

use std::fmt::Write;

use ipvsadm::cli::{self, OptionSpec, Value};
use ipvsadm::command::{Globals, Request};
use ipvsadm::names::Names;

/// Lines without host or service names, so that every machine reads them the same way.
const LINES: &str = include_str!("lines.txt");

#[test]
fn lines_become_commands() {
    let mut answers = String::new();
    for line in LINES.lines().filter(|line| !line.is_empty()) {
        let words = line.split(' ').map(str::as_bytes);
        let answer = match cli::read(b"ipvsadm", words, &Names::numeric()) {
            Ok(Request { command, globals }) if globals == Globals::default() => {
                format!("{command:?}")
            }
            Ok(request) => format!("{request:?}"),
            Err(error) => format!("{}: {error}", error.status()),
        };
        writeln!(answers, "{line}\n    {answer}").unwrap();
    }
    insta::assert_snapshot!(answers);
}

/// The command of a line, if it is valid.
fn request(words: &[&str]) -> Option<Request> {
    let words = words.iter().map(|word| word.as_bytes());
    cli::read(b"ipvsadm", words, &Names::numeric()).ok()
}

/// The line without this option and its value, if it has the option.
fn without<'a>(line: &[&'a str], option: &OptionSpec) -> Option<Vec<&'a str>> {
    let long = format!("--{}", option.long);
    let short = option
        .short
        .map(|letter| format!("-{}", char::from(letter)));
    let at = line
        .iter()
        .position(|word| *word == long || Some((*word).to_owned()) == short)?;
    let value = usize::from(matches!(option.value, Value::Required(_)));
    Some([&line[..at], &line[at + 1 + value..]].concat())
}

/// A declared option that is never read would change nothing. `--sort` is the default.
#[test]
fn every_option_changes_what_a_line_asks_for() {
    let lines: Vec<Vec<&str>> = LINES
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    for option in cli::options().filter(|option| option.long != "sort") {
        let changes = |line: &Vec<&str>| {
            without(line, option).is_some_and(|rest| request(line) != request(&rest))
        };
        let mut read = lines.iter().filter(|line| request(line).is_some());
        assert!(
            read.any(changes),
            "no line of lines.txt needs --{}",
            option.long
        );
    }
}
