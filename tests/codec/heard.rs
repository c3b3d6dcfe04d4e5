//! Decodes requests the way the kernel does: the reverse of `said`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ipvsadm::model::*;

use crate::wire::Fields;

/// The leading bytes of an attribute.
fn leading<const N: usize>(fields: &Fields, kind: u16) -> [u8; N] {
    fields[&kind][..N].try_into().unwrap()
}

fn number(fields: &Fields, kind: u16) -> u32 {
    u32::from_ne_bytes(leading(fields, kind))
}

fn port(fields: &Fields, kind: u16) -> u16 {
    u16::from_be_bytes(leading(fields, kind))
}

fn name<const N: usize>(fields: &Fields, kind: u16) -> Option<Name<N>> {
    let text = fields.get(&kind)?.strip_suffix(b"\0");
    Name::new(text.expect("the end of a name"))
}

fn family(fields: &Fields, kind: u16) -> Family {
    match u16::from_ne_bytes(leading(fields, kind)) {
        2 => Family::V4,
        10 => Family::V6,
        other => panic!("family {other}"),
    }
}

fn address(family: Family, fields: &Fields, kind: u16) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(leading::<4>(fields, kind)).into(),
        Family::V6 => Ipv6Addr::from(leading::<16>(fields, kind)).into(),
    }
}

pub fn id(key: &Fields) -> ServiceId {
    let family = family(key, 1);
    if key.contains_key(&5) {
        let mark = NonZeroU32::new(number(key, 5)).expect("a mark");
        return ServiceId::Mark { mark, family };
    }
    ServiceId::Address {
        protocol: Protocol(u16::from_ne_bytes(leading(key, 2))),
        address: address(family, key, 3),
        port: port(key, 4),
    }
}

pub fn service(fields: &Fields) -> Service {
    const PERSISTENT: u32 = 1;
    let (id, flags) = (id(fields), number(fields, 7));
    Service {
        id,
        scheduler: name(fields, 6).expect("a scheduler"),
        flags: Flags::from_bits(flags & !PERSISTENT),
        persistence: (flags & PERSISTENT != 0).then(|| number(fields, 8)),
        mask: match id.family() {
            Family::V4 => Mask::V4(leading(fields, 9).into()),
            Family::V6 => Mask::V6(number(fields, 9)),
        },
        engine: name(fields, 11),
    }
}

pub fn server_id(key: &Fields) -> ServerId {
    ServerId {
        address: address(family(key, 11), key, 1),
        port: port(key, 2),
    }
}

pub fn server(fields: &Fields) -> Server {
    Server {
        id: server_id(fields),
        forwarding: match number(fields, 3) {
            0 => Forwarding::Masquerade,
            1 => Forwarding::Local,
            2 => Forwarding::Tunnel,
            3 => Forwarding::DirectRouting,
            4 => Forwarding::Bypass,
            other => panic!("forwarding {other}"),
        },
        weight: number(fields, 4) as i32,
        upper_threshold: number(fields, 5),
        lower_threshold: number(fields, 6),
        tunnel: tunnel(fields),
    }
}

fn tunnel(fields: &Fields) -> Tunnel {
    let Some(kind) = fields.get(&13) else {
        return Tunnel::IPIP;
    };
    Tunnel {
        kind: match kind[..] {
            [0] => TunnelKind::Ipip,
            [1] => TunnelKind::Gue,
            [2] => TunnelKind::Gre,
            ref other => panic!("tunnel {other:?}"),
        },
        port: port(fields, 14),
        checksum: Checksum(u16::from_ne_bytes(leading(fields, 15))),
    }
}

pub fn role(fields: &Fields) -> DaemonRole {
    match number(fields, 1) {
        1 => DaemonRole::Master,
        2 => DaemonRole::Backup,
        other => panic!("role {other}"),
    }
}

pub fn daemon(fields: &Fields) -> Daemon {
    let half = |kind| {
        Some(u16::from_ne_bytes(
            fields.get(&kind)?[..].try_into().unwrap(),
        ))
    };
    let group = [(5, Family::V4), (6, Family::V6)].into_iter();
    Daemon {
        max_length: half(4),
        group: group
            .filter(|(kind, _)| fields.contains_key(kind))
            .map(|(kind, family)| address(family, fields, kind))
            .next(),
        port: half(7),
        ttl: fields.get(&8).map(|ttl| ttl[0]),
        ..Daemon::new(
            role(fields),
            name(fields, 2).expect("an interface"),
            number(fields, 3),
        )
    }
}

/// Timeouts that are not set stay unchanged.
pub fn timeouts(fields: &Fields, before: Timeouts) -> Timeouts {
    let or = |kind, before| match number(fields, kind) {
        0 => before,
        timeout => timeout,
    };
    Timeouts {
        tcp: or(4, before.tcp),
        tcp_fin: or(5, before.tcp_fin),
        udp: or(6, before.udp),
    }
}
