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
use crate::console::{advise, complain, tell_silence, warn};
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
    lines: (usize, usize),
    error: Error,
}

impl Failure {
    fn on(line: usize, error: Error) -> Self {
        Self {
            lines: (line, line),
            error,
        }
    }
}

/// How messages name a row of lines.
fn lines((first, last): (usize, usize)) -> String {
    match first == last {
        true => format!("line {first}"),
        false => format!("lines {first}-{last}"),
    }
}

/// The exit status: that of the first failure.
#[derive(Default)]
struct Status(Option<u8>);

impl Status {
    /// Reports a failure.
    fn failed(&mut self, failure: &Failure) {
        let place = format!("{}: ", lines(failure.lines));
        complain(place.as_bytes(), &failure.error);
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
                let done = match rules::read(self.program, line, &self.names) {
                    Ok(Some(command)) => self.execute(number, &command),
                    Ok(None) => Ok(()),
                    // What stands before a bad line comes first.
                    Err(error) => self.settle(number).and(Err(Failure::on(number, error))),
                };
                if self.ends(done) {
                    return Ok(self.status.code());
                }
            }
            let settled = self.settle(number);
            if self.ends(settled) || lines.ended() {
                return Ok(self.status.code());
            }
            if let Err(reason) = lines.fill() {
                let error = Error::Read(reason);
                complain(b"", &error);
                return Ok(self.status.0.unwrap_or(error.status()));
            }
        }
    }

    /// Reports how a line went that failed; whether no other may be run.
    fn ends(&mut self, done: Result<(), Failure>) -> bool {
        let Err(failure) = done else {
            return false;
        };
        tell_silence(&self.names);
        self.status.failed(&failure);
        if !failure.error.ends_restore() {
            return false;
        }
        advise(&failure.error);
        if matches!(failure.error, Error::Kernel { .. }) {
            let (_, last) = failure.lines;
            warn(format!("stopped at line {last}: what follows it was not run").as_bytes());
        }
        true
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
        self.run_all(&commands);
        Ok(self.status.code())
    }

    /// Runs commands whatever becomes of each, as long as there is a kernel to run them.
    fn run_all(&mut self, commands: &[(usize, Command)]) {
        let run =
            commands
                .iter()
                .try_for_each(|(line, command)| match self.execute(*line, command) {
                    Err(failure) if !failure.error.kernel_is_gone() => {
                        self.status.failed(&failure);
                        Ok(())
                    }
                    done => done,
                });
        let end = commands.last().map_or(0, |(line, _)| *line);
        if let Err(failure) = run.and_then(|()| self.settle(end)) {
            self.status.failed(&failure);
            let (_, last) = failure.lines;
            if last < end {
                warn(format!("not run: {}", lines((last + 1, end))).as_bytes());
            }
        }
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
        let change = match command {
            Command::Change(change) => change,
            Command::List(listing) => {
                return self.show(line, |client, names| show::list(client, names, listing));
            }
            Command::Save { numeric } => {
                return self.show(line, |client, names| show::save(client, names, *numeric));
            }
            Command::Restore | Command::Help | Command::Version => {
                return Err(Failure::on(line, Error::NoCommand(self.program.into())));
            }
        };
        let action = change.into();
        let batch = opened(&mut self.batch, action).map_err(|error| Failure::on(line, error))?;
        let refused = |at, errno| self.status.refused(at, errno);
        match batch.push(Origin { line, action }, change, refused) {
            Ok(()) => Ok(()),
            Err(error) => self.unsettled(line, Error::from_kernel(action, error)),
        }
    }

    /// What prints comes after everything before it is done.
    fn show(
        &mut self,
        line: usize,
        show: impl FnOnce(&mut Client, &mut Names) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        self.settle(line)?;
        let shown = opened(&mut self.batch, Action::Read)
            .and_then(|batch| asked(Action::Read, batch.client(|_, _| {})))
            .and_then(|client| show(client, &mut self.names));
        shown.map_err(|error| Failure::on(line, error))
    }

    /// Has everything done that was gathered up to a line.
    fn settle(&mut self, line: usize) -> Result<(), Failure> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        match batch.flush(|at, errno| self.status.refused(at, errno)) {
            Ok(()) => Ok(()),
            Err(error) => self.unsettled(line, Error::from_kernel(Action::Flush, error)),
        }
    }

    /// Names the lines of which it is not known whether they were done. It ends nothing, unless
    /// there is no kernel to do more.
    fn unsettled(&mut self, line: usize, error: Error) -> Result<(), Failure> {
        let unknown = self.batch.as_mut().map(Batch::take_unknown);
        let unknown = unknown.unwrap_or_default();
        let line_of = |at: Option<&Origin>| at.map_or(line, |at| at.line);
        let failure = Failure {
            lines: (line_of(unknown.first()), line_of(unknown.last())),
            error,
        };
        match failure.error.kernel_is_gone() {
            true => Err(failure),
            false => {
                self.status.failed(&failure);
                Ok(())
            }
        }
    }
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
        assert_eq!(lines((7, 7)), "line 7");
        assert_eq!(lines((7, 912)), "lines 7-912");
    }
}
