//! Everything that needs a real kernel: differential cases, on each kernel of the lab.
//!
//! Each pair of a kernel and a test is one test of `cargo test`, such as
//! `6.1::cases::service::edit_resets`. The same executable boots the kernels, is process 1 in
//! them and runs the tests there.

mod cases;
#[path = "../lab/mod.rs"]
mod lab;
mod selftest;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use lab::boot::Kit;
use lab::kernels::{self, Kernel};
use lab::runner::KernelTest;
use lab::schedule::{Order, Outcome, Run, Tallies};
use lab::{ours, sys};

fn main() -> Result<ExitCode> {
    match lab::play_role(|| tests().into_iter().chain(selftest::tests()).collect()) {
        Some(result) => result,
        None => run_as_test(),
    }
}

/// The tests that run inside; a case file that cannot be read is a test that fails.
fn tests() -> Vec<KernelTest> {
    cases::tests().unwrap_or_else(|error| {
        let reason = format!("{error:?}");
        vec![KernelTest::new("cases", move |_| {
            anyhow::bail!(reason.clone())
        })]
    })
}

fn run_as_test() -> Result<ExitCode> {
    sys::die_with_parent();
    let mut arguments = Arguments::from_args();
    // The kernels run two at a time anyway; waiting for them in order reads better.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let mut orders = Vec::new();
    for kernel in kernels::wanted()? {
        let mut of_kernel = Vec::new();
        for test in tests() {
            if kernel != Kernel::Host && !test.kernels.contains(&kernel) {
                continue;
            }
            let (order, outcome) = Order::new(&test.name, test.limit);
            let trial = Trial::test(format!("{kernel}::{}", test.name), || wait(outcome));
            if !arguments.is_filtered_out(&trial) {
                of_kernel.push(order);
            }
            trials.push(trial);
        }
        orders.push((kernel, of_kernel));
    }
    if arguments.list {
        return Ok(libtest_mimic::run(&arguments, trials).exit_code());
    }
    let kit = Arc::new(Kit::new(&[ours::program()?])?);
    trials.extend(selftest::trials(&kit)?);
    let run = Run::start(kit, orders);
    let conclusion = libtest_mimic::run(&arguments, trials);
    print_tallies(&run.finish());
    Ok(conclusion.exit_code())
}

fn wait(outcome: Receiver<Outcome>) -> Result<(), Failed> {
    match outcome.recv() {
        Ok(outcome) => outcome.map_err(Failed::from),
        Err(_) => Err("the lab ended before this test".into()),
    }
}

fn print_tallies(tallies: &Tallies) {
    for (kernel, tally) in tallies {
        println!(
            "kernel {kernel:<4} (uname -r: {}): {} passed, {} failed; {} outputs compared, 0 of them relaxed",
            tally.releases.join(", "),
            tally.passed,
            tally.failed,
            tally.comparisons,
        );
        for moved in tally
            .releases
            .iter()
            .filter_map(|release| kernel.moved(release))
        {
            println!("{moved}");
        }
    }
}
