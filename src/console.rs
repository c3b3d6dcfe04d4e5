//! Standard output and standard error.

use std::fs::File;
use std::io::{self, IsTerminal, Write};

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
    let mut line = [message, b"\n"].concat();
    if io::stderr().is_terminal() {
        line = harmless(&line);
    }
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(&line);
}

/// Writes through a buffer to standard output; what was written before an error stays.
pub fn print(write: impl FnOnce(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
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

pub fn print_text(text: &str) -> Result<(), Error> {
    print(|out| {
        out.text(text);
        Ok(())
    })
}

/// Names come from name servers and from whoever makes a telephone call: what they hold must not
/// control the terminal.
struct Terminal(File);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&harmless(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lines with a question mark for each control character in them.
fn harmless(lines: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(lines.len());
    for chunk in lines.utf8_chunks() {
        let is_control = |c: char| c.is_control() && c != '\n';
        let valid = chunk.valid().replace(is_control, "?");
        clean.extend_from_slice(valid.as_bytes());
        // Terminals that do not know UTF-8 have control characters here.
        let invalid = chunk.invalid().iter();
        clean.extend(invalid.map(|byte| match byte {
            0x80..=0x9f => b'?',
            byte => *byte,
        }));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn control_characters_become_question_marks() {
        let lines = b"one\ttwo\x1b[2J\nz\xc3\xbcrich\xc2\x9b\x7f \xff\x9b\n";
        let clean = b"one?two?[2J\nz\xc3\xbcrich?? \xff?\n";
        assert_eq!(harmless(lines), clean);
    }
}
