//! The conditions of a rule.

use std::net::IpAddr;

use super::{Packet, State};
use crate::model::{Family, Network, Protocol};

/// Whether a rule fits a packet. With several conditions, the lowest result counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    No,
    Maybe,
    Yes,
}

impl Fit {
    fn of(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Family(Family),
    Protocols(Vec<Protocol>),
    Sources(Vec<Network>),
    Destinations(Vec<Network>),
    SourcePorts(Vec<(u16, u16)>),
    DestinationPorts(Vec<(u16, u16)>),
    /// The device through which the packet arrives.
    From(String),
    /// The device through which the packet leaves.
    Through(String),
    States(Vec<State>),
    Not(Box<Condition>),
    /// A condition that is not understood.
    Unknown,
}

impl Condition {
    pub fn fits(&self, packet: &Packet) -> Fit {
        match self {
            Self::Family(family) => Fit::of(*family == packet.family),
            Self::Protocols(protocols) => Fit::of(protocols.contains(&packet.protocol)),
            Self::Sources(networks) => among(networks, packet.source),
            Self::Destinations(networks) => among(networks, packet.destination),
            Self::SourcePorts(ranges) => within(ranges, packet.source_port),
            Self::DestinationPorts(ranges) => within(ranges, packet.destination_port),
            Self::From(device) if device == "lo" => Fit::No,
            Self::From(_) | Self::Unknown => Fit::Maybe,
            Self::Through(device) => match &packet.out_device {
                Some(out) => Fit::of(is_named(device, out)),
                None => Fit::Maybe,
            },
            Self::States(states) => Fit::of(states.contains(&packet.state)),
            Self::Not(condition) => match condition.fits(packet) {
                Fit::No => Fit::Yes,
                Fit::Maybe => Fit::Maybe,
                Fit::Yes => Fit::No,
            },
        }
    }
}

/// Whether a pattern fits the name of a device. If it ends with `+` or `*`, only the beginning
/// counts.
fn is_named(pattern: &str, device: &str) -> bool {
    match pattern.strip_suffix(['+', '*']) {
        Some(beginning) => device.starts_with(beginning),
        None => device == pattern,
    }
}

fn among(networks: &[Network], address: Option<IpAddr>) -> Fit {
    let has_all = |network: &Network| network.bits == 0;
    match address {
        Some(address) => Fit::of(networks.iter().any(|network| network.has(address))),
        None if networks.iter().any(has_all) => Fit::Yes,
        None => Fit::Maybe,
    }
}

/// Port 0 stands for every port, so it may be in any range.
fn within(ranges: &[(u16, u16)], port: Option<u16>) -> Fit {
    match port {
        None | Some(0) => Fit::Maybe,
        Some(port) => Fit::of(
            ranges
                .iter()
                .any(|(low, high)| (*low..=*high).contains(&port)),
        ),
    }
}
