//! Facts for tests.

use super::super::facts::{Facts, Passing};
use super::examine;
use crate::kernel::{Link, Route};
use crate::model::{
    Entry, Forwarding, Protocol, Server, ServerState, Service, ServiceState, Stats,
};

fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        is_up: true,
        is_multicast: true,
        is_loopback: name == "lo",
        has_neighbours: name != "lo",
        mtu: 1500,
        ethernet: None,
        wants_checksums: false,
        kind: String::new(),
    }
}

/// A host where nothing is wrong.
pub fn host() -> Facts {
    let mut facts = Facts {
        has_ipvs: true,
        links: vec![link(1, "lo"), link(2, "eth0")],
        ..Facts::default()
    };
    for (name, value) in [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.eth0.forwarding", "1"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv4.conf.all.arp_ignore", "1"),
        ("net.ipv4.conf.all.arp_announce", "2"),
        ("net.ipv4.vs.conn_reuse_mode", "1"),
        ("net.ipv4.vs.expire_nodest_conn", "0"),
        ("net.ipv4.vs.sync_threshold", "3\t50"),
        ("net.ipv4.vs.backup_only", "0"),
    ] {
        facts.sysctls.insert(name.to_owned(), value.to_owned());
    }
    facts
}

/// A director for 192.0.2.1:80, with the servers 10.0.0.1, 10.0.0.2 and so on by NAT.
pub fn director(scheduler: &str, weights: &[i32]) -> Facts {
    let mut facts = host();
    let service = Service {
        scheduler: scheduler.parse().unwrap(),
        ..Service::tcp("192.0.2.1:80".parse().unwrap())
    };
    let here = |is_local| {
        Some(Route {
            is_local,
            device: 2,
            gateway: None,
            mtu: None,
        })
    };
    facts.routes.insert([192, 0, 2, 1].into(), here(true));
    let mut servers = Vec::new();
    for (number, &weight) in (1..).zip(weights) {
        facts.routes.insert([10, 0, 0, number].into(), here(false));
        servers.push(ServerState {
            server: Server {
                weight,
                forwarding: Forwarding::Masquerade,
                ..Server::new(([10, 0, 0, number], 80))
            },
            active: 0,
            inactive: 0,
            persistent: 0,
            stats: Stats::default(),
        });
    }
    let service = ServiceState {
        service,
        stats: Stats {
            in_packets: 1,
            ..Stats::default()
        },
    };
    facts.table = Some(vec![Entry { service, servers }]);
    facts
}

/// A half-open connection from a client to the first server.
pub fn half_open(client: &str) -> Passing {
    Passing {
        protocol: Protocol::TCP,
        client: client.parse().unwrap(),
        service: "192.0.2.1:80".parse().unwrap(),
        server: "10.0.0.1:80".parse().unwrap(),
        is_half_open: true,
        is_established: false,
        age: Some(5),
        expires: 55,
    }
}

pub fn established(client: &str) -> Passing {
    Passing {
        is_half_open: false,
        is_established: true,
        age: None,
        expires: 900,
        ..half_open(client)
    }
}

/// The findings, one per line, with the commands that fix them.
pub fn found(facts: &Facts) -> String {
    let lines = examine(facts).into_iter().map(|finding| {
        let fix = finding.fix.iter().map(|fix| format!(": {fix}"));
        let fix: String = fix.collect();
        format!("{} {}{fix}", finding.level.word(), finding.name)
    });
    lines.collect::<Vec<_>>().join("\n")
}
