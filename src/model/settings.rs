//! Which settings of a service or a server a command names, and what happens to the others.

use std::ops::BitOr;

use super::{Flags, Forwarding, Server, Service, Tunnel};

/// A set of settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings(u16);

impl Settings {
    /// No settings.
    pub const NONE: Self = Self(0);
    /// [`Service::scheduler`]
    pub const SCHEDULER: Self = Self(1);
    /// The flags of the scheduler.
    pub const SCHEDULER_FLAGS: Self = Self(1 << 1);
    /// [`Service::persistence`]
    pub const PERSISTENCE: Self = Self(1 << 2);
    /// [`Service::mask`]
    pub const MASK: Self = Self(1 << 3);
    /// [`Service::engine`]
    pub const ENGINE: Self = Self(1 << 4);
    /// [`Flags::ONE_PACKET`]
    pub const ONE_PACKET: Self = Self(1 << 5);
    /// [`Server::forwarding`]
    pub const FORWARDING: Self = Self(1 << 6);
    /// [`Server::weight`]
    pub const WEIGHT: Self = Self(1 << 7);
    /// [`Server::upper_threshold`]
    pub const UPPER_THRESHOLD: Self = Self(1 << 8);
    /// [`Server::lower_threshold`]
    pub const LOWER_THRESHOLD: Self = Self(1 << 9);
    /// [`Tunnel::kind`]
    pub const TUNNEL_KIND: Self = Self(1 << 10);
    /// [`Tunnel::port`]
    pub const TUNNEL_PORT: Self = Self(1 << 11);
    /// [`Tunnel::checksum`]
    pub const TUNNEL_CHECKSUM: Self = Self(1 << 12);

    /// Whether any of these is named.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl BitOr for Settings {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Service {
    /// This service with its unnamed settings as they are in `current`. The flags of the scheduler
    /// are kept only if the scheduler is.
    #[doc(hidden)]
    pub fn keeping(&self, named: Settings, current: &Self) -> Self {
        let kept = |setting| !named.has(setting);
        let mut service = *self;
        let (mut own, mut one_packet) = (self.flags.only(Flags::SCHEDULER), self.flags);
        if kept(Settings::SCHEDULER) {
            service.scheduler = current.scheduler;
            if kept(Settings::SCHEDULER_FLAGS) {
                own = current.flags.only(Flags::SCHEDULER);
            }
        }
        if kept(Settings::ONE_PACKET) {
            one_packet = current.flags;
        }
        service.flags = own | one_packet.only(Flags::ONE_PACKET);
        if kept(Settings::PERSISTENCE) {
            service.persistence = current.persistence;
        }
        if kept(Settings::MASK) {
            service.mask = current.mask;
        }
        if kept(Settings::ENGINE) {
            service.engine = current.engine;
        }
        service
    }
}

impl Server {
    /// This server with its unnamed settings and its identity taken from `current`. Settings of a
    /// tunnel are kept only if both servers use one, and its port and checksum only if its kind
    /// stays.
    #[doc(hidden)]
    pub fn keeping(&self, named: Settings, current: &Self) -> Self {
        let kept = |setting| !named.has(setting);
        let mut server = *self;
        server.id = current.id;
        if kept(Settings::FORWARDING) {
            server.forwarding = current.forwarding;
        }
        if kept(Settings::WEIGHT) {
            server.weight = current.weight;
        }
        if kept(Settings::UPPER_THRESHOLD) {
            server.upper_threshold = current.upper_threshold;
        }
        if kept(Settings::LOWER_THRESHOLD) {
            server.lower_threshold = current.lower_threshold;
        }
        if server.forwarding == Forwarding::Tunnel && current.forwarding == Forwarding::Tunnel {
            server.tunnel = self.tunnel.keeping(named, &current.tunnel);
        }
        server
    }
}

impl Tunnel {
    fn keeping(&self, named: Settings, current: &Self) -> Self {
        let mut tunnel = *self;
        if named.has(Settings::TUNNEL_KIND) && self.kind != current.kind {
            return tunnel;
        }
        tunnel.kind = current.kind;
        if !named.has(Settings::TUNNEL_PORT) {
            tunnel.port = current.port;
        }
        if !named.has(Settings::TUNNEL_CHECKSUM) {
            tunnel.checksum = current.checksum;
        }
        tunnel
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Checksum, TunnelKind};

    fn service() -> Service {
        Service {
            scheduler: "sh".parse().unwrap(),
            flags: Flags::SCHEDULER_1 | Flags::ONE_PACKET,
            persistence: Some(60),
            ..Service::udp("192.0.2.1:80".parse().unwrap())
        }
    }

    #[test]
    fn a_service_keeps_what_is_not_named() {
        let plain = Service::new(service().id);
        assert_eq!(plain.keeping(Settings::NONE, &service()), service());
        // The flags of the old scheduler are dropped.
        let kept = plain.keeping(Settings::SCHEDULER, &service());
        assert_eq!(kept.flags, Flags::ONE_PACKET);
        assert_eq!(kept.scheduler, plain.scheduler);
        assert_eq!(kept.persistence, Some(60));
        let flagged = Service {
            flags: Flags::SCHEDULER_2,
            ..plain
        };
        let kept = flagged.keeping(Settings::SCHEDULER_FLAGS, &service());
        assert_eq!(kept.flags, Flags::SCHEDULER_2 | Flags::ONE_PACKET);
        assert_eq!(kept.scheduler, service().scheduler);
    }

    #[test]
    fn a_server_keeps_what_is_not_named() {
        let address: std::net::SocketAddr = "10.0.0.1:80".parse().unwrap();
        let tunnelled = Server {
            forwarding: Forwarding::Tunnel,
            tunnel: Tunnel {
                kind: TunnelKind::Gue,
                port: 6080,
                checksum: Checksum::REMOTE,
            },
            weight: 7,
            upper_threshold: 9,
            ..Server::new(address)
        };
        let plain = Server::new(address);
        assert_eq!(plain.keeping(Settings::NONE, &tunnelled), tunnelled);
        let drained = Server { weight: 0, ..plain };
        let kept = drained.keeping(Settings::WEIGHT, &tunnelled);
        assert_eq!(
            kept,
            Server {
                weight: 0,
                ..tunnelled
            }
        );
        // Another method drops the tunnel, and another kind its port and checksum.
        let kept = plain.keeping(Settings::FORWARDING, &tunnelled);
        assert_eq!((kept.tunnel, kept.weight), (Tunnel::IPIP, 7));
        let gre = Server {
            tunnel: Tunnel {
                kind: TunnelKind::Gre,
                ..Tunnel::IPIP
            },
            ..plain
        };
        let kept = gre.keeping(Settings::TUNNEL_KIND, &tunnelled);
        assert_eq!(kept.tunnel, gre.tunnel);
    }
}
