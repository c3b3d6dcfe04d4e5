//! Starts a kernel whose process 1 is this executable in another role.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use super::emulator::Emulation;
use super::kernels::Kernel;
use super::supervise::{self, ROLE, Supervised};
use super::{fetch, guest, sys};

/// The memory of a guest.
const MEMORY_MIB: u64 = 512;

/// The files that guests are started with: a folder in that of this run, removed at its end.
pub struct Kit {
    folder: PathBuf,
}

/// The number of kits so far.
static KITS: AtomicUsize = AtomicUsize::new(0);

impl Kit {
    /// Copies this executable and the programs under test in `ours` to a folder, so the originals
    /// may change while guests run.
    pub fn new(ours: &[PathBuf]) -> Result<Self> {
        let cache = fetch::cache()?;
        remove_leftovers(&cache)?;
        let number = KITS.fetch_add(1, Ordering::Relaxed).to_string();
        let kit = Kit {
            folder: cache.join(format!("run-{}", process::id())).join(number),
        };
        let programs = kit.folder.join("ours");
        fs::create_dir_all(&programs)?;
        fs::copy(std::env::current_exe()?, kit.runner())?;
        for program in ours {
            let name = program.file_name().context("a program without a name")?;
            fs::copy(program, programs.join(name))
                .with_context(|| format!("copying {}", program.display()))?;
        }
        Ok(kit)
    }

    pub fn runner(&self) -> PathBuf {
        self.folder.join("runner")
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        // It may contain another kit.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

/// Removes the folders of killed runs.
fn remove_leftovers(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("run-"));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A running kernel; dropping it kills the kernel with all its processes.
pub struct Guest {
    supervised: Supervised,
    /// The standard input of process 1, if an emulator provides one.
    pub keyboard: UnixStream,
    console: JoinHandle<Vec<u8>>,
    _turn: Turn,
}

/// Permission to run a guest; there is one for each core.
struct Turn;

/// The number of guests that run at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn wait() -> Self {
        let running = RUNNING.0.lock().unwrap();
        let mut running = RUNNING
            .1
            .wait_while(running, |running| *running >= cores())
            .unwrap();
        *running += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap() -= 1;
        RUNNING.1.notify_one();
    }
}

impl Guest {
    /// Boots `kernel`; its process 1 has this role and additional environment variables.
    pub fn boot(kernel: Kernel, kit: &Kit, role: &str, variables: &[(&str, &str)]) -> Result<Self> {
        if kernel.is_stock() {
            return Emulation::FOUR.boot(kernel, kit, role, variables);
        }
        let folder = fetch::kernel(kernel)?;
        let libraries = folder.join(fetch::LIBRARIES);
        let modules = fetch::modules(&folder)?;
        let tools = fetch::tools()?;
        let mut command = supervise::command("env")?;
        command
            .arg(format!("LD_LIBRARY_PATH={}", libraries.display()))
            .arg(format!("LD_PRELOAD=./{}", fetch::REGISTERS))
            .arg(format!("TMPDIR={}", memory_folder(kit).display()))
            .args(["./linux", "rootfstype=hostfs", "ro", "quiet"])
            .arg(format!("mem={MEMORY_MIB}M"))
            .args(["con=null", "con0=fd:1,fd:1", "con1=fd:0,fd:0", "panic=-1"])
            .arg(format!("init={}", kit.runner().display()))
            .arg(format!("{ROLE}={role}"))
            .arg(format!("{}={}", guest::KIT, kit.path().display()))
            .arg(format!("{}={}", guest::TOOLS, tools.display()))
            .arg(format!("{}={}", guest::MODULES, modules.display()))
            .args(
                variables
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            )
            .current_dir(&folder);
        Self::start(command).with_context(|| format!("starting the kernel {kernel}"))
    }

    /// Starts the runner on this machine's own kernel, with the same protocol as a guest's.
    pub fn here(kit: &Kit, variables: &[(&str, &str)]) -> Result<Self> {
        let tools = fetch::tools()?;
        let mut command = supervise::command("env")?;
        command
            .arg(format!("{ROLE}={}", guest::HOST_ROLE))
            .arg(format!("{}={}", guest::KIT, kit.path().display()))
            .arg(format!("{}={}", guest::TOOLS, tools.display()))
            .args(
                variables
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            )
            .arg(kit.runner());
        Self::start(command)
    }

    /// Starts a guest with a command from `supervise`, whose standard input is the channel.
    pub fn start(mut command: process::Command) -> Result<Self> {
        let turn = Turn::wait();
        let (ours, theirs) = UnixStream::pair()?;
        let output = OwnedFd::from(theirs);
        command.stdout(output.try_clone()?).stderr(output);
        let supervised = supervise::start(&mut command)?;
        Ok(Guest {
            supervised,
            keyboard: ours.try_clone()?,
            console: collect(ours),
            _turn: turn,
        })
    }

    /// The channel to the guest's process 1.
    pub fn link(&self) -> &UnixStream {
        &self.supervised.link
    }

    /// Waits until the kernel has powered off.
    pub fn wait(mut self) -> Result<()> {
        self.supervised.child.wait()?;
        Ok(())
    }

    /// Kills the kernel; returns the last lines of its console, for messages.
    pub fn last_words(self) -> String {
        drop(self.supervised);
        let text = self.console.join().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(25)..].iter();
        last.map(|line| format!("  console: {line}\n")).collect()
    }
}

/// Collects a guest's console output as it arrives: a full pipe would stop the guest.
fn collect(mut source: UnixStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = source.read_to_end(&mut text);
        text
    })
}

/// The folder for a guest's memory: a file that it creates, maps and runs programs from.
fn memory_folder(kit: &Kit) -> &Path {
    let shared_memory = Path::new("/dev/shm");
    let wanted = cores() as u64 * MEMORY_MIB * 1024 * 1024;
    match sys::space_for_programs(shared_memory) {
        Ok(space) if space >= wanted => shared_memory,
        // In containers it is often small, or mounted noexec.
        _ => kit.path(),
    }
}
