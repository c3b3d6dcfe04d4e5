//! The services and their servers: all there are, while others change them.
//!
//! Netlink tells a long list bit by bit and goes by the number of items told: what is deleted
//! meanwhile hides others, without a trace. The old options tell all IPv4 services at one
//! moment, but not everything about them. So the one is held against the other, and where there
//! is no other, as for IPv6, a list is asked for until it brings nothing new.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::hash::Hash;

use super::client::{Client, Way};
use super::error::{Error, Result};
use super::netlink::List;
use super::request::Query;
use super::sockopt::Snapshot;
use super::{server, service};
use crate::model::{Entry, Family, Forwarding, ServerState, ServiceId, ServiceState};

/// So many services are told at once, however much there is to tell of each.
const FEW: usize = 64;

/// A list that brings nothing new so many times in a row is complete.
const QUIET: usize = 2;

/// A list that brings new items each time is asked for so many times.
const MOST: usize = 10;

/// How often two numbers must agree that are not of one moment. Others may come and go in
/// between so that they agree by chance, but not so often.
const AGREEMENTS: usize = 8;

/// How much a table must tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Enough for a plain listing, and faster. Counters may be cut to 32 bits; tunnels, and the
    /// engines of services that are not persistent, may be missing.
    Brief,
    /// Counters are whole, though not the rates; the rest is as in a brief one.
    Counters,
    /// All settings, though counters may be cut to 32 bits.
    Settings,
    Full,
}

impl Detail {
    /// Whether the old options say all there is to say of such a service.
    fn has_all_of_service(self, state: &ServiceState) -> bool {
        match self {
            Self::Brief => state.service.persistence.is_none(),
            Self::Counters => Self::Brief.has_all_of_service(state) && state.stats.fit_32_bits(),
            Self::Settings | Self::Full => false,
        }
    }

    /// Whether they say all there is to say of such a server.
    fn has_all_of_server(self, state: &ServerState) -> bool {
        match self {
            Self::Brief => true,
            Self::Counters => state.stats.fit_32_bits(),
            Self::Settings => state.server.forwarding != Forwarding::Tunnel,
            Self::Full => false,
        }
    }
}

/// A service, with the number of its servers where that is known.
struct Found {
    state: ServiceState,
    servers: Option<usize>,
    /// Whether the state is sure to be as wanted; it is asked for otherwise.
    is_sure: bool,
}

impl Client {
    /// All services with their servers. What is deleted meanwhile may be in it or not.
    pub fn table(&mut self, detail: Detail) -> Result<Vec<Entry>> {
        match self.snapshot()? {
            Some(snapshot) if self.is_enough(&snapshot, detail) => {
                let is_all_there_is = self.way == Way::Options;
                let found = snapshot.services().map(|(state, servers)| Found {
                    state,
                    servers: Some(servers),
                    is_sure: is_all_there_is || detail.has_all_of_service(&state),
                });
                self.entries(found, detail)
            }
            snapshot => {
                let found = self.gather_services(snapshot)?;
                self.entries(found.into_iter(), detail)
            }
        }
    }

    /// All services. What is deleted meanwhile may be among them or not.
    pub fn services(&mut self) -> Result<Vec<ServiceState>> {
        let found = match self.snapshot()? {
            Some(snapshot) if self.way == Way::Options => {
                return Ok(snapshot.services().map(|(state, _)| state).collect());
            }
            snapshot => self.gather_services(snapshot)?,
        };
        let mut services = Vec::with_capacity(found.len());
        for found in found {
            services.extend(self.settle(found)?.map(|found| found.state));
        }
        Ok(services)
    }

    /// The servers of a service; that there is no such service is an error.
    pub fn servers(&mut self, id: &ServiceId) -> Result<Vec<ServerState>> {
        let counted = match self.netlink.options().service(id) {
            Ok((_, count)) => Some(count),
            Err(missing @ Error::Refused(libc::ESRCH)) => return Err(missing),
            Err(error) if self.way == Way::Options => return Err(error),
            Err(_) => None,
        };
        self.servers_of(id, counted, Detail::Full)
    }

    /// The IPv4 services of one moment, where the old options are to be had.
    fn snapshot(&mut self) -> Result<Option<Snapshot>> {
        match self.netlink.options().services() {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if self.way == Way::Options => Err(error),
            // Somebody may have allowed us netlink and nothing else.
            Err(_) => Ok(None),
        }
    }

    /// Whether a list by netlink would find no others, and take longer.
    fn is_enough(&mut self, snapshot: &Snapshot, detail: Detail) -> bool {
        let count = snapshot.len();
        self.way == Way::Options
            || matches!(detail, Detail::Brief | Detail::Counters)
                && count > FEW
                && self.all_are_ipv4(count)
    }

    /// Services by netlink, and then those that were counted but are not among them.
    fn gather_services(&mut self, snapshot: Option<Snapshot>) -> Result<Vec<Found>> {
        let is_sought = |id: &ServiceId| snapshot.is_none() || id.family() == Family::V6;
        let gathered = self.gather(
            |client| client.netlink.list(Query::Services, service::read),
            |state| state.service.id,
            is_sought,
            |client, found| {
                let ipv4 = snapshot.as_ref().map(Snapshot::len);
                let no_others = !found.keys().any(is_sought);
                no_others && ipv4.is_some_and(|ipv4| client.all_are_ipv4(ipv4))
            },
        )?;
        let counted = || snapshot.iter().flat_map(Snapshot::services);
        let mut counts: HashMap<ServiceId, usize> = counted()
            .map(|(state, count)| (state.service.id, count))
            .collect();
        let mut services = Vec::with_capacity(gathered.len());
        for (state, is_recent) in gathered {
            let servers = counts.remove(&state.service.id);
            services.push(Found {
                state,
                servers,
                is_sure: is_recent || servers.is_some(),
            });
        }
        let most = counts.len();
        let missing = counted().filter(|(state, _)| counts.remove(&state.service.id).is_some());
        let missing = missing.take(most);
        services.extend(missing.map(|(state, servers)| Found {
            state,
            servers: Some(servers),
            is_sure: false,
        }));
        Ok(services)
    }

    /// The services with their servers, but for those that are gone.
    fn entries(
        &mut self,
        found: impl ExactSizeIterator<Item = Found>,
        detail: Detail,
    ) -> Result<Vec<Entry>> {
        let mut table = Vec::with_capacity(found.len());
        for found in found {
            let Some(Found { state, servers, .. }) = self.settle(found)? else {
                continue;
            };
            let id = state.service.id;
            if let Some(servers) = existing(self.servers_of(&id, servers, detail))? {
                let service = state;
                table.push(Entry { service, servers });
            }
        }
        Ok(table)
    }

    /// Asks for what is not sure; it may be gone.
    fn settle(&mut self, found: Found) -> Result<Option<Found>> {
        if found.is_sure {
            return Ok(Some(found));
        }
        let state = existing(self.service(&found.state.service.id))?;
        Ok(state.map(|state| Found { state, ..found }))
    }

    fn servers_of(
        &mut self,
        id: &ServiceId,
        counted: Option<usize>,
        detail: Detail,
    ) -> Result<Vec<ServerState>> {
        if counted == Some(0) {
            return Ok(Vec::new());
        }
        if let Some(count) = counted {
            if let Some(servers) = self.counted_servers(id, count, detail)? {
                return Ok(servers);
            }
        }
        let family = id.family();
        let gathered = self.gather(
            |client| {
                let read = |attributes: &[u8]| server::read(attributes, family);
                client.netlink.list(Query::Servers(id), read)
            },
            |state| state.server.id,
            |_| true,
            |client, found| {
                let all = counted.map(|count| client.netlink.options().servers(id, count));
                let is_found = |state: &ServerState| found.contains_key(&state.server.id);
                matches!(all, Some(Ok(all)) if all.iter().all(is_found))
            },
        )?;
        // Of a service that is missing, the kernel says that it has no servers.
        if gathered.is_empty() {
            self.service(id)?;
        }
        Ok(gathered.into_iter().map(|(state, _)| state).collect())
    }

    /// Servers as the old options tell of them, where that is all there is to say.
    fn counted_servers(
        &mut self,
        id: &ServiceId,
        count: usize,
        detail: Detail,
    ) -> Result<Option<Vec<ServerState>>> {
        if self.way == Way::Options {
            return self.netlink.options().servers(id, count).map(Some);
        }
        if detail == Detail::Full {
            return Ok(None);
        }
        let has_all = |state: &ServerState| detail.has_all_of_server(state);
        match self.netlink.options().servers(id, count) {
            Err(Error::Refused(libc::EPERM) | Error::NoAnswer) => Ok(None),
            servers => Ok(Some(servers?).filter(|servers| servers.iter().all(has_all))),
        }
    }

    /// Asks for a list until it is complete: when it was told at once, when all are found, or
    /// when the sought ones among them do not become more. Each item comes with whether it was
    /// in the last list.
    fn gather<T, K: Eq + Hash>(
        &mut self,
        list: impl Fn(&mut Self) -> Result<List<T>>,
        key: impl Fn(&T) -> K,
        is_sought: impl Fn(&K) -> bool,
        are_all: impl Fn(&mut Self, &HashMap<K, usize>) -> bool,
    ) -> Result<Vec<(T, bool)>> {
        let mut places = HashMap::new();
        let mut items: Vec<(T, usize)> = Vec::new();
        let (mut quiet, mut turn) = (0, 0);
        while quiet < QUIET && turn < MOST {
            turn += 1;
            quiet += 1;
            let List {
                items: list,
                at_once,
            } = list(self)?;
            if at_once {
                return Ok(list.into_iter().map(|item| (item, true)).collect());
            }
            for item in list {
                match places.entry(key(&item)) {
                    Place::Occupied(place) => items[*place.get()] = (item, turn),
                    Place::Vacant(place) => {
                        if is_sought(place.key()) {
                            quiet = 0;
                        }
                        place.insert(items.len());
                        items.push((item, turn));
                    }
                }
            }
            if are_all(self, &places) {
                break;
            }
        }
        let is_recent = |(item, last)| (item, last == turn);
        Ok(items.into_iter().map(is_recent).collect())
    }

    /// Whether there are this many services, all of them IPv4. What cannot be known is denied.
    fn all_are_ipv4(&mut self, count: usize) -> bool {
        let Ok(daemons) = self.netlink.options().daemons() else {
            return false;
        };
        let uses = Some(count + daemons.len());
        (0..AGREEMENTS).all(|_| {
            self.netlink.uses() == uses && self.netlink.options().count().ok() == Some(count)
        })
    }
}

/// What was asked about a service; nothing if there is no such service any more.
fn existing<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(Error::Refused(libc::ESRCH)) => Ok(None),
        answer => answer.map(Some),
    }
}
