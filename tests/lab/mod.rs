//! The lab: a real IPVS kernel for tests, without root, KVM or a reboot.
//!
//! Debian packages the kernel as an ordinary program. The lab fetches it (`fetch`), starts it
//! (`boot`), makes a world inside in which nothing of the host can be written (`guest`), and has
//! one runner execute named tests there (`runner`), each in network namespaces of its own
//! (`world`). `schedule` is the outside of that: it hands tests to kernels and collects results.

pub mod boot;
pub mod fetch;
pub mod guest;
pub mod kernels;
pub mod ours;
pub mod runner;
pub mod schedule;
pub mod supervise;
pub mod sys;
pub mod world;

use std::env;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::Result;

use runner::KernelTest;

/// Does what this executable was started for when the lab itself started it; `None` otherwise.
pub fn play_role(tests: impl FnOnce() -> Vec<KernelTest>) -> Option<Result<ExitCode>> {
    match env::var(supervise::ROLE).ok()?.as_str() {
        supervise::SUPERVISOR => Some(supervise::supervise()),
        guest::GUEST_ROLE => {
            let run = || -> Result<()> {
                guest::enter_guest()?;
                guest::run_tests(
                    &tests(),
                    &mut File::options().write(true).open("/dev/tty1")?,
                )
            };
            if let Err(error) = run() {
                println!("{error:?}");
            }
            Some(Err(sys::power_off().into()))
        }
        guest::HOST_ROLE => {
            let run = || -> Result<ExitCode> {
                sys::adopt_orphans();
                let mut channel = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
                guest::enter_host()?;
                guest::run_tests(&tests(), &mut channel)?;
                Ok(ExitCode::SUCCESS)
            };
            Some(run())
        }
        _ => None,
    }
}
