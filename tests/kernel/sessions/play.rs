//! Plays a session on both sides and compares.

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result};

use super::coverage;
use super::restoring::{self, find};
use super::script::{InputLine, Line, Session, Step};
use crate::cases::same;
use crate::differences::{self, Difference};
use crate::lab::world::{Counts, Output, Program, Side, World};
use crate::pair::{Pair, list_at_rest};

/// Why a session failed, and at which step.
pub struct Failure {
    pub step: usize,
    pub error: anyhow::Error,
}

pub struct Player {
    pair: Pair,
    comparisons: usize,
    /// How often each item of the coverage occurred.
    seen: Counts,
}

/// Plays a session in a new pair of namespaces.
pub fn play(world: &mut World, session: &Session) -> Result<Player, Failure> {
    let mut failing = 0;
    let mut run = || -> Result<Player> {
        let mut player = Player {
            pair: Pair::new(world)?,
            comparisons: 0,
            seen: Counts::new(),
        };
        for (number, step) in session.steps.iter().enumerate() {
            failing = number;
            player.step(step).with_context(|| format!("{step}"))?;
        }
        player.comparisons += 1;
        let seen = player.pair.same_to_the_reference();
        seen.context("in the end")?;
        Ok(player)
    };
    run().map_err(|error| Failure {
        step: failing,
        error,
    })
}

impl Player {
    /// Adds comparisons and coverage to the results of the test.
    pub fn report(self, world: &mut World) {
        world.comparisons += self.comparisons;
        for (name, count) in self.seen {
            *world.counts.entry(name).or_default() += count;
        }
    }

    fn saw(&mut self, name: impl Into<String>) {
        *self.seen.entry(name.into()).or_default() += 1;
    }

    fn saw_difference(&mut self, difference: Difference) {
        self.saw(coverage::of_difference(difference));
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        for line in step.lines() {
            line.notes.iter().for_each(|note| self.saw(note));
        }
        match step {
            Step::Command(line) if line.lists() => return self.list(line),
            Step::Command(line) => self.command(line)?,
            Step::Restore { line, input } => self.restore(line, input)?,
            Step::Packets { count } => self.send_packets(*count)?,
        }
        self.pair.tables().context("afterwards")?;
        Ok(())
    }

    fn command(&mut self, line: &Line) -> Result<()> {
        let theirs = self.run(Side::Reference, Side::Reference, line)?;
        let ours = self.run(Side::Ours, Side::Ours, line)?;
        self.judge(theirs, ours)
    }

    /// Both programs list the tables of both sides.
    fn list(&mut self, line: &Line) -> Result<()> {
        for home in [Side::Reference, Side::Ours] {
            let [theirs, ours] = list_at_rest(|side| self.run(side, home, line))?;
            self.judge(theirs, ours)
                .with_context(|| format!("listing what {home:?} made"))?;
        }
        Ok(())
    }

    /// Runs a line; the output of the reference is rewritten.
    fn run(&mut self, side: Side, home: Side, line: &Line) -> Result<Output> {
        let mut output = self.pair.run(home, &program(side, line))?;
        if side == Side::Reference {
            self.add_thresholds(&mut output, home)?;
            self.rewrite(&mut output, [line]);
        }
        Ok(output)
    }

    /// Adds to a save what the reference omits.
    fn add_thresholds(&mut self, output: &mut Output, home: Side) -> Result<()> {
        if !output.stdout.starts_with(b"-A ") {
            return Ok(());
        }
        let listing = Program::ipvsadm(Side::Reference).args(["-Ln", "--thresholds"]);
        let listing = self.pair.run(home, &listing)?.success()?;
        for difference in differences::add_thresholds(output, &listing) {
            self.saw_difference(difference);
        }
        Ok(())
    }

    fn rewrite<'a>(&mut self, theirs: &mut Output, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            for (theirs_say, we_say) in line.pieces.iter().filter_map(|piece| piece.echo) {
                let stderr = &mut theirs.stderr;
                if let Some(at) = find(stderr, theirs_say.as_bytes()) {
                    stderr.splice(at..at + theirs_say.len(), we_say.bytes());
                }
            }
            for difference in line.differences() {
                self.saw_difference(difference);
            }
        }
        for difference in differences::rewrite(theirs) {
            self.saw_difference(difference);
        }
    }

    fn judge(&mut self, theirs: Output, ours: Output) -> Result<()> {
        self.comparisons += 1;
        same("expected", &theirs, "ours", &ours)?;
        for text in coverage::texts(&ours.stderr)? {
            self.saw(text);
        }
        Ok(())
    }

    fn restore(&mut self, line: &Line, input: &[InputLine]) -> Result<()> {
        let reference = program(Side::Reference, line).stdin(restoring::marked(input));
        let mut theirs = self.pair.run(Side::Reference, &reference)?;
        let (read, differences) = restoring::rewrite(&mut theirs, input);
        differences
            .into_iter()
            .for_each(|difference| self.saw_difference(difference));
        self.rewrite(&mut theirs, input[..read].iter().map(|input| &input.line));

        let text = input.iter().flat_map(|line| line.text(Side::Ours));
        let ours = program(Side::Ours, line).stdin(text.collect::<Vec<_>>());
        let ours = self.pair.run(Side::Ours, &ours)?;
        differences::take_sizes(&mut theirs, &ours);
        self.judge(theirs, ours)
    }

    fn send_packets(&mut self, count: usize) -> Result<()> {
        for side in [Side::Reference, Side::Ours] {
            self.pair.enter(side)?;
            for port in 0..count as u16 {
                let socket = UdpSocket::bind(("10.9.0.1", 40_000 + port))?;
                // If nothing listens, the packet may return as an error.
                let _ = socket.send_to(b"packet", "10.0.0.1:53");
            }
        }
        self.saw("packets");
        Ok(())
    }
}

fn program(side: Side, line: &Line) -> Program {
    let words = line.words(side);
    let words = words.iter().map(|word| OsStr::from_bytes(word));
    Program::ipvsadm(side).args(words)
}
