//! Lines of any length from anything that can be read, as they arrive.

use std::io::{self, Read};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Reads line by line; only what has been read ahead is kept.
pub struct Lines<R> {
    input: R,
    text: Vec<u8>,
    /// Where the next line begins in `text`.
    next: usize,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            text: Vec::new(),
            next: 0,
        }
    }

    /// The next line without its newline, which the last one need not have.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = self.next;
        loop {
            let end = self.text[searched..].iter().position(|&b| b == b'\n');
            if let Some(length) = end {
                let end = searched + length;
                return Ok(Some(self.take(end, end + 1)));
            }
            self.text.drain(..self.next);
            self.next = 0;
            searched = self.text.len();
            if self.fill()? == 0 {
                return Ok(match searched {
                    0 => None,
                    end => Some(self.take(end, end)),
                });
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let start = self.text.len();
        self.text.resize(start + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.text[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let length = *read.as_ref().unwrap_or(&0);
        self.text.truncate(start + length);
        read
    }

    fn take(&mut self, end: usize, next: usize) -> &[u8] {
        let start = std::mem::replace(&mut self.next, next);
        &self.text[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its text in pieces, as a pipe may.
    struct Pieces<'a>(&'a [&'a [u8]]);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[..first.len()].copy_from_slice(first);
            self.0 = rest;
            Ok(first.len())
        }
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut lines = Lines::new(Pieces(&[b"one", b" line\r\n\nth", b"ree\n", b"last"]));
        for expected in [&b"one line\r"[..], b"", b"three", b"last"] {
            assert_eq!(lines.read().unwrap(), Some(expected));
        }
        assert_eq!(lines.read().unwrap(), None);
    }
}
