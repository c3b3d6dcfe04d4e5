//! Tables as any program may have made them: what is saved of them and read again is the same,
//! and nothing else is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use anyhow::Result;
use ipvsadm::command::Command;
use ipvsadm::model::*;
use ipvsadm::names::Names;
use ipvsadm::render::{Out, save};
use ipvsadm::rules;

use crate::drive::{Reader, Surface};
use crate::mill::Mill;
use crate::random::Random;

/// Chance alone makes these tables.
pub const SURFACE: Surface = Surface {
    name: "saves",
    quick: 20_000,
    mill: || Mill::new(vec![Vec::new()], vec![Vec::new()]),
    open,
};

fn open() -> Result<Reader> {
    let mut names = Names::numeric();
    Ok(Box::new(move |_, random| {
        let entry = entry(random);
        let (mut text, mut unsaid) = (Vec::new(), Vec::new());
        let mut out = Out::new(&mut text);
        save::entry(&mut out, &mut names, &entry, &mut unsaid).expect("room in memory");
        out.flush().expect("room in memory");

        let service = entry.service.service;
        let servers = entry.servers.iter().map(|state| state.server);
        let add_service = Command::Change(Change::AddService(said_service(service)));
        let servers = servers.map(said_server);
        let add_servers =
            servers.map(|server| Command::Change(Change::AddServer(service.id, server)));
        let mut saved = text.split(|&byte| byte == b'\n').peekable();
        let mut unsaid = unsaid.iter().map(Vec::as_slice);
        let mut service_is_missing = false;
        for command in [add_service].into_iter().chain(add_servers) {
            let is_said = |line: &[u8]| matches!(rules::read(line, &names), Ok(Some(read)) if read == command);
            if !service_is_missing && saved.next_if(|line| is_said(line)).is_some() {
                continue;
            }
            let line = unsaid.next();
            let line = line.unwrap_or_else(|| {
                panic!("{command:?} became {:?}", text.escape_ascii().to_string())
            });
            assert!(
                service_is_missing || !is_said(line),
                "{:?} says it",
                line.escape_ascii().to_string()
            );
            // Without its service no server can be: they are all named behind it.
            service_is_missing |= matches!(command, Command::Change(Change::AddService(_)));
        }
        assert_eq!(saved.collect::<Vec<_>>(), [b""]);
        assert_eq!(unsaid.next(), None);
    }))
}

/// What matters of a service: what a flag would give a meaning is nothing without it.
fn said_service(service: Service) -> Service {
    let known = (Flags::ONE_PACKET | Flags::SCHEDULER).bits();
    Service {
        flags: Flags::from_bits(service.flags.bits() & known),
        mask: if service.persistence.is_some() {
            service.mask
        } else {
            Mask::whole(service.id.family())
        },
        ..service
    }
}

/// What matters of a server: each tunnel has what it has a use for.
fn said_server(mut server: Server) -> Server {
    if server.forwarding == Forwarding::Local {
        server.forwarding = Forwarding::DirectRouting;
    }
    let tunnel = server.tunnel;
    server.tunnel = match (server.forwarding, tunnel.kind) {
        (Forwarding::Tunnel, TunnelKind::Gre) => Tunnel { port: 0, ..tunnel },
        (Forwarding::Tunnel, TunnelKind::Gue | TunnelKind::Unknown(_)) => tunnel,
        _ => Tunnel::IPIP,
    };
    server
}

fn entry(random: &mut Random) -> Entry {
    let id = service_id(random);
    let service = service(random, id);
    let servers = (0..random.below(4)).map(|_| ServerState {
        server: server(random, &service.id),
        active: 0,
        inactive: 0,
        persistent: 0,
        stats: Stats::default(),
    });
    let servers = servers.collect();
    let stats = Stats::default();
    Entry {
        service: ServiceState { service, stats },
        servers,
    }
}

pub fn service_id(random: &mut Random) -> ServiceId {
    let family = *random.pick(&[Family::V4, Family::V6]);
    if random.chance(25) {
        ServiceId::Mark {
            mark: NonZeroU32::new(number(random)).unwrap_or(NonZeroU32::MIN),
            family,
        }
    } else {
        ServiceId::Address {
            protocol: if random.chance(95) {
                *random.pick(&[Protocol::TCP, Protocol::UDP, Protocol::SCTP])
            } else {
                Protocol(number(random) as u16)
            },
            address: address(random, family),
            port: number(random) as u16,
        }
    }
}

/// Any settings of a service.
pub fn service(random: &mut Random, id: ServiceId) -> Service {
    let flag = |random: &mut Random, percent, flag: Flags| {
        if random.chance(percent) {
            flag
        } else {
            Flags::NONE
        }
    };
    Service {
        id,
        scheduler: random
            .pick(&["rr", "wlc", "sh", "mh", "none"])
            .parse()
            .expect("a name"),
        flags: flag(random, 10, Flags::ONE_PACKET)
            | flag(random, 10, Flags::SCHEDULER_1)
            | flag(random, 10, Flags::SCHEDULER_2)
            | flag(random, 10, Flags::SCHEDULER_3)
            | flag(random, 1, Flags::from_bits(1 << 6)),
        persistence: random.chance(50).then(|| number(random)),
        mask: match id.family() {
            Family::V4 => Mask::V4(Ipv4Addr::from_bits(number(random))),
            Family::V6 => Mask::V6(1 + random.below(128) as u32),
        },
        engine: Name::new(random.pick::<&[u8]>(&[b"", b"", b"sip"])),
    }
}

pub fn server(random: &mut Random, service: &ServiceId) -> Server {
    let forwarding = *random.pick(&[
        Forwarding::Masquerade,
        Forwarding::DirectRouting,
        Forwarding::Tunnel,
        Forwarding::Tunnel,
        Forwarding::Local,
        Forwarding::Bypass,
        Forwarding::Unknown(5),
    ]);
    // No other forwarding leads to the other family, and no GUE to port 0.
    let family = match forwarding {
        Forwarding::Tunnel => *random.pick(&[Family::V4, Family::V6]),
        _ => service.family(),
    };
    Server {
        id: ServerId {
            address: address(random, family),
            port: if random.chance(80) {
                service.port()
            } else {
                number(random) as u16
            },
        },
        forwarding,
        tunnel: Tunnel {
            kind: *random.pick(&[
                TunnelKind::Ipip,
                TunnelKind::Gue,
                TunnelKind::Gre,
                TunnelKind::Unknown(3),
            ]),
            port: (number(random) as u16).max(1),
            checksum: Checksum(random.below(5) as u16),
        },
        weight: (number(random) >> 1) as i32,
        upper_threshold: number(random),
        lower_threshold: number(random),
    }
}

fn address(random: &mut Random, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(number(random)).into(),
        Family::V6 => {
            let [high, low] = [number(random), number(random)].map(u128::from);
            Ipv6Addr::from_bits(high << 96 | u128::from(number(random)) << 32 | low).into()
        }
    }
}

/// A number of any size, often one at an edge.
fn number(random: &mut Random) -> u32 {
    const MONTH: u32 = 31 * 24 * 60 * 60;
    match random.below(3) {
        0 => *random.pick(&[
            0,
            1,
            80,
            0xffff,
            MONTH,
            MONTH + 1,
            i32::MAX as u32,
            1 << 31,
            u32::MAX,
        ]),
        _ => (random.below(1 << 32) >> random.below(32)) as u32,
    }
}
