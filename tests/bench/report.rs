//! The figures as a table.

use std::time::Duration;

use super::Figures;
use super::job::{METRICS, QUESTIONS, VIEWS};
use super::sets::Set;
use crate::lab::kernels::Kernel;

/// The results of a place so far.
pub struct Report {
    /// The startup times in all boots, in microseconds: ours and the original's.
    starts: [Vec<u64>; 2],
}

/// A time, total and net of the startup.
#[derive(Clone, Copy)]
struct Time {
    whole: u64,
    net: u64,
}

impl Time {
    fn new(whole: u64, start: u64) -> Self {
        Time {
            whole,
            net: whole.saturating_sub(start),
        }
    }
}

const PROGRAMS: [&str; 2] = ["ours", "original"];

impl Report {
    pub fn begin(title: &str) -> Self {
        println!("\n{title}. Seconds, whole (net of the start); peak memory in MiB.\n");
        println!(
            "| {:<24} | {:<15} | {:<15} | {:<7} | original/ours | ours/floor | {:<11} |",
            "", "ours", "original", "floor", "MiB"
        );
        println!("|{}", "---|".repeat(7));
        Report {
            starts: Default::default(),
        }
    }

    pub fn restore(&mut self, set: &Set, ours: &Figures, original: &Figures, floor: &Figures) {
        self.note_starts(ours);
        let name = format!("restore {}", set.name);
        let times = [(ours, "ours"), (original, "original")]
            .map(|(figures, who)| Time::new(figures["whole"], figures[&format!("start {who}")]));
        let memory = [ours, original].map(|figures| figures["whole memory"]);
        row(&name, times, floor["whole"], memory);
    }

    pub fn list(&mut self, set: &Set, figures: &Figures) {
        self.note_starts(figures);
        for view in VIEWS {
            let name = format!("{view} of {}", set.name);
            self.listing(&name, view, figures["floor"], figures);
        }
    }

    pub fn connections(&mut self, figures: &Figures) {
        self.note_starts(figures);
        let floor = figures["floor"].saturating_sub(figures["start floor"]);
        self.listing("-Lnc of 100,000", "-Lnc", floor, figures);
    }

    fn listing(&self, name: &str, view: &str, floor: u64, figures: &Figures) {
        let times = PROGRAMS.map(|who| {
            Time::new(
                figures[&format!("{view} {who}")],
                figures[&format!("start {who}")],
            )
        });
        let memory = PROGRAMS.map(|who| figures[&format!("{view} {who} memory")]);
        row(name, times, floor, memory);
    }

    fn note_starts(&mut self, figures: &Figures) {
        for (starts, who) in self.starts.iter_mut().zip(PROGRAMS) {
            starts.push(figures[&format!("start {who}")]);
        }
    }

    /// The last row: the best start of all boots.
    pub fn end(self) {
        let [ours, original] = self.starts.map(|starts| starts.into_iter().min());
        let (ours, original) = (ours.unwrap_or(0), original.unwrap_or(0));
        println!(
            "| {:<24} | {:<15} | {:<15} | {:<7} | {:<13} | {:<10} | {:<11} |",
            "start",
            format!("{:.4}", seconds(ours)),
            format!("{:.4}", seconds(original)),
            "",
            ratio(original, ours),
            "",
            ""
        );
    }
}

fn row(name: &str, [ours, original]: [Time; 2], floor: u64, memory: [u64; 2]) {
    let time = |time: Time| format!("{:.3} ({:.3})", seconds(time.whole), seconds(time.net));
    let [ours_memory, original_memory] = memory.map(|kib| format!("{:.1}", kib as f64 / 1024.0));
    println!(
        "| {name:<24} | {:<15} | {:<15} | {:<7} | {:<13} | {:<10} | {:<11} |",
        time(ours),
        time(original),
        format!("{:.3}", seconds(floor)),
        ratio(original.net, ours.net),
        ratio(ours.net, floor),
        format!("{ours_memory} / {original_memory}")
    );
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

fn ratio(one: u64, other: u64) -> String {
    format!("{:.2}", one as f64 / other.max(1) as f64)
}

/// Figures in the order of arrival.
pub fn figures(figures: &Figures) {
    for (name, number) in figures {
        println!("{name}: {number}");
    }
}

/// 100,000 services on one kernel.
pub fn huge(kernel: Kernel, figures: &Figures) {
    print!(
        "100,000 services on {kernel}: netlink's list alone takes {:.2} s",
        seconds(figures["floor"])
    );
    for view in VIEWS {
        print!(
            "; {view} {:.2} s, {:.0} MiB",
            seconds(figures[view]),
            figures[&format!("{view} memory")] as f64 / 1024.0
        );
    }
    println!();
}

/// Applying a file that matches the table, and one with another weight.
pub fn apply(kernel: Kernel, figures: &Figures) {
    let [check, save, same, weight, lines] =
        ["check", "-Sn", "same", "weight", "lines"].map(|name| figures[name]);
    println!(
        "10,000 x 10 on {kernel}: --check of the file {:.3} s, -Sn {:.3} s; --apply of it {:.3} s, \
         which is {} times as much as both; with another weight {:.3} s",
        seconds(check),
        seconds(save),
        seconds(same),
        ratio(same, check + save),
        seconds(weight)
    );
    println!(
        "--check of a million lines: {:.2} s, {:.0} MiB",
        seconds(lines),
        figures["lines memory"] as f64 / 1024.0
    );
}

/// Metrics of 10,000 services with 10 servers each.
pub fn metrics(kernel: Kernel, figures: &Figures) {
    let [stats, metrics] = METRICS.map(|view| figures[view]);
    println!(
        "10,000 x 10 on {kernel}: {} {:.3} s; {} {:.3} s, which is {} times as much; \
         to write as many bytes takes {:.3} s",
        METRICS[0],
        seconds(stats),
        METRICS[1],
        seconds(metrics),
        ratio(metrics, stats),
        seconds(figures["writes"])
    );
}

/// 1,000 services with 2 servers each on a screen, by a clock that counts instructions.
pub fn watch(figures: &Figures) {
    let share = figures["processor"] as f64 / figures["whole"] as f64;
    // It looks twice a second.
    let floor = 2.0 * seconds(figures["floor"]);
    // At 10⁹ instructions to the second.
    println!(
        "1,000 x 2: --watch 1 takes {:.1} million instructions a second, netlink's lists alone \
         {:.1}; of a core that does 3 * 10⁹ that is {:.2} %",
        share * 1e3,
        floor * 1e3,
        share * 100.0 / 3.0
    );
}

/// A million connections, filtered and counted.
pub fn million(kernel: Kernel, figures: &Figures) {
    let cat = figures["cat"];
    println!(
        "1,000,000 connections on {kernel}: cat {:.2} s",
        seconds(cat)
    );
    for question in QUESTIONS {
        println!(
            "{question}: {:.2} s, which is {} times as much; {:.1} MiB",
            seconds(figures[question]),
            ratio(figures[question], cat),
            figures[&format!("{question} memory")] as f64 / 1024.0
        );
    }
}

pub fn lines((each, peak_kib): (Duration, u64)) {
    println!(
        "\nA line of a restore takes this program itself {:.2} microseconds; \
         100,000 lines, the text of them included, {:.1} MiB",
        each.as_nanos() as f64 / 1000.0,
        peak_kib as f64 / 1024.0
    );
}
