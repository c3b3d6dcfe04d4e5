//! Services and servers as the kernel reports them, by netlink and by the old socket options.

use std::net::IpAddr;

use ipvsadm::model::*;

use crate::wire::{Attr, attribute, big, bytes, nest};

fn family(family: Family) -> u16 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

/// An address in the kernel's form: sixteen bytes, of which IPv4 uses the first four.
fn address(address: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    bytes
}

fn service_key(id: ServiceId) -> Vec<Attr> {
    let mut key = vec![attribute(1, family(id.family()))];
    match id {
        ServiceId::Address {
            protocol,
            address: at,
            port,
        } => key.extend([
            attribute(2, protocol.0),
            bytes(3, &address(at)),
            big(4, port),
        ]),
        ServiceId::Mark { mark, .. } => key.push(attribute(5, mark.get())),
    }
    key
}

/// The flag that the kernel adds to every service in its table.
const HASHED: u32 = 2;

fn flags(service: &Service) -> u32 {
    service.flags.bits() | u32::from(service.persistence.is_some())
}

/// The attributes of a service, in the kernel's order.
pub fn service(service: &Service) -> Vec<Attr> {
    let flags = [(flags(service) | HASHED).to_ne_bytes(), [0xff; 4]].concat();
    let mut attributes = service_key(service.id);
    attributes.push(bytes(6, &[service.scheduler.as_bytes(), b"\0"].concat()));
    if let Some(engine) = &service.engine {
        attributes.push(bytes(11, &[engine.as_bytes(), b"\0"].concat()));
    }
    attributes.extend([
        bytes(7, &flags),
        attribute(8, service.persistence.unwrap_or(0)),
        match service.mask {
            Mask::V4(mask) => bytes(9, &mask.octets()),
            Mask::V6(prefix) => attribute(9, prefix),
        },
        narrow_stats(),
        wide_stats(),
    ]);
    attributes
}

/// The attributes of a server, in the kernel's order.
pub fn server(state: &ServerState) -> Vec<Attr> {
    let server = &state.server;
    vec![
        bytes(1, &address(server.id.address)),
        big(2, server.id.port),
        attribute(3, forwarding(server.forwarding)),
        attribute(4, server.weight as u32),
        attribute(
            13,
            match server.tunnel.kind {
                TunnelKind::Ipip => 0_u8,
                TunnelKind::Gue => 1,
                TunnelKind::Gre => 2,
                TunnelKind::Unknown(kind) => kind,
                kind => unreachable!("{kind} has no number here"),
            },
        ),
        big(14, server.tunnel.port),
        attribute(15, server.tunnel.checksum.0),
        attribute(5, server.upper_threshold),
        attribute(6, server.lower_threshold),
        attribute(7, state.active),
        attribute(8, state.inactive),
        attribute(9, state.persistent),
        attribute(11, family(server.id.family())),
        narrow_stats(),
        wide_stats(),
    ]
}

fn forwarding(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Masquerade => 0,
        Forwarding::Local => 1,
        Forwarding::Tunnel => 2,
        Forwarding::DirectRouting => 3,
        Forwarding::Bypass => 4,
        Forwarding::Unknown(method) => method.into(),
    }
}

pub fn role(role: DaemonRole) -> u32 {
    match role {
        DaemonRole::Master => 1,
        DaemonRole::Backup => 2,
    }
}

/// The attributes of a daemon, without those left to the kernel.
pub fn daemon(daemon: &Daemon) -> Vec<Attr> {
    let group = daemon.group.map(|group| match group {
        IpAddr::V4(v4) => bytes(5, &v4.octets()),
        IpAddr::V6(v6) => bytes(6, &v6.octets()),
    });
    let chosen = [
        daemon.max_length.map(|length| attribute(4, length)),
        group,
        daemon.port.map(|port| attribute(7, port)),
        daemon.ttl.map(|ttl| attribute(8, ttl)),
    ];
    let mut attributes = vec![
        attribute(1, role(daemon.role)),
        bytes(2, &[daemon.interface.as_bytes(), b"\0"].concat()),
        attribute(3, daemon.sync_id),
    ];
    attributes.extend(chosen.into_iter().flatten());
    attributes
}

/// 64-bit counters, with the kernel's padding.
fn wide_stats() -> Attr {
    let padding = bytes(11, &[]);
    let counters = (1..=10).flat_map(|kind| {
        let counter = (u64::from(kind) << 40) + u64::from(kind);
        [padding.clone(), attribute(kind, counter)]
    });
    nest(12, counters)
}

/// The same counters truncated to 32 bits, except those of bytes.
fn narrow_stats() -> Attr {
    let counters = (1..=10).map(|kind| match kind {
        4 | 5 => attribute(kind, (u64::from(kind) << 40) + u64::from(kind)),
        _ => attribute(kind, u32::from(kind)),
    });
    nest(10, counters)
}

/// The values of the wide counters.
pub fn wide() -> Stats {
    let counter = |kind: u64| (kind << 40) + kind;
    Stats {
        connections: counter(1),
        in_packets: counter(2),
        out_packets: counter(3),
        in_bytes: counter(4),
        out_bytes: counter(5),
        connection_rate: counter(6),
        in_packet_rate: counter(7),
        out_packet_rate: counter(8),
        in_byte_rate: counter(9),
        out_byte_rate: counter(10),
    }
}

/// The values of the narrow counters.
pub fn narrow() -> Stats {
    Stats {
        connections: 1,
        in_packets: 2,
        out_packets: 3,
        connection_rate: 6,
        in_packet_rate: 7,
        out_packet_rate: 8,
        in_byte_rate: 9,
        out_byte_rate: 10,
        ..wide()
    }
}

/// Consecutive numbers in the old structures.
pub fn numbers<const N: usize>(numbers: [u32; N]) -> Vec<u8> {
    numbers.map(u32::to_ne_bytes).concat()
}

/// A name in sixteen bytes.
pub fn name(name: &[u8]) -> Vec<u8> {
    let mut field = name.to_vec();
    field.resize(16, 0);
    field
}

fn v4(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => panic!("{v6} in an old structure"),
    }
}

/// The identification of a service in the old options.
pub fn old_key(id: ServiceId) -> Vec<u8> {
    let (address, port, mark) = match id {
        ServiceId::Address { address, port, .. } => (v4(address), port, 0),
        ServiceId::Mark { mark, .. } => ([0; 4], 0, mark.get()),
    };
    let mut key = id.protocol().0.to_ne_bytes().to_vec();
    key.extend([0, 0]);
    key.extend(address);
    key.extend(port.to_be_bytes());
    key.extend([0, 0]);
    key.extend(numbers([mark]));
    key
}

/// A service as the old options set it.
pub fn old_service(service: &Service) -> Vec<u8> {
    old_service_with(service, flags(service))
}

fn old_service_with(service: &Service, flags: u32) -> Vec<u8> {
    let Mask::V4(mask) = service.mask else {
        panic!("an IPv6 mask in an old structure");
    };
    let mut old = old_key(service.id);
    old.extend(name(service.scheduler.as_bytes()));
    old.extend(numbers([flags, service.persistence.unwrap_or(0)]));
    old.extend(mask.octets());
    old
}

/// A service as the old options report it.
pub fn old_service_entry(service: &Service, servers: usize) -> Vec<u8> {
    let mut entry = old_service_with(service, flags(service) | HASHED);
    entry.extend(numbers([servers as u32]));
    entry.extend(old_stats());
    assert_eq!(entry.len(), 104);
    entry
}

/// A server as the old options set it.
pub fn old_server(server: &Server) -> Vec<u8> {
    let mut old = v4(server.id.address).to_vec();
    old.extend(server.id.port.to_be_bytes());
    old.extend([0, 0]);
    old.extend(numbers([
        forwarding(server.forwarding),
        server.weight as u32,
        server.upper_threshold,
        server.lower_threshold,
    ]));
    old
}

/// A server as the old options report it.
pub fn old_server_entry(state: &ServerState) -> Vec<u8> {
    let mut entry = old_server(&state.server);
    entry.extend(numbers([state.active, state.inactive, state.persistent, 0]));
    entry.extend(old_stats());
    assert_eq!(entry.len(), 96);
    entry
}

/// A daemon as the old options report it.
pub fn old_daemon(daemon: &Daemon) -> Vec<u8> {
    let mut old = numbers([role(daemon.role)]);
    old.extend(name(daemon.interface.as_bytes()));
    old.extend(numbers([daemon.sync_id]));
    old
}

/// The narrow counters, with 64-bit numbers aligned.
fn old_stats() -> Vec<u8> {
    let mut stats = numbers([1, 2, 3, 0]);
    stats.extend(((4_u64 << 40) + 4).to_ne_bytes());
    stats.extend(((5_u64 << 40) + 5).to_ne_bytes());
    stats.extend(numbers([6, 7, 8, 9, 10, 0]));
    stats
}
