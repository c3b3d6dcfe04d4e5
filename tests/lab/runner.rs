//! Executes named tests, inside a guest or on this machine's own kernel, and streams the results.

use std::fs::File;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::kernels::{self, Kernel};
use super::world::{Counts, World};
use super::{explain, guest, supervise};

/// A test that needs a kernel.
pub struct KernelTest {
    pub name: String,
    /// The kernels it runs on; `LAB_KERNEL=host` runs every test.
    pub kernels: Vec<Kernel>,
    /// If the test takes longer, the kernel counts as hung.
    pub limit: Duration,
    /// The number of cases that take as long as this test.
    pub cost: usize,
    /// It uses the programs that people run alongside ours.
    pub needs_programs: bool,
    pub run: Body,
}

/// The body of a test.
pub type Body = Box<dyn Fn(&mut World) -> Result<()>>;

impl KernelTest {
    /// A test for all user-mode kernels that takes no more than two minutes.
    pub fn new(name: impl Into<String>, run: impl Fn(&mut World) -> Result<()> + 'static) -> Self {
        KernelTest {
            name: name.into(),
            kernels: kernels::USER_MODE.to_vec(),
            limit: Duration::from_secs(120),
            cost: 1,
            needs_programs: false,
            run: Box::new(run),
        }
    }
}

/// One line from the runner to the schedule.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// The runner is ready, on a kernel of this release.
    Ready {
        release: String,
    },
    Begin {
        test: String,
    },
    Pass {
        test: String,
        comparisons: usize,
        counts: Counts,
        shown: String,
    },
    Fail {
        test: String,
        reason: String,
    },
}

impl Message {
    pub fn to_line(&self) -> String {
        let line = match self {
            Message::Ready { release } => format!("ready {release}"),
            Message::Begin { test } => format!("begin {test}"),
            Message::Pass {
                test,
                comparisons,
                counts,
                shown,
            } => {
                let counts = counts
                    .iter()
                    .map(|(name, count)| format!("\n{count} {name}"));
                let counts: String = counts.collect();
                format!("pass {test} {comparisons}{counts}\n\n{shown}")
            }
            Message::Fail { test, reason } => format!("fail {test} {reason}"),
        };
        line.replace('\\', "\\\\").replace('\n', "\\n") + "\n"
    }

    pub fn from_line(line: &str) -> Result<Self> {
        let line = unescape(line.trim_end_matches(['\r', '\n']));
        let unknown = || anyhow!("the runner printed {line:?}");
        let (kind, rest) = line.split_once(' ').ok_or_else(unknown)?;
        let (test, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        let test = test.to_owned();
        Ok(match kind {
            "ready" => Message::Ready { release: test },
            "begin" => Message::Begin { test },
            "pass" => {
                let (detail, shown) = detail.split_once("\n\n").with_context(unknown)?;
                let (comparisons, counts) = detail.split_once('\n').unwrap_or((detail, ""));
                let counts = counts.lines().map(|line| {
                    let (count, name) = line.split_once(' ').with_context(unknown)?;
                    Ok((name.to_owned(), count.parse().with_context(unknown)?))
                });
                Message::Pass {
                    test,
                    comparisons: comparisons.parse().with_context(unknown)?,
                    counts: counts.collect::<Result<_>>()?,
                    shown: shown.to_owned(),
                }
            }
            "fail" => Message::Fail {
                test,
                reason: detail.to_owned(),
            },
            _ => return Err(unknown()),
        })
    }
}

fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(letter),
        }
    }
    text
}

/// Runs those of `tests` that are `named`, and writes a message at each step.
pub fn run(tests: &[KernelTest], named: &[&str], channel: &mut File) -> Result<()> {
    let release = guest::release()?;
    send(channel, Message::Ready { release })?;
    for name in named {
        let test = name.to_string();
        send(channel, Message::Begin { test: test.clone() })?;
        let mut world = World::default();
        let result = match tests.iter().find(|test| test.name == *name) {
            Some(test) => run_one(test, &mut world),
            None => Err(anyhow!("the runner knows no test of this name")),
        };
        supervise::kill_descendants();
        send(
            channel,
            match result {
                Ok(()) => Message::Pass {
                    test,
                    comparisons: world.comparisons,
                    counts: world.counts,
                    shown: world.shown,
                },
                Err(error) => Message::Fail {
                    test,
                    reason: explain(&error),
                },
            },
        )?;
    }
    Ok(())
}

fn run_one(test: &KernelTest, world: &mut World) -> Result<()> {
    panic::catch_unwind(AssertUnwindSafe(|| (test.run)(world))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("panicked: {}", text.unwrap_or("without a text")))
    })
}

fn send(channel: &mut File, message: Message) -> Result<()> {
    channel.write_all(message.to_line().as_bytes())?;
    Ok(())
}
