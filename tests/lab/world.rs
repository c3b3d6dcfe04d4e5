//! The environment of a test: network namespaces, and programs run in them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::guest::PATH;
use super::sys::{self, Event};
use super::terminal::Terminal;

/// The world of one test; everything it created is removed at the end.
#[derive(Default)]
pub struct World {
    /// The number of output pairs compared byte by byte.
    pub comparisons: usize,
    /// The count of each item that the whole run must cover.
    pub counts: Counts,
    /// Output of a passing test, shown on request.
    pub shown: String,
    /// The defect of ours in cases, in the notation of `src/kernel/mutants.rs`.
    pub mutant: Option<&'static str>,
}

/// Counts of named items.
pub type Counts = BTreeMap<String, usize>;

impl World {
    /// A new network namespace with its loopback device up, known to `ip netns` as `name`.
    pub fn namespace(&mut self, name: &str) -> Result<Namespace> {
        Namespace::new(name).with_context(|| format!("making the network namespace {name}"))
    }
}

/// A network namespace; it is deleted once this is dropped and the last process in it has ended.
pub struct Namespace {
    file: File,
    mounted_at: PathBuf,
}

impl Namespace {
    fn new(name: &str) -> Result<Self> {
        sys::unshare(libc::CLONE_NEWNET)?;
        sys::loopback_up()?;
        let current = Path::new("/proc/thread-self/ns/net");
        let mounted_at = Path::new("/run/netns").join(name);
        File::create(&mounted_at)?;
        sys::mount(current, &mounted_at, "", libc::MS_BIND, "")?;
        Ok(Namespace {
            file: File::open(current)?,
            mounted_at,
        })
    }

    /// Runs a program in this namespace to its end.
    pub fn run(&self, program: &Program) -> Result<Output> {
        let mut running = self.start(program)?;
        running.finish(program.limit)
    }

    /// Starts a program in this namespace, which runs until it or the test ends.
    pub fn start(&self, program: &Program) -> Result<Running> {
        // The child inherits the namespace of this thread. That is cheaper than entering it after
        // a fork: the standard library can then start the program without copying this process.
        self.enter()?;
        program.start()
    }

    /// Starts a program in this namespace, at its own terminal.
    pub fn start_at_terminal(&self, program: &Program) -> Result<Terminal> {
        self.enter()?;
        Terminal::start(program.command())
    }

    /// Starts a program in this namespace, which stops after so many system calls. `None` if it
    /// ended before.
    pub fn stop_after(&self, program: &Program, calls: usize) -> Result<Option<Running>> {
        self.enter()?;
        let running = program.start_by(sys::start_traced)?;
        let is_stopped = sys::run_until(running.id(), calls)?;
        Ok(is_stopped.then_some(running))
    }

    /// Makes this the namespace of the calling thread, for operations without a program.
    pub fn enter(&self) -> Result<()> {
        Ok(sys::enter_network(&self.file)?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = sys::unmount(&self.mounted_at);
        let _ = fs::remove_file(&self.mounted_at);
    }
}

/// The reference or ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Reference,
    Ours,
}

impl Side {
    /// The folder of its `ipvsadm` inside.
    pub fn folder(self) -> &'static str {
        match self {
            Side::Reference => "/opt/reference",
            Side::Ours => "/run/lab/kit/ours",
        }
    }
}

/// A program to run: by default without input and for at most ten seconds.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    argv0: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl Program {
    /// A program by its path, or by a name in the search path.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let name = program.as_ref();
        let folders = PATH.split(':').map(Path::new);
        let found = folders
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        Program {
            path: found.unwrap_or(name.to_owned()),
            argv0: name.as_os_str().to_owned(),
            args: Vec::new(),
            env: vec![("PATH".into(), PATH.into()), ("LC_ALL".into(), "C".into())],
            stdin: Vec::new(),
            limit: Duration::from_secs(10),
        }
    }

    /// The `ipvsadm` of one side.
    pub fn ipvsadm(side: Side) -> Self {
        Program::new(Path::new(side.folder()).join("ipvsadm")).argv0("ipvsadm")
    }

    /// A line for the shell, with `ipvsadm` of one side.
    pub fn shell(side: Side, line: &str) -> Self {
        Program::new("/bin/sh")
            .args(["-c", line])
            .env("PATH", format!("{}:{PATH}", side.folder()))
    }

    pub fn argv0(mut self, name: impl AsRef<OsStr>) -> Self {
        self.argv0 = name.as_ref().to_owned();
        self
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_owned();
        self
    }

    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.argv0)
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self) -> Result<Running> {
        self.start_by(Command::spawn)
    }

    /// Output goes to files: unlike pipes they need no thread to drain them.
    fn start_by(&self, spawn: fn(&mut Command) -> io::Result<Child>) -> Result<Running> {
        let (stdout, stderr) = (nameless_file()?, nameless_file()?);
        let mut stdin = nameless_file()?;
        if !self.stdin.is_empty() {
            stdin.write_all(&self.stdin)?;
            stdin.rewind()?;
        }
        let mut command = self.command();
        command.stdin(stdin);
        command.stdout(stdout.try_clone()?);
        command.stderr(stderr.try_clone()?);
        let child =
            spawn(&mut command).with_context(|| format!("starting {}", self.path.display()))?;
        Ok(Running {
            name: self.path.display().to_string(),
            child,
            stdout,
            stderr,
        })
    }
}

fn nameless_file() -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE);
    options.open("/run").context("making a file in memory")
}

/// A program that was started.
pub struct Running {
    name: String,
    child: Child,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Waits for the end of the program; one that takes longer than `limit` is killed.
    pub fn finish(&mut self, limit: Duration) -> Result<Output> {
        let ended = sys::process_descriptor(self.child.id())?;
        let event = [(ended.as_fd(), Event::Readable)];
        if sys::wait_first(&event, Some(limit))?.is_none() {
            let output = self.kill()?;
            bail!(
                "{} did not end within {} seconds; it had written:\n{output}",
                self.name,
                limit.as_secs()
            );
        }
        self.output()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Continues a program that was stopped after a system call.
    pub fn go_on(&mut self) -> Result<()> {
        Ok(sys::let_go(self.id())?)
    }

    /// Kills the program; returns its output.
    pub fn kill(&mut self) -> Result<Output> {
        self.child.kill()?;
        self.output()
    }

    fn output(&mut self) -> Result<Output> {
        let status = self.child.wait()?;
        Ok(Output {
            stdout: contents(&mut self.stdout)?,
            stderr: contents(&mut self.stderr)?,
            status: Status::from(status),
        })
    }
}

fn contents(file: &mut File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    Exit(i32),
    Signal(i32),
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Status::Exit(code),
            None => Status::Signal(status.signal().unwrap_or(0)),
        }
    }
}

/// The output and status of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: Status,
}

impl Output {
    /// The standard output of a program that must succeed.
    pub fn success(self) -> Result<Vec<u8>> {
        if self.status != Status::Exit(0) {
            bail!("a program failed:\n{self}");
        }
        Ok(self.stdout)
    }
}

/// One line per line of output: `|` for standard output, `!` for standard error, `=` for the
/// status; bytes that are not plain text as escapes.
impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (mark, bytes) in [('|', &self.stdout), ('!', &self.stderr)] {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                match line.strip_suffix(b"\n") {
                    Some(line) => writeln!(f, "{mark} {}", readable(line))?,
                    None => writeln!(f, "{mark} {}  (no end of line)", readable(line))?,
                }
            }
        }
        match self.status {
            Status::Exit(code) => writeln!(f, "= {code}"),
            Status::Signal(signal) => writeln!(f, "= killed by signal {signal}"),
        }
    }
}

fn readable(line: &[u8]) -> String {
    let mut text = String::new();
    for &byte in line {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}
