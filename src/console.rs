//! Standard output and standard error.

use std::io::{self, Write};

use ipvsadm::error::Error;
use ipvsadm::render::Out;

use crate::start;

/// Says what went wrong, and where.
pub fn complain(place: &[u8], error: &Error) {
    match error {
        Error::Write(reason) if reason.kind() == io::ErrorKind::BrokenPipe => start::broken_pipe(),
        error => warn(&[place, &error.message()].concat()),
    }
}

pub fn warn(message: &[u8]) {
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(&[message, b"\n"].concat());
}

/// Writes through a buffer to standard output; what was written before an error stays.
pub fn print(write: impl FnOnce(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
    let mut stdout = start::stdout()?;
    let mut out = Out::new(&mut stdout);
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

pub fn print_text(text: &str) -> Result<(), Error> {
    print(|out| {
        out.text(text);
        Ok(())
    })
}
