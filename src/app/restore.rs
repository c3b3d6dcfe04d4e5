//! Runs a file of commands: collects changes and sends them together.

use crate::command::Command;
use crate::error::{Action, Error};
use crate::kernel::{Batch, Client, Refusal};
use crate::names::Names;
use crate::rules;

use super::lock::lock;
use super::renewal::{Outcome, describes_a_table, renew, starts_daemons};
use super::source::Source;
use super::{Env, Medium, asked, change, list};

/// Shown to users who type lines.
const RUNS: &str =
    "reading commands from the terminal: each is run when its line ends, Ctrl-D ends";
const REPLACES: &str =
    "reading commands from the terminal: Ctrl-D replaces the table, Ctrl-C leaves it alone";

pub struct Restore<'a> {
    names: Names,
    /// Opened when the first line needs the kernel.
    batch: Option<Batch<Client, usize>>,
    report: Report<'a>,
}

/// An error, and the range of its lines: the first and the last.
struct Failure {
    lines: (usize, usize),
    /// The number of lines counted as applied whose outcome is unknown.
    unapplied: usize,
    error: Error,
}

impl Failure {
    fn on(line: usize, error: Error) -> Self {
        Self {
            lines: (line, line),
            unapplied: 0,
            error,
        }
    }
}

/// How messages name a range of lines.
fn lines((first, last): (usize, usize)) -> String {
    if first == last {
        format!("line {first}")
    } else {
        format!("lines {first}-{last}")
    }
}

/// What happened to the other lines when a restore stops. How many it did not read may be unknown.
fn stopped(line: usize, applied: usize, left: Option<usize>) -> String {
    let applied = match applied {
        1 => "1 line was applied".to_owned(),
        applied => format!("{applied} lines were applied"),
    };
    let left = match left {
        None => ", what follows was not read".to_owned(),
        Some(0) => String::new(),
        Some(1) => ", 1 was not read".to_owned(),
        Some(left) => format!(", {left} were not read"),
    };
    format!("stopped at line {line}: {applied}{left}")
}

/// Reports the failures; the exit status is that of the first.
struct Report<'a> {
    env: &'a mut Env,
    status: Option<u8>,
    /// The number of lines known to be applied.
    applied: usize,
}

impl Report<'_> {
    fn failed(&mut self, failure: &Failure) {
        let place = format!("{}: ", lines(failure.lines));
        self.env.complain(place.as_bytes(), &failure.error);
        self.status.get_or_insert(failure.error.status());
        self.applied = self.applied.saturating_sub(failure.unapplied);
    }

    fn refused(&mut self, line: usize, Refusal { action, errno }: Refusal) {
        self.failed(&Failure {
            unapplied: 1,
            ..Failure::on(line, Error::Refused { action, errno })
        });
    }

    fn status(&self) -> u8 {
        self.status.unwrap_or_default()
    }
}

impl<'a> Restore<'a> {
    pub fn new(names: Names, env: &'a mut Env) -> Self {
        Self {
            names,
            batch: None,
            report: Report {
                env,
                status: None,
                applied: 0,
            },
        }
    }

    /// Runs the lines of a file as they arrive. The writer may wait for the effect of one line
    /// before it writes the next, so all available lines are run before more are read.
    pub fn run(mut self, mut source: Source) -> Result<u8, Error> {
        if source.medium == Medium::Terminal {
            self.report.env.tell_people(RUNS);
        }
        let mut number = 0;
        loop {
            while let Some(line) = source.lines.at_hand() {
                number += 1;
                let done = match rules::read(line, &self.names) {
                    Ok(Some(command)) => self.execute(number, &command),
                    Ok(None) => Ok(()),
                    // Lines before a bad line come first.
                    Err(error) => self.settle(number).and(Err(Failure::on(number, error))),
                };
                if self.ends(done, &mut source) {
                    return Ok(self.report.status());
                }
            }
            let settled = self.settle(number);
            if self.ends(settled, &mut source) || source.lines.ended() {
                return Ok(self.report.status());
            }
            if let Err(reason) = source.lines.fill() {
                let error = (source.unreadable)(reason);
                self.report.env.complain(b"", &error);
                return Ok(self.report.status.unwrap_or(error.status()));
            }
        }
    }

    /// Reports a failed line; returns true if no other line may run.
    fn ends(&mut self, done: Result<(), Failure>, source: &mut Source) -> bool {
        let Err(failure) = done else {
            return false;
        };
        self.report.env.tell_silence(&self.names);
        self.report.failed(&failure);
        if !failure.error.ends_restore() {
            return false;
        }
        self.report.env.advise(&failure.error);
        let (_, last) = failure.lines;
        let stopped = stopped(last, self.report.applied, source.lines_left());
        match failure.error {
            Error::Kernel { .. } => self.report.env.warn(stopped.as_bytes()),
            _ => self.report.env.tell_people(&stopped),
        }
        true
    }

    /// Replaces the table with a file. Reads all of it before it changes anything.
    pub fn replace(mut self, mut source: Source) -> Result<u8, Error> {
        if source.medium == Medium::Terminal {
            self.report.env.tell_people(REPLACES);
        }
        let commands = self.gather(&mut source)?;
        if commands.is_empty() && source.medium == Medium::Terminal {
            let nothing = b"no commands: the table is left alone";
            self.report.env.warn(nothing);
            return Ok(self.report.status.unwrap_or(2));
        }
        if let Err(error) = self.refill(&commands) {
            self.report.env.complain(b"", &error);
            self.report.env.advise(&error);
            self.report.status.get_or_insert(error.status());
        }
        Ok(self.report.status())
    }

    /// A file with bad lines does not replace a table that has services. For an empty one, as when
    /// the machine starts, the good lines are better than nothing.
    fn refill(&mut self, commands: &[(usize, Command)]) -> Result<(), Error> {
        let _lock = lock(self.report.env)?;
        let batch = opened(&mut self.batch, self.report.env, Action::Flush)?;
        let client = asked(Action::Flush, batch.client(|_, _| {}))?;
        let is_empty = asked(Action::Read, client.services())?.is_empty();
        if self.report.status.is_some() && !is_empty {
            let kept = b"the table has services and is left alone";
            self.report.env.warn(kept);
            return Ok(());
        }
        let renews = describes_a_table(commands) && (!is_empty || starts_daemons(commands));
        let unbroken = self.report.env.unbroken;
        let mut outcome = Ok(());
        unbroken(&mut || {
            outcome = if renews {
                self.renew(commands)
            } else {
                self.clear_and_run(commands)
            }
        });
        outcome
    }

    fn renew(&mut self, commands: &[(usize, Command)]) -> Result<(), Error> {
        let batch = opened(&mut self.batch, self.report.env, Action::Flush)?;
        let client = asked(Action::Flush, batch.client(|_, _| {}))?;
        let mut outcome = Outcome::default();
        let done = renew(client, commands, &mut outcome);
        for (line, error) in outcome.failures {
            self.report.failed(&Failure::on(line, error));
        }
        for note in outcome.notes {
            self.report.env.warn(&note);
        }
        done
    }

    fn clear_and_run(&mut self, commands: &[(usize, Command)]) -> Result<(), Error> {
        let batch = opened(&mut self.batch, self.report.env, Action::Flush)?;
        let client = batch.client(|_, _| {});
        asked(Action::Flush, client.and_then(Client::flush))?;
        self.run_all(commands);
        Ok(())
    }

    /// Runs all commands, also after failures, as long as the kernel answers.
    fn run_all(&mut self, commands: &[(usize, Command)]) {
        let run =
            commands
                .iter()
                .try_for_each(|(line, command)| match self.execute(*line, command) {
                    Err(failure) if !failure.error.kernel_is_gone() => {
                        self.report.failed(&failure);
                        Ok(())
                    }
                    done => done,
                });
        let end = commands.last().map_or(0, |(line, _)| *line);
        if let Err(failure) = run.and_then(|()| self.settle(end)) {
            self.report.failed(&failure);
            let (_, last) = failure.lines;
            if last < end {
                self.report
                    .env
                    .warn(format!("not run: {}", lines((last + 1, end))).as_bytes());
            }
        }
    }

    /// The commands of a file with their lines. Lines that cannot be read are reported.
    fn gather(&mut self, source: &mut Source) -> Result<Vec<(usize, Command)>, Error> {
        let mut commands = Vec::new();
        while let Some((number, line)) = source.line()? {
            match rules::read(line, &self.names) {
                Ok(command) => commands.extend(command.map(|command| (number, command))),
                Err(error) => {
                    self.report.env.tell_silence(&self.names);
                    self.report.failed(&Failure::on(number, error));
                }
            }
        }
        Ok(commands)
    }

    fn execute(&mut self, line: usize, command: &Command) -> Result<(), Failure> {
        let change = match command {
            Command::Change(change) => change,
            Command::Careful(careful) if careful.is_plain() => &careful.change,
            Command::Careful(careful) => {
                return self.show(line, |env, client, _| {
                    change::carefully(env, client, careful)
                });
            }
            Command::List(listing) => {
                return self.show(line, |env, client, names| {
                    list::list(env, client, names, listing)
                });
            }
            Command::Save(save) => {
                return self.show(line, |env, client, _| list::save(env, client, save));
            }
            Command::Restore { .. }
            | Command::Apply(_)
            | Command::Diff(_)
            | Command::Check(_)
            | Command::Drain(_)
            | Command::Doctor(_)
            | Command::Watch(_)
            | Command::Help
            | Command::Version => {
                return Err(Failure::on(line, Error::NotInAFile));
            }
        };
        let action = change.into();
        let batch = opened(&mut self.batch, self.report.env, action)
            .map_err(|error| Failure::on(line, error))?;
        self.report.applied += 1;
        let refused = |line, refusal| self.report.refused(line, refusal);
        match batch.push(line, change, refused) {
            Ok(()) => Ok(()),
            Err(error) => self.unsettled(line, Error::from_kernel(action, error)),
        }
    }

    /// Runs a command that prints, after everything before it is done.
    fn show(
        &mut self,
        line: usize,
        show: impl FnOnce(&mut Env, &mut Client, &mut Names) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        self.settle(line)?;
        let shown = opened(&mut self.batch, self.report.env, Action::Read)
            .and_then(|batch| asked(Action::Read, batch.client(|_, _| {})))
            .and_then(|client| show(self.report.env, client, &mut self.names));
        shown.map_err(|error| Failure::on(line, error))?;
        self.report.applied += 1;
        Ok(())
    }

    /// Waits until all changes collected up to a line are done.
    fn settle(&mut self, line: usize) -> Result<(), Failure> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        match batch.send(|line, refusal| self.report.refused(line, refusal)) {
            Ok(()) => Ok(()),
            Err(error) => self.unsettled(line, Error::from_kernel(Action::Flush, error)),
        }
    }

    /// Reports the lines with an unknown outcome. The run continues unless the kernel is gone.
    fn unsettled(&mut self, line: usize, error: Error) -> Result<(), Failure> {
        let unknown = self.batch.as_mut().map(Batch::take_unknown);
        let unknown = unknown.unwrap_or_default();
        let first = unknown.first().copied().unwrap_or(line);
        let last = unknown.last().copied().unwrap_or(line);
        let failure = Failure {
            lines: (first, last),
            unapplied: unknown.len().max(1),
            error,
        };
        if failure.error.kernel_is_gone() {
            Err(failure)
        } else {
            self.report.failed(&failure);
            Ok(())
        }
    }
}

fn opened<'a>(
    batch: &'a mut Option<Batch<Client, usize>>,
    env: &mut Env,
    action: Action,
) -> Result<&'a mut Batch<Client, usize>, Error> {
    Ok(match batch {
        Some(batch) => batch,
        none => none.insert(asked(action, Batch::new(env.open(action)?))?),
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

    #[test]
    fn a_stop_says_what_became_of_the_other_lines() {
        assert_eq!(
            stopped(2, 1, Some(3)),
            "stopped at line 2: 1 line was applied, 3 were not read"
        );
        assert_eq!(
            stopped(9, 7, Some(1)),
            "stopped at line 9: 7 lines were applied, 1 was not read"
        );
        assert_eq!(
            stopped(2, 0, Some(0)),
            "stopped at line 2: 0 lines were applied"
        );
        assert_eq!(
            stopped(2, 1, None),
            "stopped at line 2: 1 line was applied, what follows was not read"
        );
    }
}
