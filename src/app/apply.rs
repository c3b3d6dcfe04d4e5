//! A file as the truth: makes the table equal to it, says what that would change, or checks it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use super::lock::lock;
use super::{Env, asked};
use crate::command::{Apply, Check};
use crate::error::{Action, Error};
use crate::kernel::{Batch, Client, Detail, Error as KernelError, Refusal};
use crate::lines::Lines;
use crate::model::difference::{Configured, Cost, Phase, Step, Summary, Table, difference};
use crate::model::{Change, ServiceId, sort_table};
use crate::names::Names;
use crate::render::{Out, save};
use crate::rules::{self, Meaning};

/// Exit statuses, as those of `diff`.
const DIFFERENT: u8 = 1;
const TROUBLE: u8 = 2;

/// Makes the table equal to the file.
pub fn apply(env: &mut Env, names: &Names, apply: &Apply) -> Result<u8, Error> {
    let Some(meaning) = read(env, names, apply.file.as_deref())? else {
        return Ok(TROUBLE);
    };
    let _lock = trouble(lock(env))?;
    let mut client = trouble(env.open(Action::Read))?;
    let current = trouble(current(&mut client, &meaning))?;
    refuse_to_empty(&current, &meaning, apply.keep)?;
    let steps = difference(&current, &meaning.table, apply.keep);
    let mut run = Run {
        env,
        meaning: &meaning,
        failed: HashSet::new(),
        refused: 0,
        summary: Summary::default(),
    };
    run.all(&mut client, &steps)?;
    let Run {
        refused, summary, ..
    } = run;
    let after = self::current(&mut client, &meaning)?;
    let left = difference(&after, &meaning.table, apply.keep);
    if refused == 0 {
        for step in &left {
            let line = line_of(&step.change);
            env.warn(
                &[
                    b"another program changed the table meanwhile; missing: ",
                    &line[..],
                ]
                .concat(),
            );
        }
    }
    if apply.verbose || env.stderr.is_terminal() {
        env.warn(said(&summary).as_bytes());
    }
    Ok(if left.is_empty() { 0 } else { DIFFERENT })
}

/// Prints what `apply` would do.
pub fn diff(env: &mut Env, names: &Names, apply: &Apply) -> Result<u8, Error> {
    let Some(meaning) = read(env, names, apply.file.as_deref())? else {
        return Ok(TROUBLE);
    };
    let mut client = trouble(env.open(Action::Read))?;
    let current = trouble(current(&mut client, &meaning))?;
    refuse_to_empty(&current, &meaning, apply.keep)?;
    let steps = difference(&current, &meaning.table, apply.keep);
    env.print(|out| {
        let mut names = Names::numeric();
        for step in &steps {
            save::change(out, &mut names, &step.change);
            if let Some(cost) = step.cost {
                out.text("  # ").text(explained(cost));
            }
            out.end_row()?;
        }
        Ok(())
    })?;
    Ok(if steps.is_empty() { 0 } else { DIFFERENT })
}

/// Reports what is wrong with the file, without a kernel.
pub fn check(env: &mut Env, names: &Names, check: &Check) -> Result<u8, Error> {
    let Some(meaning) = read(env, names, check.file.as_deref())? else {
        return Ok(TROUBLE);
    };
    let notes = meaning.notes();
    for note in &notes {
        env.warn(format!("line {}: warning: {}", note.line, note.text).as_bytes());
    }
    let is_wrong = check.strict && !notes.is_empty();
    Ok(if is_wrong { DIFFERENT } else { 0 })
}

/// What the file means; nothing if a line of it is wrong. Every such line is reported.
fn read(env: &mut Env, names: &Names, file: Option<&[u8]>) -> Result<Option<Meaning>, Error> {
    let input: Box<dyn Read> = match file {
        None => env.take_stdin(),
        Some(path) => {
            let file = File::open(OsStr::from_bytes(path));
            Box::new(file.map_err(|reason| Error::Open {
                file: path.into(),
                reason,
            })?)
        }
    };
    let (mut meaning, mut is_sound) = (Meaning::new(), true);
    let (mut lines, mut number) = (Lines::new(input), 0);
    while let Some(line) = lines.read().map_err(Error::Unreadable)? {
        number += 1;
        let taken = rules::read(line, names)
            .and_then(|command| command.map_or(Ok(()), |command| meaning.take(number, &command)));
        if let Err(error) = taken {
            env.tell_silence(names);
            env.complain(format!("line {number}: ").as_bytes(), &error);
            is_sound = false;
        }
    }
    Ok(is_sound.then_some(meaning))
}

/// The current table, as far as the file describes it.
fn current(client: &mut Client, meaning: &Meaning) -> Result<Table, Error> {
    let mut entries = asked(Action::Read, client.table(Detail::Settings))?;
    sort_table(&mut entries);
    let mut table = Table {
        services: entries.iter().map(Configured::from).collect(),
        ..Table::default()
    };
    if meaning.table.timeouts.is_some() {
        table.timeouts = Some(asked(Action::Read, client.timeouts())?);
    }
    if !meaning.table.daemons.is_empty() {
        table.daemons = asked(Action::Read, client.daemons())?;
    }
    Ok(table)
}

/// A generator that failed in a pipe must not empty a table in use.
fn refuse_to_empty(current: &Table, meaning: &Meaning, keep: bool) -> Result<(), Error> {
    let is_empty = meaning.table.services.is_empty();
    if is_empty && !current.services.is_empty() && !meaning.clears && !keep {
        return Err(Error::WouldEmpty);
    }
    Ok(())
}

/// Here, errors of the kernel have status 2, as with `diff` and `cmp`.
pub(super) fn trouble<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.map_err(|error| Error::Trouble(Box::new(error)))
}

/// The steps on their way to the kernel.
struct Run<'a> {
    env: &'a mut Env,
    meaning: &'a Meaning,
    /// Services for which something was refused: their servers keep what they have.
    failed: HashSet<ServiceId>,
    refused: usize,
    summary: Summary,
}

impl Run<'_> {
    fn all(&mut self, client: &mut Client, steps: &[Step]) -> Result<(), Error> {
        let more = steps.partition_point(|step| step.phase < Phase::LowerServers);
        let less = steps.partition_point(|step| step.phase < Phase::Settings);
        self.send(client, &steps[..more])?;
        // All that replaces something is acknowledged or refused by now.
        let mut rest = Vec::new();
        for step in &steps[more..less] {
            match service_of(&step.change) {
                Some(id) if self.failed.contains(&id) => self.leave_out(&step.change),
                _ => rest.push(*step),
            }
        }
        self.send(client, &rest)?;
        for step in &steps[less..] {
            match client.apply(&step.change) {
                Err(KernelError::Refused(refusal)) => self.refuse(&step.change, refusal),
                outcome => {
                    asked((&step.change).into(), outcome)?;
                    self.summary.count(&step.change);
                }
            }
        }
        Ok(())
    }

    /// Sends steps together, and waits until they are done.
    fn send(&mut self, client: &mut Client, steps: &[Step]) -> Result<(), Error> {
        let mut refused = Vec::new();
        let mut batch = asked(Action::Flush, Batch::new(client))?;
        let mut outcome = Ok(());
        for (index, step) in steps.iter().enumerate() {
            let note = |at: usize, refusal| refused.push((at, refusal));
            outcome = outcome.and(batch.push(index, &step.change, note));
        }
        outcome = outcome.and(batch.flush(|at, refusal| refused.push((at, refusal))));
        let done = steps.iter().enumerate();
        let is_refused: HashSet<usize> = refused.iter().map(|(at, _)| *at).collect();
        for (_, step) in done.filter(|(at, _)| !is_refused.contains(at)) {
            self.summary.count(&step.change);
        }
        for (at, refusal) in refused {
            self.refuse(&steps[at].change, refusal);
        }
        asked(Action::Flush, outcome)
    }

    fn refuse(&mut self, change: &Change, refusal: Refusal) {
        self.refused += 1;
        let service = service_of(change);
        // A service that could not be added takes its servers along: it has been named.
        let is_told = matches!(change, Change::AddServer(..))
            && refusal.not_found()
            && service.is_some_and(|id| self.failed.contains(&id));
        self.failed.extend(service);
        if is_told {
            return;
        }
        let error = Error::Refused {
            action: change.into(),
            errno: refusal.errno,
        };
        let place = self.meaning.line_of(change);
        let place = place.map_or(String::new(), |line| format!("line {line}: "));
        self.env.complain(place.as_bytes(), &error);
    }

    fn leave_out(&mut self, change: &Change) {
        let line = line_of(change);
        let note = [
            b"left as it was, since what replaces it was refused: ",
            &line[..],
        ];
        self.env.warn(&note.concat());
    }
}

fn service_of(change: &Change) -> Option<ServiceId> {
    match change {
        Change::AddService(service) | Change::EditService(service) => Some(service.id),
        Change::DeleteService(id)
        | Change::AddServer(id, _)
        | Change::EditServer(id, _)
        | Change::DeleteServer(id, _) => Some(*id),
        Change::Flush
        | Change::Zero(_)
        | Change::SetTimeouts(_)
        | Change::StartDaemon(_)
        | Change::StopDaemon(_) => None,
    }
}

/// A change as the line that would make it.
pub(super) fn line_of(change: &Change) -> Vec<u8> {
    let mut sink = std::io::sink();
    let mut out = Out::new(&mut sink);
    save::change(&mut out, &mut Names::numeric(), change);
    out.take(0)
}

fn explained(cost: Cost) -> &'static str {
    match cost {
        Cost::Scheduler => "new connections are refused while the scheduler changes",
        Cost::Mask => "some clients move to another server",
        Cost::Forwarding => "connections that exist stay with the old method",
        Cost::Takeover => "takes traffic over from a wider service",
        Cost::Connections => "its connections end",
    }
}

/// `2 services and 14 servers added, 3 changed, 1 deleted`
fn said(summary: &Summary) -> String {
    let counted = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let Summary {
        services_added,
        servers_added,
        changed,
        deleted,
    } = *summary;
    let mut parts = Vec::new();
    match (services_added, servers_added) {
        (0, 0) => {}
        (0, servers) => parts.push(format!("{} added", counted(servers, "server"))),
        (services, 0) => parts.push(format!("{} added", counted(services, "service"))),
        (services, servers) => {
            let (services, servers) = (counted(services, "service"), counted(servers, "server"));
            parts.push(format!("{services} and {servers} added"));
        }
    }
    for (count, word) in [(changed, "changed"), (deleted, "deleted")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if parts.is_empty() {
        return "nothing to change".to_owned();
    }
    parts.join(", ")
}
