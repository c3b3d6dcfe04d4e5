//! The program's own cost per line: from its bytes to a message that is not delivered.

use std::fs;
use std::io::{self, Cursor};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ipvsadm::command::Command;
use ipvsadm::kernel::{Batch, Client, Inbox, Room, Transport};
use ipvsadm::lines::Lines;
use ipvsadm::names::Names;
use ipvsadm::rules;

use super::sets::Set;
use crate::lab::sys;

const RUNS: usize = 5;

/// The number of lines is that of the entries of this set.
const SET: Set = Set {
    services: 10_000,
    servers: 9,
    scheduler: "wrr",
    name: "10000x9",
};

/// The user time of one line, the best of some runs, and the peak memory in KiB.
pub fn measure() -> Result<(Duration, u64)> {
    let mut text = Vec::new();
    SET.write_lines(&mut text)?;
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let before = sys::user_time();
        restore(&text)?;
        best = best.min(sys::user_time() - before);
    }
    Ok((best / SET.entries() as u32, peak_kib()?))
}

/// The peak memory of this process. The system's own figure includes the peak of the parent
/// process.
fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no memory is accounted for")?.parse()?)
}

fn restore(text: &[u8]) -> Result<()> {
    let names = Names::system();
    let mut batch = Batch::new(Client::over(Box::new(Nobody::default()))?)?;
    let mut lines = Lines::new(Cursor::new(text));
    let mut number = 0;
    let refused = |_, _| unreachable!("nobody refuses anything");
    while let Some(line) = lines.read()? {
        number += 1;
        let command = rules::read(line, &names);
        match command.map_err(|error| anyhow::anyhow!("{}", error.message().escape_ascii()))? {
            Some(Command::Change(change)) => batch.push(number, &change, refused)?,
            _ => bail!("line {number} adds nothing"),
        }
    }
    Ok(batch.send(refused)?)
}

/// A kernel that accepts everything and does nothing.
#[derive(Default)]
struct Nobody {
    answer: Vec<u8>,
}

impl Transport for Nobody {
    /// Answers the last message, which asks for the family or for the version.
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        let last = &messages[messages.len().saturating_sub(20)..];
        let is_first = self.answer.is_empty();
        self.answer = [44_u32.to_ne_bytes(), [0x20, 0, 0, 0]].concat();
        self.answer.extend(if is_first {
            &messages[8..12]
        } else {
            &last[8..12]
        });
        self.answer.extend([0; 4]);
        self.answer.extend([14, 1, 0, 0]);
        if is_first {
            self.answer.extend([6, 0, 1, 0, 0x20, 0, 0, 0])
        } else {
            self.answer.extend([8, 0, 1, 0, 1, 2, 1, 0])
        }
        self.answer.extend([8, 0, 2, 0, 0, 16, 0, 0]);
        let length = self.answer.len() as u32;
        self.answer[..4].copy_from_slice(&length.to_ne_bytes());
        Ok(())
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let [slot, ..] = inbox.empty_slots();
        slot[..self.answer.len()].copy_from_slice(&self.answer);
        inbox.filled(self.answer.len(), 0);
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        Ok(Room {
            send: 1024 * 1024,
            receive: 8 * 1024 * 1024,
        })
    }

    fn get_option(&mut self, _: i32, _: &mut [u8]) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }

    fn set_option(&mut self, _: i32, _: &[u8]) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }

    fn uses(&mut self) -> Option<usize> {
        None
    }
}
