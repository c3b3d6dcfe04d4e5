//! The numbers of services, and of connections by server, state and client.

mod clients;

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use self::clients::Clients;
use super::hash::Map;
use super::{Entry, Fields, Name};

/// The numbers of services and servers, and of the connections of all servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Virtual services.
    pub services: usize,
    /// Servers of all services.
    pub servers: usize,
    /// Active connections of all servers.
    pub active: u64,
    /// Inactive connections of all servers.
    pub inactive: u64,
    /// Clients that persistence keeps on a server.
    pub persistent: u64,
}

impl ServiceCounts {
    /// Counts what is in a table.
    pub fn of(table: &[Entry]) -> Self {
        let servers = || table.iter().flat_map(|entry| &entry.servers);
        let sum =
            |number: fn(&super::ServerState) -> u32| servers().map(number).map(u64::from).sum();
        Self {
            services: table.len(),
            servers: servers().count(),
            active: sum(|server| server.active),
            inactive: sum(|server| server.inactive),
            persistent: sum(|server| server.persistent),
        }
    }
}

/// The protocol or the state of a connection, as the kernel names it.
pub type Word = Name<15>;

/// The connections of one server in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateCount {
    /// The protocol.
    pub protocol: Word,
    /// The address and port of the server.
    pub server: SocketAddr,
    /// The state.
    pub state: Word,
    /// Their number.
    pub connections: u64,
}

impl StateCount {
    /// The count of one connection.
    fn first(connection: &impl Fields) -> Option<Self> {
        let word = |text| Word::cut(text).unwrap_or(UNKNOWN);
        Some(Self {
            protocol: word(connection.protocol()?),
            server: connection.server()?,
            state: word(connection.state()?),
            connections: 1,
        })
    }

    fn order(&self) -> (&[u8], SocketAddr, &[u8]) {
        (self.protocol.as_bytes(), self.server, self.state.as_bytes())
    }
}

/// The connections of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCount {
    /// Its address.
    pub address: IpAddr,
    /// The minimum number of its connections.
    pub at_least: u64,
    /// The maximum number of its connections.
    pub at_most: u64,
}

/// Counts connections. The memory that this takes depends on the number of servers, not on that
/// of connections.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    /// The number of all counted connections.
    pub total: u64,
    groups: Map<Group, StateCount>,
    /// The counts of connections without a group, by server.
    servers: Map<Key, Vec<StateCount>>,
    clients: Clients,
}

impl ConnectionCounts {
    /// The number of clients that are counted exactly.
    pub const MOST_CLIENTS: usize = Clients::MOST;

    /// Counts one more connection; `None` if its fields cannot be read.
    pub fn add(&mut self, connection: &impl Fields) -> Option<()> {
        let client = connection.client()?;
        match connection.group() {
            Some(group) => match self.groups.get_mut(&Group(group)) {
                Some(known) => known.connections += 1,
                None => drop(
                    self.groups
                        .insert(Group(group), StateCount::first(connection)?),
                ),
            },
            None => self.add_to_server(StateCount::first(connection)?),
        }
        self.total += 1;
        self.clients.add(client);
        Some(())
    }

    fn add_to_server(&mut self, new: StateCount) {
        let states = self.servers.entry(Key(new.server)).or_default();
        let same = |count: &&mut StateCount| count.order() == new.order();
        match states.iter_mut().find(same) {
            Some(count) => count.connections += new.connections,
            None => states.push(new),
        }
    }

    /// The number of clients, if they were counted exactly.
    pub fn distinct_clients(&self) -> Option<usize> {
        (self.clients.missing == 0).then_some(self.clients.len())
    }

    /// The connections of each server in each state, sorted by server and state.
    pub fn by_server(&self) -> Vec<StateCount> {
        let in_none = self.servers.values().flatten();
        let mut counts: Vec<_> = self.groups.values().chain(in_none).copied().collect();
        counts.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        counts.dedup_by(|next, first| {
            let is_same = next.order() == first.order();
            first.connections += if is_same { next.connections } else { 0 };
            is_same
        });
        counts
    }

    /// The clients with the most connections, in descending order.
    pub fn top_clients(&self, most: usize) -> Vec<ClientCount> {
        let clients = self.clients.top(most).into_iter();
        clients
            .map(|(address, connections)| ClientCount {
                address,
                at_least: connections,
                at_most: connections + self.clients.missing,
            })
            .collect()
    }
}

/// An address and a port as the key of a map. Hashing them as a number takes a fifth of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(SocketAddr);

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let port = self.0.port();
        match self.0.ip() {
            IpAddr::V4(address) => {
                hasher.write_u64(u64::from(address.to_bits()) << 16 | u64::from(port));
            }
            IpAddr::V6(address) => {
                hasher.write_u128(address.to_bits());
                hasher.write_u64(port.into());
            }
        }
    }
}

/// The common properties of connections that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group([u64; 4]);

impl Hash for Group {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for word in self.0 {
            hasher.write_u64(word);
        }
    }
}

const UNKNOWN: Word = Word::new(b"?").unwrap();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Connection;

    fn connection(client: u32) -> Connection<'static> {
        Connection {
            protocol: b"TCP",
            client: (client.to_be_bytes(), 1024).into(),
            virtual_service: ([10, 0, 0, 1], 80).into(),
            server: ([10, 0, 0, 2], 80).into(),
            state: b"ESTABLISHED",
            expires: 900,
            engine: None,
        }
    }

    fn counted(clients: impl Iterator<Item = u32>) -> ConnectionCounts {
        let mut counts = ConnectionCounts::default();
        for client in clients {
            counts.add(&connection(client)).unwrap();
        }
        counts
    }

    /// A connection that has a group.
    struct Grouped(Connection<'static>);

    impl Fields for Grouped {
        fn protocol(&self) -> Option<&[u8]> {
            self.0.protocol()
        }

        fn client(&self) -> Option<IpAddr> {
            self.0.client()
        }

        fn virtual_service(&self) -> Option<SocketAddr> {
            self.0.virtual_service()
        }

        fn server(&self) -> Option<SocketAddr> {
            self.0.server()
        }

        fn state(&self) -> Option<&[u8]> {
            self.0.state()
        }

        fn group(&self) -> Option<[u64; 4]> {
            Some([u64::from(self.0.server.port()); 4])
        }
    }

    #[test]
    fn those_with_a_group_and_those_without_are_counted_together() {
        let mut counts = counted(0..2);
        for port in [80, 81, 80] {
            let mut connection = connection(7);
            connection.server.set_port(port);
            counts.add(&Grouped(connection)).unwrap();
        }
        let by_server: Vec<_> = counts
            .by_server()
            .iter()
            .map(|count| (count.server.port(), count.connections))
            .collect();
        assert_eq!(by_server, [(80, 4), (81, 1)]);
        assert_eq!(counts.total, 5);
    }

    #[test]
    fn a_limited_number_of_clients_is_exact() {
        let most = ConnectionCounts::MOST_CLIENTS;
        let clients = || 0..most as u32;
        let counts = counted(clients().chain(clients().take(3)).chain([1]));
        assert_eq!(counts.distinct_clients(), Some(most));
        let top = counts.top_clients(3);
        let top: Vec<_> = top
            .iter()
            .map(|c| (c.address.to_string(), c.at_least, c.at_most))
            .collect();
        let top: Vec<_> = top
            .iter()
            .map(|(address, least, most)| (address.as_str(), *least, *most))
            .collect();
        assert_eq!(
            top,
            [("0.0.0.1", 3, 3), ("0.0.0.0", 2, 2), ("0.0.0.2", 2, 2)]
        );
    }

    #[test]
    fn beyond_it_those_with_most_are_found_within_bounds() {
        // Every tenth connection is of one of ten clients, which are spread among many others.
        let clients = (0..1_000_000).map(|n: u32| match n % 10 {
            0 => n / 10 % 10,
            _ => 0x0a00_0000 + n,
        });
        let counts = counted(clients);
        assert_eq!((counts.total, counts.distinct_clients()), (1_000_000, None));
        assert!(counts.clients.len() <= ConnectionCounts::MOST_CLIENTS);
        let top = counts.top_clients(10);
        assert_eq!(top.len(), 10);
        for client in top {
            assert!(client.address < IpAddr::from([0, 0, 0, 10]), "{client:?}");
            assert!(
                client.at_least <= 10_000 && 10_000 <= client.at_most,
                "{client:?}"
            );
            assert!(client.at_most - client.at_least < 100, "{client:?}");
        }
    }
}
