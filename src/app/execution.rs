//! Sends the steps of a difference to the kernel.

use std::ops::Range;

use super::{asked, make};
use crate::error::{Action, Error};
use crate::kernel::{Batch, Client, Refusal};
use crate::model::difference::{Difference, Phase, Step, Summary};
use crate::model::hash::Set;
use crate::model::{Change, DaemonRole, ServiceId};
use crate::render::save;

/// A refusal, or a note about it.
pub enum News {
    Refused(Refused),
    /// A note for people about how the program reacted.
    Note(Vec<u8>),
}

/// A change that the kernel refused.
pub struct Refused {
    pub change: Change,
    pub errno: i32,
    /// It was refused because its service had been refused.
    pub is_consequence: bool,
}

impl Refused {
    pub fn error(&self) -> Error {
        Error::Refused {
            action: (&self.change).into(),
            errno: self.errno,
        }
    }
}

/// Which steps are left out after a refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Steps of the same service.
    Own,
    /// Steps of all services for the same traffic.
    Shared,
}

/// Which steps of a difference were done.
pub struct Execution<'a> {
    pub difference: &'a Difference,
    reach: Reach,
    /// By their places in the difference.
    refused: Set<usize>,
    left_out: Set<usize>,
    /// New services that had to be deleted again.
    withdrawn: Vec<ServiceId>,
    /// Daemons that run as before, because their replacements were refused.
    started_again: Vec<DaemonRole>,
    pub made: Vec<Change>,
    pub summary: Summary,
    /// What has not been reported yet.
    pub news: Vec<News>,
}

impl<'a> Execution<'a> {
    pub fn new(difference: &'a Difference, reach: Reach) -> Self {
        Self {
            difference,
            reach,
            refused: Set::default(),
            left_out: Set::default(),
            withdrawn: Vec::new(),
            started_again: Vec::new(),
            made: Vec::new(),
            summary: Summary::default(),
            news: Vec::new(),
        }
    }

    /// Makes the changes at these places, phase by phase, except those that would remove the last
    /// usable server after a refusal.
    pub fn phases(&mut self, client: &mut Client, places: Range<usize>) -> Result<(), Error> {
        let mut start = places.start;
        let steps = &self.difference.steps[places];
        for steps in steps.chunk_by(|one, next| one.phase == next.phase) {
            let places = start..start + steps.len();
            start = places.end;
            let places = self.possible(places);
            self.send(client, &places)?;
            if self.refused.is_empty() {
                continue;
            }
            match steps.first().map(|step| step.phase) {
                Some(Phase::NewServices) => match self.reach {
                    Reach::Shared => self.withdraw(client)?,
                    Reach::Own => {}
                },
                Some(Phase::Daemons) => self.start_again(client),
                Some(
                    Phase::EditServices
                    | Phase::AddServers
                    | Phase::RaiseServers
                    | Phase::LowerServers
                    | Phase::DeleteServers
                    | Phase::DeleteServices
                    | Phase::Timeouts,
                )
                | None => {}
            }
        }
        Ok(())
    }

    /// The places of changes that do not depend on refused ones.
    pub fn possible(&mut self, places: Range<usize>) -> Vec<usize> {
        if !self.refused.is_empty() {
            let left_out = self.held_back();
            for place in places.clone().filter(|place| left_out.contains(place)) {
                self.leave_out(place);
            }
        }
        let is_possible = |place: &usize| !self.left_out.contains(place);
        places.filter(is_possible).collect()
    }

    /// The steps that must not be made after the refusals so far.
    fn held_back(&self) -> Set<usize> {
        let mut held_back = self.difference.left_out(&self.refused);
        if self.reach == Reach::Own {
            let steps = &self.difference.steps;
            let refused = self.refused.iter();
            let own: Set<_> = refused.map(|at| steps[*at].change.service()).collect();
            held_back.retain(|at| own.contains(&steps[*at].change.service()));
        }
        held_back
    }

    /// Whether something was not done.
    pub fn is_incomplete(&self) -> bool {
        !self.refused.is_empty() || !self.left_out.is_empty()
    }

    /// The lines of the changes that were not made.
    pub fn unmade(&self) -> Set<Vec<u8>> {
        let is_unmade = |(place, step): &(usize, &Step)| {
            let service = step.change.service();
            let is_withdrawn = service.is_some_and(|id| self.withdrawn.contains(&id));
            let mut stopped = self.started_again.iter().copied().map(Change::StopDaemon);
            self.refused.contains(place)
                || self.left_out.contains(place)
                || is_withdrawn
                || stopped.any(|stop| stop == step.change)
        };
        let steps = self.difference.steps.iter().enumerate();
        steps
            .filter(is_unmade)
            .map(|(_, step)| save::line(&step.change))
            .collect()
    }

    /// Sends steps together, and waits until they are done.
    pub fn send(&mut self, client: &mut Client, places: &[usize]) -> Result<(), Error> {
        let steps = &self.difference.steps;
        let mut refused = Vec::new();
        let mut batch = asked(Action::Read, Batch::new(client))?;
        let mut outcome = Ok(());
        for &place in places {
            let step = &steps[place];
            // A service refuses connections until its first server exists: send both together.
            if matches!(step.change, Change::AddService(_)) && !step.costs.is_empty() {
                outcome = outcome.and(batch.send(|at, refusal| refused.push((at, refusal))));
            }
            let note = |at, refusal| refused.push((at, refusal));
            outcome = outcome.and(batch.push(place, &step.change, note));
        }
        outcome = outcome.and(batch.send(|at, refusal| refused.push((at, refusal))));
        self.refused.extend(refused.iter().map(|(at, _)| *at));
        let done = places.iter().filter(|place| !self.refused.contains(place));
        for place in done {
            let change = steps[*place].change;
            self.made.push(change);
            self.summary.count(&change);
        }
        for (at, refusal) in refused {
            self.refuse(at, refusal);
        }
        asked(Action::Read, outcome)
    }

    /// Deletes new services without servers that take traffic from another service with servers.
    fn withdraw(&mut self, client: &mut Client) -> Result<(), Error> {
        self.withdrawn = self.difference.withdrawn(&self.refused);
        for id in self.withdrawn.clone() {
            let change = Change::DeleteService(id);
            make(client, &change)?;
            self.made.retain(|made| made.service() != Some(id));
            self.summary.count(&change);
            let note = b"deleted again, because it has no servers and takes traffic from a service that has: ";
            self.note(note, &change);
        }
        Ok(())
    }

    /// Restarts daemons that were stopped for replacements that were refused.
    fn start_again(&mut self, client: &mut Client) {
        for daemon in self.difference.started_again(&self.refused) {
            let change = Change::StartDaemon(daemon);
            let note: &[u8] = match client.apply(&change) {
                Ok(()) => {
                    self.started_again.push(daemon.role);
                    self.made
                        .retain(|made| *made != Change::StopDaemon(daemon.role));
                    b"started again, because its replacement was refused: "
                }
                Err(_) => b"stopped, and could not be started again: ",
            };
            self.note(note, &change);
        }
    }

    fn refuse(&mut self, place: usize, refusal: Refusal) {
        self.news.push(News::Refused(Refused {
            change: self.difference.steps[place].change,
            errno: refusal.errno,
            is_consequence: self.difference.is_consequence(place, &self.refused),
        }));
    }

    fn leave_out(&mut self, place: usize) {
        self.left_out.insert(place);
        let note = b"left as it was, because its replacement was refused: ";
        self.note(note, &self.difference.steps[place].change);
    }

    fn note(&mut self, note: &[u8], change: &Change) {
        self.news
            .push(News::Note([note, &save::line(change)].concat()));
    }
}
