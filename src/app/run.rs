//! The steps of a difference on their way to the kernel.

use std::collections::HashSet;
use std::ops::Range;

use super::apply::{current, entries, line_of};
use super::confirm::confirm;
use super::drain;
use super::{Env, asked};
use crate::command::Apply;
use crate::error::{Action, Error};
use crate::kernel::{Batch, Client, Refusal};
use crate::model::difference::{Difference, Phase, Step, Summary, Table};
use crate::model::reversal::{Reversal, reversal};
use crate::model::{Change, ServiceId};
use crate::rules::Meaning;

/// What was done of a difference, and what was not.
pub struct Run<'a> {
    apply: &'a Apply,
    before: &'a Table,
    meaning: &'a Meaning,
    difference: &'a Difference,
    /// By their places in the difference.
    refused: HashSet<usize>,
    left_out: HashSet<usize>,
    /// New services that had to be deleted again.
    withdrawn: Vec<ServiceId>,
    made: Vec<Change>,
    pub summary: Summary,
}

impl<'a> Run<'a> {
    pub fn new(
        apply: &'a Apply,
        before: &'a Table,
        meaning: &'a Meaning,
        difference: &'a Difference,
    ) -> Self {
        Self {
            apply,
            before,
            meaning,
            difference,
            refused: HashSet::new(),
            left_out: HashSet::new(),
            withdrawn: Vec::new(),
            made: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Makes all changes, but for those that would take the last usable server after a refusal.
    /// False if it ended before, as somebody wanted.
    pub fn all(&mut self, env: &mut Env, client: &mut Client) -> Result<bool, Error> {
        let steps = &self.difference.steps;
        let deletions = steps.partition_point(|step| step.phase < Phase::DeleteServers)
            ..steps.partition_point(|step| step.phase <= Phase::DeleteServices);
        let behind = deletions.end..steps.len();
        self.phases(env, client, 0..deletions.start)?;
        let Some(seconds) = self.apply.confirm else {
            let is_done = self.delete(env, client, deletions)?;
            if is_done {
                self.phases(env, client, behind)?;
            }
            return Ok(is_done);
        };
        self.phases(env, client, behind)?;
        if let Err(reason) = confirm(env, seconds, deletions.len()) {
            env.warn(reason.as_bytes());
            self.take_back(env, client)?;
            return Ok(false);
        }
        self.delete(env, client, deletions)
    }

    /// Makes the changes in these places, phase by phase.
    fn phases(
        &mut self,
        env: &mut Env,
        client: &mut Client,
        places: Range<usize>,
    ) -> Result<(), Error> {
        let mut start = places.start;
        let steps = &self.difference.steps[places];
        for steps in steps.chunk_by(|one, next| one.phase == next.phase) {
            let places = start..start + steps.len();
            start = places.end;
            let places = self.possible(env, places);
            self.send(env, client, &places)?;
            let is_new = steps
                .first()
                .is_some_and(|step| step.phase == Phase::NewServices);
            if is_new && !self.refused.is_empty() {
                self.withdraw(env, client)?;
            }
        }
        Ok(())
    }

    /// The places whose changes do not depend on what was refused.
    fn possible(&mut self, env: &mut Env, places: Range<usize>) -> Vec<usize> {
        if !self.refused.is_empty() {
            let left_out = self.difference.left_out(&self.refused);
            for place in places.clone().filter(|place| left_out.contains(place)) {
                self.leave_out(env, place);
            }
        }
        let is_possible = |place: &usize| !self.left_out.contains(place);
        places.filter(is_possible).collect()
    }

    /// Makes the deletions, perhaps when the connections have ended.
    fn delete(
        &mut self,
        env: &mut Env,
        client: &mut Client,
        places: Range<usize>,
    ) -> Result<bool, Error> {
        let Some(seconds) = self.apply.wait else {
            self.phases(env, client, places)?;
            return Ok(true);
        };
        let steps = &self.difference.steps;
        let possible = self.possible(env, places);
        let changes: Vec<Change> = possible.iter().map(|at| steps[*at].change).collect();
        let table = entries(client)?;
        let mut delete = |env: &mut Env, client: &mut Client, changes: &[Change]| {
            let is_one = |place: &&usize| changes.contains(&steps[**place].change);
            let places: Vec<usize> = possible.iter().filter(is_one).copied().collect();
            self.send(env, client, &places)
        };
        drain::retire(env, client, &table, &changes, seconds, &mut delete)
    }

    /// Takes back what was made, where nobody else has changed the same thing since.
    fn take_back(&mut self, env: &mut Env, client: &mut Client) -> Result<(), Error> {
        let entries = entries(client)?;
        let now = current(client, &entries, self.meaning)?;
        let Reversal { changes, kept } = reversal(self.before, &self.made, &now);
        for change in kept {
            let note = b"not taken back, since somebody else changed the same: ";
            env.warn(&[&note[..], &line_of(&change)].concat());
        }
        for change in &changes {
            if let Err(error) = asked(change.into(), client.apply(change)) {
                let place = [&line_of(change)[..], b": "].concat();
                env.complain(&place, &error);
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
    fn send(&mut self, env: &mut Env, client: &mut Client, places: &[usize]) -> Result<(), Error> {
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
            let change = steps[*place].change;
            self.made.push(change);
            self.summary.count(&change);
        }
        for (at, refusal) in refused {
            self.refuse(env, at, refusal);
        }
        asked(Action::Read, outcome)
    }

    /// Deletes the new services that keep traffic from a server they were to replace.
    fn withdraw(&mut self, env: &mut Env, client: &mut Client) -> Result<(), Error> {
        self.withdrawn = self.difference.withdrawn(&self.refused);
        for id in &self.withdrawn {
            let change = Change::DeleteService(*id);
            asked((&change).into(), client.apply(&change))?;
            self.made.retain(|made| made.service() != Some(*id));
            self.summary.count(&change);
            let note = b"deleted again, since it has no server and another service has: ";
            env.warn(&[&note[..], &line_of(&change)].concat());
        }
        Ok(())
    }

    fn refuse(&mut self, env: &mut Env, place: usize, refusal: Refusal) {
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
        env.complain(line.as_bytes(), &error);
    }

    fn leave_out(&mut self, env: &mut Env, place: usize) {
        self.left_out.insert(place);
        let line = line_of(&self.difference.steps[place].change);
        let note = b"left as it was, since what replaces it was refused: ";
        env.warn(&[&note[..], &line].concat());
    }
}
