//! Reports what keeps traffic from arriving. It changes nothing, and sends packets only if allowed.

use std::collections::HashSet;

use super::Env;
use super::source::Source;
use crate::command::Doctor;
use crate::doctor::facts::{Facts, Named, Passing, RealServer};
use crate::doctor::{Level, all_is_well, examine, gather, json, text};
use crate::error::{Action, Error};
use crate::kernel::{self, Client, Detail, Netns, has_ipvs};
use crate::model::Change;
use crate::names::Names;
use crate::rules::{self, Meaning};

/// The number of connections to examine.
const ENOUGH: usize = 20_000;

/// The exit status if something is wrong.
const ILL: u8 = 1;

/// The exit status if the table cannot be read.
const BLIND: u8 = 2;

pub fn doctor(env: &mut Env, asked: &Doctor) -> Result<u8, Error> {
    let mut facts = Facts {
        service: asked.service,
        real_server: asked.real_server.map(|vip| RealServer {
            vip,
            forwarding: asked.forwarding,
            tunnel: asked.tunnel,
        }),
        ..Facts::default()
    };
    if let Some(file) = &asked.file {
        look_up_names(env, file, &mut facts)?;
    }
    let netns = env.netns.clone();
    let netns = netns.as_ref();
    facts.has_ipvs = inside(netns, || has_ipvs(None).unwrap_or(false))?;
    if facts.has_ipvs && facts.real_server.is_none() {
        look_at_ipvs(env, &mut facts);
    }
    inside(netns, || gather(&mut facts, asked.probe))?;
    let findings = examine(&facts);
    if asked.json {
        env.print(|out| Ok(json(out, &findings, &facts.unseen)?))?;
    } else {
        if findings.is_empty() && env.stdout.is_terminal() {
            env.print_text(&all_is_well(&facts))?;
        }
        let width = (env.stdout.terminal)().and_then(|terminal| terminal.columns);
        env.print_text(&text(&findings, width))?;
        for unseen in &facts.unseen {
            env.warn(format!("not looked at: {unseen}").as_bytes());
        }
    }
    if findings.iter().any(|finding| finding.level < Level::Hint) {
        return Ok(ILL);
    }
    let is_blind = facts.has_ipvs && facts.real_server.is_none() && facts.table.is_none();
    Ok(if is_blind { BLIND } else { 0 })
}

/// Looks up the host names in a file of commands. Lines that cannot be read are noted in `unseen`.
fn look_up_names(env: &mut Env, file: &[u8], facts: &mut Facts) -> Result<(), Error> {
    let path = Some(file).filter(|file| *file != b"-");
    let mut source = Source::open(env, path)?;
    let (names, numbers) = ((env.names)(), Names::numeric());
    let (mut meaning, mut with_names) = (Meaning::new(), HashSet::new());
    let file = String::from_utf8_lossy(file).into_owned();
    while let Some((number, line)) = source.line()? {
        let command = rules::read(line, &numbers).or_else(|_| {
            with_names.insert(number);
            rules::read(line, &names)
        });
        let taken = command
            .and_then(|command| command.map_or(Ok(()), |command| meaning.take(number, &command)));
        if let Err(error) = taken {
            let error = String::from_utf8_lossy(&error.message()).into_owned();
            let text = format!("line {number} of {file} ({error})");
            facts.unseen.push(text);
        }
    }
    for entry in &meaning.table.services {
        let id = entry.service.id;
        let changes = entry.servers.iter().map(|server| {
            let line = meaning.line_of(&Change::AddServer(id, *server));
            (line, Some(server.id))
        });
        let own = (meaning.line_of(&Change::AddService(entry.service)), None);
        for (line, server) in [own].into_iter().chain(changes) {
            let line = line.filter(|line| with_names.contains(line));
            facts.named.extend(line.map(|line| Named {
                file: file.clone(),
                line,
                service: id,
                server,
            }));
        }
    }
    Ok(())
}

/// Runs a function in the network namespace under examination.
fn inside<T: Send>(netns: Option<&Netns>, run: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let Some(netns) = netns else {
        return Ok(run());
    };
    let done = netns.run(|| Ok(run()));
    done.map_err(|reason| Error::Netns(netns.error(reason)))
}

fn look_at_ipvs(env: &mut Env, facts: &mut Facts) {
    match env.open(Action::Read) {
        Ok(mut client) => ask(&mut client, facts),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            let text = format!("flags, limits, daemons and connections ({reason})");
            facts.unseen.push(text);
        }
    }
}

fn ask(client: &mut Client, facts: &mut Facts) {
    match client.table(Detail::Settings) {
        Ok(table) => facts.table = Some(table),
        Err(error) => facts.unseen.push(format!("the table ({error})")),
    }
    match client.daemons() {
        Ok(daemons) => facts.daemons = daemons,
        Err(error) => facts.unseen.push(format!("daemons ({error})")),
    }
    match client.timeouts() {
        Ok(timeouts) => facts.timeouts = Some(timeouts),
        Err(error) => facts.unseen.push(format!("timeouts ({error})")),
    }
    match client.info() {
        Ok(info) => facts.table_size = Some(info.connection_table_size),
        Err(error) => facts
            .unseen
            .push(format!("the size of the connection table ({error})")),
    }
    match connections(client) {
        Ok(connections) => facts.connections = connections,
        Err(error) => facts.unseen.push(format!("connections ({error})")),
    }
}

fn connections(client: &mut Client) -> kernel::Result<Vec<Passing>> {
    let mut passing = Vec::new();
    let mut table = client.connections()?;
    while passing.len() < ENOUGH {
        match table.read()? {
            None => break,
            Some(Ok(connection)) => passing.extend(Passing::of(&connection)),
            Some(Err(_)) => {}
        }
    }
    Ok(passing)
}
