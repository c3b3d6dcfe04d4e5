//! Runs a file of commands: gathers what changes something and has it done together.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;

use ipvsadm::command::Command;
use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::{Batch, Client};
use ipvsadm::lines::Lines;
use ipvsadm::names::Names;
use ipvsadm::rules::{self, EmptyTable};

use crate::ask::{asked, open};
use crate::console::{advise, complain, tell_silence};
use crate::show;

/// The most lines that are kept before any is run.
const MOST_LINES: usize = 1_000_000;

/// Where a change came from.
#[derive(Clone, Copy)]
struct Origin {
    line: usize,
    action: Action,
}

pub struct Restore<'a> {
    program: &'a [u8],
    names: Names,
    /// There is none until a line needs the kernel.
    batch: Option<Batch<Origin>>,
    status: Status,
}

/// What went wrong, and on which lines: the first and the last of them.
struct Failure {
    lines: Option<(usize, usize)>,
    error: Error,
}

impl Failure {
    fn on(line: usize, error: Error) -> Self {
        Self {
            lines: Some((line, line)),
            error,
        }
    }

    fn place(&self) -> String {
        match self.lines {
            None => String::new(),
            Some((first, last)) if first == last => format!("line {first}: "),
            Some((first, last)) => format!("lines {first}-{last}: "),
        }
    }
}

/// The exit status: that of the first failure.
#[derive(Default)]
struct Status(Option<u8>);

impl Status {
    /// Reports a failure.
    fn failed(&mut self, failure: &Failure) {
        complain(failure.place().as_bytes(), &failure.error);
        self.0.get_or_insert(failure.error.status());
    }

    fn refused(&mut self, Origin { line, action }: Origin, errno: i32) {
        self.failed(&Failure::on(line, Error::Refused { action, errno }));
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
                let done = match command {
                    Ok(Some(command)) => self.execute(number, &command),
                    Ok(None) => Ok(()),
                    Err(error) => Err(Failure::on(number, error)),
                };
                if !self.goes_on(done) {
                    return Ok(self.status.code());
                }
            }
            if !self.settle() || lines.ended() {
                return Ok(self.status.code());
            }
            if let Err(reason) = lines.fill() {
                let (lines, error) = (None, Error::Read(reason));
                self.status.failed(&Failure { lines, error });
                return Ok(self.status.code());
            }
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
        let client = opened(&mut self.batch, Action::Flush)?.client(|_, _| {});
        asked(Action::Flush, client.and_then(Client::flush))?;
        for (number, command) in &commands {
            let done = self.execute(*number, command);
            if !self.goes_on(done) {
                return Ok(self.status.code());
            }
        }
        self.settle();
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
                self.status.failed(&Failure::on(number, error));
            }
        }
        Ok(commands)
    }

    fn execute(&mut self, line: usize, command: &Command) -> Result<(), Failure> {
        let Command::Change(change) = command else {
            return self.show(line, command);
        };
        let action = change.into();
        let batch = opened(&mut self.batch, action).map_err(|error| Failure::on(line, error))?;
        let refused = |at, errno| self.status.refused(at, errno);
        let pushed = batch.push(Origin { line, action }, change, refused);
        pushed.map_err(|error| Failure {
            lines: unknown(batch).or(Some((line, line))),
            error: Error::from_kernel(action, error),
        })
    }

    /// What prints comes after everything before it is done.
    fn show(&mut self, line: usize, command: &Command) -> Result<(), Failure> {
        let batch = opened(&mut self.batch, Action::Read);
        let batch = batch.map_err(|error| Failure::on(line, error))?;
        flush(batch, &mut self.status)?;
        let client = asked(Action::Read, batch.client(|_, _| {}));
        let shown = client.and_then(|client| show::show(client, &mut self.names, command));
        shown.map_err(|error| Failure::on(line, error))
    }

    /// Reports how a line went that failed, after all before it; whether the next may be run.
    fn goes_on(&mut self, done: Result<(), Failure>) -> bool {
        let Err(failure) = done else {
            return true;
        };
        let settled = self.settle();
        tell_silence(&self.names);
        self.status.failed(&failure);
        if failure.error.ends_restore() {
            advise(&failure.error);
            return false;
        }
        settled
    }

    /// Has everything done that was gathered; whether that is known to have happened.
    fn settle(&mut self) -> bool {
        let Some(batch) = &mut self.batch else {
            return true;
        };
        let settled = flush(batch, &mut self.status);
        settled
            .map_err(|failure| self.status.failed(&failure))
            .is_ok()
    }
}

fn flush(batch: &mut Batch<Origin>, status: &mut Status) -> Result<(), Failure> {
    let flushed = batch.flush(|at, errno| status.refused(at, errno));
    flushed.map_err(|error| Failure {
        lines: unknown(batch),
        error: Error::from_kernel(Action::Flush, error),
    })
}

/// The first and the last line of which it is not known whether they were done.
fn unknown(batch: &mut Batch<Origin>) -> Option<(usize, usize)> {
    let lines = batch.take_unknown();
    Some((lines.first()?.line, lines.last()?.line))
}

fn opened(batch: &mut Option<Batch<Origin>>, action: Action) -> Result<&mut Batch<Origin>, Error> {
    Ok(match batch {
        Some(batch) => batch,
        none => none.insert(asked(action, Batch::new(open(action)?))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_their_lines() {
        let failure = |lines| Failure {
            lines,
            error: Error::NulByte,
        };
        assert_eq!(failure(None).place(), "");
        assert_eq!(failure(Some((7, 7))).place(), "line 7: ");
        assert_eq!(failure(Some((7, 912))).place(), "lines 7-912: ");
    }
}
