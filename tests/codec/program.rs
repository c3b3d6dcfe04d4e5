//! The output of the whole program, over a kernel with a table: `program.case` has lines and their
//! output, in the format of `tests/cases`. `UPDATE_CASES=1` rewrites the output.

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::io::Cursor;
use std::time::{Duration, Instant};

use ipvsadm::app::Pause;
use ipvsadm::kernel::Client;
use ipvsadm::model::Timeouts;

use crate::common::run;
use crate::shared::Shared;
use crate::world::{Visitor, World};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/codec/program.case");

#[test]
fn program_output() {
    let text = fs::read_to_string(CASES).unwrap();
    let cases: Vec<&str> = text.split_inclusive("\n\n").collect();
    let played: Vec<String> = cases.iter().map(|case| play(cases[0], case)).collect();
    if env::var_os("UPDATE_CASES").is_some() {
        fs::write(CASES, played.concat()).unwrap();
        return;
    }
    for (case, played) in cases.iter().zip(&played) {
        let mut lines = case.lines().zip(played.lines());
        let differs = lines.find(|(expected, came)| expected != came);
        assert!(case == played, "{differs:#?} in\n{played}");
    }
}

#[test]
fn column_options_do_not_change_json() {
    let text = fs::read_to_string(CASES).unwrap();
    let table = text.split("\n\n").next().unwrap();
    let json = |options: &str| {
        let line = format!("$ ipvsadm -Lj{options}\n");
        let played = play(table, &line);
        played.strip_prefix(&line).unwrap().to_owned()
    };
    for option in [
        "-n",
        "--stats",
        "--rate",
        "--thresholds",
        "--persistent-conn",
        "--tun-info",
        "-X",
        "--sort",
    ] {
        assert_eq!(json(&format!(" {option}")), json(""), "{option}");
    }
}

/// A case with its output. The lines of the first case come before those of every case.
fn play(first: &str, case: &str) -> String {
    let world = Shared::new(World {
        timeouts: Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        },
        chunk: 2,
        ..World::default()
    });
    let begun = lines(&world, first);
    if first == case {
        return begun;
    }
    lines(&world, case)
}

/// The lines of a case, each with its output.
fn lines(world: &Shared<World>, text: &str) -> String {
    let mut played = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(['|', '!', '=']) && !line.starts_with("==") {
            continue;
        }
        played += line;
        let Some(words) = line.strip_prefix("$ ") else {
            continue;
        };
        let mut input = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("< ")) {
            played += line;
            input += &line[2..];
        }
        let inside = world.clone();
        WAITED.set(Duration::ZERO);
        let ran = run(words.trim_end(), |env| {
            env.stdin.source = Box::new(Cursor::new(input));
            env.terminal = || File::open("/dev/null");
            env.open = Box::new(move |_| Client::over(Box::new(Visitor(inside.clone()))));
            env.clock.now = now;
            env.pause = pause;
        });
        played += &ran.to_string();
    }
    played
}

thread_local! {
    static START: Instant = Instant::now();
    /// The time that the line has waited so far.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn now() -> Instant {
    START.with(|start| *start + WAITED.get())
}

/// Ends a wait with a signal after more than 5 s.
fn pause(time: Duration, _: Option<&File>) -> Pause {
    WAITED.set(WAITED.get() + time);
    if WAITED.get() > Duration::from_secs(5) {
        Pause::Signal
    } else {
        Pause::Over
    }
}
