//! Which part of a listing is wanted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::terms::{STATES, Vocabulary};
use super::{Family, Fields, Protocol, ServerId, ServiceId};

/// The conditions for servers and connections to be listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The server.
    pub server: Option<Host>,
    /// The address of a connection's client.
    pub client: Option<Network>,
    /// The state of a connection.
    pub states: Option<States>,
}

impl Filter {
    /// Accepts everything.
    pub const ALL: Self = Self {
        server: None,
        client: None,
        states: None,
    };

    /// Whether a server is wanted.
    pub fn takes_server(&self, id: &ServerId) -> bool {
        self.server.is_none_or(|server| server.is(id))
    }

    fn takes(&self, connection: &impl Fields) -> Option<bool> {
        let by_state = |states: States| Some(states.has(connection.state()?));
        let by_client = |network: Network| Some(network.has(connection.client()?));
        let by_server = |server: Host| Some(server.is(&connection.server()?.into()));
        Some(
            self.states.map_or(Some(true), by_state)?
                && self.client.map_or(Some(true), by_client)?
                && self.server.map_or(Some(true), by_server)?,
        )
    }
}

/// A host, or one port of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// The port; `None` for any.
    pub port: Option<u16>,
}

impl Host {
    /// Whether this endpoint matches a server.
    pub fn is(&self, id: &ServerId) -> bool {
        id.address == self.address && self.port.is_none_or(|port| id.port == port)
    }
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An address in the network.
    pub address: IpAddr,
    /// The number of bits.
    pub bits: u32,
}

impl Network {
    /// An address, or one with the length of its prefix: `10.0.0.0/8`.
    pub fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = Self::bits_of(address);
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    /// The number of bits of an address.
    pub fn bits_of(address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(_) => u32::BITS,
            IpAddr::V6(_) => u128::BITS,
        }
    }

    /// Whether an address is in the network.
    pub fn has(&self, address: IpAddr) -> bool {
        let same_bits = match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        same_bits >= self.bits
    }
}

/// A set of states of connections, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States(u32);

impl States {
    /// Adds a state by its name, in upper or lower case. `None` if the name is not known.
    pub fn with(self, name: &[u8]) -> Option<Self> {
        let mut names = STATES.iter();
        let at = names.position(|state| name.eq_ignore_ascii_case(state.word.as_bytes()))?;
        Some(Self(self.0 | 1 << at))
    }

    fn has(self, name: &[u8]) -> bool {
        let mut left = self.0;
        while left != 0 {
            let state = STATES[left.trailing_zeros() as usize];
            if state.word.as_bytes() == name {
                return true;
            }
            left &= left - 1;
        }
        false
    }
}

/// Which connections are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The conditions for the connection.
    pub filter: Filter,
    /// The service that they came to.
    pub service: Option<ServiceId>,
    /// The ports that have services of their own, if the service takes all others.
    pub taken_ports: Vec<u16>,
}

impl Wanted {
    /// Whether a connection is listed. `None` if a field that decides it cannot be read.
    pub fn has(&self, connection: &impl Fields) -> Option<bool> {
        Some(
            self.filter.takes(connection)?
                && match self.service {
                    None => true,
                    Some(service) => self.is_of(&service, connection)?,
                },
        )
    }

    fn is_of(&self, service: &ServiceId, connection: &impl Fields) -> Option<bool> {
        let at = connection.virtual_service()?;
        match *service {
            ServiceId::Address {
                protocol,
                address,
                port,
            } => {
                let is_free = || port == 0 && !self.taken_ports.contains(&at.port());
                let is_there = at.ip() == address && (at.port() == port || is_free());
                Some(is_there && Protocol::from_title(connection.protocol()?) == Some(protocol))
            }
            // Only persistence templates show the mark, in place of the address.
            ServiceId::Mark { mark, family } => {
                let mark: IpAddr = match family {
                    Family::V4 => Ipv4Addr::from_bits(mark.get()).into(),
                    Family::V6 => Ipv6Addr::from_bits(u128::from(mark.get()) << 96).into(),
                };
                Some(at.ip() == mark && connection.protocol()? == b"IP")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_with_its_bits() {
        let has = |network: &str, bits, address: &str| {
            let address = address.parse().unwrap();
            let network = network.parse().unwrap();
            Network {
                address: network,
                bits,
            }
            .has(address)
        };
        assert!(has("10.0.0.0", 8, "10.255.0.1"));
        assert!(!has("10.0.0.0", 8, "11.0.0.0"));
        assert!(has("10.0.0.1", 32, "10.0.0.1"));
        assert!(!has("10.0.0.1", 32, "10.0.0.0"));
        assert!(has("10.0.0.1", 0, "192.0.2.1"));
        assert!(!has("10.0.0.1", 0, "::1"));
        assert!(has("2001:db8::1", 32, "2001:db8:ffff::"));
        assert!(!has("2001:db8::1", 128, "2001:db8::"));
    }

    #[test]
    fn states_are_known_by_name() {
        let states = States::default().with(b"established").unwrap();
        let states = states.with(b"S-ACK-SENT").unwrap();
        assert!(states.has(b"ESTABLISHED") && states.has(b"S-ACK-SENT"));
        assert!(!states.has(b"NONE") && !states.has(b"?"));
        assert_eq!(states.with(b"ESTAB"), None);
    }
}
