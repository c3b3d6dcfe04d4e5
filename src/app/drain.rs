//! Takes servers out of service: sets their weight to 0, lets their connections end, and then
//! perhaps deletes them.

use super::apply::entries;
use super::wait::{Waited, wait};
use super::{Env, asked, change, make, trouble};
use crate::command::{Drain, Drained};
use crate::error::{Action, Error};
use crate::kernel::{Client, Error as KernelError};
use crate::model::drain::{self, Member, Note, Plan, Rest, Tuning};
use crate::model::{Change, Entry, Host, ServiceId};
use crate::names::Names;
use crate::render::save;

/// The exit status if connections are left, or another program has changed a server.
const LEFT: u8 = 1;

/// Deletes something, once its connections have ended.
pub type Delete<'a> = &'a mut dyn FnMut(&mut Env, &mut Client, &[Change]) -> Result<(), Error>;

pub fn drain(env: &mut Env, drain: &Drain) -> Result<u8, Error> {
    match drain.of {
        Drained::Host(service, host) => trouble(drain_host(env, service, host, drain.wait)),
        Drained::Deleted { change, exist } => {
            delete_drained(env, change, exist, drain.wait.unwrap_or_default())
        }
    }
}

fn drain_host(
    env: &mut Env,
    service: Option<ServiceId>,
    host: Host,
    seconds: Option<u32>,
) -> Result<u8, Error> {
    let mut client = env.open(Action::Read)?;
    let table = entries(&mut client)?;
    let places = drain::places(&table, service, host);
    if places.is_empty() {
        return Err(Error::NoSuchServer);
    }
    let tuning = client.tuning();
    let plan = drain::plan(&table, &places, &tuning);
    print_undo(env, &plan)?;
    for note in &plan.notes {
        env.warn(note.to_string().as_bytes());
    }
    without_signals(env, |env| {
        make_all(&mut client, &plan.changes)?;
        let Some(seconds) = seconds else {
            return Ok(0);
        };
        match wait(env, &mut client, &places, seconds)? {
            Waited::Empty => {
                env.tell_people("no connections left");
                return Ok(0);
            }
            Waited::Over(rest) => {
                let text = format!("after {seconds} s: {} left; the weight stays 0", rest.left);
                env.warn(text.as_bytes());
                tell_reasons(env, &rest, &tuning);
            }
            Waited::Stopped(left) => {
                env.warn(format!("stopped: {left} left; the weight stays 0").as_bytes());
            }
            Waited::Raised(place, weight) => tell_raised(env, place, weight),
        }
        Ok(LEFT)
    })
}

fn delete_drained(env: &mut Env, change: Change, exist: bool, seconds: u32) -> Result<u8, Error> {
    let mut client = env.open(Action::from(&change))?;
    let table = entries(&mut client)?;
    let mut delete = |_: &mut Env, client: &mut Client, changes: &[Change]| {
        let mut changes = changes.iter();
        changes.try_for_each(|change| change::delete(client, change, exist))
    };
    let is_done = retire(env, &mut client, &table, &[change], seconds, &mut delete)?;
    Ok(if is_done { 0 } else { LEFT })
}

/// Deletes servers and services when their connections have ended or the time is up. False if the
/// wait was stopped: then they stay.
pub fn retire(
    env: &mut Env,
    client: &mut Client,
    table: &[Entry],
    changes: &[Change],
    seconds: u32,
    delete: Delete,
) -> Result<bool, Error> {
    let tuning = client.tuning();
    let deletions = drain::deletions(table, changes);
    let plan = drain::plan(table, &deletions.places, &tuning);
    for deletion in &deletions.at_once {
        let reason = format!(": {deletion}");
        env.warn(&[&save::line(&deletion.change)[..], reason.as_bytes()].concat());
    }
    let at_once: Vec<Change> = deletions
        .at_once
        .iter()
        .map(|deletion| deletion.change)
        .collect();
    for note in &plan.notes {
        if let Note::Persistent(_) = note {
            env.warn(note.to_string().as_bytes());
        }
    }
    without_signals(env, |env| {
        delete(env, client, &at_once)?;
        let waited = make_all(client, &plan.changes)
            .and_then(|()| outlast(env, client, &deletions.places, seconds, &tuning));
        if !matches!(waited, Ok(true)) {
            tell_undo(env, &plan);
            return waited;
        }
        let deleted = delete(env, client, &deletions.later);
        let put_back = put_services_back(client, &plan);
        deleted.and(put_back).map(|()| true)
    })
}

/// Waits for the connections of servers to be deleted. False if they are to stay.
fn outlast(
    env: &mut Env,
    client: &mut Client,
    places: &[Member],
    seconds: u32,
    tuning: &Tuning,
) -> Result<bool, Error> {
    if places.is_empty() {
        return Ok(true);
    }
    match wait(env, client, places, seconds)? {
        Waited::Empty => Ok(true),
        Waited::Over(rest) => {
            let fate = drain::fate(tuning);
            let text = format!("after {seconds} s: {} left: {fate}", rest.left);
            env.warn(text.as_bytes());
            tell_reasons(env, &rest, tuning);
            Ok(true)
        }
        Waited::Stopped(left) => {
            let text = format!("stopped: {left} left; nothing more is deleted");
            env.warn(text.as_bytes());
            Ok(false)
        }
        Waited::Raised(place, weight) => {
            tell_raised(env, place, weight);
            Ok(false)
        }
    }
}

/// Restores the flags that services had before the drain, unless another program has changed them.
fn put_services_back(client: &mut Client, plan: &Plan) -> Result<(), Error> {
    for (before, meanwhile) in &plan.services {
        let now = match client.service(&before.id) {
            Err(KernelError::Refused(refusal)) if refusal.not_found() => continue,
            state => asked(Action::Read, state)?.service,
        };
        if now == *meanwhile {
            make(client, &Change::EditService(*before))?;
        }
    }
    Ok(())
}

/// Runs a function while signals that would end the process are blocked.
pub fn without_signals<T: Default>(
    env: &mut Env,
    mut act: impl FnMut(&mut Env) -> Result<T, Error>,
) -> Result<T, Error> {
    let unbroken = env.unbroken;
    let mut outcome = Ok(T::default());
    unbroken(&mut || outcome = act(env));
    outcome
}

fn make_all(client: &mut Client, changes: &[Change]) -> Result<(), Error> {
    changes.iter().try_for_each(|change| make(client, change))
}

/// Prints the lines that undo the drain. Servers that no line can describe are not drained.
fn print_undo(env: &mut Env, plan: &Plan) -> Result<(), Error> {
    if let Some(change) = plan.undo.iter().find(|change| !save::is_sayable(change)) {
        return Err(Error::NoUndo(save::line(change).as_slice().into()));
    }
    env.print(|out| {
        for change in &plan.undo {
            save::change(out, &mut Names::numeric(), change);
            out.end_row()?;
        }
        Ok(())
    })
}

fn tell_undo(env: &mut Env, plan: &Plan) {
    if plan.undo.is_empty() {
        return;
    }
    env.warn(b"these lines undo the drain:");
    for change in &plan.undo {
        env.warn(&save::line(change));
    }
}

fn tell_reasons(env: &mut Env, rest: &Rest, tuning: &Tuning) {
    for reason in rest.reasons(tuning) {
        env.warn(reason.as_bytes());
    }
}

fn tell_raised(env: &mut Env, (service, server): Member, weight: i32) {
    let text = format!("{service} -r {server}: another program has set the weight to {weight}");
    env.warn(text.as_bytes());
}
