//! A virtual service: what clients connect to.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::BitOr;

use super::{Family, Name, Stats};

/// An IP protocol by its number. IPVS balances three of them; the kernel may report others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u16);

impl Protocol {
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
    pub const SCTP: Self = Self(132);
}

/// What makes a service that service: an address and port, or a firewall mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceId {
    Address {
        protocol: Protocol,
        address: IpAddr,
        port: u16,
    },
    Mark {
        mark: u32,
        family: Family,
    },
}

impl ServiceId {
    pub fn family(&self) -> Family {
        match *self {
            Self::Address { address, .. } => Family::of(address),
            Self::Mark { family, .. } => family,
        }
    }

    /// The protocol whose port names apply; the kernel keeps marks as TCP.
    pub fn protocol(&self) -> Protocol {
        match *self {
            Self::Address { protocol, .. } => protocol,
            Self::Mark { .. } => Protocol::TCP,
        }
    }

    /// The port that a server takes which names none; a mark has none to give.
    pub fn port(&self) -> u16 {
        match *self {
            Self::Address { port, .. } => port,
            Self::Mark { .. } => 0,
        }
    }
}

/// The kernel's flags of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const PERSISTENT: Self = Self(0x01);
    /// The kernel's own; set in every reply.
    pub const HASHED: Self = Self(0x02);
    pub const ONE_PACKET: Self = Self(0x04);
    pub const SCHEDULER_1: Self = Self(0x08);
    pub const SCHEDULER_2: Self = Self(0x10);
    pub const SCHEDULER_3: Self = Self(0x20);

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
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
pub enum Mask {
    V4(Ipv4Addr),
    /// The length of the prefix, 1 to 128.
    V6(u32),
}

impl Mask {
    /// The mask under which every client is one of its own.
    pub fn whole(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4(Ipv4Addr::BROADCAST),
            Family::V6 => Self::V6(128),
        }
    }
}

/// A virtual service as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    pub id: ServiceId,
    pub scheduler: Name<15>,
    pub flags: Flags,
    /// How long a client stays with its server, in seconds; means something with `PERSISTENT`.
    pub persistence: u32,
    pub mask: Mask,
    /// The persistence engine; empty for none.
    pub engine: Name<16>,
}

/// A virtual service as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceState {
    pub service: Service,
    pub stats: Stats,
}
