//! The environment of the program as one value, so that tests can replace it.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::asked;
use crate::cli::advice::advice;
use crate::command::Globals;
use crate::error::{Action, Error};
use crate::kernel::{self, Client, Netns};
use crate::names::Names;
use crate::render::screen::Size;
use crate::render::{Out, Screen, harmless};

pub struct Env {
    pub stdin: Input,
    pub stdout: Stream,
    pub stderr: Stream,
    /// Whether colours may be used on a terminal.
    pub colour: fn() -> bool,
    pub open: Box<Open>,
    /// Calls a function with a client in a new network namespace. Fails without the right to create
    /// one.
    pub apart: fn(&mut Apart) -> kernel::Result<()>,
    /// The network namespace to work in, if not the current one.
    pub netns: Option<Netns>,
    pub names: fn() -> Names,
    /// Called when the reader of standard output is gone. It may end the process.
    pub broken_pipe: fn(),
    /// Runs a function; signals that would end the process wait until it returns.
    pub unbroken: fn(&mut dyn FnMut()),
    pub clock: Clock,
    /// Waits for a time, or until a signal arrives that `unbroken` blocks, or a file is readable.
    pub pause: fn(Duration, Option<&File>) -> Pause,
    /// Opens the terminal of this process, whatever the standard files are. Drops earlier input,
    /// and job control no longer stops the process.
    pub terminal: fn() -> io::Result<File>,
    /// Takes the terminal of this process to draw on and to read keys from, until it is dropped;
    /// `None` if standard output is not such a terminal.
    pub console: fn() -> Option<Box<dyn Console>>,
    /// Whether terminals show characters beyond ASCII.
    pub unicode: fn() -> bool,
    pub locking: Locking,
}

/// A terminal as a screen and a keyboard.
pub trait Console {
    fn size(&self) -> Size;

    fn draw(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits for a time, or until something happens.
    fn wait(&mut self, time: Duration) -> io::Result<Happening>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The time is up.
    Nothing,
    /// Keys were pressed.
    Keys(Vec<u8>),
    /// The screen has a new size, or another program has drawn on it.
    Redraw,
    /// The terminal is gone, or a signal ends the process.
    End,
}

#[derive(Clone, Copy)]
pub struct Clock {
    /// A time that no clock change affects.
    pub now: fn() -> Instant,
    pub date: fn() -> SystemTime,
}

/// How a pause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The time is up.
    Over,
    Signal,
    /// There is something to read, or the end was reached.
    Input,
}

/// Lets only one process at a time replace a table.
pub struct Locking {
    /// The folder of the lock files.
    pub folder: PathBuf,
    /// Locks a file, or fails with `WouldBlock` if another process has locked it.
    pub try_lock: fn(&File) -> io::Result<()>,
    /// How long to wait for another process.
    pub patience: Duration,
}

/// Connects to the kernel in a network namespace, or in that of this process.
pub type Open = dyn FnMut(Option<&Netns>) -> kernel::Result<Client>;

/// A function that uses a client in a new network namespace.
pub type Apart<'a> = dyn FnMut(&mut Client) -> kernel::Result<()> + Send + 'a;

/// The source of input.
pub struct Input {
    pub source: Box<dyn Read>,
    pub medium: fn() -> Medium,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Terminal,
    /// The whole input is already available.
    File,
    /// More may arrive, as from a pipe.
    Stream,
}

impl Medium {
    pub fn of(file: &File) -> Self {
        if file.is_terminal() {
            return Self::Terminal;
        }
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Self::File,
            _ => Self::Stream,
        }
    }
}

/// The destination of output.
pub struct Stream {
    pub sink: Box<dyn Write>,
    /// The terminal, if it is one.
    pub terminal: fn() -> Option<Terminal>,
}

#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Its width, if known.
    pub columns: Option<usize>,
}

impl Stream {
    pub fn is_terminal(&self) -> bool {
        (self.terminal)().is_some()
    }
}

impl Env {
    /// An empty environment; tests add what they need.
    pub fn empty() -> Self {
        let nowhere = || Stream {
            sink: Box::new(io::sink()),
            terminal: || None,
        };
        Self {
            stdin: Input {
                source: Box::new(io::empty()),
                medium: || Medium::File,
            },
            stdout: nowhere(),
            stderr: nowhere(),
            colour: || false,
            open: Box::new(|_| Err(kernel::Error::Absent)),
            apart: |_| Err(kernel::Error::Absent),
            netns: None,
            names: Names::numeric,
            broken_pipe: || {},
            unbroken: |act| act(),
            clock: Clock {
                now: Instant::now,
                date: || UNIX_EPOCH,
            },
            pause: |_, _| Pause::Over,
            terminal: || Err(io::ErrorKind::NotFound.into()),
            console: || None,
            unicode: || false,
            locking: Locking {
                folder: "/nowhere".into(),
                try_lock: |_| Ok(()),
                patience: Duration::ZERO,
            },
        }
    }

    pub fn open(&mut self, action: Action) -> Result<Client, Error> {
        asked(action, (self.open)(self.netns.as_ref()))
    }

    /// Selects the network namespace of the command for requests to the kernel. Names are looked up
    /// in the namespace of this process, which does not change.
    pub fn enter(&mut self, globals: &Globals) -> Result<(), Error> {
        self.netns = globals.netns.as_ref().map(Netns::new);
        match &self.netns {
            Some(netns) => netns.find().map_err(Error::Netns),
            None => Ok(()),
        }
    }

    /// Standard input, which can be taken only once.
    pub fn take_stdin(&mut self) -> Box<dyn Read> {
        mem::replace(&mut self.stdin.source, Box::new(io::empty()))
    }

    /// Reports an error, and its location.
    pub fn complain(&mut self, place: &[u8], error: &Error) {
        match error {
            Error::Write(reason) if reason.kind() == io::ErrorKind::BrokenPipe => {
                (self.broken_pipe)();
            }
            Error::Trouble(error) => self.complain(place, error),
            error => self.warn(&[place, &error.message()].concat()),
        }
    }

    /// Prints advice about an error, for people.
    pub fn advise(&mut self, error: &Error) {
        if let Some(line) = advice(error) {
            self.tell_people(&line);
        }
    }

    /// Prints a line for people only: programs that parse messages do not know it.
    pub fn tell_people(&mut self, line: &str) {
        if self.stderr.is_terminal() {
            self.warn(line.as_bytes());
        }
    }

    pub fn warn(&mut self, message: &[u8]) {
        let mut line = [message, b"\n"].concat();
        if self.stderr.is_terminal() {
            line = harmless(&line);
        }
        // If this cannot be written either, there is no other way to report it.
        let _ = self.stderr.sink.write_all(&line);
    }

    /// Replaces the last text in the terminal's current line.
    pub fn redraw(&mut self, text: &str) {
        let line = [b"\r\x1b[K", text.as_bytes()].concat();
        let _ = self.stderr.sink.write_all(&line);
    }

    /// Explains why a name may be unknown.
    pub fn tell_silence(&mut self, names: &Names) {
        if names.unanswered() {
            self.warn(b"no name server answered");
        }
    }

    /// Writes through a buffer to standard output; what was written before an error stays.
    pub fn print(
        &mut self,
        write: impl FnOnce(&mut Out) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.stdout.is_terminal() {
            print_to(&mut Harmless(&mut *self.stdout.sink), write)
        } else {
            self.print_clean(write)
        }
    }

    /// The same for output that is already safe for a terminal.
    pub fn print_clean(
        &mut self,
        write: impl FnOnce(&mut Out) -> Result<(), Error>,
    ) -> Result<(), Error> {
        print_to(&mut *self.stdout.sink, write)
    }

    pub fn print_text(&mut self, text: &str) -> Result<(), Error> {
        self.print(|out| {
            out.text(text);
            Ok(())
        })
    }

    /// The screen or file that tables are written to.
    pub fn screen(&self) -> Screen {
        let terminal = (self.stdout.terminal)();
        Screen {
            width: terminal.and_then(|terminal| terminal.columns),
            colour: terminal.is_some() && (self.colour)(),
        }
    }
}

/// Writes through a buffer; what was written before an error stays.
pub(super) fn print_to(
    sink: &mut dyn Write,
    write: impl FnOnce(&mut Out) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut out = Out::new(sink);
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

/// A terminal. Names come from name servers, and call ids from any caller: their bytes must not
/// control it.
struct Harmless<'a>(&'a mut dyn Write);

impl Write for Harmless<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&harmless(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
