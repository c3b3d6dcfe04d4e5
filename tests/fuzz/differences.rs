//! The difference of any two tables: its steps lead from one to the other, and change each object
//! once.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use ipvsadm::model::difference::{Configured, Table, difference};
use ipvsadm::model::*;

use crate::drive::{Reader, Surface};
use crate::mill::Mill;
use crate::random::Random;
use crate::saves;

/// Chance alone makes these tables.
pub const SURFACE: Surface = Surface {
    name: "differences",
    quick: 4_000,
    mill: || Mill::new(vec![Vec::new()], vec![Vec::new()]),
    open,
};

fn open() -> Result<Reader> {
    Ok(Box::new(|_, random| {
        let ids = ids(random);
        let (old, new) = (table(random, &ids), table(random, &ids));
        let keep = random.chance(30);
        let difference = self::difference(&old, &new, keep);
        let mut reached = Reached::new(&old);
        let always = &reached.usable() & &Reached::new(&new).usable();
        let mut changed = HashSet::new();
        for step in &difference.steps {
            let change = step.change;
            assert!(changed.insert(object(&change)), "again: {change:?}");
            reached.make(change);
            assert!(reached.usable().is_superset(&always), "after {change:?}");
        }

        let reached = reached.table();
        let again = self::difference(&reached, &new, keep);
        assert_eq!(again.steps, [], "{old:?} to {new:?}");
        if !keep {
            let [new, reached] = [new.services, reached.services].map(services_alone);
            assert_eq!(self::difference(&new, &reached, false).steps, []);
        }
        assert_eq!(self::difference(&old, &old, false).steps, []);

        let steps = difference.steps.len();
        let refused = (0..steps).filter(|_| random.chance(20)).collect();
        let left_out = difference.left_out(&refused);
        assert!(left_out.iter().all(|step| *step < steps));
        let added = |id: &ServiceId| !old.services.iter().any(|entry| entry.service.id == *id);
        assert!(difference.withdrawn(&refused).iter().all(added));
        for step in 0..steps {
            difference.is_consequence(step, &refused);
        }
    }))
}

/// Some services, of which one may take traffic from another.
fn ids(random: &mut Random) -> Vec<ServiceId> {
    let mut ids = HashSet::new();
    for _ in 0..random.below(5) {
        let id = saves::service_id(random);
        ids.insert(id);
        if let ServiceId::Address {
            protocol, address, ..
        } = id
        {
            ids.insert(ServiceId::Address {
                protocol,
                address,
                port: 0,
            });
        }
    }
    ids.into_iter().collect()
}

fn table(random: &mut Random, ids: &[ServiceId]) -> Table {
    let mut services = Vec::new();
    for id in random.some(ids, ids.len()) {
        if random.chance(75) {
            let service = saves::service(random, id);
            services.push(Configured {
                service,
                servers: servers(random, &id),
            });
        }
    }
    let seconds = |random: &mut Random| random.below(3) as u32;
    let mut daemons = Vec::new();
    for role in [DaemonRole::Master, DaemonRole::Backup] {
        if random.chance(30) {
            let interface = "lo".parse().expect("a short name");
            daemons.push(Daemon::new(role, interface, seconds(random)));
        }
    }
    Table {
        services,
        timeouts: Some(Timeouts {
            tcp: seconds(random),
            tcp_fin: seconds(random),
            udp: seconds(random),
        }),
        daemons,
    }
}

/// Servers of which other tables may have the same.
fn servers(random: &mut Random, service: &ServiceId) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for number in 0..random.below(5) {
        let mut server = saves::server(random, service);
        if random.chance(75) {
            // These are few, and so they meet.
            let plain = Server::new(([10, 1, 0, number as u8], 80));
            server.id = plain.id;
        }
        if servers.iter().all(|other| other.id != server.id) {
            servers.push(server);
        }
    }
    servers
}

/// Services that the other table does not have go; other things stay.
fn services_alone(services: Vec<Configured>) -> Table {
    Table {
        services,
        ..Table::default()
    }
}

/// What a change is about; to stop a daemon and to start it are two things.
fn object(change: &Change) -> String {
    match change {
        Change::AddService(Service { id, .. })
        | Change::EditService(Service { id, .. })
        | Change::DeleteService(id) => id.to_string(),
        Change::AddServer(id, Server { id: server, .. })
        | Change::EditServer(id, Server { id: server, .. })
        | Change::DeleteServer(id, server) => format!("{id} {server}"),
        Change::SetTimeouts(_) => "timeouts".to_owned(),
        Change::StartDaemon(daemon) => format!("start {}", daemon.role),
        Change::StopDaemon(role) => format!("stop {role}"),
        _ => panic!("{change:?} is not of a difference"),
    }
}

/// A table on its way to another.
struct Reached {
    services: HashMap<ServiceId, (Service, HashMap<ServerId, Server>)>,
    timeouts: Timeouts,
    daemons: HashMap<DaemonRole, Daemon>,
}

impl Reached {
    fn new(table: &Table) -> Self {
        let services = table
            .services
            .iter()
            .map(|Configured { service, servers }| {
                let servers = servers.iter().map(|server| (server.id, *server)).collect();
                (service.id, (*service, servers))
            });
        let daemons = table.daemons.iter().map(|daemon| (daemon.role, *daemon));
        Self {
            services: services.collect(),
            timeouts: table.timeouts.unwrap_or_default(),
            daemons: daemons.collect(),
        }
    }

    /// Makes a change that is possible as things are.
    fn make(&mut self, change: Change) {
        let servers = change.service().and_then(|id| self.services.get_mut(&id));
        let (was, is) = match change {
            Change::AddService(service) => (
                self.services
                    .insert(service.id, (service, HashMap::new()))
                    .is_some(),
                false,
            ),
            Change::EditService(service) => {
                let entry = servers.expect("it exists");
                entry.0 = service;
                return;
            }
            Change::DeleteService(id) => (self.services.remove(&id).is_some(), true),
            Change::AddServer(_, server) => {
                let (_, servers) = servers.expect("it exists");
                (servers.insert(server.id, server).is_some(), false)
            }
            Change::EditServer(_, server) => {
                let (_, servers) = servers.expect("it exists");
                (servers.insert(server.id, server).is_some(), true)
            }
            Change::DeleteServer(_, server) => {
                let (_, servers) = servers.expect("it exists");
                (servers.remove(&server).is_some(), true)
            }
            Change::SetTimeouts(timeouts) => {
                self.timeouts = timeouts.over(self.timeouts);
                return;
            }
            Change::StartDaemon(daemon) => {
                (self.daemons.insert(daemon.role, daemon).is_some(), false)
            }
            Change::StopDaemon(role) => (self.daemons.remove(&role).is_some(), true),
            _ => panic!("{change:?} is not of a difference"),
        };
        assert_eq!(was, is, "{change:?}");
    }

    /// The services that take new connections.
    fn usable(&self) -> HashSet<ServiceId> {
        let is_usable = |servers: &HashMap<_, Server>| servers.values().any(Server::is_usable);
        let usable = self
            .services
            .iter()
            .filter(|(_, (_, servers))| is_usable(servers));
        usable.map(|(id, _)| *id).collect()
    }

    fn table(&self) -> Table {
        let services = self.services.values().map(|(service, servers)| Configured {
            service: *service,
            servers: servers.values().copied().collect(),
        });
        Table {
            services: services.collect(),
            timeouts: Some(self.timeouts),
            daemons: self.daemons.values().copied().collect(),
        }
    }
}
