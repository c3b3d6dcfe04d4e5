//! The last minutes: how many connections came in each sample of two seconds.

use std::collections::VecDeque;

use super::{SAMPLE, push};

/// The number of samples that are kept: four minutes.
const REMEMBERED: usize = 120;

/// The number of samples in a minute.
const RECENT: usize = 30;

#[derive(Clone, Debug, Default)]
pub struct History {
    connections: VecDeque<f32>,
    /// The number of samples so far, with those that are no longer kept.
    samples: usize,
}

impl History {
    pub(super) fn add(&mut self, connections: f32) {
        push(&mut self.connections, REMEMBERED, connections);
        self.samples += 1;
    }

    /// Forgets the last one.
    pub(super) fn take_back(&mut self) {
        if self.connections.pop_back().is_some() {
            self.samples -= 1;
        }
    }

    /// The number of connections in the last minute.
    pub fn recent(&self) -> f32 {
        self.connections.iter().rev().take(RECENT).sum()
    }

    /// Connections per second over the last minutes, in this many equal parts, the latest at the end.
    pub fn curve(&self, parts: usize) -> Vec<f32> {
        let size = REMEMBERED.div_ceil(parts.max(1));
        // A part always begins with the same samples, or the curve would flicker.
        let fresh = self.samples % size;
        let (old, new) = self.connections.as_slices();
        let all = [old, new].concat();
        let (before, last) = all.split_at(all.len().saturating_sub(fresh));
        let last = Some(last).filter(|last| !last.is_empty());
        let parts_before = before.rchunks_exact(size).rev();
        let seconds = SAMPLE.as_secs_f32();
        let mean = |part: &[f32]| part.iter().sum::<f32>() / (seconds * part.len() as f32);
        let curve: Vec<f32> = parts_before.chain(last).map(mean).collect();
        curve[curve.len().saturating_sub(parts)..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_has_equal_parts() {
        let mut history = History::default();
        assert!(history.curve(10).is_empty());
        for sample in 1..=125 {
            history.add(if sample <= 60 { 20.0 } else { 40.0 });
        }
        assert_eq!(
            history.curve(10),
            [10.0, 10.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0]
        );
        assert_eq!(history.curve(1), [20.0]);
        assert_eq!(history.curve(120).len(), 120);
        assert_eq!(history.recent(), 1200.0);
    }
}
