//! Every request: its contents, and nothing else.

use ipvsadm::model::Change;
use ipvsadm::model::*;

use crate::said;
use crate::script::{FAMILY, Script, Step};
use crate::values::*;
use crate::wire::{self, Fields, Request};

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;

/// The request that the client sends for a change, whatever its values.
fn sent_for(change: &Change) -> Request {
    let script = Script::new([Step::Sent, Step::Received(vec![wire::verdict(0, 0)])]);
    script.client().put_back(change).unwrap();
    only(&script)
}

fn only(script: &Script) -> Request {
    assert!(script.is_over());
    let mut requests = wire::requests(&script.sent());
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn expect(request: &Request, flags: u16, command: u8) {
    assert_eq!(request.family, FAMILY);
    assert_eq!(request.flags, REQUEST | flags);
    assert_eq!((request.command, request.version), (command, 1));
}

/// The attributes of the nests in a request.
fn nests<const N: usize>(request: &Request, kinds: [u16; N]) -> [Fields; N] {
    let found: Vec<u16> = request.attributes.keys().copied().collect();
    assert_eq!(found, kinds);
    kinds.map(|kind| wire::inside(&request.attributes[&kind]))
}

fn fields<const N: usize>(fields: [(u16, &[u8]); N]) -> Fields {
    fields
        .into_iter()
        .map(|(kind, value)| (kind, value.to_vec()))
        .collect()
}

const SERVICE: u16 = 1;
const DEST: u16 = 2;
const DAEMON: u16 = 3;

const AF_INET: [u8; 2] = 2_u16.to_ne_bytes();
const AF_INET6: [u8; 2] = 10_u16.to_ne_bytes();

const V4: [u8; 16] = [10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const V6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];

fn tcp_key() -> Fields {
    fields([
        (1, &AF_INET),
        (2, &6_u16.to_ne_bytes()),
        (3, &V4),
        (4, &[443_u16.to_be_bytes()].concat()),
    ])
}

#[test]
fn whole_services() {
    let settings = |mask: &[u8]| {
        let flags = [0x11_u32.to_ne_bytes(), [0xff; 4]].concat();
        fields([
            (6, b"sh\0"),
            (7, &flags),
            (8, &360_u32.to_ne_bytes()),
            (9, mask),
            (11, b"sip\0"),
        ])
    };
    let mask = [255, 255, 240, 0];
    let prefix = 64_u32.to_ne_bytes();
    let mark_key = |family: &[u8]| fields([(1, family), (5, &0xfedc_ba98_u32.to_ne_bytes())]);
    let udp6_key = fields([
        (1, &AF_INET6),
        (2, &17_u16.to_ne_bytes()),
        (3, &V6),
        (4, &[0, 53]),
    ]);
    let cases = [
        (tcp(), tcp_key(), &mask),
        (udp6(), udp6_key, &prefix),
        (mark(Family::V4), mark_key(&AF_INET), &mask),
        (mark(Family::V6), mark_key(&AF_INET6), &prefix),
    ];
    for (id, key, mask) in cases {
        let service = service(id);
        for (change, command) in [
            (Change::AddService(service), 1),
            (Change::EditService(service), 2),
        ] {
            let request = sent_for(&change);
            expect(&request, ACK, command);
            let [nest] = nests(&request, [SERVICE]);
            let mut expected = key.clone();
            expected.extend(settings(mask));
            assert_eq!(nest, expected);
        }
        for (change, command) in [(Change::DeleteService(id), 3), (Change::Zero(Some(id)), 16)] {
            let request = sent_for(&change);
            expect(&request, ACK, command);
            let [nest] = nests(&request, [SERVICE]);
            assert_eq!(nest, key);
        }
    }
}

#[test]
fn a_service_without_an_engine_names_none() {
    let request = sent_for(&Change::EditService(plain_service(tcp())));
    let [nest] = nests(&request, [SERVICE]);
    assert_eq!(nest.get(&11), None);
}

#[test]
fn a_service_as_it_was_read_can_be_added() {
    let told = wire::data(0, 1, [wire::nest(SERVICE, said::service(&service(tcp())))]);
    let script = Script::new([Step::Sent, Step::Received(vec![told])]);
    let read = script.client().service(&tcp()).unwrap().service;
    let request = sent_for(&Change::AddService(read));
    let [nest] = nests(&request, [SERVICE]);
    assert_eq!(nest[&7][..4], 0x11_u32.to_ne_bytes());
}

#[test]
fn names_of_every_length_end_in_nul() {
    for length in 1..=16 {
        let name = &b"abcdefghijklmnop"[..length];
        let service = Service {
            scheduler: Name::new(&name[..length.min(15)]).unwrap(),
            engine: Name::new(name),
            ..service(tcp())
        };
        let request = sent_for(&Change::AddService(service));
        let [nest] = nests(&request, [SERVICE]);
        let with_nul = |name: &[u8]| [name, b"\0"].concat();
        assert_eq!(nest[&6], with_nul(&name[..length.min(15)]));
        assert_eq!(nest[&11], with_nul(name));
    }
}

#[test]
fn whole_servers() {
    let key = |address: &[u8], family: &[u8]| {
        fields([(1, address), (2, &8080_u16.to_be_bytes()), (11, family)])
    };
    let settings = fields([
        (3, &2_u32.to_ne_bytes()),
        (4, &0x0102_0304_u32.to_ne_bytes()),
        (5, &2000_u32.to_ne_bytes()),
        (6, &1500_u32.to_ne_bytes()),
        (13, &[1]),
        (14, &6080_u16.to_be_bytes()),
        (15, &2_u16.to_ne_bytes()),
    ]);
    for (address, key) in [
        ("10.1.2.3", key(&V4, &AF_INET)),
        ("2001:db8::1:2", key(&V6, &AF_INET6)),
    ] {
        let (id, server) = (tcp(), server(address));
        for (change, command) in [
            (Change::AddServer(id, server), 5),
            (Change::EditServer(id, server), 6),
        ] {
            let request = sent_for(&change);
            expect(&request, ACK, command);
            let mut expected = key.clone();
            expected.extend(settings.clone());
            assert_eq!(nests(&request, [SERVICE, DEST]), [tcp_key(), expected]);
        }
        let request = sent_for(&Change::DeleteServer(id, server.id));
        expect(&request, ACK, 7);
        assert_eq!(nests(&request, [SERVICE, DEST]), [tcp_key(), key]);
    }
}

#[test]
fn every_forwarding_and_tunnel() {
    let forwardings = [
        (Forwarding::Masquerade, 0_u32),
        (Forwarding::Local, 1),
        (Forwarding::Tunnel, 2),
        (Forwarding::DirectRouting, 3),
        (Forwarding::Bypass, 4),
        (Forwarding::Unknown(7), 7),
    ];
    for (forwarding, number) in forwardings {
        let server = Server {
            forwarding,
            ..server("10.1.2.3")
        };
        let request = sent_for(&Change::AddServer(tcp(), server));
        let [_, nest] = nests(&request, [SERVICE, DEST]);
        assert_eq!(nest[&3], number.to_ne_bytes());
    }
    let kinds = [
        (TunnelKind::Ipip, 0),
        (TunnelKind::Gue, 1),
        (TunnelKind::Gre, 2),
        (TunnelKind::Unknown(255), 255),
    ];
    for (kind, number) in kinds {
        let mut server = server("10.1.2.3");
        server.tunnel.kind = kind;
        let request = sent_for(&Change::AddServer(tcp(), server));
        let [_, nest] = nests(&request, [SERVICE, DEST]);
        assert_eq!(nest[&13], [number]);
    }
}

#[test]
fn daemons() {
    let group6: std::net::Ipv6Addr = "ff02::81".parse().unwrap();
    for (group, (kind, value)) in [
        ("224.0.0.99", (5, &[224, 0, 0, 99][..])),
        ("ff02::81", (6, &group6.octets()[..])),
    ] {
        let request = sent_for(&Change::StartDaemon(daemon(group)));
        expect(&request, ACK, 9);
        let expected = fields([
            (1, &2_u32.to_ne_bytes()),
            (2, b"eth0.100\0"),
            (3, &200_u32.to_ne_bytes()),
            (4, &1400_u16.to_ne_bytes()),
            (kind, value),
            (7, &8849_u16.to_ne_bytes()),
            (8, &[3]),
        ]);
        assert_eq!(nests(&request, [DAEMON]), [expected]);
    }
    let master = Daemon {
        role: DaemonRole::Master,
        ..plain_daemon()
    };
    let request = sent_for(&Change::StartDaemon(master));
    let expected = fields([
        (1, &1_u32.to_ne_bytes()),
        (2, b"eth0.100\0"),
        (3, &200_u32.to_ne_bytes()),
    ]);
    assert_eq!(nests(&request, [DAEMON]), [expected]);
}

#[test]
fn a_daemon_is_stopped_with_a_question_behind_it() {
    let script = Script::new([
        Step::Sent,
        Step::Received(vec![wire::verdict(u32::MAX, 0), wire::info(0)]),
    ]);
    script.client().stop_daemon(DaemonRole::Master).unwrap();
    let requests = wire::requests(&script.sent());
    let [stop, question] = &requests[..] else {
        panic!("{requests:?}");
    };
    expect(stop, ACK, 10);
    let state = fields([(1, &1_u32.to_ne_bytes())]);
    assert_eq!(nests(stop, [DAEMON]), [state]);
    expect(question, 0, 15);
    assert_eq!(question.sequence, stop.sequence + 1);
}

#[test]
fn changes_of_everything() {
    for (change, command) in [(Change::Flush, 17), (Change::Zero(None), 16)] {
        let request = sent_for(&change);
        expect(&request, ACK, command);
        assert_eq!(request.attributes, Fields::new());
    }
    let request = sent_for(&Change::SetTimeouts(TIMEOUTS));
    expect(&request, ACK, 12);
    let expected = fields([
        (4, &900_u32.to_ne_bytes()),
        (5, &[0; 4]),
        (6, &0x0001_0203_u32.to_ne_bytes()),
    ]);
    assert_eq!(request.attributes, expected);
}

#[test]
fn questions() {
    let refused = || Script::new([Step::Sent, Step::Received(vec![wire::verdict(0, 3)])]);
    let script = refused();
    script.client().service(&tcp()).unwrap_err();
    let request = only(&script);
    expect(&request, 0, 4);
    assert_eq!(nests(&request, [SERVICE]), [tcp_key()]);

    let script = refused();
    script.client().services().unwrap_err();
    expect(&only(&script), DUMP, 4);

    let script = refused();
    script.client().servers(&tcp()).unwrap_err();
    let request = only(&script);
    expect(&request, DUMP, 8);
    assert_eq!(nests(&request, [SERVICE]), [tcp_key()]);

    let script = refused();
    script.client().daemons().unwrap_err();
    expect(&only(&script), DUMP, 11);

    let script = refused();
    script.client().timeouts().unwrap_err();
    expect(&only(&script), 0, 13);

    let script = refused();
    script.client().info().unwrap_err();
    expect(&only(&script), 0, 15);
}

#[test]
fn the_family_is_asked_for_by_name() {
    let script = Script::new(crate::script::opening());
    script.clone().open().unwrap();
    let asked = script.asked();
    let crate::script::Asked::Sent(sent) = &asked[0] else {
        panic!("{asked:?}");
    };
    let [request] = &wire::requests(sent)[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((request.family, request.command), (16, 3));
    assert_eq!(request.attributes, fields([(2, b"IPVS\0")]));
}
