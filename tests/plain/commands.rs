//! What lines ask for: each as a typed command, or as the message and status it ends with.

use std::fmt::Write;

use ipvsadm::cli;
use ipvsadm::command::{Globals, Request};
use ipvsadm::names::Names;

/// Lines without names of hosts or services, so that no machine reads them differently.
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
