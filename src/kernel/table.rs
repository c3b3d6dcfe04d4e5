//! The table: all services and their servers, while others change them.
//!
//! Netlink sends a long list in parts and continues after as many items as it has sent: if some
//! were deleted meanwhile, it silently skips others. The socket options list all IPv4 services as
//! they were at one moment, but not all their settings. So the two are compared. Lists that only
//! netlink has, such as that of IPv6 services, are read until they bring nothing new.

use std::collections::hash_map::Entry as Place;
use std::hash::Hash;

use super::client::{Client, Way};
use super::error::{Error, Result};
use super::netlink::List;
use super::only_ipv4::only_ipv4;
use super::request::Query;
use super::sockopt::Snapshot;
use super::{server, service};
use crate::model::hash::Map;
use crate::model::{Entry, Family, Forwarding, ServerState, ServiceId, ServiceState};

/// The kernel sends this many services in one part, whatever is in them.
const ONE_PART: usize = 64;

/// For up to this many services, one list over netlink is faster than a request for each.
const LIST_IS_FASTER: usize = 10_000;

/// A list that brings nothing new this many times in a row is complete.
const QUIET: usize = 2;

/// How many times to read a list that keeps changing.
const MOST: usize = 10;

/// How many services are asked for together.
const TOGETHER: usize = 128;

/// How detailed a table must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Enough for a plain listing, and fast. Counters may be cut to 32 bits. Tunnels may be
    /// missing, and the engines of services that are not persistent: an edit with such settings
    /// would remove them.
    Brief,
    /// Counters are whole, though not the rates. The rest is as in a brief table.
    Counters,
    /// All settings. Counters may be cut to 32 bits.
    Settings,
    /// Everything.
    Full,
}

impl Detail {
    /// Whether the socket options report enough about this service.
    fn has_enough_of_service(self, state: &ServiceState) -> bool {
        match self {
            Self::Brief => state.service.persistence.is_none(),
            Self::Counters => Self::Brief.has_enough_of_service(state) && state.stats.fit_32_bits(),
            Self::Settings | Self::Full => false,
        }
    }

    /// Whether they report enough about this server.
    fn has_enough_of_server(self, state: &ServerState) -> bool {
        match self {
            Self::Brief => true,
            Self::Counters => state.stats.fit_32_bits(),
            Self::Settings => state.server.forwarding != Forwarding::Tunnel,
            Self::Full => false,
        }
    }
}

/// A service, with the number of its servers if it is known.
struct Found {
    state: ServiceState,
    servers: Option<usize>,
    /// False if the service may be gone, or its state is not detailed enough.
    is_sure: bool,
}

impl Client {
    /// All services with their servers. Items that other programs delete meanwhile may be included.
    pub fn table(&mut self, detail: Detail) -> Result<Vec<Entry>> {
        self.each_service(detail, |client, found| {
            existing(client.servers_of(&found.state.service.id, found.servers, detail))
        })
    }

    /// All services. Those that other programs delete meanwhile may be included.
    pub fn services(&mut self) -> Result<Vec<ServiceState>> {
        let entries = self.each_service(Detail::Full, |_, _| Ok(Some(Vec::new())))?;
        Ok(entries.into_iter().map(|entry| entry.service).collect())
    }

    /// The servers of a service. It is an error if there is no such service.
    pub fn servers(&mut self, id: &ServiceId) -> Result<Vec<ServerState>> {
        let counted = match self.netlink.socket_options().service(id) {
            Ok((_, count)) => Some(count),
            Err(Error::Refused(missing)) if missing.errno == libc::ESRCH => {
                return Err(missing.into());
            }
            Err(error) if self.way == Way::SocketOptions => return Err(error),
            Err(_) => None,
        };
        self.servers_of(id, counted, Detail::Full)
    }

    /// The IPv4 services as they are at this moment, if the socket options may be used.
    fn snapshot(&mut self) -> Result<Option<Snapshot>> {
        match self.netlink.socket_options().services() {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if self.way == Way::SocketOptions => Err(error),
            // This process may have the right to use netlink and nothing else.
            Err(_) => Ok(None),
        }
    }

    /// Whether the snapshot is known to contain all services. This is not checked, and is false,
    /// where a list over netlink is as fast.
    fn is_complete(&mut self, snapshot: &Snapshot, detail: Detail) -> bool {
        let count = snapshot.len();
        let few = match detail {
            Detail::Brief | Detail::Counters => ONE_PART,
            Detail::Settings | Detail::Full => LIST_IS_FASTER,
        };
        let is_long = count > few;
        self.way == Way::SocketOptions || (is_long && only_ipv4(&mut self.netlink, count))
    }

    /// The services that netlink lists, and then those of the snapshot that it skipped.
    fn gather_services(&mut self, snapshot: Option<Snapshot>) -> Result<Vec<Found>> {
        let is_sought = |id: &ServiceId| snapshot.is_none() || id.family() == Family::V6;
        let gathered = self.gather(
            |client| client.netlink.list(Query::Services, service::read),
            |state| state.service.id,
            is_sought,
            |client, found| {
                let ipv4 = snapshot.as_ref().map(Snapshot::len);
                let no_others = !found.keys().any(is_sought);
                no_others && ipv4.is_some_and(|ipv4| only_ipv4(&mut client.netlink, ipv4))
            },
        )?;
        let counted = || snapshot.iter().flat_map(Snapshot::services);
        let mut counts: Map<ServiceId, usize> = counted()
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

    /// Each service with the servers that `servers` returns. For `None` the service is gone and
    /// left out.
    fn each_service(
        &mut self,
        detail: Detail,
        servers: impl FnMut(&mut Self, &Found) -> Result<Option<Vec<ServerState>>>,
    ) -> Result<Vec<Entry>> {
        match self.snapshot()? {
            Some(snapshot) if self.is_complete(&snapshot, detail) => {
                let is_all_there_is = self.way == Way::SocketOptions;
                let found = snapshot.services().map(|(state, servers)| Found {
                    state,
                    servers: Some(servers),
                    is_sure: is_all_there_is || detail.has_enough_of_service(&state),
                });
                self.each_found(found, servers)
            }
            snapshot => {
                let found = self.gather_services(snapshot)?;
                self.each_found(found.into_iter(), servers)
            }
        }
    }

    /// Queries uncertain services first, many at once, and leaves out those that are gone.
    fn each_found(
        &mut self,
        found: impl ExactSizeIterator<Item = Found>,
        mut servers: impl FnMut(&mut Self, &Found) -> Result<Option<Vec<ServerState>>>,
    ) -> Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(found.len());
        let mut enter = |client: &mut Self, found: &Found| -> Result<()> {
            if let Some(servers) = servers(client, found)? {
                let service = found.state;
                entries.push(Entry { service, servers });
            }
            Ok(())
        };
        let mut waiting = Vec::new();
        for found in found {
            if found.is_sure && waiting.is_empty() {
                enter(self, &found)?;
                continue;
            }
            waiting.push(found);
            if waiting.len() == TOGETHER {
                self.make_sure(&mut waiting)?;
                waiting
                    .drain(..)
                    .try_for_each(|found| enter(self, &found))?;
            }
        }
        self.make_sure(&mut waiting)?;
        waiting.iter().try_for_each(|found| enter(self, found))?;
        Ok(entries)
    }

    fn make_sure(&mut self, found: &mut Vec<Found>) -> Result<()> {
        let unsure = found.iter().filter(|found| !found.is_sure);
        let ids: Vec<ServiceId> = unsure.map(|found| found.state.service.id).collect();
        let queries = ids.iter().map(Query::Service);
        let mut answers = self.netlink.get_each(queries, service::read)?.into_iter();
        let mut outcome = Ok(());
        found.retain_mut(|found| {
            if found.is_sure {
                return true;
            }
            match answers.next().map(existing) {
                Some(Ok(Some(state))) => {
                    found.state = state;
                    true
                }
                Some(Err(error)) => {
                    outcome = Err(error);
                    false
                }
                Some(Ok(None)) | None => false,
            }
        });
        outcome
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
                let all = counted.map(|count| client.netlink.socket_options().servers(id, count));
                let is_found = |state: &ServerState| found.contains_key(&state.server.id);
                matches!(all, Some(Ok(all)) if all.iter().all(is_found))
            },
        )?;
        // For a missing service, the kernel sends an empty list.
        if gathered.is_empty() {
            self.service(id)?;
        }
        Ok(gathered.into_iter().map(|(state, _)| state).collect())
    }

    /// The servers as a socket option reports them, if it reports enough.
    fn counted_servers(
        &mut self,
        id: &ServiceId,
        count: usize,
        detail: Detail,
    ) -> Result<Option<Vec<ServerState>>> {
        if self.way == Way::SocketOptions {
            return self.netlink.socket_options().servers(id, count).map(Some);
        }
        if detail == Detail::Full {
            return Ok(None);
        }
        let has_enough = |state: &ServerState| detail.has_enough_of_server(state);
        match self.netlink.socket_options().servers(id, count) {
            Err(Error::NoAnswer) => Ok(None),
            Err(Error::Refused(refusal)) if refusal.not_permitted() => Ok(None),
            servers => Ok(Some(servers?).filter(|servers| servers.iter().all(has_enough))),
        }
    }

    /// Reads a list until it is complete: when it arrived in one part, when all items are found, or
    /// when it brings no more of the sought items. Returns each item, and whether it was in the
    /// last list.
    fn gather<T, K: Eq + Hash>(
        &mut self,
        list: impl Fn(&mut Self) -> Result<List<T>>,
        key: impl Fn(&T) -> K,
        is_sought: impl Fn(&K) -> bool,
        are_all: impl Fn(&mut Self, &Map<K, usize>) -> bool,
    ) -> Result<Vec<(T, bool)>> {
        let mut places = Map::default();
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
}

/// An answer about a service; `None` if there is no such service.
fn existing<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(Error::Refused(refusal)) if refusal.errno == libc::ESRCH => Ok(None),
        answer => answer.map(Some),
    }
}
