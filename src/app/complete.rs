//! Completion, called by the shells' functions.
//!
//! They pass the words on standard input. The only argument is an option that no other `ipvsadm`
//! knows. If the shell finds another `ipvsadm`, that one refuses the option, and gets no word that
//! it could run as a command.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use super::{Env, Medium};
use crate::cli::complete::{self, Answer};
use crate::cli::surroundings::Surroundings;
use crate::error::Error;
use crate::kernel::{Netns, read_table};
use crate::model::sort_table;
use crate::render::Out;

/// The argument that asks for completion.
pub const ASKS: &[u8] = b"--complete-words";

/// The longest line to complete, in bytes.
const LONGEST: u64 = 1 << 17;

/// Unlike `/sys/class/net` this always shows the network namespace of the reader.
const INTERFACES: &str = "/proc/thread-self/net/dev";

/// How long reading the table may take: a user is waiting.
const PATIENCE: Duration = Duration::from_millis(15);

/// Prints the completions of the last word. Each word ends with a NUL byte.
pub fn complete(env: &mut Env) -> Result<u8, Error> {
    if (env.stdin.medium)() == Medium::Terminal {
        env.warn(
            b"--complete-words is for the completion functions of shells, which write the words to it",
        );
        return Ok(2);
    }
    let mut text = Vec::new();
    let read = env.take_stdin().take(LONGEST).read_to_end(&mut text);
    read.map_err(Error::Read)?;
    let words: Vec<&[u8]> = match text.strip_suffix(b"\0") {
        Some(text) => text.split(|&byte| byte == 0).collect(),
        // The words were cut short.
        None => Vec::new(),
    };
    let netns = complete::globals(&words).netns.map(Netns::new);
    let surroundings = Surroundings {
        namespaces: Netns::names(),
        ..surroundings(netns.as_ref())
    };
    env.print(|out| Ok(print(out, complete::answer(&words, &surroundings))?))?;
    Ok(0)
}

/// Prints `value TAB description` for each candidate. A row without a value requests the shell's
/// own file names.
fn print(out: &mut Out, answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Words(candidates) => {
            for candidate in candidates {
                out.text(candidate.text).text("\t").text(candidate.about);
                out.end_row()?;
            }
        }
        Answer::File => out.text("\tfile").end_row()?,
    }
    Ok(())
}

/// The contents of a network namespace, or nothing if it cannot be entered.
fn surroundings(netns: Option<&Netns>) -> Surroundings {
    match netns {
        Some(netns) => netns.run(|| Ok(read_surroundings())).unwrap_or_default(),
        None => read_surroundings(),
    }
}

fn read_surroundings() -> Surroundings {
    let mut services = read_table(Some(PATIENCE)).unwrap_or_default();
    sort_table(&mut services);
    Surroundings {
        services,
        interfaces: fs::read(INTERFACES).unwrap_or_default(),
        ..Surroundings::default()
    }
}
