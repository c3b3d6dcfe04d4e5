//! The outside of a run: distributes tests to kernels, two at once on two cores, and collects the
//! results.

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::boot::{Guest, Kit, cores};
use super::kernels::Kernel;
use super::runner::{KernelTest, Message};
use super::world::Counts;
use super::{explain, fetch, guest};

/// The share of one boot: a hundred cases take a minute on the slowest kernel, a boot seconds.
const COST_PER_BOOT: usize = 100;

/// How long a kernel may take until its runner is ready: an emulated one is slow.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// The outcome of one test.
pub type Outcome = Result<(), String>;

/// A test to be run on one kernel.
pub struct Order {
    name: String,
    limit: Duration,
    cost: usize,
    needs_programs: bool,
    outcome: Sender<Outcome>,
}

impl Order {
    pub fn new(test: &KernelTest) -> (Self, Receiver<Outcome>) {
        let (outcome, receiver) = mpsc::channel();
        (
            Order {
                name: test.name.clone(),
                limit: test.limit,
                cost: test.cost,
                needs_programs: test.needs_programs,
                outcome,
            },
            receiver,
        )
    }
}

/// The results of one kernel.
#[derive(Default)]
pub struct Tally {
    pub releases: Vec<String>,
    pub passed: usize,
    pub failed: usize,
    pub comparisons: usize,
    pub counts: Counts,
    /// Output of passed tests.
    pub shown: BTreeMap<String, String>,
    /// The duration of each test.
    pub times: Vec<(Duration, String)>,
}

impl Tally {
    pub fn count(&mut self, is_passed: bool) {
        if is_passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// The results by kernel.
pub type Tallies = BTreeMap<Kernel, Tally>;

/// Tests that are running in the background.
pub struct Run {
    workers: Vec<JoinHandle<()>>,
    tallies: Arc<Mutex<Tallies>>,
}

impl Run {
    /// Starts the orders of each kernel, on as many guests at once as there are cores.
    pub fn start(kit: Arc<Kit>, orders: Vec<(Kernel, Vec<Order>)>) -> Self {
        let mut batches = VecDeque::new();
        for (kernel, orders) in orders {
            let boots = split(orders).into_iter();
            batches.extend(boots.map(|orders| (kernel, orders)));
        }
        let batches = Arc::new(Mutex::new(batches));
        let tallies = Arc::new(Mutex::new(Tallies::new()));
        let worker = |_| {
            let (kit, batches, tallies) = (kit.clone(), batches.clone(), tallies.clone());
            thread::spawn(move || {
                let next = || batches.lock().unwrap().pop_front();
                while let Some((kernel, orders)) = next() {
                    Batch {
                        kit: &kit,
                        kernel,
                        orders,
                        tallies: &tallies,
                    }
                    .run();
                }
            })
        };
        Run {
            workers: (0..cores()).map(worker).collect(),
            tallies,
        }
    }

    /// Waits for the last test.
    pub fn finish(self) -> Tallies {
        for worker in self.workers {
            worker.join().expect("a worker of the lab panicked");
        }
        std::mem::take(&mut self.tallies.lock().unwrap())
    }
}

/// Distributes tests to boots, in order.
fn split(orders: Vec<Order>) -> Vec<VecDeque<Order>> {
    let mut boots = Vec::new();
    let mut room = 0;
    let mut last_needs_programs = false;
    for order in orders {
        // If the programs are not available, only the tests that need them fail.
        if room < order.cost || order.needs_programs != last_needs_programs {
            last_needs_programs = order.needs_programs;
            boots.push(VecDeque::new());
            room = COST_PER_BOOT;
        }
        room = room.saturating_sub(order.cost);
        boots.last_mut().expect("there is one").push_back(order);
    }
    boots
}

/// Tests that share a boot, unless one of them kills the kernel.
struct Batch<'a> {
    kit: &'a Kit,
    kernel: Kernel,
    orders: VecDeque<Order>,
    tallies: &'a Mutex<Tallies>,
}

impl Batch<'_> {
    /// Runs all tests; one that kills the kernel has failed, and the rest get a new kernel.
    fn run(mut self) {
        while !self.orders.is_empty() {
            let before = self.orders.len();
            let mut running = None;
            let Err(error) = self.run_on_one_boot(&mut running) else {
                continue;
            };
            let reason = explain(&error);
            if let Some(order) = running {
                self.report(order, 0, Err(reason));
            } else if self.orders.len() == before {
                for order in std::mem::take(&mut self.orders) {
                    self.report(order, 0, Err(reason.clone()));
                }
            }
        }
    }

    fn run_on_one_boot(&mut self, running: &mut Option<Order>) -> Result<()> {
        let names: Vec<&str> = self
            .orders
            .iter()
            .map(|order| order.name.as_str())
            .collect();
        let list = self.kit.write_list(&names)?;
        let mut variables = vec![(guest::TESTS, list.as_str())];
        let settings = guest::SETTINGS.map(|name| (name, env::var(name)));
        for (name, value) in &settings {
            variables.extend(value.as_deref().ok().map(|value| (*name, value)));
        }
        let programs = self.programs()?;
        variables.extend(programs.iter().map(|path| (guest::PROGRAMS, path.as_str())));
        let guest = match self.kernel {
            Kernel::Host => Guest::here(self.kit, &variables)?,
            kernel => Guest::boot(kernel, self.kit, guest::GUEST_ROLE, &variables)?,
        };
        match self.converse(guest.link(), running) {
            Ok(()) => guest.wait(),
            Err(error) => bail!(
                "{}\nthe console of {} ends with:\n{}",
                explain(&error),
                self.kernel,
                guest.last_words()
            ),
        }
    }

    /// The folder of the programs that people run alongside ours, if a test needs them.
    fn programs(&self) -> Result<Option<String>> {
        let is_needed = self.orders.iter().any(|order| order.needs_programs);
        let folder = is_needed.then(fetch::programs).transpose()?;
        Ok(folder.map(|folder| folder.display().to_string()))
    }

    /// Follows the runner from test to test.
    fn converse(&mut self, link: &UnixStream, running: &mut Option<Order>) -> Result<()> {
        let mut lines = BufReader::new(link);
        match next_message(&mut lines, BOOT_LIMIT).context("the kernel did not start the tests")? {
            Message::Ready { release } => self.note_release(release),
            other => bail!("the runner began with {other:?}"),
        }
        while let Some(order) = self.orders.pop_front() {
            let (name, limit) = (order.name.clone(), order.limit);
            *running = Some(order);
            let begin = next_message(&mut lines, BOOT_LIMIT)?;
            if begin != (Message::Begin { test: name.clone() }) {
                bail!("the runner printed {begin:?} instead of beginning {name}");
            }
            let start = Instant::now();
            let result = next_message(&mut lines, limit)
                .with_context(|| format!("the kernel did not finish {name}"))?;
            self.note_time(name.clone(), start.elapsed());
            let order = running.take().expect("it was put there above");
            match result {
                Message::Pass {
                    test,
                    comparisons,
                    counts,
                    shown,
                } if test == name => {
                    self.note_counts(counts);
                    self.note_shown(name, shown);
                    self.report(order, comparisons, Ok(()));
                }
                Message::Fail { test, reason } if test == name => {
                    self.report(order, 0, Err(reason));
                }
                other => bail!("the runner printed {other:?} in {name}"),
            }
        }
        Ok(())
    }

    fn note_release(&self, release: String) {
        let mut tallies = self.tallies.lock().unwrap();
        let releases = &mut tallies.entry(self.kernel).or_default().releases;
        if !releases.contains(&release) {
            releases.push(release);
        }
    }

    fn note_counts(&self, counts: Counts) {
        let mut tallies = self.tallies.lock().unwrap();
        let all = &mut tallies.entry(self.kernel).or_default().counts;
        for (name, count) in counts {
            *all.entry(name).or_default() += count;
        }
    }

    fn note_time(&self, test: String, time: Duration) {
        let mut tallies = self.tallies.lock().unwrap();
        let times = &mut tallies.entry(self.kernel).or_default().times;
        times.push((time, test));
    }

    fn note_shown(&self, test: String, shown: String) {
        if !shown.is_empty() {
            let mut tallies = self.tallies.lock().unwrap();
            let tally = tallies.entry(self.kernel).or_default();
            tally.shown.insert(test, shown);
        }
    }

    fn report(&self, order: Order, comparisons: usize, outcome: Outcome) {
        let mut tallies = self.tallies.lock().unwrap();
        let tally = tallies.entry(self.kernel).or_default();
        tally.comparisons += comparisons;
        tally.count(outcome.is_ok());
        // The receiver may no longer be waiting, which is fine.
        let _ = order.outcome.send(outcome);
    }
}

fn next_message(lines: &mut BufReader<&UnixStream>, limit: Duration) -> Result<Message> {
    lines.get_ref().set_read_timeout(Some(limit))?;
    let mut line = String::new();
    match lines.read_line(&mut line) {
        Ok(0) => bail!("it ended: a panic, or it was killed"),
        Ok(_) => Message::from_line(&line),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            bail!("nothing happened for {} seconds: it hangs", limit.as_secs())
        }
        Err(error) => Err(error.into()),
    }
}

static LISTS: AtomicUsize = AtomicUsize::new(0);

impl Kit {
    /// Writes the names of tests for a guest to read; returns the name of the file.
    fn write_list(&self, names: &[&str]) -> Result<String> {
        let name = format!("tests-{}", LISTS.fetch_add(1, Ordering::Relaxed));
        fs::write(self.path().join(&name), names.join("\n"))?;
        Ok(name)
    }
}
