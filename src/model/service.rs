//! A virtual service: what clients connect to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::{BitOr, RangeInclusive};

use super::{Engine, Family, Scheduler, Stats};

/// An IP protocol by its number. IPVS balances three of them. The client refuses to add services of
/// other protocols, but the kernel may report them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u16);

impl Protocol {
    /// The Transmission Control Protocol.
    pub const TCP: Self = Self(6);
    /// The User Datagram Protocol.
    pub const UDP: Self = Self(17);
    /// The Stream Control Transmission Protocol.
    pub const SCTP: Self = Self(132);
}

/// The identification of a service: an address and port, or a firewall mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceId {
    /// An address and port. Port 0 is every port; the client refuses it without persistence, since
    /// the kernel would balance nothing.
    Address {
        /// The protocol.
        protocol: Protocol,
        /// The address that clients connect to.
        address: IpAddr,
        /// The port that they connect to.
        port: u16,
    },
    /// Packets that the firewall has marked, of any protocol and port.
    Mark {
        /// Packets without a mark have mark 0, so it cannot name a service.
        mark: NonZeroU32,
        /// The family of the packets: the same mark may be a service of each.
        family: Family,
    },
}

impl ServiceId {
    /// The service at an address and port. The scope of an IPv6 address is dropped: the kernel has
    /// none.
    pub fn address(protocol: Protocol, address: SocketAddr) -> Self {
        Self::Address {
            protocol,
            address: address.ip(),
            port: address.port(),
        }
    }

    /// The family of the addresses of clients.
    pub fn family(&self) -> Family {
        match *self {
            Self::Address { address, .. } => Family::of(address),
            Self::Mark { family, .. } => family,
        }
    }

    /// The service for all ports of the same address, if this one is for a single port. It takes
    /// the packets that no service for a single port takes.
    pub fn for_all_ports(&self) -> Option<Self> {
        match *self {
            Self::Address {
                protocol,
                address,
                port: 1..,
            } => Some(Self::Address {
                protocol,
                address,
                port: 0,
            }),
            Self::Address { .. } | Self::Mark { .. } => None,
        }
    }

    /// The protocol whose port names apply. For a mark it is TCP, as in the kernel.
    pub fn protocol(&self) -> Protocol {
        match *self {
            Self::Address { protocol, .. } => protocol,
            Self::Mark { .. } => Protocol::TCP,
        }
    }

    /// The default port of its servers: that of the service, or 0 for a mark.
    pub fn port(&self) -> u16 {
        match *self {
            Self::Address { port, .. } => port,
            Self::Mark { .. } => 0,
        }
    }
}

/// Flags of a service: one-packet scheduling, and those whose meaning depends on the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flags(
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "super::serialized::flags")
    )]
    u32,
);

impl Flags {
    /// No flags.
    pub const NONE: Self = Self(0);
    /// Each packet is scheduled by itself, without a connection: for UDP.
    pub const ONE_PACKET: Self = Self(0x04);
    /// `sh-fallback`, `mh-fallback`: pass over servers of weight 0.
    pub const SCHEDULER_1: Self = Self(0x08);
    /// `sh-port`, `mh-port`: hash the port of the client too.
    pub const SCHEDULER_2: Self = Self(0x10);
    /// Not used by any scheduler of the kernel.
    pub const SCHEDULER_3: Self = Self(0x20);
    /// Every flag that belongs to the scheduler.
    pub const SCHEDULER: Self = Self(0x38);

    /// Not a flag here: a service is persistent if `Service::persistence` is set.
    pub(crate) const PERSISTENT: u32 = 0x01;

    /// The kernel sets it for the services in its table.
    const HASHED: u32 = 0x02;

    /// The flags among the kernel's bits. The bit of persistent services and the kernel's own bit
    /// are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & !(Self::PERSISTENT | Self::HASHED))
    }

    /// The kernel's bits of the flags.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags that are in both sets.
    pub const fn only(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether any of these is set.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl From<u32> for Flags {
    fn from(bits: u32) -> Self {
        Self::from_bits(bits)
    }
}

impl From<Flags> for u32 {
    fn from(flags: Flags) -> Self {
        flags.bits()
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The granularity of persistence: which part of a client's address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Mask {
    /// The mask of an IPv4 service.
    V4(Ipv4Addr),
    /// The length of the prefix, 1 to 128.
    V6(
        #[cfg_attr(
            feature = "serde",
            serde(deserialize_with = "super::serialized::prefix")
        )]
        u32,
    ),
}

impl Mask {
    /// The valid prefix lengths.
    pub(crate) const PREFIXES: RangeInclusive<u32> = 1..=u128::BITS;

    /// The mask of a single address, with which each client counts separately.
    pub fn whole(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4(Ipv4Addr::BROADCAST),
            Family::V6 => Self::V6(u128::BITS),
        }
    }
}

/// A virtual service as it is configured.
///
/// Fields may be added: start from a constructor.
///
/// ```
/// use ipvsadm::model::Service;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let web = Service {
///     scheduler: "rr".parse()?,
///     persistence: Some(360),
///     ..Service::tcp("192.0.2.1:80".parse()?)
/// };
/// assert_eq!(web.id.to_string(), "-t 192.0.2.1:80");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "super::serialized::Service"))]
pub struct Service {
    /// The address or mark that clients connect to. It cannot be changed.
    pub id: ServiceId,
    /// The scheduler. The kernel loads its module when it is first used.
    pub scheduler: Scheduler,
    /// Flags.
    pub flags: Flags,
    /// How long a client stays with its server, in seconds, if the service is persistent: 1 to
    /// 4,294,967, which is 49 days. A kernel may report other times if another program has set
    /// them.
    ///
    /// The client refuses longer times, which overflow in the kernel. It also refuses to add a
    /// service with 0, with which clients do not stay. The command line takes up to 31 days.
    pub persistence: Option<u32>,
    /// Clients that differ only outside this mask stay with the same server. It is of the
    /// service's family.
    pub mask: Mask,
    /// Identifies clients by something other than their addresses. It has an effect only on a
    /// persistent service: the command line requires persistence with it, the kernel does not.
    pub engine: Option<Engine>,
}

impl Service {
    /// The default scheduler.
    pub const SCHEDULER: Scheduler = Scheduler::new(b"wlc").unwrap();

    /// A service as `ipvsadm -A` adds it without more options.
    pub fn new(id: ServiceId) -> Self {
        Self {
            id,
            scheduler: Self::SCHEDULER,
            flags: Flags::NONE,
            persistence: None,
            mask: Mask::whole(id.family()),
            engine: None,
        }
    }

    /// A TCP service.
    pub fn tcp(address: SocketAddr) -> Self {
        Self::new(ServiceId::address(Protocol::TCP, address))
    }

    /// A UDP service.
    pub fn udp(address: SocketAddr) -> Self {
        Self::new(ServiceId::address(Protocol::UDP, address))
    }

    /// An SCTP service.
    pub fn sctp(address: SocketAddr) -> Self {
        Self::new(ServiceId::address(Protocol::SCTP, address))
    }

    /// A service for the packets of a family that carry a firewall mark.
    pub fn mark(mark: NonZeroU32, family: Family) -> Self {
        Self::new(ServiceId::Mark { mark, family })
    }
}

/// A virtual service as the kernel reports it.
///
/// Fields may be added: start from `service.into()`.
///
/// ```
/// use ipvsadm::model::{Service, ServiceState, Stats};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let web = Service::tcp("192.0.2.1:80".parse()?);
/// let stats = Stats { connections: 7, ..Stats::default() };
/// let web = ServiceState { stats, ..web.into() };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ServiceState {
    /// The settings.
    pub service: Service,
    /// The counters. The kernel updates them every two seconds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stats: Stats,
}

/// A service that has counted nothing yet.
impl From<Service> for ServiceState {
    fn from(service: Service) -> Self {
        let stats = Stats::default();
        Self { service, stats }
    }
}
