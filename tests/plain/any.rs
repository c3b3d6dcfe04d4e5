//! Services and servers as any program may have created them.

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ipvsadm::model::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The number of cases, unless the environment sets another.
pub fn cases(count: u32) -> ProptestConfig {
    match env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(count),
    }
}

/// A number of any size, often an edge case.
fn number() -> impl Strategy<Value = u32> {
    const MONTH: u32 = 31 * 24 * 60 * 60;
    let high = 1 << 31;
    let edges = [0, 1, 80, 0xffff, MONTH, MONTH + 1, high - 1, high, u32::MAX];
    prop_oneof![
        1 => select(edges.to_vec()),
        2 => (any::<u32>(), 0..32_u32).prop_map(|(number, shift)| number >> shift),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    number().prop_map(|number| number as u16)
}

fn family() -> impl Strategy<Value = Family> {
    select(vec![Family::V4, Family::V6])
}

fn address() -> impl Strategy<Value = [IpAddr; 2]> {
    let numbers = (number(), number(), number());
    numbers.prop_map(|(high, middle, low)| {
        let [upper, middle, lower] = [high, middle, low].map(u128::from);
        let v6 = Ipv6Addr::from_bits(upper << 96 | middle << 32 | lower);
        [Ipv4Addr::from_bits(low).into(), v6.into()]
    })
}

/// The address of this family.
fn of(family: Family, [v4, v6]: [IpAddr; 2]) -> IpAddr {
    match family {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}

pub fn service_id() -> impl Strategy<Value = ServiceId> {
    let mark = (number(), family()).prop_map(|(mark, family)| ServiceId::Mark {
        mark: NonZeroU32::new(mark).unwrap_or(NonZeroU32::MIN),
        family,
    });
    let protocol = prop_oneof![
        19 => select(vec![Protocol::TCP, Protocol::UDP, Protocol::SCTP]),
        1 => port().prop_map(Protocol),
    ];
    let address = (protocol, family(), address(), port());
    let address = address.prop_map(|(protocol, family, address, port)| ServiceId::Address {
        protocol,
        address: of(family, address),
        port,
    });
    prop_oneof![1 => mark, 3 => address]
}

/// Any settings of a service.
pub fn service(id: ServiceId) -> impl Strategy<Value = Service> {
    let flags = vec![
        Flags::ONE_PACKET,
        Flags::SCHEDULER_1,
        Flags::SCHEDULER_2,
        Flags::SCHEDULER_3,
        Flags::from_bits(1 << 6),
    ];
    (
        select(vec!["rr", "wlc", "sh", "mh", "none"]),
        prop_oneof![1 => Just(Vec::new()), 1 => subsequence(flags, 1..=5)],
        prop::option::of(number()),
        number(),
        1..=128_u32,
        prop::bool::weighted(0.3),
    )
        .prop_map(
            move |(scheduler, flags, persistence, mask, prefix, has_engine)| Service {
                scheduler: scheduler.parse().unwrap(),
                flags: flags.into_iter().fold(Flags::NONE, |all, flag| all | flag),
                persistence,
                mask: match id.family() {
                    Family::V4 => Mask::V4(Ipv4Addr::from_bits(mask)),
                    Family::V6 => Mask::V6(prefix),
                },
                engine: has_engine.then(|| "sip".parse().unwrap()),
                ..Service::new(id)
            },
        )
}

/// Any settings of a server that the kernel accepts, apart from its limits. Only tunnels lead to
/// the other family, and GUE never uses port 0.
pub fn server(service: ServiceId) -> impl Strategy<Value = Server> {
    let forwarding = prop_oneof![
        2 => Just(Forwarding::Tunnel),
        5 => select(vec![
            Forwarding::Masquerade,
            Forwarding::DirectRouting,
            Forwarding::Local,
            Forwarding::Bypass,
            Forwarding::Unknown(5),
        ]),
    ];
    let kind = select(vec![
        TunnelKind::Ipip,
        TunnelKind::Gue,
        TunnelKind::Gre,
        TunnelKind::Unknown(3),
    ]);
    let tunnel = (kind, port(), 0..5_u16);
    let port = prop_oneof![4 => Just(service.port()), 1 => port()];
    let weight = prop_oneof![1 => Just(0), 2 => number().prop_map(|number| (number >> 1) as i32)];
    let limits = (number(), number());
    (
        forwarding,
        family(),
        address(),
        port,
        tunnel,
        weight,
        limits,
    )
        .prop_map(
            move |(
                forwarding,
                family,
                address,
                port,
                (kind, tunnel_port, checksum),
                weight,
                limits,
            )| {
                let family = match forwarding {
                    Forwarding::Tunnel => family,
                    _ => service.family(),
                };
                Server {
                    forwarding,
                    tunnel: Tunnel {
                        kind,
                        port: tunnel_port.max(1),
                        checksum: Checksum(checksum),
                    },
                    weight,
                    upper_threshold: limits.0,
                    lower_threshold: limits.1,
                    ..Server::new((of(family, address), port))
                }
            },
        )
}
