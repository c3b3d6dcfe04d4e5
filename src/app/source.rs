//! The source of lines: standard input, or a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use super::{Env, Medium};
use crate::error::{Error, Word};
use crate::lines::Lines;

/// The most lines of a file that is read completely before anything is done.
const MOST_LINES: usize = 1_000_000;

pub struct Source {
    pub lines: Lines<Box<dyn Read>>,
    /// The number of lines returned so far.
    numbered: usize,
    pub medium: Medium,
    /// Turns a read error into an error of the program.
    pub unreadable: Box<dyn Fn(io::Error) -> Error>,
}

impl Source {
    /// A file by its path, or standard input.
    pub fn open(env: &mut Env, file: Option<&[u8]>) -> Result<Self, Error> {
        let Some(path) = file else {
            return Ok(Self {
                lines: Lines::new(env.take_stdin()),
                numbered: 0,
                medium: (env.stdin.medium)(),
                unreadable: Box::new(Error::Read),
            });
        };
        let name = Word::from(path);
        let unreadable = move |source| Error::ReadFile {
            file: name.clone(),
            source,
        };
        let file = File::open(OsStr::from_bytes(path)).map_err(&unreadable)?;
        Ok(Self {
            medium: Medium::of(&file),
            lines: Lines::new(Box::new(file)),
            numbered: 0,
            unreadable: Box::new(unreadable),
        })
    }

    /// The next line and its number. Endless input is an error, or it would fill the memory.
    pub fn line(&mut self) -> Result<Option<(usize, &[u8])>, Error> {
        let Some(line) = self.lines.read().map_err(&self.unreadable)? else {
            return Ok(None);
        };
        self.numbered += 1;
        if self.numbered > MOST_LINES {
            return Err(Error::TooManyLines(MOST_LINES));
        }
        Ok(Some((self.numbered, line)))
    }

    /// The number of lines left, if they can be counted without waiting for more.
    pub fn lines_left(&mut self) -> Option<usize> {
        if self.medium != Medium::File && !self.lines.ended() {
            return None;
        }
        let mut count = 0;
        while self.lines.read().ok()?.is_some() {
            count += 1;
        }
        Some(count)
    }
}
