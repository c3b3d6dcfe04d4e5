//! The program itself, as users get it.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new(
            "program::loads_the_c_library_alone",
            loads_the_c_library_alone,
        ),
        KernelTest::new(
            "program::completes_with_what_is_there",
            completes_with_what_is_there,
        ),
        KernelTest::new(
            "program::completes_at_once_whatever_there_is",
            completes_at_once_whatever_there_is,
        ),
    ]
}

/// Every additional library slows each start.
fn loads_the_c_library_alone(world: &mut World) -> Result<()> {
    let program = Program::ipvsadm(Side::Ours).env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = world.namespace("here")?.run(&program)?.success()?;
    let text = String::from_utf8(output)?;
    let loaded: Vec<&str> = text.lines().map(str::trim_start).collect();
    let expected = ["linux-vdso", "libc.so.6", "/lib64/ld-linux"];
    let is_expected = |line: &&str| expected.iter().any(|name| line.starts_with(name));
    ensure!(
        loaded.iter().any(|line| line.starts_with("libc.so.6")),
        "no C library in:\n{text}"
    );
    ensure!(loaded.iter().all(is_expected), "more is loaded:\n{text}");
    Ok(())
}

/// Completion reads only world-readable files, so it needs no privileges.
fn completes_with_what_is_there(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let rules = "-A -t 10.0.0.1:80 -s rr\n\
                 -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5\n\
                 -A -t [2001:db8::1]:80\n\
                 -A -f 7 -6\n";
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    let cases: [(&[&str], &str); 4] = [
        (&["-D", "-t", "1"], "10.0.0.1:80\trr, 1 server\n"),
        (&["-D", "-t["], "-t[2001:db8::1]:80\twlc, 0 servers\n"),
        (
            &["-d", "-t", "10.0.0.1:80", "-r", ""],
            "10.1.0.1:8080\tMasq, weight 5\n",
        ),
        (
            &["-D", "--fwmark-service="],
            "--fwmark-service=7\twlc, 0 servers\n",
        ),
    ];
    for (words, expected) in cases {
        let output = here.run(&completion(words))?.success()?;
        let output = String::from_utf8(output)?;
        ensure!(
            output == expected,
            "{words:?} became\n{output}instead of\n{expected}"
        );
    }
    Ok(())
}

/// Asks for completions of the last of these words.
fn completion(words: &[&str]) -> Program {
    let words: String = words.iter().map(|word| format!("{word}\0")).collect();
    let program = Program::ipvsadm(Side::Ours).args(["--complete-words"]);
    program.stdin(words)
}

/// Reading a whole huge table takes long, and the user is waiting.
fn completes_at_once_whatever_there_is(world: &mut World) -> Result<()> {
    const SERVICES: u32 = 60_000;
    let here = world.namespace("here")?;
    let mut rules = String::new();
    for number in 0..SERVICES {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number);
        writeln!(rules, "-A -t {address}:80 -s rr")?;
    }
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
    here.run(&restore.limit(Duration::from_secs(60)))?
        .success()?;

    let count = here.run(&Program::new("grep").args(["-c", "^TCP", "/proc/net/ip_vs"]))?;
    let count = count.success()?;
    ensure!(count == format!("{SERVICES}\n").as_bytes(), "not all there");

    let limit = Duration::from_millis(100);
    let complete = completion(&["-D", "-t", ""]);
    let candidates = here.run(&complete)?.success()?;
    ensure!(!candidates.is_empty(), "nothing is offered");
    // Starting any program is slow here, and a busy machine is sometimes slow.
    let version = Program::ipvsadm(Side::Ours).args(["-v"]);
    let start = shortest(&here, &version, Duration::ZERO)?;
    let time = shortest(&here, &complete, start + limit)?;
    ensure!(time < start + limit, "{time:?}, {start:?} of it to start");
    Ok(())
}

/// The run time of a program: the shortest of many runs, or the first below `enough`.
fn shortest(here: &Namespace, program: &Program, enough: Duration) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        here.run(program)?.success()?;
        shortest = shortest.min(start.elapsed());
        if shortest < enough {
            break;
        }
    }
    Ok(shortest)
}
