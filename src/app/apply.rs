//! Makes the table equal to a file, shows what that would change, or checks the file.

use std::collections::HashMap;

use super::drain::without_signals;
use super::execution::{Execution, News, Reach};
use super::lock::lock;
use super::rehearsal::rehearse;
use super::run::{self, End, Run};
use super::source::Source;
use super::{Env, Medium, asked};
use crate::command::{Apply, Check, Diff};
use crate::error::{Action, Error};
use crate::kernel::{Client, Detail};
use crate::model::difference::{Configured, Difference, Step, Table, difference};
use crate::model::drain::fate;
use crate::model::{Change, Entry, ServerId, ServerState, ServiceId, sort_table};
use crate::names::Names;
use crate::render::steps::{self, CutConnections};
use crate::render::{report, save};
use crate::rules::{self, Meaning};

/// Exit statuses, like those of `diff`.
const DIFFERENT: u8 = 1;
const TROUBLE: u8 = 2;

const READS: &str = "reading lines from the terminal: Ctrl-D ends the file";

/// Makes the table equal to the file.
pub fn apply(env: &mut Env, names: &Names, apply: &Apply) -> Result<u8, Error> {
    let Some(meaning) = read(env, names, apply.file.as_deref(), complain)? else {
        return Ok(TROUBLE);
    };
    let _lock = lock(env)?;
    let mut client = env.open(Action::Read)?;
    let entries = entries(&mut client)?;
    let before = current(&mut client, &entries, &meaning)?;
    drop(entries);
    refuse_to_empty(&before, &meaning, apply.keep)?;
    if apply.confirm.is_some() {
        (env.terminal)().map_err(Error::NoTerminal)?;
    }
    let difference = difference(&before, &meaning.table, apply.keep);
    let refused = rehearse(env, &difference);
    if !refused.is_empty() {
        for refused in &refused {
            run::complain(env, &meaning, refused);
        }
        return Ok(TROUBLE);
    }
    let mut run = Run::new(apply, &before, &meaning, &difference);
    let end = match without_signals(env, |env| run.all(env, &mut client)) {
        Err(error) if !run.execution.made.is_empty() => {
            env.complain(b"", &error);
            End::Failed
        }
        end => end?,
    };
    if end == End::TakenBack {
        return Ok(DIFFERENT);
    }
    conclude(env, &mut client, apply, &meaning, &run.execution, end)
}

/// Reads the table again, and reports which changes were made.
fn conclude(
    env: &mut Env,
    client: &mut Client,
    apply: &Apply,
    meaning: &Meaning,
    execution: &Execution,
    end: End,
) -> Result<u8, Error> {
    let left = if execution.difference.steps.is_empty() {
        Vec::new()
    } else {
        lines_left(client, meaning, apply.keep)?
    };
    let is_done = end == End::Done;
    let is_different = if is_done {
        tell_of_others(env, execution, &left) || execution.is_incomplete()
    } else {
        tell_left(env, &left);
        true
    };
    // If the kernel failed, it is unknown which changes were made.
    let has_summary = is_done || (end == End::Stopped && !execution.made.is_empty());
    if has_summary && (apply.verbose || env.stderr.is_terminal()) {
        env.warn(execution.summary.to_string().as_bytes());
    }
    Ok(if is_different { DIFFERENT } else { 0 })
}

/// The lines that would make the current table equal to the file.
fn lines_left(client: &mut Client, meaning: &Meaning, keep: bool) -> Result<Vec<Vec<u8>>, Error> {
    let entries = entries(client)?;
    let current = current(client, &entries, meaning)?;
    let left = difference(&current, &meaning.table, keep).steps;
    Ok(left.iter().map(|step| save::line(&step.change)).collect())
}

fn tell_left(env: &mut Env, left: &[Vec<u8>]) {
    if !left.is_empty() {
        env.warn(b"not done:");
        left.iter().for_each(|line| env.warn(line));
    }
}

/// Reports changes that were made but are missing. False if there are none.
fn tell_of_others(env: &mut Env, execution: &Execution, left: &[Vec<u8>]) -> bool {
    let unmade = execution.unmade();
    let mut is_some = false;
    for line in left.iter().filter(|line| !unmade.contains(*line)) {
        is_some = true;
        let note = b"another program changed the table meanwhile; missing: ";
        env.warn(&[&note[..], line].concat());
    }
    is_some
}

/// Makes the table equal to a file, and collects the errors.
pub(super) fn make_equal(
    client: &mut Client,
    meaning: &Meaning,
    news: &mut Vec<News>,
) -> Result<(), Error> {
    let entries = entries(client)?;
    let current = current(client, &entries, meaning)?;
    drop(entries);
    let difference = difference(&current, &meaning.table, false);
    let mut execution = Execution::new(&difference, Reach::Own);
    let done = execution.phases(client, 0..difference.steps.len());
    news.append(&mut execution.news);
    done
}

/// Prints the steps that `apply` would make.
pub fn diff(env: &mut Env, names: &Names, diff: &Diff) -> Result<u8, Error> {
    let Some(meaning) = read(env, names, diff.file.as_deref(), complain)? else {
        return Ok(TROUBLE);
    };
    let mut client = env.open(Action::Read)?;
    let entries = entries(&mut client)?;
    let steps = compare(&mut client, &entries, &meaning, diff.keep)?.steps;
    let fate = fate(&client.tuning());
    let by_id: HashMap<ServiceId, &Entry> =
        entries.iter().map(|e| (e.service.service.id, e)).collect();
    let cut = |step: &Step| CutConnections {
        connections: connections(&by_id, &step.change),
        fate,
    };
    env.print(|out| {
        if diff.json {
            return Ok(report::steps(out, &steps, cut)?);
        }
        let mut names = Names::numeric();
        for step in &steps {
            steps::step(out, &mut names, step, cut(step))?;
        }
        Ok(())
    })?;
    Ok(if steps.is_empty() { 0 } else { DIFFERENT })
}

/// The steps from the current table to the file.
fn compare(
    client: &mut Client,
    entries: &[Entry],
    meaning: &Meaning,
    keep: bool,
) -> Result<Difference, Error> {
    let current = current(client, entries, meaning)?;
    refuse_to_empty(&current, meaning, keep)?;
    Ok(difference(&current, &meaning.table, keep))
}

/// Reports the errors in the file, without a kernel.
pub fn check(env: &mut Env, names: &Names, check: &Check) -> Result<u8, Error> {
    let file = check.file.as_deref();
    let mut errors = Vec::new();
    let meaning = if check.json {
        read(env, names, file, |_, line, error| {
            let text = String::from_utf8_lossy(&error.message()).into_owned();
            errors.push((line, text));
        })?
    } else {
        read(env, names, file, complain)?
    };
    let notes = meaning.as_ref().map_or(Vec::new(), Meaning::notes);
    let is_wrong = check.strict && !notes.is_empty();
    if check.json {
        let warnings: Vec<_> = notes
            .into_iter()
            .map(|note| (note.line, note.text))
            .collect();
        env.print(|out| Ok(report::findings(out, &errors, &warnings)?))?;
    } else {
        for note in &notes {
            env.warn(format!("line {}: warning: {}", note.line, note.text).as_bytes());
        }
    }
    Ok(match meaning {
        None => TROUBLE,
        Some(_) if is_wrong => DIFFERENT,
        Some(_) => 0,
    })
}

fn complain(env: &mut Env, line: usize, error: &Error) {
    env.complain(format!("line {line}: ").as_bytes(), error);
}

/// The meaning of the file, or `None` if it has bad lines. Reports every bad line.
fn read(
    env: &mut Env,
    names: &Names,
    file: Option<&[u8]>,
    mut report: impl FnMut(&mut Env, usize, &Error),
) -> Result<Option<Meaning>, Error> {
    let mut source = Source::open(env, file)?;
    if source.medium == Medium::Terminal {
        env.tell_people(READS);
    }
    let (mut meaning, mut is_sound) = (Meaning::new(), true);
    while let Some((number, line)) = source.line()? {
        let taken = rules::read(line, names)
            .and_then(|command| command.map_or(Ok(()), |command| meaning.take(number, &command)));
        if let Err(error) = taken {
            env.tell_silence(names);
            report(env, number, &error);
            is_sound = false;
        }
    }
    Ok(is_sound.then_some(meaning))
}

/// The current services, sorted.
pub(super) fn entries(client: &mut Client) -> Result<Vec<Entry>, Error> {
    let mut entries = asked(Action::Read, client.table(Detail::Settings))?;
    sort_table(&mut entries);
    Ok(entries)
}

/// The number of connections that lose their server by a change.
fn connections(entries: &HashMap<ServiceId, &Entry>, change: &Change) -> u64 {
    let of = |id: &ServiceId, deleted: Option<ServerId>| {
        let servers = entries.get(id).map_or(&[][..], |entry| &entry.servers);
        let is_deleted = |state: &&ServerState| deleted.is_none_or(|id| id == state.server.id);
        let counts = servers.iter().filter(is_deleted);
        let counts = counts.map(|s| u64::from(s.active) + u64::from(s.inactive));
        counts.sum()
    };
    change.deletes().map_or(0, |(id, server)| of(&id, server))
}

/// The current table, as far as the file describes it.
pub(super) fn current(
    client: &mut Client,
    entries: &[Entry],
    meaning: &Meaning,
) -> Result<Table, Error> {
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

/// If a generator in a pipe fails, its empty output must not empty a table in use.
fn refuse_to_empty(current: &Table, meaning: &Meaning, keep: bool) -> Result<(), Error> {
    let is_empty = meaning.table.services.is_empty();
    if is_empty && !current.services.is_empty() && !meaning.clears && !keep {
        return Err(Error::WouldEmpty);
    }
    Ok(())
}
