//! Services, servers and daemons that use everything there is to say.

use ipvsadm::model::*;

pub fn tcp() -> ServiceId {
    ServiceId::Address {
        protocol: Protocol::TCP,
        address: "10.1.2.3".parse().unwrap(),
        port: 443,
    }
}

pub fn udp6() -> ServiceId {
    ServiceId::Address {
        protocol: Protocol::UDP,
        address: "2001:db8::1:2".parse().unwrap(),
        port: 53,
    }
}

pub fn mark(family: Family) -> ServiceId {
    ServiceId::Mark {
        mark: 0xfedc_ba98,
        family,
    }
}

/// A service with a persistence engine and flags of its scheduler.
pub fn service(id: ServiceId) -> Service {
    Service {
        id,
        scheduler: Name::new(b"sh"),
        flags: Flags::PERSISTENT | Flags::SCHEDULER_2,
        persistence: 360,
        mask: match id.family() {
            Family::V4 => Mask::V4("255.255.240.0".parse().unwrap()),
            Family::V6 => Mask::V6(64),
        },
        engine: Name::new(b"sip"),
    }
}

/// A service with nothing that the old options cannot say.
pub fn plain_service(id: ServiceId) -> Service {
    Service {
        engine: Name::EMPTY,
        ..service(id)
    }
}

/// A server behind a tunnel.
pub fn server(address: &str) -> Server {
    Server {
        id: ServerId {
            address: address.parse().unwrap(),
            port: 8080,
        },
        forwarding: Forwarding::Tunnel,
        tunnel: Tunnel {
            kind: TunnelKind::Gue,
            port: 6080,
            checksum: Checksum::REMOTE,
        },
        weight: 0x0102_0304,
        upper_threshold: 2000,
        lower_threshold: 1500,
    }
}

pub fn plain_server(address: &str) -> Server {
    Server {
        forwarding: Forwarding::Masquerade,
        tunnel: Tunnel::IPIP,
        ..server(address)
    }
}

pub fn daemon(group: &str) -> Daemon {
    Daemon {
        role: DaemonRole::Backup,
        interface: Name::new(b"eth0.100"),
        sync_id: 200,
        max_length: Some(1400),
        group: Some(group.parse().unwrap()),
        port: Some(8849),
        ttl: Some(3),
    }
}

pub fn plain_daemon() -> Daemon {
    Daemon {
        max_length: None,
        group: None,
        port: None,
        ttl: None,
        ..daemon("224.0.0.1")
    }
}

pub const TIMEOUTS: Timeouts = Timeouts {
    tcp: 900,
    tcp_fin: 0,
    udp: 0x0001_0203,
};
