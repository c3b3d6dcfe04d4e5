//! Applies a difference: perhaps asks before the deletions, or waits for connections to end.

use std::collections::HashMap;
use std::ops::Range;

use super::apply::{current, entries};
use super::confirm::{UNDONE, confirm};
use super::drain;
use super::execution::{Execution, News, Reach, Refused};
use super::{Env, asked};
use crate::command::Apply;
use crate::error::{Action, Error};
use crate::kernel::Client;
use crate::model::Change;
use crate::model::difference::{Difference, Phase, Table};
use crate::model::reversal::{Reversal, reversal};
use crate::render::save;
use crate::rules::Meaning;

/// How an apply ends.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// Everything possible is done.
    #[default]
    Done,
    /// The wait for connections ended early, so deletions are left.
    Stopped,
    /// The kernel failed after some changes.
    Failed,
    /// It was not confirmed.
    TakenBack,
}

pub struct Run<'a> {
    apply: &'a Apply,
    before: &'a Table,
    meaning: &'a Meaning,
    pub execution: Execution<'a>,
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
            execution: Execution::new(difference, Reach::Shared),
        }
    }

    /// Makes all changes that are possible.
    pub fn all(&mut self, env: &mut Env, client: &mut Client) -> Result<End, Error> {
        let steps = &self.execution.difference.steps;
        let deletions = steps.partition_point(|step| step.phase < Phase::DeleteServers)
            ..steps.partition_point(|step| step.phase <= Phase::DeleteServices);
        let behind = deletions.end..steps.len();
        let begun = self.phases(env, client, 0..deletions.start);
        let Some(seconds) = self.apply.confirm else {
            begun?;
            let end = self.delete(env, client, deletions)?;
            if end == End::Done {
                self.phases(env, client, behind)?;
            }
            return Ok(end);
        };
        let changed = begun.and_then(|()| self.phases(env, client, behind));
        let is_nothing = self.execution.made.is_empty();
        let reason = match changed {
            Err(error) if is_nothing => return Err(error),
            // A half-finished change cannot be confirmed.
            Err(error) => {
                env.complain(b"", &error);
                UNDONE
            }
            Ok(()) if is_nothing && deletions.is_empty() => return Ok(End::Done),
            Ok(()) => match confirm(env, seconds, deletions.len()) {
                Ok(()) => return self.delete(env, client, deletions),
                Err(reason) => reason,
            },
        };
        env.warn(reason.as_bytes());
        self.take_back(env, client)?;
        Ok(End::TakenBack)
    }

    /// Makes the changes in these places, phase by phase, and reports the problems.
    fn phases(
        &mut self,
        env: &mut Env,
        client: &mut Client,
        places: Range<usize>,
    ) -> Result<(), Error> {
        let outcome = self.execution.phases(client, places);
        tell(env, self.meaning, &mut self.execution);
        outcome
    }

    /// Makes the deletions, perhaps when the connections have ended.
    fn delete(
        &mut self,
        env: &mut Env,
        client: &mut Client,
        places: Range<usize>,
    ) -> Result<End, Error> {
        let Some(seconds) = self.apply.wait else {
            self.phases(env, client, places)?;
            return Ok(End::Done);
        };
        let (meaning, execution) = (self.meaning, &mut self.execution);
        let steps = &execution.difference.steps;
        let possible = execution.possible(places);
        tell(env, meaning, execution);
        let changes: Vec<Change> = possible.iter().map(|at| steps[*at].change).collect();
        let place_of: HashMap<_, usize> =
            changes.iter().map(Change::deletes).zip(possible).collect();
        let table = entries(client)?;
        let mut delete = |env: &mut Env, client: &mut Client, changes: &[Change]| {
            let places = changes.iter().map(|change| place_of.get(&change.deletes()));
            let places: Vec<usize> = places.flatten().copied().collect();
            let outcome = execution.send(client, &places);
            tell(env, meaning, execution);
            outcome
        };
        let is_done = drain::retire(env, client, &table, &changes, seconds, &mut delete)?;
        Ok(if is_done { End::Done } else { End::Stopped })
    }

    /// Undoes the changes, unless another program has changed the same thing since.
    fn take_back(&mut self, env: &mut Env, client: &mut Client) -> Result<(), Error> {
        let entries = entries(client)?;
        let now = current(client, &entries, self.meaning)?;
        let Reversal { changes, kept } = reversal(self.before, &self.execution.made, &now);
        for change in kept {
            let note = b"not undone, because another program has changed it: ";
            env.warn(&[&note[..], &save::line(&change)].concat());
        }
        for change in &changes {
            if let Err(error) = asked(Action::from(change), client.put_back(change)) {
                let place = [&save::line(change)[..], b": "].concat();
                env.complain(&place, &error);
            }
        }
        Ok(())
    }
}

/// Reports refused changes with their lines. The servers of a service that could not be added are
/// refused too, which needs no report.
fn tell(env: &mut Env, meaning: &Meaning, execution: &mut Execution) {
    for news in execution.news.drain(..) {
        match news {
            News::Refused(refused) if refused.is_consequence => {}
            News::Refused(refused) => complain(env, meaning, &refused),
            News::Note(note) => env.warn(&note),
        }
    }
}

/// Reports a refused change with its line.
pub fn complain(env: &mut Env, meaning: &Meaning, refused: &Refused) {
    let place = meaning.line_of(&refused.change);
    let place = place.map_or(String::new(), |line| format!("line {line}: "));
    env.complain(place.as_bytes(), &refused.error());
}
