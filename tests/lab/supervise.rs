//! Runs programs so that none of their processes outlives us, however we exit.
//!
//! A supervisor runs between us and the program: this executable in another role, not reached by
//! the terminal's signals. It adopts orphans of the program, and kills everything once the program
//! exits or its standard input hangs up. The kernel causes that hangup when we exit, even by
//! SIGKILL.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Child, Command, ExitCode, Output};

use anyhow::{Context, Result};

use super::sys::{self, Event};

/// The environment variable that names the role in which this executable was started.
pub const ROLE: &str = "LAB_ROLE";

/// The role of the supervisor.
pub const SUPERVISOR: &str = "supervisor";

/// A program under supervision; dropping it kills the program and all its descendants.
pub struct Supervised {
    pub child: Child,
    /// The other end of the program's standard input.
    pub link: UnixStream,
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // The supervisor ends everything when the link hangs up; wait until it has.
        let _ = self.link.shutdown(std::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// A command for `start` or `output` that runs `program`.
pub fn command(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("finding this executable")?);
    command.env(ROLE, SUPERVISOR).arg(program).process_group(0);
    Ok(command)
}

/// Starts a command made by `command`.
pub fn start(command: &mut Command) -> Result<Supervised> {
    let (link, theirs) = UnixStream::pair()?;
    let child = command.stdin(OwnedFd::from(theirs)).spawn()?;
    // The command holds a copy of the other end, which would prevent the hangup.
    command.stdin(process::Stdio::null());
    Ok(Supervised { child, link })
}

/// Runs a command made by `command` to its end, with the caller's output settings.
pub fn output(command: &mut Command) -> Result<Output> {
    let mut supervised = start(command)?;
    let stdout = supervised.child.stdout.take().map(std::io::read_to_string);
    let status = supervised.child.wait()?;
    Ok(Output {
        status,
        stdout: stdout.transpose()?.unwrap_or_default().into_bytes(),
        stderr: Vec::new(),
    })
}

/// The supervisor itself: runs the program named by the arguments and exits with its status.
pub fn supervise() -> Result<ExitCode> {
    sys::adopt_orphans();
    let mut words = env::args_os().skip(1);
    let program = words.next().context("a supervisor needs a program")?;
    let mut child = Command::new(&program)
        .args(words)
        .env_remove(ROLE)
        .spawn()
        .with_context(|| format!("starting {}", program.to_string_lossy()))?;
    let ended = sys::process_descriptor(child.id())?;
    let stdin = std::io::stdin();
    let events = [
        (ended.as_fd(), Event::Readable),
        (stdin.as_fd(), Event::HungUp),
    ];
    let first = sys::wait_first(&events, None)?;
    if first != Some(0) {
        child.kill()?;
    }
    let status = child.wait()?;
    kill_descendants();
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExitCode::from(code as u8))
}

/// Kills every descendant of this process, which must have adopted orphans (or be process 1).
pub fn kill_descendants() {
    while sys::has_children() {
        for pid in children() {
            sys::kill(pid);
        }
        sys::wait_any_child();
    }
}

/// The processes whose parent is this one.
fn children() -> Vec<i32> {
    let me = process::id().to_string();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            // "pid (name) state parent …", where the name may hold anything
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            fields.split(' ').nth(1) == Some(me.as_str())
        })
        .collect()
}
