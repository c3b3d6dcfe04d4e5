//! The state in which this process was started, recorded before Rust's runtime changes it: the
//! runtime ignores SIGPIPE and opens `/dev/null` for standard files that are closed, and both would
//! hide lost output.

#![allow(unsafe_code)]

mod terminal;

use std::ffi::{c_int, c_short};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ipvsadm::app::{Clock, Env, Input, Locking, Medium, Pause, Stream, Terminal};
use ipvsadm::kernel::{self, Client, Netns};
use ipvsadm::names::Names;
use ipvsadm::render::screen::Size;

// Rust's standard library unwinds with `libgcc_s.so`, and loading that takes a tenth of a
// millisecond at every start. This archive, which GCC installs, contains the same functions.
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
#[link(name = "gcc_eh", kind = "static")]
unsafe extern "C" {}

static STDIN_CLOSED: AtomicBool = AtomicBool::new(false);
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);
static DIES_OF_BROKEN_PIPES: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds pointers to functions that the C library calls before `main`, with
// arguments that this one ignores.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: asks for the flags of a descriptor, which is allowed for any number.
    let closed = |descriptor| unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0;
    STDIN_CLOSED.store(closed(libc::STDIN_FILENO), Ordering::Relaxed);
    STDOUT_CLOSED.store(closed(libc::STDOUT_FILENO), Ordering::Relaxed);

    let default = disposition(libc::SIGPIPE) == Some(libc::SIG_DFL);
    DIES_OF_BROKEN_PIPES.store(default, Ordering::Relaxed);
}

/// The environment of this process.
pub fn env() -> Env {
    Env {
        stdin: Input {
            source: Box::new(given(&STDIN_CLOSED, libc::STDIN_FILENO)),
            medium: || Medium::of(&standard(libc::STDIN_FILENO)),
        },
        stdout: Stream {
            sink: Box::new(given(&STDOUT_CLOSED, libc::STDOUT_FILENO)),
            terminal: || terminal(libc::STDOUT_FILENO),
        },
        // If it was closed, Rust's runtime has opened a substitute.
        stderr: Stream {
            sink: Box::new(Standard(Some(standard(libc::STDERR_FILENO)))),
            terminal: || terminal(libc::STDERR_FILENO),
        },
        colour: || std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        open: Box::new(open),
        apart: |act| Client::apart(act),
        netns: None,
        names: Names::system,
        broken_pipe,
        unbroken,
        clock: Clock {
            now: Instant::now,
            date: SystemTime::now,
        },
        pause,
        terminal: controlling_terminal,
        console: terminal::console,
        unicode,
        locking: Locking {
            folder: "/run".into(),
            try_lock,
            patience: Duration::from_secs(60),
        },
    }
}

/// Opens a client of IPVS. Loads the module if the kernel has no IPVS.
fn open(netns: Option<&Netns>) -> kernel::Result<Client> {
    let open = || netns.map_or_else(Client::open, Client::open_in);
    match open() {
        Err(kernel::Error::Absent) => {
            kernel::load_module();
            open()
        }
        client => client,
    }
}

/// A standard file as it was inherited, or `None` if it was closed. Reading and writing wait even
/// if the file is non-blocking.
struct Standard(Option<ManuallyDrop<File>>);

fn given(closed: &AtomicBool, descriptor: RawFd) -> Standard {
    let is_closed = closed.load(Ordering::Relaxed);
    Standard((!is_closed).then(|| standard(descriptor)))
}

/// A standard file that uses the descriptor itself: there may be none free for a copy.
fn standard(descriptor: RawFd) -> ManuallyDrop<File> {
    // SAFETY: the descriptor is open, and nothing ever closes it: this file is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) })
}

impl Standard {
    /// Runs a function on the file when it is ready.
    fn when_ready<T>(
        &mut self,
        events: c_short,
        mut act: impl FnMut(&mut File) -> io::Result<T>,
    ) -> io::Result<T> {
        let closed = || io::Error::from_raw_os_error(libc::EBADF);
        let file = self.0.as_mut().ok_or_else(closed)?;
        loop {
            match act(file) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(file, events)?,
                done => return done,
            }
        }
    }
}

impl Read for Standard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.when_ready(libc::POLLIN, |file| file.read(buffer))
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.when_ready(libc::POLLOUT, |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.when_ready(libc::POLLOUT, File::flush)
    }
}

/// Waits until a file is ready for something, or its other end is gone.
fn wait(file: &File, events: c_short) -> io::Result<()> {
    let mut file = libc::pollfd {
        fd: file.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: the pointer is to one entry, which outlives the call.
    match unsafe { libc::poll(&raw mut file, 1, -1) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The terminal that a standard file is, if it is one.
fn terminal(descriptor: RawFd) -> Option<Terminal> {
    standard(descriptor).is_terminal().then(|| Terminal {
        columns: size_of_terminal(descriptor).map(|size| size.columns),
    })
}

/// Whether the locale uses UTF-8.
fn unicode() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names
        .iter()
        .filter_map(std::env::var_os)
        .find(|name| !name.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    let locale = locale.to_string_lossy();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The size of a terminal, if it reports one.
fn size_of_terminal(terminal: RawFd) -> Option<Size> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the call fills in the size, which may start as zeros, or fails.
    let size = unsafe {
        if libc::ioctl(terminal, libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
            return None;
        }
        size.assume_init()
    };
    let [columns, rows] = [size.ws_col, size.ws_row].map(usize::from);
    (columns > 0).then_some(Size { columns, rows })
}

/// Called when the reader of the output is gone: ends this process by SIGPIPE as usual, unless its
/// parent ignores that signal.
fn broken_pipe() {
    if DIES_OF_BROKEN_PIPES.load(Ordering::Relaxed) {
        // SAFETY: restores the default action, which needs no handler, and ends the process.
        unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::raise(libc::SIGPIPE);
        }
    }
}

/// The signals that users and programs send to end this process.
const ENDING: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

fn signals(signals: impl IntoIterator<Item = c_int>) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the first call fills the set in, which outlives all of them.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Signals that would end this process wait until the function returns.
fn unbroken(act: &mut dyn FnMut()) {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let ending = signals(ENDING.into_iter().chain([libc::SIGPIPE]));
    // SAFETY: both sets outlive the call, which fills the second one in.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ending, before.as_mut_ptr()) };
    act();
    // SAFETY: the set was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
}

/// Waits for a time, for a blocked signal, or for something to read. A signal that was already
/// ignored, as by `nohup`, stays ignored.
fn pause(time: Duration, input: Option<&File>) -> Pause {
    let ending = signals(ENDING.into_iter().filter(|signal| !is_ignored(*signal)));
    // SAFETY: the set outlives the call. Nothing else owns the new descriptor, if there is one.
    let signals = unsafe {
        let descriptor = libc::signalfd(-1, &raw const ending, libc::SFD_CLOEXEC);
        (descriptor >= 0).then(|| File::from_raw_fd(descriptor))
    };
    let entry = |file: Option<&File>| libc::pollfd {
        // `poll` skips negative descriptors.
        fd: file.map_or(-1, |file| file.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut files = [entry(signals.as_ref()), entry(input)];
    let time = c_int::try_from(time.as_millis().max(1)).unwrap_or(c_int::MAX);
    // SAFETY: pointer and length describe one array, which outlives the call.
    unsafe { libc::poll(files.as_mut_ptr(), files.len() as libc::nfds_t, time) };
    let [signal, input] = files.map(|file| file.revents != 0);
    if let (true, Some(mut signals)) = (signal, signals) {
        // This consumes the signal, so that it does not end the process later.
        let _ = signals.read(&mut [0; size_of::<libc::signalfd_siginfo>()]);
        return Pause::Signal;
    }
    if input { Pause::Input } else { Pause::Over }
}

/// Opens the terminal that this process belongs to, and drops earlier input. From now on, job
/// control cannot stop the process: it would not notice that its time is up.
fn controlling_terminal() -> io::Result<File> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let stopping = signals([libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU]);
    // SAFETY: the set outlives the call, and the descriptor is open.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const stopping, std::ptr::null_mut());
        libc::tcflush(terminal.as_raw_fd(), libc::TCIFLUSH);
    }
    Ok(terminal)
}

fn is_ignored(signal: c_int) -> bool {
    disposition(signal) == Some(libc::SIG_IGN)
}

/// The action for a signal.
fn disposition(signal: c_int) -> Option<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only fills in the current one, as much of it as the kernel
    // knows. The rest is not read, so zeros are fine.
    unsafe {
        let known = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0;
        known.then(|| action.assume_init().sa_sigaction)
    }
}

fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
