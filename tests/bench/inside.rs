//! The measurements in a guest. Each figure is reported as a line: its name and a number.

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipvsadm::lines::Lines;

use super::floor::Floor;
use super::job::{Job, METRICS, QUESTIONS, VIEWS, Who};
use super::sets::{HUGE, LARGE, LINES, Set, WATCHED};
use crate::lab::sys::{self, Usage};
use crate::lab::terminal::Terminal;
use crate::lab::world::Side;
use crate::synced::{self, Synced};
use crate::together;

/// No further runs start after this time.
const ENOUGH: Duration = Duration::from_secs(10);

/// How long the screen runs.
const WATCHING: Duration = Duration::from_secs(30);

const A_MINUTE: Duration = Duration::from_secs(60);

/// The folder for input and output, in memory.
const INPUT: &str = "/tmp/input";

/// The last line.
pub const DONE: &str = "done";

/// Runs the job given to process 1 on the kernel's command line, and reports to `channel`.
pub fn work(channel: &mut File) -> Result<()> {
    let job = env::var(super::JOB).context("there is nothing to do")?;
    let runs = env::var(super::RUNS).context("how often is not said")?;
    // The kernel refuses servers while no device is up.
    sys::loopback_up()?;
    let mut bench = Bench {
        channel,
        runs: runs.parse()?,
    };
    match Job::parse(&job).with_context(|| format!("there is no job {job}"))? {
        Job::Restore(who, set) => bench.restore(who, &set),
        Job::List(set) => bench.list(&set),
        Job::Connections => bench.list_connections(),
        Job::Huge => bench.list_huge(),
        Job::Apply => bench.apply(),
        Job::Metrics => bench.write_metrics(),
        Job::Million => bench.ask_about_a_million(),
        Job::Watch => bench.watch(),
        Job::Together => bench.together(),
    }?;
    writeln!(bench.channel, "{DONE}")?;
    Ok(())
}

struct Bench<'a> {
    channel: &'a mut File,
    /// The number of runs, of which the best counts; fewer if they take long.
    runs: usize,
}

impl Bench<'_> {
    fn time(&mut self, name: &str, time: Duration) -> Result<()> {
        self.number(name, time.as_micros() as u64)
    }

    fn number(&mut self, name: &str, number: u64) -> Result<()> {
        writeln!(self.channel, "{name} {number}")?;
        Ok(())
    }

    /// The best time and the peak memory over several runs of a program.
    fn program(&mut self, name: &str, run: impl FnMut() -> Result<Usage>) -> Result<()> {
        let usages = self.several(run)?;
        let best = usages.iter().map(|usage| usage.time).min();
        let peak = usages.iter().map(|usage| usage.peak_kib).max();
        self.time(name, best.unwrap_or_default())?;
        self.number(&format!("{name} memory"), peak.unwrap_or_default())
    }

    /// The startup time of both programs: they list an empty table.
    fn starts(&mut self) -> Result<()> {
        for side in [Side::Ours, Side::Reference] {
            let who = Who::Program(side);
            self.program(&format!("start {who}"), || ipvsadm(side, &["-Ln"]))?;
        }
        Ok(())
    }

    /// Runs something several times.
    fn several<T>(&self, mut run: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
        let start = Instant::now();
        let mut results = vec![run()?];
        while results.len() < self.runs && start.elapsed() < ENOUGH {
            results.push(run()?);
        }
        Ok(results)
    }

    fn best_time(&self, mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
        let times = self.several(|| {
            let start = Instant::now();
            run()?;
            Ok(start.elapsed())
        })?;
        Ok(times.into_iter().min().unwrap_or_default())
    }

    fn together(&mut self) -> Result<()> {
        let tally = together::storm(A_MINUTE)?;
        self.number("changes", tally.changes as u64)?;
        self.number("lists", tally.lists as u64)
    }

    /// Loads an empty table, only once: deleted entries would slow the next run.
    fn restore(&mut self, who: Who, set: &Set) -> Result<()> {
        let mut floor = Floor::open()?;
        match who {
            Who::Floor => {
                let sends = floor.load_messages(set);
                let start = Instant::now();
                floor.load(&sends)?;
                self.time("whole", start.elapsed())?;
            }
            Who::Program(side) => {
                self.starts()?;
                write_input(set)?;
                let usage = ipvsadm(side, &["-R"])?;
                self.time("whole", usage.time)?;
                self.number("whole memory", usage.peak_kib)?;
            }
        }
        check_count(&mut floor, set)
    }

    fn list(&mut self, set: &Set) -> Result<()> {
        self.starts()?;
        let mut floor = Floor::open()?;
        floor.load(&floor.load_messages(set))?;
        let questions = floor.questions(set);
        let time = self.best_time(|| floor.list(&questions).map(drop))?;
        self.time("floor", time)?;
        for view in VIEWS {
            let words: Vec<&str> = view.split(' ').collect();
            for side in [Side::Ours, Side::Reference] {
                let who = Who::Program(side);
                self.program(&format!("{view} {who}"), || ipvsadm(side, &words))?;
            }
            check_outputs(view)?;
        }
        check_count(&mut floor, set)
    }

    /// A hundred thousand services; the original would take many minutes.
    fn list_huge(&mut self) -> Result<()> {
        let mut floor = Floor::open()?;
        floor.load(&floor.load_messages(&HUGE))?;
        let questions = floor.questions(&HUGE);
        let start = Instant::now();
        let count = floor.list_services(&questions)?;
        self.time("floor", start.elapsed())?;
        ensure!(count == HUGE.entries(), "{count} services");
        for view in VIEWS {
            let words: Vec<&str> = view.split(' ').collect();
            let usage = ipvsadm(Side::Ours, &words)?;
            self.time(view, usage.time)?;
            self.number(&format!("{view} memory"), usage.peak_kib)?;
        }
        let count = lines_in(output(Side::Ours))?;
        ensure!(count == HUGE.entries(), "{count} lines");
        Ok(())
    }

    /// Applies the same file several times, and a changed one with another weight each time.
    fn apply(&mut self) -> Result<()> {
        let mut floor = Floor::open()?;
        floor.load(&floor.load_messages(&LARGE))?;
        write_input(&LARGE)?;
        self.program("check", || ipvsadm(Side::Ours, &["--check"]))?;
        self.program("-Sn", || ipvsadm(Side::Ours, &["-Sn"]))?;
        self.program("same", || ipvsadm(Side::Ours, &["--apply"]))?;
        let text = fs::read_to_string(INPUT)?;
        let mut weight = 1;
        self.program("weight", || {
            weight += 1;
            fs::write(INPUT, text.replacen("-w 1\n", &format!("-w {weight}\n"), 1))?;
            ipvsadm(Side::Ours, &["--apply"])
        })?;
        write_input(&LINES)?;
        self.program("lines", || ipvsadm(Side::Ours, &["--check"]))?;
        check_count(&mut floor, &LARGE)
    }

    fn write_metrics(&mut self) -> Result<()> {
        let mut floor = Floor::open()?;
        floor.load(&floor.load_messages(&LARGE))?;
        for view in METRICS {
            self.listing(view)?;
        }
        let length = fs::metadata(output(Side::Ours))?.len();
        fs::remove_file(output(Side::Ours))?;
        let time = self.best_time(|| write_bytes(length))?;
        self.time("writes", time)?;
        check_count(&mut floor, &LARGE)
    }

    /// The processor time of the live screen.
    fn watch(&mut self) -> Result<()> {
        let mut floor = Floor::open()?;
        floor.load(&floor.load_messages(&WATCHED))?;
        let questions = floor.questions(&WATCHED);
        let time = self.best_time(|| floor.list(&questions).map(drop))?;
        self.time("floor", time)?;
        let mut command = Command::new(format!("{}/ipvsadm", Side::Ours.folder()));
        command.args(["-Ln", "--watch", "1"]);
        let mut terminal = Terminal::start(command)?;
        let mut look = || {
            let seen = terminal.wait(|screen| screen.contains("1000 services, 2000 servers"));
            ensure!(seen.is_ok(), "{seen:?}");
            Ok((time_on_processor(terminal.id())?, Instant::now()))
        };
        let (before, start) = look()?;
        thread::sleep(WATCHING);
        let (after, end) = look()?;
        self.time("processor", after - before)?;
        self.time("whole", end - start)
    }

    /// The time of `cat` to read them, and of ours to answer queries about them.
    fn ask_about_a_million(&mut self) -> Result<()> {
        receive_connections(MILLION)?;
        self.program("cat", || read_connections("/dev/null"))?;
        for question in QUESTIONS {
            self.listing(question)?;
        }
        Ok(())
    }

    fn listing(&mut self, view: &str) -> Result<()> {
        let words: Vec<&str> = view.split(' ').collect();
        self.program(view, || ipvsadm(Side::Ours, &words))
    }

    /// Connections sent like another director's, over the loopback device.
    fn list_connections(&mut self) -> Result<()> {
        self.starts()?;
        receive_connections(CONNECTIONS)?;
        let usages = self.several(|| read_connections("/tmp/cat"))?;
        let count = lines_in("/tmp/cat")?;
        ensure!(count == CONNECTIONS as usize + 1, "{count} connections");
        let best = usages.iter().map(|usage| usage.time).min();
        self.time("floor", best.unwrap_or_default())?;
        let start = self
            .best_time(|| run(Command::new("/bin/cat").arg("/dev/null"), "/tmp/cat").map(drop))?;
        self.time("start floor", start)?;
        for side in [Side::Ours, Side::Reference] {
            let who = Who::Program(side);
            self.program(&format!("-Lnc {who}"), || ipvsadm(side, &["-Lnc"]))?;
        }
        Ok(())
    }
}

fn write_input(set: &Set) -> Result<()> {
    let mut lines = BufWriter::new(File::create(INPUT)?);
    set.write_lines(&mut lines)?;
    Ok(lines.flush()?)
}

fn output(side: Side) -> &'static str {
    match side {
        Side::Ours => "/tmp/ours",
        Side::Reference => "/tmp/reference",
    }
}

/// Writes so many bytes to a file, in chunks like a program's.
fn write_bytes(length: u64) -> Result<()> {
    let mut file = File::create(output(Side::Ours))?;
    let chunk = [b'x'; 64 * 1024];
    for _ in 0..length / chunk.len() as u64 {
        file.write_all(&chunk)?;
    }
    Ok(())
}

/// Runs an `ipvsadm` with the prepared input and a file as output.
fn ipvsadm(side: Side, words: &[&str]) -> Result<Usage> {
    let mut command = Command::new(format!("{}/ipvsadm", side.folder()));
    command.args(words);
    run(&mut command, output(side))
}

fn run(command: &mut Command, output: &str) -> Result<Usage> {
    let input = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(INPUT)?;
    let usage = sys::run(command.stdin(input).stdout(File::create(output)?))?;
    ensure!(usage.status.success(), "{command:?}: {}", usage.status);
    Ok(usage)
}

fn check_count(floor: &mut Floor, set: &Set) -> Result<()> {
    let questions = floor.questions(set);
    let count = floor.list(&questions)?;
    ensure!(count == set.entries(), "{count} entries in {}", set.name);
    Ok(())
}

/// Both programs must have written the same.
fn check_outputs(view: &str) -> Result<()> {
    let mut outputs = [
        File::open(output(Side::Ours))?,
        File::open(output(Side::Reference))?,
    ];
    let mut chunks = [[0; 4096]; 2];
    loop {
        let mut lengths = [0; 2];
        for index in 0..2 {
            lengths[index] = outputs[index].read(&mut chunks[index])?;
        }
        ensure!(lengths[0] == lengths[1], "{view} differs in length");
        ensure!(chunks[0] == chunks[1], "{view} differs");
        if lengths[0] == 0 {
            return Ok(());
        }
    }
}

/// The number of lines in a file. It is not read into memory, because the lowest peak memory that
/// can be measured for a program is that of this process.
fn lines_in(path: &str) -> Result<usize> {
    let mut lines = Lines::new(File::open(path)?);
    let mut count = 0;
    while lines.read()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// The processor time of a process so far.
fn time_on_processor(id: u32) -> Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/schedstat"))?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

const CONNECTIONS: u32 = 100_000;
const MILLION: u32 = 1_000_000;

fn read_connections(output: &str) -> Result<Usage> {
    let mut cat = Command::new("/bin/cat");
    run(cat.arg("/proc/net/ip_vs_conn"), output)
}

/// TCP connections, each from another client.
fn receive_connections(count: u32) -> Result<()> {
    synced::listen()?;
    let connections = (0..count).map(|number| Synced {
        protocol: 6,
        flags: 0,
        state: 1,
        client: (Ipv4Addr::from_bits(0x0b00_0000 + number), 1024).into(),
        virtual_service: ([10, 0, 0, 1], 80).into(),
        server: ([172, 16, 0, 1], 8080).into(),
    });
    synced::send(connections)
}
