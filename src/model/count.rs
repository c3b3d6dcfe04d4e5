//! How many there are: of services, and of connections by server, state and client.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use super::{Connection, Entry, Name};

/// Services and servers, and the connections of all servers.
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
    /// Where the server is.
    pub server: SocketAddr,
    /// The state.
    pub state: Word,
    /// How many there are.
    pub connections: u64,
}

impl StateCount {
    fn order(&self) -> (&[u8], SocketAddr, &[u8]) {
        (self.protocol.as_bytes(), self.server, self.state.as_bytes())
    }
}

/// The connections of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCount {
    /// Its address.
    pub address: IpAddr,
    /// The fewest that it can have.
    pub at_least: u64,
    /// The most that it can have.
    pub at_most: u64,
}

/// Counts connections. The memory that this takes depends on the number of servers, not on that
/// of connections.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    /// All of them.
    pub total: u64,
    servers: HashMap<(Word, SocketAddr), Vec<(Word, u64)>, Seed>,
    clients: HashMap<IpAddr, u64, Seed>,
    /// How much the number of a client, kept or not, may be too low.
    missing: u64,
}

impl ConnectionCounts {
    /// How many clients are counted exactly.
    pub const MOST_CLIENTS: usize = 65_536;

    /// Counts one more.
    pub fn add(&mut self, connection: &Connection) {
        self.total += 1;
        let word = |text| Word::cut(text).unwrap_or(UNKNOWN);
        let server = (word(connection.protocol), connection.server);
        let state = word(connection.state);
        let states = self.servers.entry(server).or_default();
        match states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, connections)) => *connections += 1,
            None => states.push((state, 1)),
        }
        *self.clients.entry(connection.client.ip()).or_default() += 1;
        if self.clients.len() > Self::MOST_CLIENTS {
            self.thin_out();
        }
    }

    /// Makes room: drops the half of the clients with the fewest connections, and subtracts the
    /// largest of their numbers from the others. Any client with more than its share of all
    /// connections stays (Misra and Gries, 1982).
    fn thin_out(&mut self) {
        let mut numbers: Vec<u64> = self.clients.values().copied().collect();
        let middle = numbers.len() / 2;
        let (_, &mut median, _) = numbers.select_nth_unstable(middle);
        self.missing += median;
        self.clients.retain(|_, connections| {
            *connections = connections.saturating_sub(median);
            *connections > 0
        });
    }

    /// How many clients there are, if they were counted exactly.
    pub fn distinct_clients(&self) -> Option<usize> {
        (self.missing == 0).then_some(self.clients.len())
    }

    /// The connections of each server in each state, sorted by server and state.
    pub fn by_server(&self) -> Vec<StateCount> {
        let servers = self.servers.iter();
        let counts = servers.flat_map(|(&(protocol, server), states)| {
            states.iter().map(move |&(state, connections)| StateCount {
                protocol,
                server,
                state,
                connections,
            })
        });
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        counts
    }

    /// The clients with the most connections, in descending order.
    pub fn top_clients(&self, most: usize) -> Vec<ClientCount> {
        let mut clients: Vec<_> = self
            .clients
            .iter()
            .map(|(&client, &count)| (count, client))
            .collect();
        clients
            .sort_unstable_by(|(a, client_a), (b, client_b)| b.cmp(a).then(client_a.cmp(client_b)));
        clients.truncate(most);
        let clients = clients.into_iter();
        clients
            .map(|(connections, address)| ClientCount {
                address,
                at_least: connections,
                at_most: connections + self.missing,
            })
            .collect()
    }
}

/// What hashes begin with. As nobody knows it, nobody can choose addresses that collide.
#[derive(Clone, Copy, Debug)]
struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// Hashes by folded products: for the few bytes of an address that takes a fifth of what the
/// library's way takes.
struct Folded(u64);

impl Folded {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_ne_bytes(word));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.add(number as u64);
    }

    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const UNKNOWN: Word = Word::new(b"?").unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(clients: impl Iterator<Item = u32>) -> ConnectionCounts {
        let mut counts = ConnectionCounts::default();
        for client in clients {
            counts.add(&Connection {
                protocol: b"TCP",
                client: (client.to_be_bytes(), 1024).into(),
                virtual_service: ([10, 0, 0, 1], 80).into(),
                server: ([10, 0, 0, 2], 80).into(),
                state: b"ESTABLISHED",
                expires: 900,
                engine: None,
            });
        }
        counts
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
