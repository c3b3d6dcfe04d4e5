//! Unexpected inputs for everything that parses: generated from examples, and checked against the C
//! libraries or for consistency.
//!
//! `cargo test` takes a second of each surface. `tests/fuzz/run SURFACE COUNT` takes any number of
//! inputs and counts how much of the code they reach.

mod checks;
mod coverage;
mod drive;
mod library;
mod mill;
mod proc;
mod replies;
mod rules;
mod values;
mod words;

#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
/// Where libpopt comes from.
#[allow(dead_code)]
#[path = "../lab"]
mod lab {
    pub mod fetch;
    pub mod kernels;
    pub mod supervise;
    pub mod sys;
}
#[allow(dead_code)]
#[path = "../kernel/sessions/random.rs"]
mod random;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use drive::Surface;
use lab::supervise;

const SURFACES: [Surface; 6] = [
    words::SURFACE,
    values::SURFACE,
    replies::SURFACE,
    proc::SURFACE,
    rules::SURFACE,
    checks::SURFACE,
];

fn main() -> ExitCode {
    if env::var_os(supervise::ROLE).is_some() {
        return supervise::supervise().unwrap_or(ExitCode::FAILURE);
    }
    let trial = |surface: Surface| {
        Trial::test(surface.name, move || {
            surface.drive().map_err(|error| format!("{error:#}").into())
        })
    };
    let trials = SURFACES.map(trial).into();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
