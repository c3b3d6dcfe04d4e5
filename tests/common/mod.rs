//! The whole program, run in this process.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use ipvsadm::app::{self, Env};

/// The result of a run of the program. Its text has the format of `tests/cases`.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub status: u8,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Runs a line, which begins with the program's name, in a world that contains only what `prepare`
/// adds.
pub fn run(line: &str, prepare: impl FnOnce(&mut Env)) -> Ran {
    let (stdout, stderr) = (Sink::default(), Sink::default());
    let mut env = Env::empty();
    env.stdout.sink = Box::new(stdout.clone());
    env.stderr.sink = Box::new(stderr.clone());
    prepare(&mut env);
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    Ran {
        status: app::run(&words, &mut env),
        stdout: stdout.0.take(),
        stderr: stderr.0.take(),
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mark, text) in [("|", &self.stdout), ("!", &self.stderr)] {
            for line in String::from_utf8_lossy(text).split_inclusive('\n') {
                write!(f, "{mark} {line}")?;
                if !line.ends_with('\n') {
                    writeln!(f, "(no newline)")?;
                }
            }
        }
        match self.status {
            0 => Ok(()),
            status => writeln!(f, "= {status}"),
        }
    }
}

#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
