//! Runs a file of commands: gathers what changes something and has it done together.

use std::fs::File;
use std::io;

use ipvsadm::cli::meaning;
use ipvsadm::cli::options::Verb;
use ipvsadm::command::Command;
use ipvsadm::error::Error;
use ipvsadm::kernel::Batch;
use ipvsadm::lines::Lines;
use ipvsadm::names::Names;
use ipvsadm::rules;

use crate::ask::{asked, change, open};
use crate::console::complain;
use crate::show;

/// Where a change came from.
#[derive(Clone, Copy)]
struct Origin {
    line: usize,
    verb: Verb,
}

pub struct Restore<'a> {
    program: &'a [u8],
    names: Names,
    /// There is none until a line needs the kernel.
    batch: Option<Batch<Origin>>,
    status: Status,
}

/// The exit status: that of the first line that failed.
#[derive(Default)]
struct Status(Option<u8>);

impl Status {
    /// Reports a failure.
    fn failed(&mut self, line: usize, error: &Error) {
        complain(format!("line {line}: ").as_bytes(), error);
        self.0.get_or_insert(error.status());
    }

    fn refused(&mut self, origin: Origin, errno: i32) {
        let Origin { line, verb } = origin;
        self.failed(line, &Error::Refused { verb, errno });
    }
}

impl<'a> Restore<'a> {
    pub fn new(program: &'a [u8], names: Names) -> Self {
        Self {
            program,
            names,
            batch: None,
            status: Status::default(),
        }
    }

    /// Runs the lines of a file as they arrive. Whoever writes them may wait for the effect of
    /// one before writing the next, so all that is there is done before more is read.
    pub fn run(mut self, input: impl FnOnce() -> io::Result<File>) -> Result<u8, Error> {
        let mut lines = Lines::new(input().map_err(Error::Read)?);
        let mut number = 0;
        loop {
            while let Some(line) = lines.at_hand() {
                number += 1;
                if let Err(error) = self.line(number, line) {
                    self.settle()?;
                    self.status.failed(number, &error);
                    if error.ends_restore() {
                        return Ok(self.status.0.unwrap_or_default());
                    }
                }
            }
            self.settle()?;
            if lines.ended() {
                return Ok(self.status.0.unwrap_or_default());
            }
            lines.fill().map_err(Error::Read)?;
        }
    }

    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), Error> {
        if line.contains(&0) {
            return Err(Error::NulByte);
        }
        let mut words = rules::words(line).peekable();
        if words.peek().is_none() {
            return Ok(());
        }
        let command = meaning::read(self.program, words, &self.names)?;
        if let Some((verb, change)) = change(&command) {
            let origin = Origin { line: number, verb };
            let batch = opened(&mut self.batch, verb)?;
            let refused = |at, errno| self.status.refused(at, errno);
            return asked(verb, batch.push(origin, &change, refused));
        }
        match command {
            // These stand on a command line alone, not in a file.
            Command::Restore | Command::Help | Command::Version => {
                Err(Error::NoCommand(self.program.into()))
            }
            command => self.show(&command),
        }
    }

    /// What prints comes after everything before it is done.
    fn show(&mut self, command: &Command) -> Result<(), Error> {
        let batch = opened(&mut self.batch, Verb::List)?;
        let refused = |at, errno| self.status.refused(at, errno);
        let client = asked(Verb::List, batch.client(refused))?;
        show::show(client, &mut self.names, command)
    }

    /// Has everything done that was gathered.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        let refused = |at, errno| self.status.refused(at, errno);
        asked(Verb::Restore, batch.flush(refused))
    }
}

fn opened(batch: &mut Option<Batch<Origin>>, verb: Verb) -> Result<&mut Batch<Origin>, Error> {
    Ok(match batch {
        Some(batch) => batch,
        none => none.insert(asked(verb, open(verb)?.batch())?),
    })
}
