//! What this process was given, seen before Rust's runtime puts it in order: it ignores SIGPIPE
//! and opens `/dev/null` for standard files that are closed, and both would hide lost output.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

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

    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only fills in the present one, as much of it as the
    // kernel knows. Zeros are as good as anything for the rest, which is not looked at.
    let default = unsafe {
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_DFL
    };
    DIES_OF_BROKEN_PIPES.store(default, Ordering::Relaxed);
}

/// Standard input as it was given, with every error that reading may bring.
pub fn stdin() -> io::Result<ManuallyDrop<File>> {
    given(&STDIN_CLOSED, libc::STDIN_FILENO)
}

/// Standard output as it was given, with every error that writing may bring.
pub fn stdout() -> io::Result<Output> {
    given(&STDOUT_CLOSED, libc::STDOUT_FILENO).map(Output)
}

/// Standard error; where it was closed, Rust's runtime has put something in its place.
pub fn stderr() -> Output {
    Output(standard(libc::STDERR_FILENO))
}

fn given(closed: &AtomicBool, descriptor: RawFd) -> io::Result<ManuallyDrop<File>> {
    match closed.load(Ordering::Relaxed) {
        true => Err(io::Error::from_raw_os_error(libc::EBADF)),
        false => Ok(standard(descriptor)),
    }
}

/// Not a copy of the descriptor: there may be no room for another one.
fn standard(descriptor: RawFd) -> ManuallyDrop<File> {
    // SAFETY: the descriptor is open, and nothing ever closes it: this file is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) })
}

/// A standard file to write to. It may have been given to this process as one that does not
/// block; then each write waits until there is room.
pub struct Output(ManuallyDrop<File>);

impl Output {
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_room(&self.0)?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Waits until something can be written, or the reader has gone away.
fn wait_for_room(file: &File) -> io::Result<()> {
    let mut file = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: the pointer is to one entry, as said, which outlives the call.
    match unsafe { libc::poll(&raw mut file, 1, -1) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// How wide the terminal is that standard output is, if it is one and knows.
pub fn columns() -> Option<usize> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the call fills in the size, for which zeros are as good as anything, or fails.
    let size = unsafe {
        if libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
            return None;
        }
        size.assume_init()
    };
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// The reader of our output has gone away: ends this process as it ends any other, unless
/// whoever started it wants it to live on.
pub fn broken_pipe() {
    if DIES_OF_BROKEN_PIPES.load(Ordering::Relaxed) {
        // SAFETY: restores the default action, which needs no handler, and ends the process.
        unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::raise(libc::SIGPIPE);
        }
    }
}
