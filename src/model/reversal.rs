//! Undoes our own changes, but only where nobody else has changed the same thing since.

use super::difference::{Configured, Table, effective_server, effective_service, runs_as_wanted};
use super::hash::{Map, Set};
use super::{Change, Daemon, DaemonRole, Server, ServerId, Service, ServiceId};

/// How to undo changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reversal {
    /// The changes that undo them.
    pub changes: Vec<Change>,
    /// Changes that stay, because another program has changed the same thing since.
    pub kept: Vec<Change>,
}

/// Undoes the changes `made` to a table, the last one first. `now` is the table after them.
pub fn reversal(before: &Table, made: &[Change], now: &Table) -> Reversal {
    let (before, now) = (Index::new(before), Index::new(now));
    let ours = ours(made, &now);
    let mut reversal = Reversal::default();
    let mut seen = Set::default();
    for change in made.iter().rev() {
        // Of several changes to one target, only the last one shows how it was left.
        let is_last = object(change).is_none_or(|object| seen.insert(object));
        if !is_last {
            continue;
        }
        if is_as_before(&before, &now, change) {
            continue;
        }
        match back(&before, &ours, &now, change) {
            Back::By(changes) => reversal.changes.extend(changes),
            Back::With => {}
            Back::No => reversal.kept.push(*change),
        }
    }
    reversal
}

/// How one change is undone.
enum Back {
    By(Vec<Change>),
    /// Together with the service that it belongs to.
    With,
    /// Somebody else has changed the same thing.
    No,
}

impl Back {
    fn when(is_as_left: bool, change: Option<Change>) -> Self {
        match change {
            Some(change) if is_as_left => Self::By(vec![change]),
            _ => Self::No,
        }
    }
}

/// `ours` are the new services that nobody has changed since.
fn back(before: &Index, ours: &Set<ServiceId>, now: &Index, change: &Change) -> Back {
    match *change {
        Change::AddService(service) => {
            let is_as_left = ours.contains(&service.id);
            Back::when(is_as_left, Some(Change::DeleteService(service.id)))
        }
        Change::EditService(service) => {
            let old = before.service(&service.id).map(Change::EditService);
            let now = now.service(&service.id);
            let is_as_left = now.is_some_and(|now| is_same_service(&now, &service));
            Back::when(is_as_left, old)
        }
        Change::AddServer(id, server) => {
            if ours.contains(&id) && before.service(&id).is_none() {
                return Back::With;
            }
            let now = now.server(id, server.id);
            let is_as_left = now.is_some_and(|now| is_same_server(&now, &server));
            Back::when(is_as_left, Some(Change::DeleteServer(id, server.id)))
        }
        Change::EditServer(id, server) => {
            let old = before.server(id, server.id);
            let old = old.map(|old| Change::EditServer(id, old));
            let now = now.server(id, server.id);
            let is_as_left = now.is_some_and(|now| is_same_server(&now, &server));
            Back::when(is_as_left, old)
        }
        Change::SetTimeouts(left) => {
            let is_as_left = now.table.timeouts.is_some_and(|now| {
                let is = |left, now| left == 0 || left == now;
                is(left.tcp, now.tcp) && is(left.tcp_fin, now.tcp_fin) && is(left.udp, now.udp)
            });
            Back::when(is_as_left, before.table.timeouts.map(Change::SetTimeouts))
        }
        Change::StartDaemon(left) => {
            let is_as_left = now
                .daemon(left.role)
                .is_some_and(|now| runs_as_wanted(&now, &left));
            if !is_as_left {
                return Back::No;
            }
            let mut changes = vec![Change::StopDaemon(left.role)];
            changes.extend(before.daemon(left.role).map(Change::StartDaemon));
            Back::By(changes)
        }
        Change::StopDaemon(role) => {
            let old = before.daemon(role).map(Change::StartDaemon);
            Back::when(now.daemon(role).is_none(), old)
        }
        // These cannot be undone, so they come last, after everything is confirmed.
        Change::DeleteService(_) | Change::DeleteServer(..) | Change::Flush | Change::Zero(_) => {
            Back::No
        }
    }
}

/// Whether the target of a change is as before: somebody has undone the change, or it was never
/// made.
fn is_as_before(before: &Index, now: &Index, change: &Change) -> bool {
    match object(change) {
        Some(Object::Service(id)) => {
            let service = |index: &Index| index.service(&id).map(|it| effective_service(&it));
            service(before) == service(now)
        }
        Some(Object::Server(id, server)) => {
            let server = |index: &Index| index.server(id, server).map(|it| effective_server(&it));
            server(before) == server(now)
        }
        Some(Object::Timeouts) => before.table.timeouts == now.table.timeouts,
        Some(Object::Daemon(role)) => before.daemon(role) == now.daemon(role),
        None => false,
    }
}

/// The target of a change.
#[derive(PartialEq, Eq, Hash)]
enum Object {
    Service(ServiceId),
    Server(ServiceId, ServerId),
    Timeouts,
    Daemon(DaemonRole),
}

fn object(change: &Change) -> Option<Object> {
    Some(match change {
        Change::AddService(service) | Change::EditService(service) => Object::Service(service.id),
        Change::DeleteService(id) => Object::Service(*id),
        Change::AddServer(id, server) | Change::EditServer(id, server) => {
            Object::Server(*id, server.id)
        }
        Change::DeleteServer(id, server) => Object::Server(*id, *server),
        Change::SetTimeouts(_) => Object::Timeouts,
        Change::StartDaemon(daemon) => Object::Daemon(daemon.role),
        Change::StopDaemon(role) => Object::Daemon(*role),
        Change::Flush | Change::Zero(_) => return None,
    })
}

/// The new services that are still as the changes left them, with all their servers.
fn ours(made: &[Change], now: &Index) -> Set<ServiceId> {
    let (mut services, mut servers) = (Vec::new(), Map::default());
    for change in made {
        if let Change::AddService(service) = change {
            services.push(service);
        } else if let Change::AddServer(id, server) = change {
            servers.insert((*id, server.id), server);
        }
    }
    let is_ours = |added: &&Service| {
        let is_added = |server: &Server| {
            let added = servers.get(&(added.id, server.id));
            added.is_some_and(|added| is_same_server(added, server))
        };
        now.services.get(&added.id).is_some_and(|now| {
            is_same_service(added, &now.service) && now.servers.iter().all(is_added)
        })
    };
    let ours = services.into_iter().filter(is_ours);
    ours.map(|service| service.id).collect()
}

fn is_same_service(one: &Service, other: &Service) -> bool {
    effective_service(one) == effective_service(other)
}

fn is_same_server(one: &Server, other: &Server) -> bool {
    effective_server(one) == effective_server(other)
}

/// A table with its services and servers indexed by id.
struct Index<'a> {
    table: &'a Table,
    services: Map<ServiceId, &'a Configured>,
    servers: Map<(ServiceId, ServerId), Server>,
}

impl<'a> Index<'a> {
    fn new(table: &'a Table) -> Self {
        let services = table.services.iter().map(|entry| (entry.service.id, entry));
        let servers = table.services.iter().flat_map(|entry| {
            let servers = entry.servers.iter();
            servers.map(|server| ((entry.service.id, server.id), *server))
        });
        Self {
            table,
            services: services.collect(),
            servers: servers.collect(),
        }
    }

    fn service(&self, id: &ServiceId) -> Option<Service> {
        self.services.get(id).map(|entry| entry.service)
    }

    fn server(&self, id: ServiceId, server: ServerId) -> Option<Server> {
        self.servers.get(&(id, server)).copied()
    }

    fn daemon(&self, role: DaemonRole) -> Option<Daemon> {
        let mut daemons = self.table.daemons.iter();
        daemons.find(|daemon| daemon.role == role).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Timeouts;
    use crate::model::difference::{Phase, difference};

    /// Makes the changes as the kernel would.
    fn carry_out(table: &mut Table, changes: &[Change]) {
        changes.iter().for_each(|change| make(table, change));
    }

    fn make(table: &mut Table, change: &Change) {
        let at = |table: &Table, id: &ServiceId| {
            let mut services = table.services.iter();
            services.position(|entry| entry.service.id == *id).unwrap()
        };
        match *change {
            Change::AddService(service) => table.services.push(Configured {
                service,
                servers: Vec::new(),
            }),
            Change::EditService(service) => {
                let at = at(table, &service.id);
                table.services[at].service = service;
            }
            Change::DeleteService(id) => table.services.retain(|entry| entry.service.id != id),
            Change::AddServer(id, server) => {
                let at = at(table, &id);
                table.services[at].servers.push(server);
            }
            Change::EditServer(id, server) => {
                let at = at(table, &id);
                let mut servers = table.services[at].servers.iter_mut();
                *servers.find(|old| old.id == server.id).unwrap() = server;
            }
            Change::DeleteServer(id, server) => {
                let at = at(table, &id);
                table.services[at].servers.retain(|old| old.id != server);
            }
            Change::SetTimeouts(timeouts) => table.timeouts = Some(timeouts),
            Change::StartDaemon(daemon) => table.daemons.push(daemon),
            Change::StopDaemon(role) => table.daemons.retain(|daemon| daemon.role != role),
            Change::Flush | Change::Zero(_) => unreachable!(),
        }
    }

    fn table() -> impl Strategy<Value = Table> {
        let servers = prop::collection::btree_map(1u8..5, 0..3i32, 0..4);
        let entry = (prop::sample::select(vec!["rr", "wrr"]), servers);
        let services = prop::collection::btree_map(80u16..84, entry, 0..4);
        let daemon = prop::option::of(0..3u32);
        (services, 1..3u32, daemon).prop_map(|(services, tcp, daemon)| Table {
            services: services
                .into_iter()
                .map(|(port, (scheduler, servers))| {
                    let service = Service::tcp(SocketAddr::from(([192, 0, 2, 1], port)));
                    let servers = servers.into_iter().map(|(host, weight)| Server {
                        weight,
                        ..Server::new(SocketAddr::from(([10, 0, 0, host], port)))
                    });
                    Configured {
                        service: Service {
                            scheduler: scheduler.parse().unwrap(),
                            ..service
                        },
                        servers: servers.collect(),
                    }
                })
                .collect(),
            timeouts: Some(Timeouts {
                tcp,
                tcp_fin: 1,
                udp: 1,
            }),
            daemons: daemon
                .map(|id| Daemon::new(DaemonRole::Master, "eth0".parse().unwrap(), id))
                .into_iter()
                .collect(),
        })
    }

    /// All changes from one table to another, except deletions.
    fn made(before: &Table, wanted: &Table) -> Vec<Change> {
        let steps = difference(before, wanted, false).steps.into_iter();
        let is_kept = |phase| !matches!(phase, Phase::DeleteServers | Phase::DeleteServices);
        let steps = steps.filter(|step| is_kept(step.phase));
        steps.map(|step| step.change).collect()
    }

    fn sorted(mut table: Table) -> Table {
        let id = |entry: &Configured| entry.service.id.to_string();
        table.services.sort_by_key(id);
        table.daemons.sort_by_key(|daemon| daemon.role.to_string());
        for entry in &mut table.services {
            entry.servers.sort_by_key(|server| server.id.to_string());
        }
        table
    }

    proptest! {
        #[test]
        fn our_own_changes_are_taken_back(before in table(), wanted in table()) {
            let made = made(&before, &wanted);
            let mut now = before.clone();
            carry_out(&mut now, &made);
            let reversal = reversal(&before, &made, &now);
            prop_assert_eq!(&reversal.kept, &[]);
            carry_out(&mut now, &reversal.changes);
            prop_assert_eq!(sorted(now), sorted(before));
        }

        /// Changes that were never made, or are already undone, are neither undone nor reported.
        #[test]
        fn what_is_as_before_needs_nothing(before in table(), wanted in table()) {
            let made = made(&before, &wanted);
            let nothing = Reversal::default();
            prop_assert_eq!(reversal(&before, &made, &before), nothing);
        }

        /// Later changes by another program stay.
        #[test]
        fn changes_of_others_stay(before in table(), wanted in table(), other in table()) {
            let made = made(&before, &wanted);
            let mut ours = before.clone();
            carry_out(&mut ours, &made);
            let theirs: Vec<Change> =
                difference(&ours, &other, false).steps.iter().map(|step| step.change).collect();
            let mut now = ours.clone();
            carry_out(&mut now, &theirs);
            let reversal = reversal(&before, &made, &now);
            let left = Index::new(&ours);
            for entry in &now.services {
                let id = entry.service.id;
                let touches = |wanted: &[Object]| {
                    let mut objects = reversal.changes.iter().filter_map(object);
                    objects.any(|object| wanted.contains(&object))
                };
                let is_theirs = left.service(&id) != Some(entry.service);
                prop_assert!(!is_theirs || !touches(&[Object::Service(id)]));
                for server in &entry.servers {
                    let is_theirs = left.server(id, server.id) != Some(*server);
                    let is_gone = reversal.changes.contains(&Change::DeleteService(id));
                    let is_touched = touches(&[Object::Server(id, server.id)]);
                    prop_assert!(!is_theirs || !(is_touched || is_gone));
                }
            }
            // All changes can be made.
            carry_out(&mut now, &reversal.changes);
        }
    }
}
