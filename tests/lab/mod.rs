//! The lab: a real IPVS kernel for tests, without root, KVM or a reboot.
//!
//! Debian packages the kernel as an ordinary program. The lab fetches it (`fetch`), starts it
//! (`boot`), sets up a root inside with the host's files read-only (`guest`), and runs named tests
//! there (`runner`), each in its own network namespaces (`world`). Outside, `schedule` distributes
//! tests to kernels and collects the results. Kernels that are not programs run under an emulator
//! (`emulator`).

pub mod boot;
pub mod director;
pub mod emulator;
pub mod fetch;
pub mod guest;
pub mod kernels;
pub mod ours;
mod picture;
pub mod runner;
pub mod schedule;
pub mod supervise;
pub mod sys;
pub mod terminal;
pub mod world;

use std::env;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::{self, ExitCode};

use anyhow::{Error, Result, ensure};

use runner::KernelTest;

/// Runs the role of this executable; `None` if it was started without one.
pub fn play_role(tests: impl FnOnce() -> Vec<KernelTest>) -> Option<Result<ExitCode>> {
    match env::var(supervise::ROLE).ok()?.as_str() {
        supervise::SUPERVISOR => Some(supervise::supervise()),
        guest::GUEST_ROLE => Some(be_guest(|channel| guest::run_tests(&tests(), channel))),
        guest::HOST_ROLE => Some(be_runner_here(tests)),
        director::ROLE => Some(director::show()),
        director::GUEST_ROLE => Some(be_guest(director::demonstrate)),
        _ => None,
    }
}

/// Process 1 of a guest of the lab: whatever happens, it powers the kernel off at the end.
pub fn be_guest(work: impl FnOnce(&mut File) -> Result<()>) -> Result<ExitCode> {
    ensure!(process::id() == 1, "this role is for process 1 of a guest");
    let result = enter().and_then(|channel| {
        let mut channel = File::options().write(true).open(channel)?;
        work(&mut channel)
    });
    if let Err(error) = result {
        println!("{}", explain(&error));
    }
    Err(sys::power_off().into())
}

/// Sets up the environment of process 1; returns the path of its channel to the outside.
fn enter() -> Result<&'static str> {
    // An emulated kernel sees no outside folder.
    if env::var_os(guest::KIT).is_some() {
        guest::enter_guest()?;
        Ok("/dev/tty1")
    } else {
        emulator::enter()?;
        Ok("/dev/ttyS1")
    }
}

/// An error and its causes, one per line.
pub fn explain(error: &Error) -> String {
    let causes = error.chain().skip(1);
    let causes: String = causes.map(|cause| format!("\nbecause: {cause}")).collect();
    format!("{error}{causes}")
}

/// The runner on this machine's own kernel.
fn be_runner_here(tests: impl FnOnce() -> Vec<KernelTest>) -> Result<ExitCode> {
    sys::adopt_orphans();
    let mut channel = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    guest::enter_host()?;
    guest::run_tests(&tests(), &mut channel)?;
    Ok(ExitCode::SUCCESS)
}
