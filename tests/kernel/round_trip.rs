//! Everything saved can be restored, and a restore loses no line.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    let mut drains_and_undo = KernelTest::new("round_trip::drains_and_undo", drains_and_undo);
    // These edits are the same on every kernel, as the tests of --apply show.
    drains_and_undo.kernels = vec![Kernel::V7_2];
    vec![
        KernelTest::new("round_trip::random_tables", random_tables),
        KernelTest::new("round_trip::thousands_of_refusals", thousands_of_refusals),
        KernelTest::new("round_trip::a_killed_restore", a_killed_restore),
        drains_and_undo,
    ]
}

pub fn ours(namespace: &Namespace, args: &[&str], input: &str) -> Result<Output> {
    namespace.run(&Program::ipvsadm(Side::Ours).args(args).stdin(input))
}

pub fn save(namespace: &Namespace) -> Result<String> {
    Ok(String::from_utf8(
        ours(namespace, &["-Sn"], "")?.success()?,
    )?)
}

/// Saves, clears, restores and saves again: the same bytes each time.
fn random_tables(world: &mut World) -> Result<()> {
    for seed in 1..=6 {
        let namespace = world.namespace("director")?;
        let table = Table::random(seed);
        let context = || format!("table {seed}:\n{}", table.lines);
        let restored = ours(&namespace, &["-R"], &table.lines)?.success();
        restored.with_context(context)?;

        let saved = save(&namespace)?;
        ensure!(
            saved.lines().count() == table.count,
            "{}saved as\n{saved}",
            context()
        );
        ours(&namespace, &["-C"], "")?.success()?;
        ensure!(save(&namespace)?.is_empty(), "a cleared table is not empty");
        let restored = ours(&namespace, &["-R"], &saved)?.success();
        restored.with_context(|| format!("restoring\n{saved}"))?;
        let again = save(&namespace)?;
        ensure!(
            again == saved,
            "{}saved as\n{saved}and then as\n{again}",
            context()
        );

        let replaced = Program::ipvsadm(Side::Ours)
            .argv0("ipvsadm-restore")
            .stdin(&saved);
        namespace.run(&replaced)?.success()?;
        ensure!(
            save(&namespace)? == saved,
            "ipvsadm-restore made another table"
        );
    }
    Ok(())
}

/// Drains servers of every kind one by one, some twice; the printed undo commands restore them
/// all.
fn drains_and_undo(world: &mut World) -> Result<()> {
    let namespace = world.namespace("director")?;
    for seed in 1..=3 {
        let table = Table::random(seed);
        ours(&namespace, &["-C"], "")?.success()?;
        ours(&namespace, &["-R"], &table.lines)?.success()?;
        let saved = save(&namespace)?;
        let servers = saved.split(" -r ").skip(1);
        let mut servers: Vec<&str> = servers.filter_map(|rest| rest.split(' ').next()).collect();
        servers.truncate(30);
        let drain = |server: &str| ours(&namespace, &["--drain", "-r", server], "");

        let mut undo = String::new();
        for server in &servers {
            undo += &String::from_utf8(drain(server)?.success()?)?;
        }
        for server in &servers {
            let again = drain(server)?.success()?;
            ensure!(again.is_empty(), "{}", String::from_utf8_lossy(&again));
        }
        let drained = save(&namespace)?;
        for line in drained.lines() {
            let server = line.split(" -r ").nth(1).unwrap_or_default();
            let server = server.split(' ').next().unwrap_or_default();
            let is_drained = line.contains(" -w 0");
            ensure!(is_drained || !servers.contains(&server), "{line}");
        }
        ours(&namespace, &["-R"], &undo)?.success()?;
        let again = save(&namespace)?;
        ensure!(again == saved, "{saved}by\n{undo}became\n{again}");
    }

    // A server that could not be restored is not drained.
    let saved = save(&namespace)?;
    let server = saved.split(" -r ").nth(1).context("a server")?;
    let server = server.split(' ').next().context("a server")?;
    let full = format!("ipvsadm --drain -r '{server}' >/dev/full");
    let output = namespace.run(&Program::shell(Side::Ours, &full))?;
    ensure!(output.status == Status::Exit(2), "{output}");
    ensure!(save(&namespace)? == saved);
    Ok(())
}

/// Commands that create a table; their addresses do not wrap around when compared.
pub struct Table {
    pub lines: String,
    count: usize,
    state: u64,
}

impl Table {
    pub fn random(seed: u64) -> Self {
        let mut table = Table {
            lines: String::new(),
            count: 0,
            state: seed,
        };
        for number in 0..40 {
            table.service(number);
        }
        table
    }

    pub fn below(&mut self, limit: usize) -> usize {
        // The generator of MMIX: the high bits are good enough for this.
        self.state = self
            .state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.state >> 33) as usize % limit
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn add(&mut self, words: &[&str]) {
        let words: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| !word.is_empty())
            .collect();
        writeln!(self.lines, "{}", words.join(" ")).expect("writing to a string succeeds");
        self.count += 1;
    }

    fn service(&mut self, number: usize) {
        let port = 1 + self.below(65535);
        let (id, v6) = match self.below(6) {
            0 => (format!("-t [2001:db8::{number:x}]:{port}"), true),
            1 => (format!("-u 10.0.0.{number}:{port}"), false),
            2 => (format!("--sctp-service 10.0.0.{number}:{port}"), false),
            3 => (
                format!(
                    "-f {}",
                    [number + 1, usize::from(u16::MAX) * 32768 + number][number % 2]
                ),
                false,
            ),
            4 => (format!("-f {} -6", 1000 + number), true),
            _ => (format!("-t 10.0.0.{number}:{port}"), false),
        };
        let is_datagram = id.starts_with("-u") || id.starts_with("-f");
        let scheduler = self.one_of(&[
            "",
            "-s rr",
            "-s wrr",
            "-s lc",
            "-s lblc",
            "-s lblcr",
            "-s dh",
            "-s sed",
            "-s nq",
            "-s fo",
            "-s ovf",
            "-s sh -b sh-port",
            "-s sh -b sh-fallback,flag-3",
            "-s mh -b mh-fallback,mh-port",
            "-s mh -b flag-3",
            "-s rr -b flag-1,flag-2,flag-3",
        ]);
        let mask = if v6 { "-M 64" } else { "-M 255.255.240.0" };
        let persistence = self.one_of(&["", "", "-p", "-p 2678400", "-p 1"]);
        let mask = if persistence.is_empty() {
            ""
        } else {
            self.one_of(&["", mask])
        };
        let engine = if is_datagram {
            self.one_of(&["", "--pe sip"])
        } else {
            ""
        };
        let one_packet = if is_datagram {
            self.one_of(&["", "-o"])
        } else {
            ""
        };
        self.add(&["-A", &id, scheduler, persistence, mask, engine, one_packet]);
        for server in 0..self.below(5) {
            self.server(&id, v6, server);
        }
    }

    fn server(&mut self, service: &str, v6: bool, number: usize) {
        let host = format!("10.1.{}.{number}", self.below(256));
        let host_v6 = format!("2001:db8:1::{number:x}");
        let port = 1 + self.below(65535);
        let own = if v6 { &host_v6 } else { &host };
        let address = if v6 {
            format!("[{own}]:{port}")
        } else {
            format!("{own}:{port}")
        };
        let (address, method) = match self.below(8) {
            0 => (own.to_string(), "-g"),
            1 => (own.to_string(), "-i"),
            2 => (host, "-i"),
            3 => (host_v6, "-i"),
            4 => (own.to_string(), "-i --tun-type gre --tun-csum"),
            5 => (
                own.to_string(),
                "-i --tun-type gue --tun-port 6080 --tun-remcsum",
            ),
            6 => (own.to_string(), "-i --tun-type gue --tun-port 65535"),
            _ => (address, "-m"),
        };
        let weight = self.one_of(&["", "-w 0", "-w 7", "-w 2147483647"]);
        let limits = self.one_of(&["", "", "-x 100", "-x 2147483647 -y 2147483647", "-x 9 -y 3"]);
        self.add(&["-a", service, "-r", &address, method, weight, limits]);
    }
}

fn thousands_of_refusals(world: &mut World) -> Result<()> {
    let namespace = world.namespace("director")?;
    let mut lines = String::new();
    let mut expected = String::new();
    for number in 0..5000 {
        // Good lines between the bad ones, so that line numbers cannot be right by chance.
        let (high, low) = (number / 250, number % 250);
        writeln!(lines, "-D -t 10.9.{high}.{low}:80")?;
        writeln!(expected, "line {}: No such service", lines.lines().count())?;
        if number % 7 == 0 {
            writeln!(lines, "-A -t 10.0.{high}.{low}:80")?;
        }
    }
    let output = ours(&namespace, &["-R"], &lines)?;
    ensure!(
        output.status == Status::Exit(255),
        "status {:?}",
        output.status
    );
    ensure!(
        output.stderr == expected.as_bytes(),
        "other lines are reported"
    );
    ensure!(save(&namespace)?.lines().count() == 5000_usize.div_ceil(7));
    Ok(())
}

/// The lines that were run are the start of the file, without a gap.
fn a_killed_restore(world: &mut World) -> Result<()> {
    let namespace = world.namespace("director")?;
    let mut lines = String::new();
    for number in 0..100_000 {
        let (high, middle, low) = (number / 40_000, number / 200 % 200, number % 200);
        writeln!(lines, "-A -t 10.{high}.{middle}.{low}:80 -s rr")?;
    }
    let program = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(&lines);
    let mut running = namespace.start(&program)?;
    namespace.enter()?;
    while !has_services()? {
        thread::sleep(Duration::from_millis(5));
    }
    running.kill()?;
    let saved = save(&namespace)?;
    ensure!(saved.len() < lines.len(), "it was killed too late");
    ensure!(lines.starts_with(&saved), "there are gaps");
    Ok(())
}

/// Whether the table has any service, checked as fast as possible.
fn has_services() -> Result<bool> {
    let mut beginning = [0; 4096];
    let length = File::open("/proc/thread-self/net/ip_vs")?.read(&mut beginning)?;
    Ok(String::from_utf8_lossy(&beginning[..length]).contains("TCP  "))
}
