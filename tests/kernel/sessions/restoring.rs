//! The messages that ours must print for a file of commands, derived from the reference's: ours
//! adds the line number to each message, and fails if any line failed.

use super::script::InputLine;
use crate::differences::Difference;
use crate::lab::world::{Output, Side, Status};

/// The file for the reference. After each line comes a marker, which only makes the reference
/// report its position.
pub fn marked(input: &[InputLine]) -> Vec<u8> {
    let mut text = Vec::new();
    for (number, line) in (1..).zip(input) {
        text.extend(line.text(Side::Reference));
        if line.newline {
            text.extend_from_slice(format!("-L {}\n", mark(number)).as_bytes());
        }
    }
    text
}

fn mark(number: usize) -> String {
    format!("--behind-{number}")
}

/// The reference's messages about one line.
struct Heard {
    message: Vec<u8>,
    /// The reference read the next line too.
    went_on: bool,
}

/// The reference's messages about each line that it read.
fn heard(stderr: &[u8], input: &[InputLine]) -> Vec<Heard> {
    let mut rest = stderr;
    let mut all = Vec::new();
    for number in 1..=input.len() {
        let mark = format!("{}: unknown option\n", mark(number));
        let end = find(rest, mark.as_bytes());
        let (message, behind) = rest.split_at(end.unwrap_or(rest.len()));
        all.push(Heard {
            message: message.to_owned(),
            went_on: end.is_some(),
        });
        if end.is_none() {
            break;
        }
        rest = &behind[mark.len()..];
    }
    all
}

/// Rewrites the reference's output for a marked file; returns the number of lines it read, and the
/// differences.
pub fn rewrite(theirs: &mut Output, input: &[InputLine]) -> (usize, Vec<Difference>) {
    let all = heard(&theirs.stderr, input);
    let mut differences = Vec::new();
    let mut stderr = Vec::new();
    let mut statuses = Vec::new();
    for (index, Heard { message, went_on }) in all.iter().enumerate() {
        if !message.is_empty() {
            differences.push(Difference::RestoreSaysWhere);
            stderr.extend_from_slice(format!("line {}: ", index + 1).as_bytes());
            stderr.extend_from_slice(&in_a_file(message, &input[index].text(Side::Ours)));
        }
        // There is no marker after a last line without a newline.
        let is_fine = message.is_empty() && (*went_on || !input[index].newline);
        statuses.push(if is_fine {
            SUCCESS
        } else if *went_on {
            Status::Exit(255)
        } else {
            theirs.status
        });
    }
    let first_failure = statuses.iter().find(|status| **status != SUCCESS);
    let status = first_failure.copied().unwrap_or(SUCCESS);
    if statuses.last() != Some(&status) {
        differences.push(Difference::RestoreFailsIfALineDid);
    }
    theirs.stderr = stderr;
    theirs.status = status;
    (all.len(), differences)
}

/// Ours explains why a line has no command that a file may contain.
fn in_a_file(message: &[u8], line: &[u8]) -> Vec<u8> {
    if !message.starts_with(b"Try ") {
        return message.to_owned();
    }
    let text = String::from_utf8_lossy(line);
    let is_command = |word| ["-R", "--restore", "-h", "--help", "-v", "--version"].contains(&word);
    let first = text.split_whitespace().find(|word| word.starts_with('-'));
    if first.is_some_and(is_command) {
        b"this command is not allowed in a file\n".to_vec()
    } else {
        b"the first option must be a command\n".to_vec()
    }
}

const SUCCESS: Status = Status::Exit(0);

/// The position of some bytes in others.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
