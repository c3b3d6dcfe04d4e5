//! Scenarios: a director set up by our program carries real traffic.
//!
//! Each is a short script: commands on the director, requests from clients, and their answers.

mod applying;
mod ask;
mod clients;
mod counters;
mod doctoring;
mod draining;
mod forwarding;
pub mod lan;
mod persistence;
mod precedence;
mod quiescing;
mod schedulers;
mod sync;
mod web;

use crate::lab::runner::KernelTest;

/// Setting up a network of six namespaces takes time.
const COST: usize = 4;

pub fn tests() -> Vec<KernelTest> {
    let mut tests = forwarding::tests();
    tests.extend(schedulers::tests());
    tests.extend(persistence::tests());
    tests.extend(precedence::tests());
    tests.extend(quiescing::tests());
    tests.extend(counters::tests());
    tests.extend(sync::tests());
    tests.extend(applying::tests());
    tests.extend(draining::tests());
    tests.extend(doctoring::tests());
    for test in &mut tests {
        test.cost = COST;
    }
    tests
}
