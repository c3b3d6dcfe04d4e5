//! The time between two samples of the kernel.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Counters, SAMPLE, push};

/// The time is an average over this many samples, half a minute.
const AVERAGED: usize = 15;

/// The readings between which a sample was taken.
type Between = (Duration, Duration);

/// Measures the time between samples with counters that change with every sample. Older kernels
/// wait for two seconds after each sample, so on a busy machine the time is somewhat longer.
#[derive(Clone, Debug)]
pub struct Pace {
    looked: Duration,
    counters: Counters,
    /// The last samples, without gaps.
    samples: VecDeque<Between>,
}

impl Pace {
    pub fn new(now: Duration, counters: Counters) -> Self {
        Self {
            looked: now,
            counters,
            samples: VecDeque::new(),
        }
    }

    /// Adds a reading.
    pub fn look(&mut self, now: Duration, counters: Counters) {
        if counters != self.counters {
            let was_missed = |(_, last): &Between| *last + SAMPLE * 3 / 2 < now;
            if self.samples.back().is_some_and(was_missed) {
                self.samples.clear();
            }
            push(&mut self.samples, AVERAGED + 1, (self.looked, now));
            self.counters = counters;
        }
        self.looked = now;
    }

    /// Two seconds, or the nearest plausible value.
    pub fn time_between_samples(&self) -> Duration {
        let (Some(first), Some(last), count @ 2..) = (
            self.samples.front(),
            self.samples.back(),
            self.samples.len(),
        ) else {
            return SAMPLE;
        };
        let times = count as u32 - 1;
        let least = last.0.saturating_sub(first.1) / times;
        let most = last.1.saturating_sub(first.0) / times;
        SAMPLE.clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_time_is_found_to_three_percent(
            period in 2.0..2.3,
            phase in 0.0..2.0,
            gap in prop::sample::select(&[0.5, 0.625]),
        ) {
            let mut pace = Pace::new(Duration::ZERO, [0; 5]);
            for look in 0..200 {
                let now = f64::from(look) * gap;
                let sample = ((now + phase) / period) as u64;
                // For a while nothing is counted.
                let counters = [if (30..35).contains(&sample) { 29 } else { sample }; 5];
                pace.look(Duration::from_secs_f64(now), counters);
                let found = pace.time_between_samples().as_secs_f64();
                if (40.0..58.0).contains(&now) {
                    let ratio = found / period;
                    prop_assert!((0.96..1.005).contains(&ratio), "{ratio} at {now}");
                }
                prop_assert!((1.95..2.5).contains(&found), "{found} at {now}");
            }
        }
    }
}
