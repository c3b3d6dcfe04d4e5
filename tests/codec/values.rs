//! Services, servers and daemons that use every setting.

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
        mark: 0xfedc_ba98.try_into().unwrap(),
        family,
    }
}

/// A service with a persistence engine and flags of its scheduler.
pub fn service(id: ServiceId) -> Service {
    Service {
        id,
        scheduler: "sh".parse().unwrap(),
        flags: Flags::SCHEDULER_2,
        persistence: Some(360),
        mask: match id.family() {
            Family::V4 => Mask::V4("255.255.240.0".parse().unwrap()),
            Family::V6 => Mask::V6(64),
        },
        engine: Name::new(b"sip"),
    }
}

/// A service that the old options can express.
pub fn plain_service(id: ServiceId) -> Service {
    Service {
        engine: None,
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
        interface: "eth0.100".parse().unwrap(),
        sync_id: 200,
        max_length: Some(1400),
        group: Some(group.parse().unwrap()),
        port: Some(8849),
        ttl: Some(3),
    }
}

pub fn plain_daemon() -> Daemon {
    Daemon::new(DaemonRole::Backup, "eth0.100".parse().unwrap(), 200)
}

pub const TIMEOUTS: Timeouts = Timeouts {
    tcp: 900,
    tcp_fin: 0,
    udp: 0x0001_0203,
};
