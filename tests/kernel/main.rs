//! Everything that needs a real kernel: differential cases, on each kernel of the lab.
//!
//! Each pair of a kernel and a test is one test of `cargo test`, such as
//! `6.1::cases::service::edit_resets`. The same executable boots the kernels, is process 1 in
//! them and runs the tests there.

mod apply;
mod bad_day;
#[path = "../bench/mod.rs"]
mod bench;
mod cases;
mod client;
mod completion;
mod defects;
mod differences;
mod examples;
mod filters;
mod formats;
mod installed;
mod interrupted;
#[path = "../lab/mod.rs"]
mod lab;
mod library;
mod matrix;
mod mutants;
mod netns;
mod network;
mod own_words;
mod pair;
mod program;
mod programs;
mod renewal;
mod round_trip;
mod selftest;
mod sessions;
mod silence;
mod static_build;
mod synced;
mod together;
mod traffic;
mod watch;
mod wrap_around;
mod wrappers;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use lab::boot::Kit;
use lab::kernels::{self, Kernel};
use lab::runner::KernelTest;
use lab::schedule::{Order, Outcome, Run, Tallies};
use lab::{ours, sys};
use selftest::SelfTest;

fn main() -> ExitCode {
    let tests = || {
        let others = selftest::inside().into_iter().chain(mutants::tests());
        tests().into_iter().chain(others).collect()
    };
    let played = bench::play_role().or_else(|| lab::play_role(tests));
    played.unwrap_or_else(run_as_test).unwrap_or_else(|error| {
        eprintln!("{}", lab::explain(&error));
        ExitCode::FAILURE
    })
}

/// The tests that run inside.
fn tests() -> Vec<KernelTest> {
    let mut tests = case_files();
    tests.extend(program::tests());
    tests.extend(bad_day::tests());
    tests.extend(programs::tests());
    tests.extend(client::tests());
    tests.extend(library::tests());
    tests.extend(completion::tests());
    tests.extend(installed::tests());
    tests.extend(interrupted::tests());
    tests.extend(defects::tests());
    tests.extend(differences::tests());
    tests.extend(filters::tests());
    tests.extend(formats::tests());
    tests.extend(netns::tests());
    tests.extend(round_trip::tests());
    tests.extend(apply::tests());
    tests.extend(renewal::tests());
    tests.extend(wrappers::tests());
    tests.extend(matrix::tests());
    tests.extend(own_words::tests());
    tests.extend(traffic::tests());
    tests.extend(examples::tests());
    tests.extend(sessions::tests());
    tests.extend(silence::tests());
    tests.extend(together::tests());
    tests.extend(watch::tests());
    tests.extend(wrap_around::tests());
    tests
}

/// A case file that cannot be read becomes a failing test.
fn case_files() -> Vec<KernelTest> {
    cases::tests().unwrap_or_else(|error| {
        let reason = lab::explain(&error);
        vec![KernelTest::new("cases", move |_| {
            anyhow::bail!(reason.clone())
        })]
    })
}

fn run_as_test() -> Result<ExitCode> {
    sys::die_with_parent();
    let mut arguments = Arguments::from_args();
    // The kernels run two at a time anyway; waiting for them in order gives readable output.
    arguments.test_threads = Some(1);
    let mut plan = Plan::default();
    for kernel in kernels::wanted()? {
        plan.add_kernel(kernel, &arguments);
    }
    if arguments.list || plan.is_empty() {
        return Ok(libtest_mimic::run(&arguments, plan.trials).exit_code());
    }
    let kit = Kit::new(&[ours::program()?])?;
    own_words::bring_their_pages(&kit)?;
    let kit = Arc::new(kit);
    let self_test = |(kernel, test, outcome): (Kernel, &'static SelfTest, Sender<Outcome>)| {
        let kit = kit.clone();
        thread::spawn(move || {
            let result = (test.run)(kernel, kit);
            let is_passed = result.is_ok();
            let _ = outcome.send(result.map_err(|error| lab::explain(&error)));
            (kernel, is_passed)
        })
    };
    let self_tests: Vec<_> = plan.self_tests.into_iter().map(self_test).collect();
    let run = Run::start(kit, plan.orders);
    let mutants = mutants::start(plan.mutants)?;
    let conclusion = libtest_mimic::run(&arguments, plan.trials);
    let mut tallies = run.finish();
    if arguments.nocapture {
        print_shown(&tallies);
    }
    let missed = sessions::write_coverage(&tallies)?;
    for (kernel, is_passed) in self_tests.into_iter().flat_map(JoinHandle::join) {
        tallies.entry(kernel).or_default().count(is_passed);
    }
    for (kernel, of_mutants) in mutants.map(Run::finish).unwrap_or_default() {
        let tally = tallies.entry(kernel).or_default();
        tally.passed += of_mutants.passed;
        tally.failed += of_mutants.failed;
        tally.counts.extend(of_mutants.counts);
    }
    print_tallies(&tallies);
    if missed.is_empty() {
        return Ok(conclusion.exit_code());
    }
    let missed = missed.join("\n");
    println!("FAILED: the random sessions never met these:\n{missed}");
    Ok(ExitCode::from(101))
}

/// The tests to run, as `cargo test` shows them, and the results they wait for.
#[derive(Default)]
struct Plan {
    trials: Vec<Trial>,
    orders: Vec<(Kernel, Vec<Order>)>,
    self_tests: Vec<(Kernel, &'static SelfTest, Sender<Outcome>)>,
    /// These run alongside the others, on their own guests.
    mutants: Vec<(Kernel, Vec<Order>)>,
}

impl Plan {
    fn add_kernel(&mut self, kernel: Kernel, arguments: &Arguments) {
        let orders = self.add_tests(kernel, tests(), arguments);
        self.orders.push((kernel, orders));
        let mutants = self.add_tests(kernel, mutants::tests(), arguments);
        self.mutants.push((kernel, mutants));
        // A test that panics the kernel must not run on this machine's own.
        let self_tests = if kernel == Kernel::Host {
            &[]
        } else {
            selftest::ALL
        };
        for test in self_tests
            .iter()
            .filter(|test| test.kernels.contains(&kernel))
        {
            let (sender, outcome) = mpsc::channel();
            if self.add_trial(kernel, test.name, outcome, arguments) {
                self.self_tests.push((kernel, test, sender));
            }
        }
    }

    /// Adds tests for a kernel; returns the orders of those selected.
    fn add_tests(
        &mut self,
        kernel: Kernel,
        tests: Vec<KernelTest>,
        arguments: &Arguments,
    ) -> Vec<Order> {
        let mut orders = Vec::new();
        for test in tests {
            if kernel == Kernel::Host || test.kernels.contains(&kernel) {
                let (order, outcome) = Order::new(&test);
                if self.add_trial(kernel, &test.name, outcome, arguments) {
                    orders.push(order);
                }
            }
        }
        orders
    }

    /// Adds a test that waits for its outcome; false if the arguments exclude it.
    fn add_trial(
        &mut self,
        kernel: Kernel,
        name: &str,
        outcome: Receiver<Outcome>,
        arguments: &Arguments,
    ) -> bool {
        let trial = Trial::test(format!("{kernel}::{name}"), || wait(outcome));
        let is_wanted = !arguments.is_filtered_out(&trial);
        self.trials.push(trial);
        is_wanted
    }

    fn is_empty(&self) -> bool {
        let mut orders = self.orders.iter().chain(&self.mutants);
        self.self_tests.is_empty() && orders.all(|(_, orders)| orders.is_empty())
    }
}

fn wait(outcome: Receiver<Outcome>) -> Result<(), Failed> {
    match outcome.recv() {
        Ok(outcome) => outcome.map_err(Failed::from),
        Err(_) => Err("the lab ended before this test".into()),
    }
}

/// How many of the slowest tests of each kernel `--nocapture` names.
const SLOWEST: usize = 40;

fn print_shown(tallies: &Tallies) {
    for (kernel, tally) in tallies {
        for (test, shown) in &tally.shown {
            println!("---- {kernel}::{test} ----\n{shown}");
        }
        let mut times: Vec<_> = tally.times.iter().collect();
        times.sort_unstable();
        for (time, test) in times.iter().rev().take(SLOWEST) {
            println!("{:5.1} s {kernel}::{test}", time.as_secs_f64());
        }
    }
}

fn print_tallies(tallies: &Tallies) {
    for (kernel, tally) in tallies {
        print!("kernel {kernel}");
        if !tally.releases.is_empty() {
            print!(" (uname -r: {})", tally.releases.join(", "));
        }
        print!(": {} passed, {} failed", tally.passed, tally.failed);
        let mutants = tally.counts.get(mutants::KILLED).copied();
        let more = [
            (tally.comparisons, "outputs compared"),
            (mutants.unwrap_or_default(), mutants::KILLED),
        ];
        for (count, what) in more.iter().filter(|(count, _)| *count > 0) {
            print!("; {count} {what}");
        }
        println!();
        for moved in tally
            .releases
            .iter()
            .filter_map(|release| kernel.moved(release))
        {
            println!("{moved}");
        }
    }
}
