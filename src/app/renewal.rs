//! Replaces a table in use with a file: objects that stay are edited in place, so traffic always
//! finds a server. Each line has the same outcome as if the table were cleared and the file run.

use super::apply::make_equal;
use super::execution::{News, Refused};
use crate::command::Command;
use crate::error::{Action, Error};
use crate::kernel::Client;
use crate::model::hash::Set;
use crate::model::{Change, sort_by_key};
use crate::rules::Meaning;

/// Whether a file only adds and sets, so that it describes the whole table.
pub fn describes_a_table(commands: &[(usize, Command)]) -> bool {
    let is_clear = |(_, command): &(usize, Command)| *command == Command::Change(Change::Flush);
    let clears = commands.first().is_some_and(is_clear);
    let rest = &commands[usize::from(clears)..];
    let is_description =
        |(_, command): &(usize, Command)| command.plain_change().is_some_and(describes);
    !rest.is_empty() && rest.iter().all(is_description)
}

/// Whether a file starts daemons, which clearing does not stop.
pub fn starts_daemons(commands: &[(usize, Command)]) -> bool {
    let is_start = |change: &Change| matches!(change, Change::StartDaemon(_));
    commands
        .iter()
        .any(|(_, command)| command.plain_change().is_some_and(is_start))
}

fn describes(change: &Change) -> bool {
    match change {
        Change::AddService(_)
        | Change::AddServer(..)
        | Change::SetTimeouts(_)
        | Change::StartDaemon(_) => true,
        Change::EditService(_)
        | Change::DeleteService(_)
        | Change::EditServer(..)
        | Change::DeleteServer(..)
        | Change::Flush
        | Change::Zero(_)
        | Change::StopDaemon(_) => false,
    }
}

fn is_deletion(change: &Change) -> bool {
    matches!(
        change,
        Change::DeleteService(_) | Change::DeleteServer(..) | Change::StopDaemon(_)
    )
}

#[derive(Default)]
pub struct Outcome {
    /// The lines that failed, in order.
    pub failures: Vec<(usize, Error)>,
    pub notes: Vec<Vec<u8>>,
}

/// How many times an answer of the kernel may be lost.
const MOST_LOSSES: usize = 3;

/// Replaces the table. Where the kernel refuses a change, the old state stays.
pub fn renew(
    client: &mut Client,
    commands: &[(usize, Command)],
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let mut lines: Vec<&(usize, Command)> = commands.iter().collect();
    let mut losses = 0;
    loop {
        let (meaning, rejected) = read(&lines);
        let mut news = Vec::new();
        let done = make_equal(client, &meaning, &mut news);
        let is_lost = done.as_ref().is_err_and(|error| !error.kernel_is_gone());
        if is_lost && losses < MOST_LOSSES {
            // The remaining work is the difference to the current table.
            losses += 1;
            continue;
        }
        let mut refused = Vec::new();
        for news in news {
            match news {
                // Objects that cannot be deleted are already gone.
                News::Refused(it) if is_deletion(&it.change) => {}
                News::Refused(it) => {
                    refused.extend(meaning.line_of(&it.change).map(|line| (line, it)));
                }
                News::Note(note) => outcome.notes.push(note),
            }
        }
        // The refused line may be the first of two for the same object: then the second counts.
        let firsts: Set<usize> = rejected.iter().filter_map(first).collect();
        let is_replaced =
            |(line, refused): &(usize, Refused)| firsts.contains(line) && !refused.is_consequence;
        let (replaced, rest): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_replaced);
        let failures = &mut outcome.failures;
        failures.extend(replaced.iter().map(failed));
        if replaced.is_empty() || done.is_err() {
            failures.extend(rejected.into_iter().map(|line| of_the_kernel(line, &rest)));
            failures.extend(rest.iter().map(failed));
            sort_by_key(failures, |(line, _)| *line);
            return done;
        }
        outcome.notes.clear();
        let replaced: Set<usize> = replaced.iter().map(|(line, _)| *line).collect();
        lines.retain(|(line, _)| !replaced.contains(line));
    }
}

fn failed((line, refused): &(usize, Refused)) -> (usize, Error) {
    (*line, refused.error())
}

/// The combined meaning of lines, and those that an empty table would refuse.
fn read(lines: &[&(usize, Command)]) -> (Meaning, Vec<(usize, Error)>) {
    let (mut meaning, mut rejected) = (Meaning::new(), Vec::new());
    for (line, command) in lines {
        if let Err(error) = meaning.take(*line, command) {
            rejected.push((*line, error));
        }
    }
    (meaning, rejected)
}

/// The line that already adds the object of a rejected line.
fn first((_, error): &(usize, Error)) -> Option<usize> {
    match error {
        Error::SameService(line) | Error::SameServer(line) => Some(*line),
        _ => None,
    }
}

/// The kernel's error for a rejected line: its object exists already, unless that was refused.
fn of_the_kernel((line, error): (usize, Error), refused: &[(usize, Refused)]) -> (usize, Error) {
    let action = match error {
        Error::SameService(_) => Action::AddService,
        Error::SameServer(_) => Action::AddServer,
        error => return (line, error),
    };
    let its_first = first(&(line, error));
    let of_the_first = refused.iter().find(|(line, _)| Some(*line) == its_first);
    let errno = of_the_first.map_or(libc::EEXIST, |(_, refused)| refused.errno);
    (line, Error::Refused { action, errno })
}
