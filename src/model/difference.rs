//! The steps from the current table to the wanted one. At no moment does a service lack a usable
//! server that has one before and after.
//!
//! What exists in both is edited in place, so its connections and counters go on; only what the
//! wanted table does not have is deleted. Servers come before servers go: at every point of the
//! list, each service has a usable server of the old table or one of the new.

use std::collections::{HashMap, HashSet};

use super::{Change, Daemon, Entry, Server, ServerId, Service, ServiceId, Timeouts};

/// A table as it is configured, without what the kernel counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub services: Vec<Configured>,
    /// 0 leaves one as it is; `None` leaves all of them.
    pub timeouts: Option<Timeouts>,
    /// Roles that are missing stay as they are.
    pub daemons: Vec<Daemon>,
}

/// A service and its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    pub service: Service,
    pub servers: Vec<Server>,
}

impl From<&Entry> for Configured {
    fn from(entry: &Entry) -> Self {
        Self {
            service: entry.service.service,
            servers: entry.servers.iter().map(|state| state.server).collect(),
        }
    }
}

/// The stages, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// New services, each with its servers.
    NewServices,
    EditServices,
    AddServers,
    /// Servers whose weight rises or stays.
    RaiseServers,
    /// From here on servers get less. They keep what they have if what replaces them was refused.
    LowerServers,
    DeleteServers,
    DeleteServices,
    /// Timeouts and daemons.
    Settings,
}

/// What a change costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// New connections are refused while the scheduler changes.
    Scheduler,
    /// Persistence uses another mask, so some clients move to another server.
    Mask,
    /// Old connections stay with the old forwarding method.
    Forwarding,
    /// Traffic moves here from a service that takes more than this one.
    Takeover,
    /// Connections end, at once or as they time out.
    Connections,
}

/// One change of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    pub change: Change,
    pub cost: Option<Cost>,
}

/// The changes that turn `current` into `wanted`, in the order in which they must be made. With
/// `keep`, services that `wanted` does not have stay.
pub fn difference(current: &Table, wanted: &Table, keep: bool) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    let old: HashMap<ServiceId, &Configured> = by_id(&current.services);
    let new: HashMap<ServiceId, &Configured> = by_id(&wanted.services);
    for entry in &wanted.services {
        match old.get(&entry.service.id) {
            Some(old) => steps.edit(old, entry),
            None => steps.add(&current.services, entry),
        }
    }
    if !keep {
        let gone = |entry: &&Configured| !new.contains_key(&entry.service.id);
        for entry in current.services.iter().filter(gone) {
            let cost = (!entry.servers.is_empty()).then_some(Cost::Connections);
            let change = Change::DeleteService(entry.service.id);
            steps.push(Phase::DeleteServices, change, cost);
        }
    }
    steps.settings(current, wanted);
    steps.0.sort_by_key(|step| step.phase);
    steps.0
}

fn by_id(services: &[Configured]) -> HashMap<ServiceId, &Configured> {
    let services = services.iter();
    services.map(|entry| (entry.service.id, entry)).collect()
}

struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, phase: Phase, change: Change, cost: Option<Cost>) {
        self.0.push(Step {
            phase,
            change,
            cost,
        });
    }

    fn add(&mut self, current: &[Configured], entry: &Configured) {
        let id = entry.service.id;
        let takes_over = current.iter().any(|other| includes(&other.service.id, &id));
        let cost = takes_over.then_some(Cost::Takeover);
        self.push(Phase::NewServices, Change::AddService(entry.service), cost);
        for server in &entry.servers {
            self.push(Phase::NewServices, Change::AddServer(id, *server), None);
        }
    }

    fn edit(&mut self, old: &Configured, new: &Configured) {
        let (service, id) = (new.service, new.service.id);
        if old.service != service {
            let cost = cost_of_service(&old.service, &service);
            self.push(Phase::EditServices, Change::EditService(service), cost);
        }
        let old_servers = old.servers.iter().map(|server| (server.id, server));
        let old_servers: HashMap<ServerId, &Server> = old_servers.collect();
        let new_ids: HashSet<ServerId> = new.servers.iter().map(|server| server.id).collect();
        for server in &new.servers {
            match old_servers.get(&server.id) {
                None => self.push(Phase::AddServers, Change::AddServer(id, *server), None),
                Some(old) if *old == server => {}
                Some(old) => {
                    let phase = match server.weight < old.weight {
                        true => Phase::LowerServers,
                        false => Phase::RaiseServers,
                    };
                    let moves = old.forwarding != server.forwarding || old.tunnel != server.tunnel;
                    let cost = moves.then_some(Cost::Forwarding);
                    self.push(phase, Change::EditServer(id, *server), cost);
                }
            }
        }
        for server in &old.servers {
            if !new_ids.contains(&server.id) {
                let change = Change::DeleteServer(id, server.id);
                self.push(Phase::DeleteServers, change, Some(Cost::Connections));
            }
        }
    }

    fn settings(&mut self, current: &Table, wanted: &Table) {
        if let (Some(wanted), Some(current)) = (wanted.timeouts, current.timeouts) {
            let differs = |wanted, current| wanted != 0 && wanted != current;
            if differs(wanted.tcp, current.tcp)
                || differs(wanted.tcp_fin, current.tcp_fin)
                || differs(wanted.udp, current.udp)
            {
                self.push(Phase::Settings, Change::SetTimeouts(wanted), None);
            }
        }
        for wanted in &wanted.daemons {
            let mut daemons = current.daemons.iter();
            let current = daemons.find(|daemon| daemon.role == wanted.role);
            if current.is_some_and(|current| is_as_wanted(current, wanted)) {
                continue;
            }
            if current.is_some() {
                let stop = Change::StopDaemon(wanted.role);
                self.push(Phase::Settings, stop, None);
            }
            let start = Change::StartDaemon(*wanted);
            self.push(Phase::Settings, start, None);
        }
    }
}

/// Whether a service takes traffic that belongs to another one as soon as that exists: one for
/// every port of an address, or a mark, that could be on any packet.
fn includes(wide: &ServiceId, narrow: &ServiceId) -> bool {
    match (wide, narrow) {
        (ServiceId::Mark { .. }, ServiceId::Mark { .. }) => false,
        (ServiceId::Mark { .. }, ServiceId::Address { .. })
        | (ServiceId::Address { .. }, ServiceId::Mark { .. }) => wide.family() == narrow.family(),
        (
            ServiceId::Address {
                protocol,
                address,
                port,
            },
            ServiceId::Address {
                protocol: other_protocol,
                address: other_address,
                ..
            },
        ) => *port == 0 && protocol == other_protocol && address == other_address,
    }
}

fn cost_of_service(old: &Service, new: &Service) -> Option<Cost> {
    if old.scheduler != new.scheduler {
        return Some(Cost::Scheduler);
    }
    (old.persistence.is_some() && old.mask != new.mask).then_some(Cost::Mask)
}

/// Whether a daemon has the wanted settings. Those that are `None` are left to the kernel.
fn is_as_wanted(current: &Daemon, wanted: &Daemon) -> bool {
    fn fits<T: PartialEq>(wanted: Option<T>, current: Option<T>) -> bool {
        wanted.is_none() || wanted == current
    }
    wanted.interface == current.interface
        && wanted.sync_id == current.sync_id
        && fits(wanted.max_length, current.max_length)
        && fits(wanted.group, current.group)
        && fits(wanted.port, current.port)
        && fits(wanted.ttl, current.ttl)
}

/// How much there is to do, or was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub services_added: usize,
    pub servers_added: usize,
    pub changed: usize,
    pub deleted: usize,
}

impl Summary {
    pub fn count(&mut self, change: &Change) {
        match change {
            Change::AddService(_) => self.services_added += 1,
            Change::AddServer(..) => self.servers_added += 1,
            Change::DeleteService(_) | Change::DeleteServer(..) => self.deleted += 1,
            Change::EditService(_)
            | Change::EditServer(..)
            | Change::Flush
            | Change::Zero(_)
            | Change::SetTimeouts(_)
            | Change::StartDaemon(_)
            | Change::StopDaemon(_) => self.changed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{DaemonRole, Forwarding, Protocol};

    fn server() -> impl Strategy<Value = Server> {
        let forwarding = prop_oneof![
            Just(Forwarding::Masquerade),
            Just(Forwarding::DirectRouting),
            Just(Forwarding::Tunnel)
        ];
        (1u8..5, forwarding, 0..3i32, 0..2u32).prop_map(|(host, forwarding, weight, limit)| {
            Server {
                forwarding,
                weight,
                upper_threshold: limit,
                ..Server::new(SocketAddr::from(([10, 0, 0, host], 80)))
            }
        })
    }

    fn service() -> impl Strategy<Value = Service> {
        let scheduler = prop::sample::select(vec!["rr", "wrr", "sh"]);
        (0u16..4, scheduler, prop::option::of(1..3u32)).prop_map(
            |(port, scheduler, persistence)| {
                let id = SocketAddr::from(([192, 0, 2, 1], port));
                Service {
                    scheduler: scheduler.parse().unwrap(),
                    persistence,
                    ..Service::new(ServiceId::address(Protocol::TCP, id))
                }
            },
        )
    }

    fn table() -> impl Strategy<Value = Table> {
        let entry = (service(), prop::collection::vec(server(), 0..5));
        let daemon = (any::<bool>(), 0u32..3).prop_map(|(master, id)| {
            let role = match master {
                true => DaemonRole::Master,
                false => DaemonRole::Backup,
            };
            Daemon::new(role, "eth0".parse().unwrap(), id)
        });
        let timeouts = (0..3u32, 0..3u32).prop_map(|(tcp, udp)| Timeouts {
            tcp,
            tcp_fin: 1,
            udp,
        });
        let entries = prop::collection::vec(entry, 0..5);
        let daemons = prop::collection::vec(daemon, 0..3);
        (entries, timeouts, daemons).prop_map(|(entries, timeouts, mut daemons)| {
            let (mut services, mut roles) = (HashSet::new(), HashSet::new());
            daemons.retain(|daemon| roles.insert(daemon.role));
            let entries = entries.into_iter().filter_map(|(service, mut servers)| {
                let mut ids = HashSet::new();
                servers.retain(|server| ids.insert(server.id));
                let entry = Configured { service, servers };
                services.insert(service.id).then_some(entry)
            });
            Table {
                services: entries.collect(),
                timeouts: Some(timeouts),
                daemons,
            }
        })
    }

    impl Table {
        /// Does what the kernel does, and refuses what it refuses.
        fn carry_out(&mut self, change: &Change) -> Option<()> {
            let place = |table: &Self, id: &ServiceId| {
                let mut services = table.services.iter();
                services.position(|entry| entry.service.id == *id)
            };
            let server = |entry: &Configured, id: &ServerId| {
                entry.servers.iter().position(|server| server.id == *id)
            };
            match change {
                Change::AddService(service) => {
                    let servers = Vec::new();
                    let entry = Configured {
                        service: *service,
                        servers,
                    };
                    let is_new = place(self, &service.id).is_none();
                    is_new.then(|| self.services.push(entry))
                }
                Change::EditService(service) => {
                    let at = place(self, &service.id)?;
                    self.services[at].service = *service;
                    Some(())
                }
                Change::DeleteService(id) => {
                    let at = place(self, id)?;
                    self.services.remove(at);
                    Some(())
                }
                Change::AddServer(id, new) => {
                    let at = place(self, id)?;
                    let entry = &mut self.services[at];
                    let is_new = server(entry, &new.id).is_none();
                    is_new.then(|| entry.servers.push(*new))
                }
                Change::EditServer(id, new) => {
                    let at = place(self, id)?;
                    let entry = &mut self.services[at];
                    let at = server(entry, &new.id)?;
                    entry.servers[at] = *new;
                    Some(())
                }
                Change::DeleteServer(id, old) => {
                    let at = place(self, id)?;
                    let entry = &mut self.services[at];
                    let at = server(entry, old)?;
                    entry.servers.remove(at);
                    Some(())
                }
                Change::SetTimeouts(new) => {
                    let old = self.timeouts.as_mut()?;
                    let set = |old: &mut u32, new| *old = if new == 0 { *old } else { new };
                    set(&mut old.tcp, new.tcp);
                    set(&mut old.tcp_fin, new.tcp_fin);
                    set(&mut old.udp, new.udp);
                    Some(())
                }
                Change::StartDaemon(new) => {
                    let mut daemons = self.daemons.iter();
                    let is_new = daemons.all(|daemon| daemon.role != new.role);
                    is_new.then(|| self.daemons.push(*new))
                }
                Change::StopDaemon(role) => {
                    let mut daemons = self.daemons.iter();
                    let at = daemons.position(|daemon| daemon.role == *role)?;
                    self.daemons.remove(at);
                    Some(())
                }
                Change::Flush | Change::Zero(_) => None,
            }
        }

        /// The services that can take a connection.
        fn usable(&self) -> HashSet<ServiceId> {
            let usable = |entry: &&Configured| entry.servers.iter().any(|s| s.weight > 0);
            let services = self.services.iter().filter(usable);
            services.map(|entry| entry.service.id).collect()
        }

        /// Services and servers, whatever their order.
        fn unordered(&self) -> HashMap<ServiceId, (Service, HashMap<ServerId, Server>)> {
            let entries = self.services.iter().map(|entry| {
                let servers = entry.servers.iter().map(|server| (server.id, *server));
                (entry.service.id, (entry.service, servers.collect()))
            });
            entries.collect()
        }

        /// How many objects another table has differently.
        fn objects_that_differ(&self, other: &Self) -> usize {
            let (old, new) = (self.unordered(), other.unordered());
            let mut count = 0;
            for id in old.keys().chain(new.keys()).collect::<HashSet<_>>() {
                let none = HashMap::new();
                let (old_servers, new_servers) = match (old.get(id), new.get(id)) {
                    (Some((old, old_servers)), Some((new, new_servers))) => {
                        count += usize::from(old != new);
                        (old_servers, new_servers)
                    }
                    (Some(_), None) => {
                        count += 1;
                        (&none, &none)
                    }
                    (None, new) => {
                        count += 1;
                        (&none, new.map_or(&none, |(_, servers)| servers))
                    }
                };
                let ids = old_servers.keys().chain(new_servers.keys());
                let ids: HashSet<_> = ids.collect();
                let differ = |id: &&&ServerId| old_servers.get(**id) != new_servers.get(**id);
                count += ids.iter().filter(differ).count();
            }
            count
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn it_leads_there_without_a_hole(current in table(), wanted in table(), keep: bool) {
            let steps = difference(&current, &wanted, keep);
            let mut table = current.clone();
            let needed: HashSet<_> = current.usable();
            let always: Vec<_> = wanted.usable().intersection(&needed).copied().collect();
            for step in &steps {
                prop_assert!(table.carry_out(&step.change).is_some(), "{:?}", step.change);
                let usable = table.usable();
                prop_assert!(always.iter().all(|id| usable.contains(id)), "{:?}", step.change);
            }
            let mut target = wanted.clone();
            if keep {
                let ids: HashSet<_> = wanted.services.iter().map(|e| e.service.id).collect();
                let kept = current.services.iter().filter(|e| !ids.contains(&e.service.id));
                target.services.extend(kept.cloned());
            }
            prop_assert_eq!(table.unordered(), target.unordered());
            prop_assert_eq!(difference(&table, &wanted, keep), []);
        }

        #[test]
        fn each_object_that_differs_has_one_change(current in table(), wanted in table()) {
            let settings = |step: &&Step| step.phase != Phase::Settings;
            let steps = difference(&current, &wanted, false);
            let count = steps.iter().filter(settings).count();
            prop_assert_eq!(count, current.objects_that_differ(&wanted));
            let is_delete = |step: &&Step| matches!(
                step.change, Change::DeleteService(_) | Change::DeleteServer(..));
            let wanted = wanted.unordered();
            for step in steps.iter().filter(is_delete) {
                let stays = match step.change {
                    Change::DeleteServer(service, server) => wanted[&service].1.contains_key(&server),
                    Change::DeleteService(id) => wanted.contains_key(&id),
                    _ => false,
                };
                prop_assert!(!stays, "{:?}", step.change);
            }
        }
    }

    #[test]
    fn costs_are_named() {
        let id = |port| ServiceId::address(Protocol::TCP, SocketAddr::from(([192, 0, 2, 1], port)));
        let table = |services: Vec<Service>| Table {
            services: services
                .into_iter()
                .map(|service| Configured {
                    service,
                    servers: vec![Server::new(SocketAddr::from(([10, 0, 0, 1], 80)))],
                })
                .collect(),
            ..Table::default()
        };
        let costs = |from: Vec<Service>, to: Vec<Service>| -> Vec<Cost> {
            let steps = difference(&table(from), &table(to), true);
            steps.iter().filter_map(|step| step.cost).collect()
        };
        let wide = Service {
            persistence: Some(60),
            ..Service::new(id(0))
        };
        let masked = Service {
            mask: crate::model::Mask::V4([255, 255, 255, 0].into()),
            ..wide
        };
        let narrow = Service::new(id(80));
        let other = Service {
            scheduler: "rr".parse().unwrap(),
            ..narrow
        };
        assert_eq!(costs(vec![wide], vec![wide, narrow]), [Cost::Takeover]);
        assert_eq!(costs(vec![wide], vec![masked]), [Cost::Mask]);
        assert_eq!(costs(vec![narrow], vec![other]), [Cost::Scheduler]);
    }
}
