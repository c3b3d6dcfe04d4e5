//! Feeds a surface: watches for panics, hangs and growing memory.

use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::coverage;
use crate::mill::Mill;
use crate::random::Random;

/// The number of inputs, the number of the first, and the sequence.
const INPUTS: &str = "FUZZ_INPUTS";
const FIRST: &str = "FUZZ_FIRST";
const SEED: &str = "FUZZ_SEED";

/// The time limit for each input.
const PATIENCE: Duration = Duration::from_secs(20);

/// This much more memory than after the first tenth is a leak.
const MOST_GROWTH: u64 = 64 << 20;

/// Takes an input and a source of randomness; panics if the result is wrong.
pub type Reader = Box<dyn FnMut(&[u8], &mut Random)>;

/// A parser, and examples to try it with.
pub struct Surface {
    pub name: &'static str,
    /// The number of inputs in a test of one second.
    pub quick: u64,
    pub mill: fn() -> Mill,
    pub open: fn() -> Result<Reader>,
}

impl Surface {
    pub fn drive(&self) -> Result<()> {
        let long = number(INPUTS)?;
        let inputs = long.unwrap_or(self.quick);
        let (first, seed) = (number(FIRST)?.unwrap_or(0), number(SEED)?.unwrap_or(1));
        let (mill, mut take) = ((self.mill)(), (self.open)()?);
        let watch = Watch::begin(self.name, first);
        let start = Instant::now();
        let mut memory = None;
        let mut input = Vec::new();
        for index in first..first + inputs {
            watch.at.store(index, Ordering::Relaxed);
            let mut random = Random::new(seed, index);
            mill.grind(&mut random, &mut input);
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| take(&input, &mut random)));
            outcome.map_err(|_| {
                let input = input.escape_ascii();
                anyhow!("{SEED}={seed} {FIRST}={index} {INPUTS}=1 is: \"{input}\"")
            })?;
            let done = index - first + 1;
            if done * 10 / inputs > (done - 1) * 10 / inputs {
                let now = resident()?;
                let before = *memory.get_or_insert(now);
                ensure!(
                    now < before + MOST_GROWTH,
                    "memory grew from {before} to {now} bytes"
                );
                if long.is_some() {
                    println!(
                        "{}: {done} inputs in {} s, {} MiB, {}",
                        self.name,
                        start.elapsed().as_secs(),
                        now >> 20,
                        coverage::told()
                    );
                }
            }
        }
        Ok(())
    }
}

/// A thread that ends the process if one input takes too long.
struct Watch {
    at: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn begin(name: &'static str, first: u64) -> Self {
        let watch = Self {
            at: Arc::new(AtomicU64::new(first)),
            over: Arc::default(),
        };
        let (at, over) = (watch.at.clone(), watch.over.clone());
        thread::spawn(move || {
            let (mut last, mut since) = (first, Instant::now());
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                let now = at.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    eprintln!("{name} hangs: {FIRST}={now} {INPUTS}=1");
                    process::abort();
                }
            }
        });
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn number(variable: &str) -> Result<Option<u64>> {
    let Some(text) = env::var_os(variable) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    Ok(Some(
        number.with_context(|| format!("{variable} is no number"))?,
    ))
}

/// The memory of this process.
fn resident() -> Result<u64> {
    const PAGE: u64 = 4096;
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).context("no size in statm")?;
    Ok(pages.parse::<u64>()? * PAGE)
}
