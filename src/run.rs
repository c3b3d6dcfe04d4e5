//! Carries a command line out.

use ipvsadm::cli::options::Verb;
use ipvsadm::cli::{clap, meaning};
use ipvsadm::command::{Columns, Command, Listing, Subject, View};
use ipvsadm::error::Error;
use ipvsadm::names::Names;
use ipvsadm::render::Out;

use crate::ask::{asked, change, open};
use crate::console::{complain, print};
use crate::restore::Restore;
use crate::{show, start};

/// What the program does without any arguments.
const DEFAULT: Command = Command::List(Listing {
    subject: Subject::Services(View {
        columns: Columns::Plain,
        exact: false,
        sorted: true,
    }),
    numeric: false,
});

/// Runs one command line; the result is the exit status.
pub fn run(program: &[u8], words: &[&[u8]]) -> u8 {
    command_line(program, words).unwrap_or_else(|error| {
        complain(b"", &error);
        error.status()
    })
}

fn command_line(program: &[u8], words: &[&[u8]]) -> Result<u8, Error> {
    let mut names = Names::system();
    let command = match words {
        [] => DEFAULT,
        words => meaning::read(program, words.iter().copied(), &names)?,
    };
    if let Some((verb, change)) = change(&command) {
        let mut client = open(verb)?;
        asked(verb, client.apply(&change))?;
        return Ok(0);
    }
    match command {
        Command::Restore => return Restore::new(program, names).run(start::stdin),
        Command::Help => print(|out| text(out, &clap::help(program)))?,
        Command::Version => print(|out| text(out, clap::VERSION))?,
        command => show::show(&mut open(Verb::List)?, &mut names, &command)?,
    }
    Ok(0)
}

fn text(out: &mut Out, text: &str) -> Result<(), Error> {
    out.text(text);
    Ok(())
}
