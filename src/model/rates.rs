//! Rates, from counters that the kernel updates every two seconds, each service and each server at
//! its own moment.
//!
//! Dividing the difference between two readings by the time between them would give results that
//! alternate between zero and twice the rate. A meter therefore detects the kernel's samples: a
//! counter that has changed has been sampled, and one that has not changed for longer than two
//! seconds has been sampled, too. The rate is an average over whole samples.

mod history;
mod live;
mod pace;

use std::collections::VecDeque;
use std::time::Duration;

pub use history::History;
pub use live::LiveMeter;
pub use pace::Pace;

use super::Stats;

/// How often the kernel updates counters.
pub const SAMPLE: Duration = Duration::from_secs(2);

/// How late a sample may be.
const DELAY: Duration = Duration::from_millis(500);

/// The longest time between two readings. It is short enough for a reading to see at most one new
/// sample.
const LONGEST_GAP: Duration = Duration::from_millis(700);

/// A rate is an average over this many samples: six seconds.
const AVERAGED: usize = 3;

/// Connections, packets in and out, bytes in and out.
pub type Counters = [u64; 5];

/// The counters over all services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Their current values.
    pub live: Counters,
    /// Their values in the kernel's last sample.
    pub sampled: Counters,
}

/// The same numbers, per second.
pub type Rates = [f64; 5];

impl From<&Stats> for Counters {
    fn from(stats: &Stats) -> Self {
        [
            stats.connections,
            stats.in_packets,
            stats.out_packets,
            stats.in_bytes,
            stats.out_bytes,
        ]
    }
}

/// The number of evenly spaced readings in a period, so that no sample is missed.
pub fn looks(period: Duration) -> u32 {
    period.div_duration_f64(LONGEST_GAP).ceil() as u32
}

/// Measures the rates of one service or server.
#[derive(Clone, Debug)]
pub struct Meter {
    counters: Counters,
    /// When the last sample was seen.
    last: Duration,
    /// The last sample was assumed, because nothing had changed when it was due.
    is_assumed: bool,
    /// The increases of the last samples.
    recent: VecDeque<Rates>,
    history: History,
}

impl Meter {
    pub fn new(now: Duration, counters: Counters) -> Self {
        Self {
            counters,
            last: now,
            is_assumed: false,
            recent: VecDeque::with_capacity(AVERAGED),
            history: History::default(),
        }
    }

    /// Adds a reading.
    pub fn look(&mut self, now: Duration, counters: Counters) {
        let pairs = || counters.iter().zip(&self.counters);
        if pairs().any(|(now, before)| now < before) {
            // They were set to zero.
            *self = Self::new(now, counters);
            return;
        }
        let mut added = [0.0; 5];
        for (added, (now, before)) in added.iter_mut().zip(pairs()) {
            *added = (now - before) as f64;
        }
        let elapsed = now.saturating_sub(self.last);
        if counters != self.counters {
            let is_late = self.is_assumed && elapsed < SAMPLE / 2;
            if is_late {
                self.take_back();
            }
            let samples = elapsed.div_duration_f64(SAMPLE).round().max(1.0);
            let added = added.map(|added| added / samples);
            for _ in 0..samples as usize {
                self.add(added);
            }
            self.counters = counters;
            self.last = now;
            self.is_assumed = false;
        } else if elapsed > SAMPLE + DELAY {
            self.add(added);
            self.last += SAMPLE;
            self.is_assumed = true;
        }
    }

    fn add(&mut self, added: Rates) {
        push(&mut self.recent, AVERAGED, added);
        self.history.add(added[0] as f32);
    }

    fn take_back(&mut self) {
        self.recent.pop_back();
        self.history.take_back();
    }

    /// The rates per second, once a sample has been seen, for this time between samples.
    pub fn rates(&self, time_between_samples: Duration) -> Option<Rates> {
        let seconds = time_between_samples.as_secs_f64() * self.recent.len() as f64;
        let is_known = !self.recent.is_empty();
        is_known.then(|| {
            let mut rates = [0.0; 5];
            for added in &self.recent {
                for (rate, added) in rates.iter_mut().zip(added) {
                    *rate += added / seconds;
                }
            }
            rates
        })
    }

    /// The number of connections that each sample added.
    pub fn history(&self) -> &History {
        &self.history
    }
}

fn push<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A kernel with a steady load, whose samples come when they are due or somewhat later.
    #[derive(Debug)]
    struct Kernel {
        /// Connections a second.
        load: f64,
        /// When the load ends.
        end: f64,
        phase: f64,
        period: f64,
        delays: Vec<f64>,
    }

    impl Kernel {
        /// Its counters at this time.
        fn counters(&self, now: f64) -> Counters {
            let due = |sample: usize| self.phase + sample as f64 * self.period;
            let taken = |sample: &usize| {
                let delay = self.delays[sample % self.delays.len()];
                due(*sample) + delay
            };
            let last = (0..1000).map(|sample| taken(&sample));
            let last = last.take_while(|taken| *taken <= now).last();
            let connections = self.load * last.unwrap_or_default().min(self.end);
            [1.0, 10.0, 8.0, 1500.0, 64000.0].map(|each| (connections * each) as u64)
        }
    }

    fn kernel(end: f64) -> impl Strategy<Value = Kernel> {
        let delays = prop::collection::vec(0.0..0.04, 7);
        (50.0..100_000.0, 0.0..2.0, 2.0..2.01, delays).prop_map(
            move |(load, phase, period, delays)| Kernel {
                load,
                end,
                phase,
                period,
                delays,
            },
        )
    }

    /// When the readings begin. The load begins before.
    const START: f64 = 10.0;

    /// Reads the counters of a kernel for some seconds. Calls `show` after each period.
    fn watch(
        kernel: &Kernel,
        period: f64,
        lags: &[f64],
        seconds: f64,
        mut show: impl FnMut(f64, &Meter),
    ) -> Meter {
        let looks = looks(Duration::from_secs_f64(period));
        let gap = period / f64::from(looks);
        let start = Duration::from_secs_f64(START);
        let mut meter = Meter::new(start, kernel.counters(START));
        for look in 1..(seconds / gap) as usize {
            let now = START + look as f64 * gap + lags[look % lags.len()];
            meter.look(Duration::from_secs_f64(now), kernel.counters(now));
            if look % looks as usize == 0 {
                show(now, &meter);
            }
        }
        meter
    }

    const PERIODS: [f64; 4] = [0.5, 1.0, 2.0, 5.0];

    proptest! {
        #[test]
        fn a_steady_load_is_shown_within_five_percent(
            kernel in kernel(f64::MAX),
            period in prop::sample::select(&PERIODS),
            lags in prop::collection::vec(0.0..0.05, 11),
        ) {
            watch(&kernel, period, &lags, 90.0, |now, meter| {
                if now > START + 5.0 {
                    let [connections, .., bytes] = meter.rates(SAMPLE).unwrap();
                    for (rate, load) in [(connections, 1.0), (bytes, 64000.0)] {
                        let ratio = rate / (kernel.load * load);
                        assert!((0.95..1.05).contains(&ratio), "{ratio} at {now}");
                    }
                }
            });
        }

        #[test]
        fn when_the_load_ends_so_does_the_rate(
            kernel in kernel(20.0),
            period in prop::sample::select(&PERIODS),
        ) {
            watch(&kernel, period, &[0.0], 60.0, |now, meter| {
                let rates = meter.rates(SAMPLE).filter(|_| now > START + 5.0);
                if let Some([connections, ..]) = rates {
                    assert!(connections > 0.0 || now > 20.0, "{now}");
                    assert!(connections == 0.0 || now < 31.0, "{connections} at {now}");
                }
            });
        }

        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(
            kernel in kernel(40.0),
            period in prop::sample::select(&PERIODS),
            lags in prop::collection::vec(0.0..0.3, 11),
        ) {
            let meter = watch(&kernel, period, &lags, 50.0, |_, _| {});
            let seen = meter.history.recent();
            let came = kernel.counters(100.0)[0] - kernel.counters(START)[0];
            prop_assert!((f64::from(seen) / came as f64 - 1.0).abs() < 0.001);
        }
    }

    #[test]
    fn a_meter_starts_again_when_counters_were_set_to_zero() {
        let second = Duration::from_secs(1);
        let mut meter = Meter::new(Duration::ZERO, [1000; 5]);
        assert_eq!(meter.rates(SAMPLE), None);
        meter.look(second, [1200; 5]);
        assert_eq!(meter.rates(SAMPLE), Some([100.0; 5]));
        meter.look(2 * second, [0; 5]);
        assert_eq!(meter.rates(SAMPLE), None);
        meter.look(4 * second, [60; 5]);
        assert_eq!(meter.rates(SAMPLE), Some([30.0; 5]));
    }
}
