//! Random sessions: commands that collide in a small world, run by the reference and by ours.
//!
//! The kernels that start programs slowly share the sessions, half each.
//!
//! `LAB_SEED` and `LAB_SESSIONS` choose which sessions and how many; the same seed gives the same
//! sessions. A session that differs is shortened as far as possible, and printed as commands to
//! paste into a shell. `coverage` lists what they all together must cover.

pub mod coverage;
mod lines;
mod making;
mod play;
pub mod random;
mod restoring;
mod script;
mod shrink;
mod spelling;
mod spoiling;
mod values;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::schedule::Tallies;
use crate::lab::world::{Counts, World};
use play::play;

/// The number of sessions that one test plays.
const PER_TEST: u64 = 10;

/// The kernels that share the sessions: programs take twice as long to start there.
const SHARING: [Kernel; 2] = [Kernel::V5_10, Kernel::V6_1];

/// The number of sessions that cover everything.
const ENOUGH: u64 = 100;

/// The coverage report.
const COVERAGE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/sessions.txt");

/// The name under which sessions are counted.
const SESSION: &str = "session";

/// As many tests as the requested number of sessions needs.
pub fn tests() -> Vec<KernelTest> {
    let tests = count().div_ceil(PER_TEST);
    (0..tests).map(test).collect()
}

/// The requested number of sessions on each kernel.
pub fn count() -> u64 {
    number("LAB_SESSIONS", ENOUGH)
}

/// Writes the coverage report; returns what the sessions should have covered but did not. Runs with
/// fewer sessions than usual are not judged.
pub fn write_coverage(tallies: &Tallies) -> Result<Vec<String>> {
    let mut judged = together(tallies);
    judged.retain(|_, counts| {
        let played = counts.get(SESSION).copied().unwrap_or_default();
        played as u64 >= count().max(ENOUGH)
    });
    let mut missed = Vec::new();
    if judged.is_empty() {
        return Ok(missed);
    }
    let mut report = String::new();
    for (kernel, counts) in judged {
        let met = coverage::met(&counts);
        let (count, seed) = (count(), seed());
        report += &format!("{count} random sessions on {kernel}, seed {seed}:\n{met}\n");
        let names = coverage::missed(&counts);
        missed.extend(names.map(|name| format!("  on {kernel}: {name}")));
    }
    fs::write(COVERAGE, report + &coverage::elsewhere())?;
    println!("what the random sessions met: {COVERAGE}");
    Ok(missed)
}

/// The counts of each kernel; kernels that share the sessions count as one.
fn together(tallies: &Tallies) -> BTreeMap<String, Counts> {
    let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
    for (kernel, tally) in tallies {
        let name = if SHARING.contains(kernel) {
            SHARING.map(Kernel::name).join(" and ")
        } else {
            kernel.name().to_owned()
        };
        let group = groups.entry(name).or_default();
        for (what, count) in &tally.counts {
            *group.entry(what.clone()).or_default() += count;
        }
    }
    groups
}

pub fn seed() -> u64 {
    number("LAB_SEED", 1)
}

pub fn number(variable: &str, default: u64) -> u64 {
    env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn test(number: u64) -> KernelTest {
    let mut test = KernelTest::new(format!("sessions::{number:02}"), move |world| {
        let first = number * PER_TEST;
        let last = count().min(first + PER_TEST);
        (first..last).try_for_each(|index| one(world, index))
    });
    let sharing = SHARING[number as usize % SHARING.len()];
    test.kernels
        .retain(|kernel| *kernel == sharing || !SHARING.contains(kernel));
    test.limit = Duration::from_secs(400);
    test.cost = 30;
    test
}

/// Plays one session; one that fails is shortened first.
fn one(world: &mut World, index: u64) -> Result<()> {
    let seed = seed();
    let mut session = making::session(seed, index, ENOUGH);
    let first = match play(world, &session) {
        Ok(player) => {
            player.report(world);
            *world.counts.entry(SESSION.to_owned()).or_default() += 1;
            return Ok(());
        }
        Err(failure) => failure,
    };
    session.steps.truncate(first.step + 1);
    let mut error = first.error;
    let shortest = shrink::shortest(session, |session| match play(world, session) {
        Ok(_) => false,
        Err(failure) => {
            error = failure.error;
            true
        }
    });
    bail!("LAB_SEED={seed}, session {index}: {error:?}\nthe shortest that differs:\n{shortest}");
}
