//! Carries a command line out.

use std::io::{self, Write};

use ipvsadm::cli::options::Verb;
use ipvsadm::cli::{clap, meaning};
use ipvsadm::command::{Columns, Command, Listing, Subject, View};
use ipvsadm::error::Error;
use ipvsadm::kernel::{self, Change, Client};
use ipvsadm::names::Names;
use ipvsadm::render::Out;

use crate::restore::Restore;
use crate::show;
use crate::start;

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

/// What a command changes, unless it is one that shows something.
pub fn change(command: &Command) -> Option<(Verb, Change<'_>)> {
    Some(match command {
        Command::AddService(service) => (Verb::AddService, Change::AddService(service)),
        Command::EditService(service) => (Verb::EditService, Change::EditService(service)),
        Command::DeleteService(id) => (Verb::DeleteService, Change::DeleteService(id)),
        Command::AddServer(id, server) => (Verb::AddServer, Change::AddServer(id, server)),
        Command::EditServer(id, server) => (Verb::EditServer, Change::EditServer(id, server)),
        Command::DeleteServer(id, server) => (Verb::DeleteServer, Change::DeleteServer(id, server)),
        Command::Flush => (Verb::Flush, Change::Flush),
        Command::Zero(id) => (Verb::Zero, Change::Zero(id.as_ref())),
        Command::SetTimeouts(timeouts) => (Verb::SetTimeouts, Change::SetTimeouts(timeouts)),
        Command::StartDaemon(daemon) => (Verb::StartDaemon, Change::StartDaemon(daemon)),
        Command::StopDaemon(role) => (Verb::StopDaemon, Change::StopDaemon(*role)),
        Command::List(_)
        | Command::Save { .. }
        | Command::Restore
        | Command::Help
        | Command::Version => return None,
    })
}

pub fn open(verb: Verb) -> Result<Client, Error> {
    asked(verb, Client::open())
}

/// The kernel's answer to a command.
pub fn asked<T>(verb: Verb, answer: kernel::Result<T>) -> Result<T, Error> {
    answer.map_err(|error| Error::from_kernel(verb, error))
}

/// Says what went wrong, and where.
pub fn complain(place: &[u8], error: &Error) {
    if let Error::Write(reason) = error
        && reason.kind() == io::ErrorKind::BrokenPipe
    {
        return start::broken_pipe();
    }
    warn(&[place, &error.message()].concat());
}

pub fn warn(message: &[u8]) {
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(&[message, b"\n"].concat());
}

/// Writes through a buffer to standard output; what was written before an error stays.
pub fn print(write: impl FnOnce(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
    let mut stdout = start::stdout()?;
    let mut out = Out::new(&mut stdout);
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

fn text(out: &mut Out, text: &str) -> Result<(), Error> {
    out.text(text);
    Ok(())
}
