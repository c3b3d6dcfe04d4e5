//! Taking servers out of service: what to change, what undoes it, what to wait for, and what to say
//! about it.

mod left;

pub use left::{Left, Progress, Remaining, Rest, Tally, fate};

use std::fmt;

use super::hash::{Map, Set};
use super::terms::{DESTINATION_HASH, SchedulerFlag, fallback_of};
use super::{Change, Entry, Host, Server, ServerId, ServerState, Service, ServiceId};

/// A server of a service.
pub type Member = (ServiceId, ServerId);

/// Settings that decide what the kernel does with connections to a drained server, if known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Persistence releases clients of a server with weight 0.
    pub expire_quiescent_template: Option<i64>,
    /// Connections end with their server.
    pub expire_nodest_conn: Option<i64>,
    /// A client that uses a port again may get another server.
    pub conn_reuse_mode: Option<i64>,
}

/// How servers are drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes that drain them.
    pub changes: Vec<Change>,
    /// The changes that restore everything.
    pub undo: Vec<Change>,
    /// Services that get a flag during the drain: each as it was before, and as it is meanwhile.
    pub services: Vec<(Service, Service)>,
    /// Notes for the user.
    pub notes: Vec<Note>,
}

/// A note about a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The server has weight 0 already.
    Already(ServiceId, ServerId),
    /// No server is left that takes new connections.
    Last(ServiceId),
    /// Clients that persistence keeps on the server come back to it.
    Persistent(ServiceId),
    /// Clients whose address the scheduler maps to the server are refused.
    Refuses(ServiceId),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Already(service, server) => {
                write!(f, "{service} -r {server}: the weight is 0 already")
            }
            Self::Last(service) => {
                write!(f, "{service}: no server is left for new connections")
            }
            Self::Persistent(service) => write!(
                f,
                "{service}: it is persistent, so known clients come back to the server; \
                 with net.ipv4.vs.expire_quiescent_template=1 they go elsewhere"
            ),
            Self::Refuses(service) => write!(
                f,
                "{service}: dh refuses connections to the addresses that it maps to the server, \
                 until the server is deleted or has a weight again"
            ),
        }
    }
}

/// The servers on a host, in one service or in every service.
pub fn places(table: &[Entry], service: Option<ServiceId>, host: Host) -> Vec<Member> {
    let is_wanted = |entry: &&Entry| service.is_none_or(|id| entry.service.service.id == id);
    let entries = table.iter().filter(is_wanted);
    let places = entries.flat_map(|entry| {
        let servers = entry.servers.iter().map(|state| state.server.id);
        let servers = servers.filter(|id| host.is(id));
        servers.map(|server| (entry.service.service.id, server))
    });
    places.collect()
}

/// How to drain servers so that no client is refused while another server could take it.
pub fn plan(table: &[Entry], places: &[Member], tuning: &Tuning) -> Plan {
    let places: Set<&Member> = places.iter().collect();
    let mut plan = Plan::default();
    for entry in table {
        let id = entry.service.service.id;
        let is_leaving = |state: &&ServerState| places.contains(&(id, state.server.id));
        let (leaving, staying): (Vec<_>, Vec<_>) = entry.servers.iter().partition(is_leaving);
        plan.add(&entry.service.service, &leaving, &staying, tuning);
    }
    plan
}

impl Plan {
    fn add(
        &mut self,
        service: &Service,
        leaving: &[&ServerState],
        staying: &[&ServerState],
        tuning: &Tuning,
    ) {
        let id = service.id;
        let is_drained = |state: &&&ServerState| state.server.weight == 0;
        let (already, lowered): (Vec<&ServerState>, Vec<_>) = leaving.iter().partition(is_drained);
        for state in already {
            self.notes.push(Note::Already(id, state.server.id));
        }
        if lowered.is_empty() {
            return;
        }
        let is_last = !staying.iter().any(is_usable);
        let falling_back = (!is_last).then(|| falling_back(service)).flatten();
        if let Some(meanwhile) = falling_back {
            self.changes.push(Change::EditService(meanwhile));
            self.services.push((*service, meanwhile));
        }
        for state in lowered {
            let drained = Server {
                weight: 0,
                ..state.server
            };
            self.changes.push(Change::EditServer(id, drained));
            self.undo.push(Change::EditServer(id, state.server));
        }
        // The weights are restored before the flag that protects against weight 0 is removed.
        if falling_back.is_some() {
            self.undo.push(Change::EditService(*service));
        }
        if is_last {
            self.notes.push(Note::Last(id));
        } else if always_turns_away(service) {
            self.notes.push(Note::Refuses(id));
        }
        if service.persistence.is_some() && tuning.expire_quiescent_template != Some(1) {
            self.notes.push(Note::Persistent(id));
        }
    }
}

fn is_usable(state: &&ServerState) -> bool {
    state.server.is_usable()
}

/// Why a scheduler turns away the clients that its hash sends to a server of weight 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnsAway {
    /// It cannot choose another server.
    Always,
    /// It has this flag to choose another server, and the flag is not set.
    Without(&'static SchedulerFlag),
}

/// Whether and why the service turns clients away from a server of weight 0.
pub fn turns_away(service: &Service) -> Option<TurnsAway> {
    let scheduler = service.scheduler.as_bytes();
    if scheduler == DESTINATION_HASH.as_bytes() {
        return Some(TurnsAway::Always);
    }
    let fallback = fallback_of(scheduler)?;
    (!service.flags.has(fallback.flag)).then_some(TurnsAway::Without(fallback))
}

fn always_turns_away(service: &Service) -> bool {
    turns_away(service) == Some(TurnsAway::Always)
}

/// The service with the flag that makes its scheduler pass over servers of weight 0. `None` if the
/// flag is already set or does not exist.
fn falling_back(service: &Service) -> Option<Service> {
    match turns_away(service)? {
        TurnsAway::Always => None,
        TurnsAway::Without(fallback) => Some(Service {
            flags: service.flags | fallback.flag,
            ..*service
        }),
    }
}

/// Deletions to make at once, and deletions that can wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    /// These cannot wait, because clients would be refused meanwhile.
    pub at_once: Vec<AtOnce>,
    /// These are made when the connections have ended.
    pub later: Vec<Change>,
    /// The servers whose connections the later deletions wait for.
    pub places: Vec<Member>,
}

/// A deletion that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtOnce {
    /// The deletion.
    pub change: Change,
    /// The wider service that then takes the traffic. `None` if the reason is the scheduler dh.
    pub wider: Option<ServiceId>,
    /// The number of connections that lose their server.
    pub connections: u64,
}

impl fmt::Display for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.wider {
            Some(wider) => write!(
                f,
                "deleted without waiting, since {wider} takes its traffic but would not meanwhile"
            )?,
            None => write!(
                f,
                "deleted without waiting, since dh would refuse connections meanwhile"
            )?,
        }
        match self.connections {
            0 => Ok(()),
            1 => f.write_str("; 1 connection is cut"),
            count => write!(f, "; {count} connections are cut"),
        }
    }
}

/// Which deletions can wait for connections to end.
pub fn deletions(table: &[Entry], changes: &[Change]) -> Deletions {
    let outlook = Outlook::new(table, changes);
    let mut deletions = Deletions::default();
    for change in changes {
        let Some((id, server)) = change.deletes() else {
            continue;
        };
        let Some(entry) = outlook.entries.get(&id) else {
            deletions.later.push(*change);
            continue;
        };
        let is_leaving = |state: &&ServerState| server.is_none_or(|id| state.server.id == id);
        let leaving = || entry.servers.iter().filter(is_leaving);
        let wider = match server {
            Some(_) => None,
            None => outlook.takes_over(&id),
        };
        let refuses =
            server.is_some() && outlook.is_refusing(entry) && leaving().any(|s| is_usable(&s));
        if wider.is_some() || refuses {
            let numbers =
                leaving().map(|state| u64::from(state.active) + u64::from(state.inactive));
            deletions.at_once.push(AtOnce {
                change: *change,
                wider,
                connections: numbers.sum(),
            });
            continue;
        }
        let servers = leaving().map(|state| (id, state.server.id));
        deletions.places.extend(servers);
        deletions.later.push(*change);
    }
    deletions
}

/// A table, and what is to be deleted from it.
struct Outlook<'a> {
    entries: Map<ServiceId, &'a Entry>,
    gone: Set<(ServiceId, Option<ServerId>)>,
}

impl<'a> Outlook<'a> {
    fn new(table: &'a [Entry], changes: &[Change]) -> Self {
        let entries = table.iter().map(|entry| (entry.service.service.id, entry));
        Self {
            entries: entries.collect(),
            gone: changes.iter().filter_map(Change::deletes).collect(),
        }
    }

    /// Whether a service would refuse the clients of a server of weight 0 although another server
    /// could take them.
    fn is_refusing(&self, entry: &Entry) -> bool {
        let service = &entry.service.service;
        let stays =
            |state: &&ServerState| !self.gone.contains(&(service.id, Some(state.server.id)));
        let mut staying = entry.servers.iter().filter(stays);
        always_turns_away(service) && staying.any(|state| is_usable(&state))
    }

    /// The service for all ports that takes the traffic of another one once that is deleted. Marks
    /// are left out, because they do not show which addresses they apply to.
    fn takes_over(&self, id: &ServiceId) -> Option<ServiceId> {
        let wider = id.for_all_ports()?;
        let entry = self.entries.get(&wider)?;
        let is_able = entry.servers.iter().any(|state| is_usable(&state));
        (is_able && !self.gone.contains(&(wider, None))).then_some(wider)
    }
}

#[cfg(test)]
mod tests;
