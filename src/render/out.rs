//! A buffer for the layout of rows, written to its sink in large blocks.

use std::io::{self, Write};

/// Rows are gathered up to this size.
const LARGE: usize = 64 * 1024;

/// The number of blanks that are written at once. Most gaps are not wider.
const NARROW: usize = 16;

pub struct Out<'a> {
    buffer: Vec<u8>,
    sink: &'a mut dyn Write,
}

impl<'a> Out<'a> {
    pub fn new(sink: &'a mut dyn Write) -> Self {
        Self {
            buffer: Vec::with_capacity(LARGE + 1024),
            sink,
        }
    }

    pub fn text(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.buffer.extend_from_slice(text.as_ref());
        self
    }

    pub fn number(&mut self, number: impl itoa::Integer) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }

    /// `%-*s`: text, then blanks up to a width.
    pub fn left(&mut self, text: impl AsRef<[u8]>, width: usize) -> &mut Self {
        let start = self.buffer.len();
        self.text(text).pad(start, width)
    }

    /// `%-*u`: a number, then blanks up to a width.
    pub fn left_number(&mut self, number: impl itoa::Integer, width: usize) -> &mut Self {
        self.left(itoa::Buffer::new().format(number), width)
    }

    /// `%*s`: blanks, then text that ends at a width.
    pub fn right(&mut self, text: impl AsRef<[u8]>, width: usize) -> &mut Self {
        let blanks = width.saturating_sub(text.as_ref().len());
        self.blanks(blanks).text(text)
    }

    /// `%*u`: blanks, then a number that ends at a width.
    pub fn right_number(&mut self, number: impl itoa::Integer, width: usize) -> &mut Self {
        self.right(itoa::Buffer::new().format(number), width)
    }

    /// The position of the next byte; for `pad`, `cut` and `take`.
    pub fn mark(&self) -> usize {
        self.buffer.len()
    }

    /// Blanks up to a width counted from a mark.
    pub fn pad(&mut self, mark: usize, width: usize) -> &mut Self {
        let blanks = (mark + width).saturating_sub(self.buffer.len());
        self.blanks(blanks)
    }

    /// Drops the text beyond a width from a mark.
    pub fn cut(&mut self, mark: usize, width: usize) -> &mut Self {
        self.buffer.truncate(mark + width);
        self
    }

    /// The text not yet written to the sink.
    pub fn unwritten(&self) -> &[u8] {
        &self.buffer
    }

    /// Removes and returns the text after a mark.
    pub fn take(&mut self, mark: usize) -> Vec<u8> {
        self.buffer.split_off(mark)
    }

    /// Ends a row; a full buffer is written.
    pub fn end_row(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= LARGE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the buffer. After an error the rest is dropped: writing it again might repeat a part
    /// that was written.
    pub fn flush(&mut self) -> io::Result<()> {
        let written = self.sink.write_all(&self.buffer);
        self.buffer.clear();
        written.and_then(|()| self.sink.flush())
    }

    /// Most gaps are narrow: writing a few blanks too many and cutting them off is fastest.
    fn blanks(&mut self, count: usize) -> &mut Self {
        let end = self.buffer.len() + count;
        if count <= NARROW {
            self.text([b' '; NARROW]);
        }
        self.buffer.resize(end, b' ');
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose first write fails because the disk is full.
    struct Full<'a> {
        text: &'a mut Vec<u8>,
        is_full: bool,
    }

    impl Write for Full<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.text.len() == 3 && !self.is_full {
                self.is_full = true;
                return Err(io::ErrorKind::StorageFull.into());
            }
            let length = bytes.len().min(3);
            self.text.extend(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_written_twice() {
        let mut text = Vec::new();
        let mut full = Full {
            text: &mut text,
            is_full: false,
        };
        let mut out = Out::new(&mut full);
        out.text("abcdef").flush().unwrap_err();
        out.text("ghi").flush().unwrap();
        assert_eq!(text, b"abcghi");
    }
}
