//! The connections that drained servers still have.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Member, Tuning};
use crate::model::hash::Map;
use crate::model::terms::{ESTABLISHED, OF_UDP, Stage, Vocabulary, state_by_name};
use crate::model::{Connection, Protocol, ServiceId};

/// The connections of drained servers that have not ended, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left(BTreeMap<String, u64>);

impl Left {
    /// Adds connections in a state.
    pub(super) fn add(&mut self, state: &[u8], connections: u64) {
        if connections > 0 {
            let state = String::from_utf8_lossy(state).into_owned();
            *self.0.entry(state).or_default() += connections;
        }
    }

    /// Their number.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn has(&self, states: &[&str]) -> bool {
        states.iter().any(|state| self.0.contains_key(*state))
    }

    /// Whether some are TCP or SCTP connections that may be idle.
    pub fn may_be_idle(&self) -> bool {
        self.has(&[ESTABLISHED, ANY])
    }
}

/// `3 connections (2 ESTABLISHED, 1 SYN_RECV)`
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.total() {
            0 => return f.write_str("no connections"),
            1 => f.write_str("1 connection (")?,
            total => write!(f, "{total} connections (")?,
        }
        for (index, (state, connections)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{connections} {state}")?;
        }
        f.write_str(")")
    }
}

/// Active connections whose state is not known.
const ANY: &str = "active";

/// The connections of a drained server, as the kernel counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The server.
    pub place: Member,
    /// Connections that the kernel counts as active.
    pub active: u64,
    /// All other connections. Most of them have ended.
    pub inactive: u64,
}

/// Finds out which connections of drained servers have not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    servers: Vec<Remaining>,
    /// The servers that a connection may belong to, by index.
    places: Map<Ends, Vec<usize>>,
    left: Left,
}

/// The address and port of a service, if its connections show them, and the address of a server.
type Ends = (Option<SocketAddr>, IpAddr);

fn ends((service, server): &Member) -> Ends {
    let service = match *service {
        ServiceId::Address { port: 0, .. } | ServiceId::Mark { .. } => None,
        ServiceId::Address { address, port, .. } => Some(SocketAddr::new(address, port)),
    };
    (service, server.address)
}

impl Tally {
    /// Starts with the numbers of the kernel.
    pub fn new(servers: Vec<Remaining>) -> Self {
        let mut places: Map<Ends, Vec<usize>> = Map::default();
        for (at, server) in servers.iter().enumerate() {
            places.entry(ends(&server.place)).or_default().push(at);
        }
        Self {
            servers,
            places,
            left: Left::default(),
        }
    }

    /// Adds a connection of the connection table, if it belongs to a drained server.
    pub fn add(&mut self, connection: &Connection) {
        let stage = state_by_name(connection.state).map_or(Stage::Over, |state| state.stage);
        // Entries of persistence have no client port.
        if connection.client.port() == 0 || stage == Stage::Over {
            return;
        }
        let (service, server) = (connection.virtual_service, connection.server.ip());
        let ends = [(Some(service), server), (None, server)];
        for &at in ends
            .iter()
            .filter_map(|ends| self.places.get(ends))
            .flatten()
        {
            let server = &mut self.servers[at];
            let count = if stage == Stage::Active {
                &mut server.active
            } else {
                &mut server.inactive
            };
            if *count > 0 && is_at(&server.place, connection) {
                *count -= 1;
                self.left.add(connection.state, 1);
                return;
            }
        }
    }

    /// The connections that have not ended. The state of active ones that were not added is
    /// unknown.
    pub fn left(mut self) -> Left {
        for server in &self.servers {
            self.left.add(ANY.as_bytes(), server.active);
        }
        self.left
    }
}

/// Whether a connection may belong to a server of a service. Connections do not show marks, so any
/// connection to the server may belong to the service of a mark.
pub(super) fn is_at((service, server): &Member, connection: &Connection) -> bool {
    let is_of_service = match *service {
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            let is_protocol = Protocol::from_title(connection.protocol) == Some(protocol);
            is_protocol && is_endpoint(address, port, connection.virtual_service)
        }
        ServiceId::Mark { .. } => true,
    };
    is_of_service && is_endpoint(server.address, server.port, connection.server)
}

/// Whether `at` has this address and port. Port 0 means any port.
fn is_endpoint(address: IpAddr, port: u16, at: SocketAddr) -> bool {
    let is_port = port == 0 || at.port() == port;
    at.ip() == address && is_port
}

/// The connections left when a wait has timed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// The connections that have not ended.
    pub left: Left,
    /// How many there were when the wait began.
    pub first: u64,
}

impl Rest {
    /// Why connections may be left.
    pub fn reasons(&self, tuning: &Tuning) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if self.left.has(&[OF_UDP]) {
            reasons.push(
                "UDP has no end of a connection: an entry stays while its client sends from the \
                 same port, and for the timeout after that",
            );
        }
        if self.left.total() >= self.first && tuning.conn_reuse_mode == Some(0) {
            reasons.push(
                "likely: clients that use their ports again come back, \
                 since net.ipv4.vs.conn_reuse_mode is 0",
            );
        }
        reasons
    }
}

/// The fate of connections whose server is deleted.
pub fn fate(tuning: &Tuning) -> &'static str {
    match tuning.expire_nodest_conn {
        Some(1) => "cut, since net.ipv4.vs.expire_nodest_conn is 1",
        _ => "their packets are dropped until they time out, or the server comes back",
    }
}

/// The progress of a wait.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// The connections that have not ended.
    pub left: &'a Left,
    /// How many there were when the wait began.
    pub first: u64,
    /// Seconds since then.
    pub elapsed: u64,
    /// Seconds until the wait ends.
    pub remaining: u64,
    /// Seconds after which the kernel forgets an idle connection, if some may be idle.
    pub idle: Option<u64>,
}

/// `2 connections (2 active) left, 4.0 a second end; idle ones end within 900 s; waiting 58 s more`
impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} left", self.left)?;
        let ended = self.first.saturating_sub(self.left.total());
        if ended > 0 && self.elapsed > 0 {
            let tenths = ended * 10 / self.elapsed;
            write!(f, ", {}.{} a second end", tenths / 10, tenths % 10)?;
        }
        if let Some(idle) = self.idle {
            write!(f, "; idle ones end within {idle} s")?;
        }
        write!(f, "; waiting {} s more", self.remaining)
    }
}
