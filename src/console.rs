//! Standard output and standard error.

use std::io::{self, IsTerminal, Write};

use ipvsadm::cli::advice::advice;
use ipvsadm::error::Error;
use ipvsadm::names::Names;
use ipvsadm::render::{Out, Screen, harmless};

use crate::start;

/// Says what went wrong, and where.
pub fn complain(place: &[u8], error: &Error) {
    match error {
        Error::Write(reason) if reason.kind() == io::ErrorKind::BrokenPipe => start::broken_pipe(),
        error => warn(&[place, &error.message()].concat()),
    }
}

/// Says what to do about an error, to people: programs that read messages know none of this.
pub fn advise(error: &Error) {
    if io::stderr().is_terminal() {
        if let Some(line) = advice(error) {
            warn(line.as_bytes());
        }
    }
}

pub fn warn(message: &[u8]) {
    let mut stderr = start::stderr();
    let mut line = [message, b"\n"].concat();
    if stderr.is_terminal() {
        line = harmless(&line);
    }
    // Where even this cannot be written there is nobody left to tell.
    let _ = stderr.write_all(&line);
}

/// Says why a name may be unknown.
pub fn tell_silence(names: &Names) {
    if names.unanswered() {
        warn(b"no name server answered");
    }
}

/// Writes through a buffer to standard output; what was written before an error stays.
pub fn print(write: &mut dyn FnMut(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
    let mut stdout = start::stdout()?;
    let mut terminal;
    let mut out = Out::new(if stdout.is_terminal() {
        terminal = Terminal(stdout);
        &mut terminal
    } else {
        &mut stdout
    });
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

/// The same for what holds nothing from outside that could control a terminal.
pub fn print_clean(write: &mut dyn FnMut(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
    let mut stdout = start::stdout()?;
    let mut out = Out::new(&mut stdout);
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

/// What tables are shown on: a terminal with its width, and in colour unless that is unwanted.
pub fn screen() -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Screen {
        width: start::columns(),
        colour: is_terminal && !no_colour,
    }
}

pub fn print_text(text: &str) -> Result<(), Error> {
    print(&mut |out| {
        out.text(text);
        Ok(())
    })
}

/// Names come from name servers and from whoever makes a telephone call: what they hold must not
/// control the terminal.
struct Terminal(start::Output);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&harmless(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
