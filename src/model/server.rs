//! A real server: where a service's connections go.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::{Family, ServiceId, Stats};

/// The identification of a server within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId {
    /// The address of the server. It must be a unicast address.
    pub address: IpAddr,
    /// The port of the server. Only masquerading can change the port of a connection: with other
    /// methods it is that of the service, or the client refuses to add the server.
    pub port: u16,
}

impl ServerId {
    /// The family of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}

/// The scope of an IPv6 address is dropped: the kernel has none.
impl<A: Into<SocketAddr>> From<A> for ServerId {
    fn from(address: A) -> Self {
        let address = address.into();
        Self {
            address: address.ip(),
            port: address.port(),
        }
    }
}

/// How packets reach a server. The kernel does not check it, and may report any value of three
/// bits.
///
/// These are all values of three bits: no variant will be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// Network address translation: answers come back through the director.
    Masquerade,
    /// The server is the director.
    Local,
    /// Packets are sent in a tunnel: the server answers clients directly.
    Tunnel,
    /// Packets are sent to the server's link-layer address: it answers clients directly.
    DirectRouting,
    /// Packets are sent to their original destination. Only the kernel uses it, for caches.
    Bypass,
    /// Any other method: 5, 6 or 7. The client refuses to send others.
    Unknown(u8),
}

/// The kind of a tunnel to a server. The kernel stores whatever byte it is given.
///
/// Variants may be added for kinds that are [`Unknown`](Self::Unknown) so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunnelKind {
    /// IP in IP, or IPv6 in IP and so on.
    Ipip,
    /// Generic UDP encapsulation. It needs a port.
    Gue,
    /// Generic routing encapsulation.
    Gre,
    /// Any other kind: 3 to 255. The client refuses to send others.
    Unknown(u8),
}

/// The checksum modes of a tunnel, as the kernel's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checksum(pub u16);

impl Checksum {
    /// No checksum.
    pub const NONE: Self = Self(0);
    /// The packet in the tunnel gets a separate checksum.
    pub const PLAIN: Self = Self(1);
    /// The server computes the inner checksum. For GUE only.
    pub const REMOTE: Self = Self(2);

    /// Whether any of these bits is set.
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

/// How a tunnelled packet is wrapped. It has an effect only with `Forwarding::Tunnel`.
///
/// Fields may be added: start from the default, a plain tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Tunnel {
    /// The kind of the tunnel.
    pub kind: TunnelKind,
    /// The UDP port of GUE, 0 for the others.
    pub port: u16,
    /// The checksum mode of GUE and GRE.
    pub checksum: Checksum,
}

impl Tunnel {
    /// A plain tunnel.
    pub const IPIP: Self = Self {
        kind: TunnelKind::Ipip,
        port: 0,
        checksum: Checksum::NONE,
    };
}

/// [`Tunnel::IPIP`]
impl Default for Tunnel {
    fn default() -> Self {
        Self::IPIP
    }
}

/// A real server as it is configured.
///
/// Fields may be added: start from [`Server::new`].
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "super::serialized::Server"))]
pub struct Server {
    /// The server's address and port. They cannot be changed.
    pub id: ServerId,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// The tunnel, for [`Forwarding::Tunnel`].
    pub tunnel: Tunnel,
    /// Its share of the connections; the kernel refuses negative weights. With 0 it gets no new
    /// clients, but those that persistence keeps at it stay unless the sysctl
    /// `net.ipv4.vs.expire_quiescent_template` is 1.
    pub weight: i32,
    /// The number of connections at which the server gets no new ones; 0 for no limit. Newer
    /// kernels refuse more than 2,147,483,647.
    pub upper_threshold: u32,
    /// The number of connections below which it gets new ones again; 0 for three quarters of the
    /// upper threshold.
    ///
    /// The kernel refuses one above the upper threshold: "Numerical result out of range".
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

impl Forwarding {
    /// The methods without a name of their own: the kernel has three bits for a method.
    pub(crate) const UNKNOWN: RangeInclusive<u8> = 5..=7;

    /// Whether packets keep the port that clients sent them to, whatever the server's is.
    pub(crate) fn keeps_port(self) -> bool {
        match self {
            Self::Local | Self::Tunnel | Self::DirectRouting | Self::Bypass => true,
            Self::Masquerade | Self::Unknown(_) => false,
        }
    }
}

impl TunnelKind {
    /// The kinds without a name of their own.
    pub(crate) const UNKNOWN: RangeInclusive<u8> = 3..=u8::MAX;
}

impl Server {
    /// Whether it gets new connections.
    pub fn is_usable(&self) -> bool {
        self.weight > 0
    }

    /// Its identity in this service, as the command line adds it: with direct routing and tunnels
    /// the port is always that of the service, since packets keep theirs.
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
///
/// Fields may be added: start from `server.into()`.
///
/// ```
/// use ipvsadm::model::{Server, ServerState};
///
/// let server = Server::new(([10, 0, 0, 1], 8080));
/// let busy = ServerState { active: 7, ..server.into() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ServerState {
    /// The settings.
    pub server: Server,
    /// Connections that the kernel counts as active: established ones of TCP and SCTP, and the
    /// handshakes of TCP.
    #[cfg_attr(feature = "serde", serde(default))]
    pub active: u32,
    /// Connections in other states, and all of UDP.
    #[cfg_attr(feature = "serde", serde(default))]
    pub inactive: u32,
    /// Clients that persistence keeps on this server.
    #[cfg_attr(feature = "serde", serde(default))]
    pub persistent: u32,
    /// The counters. The kernel updates them every two seconds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stats: Stats,
}

/// A server without connections, which has counted nothing yet.
impl From<Server> for ServerState {
    fn from(server: Server) -> Self {
        Self {
            server,
            active: 0,
            inactive: 0,
            persistent: 0,
            stats: Stats::default(),
        }
    }
}
