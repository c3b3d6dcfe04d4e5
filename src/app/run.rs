//! The steps of a difference on their way to the kernel.

use std::collections::HashSet;

use super::apply::line_of;
use super::{Env, asked};
use crate::error::{Action, Error};
use crate::kernel::{Batch, Client, Refusal};
use crate::model::difference::{Difference, Phase, Step, Summary};
use crate::model::{Change, ServiceId};
use crate::rules::Meaning;

/// What was done of a difference, and what was not.
pub struct Run<'a> {
    env: &'a mut Env,
    meaning: &'a Meaning,
    difference: &'a Difference,
    /// By their places in the difference.
    refused: HashSet<usize>,
    left_out: HashSet<usize>,
    /// New services that had to be deleted again.
    withdrawn: Vec<ServiceId>,
    pub summary: Summary,
}

impl<'a> Run<'a> {
    pub fn new(env: &'a mut Env, meaning: &'a Meaning, difference: &'a Difference) -> Self {
        Self {
            env,
            meaning,
            difference,
            refused: HashSet::new(),
            left_out: HashSet::new(),
            withdrawn: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Makes all changes, but for those that would take the last usable server after a refusal.
    pub fn all(&mut self, client: &mut Client) -> Result<(), Error> {
        let difference = self.difference;
        let mut start = 0;
        for steps in difference
            .steps
            .chunk_by(|one, next| one.phase == next.phase)
        {
            let places = start..start + steps.len();
            start = places.end;
            if !self.refused.is_empty() {
                let left_out = difference.left_out(&self.refused);
                for place in places.clone().filter(|place| left_out.contains(place)) {
                    self.leave_out(place);
                }
            }
            let places = places.filter(|place| !self.left_out.contains(place));
            self.send(client, &places.collect::<Vec<_>>())?;
            let is_new = steps
                .first()
                .is_some_and(|step| step.phase == Phase::NewServices);
            if is_new && !self.refused.is_empty() {
                self.withdraw(client)?;
            }
        }
        Ok(())
    }

    /// Whether something was not done.
    pub fn is_incomplete(&self) -> bool {
        !self.refused.is_empty() || !self.left_out.is_empty()
    }

    /// The lines of the changes that were not made.
    pub fn unmade(&self) -> HashSet<Vec<u8>> {
        let is_unmade = |(place, step): &(usize, &Step)| {
            let service = step.change.service();
            self.refused.contains(place)
                || self.left_out.contains(place)
                || service.is_some_and(|id| self.withdrawn.contains(&id))
        };
        let steps = self.difference.steps.iter().enumerate();
        steps
            .filter(is_unmade)
            .map(|(_, step)| line_of(&step.change))
            .collect()
    }

    /// Sends steps together, and waits until they are done.
    fn send(&mut self, client: &mut Client, places: &[usize]) -> Result<(), Error> {
        let steps = &self.difference.steps;
        let mut refused = Vec::new();
        let mut batch = asked(Action::Read, Batch::new(client))?;
        let mut outcome = Ok(());
        for &place in places {
            let step = &steps[place];
            // It refuses connections until its first server is there: both go in one send.
            if matches!(step.change, Change::AddService(_)) && !step.costs.is_empty() {
                outcome = outcome.and(batch.flush(|at, refusal| refused.push((at, refusal))));
            }
            let note = |at, refusal| refused.push((at, refusal));
            outcome = outcome.and(batch.push(place, &step.change, note));
        }
        outcome = outcome.and(batch.flush(|at, refusal| refused.push((at, refusal))));
        self.refused.extend(refused.iter().map(|(at, _)| *at));
        let done = places.iter().filter(|place| !self.refused.contains(place));
        for place in done {
            self.summary.count(&steps[*place].change);
        }
        for (at, refusal) in refused {
            self.refuse(at, refusal);
        }
        asked(Action::Read, outcome)
    }

    /// Deletes the new services that keep traffic from a server they were to replace.
    fn withdraw(&mut self, client: &mut Client) -> Result<(), Error> {
        self.withdrawn = self.difference.withdrawn(&self.refused);
        for id in &self.withdrawn {
            let change = Change::DeleteService(*id);
            asked((&change).into(), client.apply(&change))?;
            self.summary.count(&change);
            let note = b"deleted again, since it has no server and another service has: ";
            self.env.warn(&[&note[..], &line_of(&change)].concat());
        }
        Ok(())
    }

    fn refuse(&mut self, place: usize, refusal: Refusal) {
        if self.difference.is_consequence(place, &self.refused) {
            return;
        }
        let change = &self.difference.steps[place].change;
        let error = Error::Refused {
            action: change.into(),
            errno: refusal.errno,
        };
        let line = self.meaning.line_of(change);
        let line = line.map_or(String::new(), |line| format!("line {line}: "));
        self.env.complain(line.as_bytes(), &error);
    }

    fn leave_out(&mut self, place: usize) {
        self.left_out.insert(place);
        let line = line_of(&self.difference.steps[place].change);
        let note = b"left as it was, since what replaces it was refused: ";
        self.env.warn(&[&note[..], &line].concat());
    }
}
