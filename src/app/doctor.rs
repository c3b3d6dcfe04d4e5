//! Says what keeps traffic from arriving. It changes nothing and sends nothing.

use std::fs;
use std::io;

use super::Env;
use super::apply::trouble;
use crate::command::Doctor;
use crate::doctor::facts::{Facts, Passing, RealServer};
use crate::doctor::{Level, examine, gather, json, text};
use crate::error::{Action, Error};
use crate::kernel::{self, Client, Detail, Netns};

/// So many connections show what happens to them.
const ENOUGH: usize = 20_000;

/// Something is wrong.
const ILL: u8 = 1;

/// The table cannot be seen.
const BLIND: u8 = 2;

pub fn doctor(env: &mut Env, asked: &Doctor) -> Result<u8, Error> {
    let mut facts = Facts {
        service: asked.service,
        real_server: asked.real_server.map(|vip| RealServer {
            vip,
            forwarding: asked.forwarding,
        }),
        ..Facts::default()
    };
    let netns = env.netns.clone();
    let netns = netns.as_ref();
    facts.has_ipvs = trouble(inside(netns, has_ipvs))?;
    if facts.has_ipvs && facts.real_server.is_none() {
        look_at_ipvs(env, &mut facts);
    }
    trouble(inside(netns, || gather(&mut facts)))?;
    let findings = examine(&facts);
    if asked.json {
        env.print(|out| Ok(json(out, &findings, &facts.unseen)?))?;
    } else {
        env.print_text(&text(&findings))?;
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

/// Runs something in the network namespace that is looked at.
fn inside<T: Send>(netns: Option<&Netns>, run: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let Some(netns) = netns else {
        return Ok(run());
    };
    netns.run(|| Ok(run())).map_err(|source| {
        Error::Netns(kernel::Error::Netns {
            netns: netns.clone(),
            source,
        })
    })
}

fn has_ipvs() -> bool {
    fs::metadata("/proc/thread-self/net/ip_vs").is_ok()
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
    match connections(client) {
        Ok(connections) => facts.connections = connections,
        Err(error) => facts.unseen.push(format!("connections ({error})")),
    }
}

fn connections(client: &mut Client) -> io::Result<Vec<Passing>> {
    let mut passing = Vec::new();
    let Some(mut table) = client.connections()? else {
        return Ok(passing);
    };
    while passing.len() < ENOUGH {
        match table.read()? {
            None => break,
            Some(Ok(connection)) => passing.extend(Passing::of(&connection)),
            Some(Err(_)) => {}
        }
    }
    Ok(passing)
}
