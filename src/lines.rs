//! Reads lines of almost any length, as they arrive.

use std::io::{self, Read};

use memchr::memchr;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// The longest line, so that input without newlines does not fill the memory.
const LONGEST: usize = 16 * 1024 * 1024;

/// Returns one line at a time, and keeps only what was read ahead.
pub struct Lines<R> {
    input: R,
    /// The bytes that were read, and free space after them.
    text: Vec<u8>,
    /// The number of bytes in `text` that were read.
    length: usize,
    /// Where the next line begins in `text`.
    next: usize,
    /// How far the end of that line has been searched for.
    searched: usize,
    /// How many lines were returned.
    given: usize,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            text: Vec::new(),
            length: 0,
            next: 0,
            searched: 0,
            given: 0,
            ended: false,
        }
    }

    /// The next line without its newline. The last line may lack it.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        while !self.find() {
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
        Ok(Some(self.take()))
    }

    /// The next line, if it is available without reading.
    pub fn at_hand(&mut self) -> Option<&[u8]> {
        self.find().then(|| self.take())
    }

    /// The line that was found.
    fn take(&mut self) -> &[u8] {
        let (start, end) = (self.next, self.searched);
        self.searched = self.length.min(end + 1);
        self.next = self.searched;
        self.given += 1;
        &self.text[start..end]
    }

    /// Whether everything has been read. The last line may still be in the buffer.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Reads once, as much as is available.
    pub fn fill(&mut self) -> io::Result<()> {
        if self.next > 0 {
            self.text.copy_within(self.next..self.length, 0);
            self.length -= self.next;
            self.searched -= self.next;
            self.next = 0;
        }
        if self.length > LONGEST {
            let line = self.given + 1;
            return Err(io::Error::other(format!(
                "line {line} is longer than 16 MiB"
            )));
        }
        // Short reads, as from some files in `/proc`, do not grow the buffer each time.
        if self.text.len() < self.length + CHUNK / 2 {
            self.text.resize(self.length + CHUNK, 0);
        }
        let length = loop {
            match self.input.read(&mut self.text[self.length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.length += length;
        self.ended = length == 0;
        Ok(())
    }

    /// Moves `searched` to the end of the next line, if that is known.
    fn find(&mut self) -> bool {
        let rest = &self.text[self.searched..self.length];
        let found = memchr(b'\n', rest);
        self.searched += found.unwrap_or(rest.len());
        found.is_some() || (self.ended && self.next < self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns its text in pieces, as a pipe may.
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
    fn buffered_lines_need_no_reading() {
        let mut lines = Lines::new(Pieces(&[b"one\ntwo\nth", b"ree"]));
        assert_eq!(lines.at_hand(), None);
        lines.fill().unwrap();
        assert_eq!(lines.at_hand(), Some(&b"one"[..]));
        assert_eq!(lines.at_hand(), Some(&b"two"[..]));
        assert_eq!(lines.at_hand(), None);
        lines.fill().unwrap();
        assert_eq!(lines.at_hand(), None);
        assert!(!lines.ended());
        lines.fill().unwrap();
        assert!(lines.ended());
        assert_eq!(lines.at_hand(), Some(&b"three"[..]));
        assert_eq!(lines.at_hand(), None);
    }

    #[test]
    #[cfg_attr(miri, ignore)] // It takes an hour there.
    fn what_has_no_lines_is_not_read_to_its_end() {
        let mut lines = Lines::new(b"one\n".chain(io::repeat(b'x')));
        assert_eq!(lines.read().unwrap(), Some(&b"one"[..]));
        let error = lines.read().unwrap_err();
        assert_eq!(error.to_string(), "line 2 is longer than 16 MiB");
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
