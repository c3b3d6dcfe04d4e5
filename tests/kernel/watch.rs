//! The live screen of `-L --watch`, as a user at a terminal sees it.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::lab::guest::{LOADER, WithoutIpvs, has_ipvs};
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::terminal::Terminal;
use crate::lab::world::{Namespace, Program, Side, World};
use crate::traffic::lan::Lan;

/// Screens are the same on every kernel, but the times at which kernels count are not.
pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest {
        kernels: vec![Kernel::V6_1, Kernel::V7_2],
        cost: 8,
        ..KernelTest::new(format!("watch::{name}"), run)
    };
    vec![
        named("screen", screen as fn(&mut World) -> Result<()>),
        named("ends", ends),
        named("rates", rates),
        named("module", module),
    ]
}

const TABLE: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 1
-A -t 10.0.0.2:443 -s wlc
-a -t 10.0.0.2:443 -r 10.1.0.1:443 -m -w 7
-A -u [2001:db8::1]:53 -s sh
-a -u [2001:db8::1]:53 -r [2001:db8:ffff:ffff:ffff:ffff:ffff:1]:53 -i
";

/// A screen of this many rows and columns that runs `--watch`.
fn watch(here: &Namespace, words: &str, rows: u16, columns: u16) -> Result<Terminal> {
    let line = format!("exec ipvsadm -Ln --watch {words}");
    let program = Program::shell(Side::Ours, &line).env("LC_ALL", "C.UTF-8");
    let mut terminal = here.start_at_terminal(&program)?;
    terminal.resize(rows, columns)?;
    Ok(terminal)
}

/// Waits until all of this is on the screen.
fn expect(terminal: &mut Terminal, texts: &[&str]) -> Result<()> {
    let has_all = |screen: &str| texts.iter().all(|text| screen.contains(text));
    let seen = terminal.wait(has_all);
    seen.map_err(|screen| anyhow!("{texts:?} are not all on\n{screen}"))
}

fn rules(here: &Namespace, rules: &str) -> Result<()> {
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    Ok(())
}

/// A server that comes and goes.
const NEW: &str = "-> 10.1.0.3:80";

/// Waits until nothing in a row is highlighted.
fn is_dark(terminal: &mut Terminal, row: &str) -> Result<()> {
    let start = Instant::now();
    while !terminal.reversed(row).is_empty() {
        ensure!(start.elapsed() < Duration::from_secs(20), "{row} stays lit");
        terminal
            .wait(|_| true)
            .map_err(|screen| anyhow!("{screen}"))?;
    }
    Ok(())
}

/// The screen at several sizes, after keys, and after changes of the table.
fn screen(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    rules(&here, TABLE)?;
    let mut terminal = watch(&here, "0.5 --sort-by active", 24, 80)?;
    let texts = ["3 services, 4 servers", "▼Active  Conn/s", "by active"];
    expect(&mut terminal, &texts)?;
    terminal.press("n")?;
    expect(
        &mut terminal,
        &["TCP  10.0.0.2:443  ", "▼Service", "by name", "every 0.5 s"],
    )?;
    terminal.resize(10, 20)?;
    expect(
        &mut terminal,
        &["▼Service      Conn/s", "\n10.0.0.1:80  ", "\n 10.1.0.1:80 "],
    )?;
    terminal.resize(24, 200)?;
    expect(
        &mut terminal,
        &[
            "4 min  New% Wgt%  Pkt/s in  Pkt/s out  B/s in  B/s out",
            "   75 ",
        ],
    )?;
    terminal.resize(24, 80)?;

    terminal.press("ww")?;
    expect(&mut terminal, &["by weight, reversed"])?;
    let screen = terminal.screen();
    let place = |text| {
        screen
            .find(text)
            .with_context(|| format!("no {text} on\n{screen}"))
    };
    ensure!(
        place("10.1.0.2:80")? < place("10.1.0.1:80")?,
        "the wrong order:\n{screen}"
    );
    terminal.press("n/443")?;
    expect(&mut terminal, &["/443_"])?;
    ensure!(
        !terminal.screen().contains(":80"),
        "\n{}",
        terminal.screen()
    );
    terminal.press("\r")?;
    expect(&mut terminal, &["by name  filter: 443", "? help"])?;
    terminal.press("\x1b")?;
    expect(&mut terminal, &["10.0.0.1:80"])?;

    rules(&here, "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 8")?;
    expect(
        &mut terminal,
        &["10.1.0.3:80 added", "3 services, 5 servers"],
    )?;
    let lit = terminal.reversed(NEW);
    ensure!(lit.contains(NEW), "what is new is not lit, but {lit:?}");
    is_dark(&mut terminal, NEW)?;
    rules(&here, "-e -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 0")?;
    expect(&mut terminal, &["10.1.0.3:80: weight 0 instead of 8"])?;
    let lit = terminal.reversed(NEW);
    ensure!(lit.trim() == "0", "not a new weight is lit, but {lit:?}");
    is_dark(&mut terminal, NEW)?;
    rules(&here, "-d -t 10.0.0.1:80 -r 10.1.0.3:80")?;
    expect(
        &mut terminal,
        &["10.1.0.3:80 deleted", "3 services, 4 servers"],
    )?;

    terminal.press("\x1b[H\x1b[B\r")?;
    expect(
        &mut terminal,
        &[
            "10.0.0.1:80  -> 10.1.0.1:80: connections",
            "\npro expire state",
        ],
    )?;
    terminal.press("\x1b?")?;
    expect(&mut terminal, &["Keys", "q: quit"])?;
    terminal.press(" q")?;
    terminal.end()?;
    Ok(())
}

/// However it ends, the terminal is restored.
fn ends(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    rules(&here, TABLE)?;
    let pid = "/tmp/watching";
    let line = format!(
        "trap : INT; stty -g; sh -c 'echo $$ >{pid}; exec ipvsadm -L --watch'
        echo status $?; stty -g; sleep 1000"
    );
    let kill = |signal| format!("kill -{signal} $(cat {pid})");
    let endings = [
        ("q", None, 0),
        ("\x03", None, 130),
        ("", Some("TERM"), 143),
        ("", Some("HUP"), 129),
    ];
    for (keys, signal, status) in endings {
        let mut terminal = here.start_at_terminal(&Program::shell(Side::Ours, &line))?;
        expect(&mut terminal, &["3 services"])?;
        ensure!(
            !terminal.screen().contains("trap"),
            "it is not on a screen of its own"
        );
        terminal.press(keys)?;
        if let Some(signal) = signal {
            here.run(&Program::shell(Side::Ours, &kill(signal)))?
                .success()?;
        }
        expect(&mut terminal, &[&format!("status {status}\n")])?;
        // The terminal's settings are restored.
        terminal
            .wait(|screen| {
                let lines: Vec<&str> = screen.lines().collect();
                lines.len() >= 3 && lines.first() == lines.last()
            })
            .map_err(|screen| anyhow!("{keys:?}, {signal:?}:\n{screen}"))?;
        ensure!(terminal.has_cursor(), "there is no cursor");
    }
    // Ctrl-Z gives the terminal back for a while.
    let shell = Program::shell(Side::Ours, "PS1='> ' exec bash --norc -i");
    let mut terminal = here.start_at_terminal(&shell)?;
    terminal.press("ipvsadm -Ln --watch\r")?;
    expect(&mut terminal, &["3 services"])?;
    terminal.press("\x1a")?;
    expect(&mut terminal, &["Stopped", "\n>"])?;
    ensure!(terminal.has_cursor(), "there is no cursor");
    // In the background it draws nothing.
    terminal.press("bg\r")?;
    thread::sleep(Duration::from_secs(2));
    terminal.press("jobs\r")?;
    expect(&mut terminal, &["jobs\n[1]+  Stopped"])?;
    terminal.press("echo back\rfg\r")?;
    expect(&mut terminal, &["3 services", "every 1 s"])?;
    terminal.press("q")?;
    expect(&mut terminal, &["\nback\n"])?;
    // A stopped program can be killed.
    terminal.press("ipvsadm -Ln --watch\r")?;
    expect(&mut terminal, &["3 services"])?;
    terminal.press("\x1a")?;
    expect(&mut terminal, &["back", "Stopped"])?;
    terminal.press("kill %1; while kill -0 %1; do sleep .1; done\r")?;
    expect(&mut terminal, &["Terminated"])?;
    // Without its terminal it exits, even without a signal.
    for ignored in ["", "trap '' HUP; "] {
        let line = format!("{ignored}exec ipvsadm -L --watch");
        let mut terminal = here.start_at_terminal(&Program::shell(Side::Ours, &line))?;
        expect(&mut terminal, &["3 services"])?;
        terminal.hang_up()?;
    }
    Ok(())
}

/// Without IPVS in the kernel it says so and loads nothing, at the start and later. It continues
/// once IPVS is loaded.
fn module(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let mut early = watch(&here, "0.5", 24, 80)?;
    expect(&mut early, &["0 services", "by name"])?;
    let without = WithoutIpvs::new()?;
    let loads = loads_of_the_kernel()?;
    let mut late = watch(&here, "0.5", 24, 80)?;
    for terminal in [&mut early, &mut late] {
        expect(terminal, &["the kernel has no IPVS"])?;
    }
    thread::sleep(Duration::from_secs(2));
    ensure!(!has_ipvs(), "IPVS was loaded");
    ensure!(!loads.exists(), "{}", fs::read_to_string(loads)?);
    drop(without);
    rules(&here, TABLE)?;
    for terminal in [&mut early, &mut late] {
        expect(terminal, &["3 services", "10.1.0.2:80"])?;
        ensure!(
            !terminal.screen().contains("no IPVS"),
            "\n{}",
            terminal.screen()
        );
    }
    Ok(())
}

/// A file that appears when the kernel tries to load a module.
fn loads_of_the_kernel() -> Result<&'static Path> {
    let loads = Path::new("/tmp/loads");
    let loader = "/tmp/loader";
    let script = format!("#!/bin/sh\necho \"$@\" >>{}\nexit 1\n", loads.display());
    fs::write(loader, script)?;
    fs::set_permissions(loader, fs::Permissions::from_mode(0o755))?;
    fs::write(LOADER, loader)?;
    Ok(loads)
}

/// By then the screens show only the load.
const WARM_UP: Duration = Duration::from_secs(16);

/// A rate is an average over this many seconds or more.
const AVERAGED: f64 = 4.0;

/// What a screen shows is not older than this: the average, a sample and the longest refresh.
const SHOWN: Duration = Duration::from_secs(12);

/// Connections a second.
const LOAD: f64 = 200.0;

/// When a load could send again after the machine stood still, and for how many seconds it did.
type Gap = (Instant, f64);

/// Sends datagrams at a steady pace, until it is dropped.
struct Load {
    ends: Arc<AtomicBool>,
    gaps: Arc<Mutex<Vec<Gap>>>,
    sender: Option<JoinHandle<()>>,
}

impl Load {
    fn start(lan: &Lan, service: &'static str) -> Result<Self> {
        lan.client.enter()?;
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect(service)?;
        let ends = Arc::new(AtomicBool::new(false));
        let gaps = Arc::new(Mutex::new(Vec::new()));
        let (is_over, found) = (ends.clone(), gaps.clone());
        let sender = thread::spawn(move || {
            let start = Instant::now();
            let mut sent = 0.0;
            while !is_over.load(Ordering::Relaxed) {
                let late = start.elapsed().as_secs_f64() - sent / LOAD;
                if late > 0.02 {
                    let mut gaps = found.lock().unwrap_or_else(PoisonError::into_inner);
                    gaps.push((Instant::now(), late));
                }
                while sent < start.elapsed().as_secs_f64() * LOAD {
                    // A refusal at the other end is an error here.
                    let _ = socket.send(b"?");
                    sent += 1.0;
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        Ok(Self {
            ends,
            gaps,
            sender: Some(sender),
        })
    }

    /// For how many seconds it sent nothing, at most, in the time that a screen shows.
    fn longest_gap(&self) -> f64 {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shown = |(end, _): &&Gap| end.elapsed() < SHOWN;
        let seconds = |&(_, seconds): &Gap| seconds;
        gaps.iter()
            .filter(is_shown)
            .map(seconds)
            .fold(0.0, f64::max)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
    }
}

/// The cell under a title in the row of a service or server.
fn cell<'a>(screen: &'a str, title: &str, name: &str) -> Result<&'a str> {
    let found = || {
        let heading = screen.lines().find(|line| line.contains("Conn/s"))?;
        let end = heading[..heading.find(title)? + title.len()]
            .chars()
            .count();
        let row = screen
            .lines()
            .find(|line| line.trim_start().starts_with(name))?;
        let end = row.char_indices().nth(end).map_or(row.len(), |(at, _)| at);
        row[..end].split(' ').next_back()
    };
    found().with_context(|| format!("no {title} of {name} on\n{screen}"))
}

/// Under a steady load every rate is within 5 % at any refresh, and what a busy machine did not
/// send cannot be shown.
fn rates(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -u 198.51.100.1:53 -s rr -o\n\
         -a -u 198.51.100.1:53 -r 172.16.0.11 -m\n\
         -a -u 198.51.100.1:53 -r 172.16.0.12 -m\n\
         -A -u 198.51.100.1:514 -s wrr -o\n\
         -a -u 198.51.100.1:514 -r 172.16.0.11:53 -m -w 3\n\
         -a -u 198.51.100.1:514 -r 172.16.0.13:53 -m -w 1\n",
    )?;
    let loads = [
        Load::start(&lan, "198.51.100.1:53")?,
        Load::start(&lan, "198.51.100.1:514")?,
    ];
    let mut picture = watch(&lan.director, "1", 11, 100)?;
    let mut terminals = Vec::new();
    for period in ["0.5", "1", "2", "5"] {
        terminals.push((
            period,
            watch(&lan.director, &format!("{period} --exact"), 24, 120)?,
        ));
    }
    let start = Instant::now();
    let mut looks = 0;
    let (mut wrong, mut worst) = (0, 0.0_f64);
    while start.elapsed() < Duration::from_secs(36) {
        for (period, terminal) in &mut terminals {
            terminal
                .wait(|_| true)
                .map_err(|screen| anyhow!("{screen}"))?;
            if start.elapsed() < WARM_UP {
                continue;
            }
            let screen = terminal.screen();
            let total = screen
                .lines()
                .nth(1)
                .and_then(|line| line.split(' ').next());
            let rows = [
                (total.context("no totals")?, 2.0 * LOAD),
                (cell(&screen, "Conn/s", "UDP  198.51.100.1:53 ")?, LOAD),
                (cell(&screen, "Conn/s", "-> 172.16.0.11")?, LOAD / 2.0),
                (cell(&screen, "Conn/s", "-> 172.16.0.12")?, LOAD / 2.0),
            ];
            let gap = loads.iter().map(Load::longest_gap).fold(0.0, f64::max);
            for (index, (shown, expected)) in rows.into_iter().enumerate() {
                let rate: f64 = shown
                    .parse()
                    .with_context(|| format!("{shown:?} on\n{screen}"))?;
                let error = (rate / expected - 1.0).abs() - gap / AVERAGED;
                // Totals do not depend on when the kernel counts.
                let most = if index == 0 { 0.05 } else { 0.15 };
                ensure!(
                    error < most,
                    "{rate} instead of {expected}, every {period} s:\n{screen}"
                );
                worst = worst.max(error);
                wrong += usize::from(error >= 0.05);
                looks += 1;
            }
        }
    }
    expect(&mut picture, &["every 1 s", "75   75", "25   25"])?;
    world.shown = format!(
        "the worst of {looks} rates is wrong by {worst:.3}\n{}",
        picture.picture()
    );
    ensure!(looks > 100, "only {looks} rates");
    // On a busy machine a kernel may count late.
    ensure!(
        wrong <= looks / 100,
        "{wrong} of {looks} rates are wrong, by up to {worst:.3}"
    );
    Ok(())
}
