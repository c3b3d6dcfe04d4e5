//! Asks on the terminal whether to keep the changes: administrators who have locked themselves out
//! cannot answer.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use super::{Env, Pause};

/// The longest answer.
const LONGEST: usize = 64;

/// What happens to changes without a yes.
pub const UNDONE: &str = "the changes are undone";

/// Asks, and waits at most this many seconds; returns why there was no yes.
pub fn confirm(env: &mut Env, seconds: u32, deletions: usize) -> Result<(), &'static str> {
    const GONE: &str = "the terminal is gone: the changes are undone";
    let limit = (env.clock.now)() + Duration::from_secs(seconds.into());
    let mut terminal = (env.terminal)().map_err(|_| GONE)?;
    let left = match deletions {
        0 => String::new(),
        1 => " and do 1 deletion".to_owned(),
        count => format!(" and do {count} deletions"),
    };
    let question = format!("Type yes within {seconds} s to keep the changes{left}: ");
    terminal.write_all(question.as_bytes()).map_err(|_| GONE)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") && answer.len() < LONGEST {
        let remaining = limit.saturating_duration_since((env.clock.now)());
        if remaining.is_zero() {
            return Err("\nno answer in time: the changes are undone");
        }
        match (env.pause)(remaining, Some(&terminal)) {
            Pause::Over => {}
            Pause::Signal => return Err("\nstopped: the changes are undone"),
            Pause::Input => match read(&mut terminal, &mut answer) {
                Some(()) => {}
                None => return Err("\nno answer: the changes are undone"),
            },
        }
    }
    let answer = answer.trim_ascii().to_ascii_lowercase();
    match &answer[..] {
        b"y" | b"yes" => Ok(()),
        _ => Err(UNDONE),
    }
}

/// Adds typed text; `None` at the end of the input.
fn read(terminal: &mut File, answer: &mut Vec<u8>) -> Option<()> {
    let mut typed = [0; LONGEST];
    let length = terminal
        .read(&mut typed)
        .ok()
        .filter(|length| *length > 0)?;
    answer.extend_from_slice(&typed[..length]);
    Some(())
}
