//! The terminal of this process as a screen and a keyboard. It is restored however the process
//! ends: signals are blocked until then.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::Duration;

use ipvsadm::app::{Console, Happening};
use ipvsadm::render::screen::Size;

use super::{ENDING, is_ignored, signals, size_of_terminal};

/// Enters the alternate screen, hides the cursor and turns line wrap off.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The size of a terminal that does not report it.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

struct Taken {
    terminal: File,
    settings: libc::termios,
    /// The signals that are blocked while the terminal is taken, and those that were blocked
    /// before.
    held: libc::sigset_t,
    mask: libc::sigset_t,
    /// Readable as soon as a signal is pending that ends the process. It is never read: the signal
    /// takes effect when it is unblocked.
    ending: File,
    /// Readable when the size has changed or the user stops the process.
    others: File,
}

/// The terminal, if standard output is one that can show a screen.
pub fn console() -> Option<Box<dyn Console>> {
    let is_capable = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    if !is_capable || !io::stdout().is_terminal() {
        return None;
    }
    let taken = Taken::new().ok()?;
    Some(Box::new(taken))
}

impl Taken {
    fn new() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let ending = ENDING.into_iter().chain([libc::SIGQUIT]);
        let ending = ending.filter(|signal| !is_ignored(*signal));
        let others = [libc::SIGWINCH, libc::SIGTSTP];
        // A process in the background may not change the terminal, but must be able to restore it.
        let background = [libc::SIGTTOU];
        let held = ending.clone().chain(others).chain(background);
        let mut taken = Self {
            settings: settings(&terminal)?,
            terminal,
            held: signals(held),
            mask: signals([]),
            ending: descriptor(&signals(ending))?,
            others: descriptor(&signals(others))?,
        };
        taken.enter()?;
        Ok(taken)
    }

    /// Blocks signals.
    fn hold(&mut self) {
        // SAFETY: both sets outlive the call, which fills the second one in.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const self.held, &raw mut self.mask);
        }
    }

    /// Unblocks the signals, so that pending ones take effect.
    fn release(&self) {
        // SAFETY: the set outlives the call.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.mask,
                std::ptr::null_mut(),
            );
        }
    }

    /// Keys arrive one by one and are not shown. Those that send signals still do.
    fn enter(&mut self) -> io::Result<()> {
        // This changes nothing, but stops the process here while it is in the background.
        set(&self.terminal, &self.settings)?;
        self.hold();
        let mut settings = self.settings;
        settings.c_lflag &= !(libc::ICANON | libc::ECHO);
        settings.c_iflag &= !(libc::IXON | libc::ICRNL);
        settings.c_cc[libc::VMIN] = 1;
        settings.c_cc[libc::VTIME] = 0;
        set(&self.terminal, &settings)?;
        self.terminal.write_all(ENTER)
    }

    /// Restores the terminal. Errors are ignored, since it may be gone.
    fn leave(&mut self) {
        let _ = self.terminal.write_all(LEAVE);
        let _ = set(&self.terminal, &self.settings);
    }

    /// Stops, as the user asked, until the process is continued in the foreground.
    fn stop(&mut self) -> io::Result<()> {
        self.leave();
        self.release();
        // SAFETY: the call takes a number only.
        unsafe { libc::raise(libc::SIGSTOP) };
        self.enter()
    }
}

impl Console for Taken {
    fn size(&self) -> Size {
        size_of_terminal(self.terminal.as_raw_fd()).unwrap_or(USUAL)
    }

    fn draw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.terminal.write_all(bytes)
    }

    fn wait(&mut self, time: Duration) -> io::Result<Happening> {
        let entry = |file: &File| libc::pollfd {
            fd: file.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut files = [&self.ending, &self.others, &self.terminal].map(entry);
        // Rounded up: a wait that is too short would be followed by another one.
        let time = time.as_micros().div_ceil(1000);
        let time = c_int::try_from(time).unwrap_or(c_int::MAX);
        // SAFETY: pointer and length describe one array, which outlives the call.
        unsafe { libc::poll(files.as_mut_ptr(), files.len() as libc::nfds_t, time) };
        let [ending, others, terminal] = files.map(|file| file.revents != 0);
        if ending {
            return Ok(Happening::End);
        }
        if others {
            let mut signal = [0; size_of::<libc::signalfd_siginfo>()];
            self.others.read_exact(&mut signal)?;
            // The number of the signal is the first field.
            let [a, b, c, d, ..] = signal;
            if i32::from_ne_bytes([a, b, c, d]) == libc::SIGTSTP {
                self.stop()?;
            }
            return Ok(Happening::Redraw);
        }
        if terminal {
            let mut keys = [0; 256];
            return Ok(match self.terminal.read(&mut keys) {
                // Its other end is gone.
                Ok(0) | Err(_) => Happening::End,
                Ok(length) => Happening::Keys(keys[..length].to_vec()),
            });
        }
        Ok(Happening::Nothing)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.leave();
        self.release();
    }
}

fn settings(terminal: &File) -> io::Result<libc::termios> {
    let mut settings = MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: the call fills in the settings, which outlive it, or fails.
    unsafe {
        match libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr()) {
            0 => Ok(settings.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn set(terminal: &File, settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the settings outlive the call.
    match unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSADRAIN, settings) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A file that is readable when one of these signals is pending.
fn descriptor(signals: &libc::sigset_t) -> io::Result<File> {
    // SAFETY: the set outlives the call. Nothing else owns the new descriptor.
    unsafe {
        let descriptor: RawFd = libc::signalfd(-1, signals, libc::SFD_CLOEXEC);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(File::from_raw_fd(descriptor))
    }
}
