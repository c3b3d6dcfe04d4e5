//! `tests/bench/run`: the speed of restoring and listing, as tables.
//!
//! Ours and the original are processes, timed from their start to their end; the floor is what
//! the kernel takes for ready-made messages. Each figure is also net of the same program's start
//! on an empty table in the same boot.

mod floor;
mod inside;
mod job;
mod lines;
mod report;
mod sets;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::boot::{Guest, Kit};
use crate::lab::emulator::{Clock, Emulation};
use crate::lab::kernels::{self, Kernel};
use crate::lab::{self, ours, supervise, sys};
use job::{Job, Who};
use report::Report;
use sets::SETS;

/// The role that runs the benchmark, and that of process 1 of a guest.
const ROLE: &str = "bench";
const ROLE_INSIDE: &str = "bench-guest";

/// The variables with the job of process 1, and the number of runs.
const JOB: &str = "LAB_JOB";
const RUNS: &str = "LAB_RUNS";

/// The longest silence of a guest at work.
const PATIENCE: Duration = Duration::from_secs(600);

/// The default measurements.
const ALL: [&str; 10] = [
    "lines", "counted", "stock", "6.1", "7.2", "huge", "apply", "metrics", "watch", "million",
];

/// The place where a million connections can be read in less than an hour.
const LINEAR: Kernel = Kernel::V7_2;

/// The figures of one boot, in microseconds or KiB.
type Figures = BTreeMap<String, u64>;

/// Runs the role of this executable if it is a part of the benchmark.
pub fn play_role() -> Option<Result<ExitCode>> {
    let work = |channel: &mut _| inside::work(channel);
    match env::var(supervise::ROLE).ok()?.as_str() {
        ROLE => Some(measure()),
        ROLE_INSIDE => Some(lab::be_guest(work)),
        _ => None,
    }
}

fn measure() -> Result<ExitCode> {
    sys::die_with_parent();
    let mut parts: Vec<String> = env::args().skip(1).collect();
    if parts.is_empty() {
        parts = ALL.map(str::to_owned).into();
    }
    let kit = Kit::new(&[ours::program()?])?;
    for part in parts {
        match part.split_once('/') {
            Some((place, job)) => measure_one(&kit, place, job)?,
            None => measure_part(&kit, &part)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_part(kit: &Kit, part: &str) -> Result<()> {
    match part {
        "lines" => report::lines(lines::measure()?),
        "huge" => {
            for kernel in kernels::USER_MODE {
                let figures = Place::named(kernel.name())?.perform(kit, Job::Huge)?;
                report::huge(kernel, &figures);
            }
        }
        "apply" => {
            let figures = Place::named(LINEAR.name())?.perform(kit, Job::Apply)?;
            report::apply(LINEAR, &figures);
        }
        "metrics" => {
            let figures = Place::named(LINEAR.name())?.perform(kit, Job::Metrics)?;
            report::metrics(LINEAR, &figures);
        }
        "watch" => {
            report::watch(&Place::named("counted")?.perform(kit, Job::Watch)?);
        }
        "million" => {
            let figures = Place::named(LINEAR.name())?.perform(kit, Job::Million)?;
            report::million(LINEAR, &figures);
        }
        place => measure_all(kit, &Place::named(place)?)?,
    }
    Ok(())
}

/// A single job, for work on performance.
fn measure_one(kit: &Kit, place: &str, job: &str) -> Result<()> {
    let job = Job::parse(job).with_context(|| format!("there is no job {job}"))?;
    let figures = Place::named(place)?.perform(kit, job)?;
    report::figures(&figures);
    Ok(())
}

/// Restores and lists everything in one place.
fn measure_all(kit: &Kit, place: &Place) -> Result<()> {
    let mut report = Report::begin(&place.title());
    for set in SETS {
        let [ours, original, floor] = Who::ALL.map(|who| place.restore(kit, who, set));
        report.restore(&set, &ours?, &original?, &floor?);
    }
    for set in SETS {
        report.list(&set, &place.perform(kit, Job::List(set))?);
    }
    report.connections(&place.perform(kit, Job::Connections)?);
    report.end();
    Ok(())
}

/// A place of measurement.
struct Place {
    kernel: Kernel,
    /// How it is emulated, if at all.
    emulation: Emulation,
}

impl Place {
    fn named(name: &str) -> Result<Self> {
        let (kernel, emulation) = match name {
            "stock" => (Kernel::Stock6_1, Emulation::ONE),
            "counted" => (Kernel::Stock6_1, Emulation::COUNTED),
            "counted-7.2" => (Kernel::Stock7_2, Emulation::COUNTED),
            "four" => (Kernel::Stock6_1, Emulation::FOUR),
            "four-7.2" => (Kernel::Stock7_2, Emulation::FOUR),
            name => (kernels::parse(name)?[0], Emulation::ONE),
        };
        Ok(Place { kernel, emulation })
    }

    fn title(&self) -> String {
        let kind = match (self.kernel.is_stock(), self.emulation.clock) {
            (false, _) => return format!("Debian's user-mode kernel {}", self.kernel),
            (true, Clock::Wall) => "emulated",
            (true, Clock::Instructions) => {
                "emulated with a clock that counts instructions, 10⁹ to the second"
            }
        };
        format!("Debian's stock kernel {}, {kind}", self.kernel.version())
    }

    /// The numbers of boots and runs. Counting instructions gives the same result every time; only
    /// the kernel's cold caches make a difference.
    fn boots_and_runs(&self) -> (usize, usize) {
        match self.emulation.clock {
            Clock::Instructions => (1, 2),
            Clock::Wall => (3, 5),
        }
    }

    /// The figures of the boot whose time is the median.
    fn restore(&self, kit: &Kit, who: Who, set: sets::Set) -> Result<Figures> {
        let (count, _) = self.boots_and_runs();
        let boots = (0..count).map(|_| self.perform(kit, Job::Restore(who, set)));
        let mut boots: Vec<Figures> = boots.collect::<Result<_>>()?;
        boots.sort_by_key(|figures| figures["whole"]);
        Ok(boots.swap_remove(count / 2))
    }

    /// Does one job in a boot of its own.
    fn perform(&self, kit: &Kit, job: Job) -> Result<Figures> {
        let (_, runs) = self.boots_and_runs();
        let (job, runs) = (job.to_string(), runs.to_string());
        let variables = [(JOB, job.as_str()), (RUNS, runs.as_str())];
        let Place { kernel, emulation } = *self;
        let guest = if kernel.is_stock() {
            emulation.boot(kernel, kit, ROLE_INSIDE, &variables)?
        } else {
            Guest::boot(kernel, kit, ROLE_INSIDE, &variables)?
        };
        match collect(&guest) {
            Ok(figures) => {
                guest.wait()?;
                Ok(figures)
            }
            Err(error) => bail!(
                "{}\nin the job {job}, whose console ends with:\n{}",
                lab::explain(&error),
                guest.last_words()
            ),
        }
    }
}

/// The figures that a guest sends until it says that it is done.
fn collect(guest: &Guest) -> Result<Figures> {
    guest.link().set_read_timeout(Some(PATIENCE))?;
    let mut figures = Figures::new();
    for line in BufReader::new(guest.link()).lines() {
        let line = line.context("the kernel fell silent")?;
        let line = line.trim_end();
        if line == inside::DONE {
            return Ok(figures);
        }
        let figure = line.rsplit_once(' ').and_then(|(name, number)| {
            let number = number.parse().ok()?;
            Some((name.to_owned(), number))
        });
        figures.extend([figure.with_context(|| format!("the guest said {line:?}"))?]);
    }
    bail!("the kernel ended before its job was done")
}
