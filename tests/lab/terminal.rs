//! A program at a terminal: a test sends keys and reads the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::picture;
use super::sys::{self, Event};

const ROWS: NonZero<u16> = NonZero::new(50).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

/// How long a screen may take until it is as expected.
const PATIENCE: Duration = Duration::from_secs(60);

/// A screen counts as at rest after this long without output.
const QUIET: Duration = Duration::from_millis(60);

/// A terminal with a program, which is killed on drop.
pub struct Terminal {
    program: Child,
    line: File,
    screen: vt100::Parser,
}

impl Terminal {
    /// Starts a program as a session leader at a new terminal.
    pub fn start(mut command: Command) -> Result<Self> {
        let (line, theirs) = sys::open_terminal(ROWS.get(), COLUMNS.get())?;
        command.env("TERM", "xterm");
        command.stdin(theirs.try_clone()?);
        command.stdout(theirs.try_clone()?);
        command.stderr(theirs);
        Ok(Terminal {
            program: sys::start_session(&mut command)?,
            line,
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
        })
    }

    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.line.write_all(keys.as_bytes())?;
        Ok(())
    }

    /// The process id of the program.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Closes the terminal, and waits for the end of the program.
    pub fn hang_up(&mut self) -> Result<()> {
        self.line = File::open("/dev/null")?;
        let start = Instant::now();
        while self.program.try_wait()?.is_none() {
            ensure!(start.elapsed() < PATIENCE, "the program has not ended");
            thread::sleep(QUIET);
        }
        Ok(())
    }

    pub fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        let screen = self.screen.screen_mut();
        screen.set_size(rows.try_into()?, columns.try_into()?);
        Ok(sys::resize_terminal(&self.line, rows, columns)?)
    }

    /// The non-empty rows of the screen, without trailing blanks.
    pub fn screen(&self) -> String {
        let contents = self.screen.screen().contents();
        let rows = contents.lines().map(str::trim_end);
        let shown = rows.filter(|row| !row.is_empty());
        shown.map(|row| format!("{row}\n")).collect()
    }

    /// The highlighted part of the row with this text.
    pub fn reversed(&self, text: &str) -> String {
        let screen = self.screen.screen();
        let columns = screen.size().1.get();
        let row = screen.rows(0, columns).position(|row| row.contains(text));
        let cells = (0..columns).filter_map(|column| screen.cell(row? as u16, column));
        let reversed = cells.filter(|cell| cell.inverse());
        reversed.map(vt100::Cell::contents).collect()
    }

    /// A picture of the screen.
    pub fn picture(&self) -> String {
        picture::svg(self.screen.screen())
    }

    pub fn has_cursor(&self) -> bool {
        !self.screen.screen().hide_cursor()
    }

    /// Waits until the screen is at rest and as expected; returns it as the error otherwise.
    pub fn wait(&mut self, wanted: impl Fn(&str) -> bool) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.watch() {
                Seen::Rest | Seen::End if wanted(&self.screen()) => return Ok(()),
                Seen::End => break,
                Seen::Rest | Seen::Change => {}
            }
        }
        Err(self.screen())
    }

    /// The screen after the program has ended.
    pub fn end(&mut self) -> Result<String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Seen::End = self.watch() {
                return Ok(self.screen());
            }
        }
        bail!("the program has not ended; it showed\n{}", self.screen());
    }

    /// Lets the program write to the screen, once.
    fn watch(&mut self) -> Seen {
        let event = [(self.line.as_fd(), Event::Readable)];
        if let Ok(None) = sys::wait_first(&event, Some(QUIET)) {
            return Seen::Rest;
        }
        let mut buffer = [0; 4096];
        match self.line.read(&mut buffer) {
            // Linux reports an error for a terminal that no process has open.
            Ok(0) | Err(_) => Seen::End,
            Ok(length) => {
                self.screen.process(&buffer[..length]);
                Seen::Change
            }
        }
    }
}

/// Events on a screen.
enum Seen {
    Rest,
    Change,
    End,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
