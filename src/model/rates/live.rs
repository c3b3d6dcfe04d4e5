//! Rates from counters that are always up to date: those over all services.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Counters, History, Rates, SAMPLE};

/// A rate is an average over this time, or over a shorter one at the beginning.
const AVERAGED: Duration = Duration::from_secs(4);

/// A meter for such counters.
#[derive(Clone, Debug)]
pub struct LiveMeter {
    /// The readings since the beginning of the average.
    looks: VecDeque<(Duration, Counters)>,
    /// When the last sample of the history ended, and how many connections there were.
    sampled: (Duration, f64),
    history: History,
}

impl LiveMeter {
    pub fn new(now: Duration, counters: Counters) -> Self {
        Self {
            looks: [(now, counters)].into(),
            sampled: (now, counters[0] as f64),
            history: History::default(),
        }
    }

    /// Adds a reading.
    pub fn look(&mut self, now: Duration, counters: Counters) {
        let Some(&(before, counted)) = self.looks.back() else {
            return;
        };
        if now <= before {
            return;
        }
        if counters
            .iter()
            .zip(&counted)
            .any(|(now, before)| now < before)
        {
            // The counters were reset.
            *self = Self::new(now, counters);
            return;
        }
        let pace = (counters[0] - counted[0]) as f64 / (now - before).as_secs_f64();
        while self.sampled.0 + SAMPLE <= now {
            let (last, connections) = self.sampled;
            let end = last + SAMPLE;
            let then = counted[0] as f64 + pace * end.saturating_sub(before).as_secs_f64();
            self.history.add((then - connections) as f32);
            self.sampled = (end, then);
        }
        self.looks.push_back((now, counters));
        while self
            .looks
            .get(1)
            .is_some_and(|(time, _)| *time + AVERAGED <= now)
        {
            self.looks.pop_front();
        }
    }

    /// The increase per second, after the second reading.
    pub fn rates(&self) -> Option<Rates> {
        let (&(start, before), &(end, after)) = (self.looks.front()?, self.looks.back()?);
        let seconds = (end - start).as_secs_f64();
        let rate = |index: usize| (after[index] - before[index]) as f64 / seconds;
        (seconds > 0.0).then(|| std::array::from_fn(rate))
    }

    /// The number of connections in every two seconds.
    pub fn history(&self) -> &History {
        &self.history
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    proptest! {
        /// Readings come when they are due or later.
        #[test]
        fn a_steady_load_is_shown_at_once_and_as_steady(
            load in 500.0..1_000_000.0,
            gap in prop::sample::select(&[0.5, 0.625]),
            lags in prop::collection::vec(0.0..0.3, 11),
        ) {
            let counted = |time: f64| [1.0, 10.0, 8.0, 1500.0, 64000.0].map(|each| (each * load * time) as u64);
            let mut meter = LiveMeter::new(at(10.0), counted(10.0));
            for look in 1..100 {
                let now = 10.0 + f64::from(look) * gap + lags[look as usize % lags.len()];
                meter.look(at(now), counted(now));
                let [connections, .., bytes] = meter.rates().unwrap();
                prop_assert!((0.99..1.01).contains(&(connections / load)));
                prop_assert!((0.99..1.01).contains(&(bytes / load / 64000.0)));
            }
            let curve = meter.history().curve(120);
            prop_assert!(curve.len() >= 24);
            for point in curve {
                prop_assert!((0.99..1.01).contains(&(f64::from(point) / load)), "{point}");
            }
        }
    }

    #[test]
    fn a_load_that_ends_is_gone_soon() {
        let mut meter = LiveMeter::new(at(0.0), [0; 5]);
        assert_eq!(meter.rates(), None);
        for second in 1..=10_u32 {
            meter.look(at(second.into()), [100 * u64::from(second); 5]);
        }
        assert_eq!(meter.rates(), Some([100.0; 5]));
        for second in 11..=14_u32 {
            meter.look(at(second.into()), [1000; 5]);
        }
        assert_eq!(meter.rates(), Some([0.0; 5]));
        meter.look(at(15.0), [0; 5]);
        assert_eq!(meter.rates(), None);
    }
}
