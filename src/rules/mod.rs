//! Commands in a file, one per line.

mod meaning;

pub use meaning::{LineNote, Meaning};

use std::net::IpAddr;

use crate::cli;
use crate::command::{Command, Drain, Drained, Globals, Request};
use crate::error::Error;
use crate::model::terms::service_option;
use crate::model::{Change, Protocol, ServiceId};
use crate::names::Names;

/// The command of a line; `None` if it has no words.
pub fn read(line: &[u8], names: &Names) -> Result<Option<Command>, Error> {
    if memchr::memchr(0, line).is_some() {
        return Err(Error::NulByte);
    }
    let words = words(line);
    if words.clone().next().is_none() {
        return Ok(None);
    }
    let Request { command, globals } =
        cli::read(b"", words, names).map_err(|error| match error {
            Error::NoCommand { .. } => Error::NoCommandOnLine,
            error => error,
        })?;
    let Globals { netns } = globals;
    if netns.is_some() {
        return Err(Error::OptionInAFile(cli::NETNS.name));
    }
    match command {
        Command::Restore { .. }
        | Command::Apply(_)
        | Command::Diff(_)
        | Command::Check(_)
        | Command::Doctor(_)
        | Command::Drain(Drain {
            of: Drained::Host(..),
            ..
        })
        | Command::Help
        | Command::Version => Err(Error::NotInAFile),
        Command::Drain(Drain {
            of: Drained::Deleted { .. },
            ..
        }) => Err(Error::OptionInAFile(cli::WAIT.name)),
        Command::Watch(_) => Err(Error::OptionInAFile(cli::WATCH.name)),
        Command::Change(_) | Command::Careful(_) | Command::List(_) | Command::Save(_) => {
            Ok(Some(command))
        }
    }
}

/// Reads an address and port as on a line. `None` if the text would not be a single word there.
pub fn endpoint(text: &[u8], protocol: Protocol, names: &Names) -> Option<(IpAddr, u16)> {
    let option = service_option(protocol)?;
    if text.iter().any(u8::is_ascii_control) {
        return None;
    }
    let line = [b"-D ", option.as_bytes(), b" ", text].concat();
    let Ok(Some(Command::Change(Change::DeleteService(ServiceId::Address {
        address, port, ..
    })))) = read(&line, names)
    else {
        return None;
    };
    Some((address, port))
}

/// The words of a line, up to a comment. The program's own name is skipped, so that a script of
/// commands can be restored.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|byte| is_blank(*byte))
        .take_while(|word| !word.starts_with(b"#"))
        .filter(|word| !word.is_empty() && *word != b"ipvsadm")
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(line: &str) -> Vec<&str> {
        let words = words(line.as_bytes());
        words
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect()
    }

    #[test]
    fn words_are_split_at_blanks_and_end_at_a_comment() {
        assert_eq!(words_of("-A  -t\ta#b\r"), ["-A", "-t", "a#b"]);
        assert_eq!(words_of("-C # all"), ["-C"]);
        assert_eq!(words_of("#-C"), [""; 0]);
    }

    #[test]
    fn the_programs_name_is_dropped_wherever_it_stands() {
        assert_eq!(words_of("ipvsadm -s ipvsadm rr"), ["-s", "rr"]);
    }
}
