//! What a line asks for: its words are taken in from left to right, and the first error wins.
//! Only then the things are looked at that need the whole line.

mod line;
mod whole;

use super::options::{Row, Verb};
use super::values;
use super::words::{Event, Fault, Words};
use crate::command::{Command, LONGEST_TIMEOUT};
use crate::error::Error;
use crate::model::{DaemonRole, Timeouts};
use crate::names::Names;
use line::Line;

/// Reads one line. `program` is the name that messages call this program by.
pub fn read<'a>(
    program: &[u8],
    words: impl Iterator<Item = &'a [u8]> + Clone,
    names: &'a Names,
) -> Result<Command, Error> {
    let mut words = Words::new(words);
    let mut left_over = LeftOver::default();
    let Some((verb, value)) = first_command(&mut words, &mut left_over) else {
        return Err(Error::NoCommand(program.into()));
    };
    match verb {
        Verb::Help => return Ok(Command::Help),
        Verb::Version => return Ok(Command::Version),
        _ => {}
    }
    let mut line = Line::new(verb, names);
    line.daemon_role = daemon_role(verb, value)?;
    for event in words {
        let taken = event
            .map_err(Error::from)
            .and_then(|event| line.take(event, &mut left_over));
        // What stands further right comes too late to justify anything.
        taken.map_err(|error| line.unjustified().unwrap_or(error))?;
    }
    if let Some(error) = line.unjustified() {
        return Err(error);
    }
    line.finish(&left_over)
}

/// The first option on the line must be a command; words may stand before it.
fn first_command<'a, I: Iterator<Item = &'a [u8]> + Clone>(
    words: &mut Words<'a, I>,
    left_over: &mut LeftOver<'a>,
) -> Option<(Verb, Option<&'a [u8]>)> {
    loop {
        match words.next()?.ok()? {
            Event::LeftOver(word) => left_over.push(word),
            Event::Given {
                row: Row::Command(row),
                value,
                ..
            } => return Some((row.verb, value)),
            Event::Given { .. } => return None,
        }
    }
}

impl From<Fault<'_>> for Error {
    fn from(fault: Fault<'_>) -> Self {
        match fault {
            Fault::UnknownOption(word) => Self::UnknownOption(word.into()),
            Fault::MissingValue(word) => Self::MissingValue(word.into()),
            Fault::UnwantedValue(word) => Self::UnwantedValue(word.into()),
        }
    }
}

fn daemon_role(verb: Verb, value: Option<&[u8]>) -> Result<DaemonRole, Error> {
    match (verb, value) {
        (Verb::StartDaemon, Some(b"backup")) | (Verb::StopDaemon, Some(b"backup")) => {
            Ok(DaemonRole::Backup)
        }
        (Verb::StartDaemon | Verb::StopDaemon, Some(b"master")) => Ok(DaemonRole::Master),
        (Verb::StartDaemon, _) => Err(Error::StartDaemon),
        (Verb::StopDaemon, _) => Err(Error::StopDaemon),
        _ => Ok(DaemonRole::Master),
    }
}

/// Words that belong to no option: the first three are the values of `--set`.
#[derive(Default)]
struct LeftOver<'a> {
    words: [Option<&'a [u8]>; 4],
}

impl<'a> LeftOver<'a> {
    fn push(&mut self, word: &'a [u8]) {
        if let Some(free) = self.words.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(word);
        }
    }

    fn timeouts(&self) -> Result<Timeouts, Error> {
        let [Some(tcp), Some(tcp_fin), Some(udp), _] = self.words else {
            return Err(Error::TooFewTimeouts);
        };
        let timeouts = Timeouts {
            tcp: timeout(tcp, 0)?,
            tcp_fin: timeout(tcp_fin, 0)?,
            udp: timeout(udp, 0)?,
        };
        self.refuse_from(3)?;
        Ok(timeouts)
    }

    /// An error if there are more words than the command has use for.
    fn refuse_from(&self, first: usize) -> Result<(), Error> {
        match self.words[first] {
            Some(word) => Err(Error::LeftOver(word.into())),
            None => Ok(()),
        }
    }
}

fn timeout(text: &[u8], least: i64) -> Result<u32, Error> {
    values::number(text, least..=LONGEST_TIMEOUT.into())
        .map(|seconds| seconds as u32)
        .ok_or_else(|| Error::Timeout(text.into()))
}
