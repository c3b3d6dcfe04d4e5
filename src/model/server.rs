//! A real server: where a service's connections go.

use std::net::{IpAddr, SocketAddr};

use super::{Family, ServiceId, Stats};

/// What makes a server that server within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub address: IpAddr,
    pub port: u16,
}

impl ServerId {
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}

impl<A: Into<SocketAddr>> From<A> for ServerId {
    fn from(address: A) -> Self {
        let address = address.into();
        Self {
            address: address.ip(),
            port: address.port(),
        }
    }
}

/// How packets reach a server. The kernel checks nothing and may report any three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forwarding {
    Masquerade,
    Local,
    Tunnel,
    DirectRouting,
    Bypass,
    Unknown(u8),
}

/// The kind of a tunnel to a server. The kernel stores whatever byte it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    Ipip,
    Gue,
    Gre,
    Unknown(u8),
}

/// The checksum modes of a tunnel, as the kernel's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum(pub u16);

impl Checksum {
    pub const NONE: Self = Self(0);
    pub const PLAIN: Self = Self(1);
    pub const REMOTE: Self = Self(2);

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The one mode that the kernel follows, whatever bits are set.
    pub fn mode(self) -> Self {
        match self {
            bits if bits.has(Self::REMOTE) => Self::REMOTE,
            bits if bits.has(Self::PLAIN) => Self::PLAIN,
            _ => Self::NONE,
        }
    }
}

/// How a tunnelled packet is wrapped; means something with `Forwarding::Tunnel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    pub kind: TunnelKind,
    pub port: u16,
    pub checksum: Checksum,
}

impl Tunnel {
    pub const IPIP: Self = Self {
        kind: TunnelKind::Ipip,
        port: 0,
        checksum: Checksum::NONE,
    };
}

/// A real server as it is configured.
///
/// Fields may be added: begin with [`Server::new`].
///
/// ```
/// use ipvsadm::model::{Forwarding, Server};
///
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// let server = Server {
///     forwarding: Forwarding::Masquerade,
///     weight: 5,
///     ..Server::new("10.0.0.1:8080".parse::<std::net::SocketAddr>()?)
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    pub id: ServerId,
    pub forwarding: Forwarding,
    pub tunnel: Tunnel,
    pub weight: i32,
    /// Connections above which the server gets no new ones; 0 for no limit.
    pub upper_threshold: u32,
    /// Connections below which it gets new ones again.
    pub lower_threshold: u32,
}

impl Server {
    /// A server as `ipvsadm -a` adds it without more options: direct routing, weight 1, no limits.
    pub fn new(id: impl Into<ServerId>) -> Self {
        Self {
            id: id.into(),
            forwarding: Forwarding::DirectRouting,
            tunnel: Tunnel::IPIP,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }
}

impl Server {
    /// Who it is in this service. Packets keep their port by direct routing and in tunnels: there
    /// the port is always the service's.
    pub fn placed_in(&self, service: &ServiceId) -> ServerId {
        let mut id = self.id;
        if let (ServiceId::Address { port, .. }, Forwarding::DirectRouting | Forwarding::Tunnel) =
            (service, self.forwarding)
        {
            id.port = *port;
        }
        id
    }
}

/// A real server as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerState {
    pub server: Server,
    pub active: u32,
    pub inactive: u32,
    pub persistent: u32,
    pub stats: Stats,
}
