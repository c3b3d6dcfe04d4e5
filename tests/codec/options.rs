//! The old socket options, which are used where netlink is refused.

use ipvsadm::kernel::{Batch, Client, Error, Refusal};
use ipvsadm::model::*;

use crate::said::{self, narrow, numbers};
use crate::script::{Asked, Script, Step, opening};
use crate::values::*;
use crate::wire;

/// A kernel as seen from a user namespace.
fn restricted(steps: impl IntoIterator<Item = Step>) -> (Script, Client) {
    let mut beginning = opening();
    beginning[3] = Step::Received(vec![wire::verdict(0, libc::EPERM)]);
    let mut script = Script::new(beginning);
    script.old_options = true;
    script.then([info(0)]);
    let client = script.clone().open().expect("a right to the old options");
    script.then(steps);
    (script, client)
}

fn info(services: u32) -> Step {
    Step::Option(numbers([0x01_02_01, 4096, services]))
}

/// The option that the client sets for a change.
fn set_for(change: &Change) -> (i32, Vec<u8>) {
    let (script, mut client) = restricted([Step::OptionSet]);
    client.apply(change).unwrap();
    match script.asked().pop() {
        Some(Asked::Set(option, value)) => (option, value),
        asked => panic!("{asked:?}"),
    }
}

fn only_key() -> Vec<u8> {
    let mut service = said::old_key(tcp());
    service.resize(44, 0);
    service
}

#[test]
fn changes() {
    let (id, service, server) = (tcp(), plain_service(tcp()), plain_server("10.9.8.7"));
    let started = plain_daemon();
    let mut server_key = said::old_server(&server);
    server_key[8..].fill(0);
    let mut daemon = numbers([2]);
    daemon.extend(b"eth0.100\0\0\0\0\0\0\0\0");
    daemon.extend(numbers([200]));
    let cases = [
        (
            Change::AddService(service),
            1154,
            said::old_service(&service),
        ),
        (
            Change::EditService(service),
            1155,
            said::old_service(&service),
        ),
        (Change::DeleteService(id), 1156, only_key()),
        (Change::Flush, 1157, vec![]),
        (
            Change::AddServer(id, server),
            1159,
            [only_key(), said::old_server(&server)].concat(),
        ),
        (
            Change::DeleteServer(id, server.id),
            1160,
            [only_key(), server_key].concat(),
        ),
        (
            Change::EditServer(id, server),
            1161,
            [only_key(), said::old_server(&server)].concat(),
        ),
        (
            Change::SetTimeouts(TIMEOUTS),
            1162,
            numbers([900, 0, 0x0001_0203]),
        ),
        (Change::StartDaemon(started), 1163, daemon),
        (
            Change::StopDaemon(DaemonRole::Master),
            1164,
            numbers([1, 0, 0, 0, 0, 0]),
        ),
        (Change::Zero(Some(id)), 1167, only_key()),
        (Change::Zero(None), 1167, vec![0; 44]),
    ];
    for (change, option, value) in cases {
        assert_eq!(set_for(&change), (option, value), "{change:?}");
    }
}

#[test]
fn a_mark_is_kept_as_tcp() {
    let (_, value) = set_for(&Change::DeleteService(mark(Family::V4)));
    let mut expected = vec![0; 44];
    expected[..2].copy_from_slice(&6_u16.to_ne_bytes());
    expected[12..16].copy_from_slice(&0xfedc_ba98_u32.to_ne_bytes());
    assert_eq!(value, expected);
}

#[test]
fn unsupported_settings_are_refused() {
    let (id, id6, mark6) = (tcp(), udp6(), mark(Family::V6));
    let tunnelled = server("10.9.8.7");
    let server6 = plain_server("fd00::3");
    for change in [
        Change::AddService(service(id)),
        Change::AddService(plain_service(id6)),
        Change::DeleteService(mark6),
        Change::EditServer(id, tunnelled),
        Change::EditServer(id, server6),
        Change::DeleteServer(id, server6.id),
        Change::StartDaemon(daemon("224.0.0.99")),
    ] {
        let (script, mut client) = restricted([]);
        let error = client.apply(&change).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Refused(Refusal {
                    errno: libc::EPERM,
                    ..
                })
            ),
            "{change:?}"
        );
        assert!(!script.asked().iter().any(|a| matches!(a, Asked::Set(..))));
    }
}

fn service_entry(servers: usize) -> Vec<u8> {
    said::old_service_entry(&plain_service(tcp()), servers)
}

fn service_state() -> ServiceState {
    ServiceState {
        service: plain_service(tcp()),
        stats: narrow(),
    }
}

fn server_state() -> ServerState {
    ServerState {
        server: plain_server("10.9.8.7"),
        active: 70_001,
        inactive: 70_002,
        persistent: 70_003,
        stats: narrow(),
    }
}

#[test]
fn questions() {
    let services = [numbers([2, 0]), service_entry(3), service_entry(0)].concat();
    let (_, mut client) = restricted([info(2), Step::Option(services)]);
    assert_eq!(client.services().unwrap(), [service_state(); 2]);

    let (_, mut client) = restricted([Step::Option(service_entry(3))]);
    assert_eq!(client.service(&tcp()).unwrap(), service_state());

    let count = Step::Option(service_entry(2));
    let servers = Step::Option(
        [
            vec![0; 24],
            said::old_server_entry(&server_state()),
            said::old_server_entry(&server_state()),
        ]
        .concat(),
    );
    let (_, mut client) = restricted([count, servers]);
    assert_eq!(client.servers(&tcp()).unwrap(), [server_state(); 2]);

    let (_, mut client) = restricted([Step::Option(numbers([900, 0, 0x0001_0203]))]);
    assert_eq!(client.timeouts().unwrap(), TIMEOUTS);

    let mut daemons = numbers([0, 0, 0, 0, 0, 0, 2]);
    daemons.extend(b"eth0.100\0rubbish");
    daemons.extend(numbers([200]));
    let (_, mut client) = restricted([Step::Option(daemons)]);
    assert_eq!(client.daemons().unwrap(), [plain_daemon()]);
}

#[test]
fn more_services_than_were_counted() {
    let many = |count: usize| {
        let mut services = vec![0; 8];
        for _ in 0..count {
            services.extend(service_entry(0));
        }
        Step::Option(services)
    };
    // The buffer for the counted services and four more is full, so there may be even more.
    let (script, mut client) = restricted([info(1), many(5), many(8)]);
    assert_eq!(client.services().unwrap().len(), 8);
    let Some(Asked::Get(1154, value)) = script.asked().pop() else {
        panic!();
    };
    assert_eq!(value.len(), 8 + 10 * 104);
    assert_eq!(value[..4], 10_u32.to_ne_bytes());
}

#[test]
fn a_daemon_that_stops_before_it_ran_has_stopped() {
    let (script, mut client) = restricted([Step::Fails(libc::EINTR)]);
    client.stop_daemon(DaemonRole::Master).unwrap();
    assert!(script.is_over());
}

#[test]
fn interrupted_calls_are_retried() {
    let (script, mut client) = restricted([Step::Fails(libc::EINTR), Step::OptionSet]);
    client.flush().unwrap();
    assert!(script.is_over());
    let timeouts = Step::Option(numbers([900, 0, 0x0001_0203]));
    let (script, mut client) = restricted([Step::Fails(libc::EINTR), timeouts]);
    client.timeouts().unwrap();
    assert!(script.is_over());
}

#[test]
fn refusals_keep_their_number() {
    for errno in [libc::EEXIST, libc::ESRCH, libc::ENOENT, libc::ENOMEM] {
        let (_, mut client) = restricted([Step::Fails(errno), Step::Fails(errno)]);
        let add = client.add_service(&plain_service(tcp())).unwrap_err();
        assert!(matches!(add, Error::Refused(refusal) if refusal.errno == errno));
        let get = client.service(&tcp()).unwrap_err();
        assert!(matches!(get, Error::Refused(refusal) if refusal.errno == errno));
    }
}

#[test]
fn a_batch_is_sent_one_by_one() {
    let (_, client) = restricted([Step::OptionSet, Step::Fails(libc::EEXIST), Step::OptionSet]);
    let mut refused = Vec::new();
    let mut note = |tag, refusal: Refusal| refused.push((tag, refusal.errno));
    let mut batch = Batch::new(client).unwrap();
    for tag in 1..=3 {
        batch.push(tag, &Change::Flush, &mut note).unwrap();
    }
    batch.send(&mut note).unwrap();
    assert_eq!(refused, [(2, libc::EEXIST)]);
}

#[test]
fn without_privileges_the_error_is_netlinks() {
    let mut beginning = opening();
    beginning[3] = Step::Received(vec![wire::verdict(0, libc::EPERM)]);
    for errno in [libc::EPERM, libc::ENOPROTOOPT] {
        let mut script = Script::new(beginning.clone());
        script.old_options = true;
        script.then([Step::Fails(errno)]);
        let error = script.open().err();
        assert!(matches!(
            error,
            Some(Error::Refused(Refusal {
                errno: libc::EPERM,
                ..
            }))
        ));
    }
}

#[test]
fn an_absurd_count() {
    let (script, mut client) = restricted([info(u32::MAX), Step::Option(vec![0; 8])]);
    assert_eq!(client.services().unwrap(), []);
    let Some(Asked::Get(_, value)) = script.asked().pop() else {
        panic!("{:?}", script.asked());
    };
    assert!(value.len() < 16 << 20, "{} bytes of room", value.len());
}

#[test]
fn a_number_of_servers_that_keeps_changing() {
    let servers = |count| Step::Option(said::old_service_entry(&plain_service(tcp()), count));
    let (script, mut client) = restricted([servers(1)]);
    for count in 2..12 {
        script.then([Step::Option(vec![0; 24]), servers(count)]);
    }
    let error = client.servers(&tcp()).unwrap_err();
    assert!(matches!(error, Error::NoAnswer), "{error:?}");
    assert!(script.is_over());
}
