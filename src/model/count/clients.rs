//! The clients with the most connections.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::hash::Map;

/// Counts the connections of clients in limited memory. IPv4 has a table of its own, with entries
/// half as large.
#[derive(Debug, Default)]
pub struct Clients {
    ipv4: Map<u32, u64>,
    ipv6: Map<u128, u64>,
    /// The maximum by which the number of any client may be too low.
    pub missing: u64,
    /// A buffer to sort numbers in. Allocating it each time takes longer than sorting.
    numbers: Vec<u64>,
}

impl Clients {
    /// The number of clients that are counted exactly.
    pub const MOST: usize = 65_536;

    /// Counts one more connection of a client.
    pub fn add(&mut self, client: IpAddr) {
        let is_new = match client {
            IpAddr::V4(address) => count(&mut self.ipv4, address.to_bits()),
            IpAddr::V6(address) => count(&mut self.ipv6, address.to_bits()),
        };
        if is_new && self.len() > Self::MOST {
            self.thin_out();
        }
    }

    /// The number of known clients.
    pub fn len(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }

    fn each(&self) -> impl Iterator<Item = (IpAddr, u64)> {
        let ipv4 = self.ipv4.iter();
        let ipv4 = ipv4.map(|(&bits, &count)| (Ipv4Addr::from_bits(bits).into(), count));
        let ipv6 = self.ipv6.iter();
        let ipv6 = ipv6.map(|(&bits, &count)| (Ipv6Addr::from_bits(bits).into(), count));
        ipv4.chain(ipv6)
    }

    /// Makes room: drops the half of the clients with the fewest connections, and subtracts the
    /// largest of their numbers from the others. Clients with a large share of all connections stay
    /// (Misra and Gries, 1982).
    fn thin_out(&mut self) {
        self.numbers.clear();
        let numbers = self.ipv4.values().chain(self.ipv6.values());
        self.numbers.extend(numbers);
        let middle = self.numbers.len() / 2;
        let (_, &mut median, _) = self.numbers.select_nth_unstable(middle);
        self.missing += median;
        let stays = |connections: &mut u64| {
            *connections = connections.saturating_sub(median);
            *connections > 0
        };
        self.ipv4.retain(|_, connections| stays(connections));
        self.ipv6.retain(|_, connections| stays(connections));
    }

    /// Those with the most connections, in descending order.
    pub fn top(&self, most: usize) -> Vec<(IpAddr, u64)> {
        let mut top: Vec<(IpAddr, u64)> = Vec::new();
        for (client, connections) in self.each() {
            let is_before = |&(other, count): &(IpAddr, u64)| {
                count > connections || (count == connections && other < client)
            };
            let place = top.partition_point(is_before);
            if place < most {
                top.truncate(most - 1);
                top.insert(place, (client, connections));
            }
        }
        top
    }
}

/// Counts a connection; returns whether the client was not in the table before.
fn count<K: Eq + Hash>(counts: &mut Map<K, u64>, client: K) -> bool {
    if counts.capacity() == 0 {
        // Growing the table takes more memory, and much of the counting time.
        counts.reserve(Clients::MOST + 1);
    }
    let connections = counts.entry(client).or_default();
    *connections += 1;
    *connections == 1
}
