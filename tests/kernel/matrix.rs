//! The matrix: every command with every single option before it and after it.
//!
//! The lines are generated from the program's own table, so a new row only needs a value here. All
//! of them run on one kernel; the others run those that reach the kernel. An option that the
//! reference does not know appears only in listings, and not before the command.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use ipvsadm::cli;
use ipvsadm::cli::{CommandSpec, Spec, Verb, specs};
use ipvsadm::names::Names;

use crate::cases::same;
use crate::differences;
use crate::lab::guest;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, World};
use crate::pair::{Pair, Tables};

/// The kernel on which all lines run: the one that starts programs fastest.
const IN_FULL: &str = "7.2.";

/// Restores the state before each line. Daemons are stopped first, which fails if none runs.
const WORLD: &str = "\
    --stop-daemon master\n\
    --stop-daemon backup\n\
    --start-daemon backup --mcast-interface lo --syncid 7\n\
    --set 900 120 300\n\
    -C\n\
    -A -t 10.0.0.1:80 -s rr -p 300\n\
    -a -t 10.0.0.1:80 -r 10.1.1.1:80 -i -w 2\n\
    -a -t 10.0.0.1:80 -r 10.1.1.2:8080 -m\n\
    -A -u 10.0.0.1:53 -s wrr -o\n\
    -a -u 10.0.0.1:53 -r 10.1.1.1:53 -g\n\
    -A -t [2001:db8::1]:80 -s sh -b sh-port\n\
    -a -t [2001:db8::1]:80 -r [2001:db8:1::1]:80 -i --tun-type gre --tun-csum\n\
    -A -f 5 -s wlc\n\
    -A -f 5 -6 -s wlc\n";

/// The value of each option.
const VALUES: &[(&str, &str)] = &[
    ("start-daemon", "master"),
    ("stop-daemon", "backup"),
    ("tcp-service", "10.0.0.1:80"),
    ("udp-service", "10.0.0.1:53"),
    ("sctp-service", "10.0.0.1:90"),
    ("fwmark-service", "5"),
    ("scheduler", "wrr"),
    ("sched-flags", "flag-1,flag-2"),
    ("persistent", "600"),
    ("netmask", "255.255.255.0"),
    ("pe", "sip"),
    ("real-server", "10.1.1.2:8080"),
    ("weight", "5"),
    ("u-threshold", "100"),
    ("l-threshold", "0"),
    ("tun-type", "gre"),
    ("tun-port", "5555"),
    ("mcast-interface", "lo"),
    ("syncid", "9"),
    ("sync-maxlen", "1400"),
    ("mcast-group", "224.0.0.99"),
    ("mcast-port", "8900"),
    ("mcast-ttl", "3"),
    ("format", "classic"),
];

pub fn tests() -> Vec<KernelTest> {
    let known = specs().filter(|row| !differences::is_ours_alone(row.long()));
    let commands = known.filter_map(|row| match row {
        Spec::Command(row) => Some(row),
        Spec::Option(_) => None,
    });
    commands.map(test).collect()
}

fn test(command: &'static CommandSpec) -> KernelTest {
    let name = format!("matrix::{}", command.long);
    let mut test = KernelTest::new(name, move |world| {
        let lines = lines(command)?;
        Matrix::new(world)?.play(command.verb, &lines)
    });
    test.cost = 20;
    test
}

/// The options that a command requires; several sets where options mean different things.
fn complements(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::AddService => &["-t 10.0.0.1:90", "-u 10.0.0.2:90", "-f 9"],
        Verb::EditService => &["-t 10.0.0.1:80", "-f 5"],
        Verb::DeleteService => &["-t 10.0.0.1:80"],
        Verb::AddServer => &[
            "-t 10.0.0.1:80 -r 10.1.1.9:81",
            "-t 10.0.0.1:80 -r 10.1.1.9:81 -i",
        ],
        Verb::EditServer => &[
            "-t 10.0.0.1:80 -r 10.1.1.2:8080",
            "-t 10.0.0.1:80 -r 10.1.1.1:80 -i",
        ],
        Verb::DeleteServer => &["-t 10.0.0.1:80 -r 10.1.1.2:8080"],
        Verb::SetTimeouts => &["100 20 30"],
        _ => &[""],
    }
}

/// The lines of one command, each once.
fn lines(command: &'static CommandSpec) -> Result<BTreeSet<Vec<String>>> {
    let mut lines = BTreeSet::new();
    let command_words = words(Spec::Command(command))?;
    for row in specs() {
        // The reference has no listing by server.
        let is_filter = command.verb == Verb::List && row.long() == "real-server";
        let is_ours_alone = is_filter || differences::is_ours_alone(row.long());
        let is_neutral = row.long() == differences::NEUTRAL.0 && command.verb == Verb::List;
        if is_ours_alone && !is_neutral {
            continue;
        }
        let option = words(row)?;
        for complement in complements(command.verb) {
            let complement = complement.split_whitespace().map(str::to_owned);
            let command = [command_words.clone(), complement.collect()].concat();
            lines.insert([command.clone(), option.clone()].concat());
        }
        if !is_ours_alone {
            lines.insert([option, command_words.clone()].concat());
        }
    }
    Ok(lines)
}

fn words(row: Spec) -> Result<Vec<String>> {
    let long = row.long();
    let mut words = vec![match row.letters().first() {
        Some(&letter) => format!("-{}", char::from(letter)),
        None => format!("--{long}"),
    }];
    if row.value().form().is_some() {
        let (_, value) = VALUES
            .iter()
            .find(|(name, _)| *name == long)
            .with_context(|| format!("the matrix has no value for --{long}"))?;
        words.push((*value).to_owned());
    }
    Ok(words)
}

struct Matrix<'a> {
    world: &'a mut World,
    pair: Pair,
    /// The contents of the tables before each line.
    start: Tables,
}

impl<'a> Matrix<'a> {
    fn new(world: &'a mut World) -> Result<Self> {
        let mut pair = Pair::new(world)?;
        pair.restore(WORLD)?;
        let start = pair.tables()?;
        Ok(Matrix { world, pair, start })
    }

    /// Runs all lines, and fails with those that differ.
    fn play(&mut self, verb: Verb, lines: &BTreeSet<Vec<String>>) -> Result<()> {
        let in_full = guest::release()?.starts_with(IN_FULL);
        let mut differences = String::new();
        for line in lines.iter().filter(|line| in_full || is_accepted(line)) {
            if let Err(error) = self.line(verb, line) {
                differences += &format!("ipvsadm {}\n{error:?}\n", line.join(" "));
            }
        }
        if !differences.is_empty() {
            bail!("{differences}");
        }
        Ok(())
    }

    fn line(&mut self, verb: Verb, line: &[String]) -> Result<()> {
        let said = match verb {
            Verb::List | Verb::Save => {
                let theirs = self.run_both(Side::Reference, Side::Reference, line);
                theirs.and(self.run_both(Side::Ours, Side::Ours, line))
            }
            _ => self.run_both(Side::Reference, Side::Ours, line),
        };
        said.and(self.check_tables())
    }

    /// Runs the reference in one namespace and ours in the same or in the other.
    fn run_both(&mut self, there: Side, here: Side, line: &[String]) -> Result<()> {
        let theirs = Program::ipvsadm(Side::Reference).args(for_the_reference(line));
        let mut theirs = self.pair.run(there, &theirs)?;
        differences::rewrite(&mut theirs);
        let ours = self
            .pair
            .run(here, &Program::ipvsadm(Side::Ours).args(line))?;
        self.world.comparisons += 1;
        same("expected", &theirs, "ours", &ours)
    }

    /// Compares the tables after the line, and undoes it.
    fn check_tables(&mut self) -> Result<()> {
        let tables = self.pair.tables();
        if tables.as_ref().is_ok_and(|tables| *tables == self.start) {
            return Ok(());
        }
        let seen = self.pair.same_to_the_reference();
        self.world.comparisons += 1;
        self.pair.restore(WORLD)?;
        tables.and(seen)
    }
}

/// The words without those that the reference does not know.
fn for_the_reference(line: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = line.iter().map(String::as_str).collect();
    let (name, value) = differences::NEUTRAL;
    let option = [&format!("--{name}"), value];
    if let Some(at) = words.windows(2).position(|pair| pair == option) {
        words.drain(at..at + 2);
    }
    words
}

/// True for a line that the program accepts before it talks to the kernel.
fn is_accepted(line: &[String]) -> bool {
    let words = line.iter().map(String::as_bytes);
    cli::read(b"ipvsadm", words, &Names::numeric()).is_ok()
}
