//! Where lines come from: standard input, or a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;

use super::Env;
use crate::error::{Error, Word};
use crate::lines::Lines;

pub struct Source {
    pub lines: Lines<Box<dyn Read>>,
    pub is_terminal: bool,
    /// What an error of reading them is to the program.
    pub unreadable: Box<dyn Fn(io::Error) -> Error>,
}

impl Source {
    pub fn stdin(env: &mut Env) -> Self {
        Self {
            lines: Lines::new(env.take_stdin()),
            is_terminal: (env.stdin.is_terminal)(),
            unreadable: Box::new(Error::Read),
        }
    }

    /// A file by its path; `-` is standard input.
    pub fn file(env: &mut Env, path: &[u8]) -> Result<Self, Error> {
        if path == b"-" {
            return Ok(Self::stdin(env));
        }
        let name = Word::from(path);
        let unreadable = move |source| Error::ReadFile {
            file: name.clone(),
            source,
        };
        let file = File::open(OsStr::from_bytes(path)).map_err(&unreadable)?;
        Ok(Self {
            is_terminal: file.is_terminal(),
            lines: Lines::new(Box::new(file)),
            unreadable: Box::new(unreadable),
        })
    }
}
