//! Every reply: what is read from it, whatever it lacks, adds or breaks off.

use std::net::IpAddr;

use ipvsadm::kernel::{Error, Result};
use ipvsadm::model::*;

use crate::script::{Script, Step};
use crate::values::*;
use crate::wire::{self, Attr, attribute, big, bytes, nest};

const NEW_SERVICE: u8 = 1;
const NEW_DEST: u8 = 5;
const NEW_DAEMON: u8 = 9;
const SET_CONFIG: u8 = 12;
const SET_INFO: u8 = 14;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

fn sixteen(address: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    match address.parse().unwrap() {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    bytes
}

/// Counters as the kernel has them since it counts in 64 bits, with its padding.
fn stats64() -> Attr {
    let padding = bytes(11, &[]);
    let counters = (1..=10).flat_map(|kind| {
        let counter = (u64::from(kind) << 40) + u64::from(kind);
        [padding.clone(), attribute(kind, counter)]
    });
    nest(12, counters)
}

/// The same counters, of which but the low halves are left, bytes apart.
fn stats() -> Attr {
    let counters = (1..=10).map(|kind| match kind {
        4 | 5 => attribute(kind, (u64::from(kind) << 40) + u64::from(kind)),
        _ => attribute(kind, u32::from(kind)),
    });
    nest(10, counters)
}

fn wide() -> Stats {
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

fn narrow() -> Stats {
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

fn service_key(id: ServiceId) -> Vec<Attr> {
    match id {
        ServiceId::Address {
            protocol,
            address,
            port,
        } => vec![
            attribute(
                1,
                match address {
                    IpAddr::V4(_) => AF_INET,
                    IpAddr::V6(_) => AF_INET6,
                },
            ),
            attribute(2, protocol.0),
            bytes(3, &sixteen(&address.to_string())),
            big(4, port),
        ],
        ServiceId::Mark { mark, family } => vec![
            attribute(
                1,
                match family {
                    Family::V4 => AF_INET,
                    Family::V6 => AF_INET6,
                },
            ),
            attribute(5, mark),
        ],
    }
}

/// What the kernel says of a service, in its order.
fn service_attributes(service: &Service) -> Vec<Attr> {
    let flags = [service.flags.0.to_ne_bytes(), [0xff; 4]].concat();
    let mut attributes = service_key(service.id);
    attributes.extend([
        bytes(6, &[service.scheduler.as_bytes(), b"\0"].concat()),
        bytes(11, &[service.engine.as_bytes(), b"\0"].concat()),
        bytes(7, &flags),
        attribute(8, service.persistence),
        match service.mask {
            Mask::V4(mask) => bytes(9, &mask.octets()),
            Mask::V6(prefix) => attribute(9, prefix),
        },
        stats(),
        stats64(),
    ]);
    attributes
}

/// What the kernel says of the server of `values::server`, in its order.
fn server_attributes(address: &str) -> Vec<Attr> {
    let family = if address.contains(':') {
        AF_INET6
    } else {
        AF_INET
    };
    vec![
        bytes(1, &sixteen(address)),
        big(2, 8080),
        attribute(3, 2_u32),
        attribute(4, 0x0102_0304_u32),
        attribute(13, 1_u8),
        big(14, 6080),
        attribute(15, 2_u16),
        attribute(5, 2000_u32),
        attribute(6, 1500_u32),
        attribute(7, 70_001_u32),
        attribute(8, 70_002_u32),
        attribute(9, 70_003_u32),
        attribute(11, family),
        stats(),
        stats64(),
    ]
}

fn daemon_attributes(group: Attr) -> Vec<Attr> {
    vec![
        attribute(1, 2_u32),
        bytes(2, b"eth0.100\0"),
        attribute(3, 200_u32),
        attribute(4, 1400_u16),
        attribute(7, 8849_u16),
        attribute(8, 3_u8),
        group,
    ]
}

/// A kernel whose one answer is this.
fn answering(datagram: Vec<u8>) -> Script {
    Script::new([Step::Sent, Step::Received(vec![datagram])])
}

/// A kernel whose list is this one item.
fn listing(item: Vec<u8>) -> Script {
    Script::new([Step::Sent, Step::Received(vec![item, wire::done(0)])])
}

fn get_service(attributes: Vec<Attr>) -> Result<ServiceState> {
    let reply = wire::data(0, NEW_SERVICE, [nest(1, attributes)]);
    answering(reply).client().service(&tcp())
}

fn list_server(of: ServiceId, attributes: Vec<Attr>) -> Result<Vec<ServerState>> {
    let item = wire::item(0, NEW_DEST, [nest(2, attributes)]);
    listing(item).client().servers(&of)
}

fn state(address: &str) -> ServerState {
    ServerState {
        server: server(address),
        active: 70_001,
        inactive: 70_002,
        persistent: 70_003,
        stats: wide(),
    }
}

/// Without the attributes of these kinds.
fn without(attributes: Vec<Attr>, kinds: &[u16]) -> Vec<Attr> {
    let mut attributes = attributes;
    attributes.retain(|attribute| !kinds.contains(attribute.nla_type().nla_type()));
    attributes
}

#[test]
fn services() {
    for id in [tcp(), udp6(), mark(Family::V4), mark(Family::V6)] {
        let service = service(id);
        let state = ServiceState {
            service,
            stats: wide(),
        };
        let attributes = service_attributes(&service);
        assert_eq!(get_service(attributes.clone()).unwrap(), state);
        let item = wire::item(0, NEW_SERVICE, [nest(1, attributes)]);
        assert_eq!(listing(item).client().services().unwrap(), [state]);
    }
}

#[test]
fn a_service_needs_all_but_counters_and_engine() {
    let whole = || service_attributes(&service(tcp()));
    let state = get_service(without(whole(), &[12])).unwrap();
    assert_eq!(state.stats, narrow());
    let state = get_service(without(whole(), &[10, 11, 12])).unwrap();
    assert_eq!(state.stats, Stats::default());
    assert_eq!(state.service, plain_service(tcp()));
    for kind in [1, 2, 3, 4, 6, 7, 8, 9] {
        let error = get_service(without(whole(), &[kind])).unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{kind}: {error:?}");
    }
}

#[test]
fn servers() {
    for (of, address) in [(tcp(), "10.1.2.3"), (udp6(), "fd00::3"), (tcp(), "fd00::3")] {
        let servers = list_server(of, server_attributes(address)).unwrap();
        assert_eq!(servers, [state(address)]);
    }
}

#[test]
fn a_server_of_an_older_kernel() {
    // No family before 3.18, no wide counters before 4.1, no tunnels before 5.3.
    let old = |address| without(server_attributes(address), &[11, 12, 13, 14, 15]);
    for (of, address) in [(tcp(), "10.1.2.3"), (udp6(), "fd00::3")] {
        let mut expected = state(address);
        expected.server.tunnel = Tunnel::IPIP;
        expected.stats = narrow();
        assert_eq!(list_server(of, old(address)).unwrap(), [expected]);
    }
    for kind in [1, 2, 3, 4, 5, 6] {
        let error = list_server(tcp(), without(server_attributes("10.1.2.3"), &[kind]));
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{kind}: {error:?}");
    }
}

#[test]
fn every_forwarding_and_tunnel() {
    let with = |kind: u16, attribute: Attr| {
        let mut attributes = without(server_attributes("10.1.2.3"), &[kind]);
        attributes.push(attribute);
        list_server(tcp(), attributes).unwrap()[0].server
    };
    for (number, forwarding) in [
        (0_u32, Forwarding::Masquerade),
        (1, Forwarding::Local),
        (2, Forwarding::Tunnel),
        (3, Forwarding::DirectRouting),
        (4, Forwarding::Bypass),
        (5, Forwarding::Unknown(5)),
        // The bits above say other things.
        (0x103, Forwarding::DirectRouting),
    ] {
        assert_eq!(with(3, attribute(3, number)).forwarding, forwarding);
    }
    for (number, kind) in [
        (0_u8, TunnelKind::Ipip),
        (1, TunnelKind::Gue),
        (2, TunnelKind::Gre),
        (3, TunnelKind::Unknown(3)),
    ] {
        assert_eq!(with(13, attribute(13, number)).tunnel.kind, kind);
    }
}

#[test]
fn daemons() {
    let group6: std::net::Ipv6Addr = "ff02::81".parse().unwrap();
    for (group, attribute) in [
        ("224.0.0.99", bytes(5, &[224, 0, 0, 99])),
        ("ff02::81", bytes(6, &group6.octets())),
    ] {
        let item = wire::item(0, NEW_DAEMON, [nest(3, daemon_attributes(attribute))]);
        assert_eq!(listing(item).client().daemons().unwrap(), [daemon(group)]);
    }
    let old = daemon_attributes(bytes(5, &[224, 0, 0, 99]));
    let old = without(old, &[4, 5, 7, 8]);
    let item = wire::item(0, NEW_DAEMON, [nest(3, old)]);
    assert_eq!(listing(item).client().daemons().unwrap(), [plain_daemon()]);
}

#[test]
fn timeouts_and_info() {
    let timeouts = [
        attribute(4, 900_u32),
        attribute(5, 0_u32),
        attribute(6, 0x0001_0203_u32),
    ];
    let reply = wire::data(0, SET_CONFIG, timeouts);
    assert_eq!(answering(reply).client().timeouts().unwrap(), TIMEOUTS);

    let info = [attribute(1, 0x01_02_01_u32), attribute(2, 1_u32 << 20)];
    let reply = wire::data(0, SET_INFO, info);
    let expected = Info {
        version: 0x01_02_01,
        connection_table_size: 1 << 20,
    };
    assert_eq!(answering(reply).client().info().unwrap(), expected);
}

#[test]
fn names_up_to_nul_or_the_end() {
    for (text, name) in [
        (&b"wlc\0"[..], &b"wlc"[..]),
        (b"wlc", b"wlc"),
        (b"wlc\0rest", b"wlc"),
        (b"", b""),
        (b"\0", b""),
        (b"abcdefghijklmnopqrstuvw\0", b"abcdefghijklmno"),
    ] {
        let mut attributes = without(service_attributes(&service(tcp())), &[6]);
        attributes.push(bytes(6, text));
        let state = get_service(attributes).unwrap();
        assert_eq!(state.service.scheduler.as_bytes(), name);
    }
}

#[test]
fn what_is_not_known_is_passed_over() {
    let unknown = || {
        [
            bytes(200, b"something of tomorrow"),
            nest(201, [attribute(1, 1_u32)]),
            bytes(0x3fff, &[]),
        ]
    };
    let mut attributes = service_attributes(&service(udp6()));
    attributes.extend(unknown());
    let top = unknown().into_iter().chain([nest(1, attributes)]);
    let reply = wire::data(0, NEW_SERVICE, top);
    let reported = answering(reply).client().service(&udp6()).unwrap();
    assert_eq!(reported.service, service(udp6()));

    let mut attributes = server_attributes("fd00::3");
    attributes.extend(unknown());
    let servers = list_server(udp6(), attributes).unwrap();
    assert_eq!(servers, [state("fd00::3")]);
}

#[test]
fn values_of_the_wrong_length_are_errors() {
    for kind in [1, 2, 3, 4, 5, 7, 8, 9] {
        for length in [0, 1, 3, 5, 15, 17] {
            let mut attributes = service_attributes(&service(tcp()));
            attributes.push(bytes(kind, &vec![1; length]));
            let error = get_service(attributes).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{kind}: {error:?}");
        }
    }
    for kind in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15] {
        for length in [0, 3, 5, 15, 17] {
            let mut attributes = server_attributes("10.1.2.3");
            attributes.push(bytes(kind, &vec![1; length]));
            let error = list_server(tcp(), attributes).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{kind}: {error:?}");
        }
    }
    for kind in [1, 3, 4, 5, 6, 7, 8] {
        for length in [0, 3, 5, 15, 17] {
            let mut attributes = daemon_attributes(bytes(5, &[224, 0, 0, 1]));
            attributes.push(bytes(kind, &vec![1; length]));
            let item = wire::item(0, NEW_DAEMON, [nest(3, attributes)]);
            let error = listing(item).client().daemons().unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{kind}: {error:?}");
        }
    }
    let counters = nest(12, [bytes(1, &[0; 5])]);
    let mut attributes = without(service_attributes(&service(tcp())), &[12]);
    attributes.push(counters);
    get_service(attributes).unwrap_err();
}

#[test]
fn numbers_that_mean_nothing_are_errors() {
    let mut attributes = service_attributes(&service(tcp()));
    attributes.push(attribute(1, 7_u16));
    get_service(attributes).unwrap_err();
    let mut attributes = server_attributes("10.1.2.3");
    attributes.push(attribute(11, 0_u16));
    list_server(tcp(), attributes).unwrap_err();
    let mut attributes = daemon_attributes(bytes(5, &[224, 0, 0, 1]));
    attributes.push(attribute(1, 3_u32));
    let item = wire::item(0, NEW_DAEMON, [nest(3, attributes)]);
    listing(item).client().daemons().unwrap_err();
}

/// Every reply cut off at every length, once with the message's own length left as it was and
/// once made to fit, is an error or, where whole attributes are gone, what is left.
#[test]
fn nothing_breaks_where_a_reply_breaks_off() {
    let answers = [
        wire::data(
            0,
            NEW_SERVICE,
            [nest(1, service_attributes(&service(udp6())))],
        ),
        wire::data(0, NEW_DEST, [nest(2, server_attributes("fd00::3"))]),
        wire::data(
            0,
            NEW_DAEMON,
            [nest(3, daemon_attributes(bytes(5, &[224, 0, 0, 1])))],
        ),
        wire::data(0, SET_CONFIG, [attribute(4, 1_u32), attribute(5, 1_u32)]),
        wire::info(0),
        wire::verdict(0, 3),
        wire::done(0),
    ];
    for answer in answers {
        for length in 0..=answer.len() {
            let cut = answer[..length].to_vec();
            everything_about(cut.clone());
            if let Some(field) = cut.clone().first_chunk::<4>() {
                assert_eq!(u32::from_ne_bytes(*field) as usize, answer.len());
                let mut fitting = cut;
                fitting[..4].copy_from_slice(&(length as u32).to_ne_bytes());
                everything_about(fitting);
            }
        }
        // And every byte of it wrong, one at a time.
        for place in 0..answer.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut wrong = answer.clone();
                wrong[place] = value;
                everything_about(wrong);
            }
        }
    }
}

/// Every question, answered by this and then by silence.
fn everything_about(datagram: Vec<u8>) {
    let client = || {
        let script = Script::new([
            Step::Sent,
            Step::Received(vec![datagram.clone()]),
            Step::Fails(libc::EAGAIN),
        ]);
        script.client()
    };
    let _ = client().service(&udp6());
    let _ = client().services();
    let _ = client().daemons();
    let _ = client().timeouts();
    let _ = client().info();
    let _ = client().apply(&ipvsadm::kernel::Change::Flush);
    let script = Script::new([
        Step::Sent,
        Step::Received(vec![datagram.clone(), wire::done(0)]),
        Step::Sent,
        Step::Received(vec![wire::verdict(0, 3)]),
    ]);
    let _ = script.client().servers(&udp6());
}
