//! Findings about the table itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::{Check, Found, Level};
use crate::doctor::facts::{Facts, Named};
use crate::model::drain::{TurnsAway, turns_away};
use crate::model::terms::{NO_SCHEDULER, names_of_flags};
use crate::model::{Entry, Family, Mask, ServerId, ServerState, Service, ServiceId};

pub const CHECKS: &[Check] = &[
    Check {
        name: "no-ipvs",
        why: "Without the module ip_vs the kernel balances nothing.",
        judge: no_ipvs,
    },
    Check {
        name: "empty-table",
        why: "\
            Without services nothing is balanced. Each network namespace has its own table, so the \
            services may be in another one: see --netns.",
        judge: empty_table,
    },
    Check {
        name: "no-service",
        why: "Packets to an address and port without a service are not balanced.",
        judge: no_service,
    },
    Check {
        name: "no-scheduler",
        why: "A service without a scheduler refuses new connections.",
        judge: no_scheduler,
    },
    Check {
        name: "all-full",
        why: "\
            A server that has reached its upper threshold gets no new connections, and a service \
            whose servers are all full refuses clients.",
        judge: all_full,
    },
    Check {
        name: "hash-weight-0",
        why: "\
            The schedulers dh, sh and mh map some clients to a server of weight 0 and refuse them, \
            unless sh and mh have their fallback flag.",
        judge: hash_weight_0,
    },
    Check {
        name: "shadowed",
        why: "\
            A service for one port takes that port from the service for all ports, even if it has \
            no server that takes connections.",
        judge: shadowed,
    },
    Check {
        name: "one-server",
        why: "\
            Persistence sends all clients that look the same to one server: those in one network, \
            depending on the mask, and those behind one NAT router.",
        judge: one_server,
    },
    Check {
        name: "no-packets",
        why: "\
            The counters of the service are 0, so IPVS has seen no packet for it: packets are lost \
            on the way to this host, or go to another address, port or protocol.",
        judge: no_packets,
    },
    Check {
        name: "no-live-server",
        why: "\
            A service without servers, or with weight 0 for all of them, refuses new connections. \
            A drain, keepalived's inhibit_on_failure and Kubernetes do this on purpose.",
        judge: no_live_server,
    },
    Check {
        name: "names-moved",
        why: "\
            Names in a file are looked up when it is restored, and the table keeps the addresses \
            of that time. Now these names stand for other addresses.",
        judge: names_moved,
    },
];

fn no_ipvs(facts: &Facts) -> Vec<Found> {
    if facts.has_ipvs || facts.real_server.is_some() {
        return Vec::new();
    }
    vec![Found {
        level: Level::Certain,
        what: "the kernel has no IPVS".to_owned(),
        evidence: vec![("/proc/net/ip_vs".to_owned(), "missing".to_owned())],
        fix: vec!["modprobe ip_vs".to_owned()],
    }]
}

fn empty_table(facts: &Facts) -> Vec<Found> {
    let Some([]) = facts.table.as_deref() else {
        return Vec::new();
    };
    vec![Found {
        level: Level::Hint,
        what: "there are no services in this network namespace".to_owned(),
        evidence: vec![("ipvsadm -Ln".to_owned(), "0 services".to_owned())],
        fix: Vec::new(),
    }]
}

/// The service to look at does not exist. This is only a hint if one for all ports takes its
/// packets.
fn no_service(facts: &Facts) -> Vec<Found> {
    let (Some(id), Some(table)) = (facts.service, &facts.table) else {
        return Vec::new();
    };
    let has = |id| table.iter().any(|entry| entry.service.service.id == id);
    if has(id) {
        return Vec::new();
    }
    let wide = all_ports(id).filter(|&wide| has(wide));
    // Perhaps another port or protocol of the address was meant.
    let is_near = |entry: &&Entry| {
        let near = address(entry.service.service.id);
        near.is_some() && near == address(id)
    };
    let near = table.iter().find(is_near);
    let but = near.map_or(String::new(), |entry| {
        format!(", but {}", entry.service.service.id)
    });
    vec![Found {
        level: if wide.is_some() {
            Level::Hint
        } else {
            Level::Certain
        },
        what: wide.map_or_else(
            || format!("there is no service {id}"),
            |wide| format!("there is no service {id}; {wide} takes its packets"),
        ),
        evidence: vec![("ipvsadm -Ln".to_owned(), format!("no {id}{but}"))],
        fix: Vec::new(),
    }]
}

/// The address of a service, unless it is for a mark.
fn address(id: ServiceId) -> Option<IpAddr> {
    match id {
        ServiceId::Address { address, .. } => Some(address),
        ServiceId::Mark { .. } => None,
    }
}

fn live(entry: &Entry) -> usize {
    let servers = entry.servers.iter();
    servers.filter(|state| state.server.weight > 0).count()
}

fn no_scheduler(facts: &Facts) -> Vec<Found> {
    let without = facts
        .entries()
        .filter(|entry| entry.service.service.scheduler.as_bytes() == NO_SCHEDULER.as_bytes());
    without
        .map(|entry| {
            let id = entry.service.service.id;
            Found {
                level: Level::Certain,
                what: format!("{id} has no scheduler"),
                evidence: vec![(format!("ipvsadm -Ln {id}"), NO_SCHEDULER.to_owned())],
                fix: vec![format!("ipvsadm -E {id} --keep -s {}", Service::SCHEDULER)],
            }
        })
        .collect()
}

fn connections(state: &ServerState) -> u32 {
    state.active.saturating_add(state.inactive)
}

/// The limit of a server that has reached it.
fn limit(state: &ServerState) -> Option<u32> {
    let connections = connections(state);
    let limit = state.server.upper_threshold;
    (limit > 0 && connections >= limit).then_some(limit)
}

fn all_full(facts: &Facts) -> Vec<Found> {
    let full = facts.entries().filter(|entry| {
        let mut servers = entry.servers.iter();
        let takes_more = |state: &ServerState| state.server.is_usable() && limit(state).is_none();
        live(entry) > 0 && !servers.any(takes_more)
    });
    full.map(|entry| {
        let id = entry.service.service.id;
        let servers = entry.servers.iter();
        let full: Vec<_> = servers
            .filter_map(|state| Some((state.server.id, limit(state)?)))
            .collect();
        Found {
            level: Level::Certain,
            what: format!("all servers of {id} have reached their upper thresholds"),
            evidence: full
                .iter()
                .map(|(server, limit)| (format!("ipvsadm -Ln {id} -r {server}"), limit.to_string()))
                .collect(),
            fix: full
                .iter()
                .map(|(server, _)| format!("ipvsadm -e {id} -r {server} --keep -x 0"))
                .collect(),
        }
    })
    .collect()
}

fn hash_weight_0(facts: &Facts) -> Vec<Found> {
    let refuses = |entry: &&Entry| {
        let refuses = match turns_away(&entry.service.service) {
            Some(TurnsAway::Always) => true,
            Some(TurnsAway::Without(_)) => !facts.is_brief,
            None => false,
        };
        refuses && (1..entry.servers.len()).contains(&live(entry))
    };
    facts.entries().filter(refuses).map(hashes_to_0).collect()
}

fn hashes_to_0(entry: &Entry) -> Found {
    let service = &entry.service.service;
    let (id, scheduler) = (service.id, service.scheduler.to_string());
    let idle = entry
        .servers
        .iter()
        .filter(|state| state.server.weight == 0);
    let idle: Vec<String> = idle.map(|state| state.server.id.to_string()).collect();
    let fix = if let Some(TurnsAway::Without(flag)) = turns_away(service) {
        let kept = names_of_flags(service.scheduler.as_bytes(), service.flags);
        let kept: String = kept.map(|flag| format!(",{flag}")).collect();
        vec![format!("ipvsadm -E {id} --keep -b {}{kept}", flag.word)]
    } else {
        let idle = idle.iter();
        idle.map(|server| format!("ipvsadm -d {id} -r {server}"))
            .collect()
    };
    Found {
        level: Level::Certain,
        what: format!("{id} refuses the clients that {scheduler} sends to servers of weight 0"),
        evidence: idle
            .into_iter()
            .map(|server| (server, "weight 0".to_owned()))
            .collect(),
        fix,
    }
}

fn shadowed(facts: &Facts) -> Vec<Found> {
    let idle = facts.entries().filter(|entry| live(entry) == 0);
    let hidden = idle.filter_map(|entry| {
        let id = entry.service.service.id;
        let wide = all_ports(id)?;
        let is_live = |other: &Entry| other.service.service.id == wide && live(other) > 0;
        facts
            .table
            .iter()
            .flatten()
            .any(is_live)
            .then_some((id, wide))
    });
    hidden
        .map(|(id, wide)| Found {
            level: Level::Likely,
            what: format!(
                "{id} has no server that takes connections, and takes its port from {wide}"
            ),
            evidence: vec![(format!("ipvsadm -Ln {id}"), "no weight above 0".to_owned())],
            fix: vec![format!("ipvsadm -D {id}")],
        })
        .collect()
}

/// The service for all ports that this one takes a port from.
fn all_ports(id: ServiceId) -> Option<ServiceId> {
    match id {
        ServiceId::Address {
            protocol,
            address,
            port,
        } if port != 0 => Some(ServiceId::Address {
            protocol,
            address,
            port: 0,
        }),
        _ => None,
    }
}

fn names_moved(facts: &Facts) -> Vec<Found> {
    let Some(table) = &facts.table else {
        return Vec::new();
    };
    let known: HashMap<ServiceId, HashSet<ServerId>> = table
        .iter()
        .map(|entry| {
            let servers = entry.servers.iter().map(|state| state.server.id);
            (entry.service.service.id, servers.collect())
        })
        .collect();
    let is_known = |named: &Named| match (known.get(&named.service), named.server) {
        (Some(servers), Some(server)) => servers.contains(&server),
        (Some(_), None) => true,
        (None, _) => false,
    };
    let moved = facts.named.iter().filter(|named| !is_known(named));
    moved
        .map(|named| {
            let Named { file, line, .. } = named;
            let server = named.server.map(|server| format!(" -r {server}"));
            let server = server.unwrap_or_default();
            Found {
                level: Level::Likely,
                what: format!("names in {file} now mean addresses that the table does not have"),
                evidence: vec![(
                    format!("line {line} of {file}"),
                    format!("{}{server}", named.service),
                )],
                fix: vec![format!("ipvsadm --apply --keep {file}")],
            }
        })
        .collect()
}

/// This many connections are not all at one server by chance.
const MANY: u32 = 50;

fn one_server(facts: &Facts) -> Vec<Found> {
    let persistent = facts
        .entries()
        .filter(|entry| entry.service.service.persistence.is_some() && live(entry) > 1);
    let leaning = persistent.filter_map(|entry| {
        let servers = entry.servers.iter();
        let mut busy = servers.filter(|state| connections(state) > 0);
        let (only, None) = (busy.next()?, busy.next()) else {
            return None;
        };
        (connections(only) >= MANY).then_some((entry, only))
    });
    leaning
        .map(|(entry, only)| {
            let service = &entry.service.service;
            let (id, server) = (service.id, only.server.id);
            let whole = match id.family() {
                Family::V4 => "255.255.255.255",
                Family::V6 => "128",
            };
            Found {
                level: Level::Hint,
                what: format!("persistence sends all clients of {id} to {server}"),
                evidence: vec![(
                    format!("ipvsadm -Ln {id}"),
                    format!("{} connections, all at {server}", connections(only)),
                )],
                fix: if service.mask == Mask::whole(id.family()) {
                    Vec::new()
                } else {
                    vec![format!("ipvsadm -E {id} --keep -M {whole}")]
                },
            }
        })
        .collect()
}

/// Some services rarely get packets, so only the service to look at is judged.
fn no_packets(facts: &Facts) -> Vec<Found> {
    if facts.service.is_none() || facts.is_brief {
        return Vec::new();
    }
    let silent = facts
        .entries()
        .filter(|entry| entry.service.stats.in_packets == 0 && live(entry) > 0);
    silent
        .map(|entry| {
            let id = entry.service.service.id;
            Found {
                level: Level::Hint,
                what: format!("no packet for {id} has arrived"),
                evidence: vec![(format!("ipvsadm -Ln {id} --stats"), "0 packets".to_owned())],
                fix: Vec::new(),
            }
        })
        .collect()
}

fn no_live_server(facts: &Facts) -> Vec<Found> {
    let idle = facts.entries().filter(|entry| live(entry) == 0);
    idle.map(|entry| {
        let id = entry.service.service.id;
        let servers = match entry.servers.len() {
            0 => "no servers".to_owned(),
            count => format!("all of {count} weights are 0"),
        };
        Found {
            level: Level::Hint,
            what: "services have no server that takes connections".to_owned(),
            evidence: vec![(format!("ipvsadm -Ln {id}"), servers)],
            fix: Vec::new(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::doctor::facts::Named;
    use crate::model::{Mask, ServerId};

    #[test]
    fn a_table_is_needed() {
        let mut facts = director("rr", &[1]);
        assert_eq!(found(&facts), "");
        facts.table = Some(Vec::new());
        assert_eq!(found(&facts), "hint empty-table");
        facts.table = None;
        assert_eq!(found(&facts), "", "not seen");
        facts.has_ipvs = false;
        assert_eq!(found(&facts), "certain no-ipvs: modprobe ip_vs");
    }

    #[test]
    fn the_service_to_look_at_must_exist() {
        let mut facts = director("rr", &[1]);
        facts.service = Some("-t 192.0.2.1:80".parse().unwrap());
        assert_eq!(found(&facts), "");
        facts.service = Some("-t 192.0.2.1:81".parse().unwrap());
        assert_eq!(found(&facts), "certain no-service");
        let wide = &mut facts.table.as_mut().unwrap()[0].service.service.id;
        *wide = "-t 192.0.2.1:0".parse().unwrap();
        assert_eq!(found(&facts), "hint no-service");
    }

    #[test]
    fn a_missing_service_may_have_a_similar_one() {
        let mut facts = director("rr", &[1]);
        let mut evidence = |id: &str| {
            facts.service = Some(id.parse().unwrap());
            super::no_service(&facts).remove(0).evidence.remove(0).1
        };
        let near = "no -u 192.0.2.1:80, but -t 192.0.2.1:80";
        assert_eq!(evidence("-u 192.0.2.1:80"), near);
        assert_eq!(evidence("-t 192.0.2.2:80"), "no -t 192.0.2.2:80");
        assert_eq!(evidence("-f 1"), "no -f 1");
    }

    #[test]
    fn services_have_a_scheduler() {
        let fix = "certain no-scheduler: ipvsadm -E -t 192.0.2.1:80 --keep -s wlc";
        assert_eq!(found(&director("none", &[1])), fix);
    }

    #[test]
    fn full_servers_refuse_clients() {
        let mut facts = director("rr", &[1, 1]);
        let servers = &mut facts.table.as_mut().unwrap()[0].servers;
        (servers[0].active, servers[0].server.upper_threshold) = (2, 2);
        assert_eq!(found(&facts), "");
        let servers = &mut facts.table.as_mut().unwrap()[0].servers;
        servers[1].server.weight = 0;
        let fix = "ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 --keep -x 0";
        assert_eq!(found(&facts), format!("certain all-full: {fix}"));
    }

    #[test]
    fn hashing_to_weight_0_refuses_clients() {
        let fix = "certain hash-weight-0: ipvsadm -E -t 192.0.2.1:80 --keep -b sh-fallback";
        assert_eq!(found(&director("sh", &[1, 0])), fix);
        let mut facts = director("sh", &[1, 0]);
        facts.is_brief = true;
        assert_eq!(found(&facts), "", "its flags are not known");
        let fix = "certain hash-weight-0: ipvsadm -d -t 192.0.2.1:80 -r 10.0.0.2:80";
        assert_eq!(found(&director("dh", &[1, 0])), fix);
        assert_eq!(found(&director("wlc", &[1, 0])), "");
        assert_eq!(found(&director("sh", &[1, 1])), "");
    }

    #[test]
    fn a_service_without_live_servers_is_a_hint() {
        assert_eq!(found(&director("rr", &[0])), "hint no-live-server");
        assert_eq!(found(&director("rr", &[])), "hint no-live-server");
    }

    #[test]
    fn a_service_without_live_servers_hides_that_of_all_ports() {
        let mut facts = director("rr", &[0]);
        let wide = director("rr", &[1]).table.unwrap().remove(0);
        let mut wide_id = wide.clone();
        wide_id.service.service.id = "-t 192.0.2.1:0".parse().unwrap();
        facts.table.as_mut().unwrap().push(wide_id);
        let expected = "likely shadowed: ipvsadm -D -t 192.0.2.1:80\nhint no-live-server";
        assert_eq!(found(&facts), expected);
        facts.table.as_mut().unwrap()[1].service.service.id = "-t 192.0.2.2:0".parse().unwrap();
        facts
            .routes
            .insert([192, 0, 2, 2].into(), facts.routes[&[192, 0, 2, 1].into()]);
        assert_eq!(found(&facts), "hint no-live-server");
    }

    #[test]
    fn persistence_may_send_everybody_to_one_server() {
        let mut facts = director("rr", &[1, 1]);
        let entry = &mut facts.table.as_mut().unwrap()[0];
        entry.servers[0].inactive = 50;
        assert_eq!(found(&facts), "");
        let entry = &mut facts.table.as_mut().unwrap()[0];
        entry.service.service.persistence = Some(300);
        assert_eq!(found(&facts), "hint one-server");
        let entry = &mut facts.table.as_mut().unwrap()[0];
        entry.service.service.mask = Mask::V4([255, 255, 0, 0].into());
        let fix = "ipvsadm -E -t 192.0.2.1:80 --keep -M 255.255.255.255";
        assert_eq!(found(&facts), format!("hint one-server: {fix}"));
        let entry = &mut facts.table.as_mut().unwrap()[0];
        entry.servers[1].active = 1;
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn the_service_to_look_at_must_have_packets() {
        let mut facts = director("rr", &[1]);
        facts.service = Some("-t 192.0.2.1:80".parse().unwrap());
        facts.table.as_mut().unwrap()[0].service.stats.in_packets = 0;
        assert_eq!(found(&facts), "hint no-packets");
        facts.service = None;
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn names_must_match_the_table() {
        let mut facts = director("rr", &[1]);
        let named = |line, server: Option<[u8; 4]>| Named {
            file: "rules".to_owned(),
            line,
            service: "-t 192.0.2.1:80".parse().unwrap(),
            server: server.map(|address| ServerId::from((address, 80))),
        };
        facts.named = vec![named(1, None), named(2, Some([10, 0, 0, 1]))];
        assert_eq!(found(&facts), "");
        facts.named.push(named(3, Some([10, 0, 0, 2])));
        let fix = "ipvsadm --apply --keep rules";
        assert_eq!(found(&facts), format!("likely names-moved: {fix}"));
        facts.named.remove(2);
        facts.named[0].service = "-t 192.0.2.2:80".parse().unwrap();
        assert_eq!(found(&facts), format!("likely names-moved: {fix}"));
    }
}
