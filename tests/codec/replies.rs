//! Every reply: how it is decoded, including missing, additional and truncated parts.

use ipvsadm::kernel::{Error, Result};
use ipvsadm::model::*;

use crate::said::{self, narrow, wide};
use crate::script::{Script, Step};
use crate::values::*;
use crate::wire::{self, Attr, attribute, bytes, nest};

const NEW_SERVICE: u8 = 1;
const NEW_DEST: u8 = 5;
const NEW_DAEMON: u8 = 9;
const SET_CONFIG: u8 = 12;
const SET_INFO: u8 = 14;

fn server_attributes(address: &str) -> Vec<Attr> {
    said::server(&state(address))
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

/// A kernel with this single answer.
fn answering(datagram: Vec<u8>) -> Script {
    Script::new([Step::Sent, Step::Received(vec![datagram])])
}

/// A kernel whose list has only this item.
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

/// Leaves out the attributes of these kinds.
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
        let attributes = said::service(&service);
        assert_eq!(get_service(attributes.clone()).unwrap(), state);
        let item = wire::item(0, NEW_SERVICE, [nest(1, attributes)]);
        assert_eq!(listing(item).client().services().unwrap(), [state]);
    }
}

#[test]
fn a_service_needs_all_but_counters_and_engine() {
    let whole = || said::service(&service(tcp()));
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
    // There is no family before 3.18, no wide counters before 4.1, and no tunnels before 5.3.
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
        // The higher bits have other meanings.
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
        (b"abcdefghijklmnopqrstuvw\0", b"abcdefghijklmno"),
    ] {
        let mut attributes = without(said::service(&service(tcp())), &[6]);
        attributes.push(bytes(6, text));
        let state = get_service(attributes).unwrap();
        assert_eq!(state.service.scheduler.as_bytes(), name);
    }
    let mut attributes = without(said::service(&service(tcp())), &[6]);
    attributes.push(bytes(6, b"\0"));
    get_service(attributes).unwrap_err();
}

#[test]
fn unknown_attributes_are_skipped() {
    let unknown = || {
        [
            bytes(200, b"something of tomorrow"),
            nest(201, [attribute(1, 1_u32)]),
            bytes(0x3fff, &[]),
        ]
    };
    let mut attributes = said::service(&service(udp6()));
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
            let mut attributes = said::service(&service(tcp()));
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
    let mut attributes = without(said::service(&service(tcp())), &[12]);
    attributes.push(counters);
    get_service(attributes).unwrap_err();
}

#[test]
fn unknown_numbers_are_errors() {
    let mut attributes = said::service(&service(tcp()));
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

/// Every reply truncated at every length, with the message's length field unchanged or adjusted, is
/// an error or, if whole attributes are missing, the rest.
#[test]
fn truncated_or_changed_replies_do_no_harm() {
    let answers = [
        wire::data(0, NEW_SERVICE, [nest(1, said::service(&service(udp6())))]),
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
        // Then every byte of it changed, one at a time.
        for place in 0..answer.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut wrong = answer.clone();
                wrong[place] = value;
                everything_about(wrong);
            }
        }
    }
}

/// Every request, with this answer and then silence.
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
    let _ = client().apply(&ipvsadm::model::Change::Flush);
    let script = Script::new([
        Step::Sent,
        Step::Received(vec![datagram.clone(), wire::done(0)]),
        Step::Sent,
        Step::Received(vec![wire::verdict(0, 3)]),
    ]);
    let _ = script.client().servers(&udp6());
}
