//! Listing a table, with and without concurrent changes.

use std::collections::HashSet;

use ipvsadm::kernel::{Detail, Error, Refusal};
use ipvsadm::model::*;

use crate::world::*;

/// Services of both families, some with servers.
fn mixed(ipv4: u32, ipv6: u32) -> Table {
    let ipv4 = (0..ipv4).map(|number| entry(v4(number), number % 3));
    let ipv6 = (0..ipv6).map(|number| entry(v6(number), number % 3));
    ipv4.chain(ipv6).collect()
}

fn world(table: Table) -> World {
    World {
        table,
        chunk: 80,
        old_options: true,
        uses: true,
        ..World::default()
    }
}

fn master() -> Daemon {
    Daemon::new(DaemonRole::Master, Name::new(b"eth0").unwrap(), 1)
}

fn ids(table: &[Entry]) -> HashSet<ServiceId> {
    let ids: HashSet<_> = table.iter().map(|entry| entry.service.service.id).collect();
    assert_eq!(ids.len(), table.len(), "a service came twice");
    ids
}

fn by_id(mut table: Table) -> Table {
    table.sort_by_key(|entry| format!("{:?}", entry.service.service.id));
    table
}

#[test]
fn a_whole_table_with_or_without_shortcuts() {
    for (ipv4, ipv6) in [
        (0, 0),
        (3, 0),
        (0, 3),
        (300, 0),
        (0, 300),
        (300, 1),
        (1, 300),
    ] {
        for (old_options, uses) in [(true, true), (true, false), (false, false)] {
            let table = mixed(ipv4, ipv6);
            let world = World {
                old_options,
                uses,
                ..world(table.clone())
            };
            let (mut client, _) = visit(world);
            let full = client.table(Detail::Full).unwrap();
            assert_eq!(by_id(full), by_id(table.clone()));
            let listed = client.table(Detail::Brief).unwrap();
            let listed = listed.iter().map(brief).collect();
            assert_eq!(by_id(listed), by_id(table.iter().map(brief).collect()));
        }
    }
}

#[test]
fn a_brief_one_of_ipv4_needs_no_list() {
    let world = World {
        daemons: vec![master()],
        ..world(mixed(300, 0))
    };
    let (mut client, world) = visit(world);
    let table = client.table(Detail::Brief).unwrap();
    assert_eq!(table, mixed(300, 0).iter().map(brief).collect::<Table>());
    assert_eq!(world.lock().lists, 0);
    // One query for each service with servers.
    assert_eq!(world.lock().questions, 200);
}

#[test]
fn a_full_one_of_ipv4_lists_services_once_and_servers_where_there_are_any() {
    let (mut client, world) = visit(world(mixed(300, 0)));
    let table = client.table(Detail::Full).unwrap();
    assert_eq!(by_id(table), by_id(mixed(300, 0)));
    assert_eq!(world.lock().lists, 1 + 200);
    assert_eq!(world.lock().questions, 0);
}

#[test]
fn a_large_full_one_of_ipv4_asks_for_each_service() {
    let services: Table = (0..10_001).map(|number| entry(v4(number), 0)).collect();
    let (mut client, world) = visit(world(services.clone()));
    let table = client.table(Detail::Full).unwrap();
    assert_eq!(by_id(table), by_id(services));
    assert_eq!(world.lock().lists, 0);
    assert_eq!(world.lock().questions, 10_001);
}

#[test]
fn counters_that_may_have_overflowed_are_read_again() {
    let (mut client, world) = visit(world(mixed(300, 0)));
    let table = client.table(Detail::Counters).unwrap();
    assert_eq!(by_id(table), by_id(mixed(300, 0)));
    assert_eq!(world.lock().lists, 200);
}

#[test]
fn settings_are_complete_without_tunnels() {
    let mut table = mixed(300, 0);
    let server = &mut table[8].servers[1].server;
    server.forwarding = Forwarding::Tunnel;
    server.tunnel.kind = TunnelKind::Gre;
    let (mut client, world) = visit(world(table.clone()));
    let told = client.table(Detail::Settings).unwrap();
    let told = told.iter().map(brief).collect();
    assert_eq!(by_id(told), by_id(table.iter().map(brief).collect()));
    // The services, and the servers of one of them.
    assert_eq!(world.lock().lists, 2);
}

#[test]
fn ipv6_services_are_listed_until_nothing_is_new() {
    let (mut client, world) = visit(world(mixed(300, 30)));
    client.table(Detail::Full).unwrap();
    // Their servers were not counted either.
    assert_eq!(world.lock().lists, 3 + 200 + 30);
}

#[test]
fn a_brief_one_names_the_engines_of_persistent_services() {
    let mut table = mixed(100, 0);
    table[7].service.service.persistence = Some(360);
    table[7].service.service.engine = Name::new(b"sip");
    let (mut client, _) = visit(world(table));
    let table = client.table(Detail::Brief).unwrap();
    assert_eq!(table[7].service.service.engine, Name::new(b"sip"));
}

#[test]
fn ipv6_servers_of_ipv4_services_are_listed_too() {
    let mut table = mixed(100, 0);
    table[8].servers[0].server.id.address = v6(1);
    for old_options in [true, false] {
        let world = World {
            old_options,
            ..world(table.clone())
        };
        let (mut client, _) = visit(world);
        for detail in [Detail::Brief, Detail::Full] {
            let listed = client.table(detail).unwrap();
            let servers = |table: &Table| -> Vec<ServerId> {
                let servers = table[8].servers.iter();
                servers.map(|state| state.server.id).collect()
            };
            assert_eq!(servers(&listed), servers(&table));
        }
    }
}

/// An IPv6 service stays while an IPv4 service comes and goes between the readings of two numbers
/// that are compared, so they are equal by chance.
#[test]
fn ipv6_services_are_not_hidden_by_others_that_come_and_go() {
    const SERVICES: i32 = 1154;
    // Once, seven out of eight times, at other times, and permanently.
    for is_gone in [
        |turn| turn == 2,
        |turn| turn % 3 == 2 && turn < 23,
        |turn| turn % 4 > 1,
        |turn| turn > 1,
    ] {
        let staying = mixed(300, 1);
        let (mut turn, comes_and_goes) = (0, entry(v4(1000), 0));
        let mut table = staying.clone();
        table.push(comes_and_goes.clone());
        let world = World {
            between: Some(Box::new(move |world, option| {
                if option == Some(SERVICES) {
                    turn = 0;
                }
                turn += 1;
                world.table.retain(|entry| entry != &comes_and_goes);
                if !is_gone(turn) {
                    world.table.push(comes_and_goes.clone());
                }
            })),
            ..world(table)
        };
        let (mut client, _) = visit(world);
        for detail in [Detail::Brief, Detail::Full] {
            let listed = ids(&client.table(detail).unwrap());
            assert!(listed.is_superset(&ids(&staying)), "{detail:?}");
        }
    }
}

#[test]
fn ipv6_services_are_not_hidden_by_a_daemon_that_stops() {
    const DAEMONS: i32 = 1159;
    let table = mixed(300, 1);
    let world = World {
        daemons: vec![master()],
        between: Some(Box::new(|world, option| {
            if option == Some(DAEMONS) {
                world.daemons.clear();
            }
        })),
        ..world(table.clone())
    };
    let (mut client, _) = visit(world);
    let listed = ids(&client.table(Detail::Brief).unwrap());
    assert!(listed.is_superset(&ids(&table)));
}

#[test]
fn services_that_are_gone_when_they_are_asked_for_are_left_out() {
    let table = mixed(300, 0);
    let doomed = table[7].service.service.id;
    let mut counted = 0;
    let world = World {
        between: Some(Box::new(move |world, option| {
            counted += usize::from(option == Some(1153));
            // The last reading before the services are requested.
            if counted == 9 {
                world
                    .table
                    .retain(|entry| entry.service.service.id != doomed);
            }
        })),
        ..world(table.clone())
    };
    let (mut client, _) = visit(world);
    let listed = ids(&client.table(Detail::Settings).unwrap());
    assert_eq!(listed.len(), 299);
    assert!(!listed.contains(&doomed));
}

/// Deletes services that a list has already sent, one at a time, which hides others.
fn deleter(mut doomed: Vec<ServiceId>) -> Option<Other> {
    Some(Box::new(move |table| {
        if let Some(id) = doomed.pop() {
            table.retain(|entry| entry.service.service.id != id);
        }
    }))
}

#[test]
fn deletions_hide_nothing_else() {
    for (ipv4, ipv6) in [(500, 0), (0, 500), (250, 250)] {
        for (old_options, uses) in [(true, true), (true, false), (false, false)] {
            let table = mixed(ipv4, ipv6);
            // The first ones are sent first.
            let (doomed, staying) = table.split_at(4);
            let doomed = ids(doomed).into_iter().collect();
            let world = World {
                old_options,
                uses,
                other: deleter(doomed),
                ..world(table.clone())
            };
            let (mut client, _) = visit(world);
            let listed = ids(&client.table(Detail::Full).unwrap());
            assert!(listed.is_superset(&ids(staying)));
            assert!(listed.is_subset(&ids(&table)));
        }
    }
}

#[test]
fn additions_do_no_harm() {
    let table = mixed(300, 300);
    let mut number = 1000;
    let world = World {
        uses: false,
        other: Some(Box::new(move |table| {
            number += 1;
            // Slower than the kernel sends them, otherwise a list would not end.
            if number % 3 == 0 {
                table.insert(0, entry(v6(number), 0));
                table.insert(0, entry(v4(number), 0));
            }
        })),
        ..world(table.clone())
    };
    // Every list has new ones, but reading still ends.
    let (mut client, _) = visit(world);
    for detail in [Detail::Brief, Detail::Full] {
        let listed = ids(&client.table(detail).unwrap());
        assert!(listed.is_superset(&ids(&table)));
    }
}

#[test]
fn services_gone_by_the_end_are_not_listed() {
    let table = mixed(0, 500);
    let doomed = table[..4].iter().map(|entry| entry.service.service.id);
    let doomed: Vec<_> = doomed.collect();
    let world = World {
        uses: false,
        other: deleter(doomed.clone()),
        ..world(table)
    };
    let (mut client, _) = visit(world);
    let listed = ids(&client.table(Detail::Full).unwrap());
    assert!(doomed.iter().all(|id| !listed.contains(id)));
}

#[test]
fn deleted_servers_hide_no_others() {
    for address in [v4(1), v6(1)] {
        for old_options in [true, false] {
            let table = vec![entry(address, 500)];
            let id = table[0].service.service.id;
            let mut doomed = 4;
            let world = World {
                old_options,
                other: Some(Box::new(move |table| {
                    if doomed > 0 {
                        table[0].servers.remove(0);
                        doomed -= 1;
                    }
                })),
                ..world(table.clone())
            };
            let (mut client, _) = visit(world);
            let listed = client.servers(&id).unwrap();
            for staying in &table[0].servers[4..] {
                assert!(listed.contains(staying));
            }
            let different: HashSet<_> = listed.iter().map(|state| state.server.id).collect();
            assert_eq!(different.len(), listed.len());
        }
    }
}

#[test]
fn a_missing_service_is_an_error() {
    for old_options in [true, false] {
        let world = World {
            old_options,
            ..world(mixed(3, 3))
        };
        let (mut client, _) = visit(world);
        for address in [v4(9), v6(9)] {
            let id = entry(address, 0).service.service.id;
            let error = client.servers(&id).unwrap_err();
            assert!(matches!(
                error,
                Error::Refused(Refusal {
                    errno: libc::ESRCH,
                    ..
                })
            ));
        }
        for address in [v4(0), v6(0)] {
            let id = entry(address, 0).service.service.id;
            assert_eq!(client.servers(&id).unwrap(), []);
        }
    }
}
