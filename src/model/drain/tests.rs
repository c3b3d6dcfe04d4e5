use std::net::SocketAddr;

use proptest::prelude::*;

use super::left::is_at;
use super::*;
use crate::model::{Connection, Flags, Forwarding, Protocol, ServiceState, Stats};

const KEEPING: Tuning = Tuning {
    expire_quiescent_template: Some(0),
    expire_nodest_conn: Some(0),
    conn_reuse_mode: Some(1),
};

fn entry(service: Service, weights: &[i32]) -> Entry {
    let states = (1..).zip(weights).map(|(host, &weight)| {
        let address = SocketAddr::from(([10, 0, 0, host], 80));
        let server = Server {
            weight,
            forwarding: Forwarding::Masquerade,
            upper_threshold: 9,
            ..Server::new(address)
        };
        ServerState {
            active: 2,
            inactive: 1,
            persistent: 0,
            stats: Stats::default(),
            server,
        }
    });
    Entry {
        service: ServiceState {
            service,
            stats: Stats::default(),
        },
        servers: states.collect(),
    }
}

fn service(text: &str, scheduler: &str) -> Service {
    Service {
        scheduler: scheduler.parse().unwrap(),
        ..Service::new(text.parse().unwrap())
    }
}

fn host(number: u8) -> Host {
    Host {
        address: [10, 0, 0, number].into(),
        port: None,
    }
}

fn drained(table: &[Entry], number: u8) -> Plan {
    plan(table, &places(table, None, host(number)), &KEEPING)
}

fn weight(table: &[Entry], number: usize, weight: i32) -> Change {
    let entry = &table[0];
    let server = entry.servers[number].server;
    Change::EditServer(entry.service.service.id, Server { weight, ..server })
}

#[test]
fn a_drain_changes_the_weight_alone() {
    let table = [entry(service("-t 192.0.2.1:80", "rr"), &[5, 1])];
    let plan = drained(&table, 1);
    assert_eq!(plan.changes, [weight(&table, 0, 0)]);
    assert_eq!(plan.undo, [weight(&table, 0, 5)]);
    assert_eq!(plan.notes, []);
}

#[test]
fn what_is_drained_is_not_drained_again() {
    let table = [entry(service("-t 192.0.2.1:80", "sh"), &[0, 1])];
    let plan = drained(&table, 1);
    assert_eq!((plan.changes, plan.undo), (Vec::new(), Vec::new()));
    let [note] = plan.notes[..] else {
        panic!("{:?}", plan.notes)
    };
    assert_eq!(
        note.to_string(),
        "-t 192.0.2.1:80 -r 10.0.0.1:80: the weight is 0 already"
    );
}

#[test]
fn hashes_pass_over_the_server_until_the_undo() {
    for scheduler in ["sh", "mh"] {
        let before = service("-t 192.0.2.1:80", scheduler);
        let meanwhile = Service {
            flags: Flags::SCHEDULER_1,
            ..before
        };
        let table = [entry(before, &[5, 1])];
        let plan = drained(&table, 1);
        let flagged = Change::EditService(meanwhile);
        assert_eq!(plan.changes, [flagged, weight(&table, 0, 0)]);
        let unflagged = Change::EditService(before);
        assert_eq!(plan.undo, [weight(&table, 0, 5), unflagged]);
        assert_eq!(plan.services, [(before, meanwhile)]);
        // The service does not change if the flag is already set, or if no other server is left.
        assert_eq!(drained(&[entry(meanwhile, &[5, 1])], 1).changes.len(), 1);
        assert_eq!(drained(&[entry(before, &[5, 0])], 1).changes.len(), 1);
    }
}

#[test]
fn notes_say_who_is_refused_and_who_comes_back() {
    let notes = |service, weights: &[i32]| {
        let plan = drained(&[entry(service, weights)], 1);
        plan.notes
    };
    let web = service("-t 192.0.2.1:80", "rr");
    assert_eq!(notes(web, &[1, 0]), [Note::Last(web.id)]);
    let dh = service("-t 192.0.2.1:80", "dh");
    assert_eq!(notes(dh, &[1, 1]), [Note::Refuses(dh.id)]);
    let sticky = Service {
        persistence: Some(60),
        ..web
    };
    assert_eq!(notes(sticky, &[1, 1]), [Note::Persistent(web.id)]);
    let table = [entry(sticky, &[1, 1])];
    let expiring = Tuning {
        expire_quiescent_template: Some(1),
        ..KEEPING
    };
    let plan = plan(&table, &places(&table, None, host(1)), &expiring);
    assert_eq!(plan.notes, []);
}

#[test]
fn a_server_is_deleted_at_once_where_waiting_refuses_clients() {
    let web = service("-t 192.0.2.1:80", "rr");
    let dh = service("-t 192.0.2.2:80", "dh");
    let wide = service("-t 192.0.2.1:0", "rr");
    let server = |service: Service, host: u8| {
        let address = SocketAddr::from(([10, 0, 0, host], 80));
        Change::DeleteServer(service.id, address.into())
    };
    let table = [entry(web, &[1, 1]), entry(dh, &[1, 1])];
    let both = [server(web, 1), server(dh, 1)];
    let found = deletions(&table, &both);
    assert_eq!(found.later, [server(web, 1)]);
    let [at_once] = found.at_once[..] else {
        panic!("{found:?}")
    };
    assert_eq!((at_once.change, at_once.connections), (server(dh, 1), 3));
    assert_eq!(
        at_once.to_string(),
        "deleted without waiting, since dh would refuse connections meanwhile; \
         3 connections are cut"
    );
    // Nothing is gained with the last server, or with one that is already drained.
    for weights in [&[1, 0], &[0, 1]] {
        let found = deletions(&[entry(dh, weights)], &[server(dh, 1)]);
        assert_eq!(found.at_once, []);
    }
    let all = [server(dh, 1), server(dh, 2)];
    assert_eq!(deletions(&[entry(dh, &[1, 1])], &all).at_once, []);

    // A service that hides a wider one.
    let change = Change::DeleteService(web.id);
    let table = [entry(wide, &[1]), entry(web, &[1, 1])];
    let found = deletions(&table, &[change]);
    let [at_once] = found.at_once[..] else {
        panic!("{found:?}")
    };
    assert_eq!((at_once.wider, at_once.connections), (Some(wide.id), 6));
    assert!(
        at_once
            .to_string()
            .contains("-t 192.0.2.1:0 takes its traffic")
    );
    // A wider service takes nothing over if it is deleted too, has no usable server or has another
    // protocol.
    let both = [change, Change::DeleteService(wide.id)];
    assert_eq!(deletions(&table, &both).at_once, []);
    let table = [entry(wide, &[0]), entry(web, &[1, 1])];
    let found = deletions(&table, &[change]);
    assert_eq!((found.at_once.len(), found.places.len()), (0, 2));
    let other = service("-u 192.0.2.1:0", "rr");
    let table = [entry(other, &[1]), entry(web, &[1, 1])];
    assert_eq!(deletions(&table, &[change]).at_once, []);
}

fn connection(state: &str) -> Connection<'_> {
    Connection {
        protocol: b"TCP",
        client: ([198, 51, 100, 2], 1024).into(),
        virtual_service: ([192, 0, 2, 1], 80).into(),
        server: ([10, 0, 0, 1], 8080).into(),
        state: state.as_bytes(),
        expires: 60,
        engine: None,
    }
}

#[test]
fn what_has_not_ended_is_counted_by_state() {
    let place = (
        "-t 192.0.2.1:80".parse().unwrap(),
        "10.0.0.1:8080".parse().unwrap(),
    );
    let left = |active, inactive, states: &[&str]| {
        let mut tally = Tally::new(vec![Remaining {
            place,
            active,
            inactive,
        }]);
        for state in states {
            tally.add(&connection(state));
        }
        tally.left().to_string()
    };
    let states = [
        "ESTABLISHED",
        "SYN_RECV",
        "CLOSE_WAIT",
        "FIN_WAIT",
        "TIME_WAIT",
        "CLOSE",
        "NONE",
    ];
    assert_eq!(
        left(2, 9, &states),
        "3 connections (1 CLOSE_WAIT, 1 ESTABLISHED, 1 SYN_RECV)"
    );
    // Without the table, or while it changes, the states are not known.
    assert_eq!(left(2, 9, &[]), "2 connections (2 active)");
    // Connections of another service at the same server, as there may be with marks.
    assert_eq!(left(0, 0, &states), "no connections");
    let mut tally = Tally::new(vec![Remaining {
        place,
        active: 1,
        inactive: 1,
    }]);
    tally.add(&Connection {
        client: ([198, 51, 100, 2], 0).into(),
        ..connection("ESTABLISHED")
    });
    assert_eq!(tally.left().to_string(), "1 connection (1 active)");
}

#[test]
fn connections_are_counted_for_every_kind_of_service() {
    for service in ["-t 192.0.2.1:80", "-t 192.0.2.1:0", "-f 7"] {
        let servers = ["10.0.0.2:8080", "10.0.0.1:8080"].map(|server| Remaining {
            place: (service.parse().unwrap(), server.parse().unwrap()),
            active: 1,
            inactive: 0,
        });
        let mut tally = Tally::new(servers.to_vec());
        tally.add(&connection("SYN_RECV"));
        let left = tally.left().to_string();
        assert_eq!(left, "2 connections (1 SYN_RECV, 1 active)", "{service}");
    }
}

#[test]
fn connections_are_known_by_service_and_server() {
    let is_at = |service: &str, server: &str| {
        let place = (service.parse().unwrap(), server.parse().unwrap());
        is_at(&place, &connection("SYN_RECV"))
    };
    assert!(is_at("-t 192.0.2.1:80", "10.0.0.1:8080"));
    assert!(is_at("-t 192.0.2.1:0", "10.0.0.1:0"));
    assert!(is_at("-f 7", "10.0.0.1:0"));
    assert!(!is_at("-t 192.0.2.1:80", "10.0.0.1:80"));
    assert!(!is_at("-t 192.0.2.1:80", "10.0.0.2:8080"));
    assert!(!is_at("-t 192.0.2.2:80", "10.0.0.1:8080"));
    assert!(!is_at("-u 192.0.2.1:80", "10.0.0.1:8080"));
}

#[test]
fn progress_says_what_is_left_and_for_how_long() {
    let mut left = Left::default();
    left.add(b"ESTABLISHED", 2);
    left.add(b"SYN_RECV", 1);
    let progress = Progress {
        left: &left,
        first: 8,
        elapsed: 2,
        remaining: 58,
        idle: Some(900),
    };
    assert_eq!(
        progress.to_string(),
        "3 connections (2 ESTABLISHED, 1 SYN_RECV) left, 2.5 a second end; \
         idle ones end within 900 s; waiting 58 s more"
    );
    assert_eq!(Left::default().to_string(), "no connections");
    left = Left::default();
    left.add(b"UDP", 1);
    assert_eq!(left.to_string(), "1 connection (1 UDP)");
}

#[test]
fn a_rest_has_its_likely_reasons() {
    let mut left = Left::default();
    left.add(b"ESTABLISHED", 2);
    let reusing = Tuning {
        conn_reuse_mode: Some(0),
        ..KEEPING
    };
    let rest = |left: &Left, first| Rest {
        left: left.clone(),
        first,
    };
    assert_eq!(rest(&left, 2).reasons(&KEEPING), [""; 0]);
    assert_eq!(rest(&left, 3).reasons(&reusing), [""; 0]);
    assert!(rest(&left, 2).reasons(&reusing)[0].contains("conn_reuse_mode"));
    left.add(b"UDP", 1);
    assert!(rest(&left, 9).reasons(&KEEPING)[0].contains("UDP"));
    assert!(left.may_be_idle());
    let cutting = Tuning {
        expire_nodest_conn: Some(1),
        ..KEEPING
    };
    assert!(fate(&cutting).starts_with("cut"));
    assert!(fate(&KEEPING).contains("dropped until they time out"));
}

fn any_table() -> impl Strategy<Value = Vec<Entry>> {
    let scheduler = prop::sample::select(vec!["rr", "sh", "mh", "dh"]);
    let weights = prop::collection::vec(0..3i32, 0..5);
    let entry = (scheduler, any::<bool>(), weights).prop_map(|(scheduler, falls_back, weights)| {
        let mut service = service("-t 192.0.2.1:80", scheduler);
        if falls_back {
            service.flags = Flags::SCHEDULER_1;
        }
        entry(service, &weights)
    });
    prop::collection::vec(entry, 1..4).prop_map(|mut table| {
        for (port, entry) in (80..).zip(&mut table) {
            let address = SocketAddr::from(([192, 0, 2, 1], port));
            entry.service.service.id = ServiceId::address(Protocol::TCP, address);
        }
        table
    })
}

/// Makes the changes as the kernel would.
fn carry_out(table: &mut [Entry], changes: &[Change]) {
    for change in changes {
        for entry in table.iter_mut() {
            let id = entry.service.service.id;
            match *change {
                Change::EditService(service) if service.id == id => {
                    entry.service.service = service;
                }
                Change::EditServer(at, server) if at == id => {
                    let mut servers = entry.servers.iter_mut();
                    let state = servers.find(|state| state.server.id == server.id);
                    state.expect("it is there").server = server;
                }
                Change::EditService(_) | Change::EditServer(..) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    /// A drain sets weight 0, and no hash scheduler refuses clients while another server could
    /// take them. Undoing drains of several hosts, in any order, restores the table.
    #[test]
    fn an_undo_leads_back(table in any_table(), hosts in prop::collection::vec(1u8..6, 1..4)) {
        let mut now = table.clone();
        let mut undo = Vec::new();
        for &number in &hosts {
            let plan = drained(&now, number);
            carry_out(&mut now, &plan.changes);
            undo.extend(plan.undo);
            let again = drained(&now, number);
            prop_assert!(again.changes.is_empty() && again.undo.is_empty());
        }
        for (entry, before) in now.iter().zip(&table) {
            let falls_back = entry.service.service.flags.has(Flags::SCHEDULER_1);
            let was_drained = entry.servers != before.servers
                && entry.servers.iter().any(|state| state.server.weight > 0);
            let hashes = falling_back(&before.service.service).is_some();
            prop_assert!(!(was_drained && hashes) || falls_back);
            let drained = |state: &&ServerState| hosts.iter().any(|n| host(*n).is(&state.server.id));
            prop_assert!(entry.servers.iter().filter(drained).all(|state| state.server.weight == 0));
        }
        carry_out(&mut now, &undo);
        prop_assert_eq!(now, table);
    }
}
