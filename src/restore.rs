//! Runs a file of commands: gathers what changes something and has it done together.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;

use ipvsadm::cli::options::Verb;
use ipvsadm::command::Command;
use ipvsadm::error::Error;
use ipvsadm::kernel::Batch;
use ipvsadm::lines::Lines;
use ipvsadm::names::Names;
use ipvsadm::rules::{self, EmptyTable};

use crate::ask::{asked, change, open};
use crate::console::{advise, complain, tell_silence};
use crate::show;

/// The most lines that are kept before any is run.
const MOST_LINES: usize = 1_000_000;

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

    fn code(&self) -> u8 {
        self.0.unwrap_or_default()
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
    pub fn run(
        mut self,
        input: impl FnOnce() -> io::Result<ManuallyDrop<File>>,
    ) -> Result<u8, Error> {
        let input = input().map_err(Error::Read)?;
        let mut lines = Lines::new(&*input);
        let mut number = 0;
        loop {
            while let Some(line) = lines.at_hand() {
                number += 1;
                let command = rules::read(self.program, line, &self.names);
                let done = command.and_then(|command| self.execute(number, command.as_ref()));
                if let Err(error) = done {
                    self.settle()?;
                    tell_silence(&self.names);
                    self.status.failed(number, &error);
                    if error.ends_restore() {
                        advise(&error);
                        return Ok(self.status.code());
                    }
                }
            }
            self.settle()?;
            if lines.ended() {
                return Ok(self.status.code());
            }
            lines.fill().map_err(Error::Read)?;
        }
    }

    /// Puts a file in the table's place. All of it is read and looked at before anything is
    /// changed, and if a line is bad nothing is.
    pub fn replace(
        mut self,
        input: impl FnOnce() -> io::Result<ManuallyDrop<File>>,
    ) -> Result<u8, Error> {
        let input = input().map_err(Error::Read)?;
        let commands = self.check(Lines::new(&*input))?;
        if self.status.code() != 0 {
            return Ok(self.status.code());
        }
        self.execute(0, Some(&Command::Flush))?;
        for (number, command) in &commands {
            if let Err(error) = self.execute(*number, Some(command)) {
                self.settle()?;
                self.status.failed(*number, &error);
                if error.ends_restore() {
                    advise(&error);
                    break;
                }
            }
        }
        self.settle()?;
        Ok(self.status.code())
    }

    /// The commands of a file with their lines; every bad line is reported.
    fn check(&mut self, mut lines: Lines<&File>) -> Result<Vec<(usize, Command)>, Error> {
        let mut commands = Vec::new();
        let mut table = EmptyTable::default();
        let mut number = 0;
        while let Some(line) = lines.read().map_err(Error::Read)? {
            number += 1;
            if number > MOST_LINES {
                return Err(Error::TooManyLines(MOST_LINES));
            }
            let followed = rules::read(self.program, line, &self.names).and_then(|command| {
                let Some(command) = command else {
                    return Ok(());
                };
                table.follow(&command)?;
                commands.push((number, command));
                Ok(())
            });
            if let Err(error) = followed {
                tell_silence(&self.names);
                self.status.failed(number, &error);
            }
        }
        Ok(commands)
    }

    fn execute(&mut self, line: usize, command: Option<&Command>) -> Result<(), Error> {
        let Some(command) = command else {
            return Ok(());
        };
        let Some((verb, change)) = change(command) else {
            return self.show(command);
        };
        let batch = opened(&mut self.batch, verb)?;
        let refused = |at, errno| self.status.refused(at, errno);
        asked(verb, batch.push(Origin { line, verb }, &change, refused))
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
        none => none.insert(asked(verb, Batch::new(open(verb)?))?),
    })
}
