//! A kernel that carries out requests without an answer: its replies are dropped on the way to the
//! program, or do not fit its socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::sys;
use crate::lab::world::{Namespace, Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("silence::in_a_restore", in_a_restore),
        KernelTest::new("silence::in_the_middle_of_a_table", in_the_middle),
        KernelTest::new("silence::answers_that_do_not_fit", overflow),
    ]
}

/// The minimum time the program waits for an answer, and the maximum time until it exits.
const PATIENCE: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(30);

/// The start of every restore, before the kernel goes silent.
const BEFORE: &str = "-A -f 1 -s rr\n-Sn\n";

/// The lines after that, their result, and the table afterwards.
struct Silence {
    lines: &'static str,
    said: &'static str,
    status: i32,
    left: &'static str,
}

const SILENCES: &[Silence] = &[
    // The second would be refused.
    Silence {
        lines: "-A -f 2 -s rr\n-A -f 2 -s rr\n-A -f 3 -s rr\n",
        said: "lines 3-5: the kernel did not answer in time\n\
               stopped at line 5: 2 lines were applied, what follows was not read\n",
        status: 255,
        left: "-A -f 1 -s rr\n-A -f 2 -s rr\n-A -f 3 -s rr\n",
    },
    // Nothing is asked after a line whose outcome is unknown.
    Silence {
        lines: "-A -f 2 -s rr\n-Ln\n-A -f 3 -s rr\n",
        said: "line 3: the kernel did not answer in time\n\
               stopped at line 3: 2 lines were applied, what follows was not read\n",
        status: 255,
        left: "-A -f 1 -s rr\n-A -f 2 -s rr\n",
    },
    Silence {
        lines: "-Ln\n-A -f 2 -s rr\n",
        said: "line 3: the kernel did not answer in time\n\
               stopped at line 3: 2 lines were applied, what follows was not read\n",
        status: 1,
        left: "-A -f 1 -s rr\n",
    },
    Silence {
        lines: "-L --timeout\n",
        said: "line 3: the kernel did not answer in time\n\
               stopped at line 3: 2 lines were applied, what follows was not read\n",
        status: 1,
        left: "-A -f 1 -s rr\n",
    },
    Silence {
        lines: "-D -f 1\n-A -q\n",
        said: "line 3: the kernel did not answer in time\n\
               stopped at line 3: 2 lines were applied, what follows was not read\n",
        status: 255,
        left: "",
    },
];

fn in_a_restore(world: &mut World) -> Result<()> {
    let mut restores = Vec::new();
    for (number, silence) in SILENCES.iter().enumerate() {
        let director = world.namespace(&format!("director{number}"))?;
        let mut restore = Restore::start(director, "-R", BEFORE)?;
        restore.spoil(sys::let_nothing_in)?;
        restores.push((silence, restore));
    }
    let start = Instant::now();
    for (silence, restore) in &mut restores {
        restore.give(silence.lines)?;
    }
    for (silence, restore) in restores {
        restore.expect(silence, start)?;
    }
    Ok(())
}

/// The listings do not fit the pipe, so `ipvsadm-restore` waits there while its kernel goes silent.
/// At the end every line was either run or reported.
fn in_the_middle(world: &mut World) -> Result<()> {
    const SERVICES: usize = 8000;
    let services = |range: RangeInclusive<usize>| -> String {
        range.map(|mark| format!("-A -f {mark} -s rr\n")).collect()
    };
    let file = services(1..=SERVICES) + "-Sn\n-A -f 8001 -s rr\n-Sn\n-A -f 8002\n-A -f 8003\n";
    let mut restore = Restore::start(world.namespace("director")?, "ipvsadm-restore", &file)?;
    restore.program.stdin = None;
    restore.spoil(sys::let_nothing_in)?;
    let (director, outcome) = restore.end()?;
    let said = "line 8002: the kernel did not answer in time\nnot run: lines 8003-8005\n";
    ensure!(
        (&*outcome.said, outcome.status) == (said, Some(255)),
        "it said {:?} and ended with {:?}",
        outcome.said,
        outcome.status
    );
    expect_table(&director, &services(1..=SERVICES + 1))
}

/// Only the first of many refusals fit the socket. The lines after them are still run, and no line
/// is skipped silently.
fn overflow(world: &mut World) -> Result<()> {
    const REFUSED: usize = 1000;
    let director = world.namespace("director")?;
    let mut restore = Restore::start(director, "-R", BEFORE)?;
    restore.spoil(sys::let_hardly_anything_in)?;
    let refused = "-A -f 1 -s rr\n".repeat(REFUSED);
    restore.give(&(refused + "-A -f 2 -s rr\n-A -q\n-A -f 3 -s rr\n"))?;
    let (director, outcome) = restore.end()?;
    let said = outcome.said;
    let told = said.matches("already exists").count();
    ensure!((1..REFUSED).contains(&told), "{said}");
    let (first, last) = (3 + told, 3 + REFUSED);
    let refusals = (3..first).map(|line| format!("line {line}: Service already exists\n"));
    let rest = format!(
        "lines {first}-{last}: answers of the kernel were lost\n\
         line {}: -q: unknown option\n",
        last + 1
    );
    let expected = refusals.collect::<String>() + &rest;
    ensure!((said == expected) && outcome.status == Some(255), "{said}");
    expect_table(&director, "-A -f 1 -s rr\n-A -f 2 -s rr\n-A -f 3 -s rr\n")
}

/// A restore whose kernel has gone silent.
struct Restore {
    director: Namespace,
    program: Child,
    stdout: BufReader<ChildStdout>,
}

/// Its outcome.
struct Outcome {
    printed: String,
    said: String,
    status: Option<i32>,
}

impl Restore {
    /// Starts one by this name or with this option, and writes its first lines.
    fn start(director: Namespace, name: &str, lines: &str) -> Result<Self> {
        director.enter()?;
        let mut program = Command::new(Path::new(Side::Ours.folder()).join("ipvsadm"));
        match name {
            "-R" => program.arg(name),
            _ => program.arg0(name),
        };
        let mut program = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = program.stdout.take().context("it has no output")?;
        let mut restore = Self {
            director,
            program,
            stdout: BufReader::new(stdout),
        };
        let input = restore.program.stdin.as_mut().context("it has no input")?;
        input.write_all(lines.as_bytes())?;
        Ok(restore)
    }

    /// Waits for its first list, and does something to its socket.
    fn spoil(&mut self, spoil: fn(&OwnedFd) -> io::Result<()>) -> Result<()> {
        let mut saved = String::new();
        self.stdout.read_line(&mut saved)?;
        ensure!(saved == "-A -f 1 -s rr\n", "it saved {saved:?}");
        let sockets = sys::netlink_sockets(self.program.id())?;
        ensure!(sockets.len() == 1, "it has {sockets:?}");
        Ok(spoil(&sockets[0])?)
    }

    /// Writes its last lines.
    fn give(&mut self, lines: &str) -> Result<()> {
        let mut input = self.program.stdin.take().context("it has no input")?;
        Ok(input.write_all(lines.as_bytes())?)
    }

    fn end(mut self) -> Result<(Namespace, Outcome)> {
        let (mut printed, mut said) = (String::new(), String::new());
        self.stdout.read_to_string(&mut printed)?;
        let mut stderr = self.program.stderr.take().context("it has no errors")?;
        stderr.read_to_string(&mut said)?;
        let status = self.program.wait()?.code();
        let outcome = Outcome {
            printed,
            said,
            status,
        };
        Ok((self.director, outcome))
    }

    fn expect(self, silence: &Silence, start: Instant) -> Result<()> {
        let (director, outcome) = self.end()?;
        let time = start.elapsed();
        let Outcome {
            printed,
            said,
            status,
        } = outcome;
        let lines = silence.lines;
        ensure!(
            (&*printed, &*said, status) == ("", silence.said, Some(silence.status)),
            "{lines:?} printed {printed:?}, said {said:?} and ended with {status:?}"
        );
        ensure!(
            (PATIENCE..LATEST).contains(&time),
            "{lines:?} took {time:?}"
        );
        expect_table(&director, silence.left)
    }
}

fn expect_table(director: &Namespace, saved: &str) -> Result<()> {
    let save = Program::ipvsadm(Side::Ours).args(["-Sn"]);
    let left = String::from_utf8(director.run(&save)?.success()?)?;
    ensure!(left == saved, "there is\n{left}instead of\n{saved}");
    Ok(())
}
