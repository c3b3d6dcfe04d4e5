//! Whether packets reach this host, and leave it for the servers.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Check, Found, Level, bits, setting};
use crate::doctor::facts::{Facts, of_device, service_address};
use crate::kernel::{Neighbour, NeighbourState};
use crate::model::Forwarding;

pub const CHECKS: &[Check] = &[
    Check {
        name: "vip-not-local",
        why: "\
            Only packets that the kernel delivers to this host reach IPVS, so the virtual address \
            must be an address of this host or have a route of the type local.",
        judge: vip_not_local,
    },
    Check {
        name: "duplicate-address",
        why: "Another host of the network has this IPv6 address, so the kernel does not use it.",
        judge: duplicate_address,
    },
    Check {
        name: "no-route",
        why: "Without a route to a server the director cannot send it anything.",
        judge: no_route,
    },
    Check {
        name: "dead-neighbour",
        why: "\
            The server does not tell its link-layer address, so no packet can be sent to it: it is \
            down, elsewhere or has another address.",
        judge: dead_neighbour,
    },
    Check {
        name: "behind-gateway",
        why: "\
            Direct routing changes nothing but the link-layer address, so a gateway on the way to \
            the server sends the packets back to the director.",
        judge: behind_gateway,
    },
    Check {
        name: "forwarding-off",
        why: "Replies of masqueraded servers pass through the director only if it forwards packets.",
        judge: forwarding_off,
    },
];

fn vip_not_local(facts: &Facts) -> Vec<Found> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for entry in facts.entries() {
        let Some(address) = service_address(entry) else {
            continue;
        };
        let Some(route) = facts.route(address) else {
            continue;
        };
        if !seen.insert(address) || route.is_some_and(|route| route.is_local) {
            continue;
        }
        // Where the address belongs to the network of a device, that device answers for it.
        let on_link = route.filter(|route| route.gateway.is_none());
        let device = on_link.map_or("lo", |route| facts.device(route.device));
        let leads = route.map_or("unreachable".to_owned(), |route| {
            format!("through {}", facts.device(route.device))
        });
        found.push(Found {
            level: if facts.may_stand_by() {
                Level::Hint
            } else {
                Level::Certain
            },
            what: format!("packets to {address} are not for this host"),
            evidence: vec![(format!("ip route get {address}"), leads)],
            mend: vec![format!(
                "ip addr add {address}/{} dev {device}",
                bits(address)
            )],
        });
    }
    found
}

fn duplicate_address(facts: &Facts) -> Vec<Found> {
    let duplicates = facts.addresses.iter().filter(|at| at.is_duplicate);
    let used = |address| {
        let mut entries = facts.entries();
        entries.any(|entry| service_address(entry) == Some(address))
    };
    duplicates
        .filter(|at| used(at.address))
        .map(|at| {
            let (address, bits, device) = (at.address, at.bits, facts.device(at.device));
            Found {
                level: Level::Certain,
                what: format!("another host has {address}"),
                evidence: vec![(format!("ip addr show dev {device}"), "dadfailed".to_owned())],
                mend: vec![
                    format!("ip addr del {address}/{bits} dev {device}"),
                    format!("ip addr add {address}/{bits} dev {device} nodad"),
                ],
            }
        })
        .collect()
}

fn no_route(facts: &Facts) -> Vec<Found> {
    let mut seen = HashSet::new();
    let servers = facts.live_servers();
    let addresses = servers.map(|(_, state)| state.server.id.address);
    let lost = addresses.filter(|&to| facts.route(to) == Some(None) && seen.insert(to));
    lost.map(|address| Found {
        level: Level::Certain,
        what: format!("no route leads to the server {address}"),
        evidence: vec![(format!("ip route get {address}"), "unreachable".to_owned())],
        mend: Vec::new(),
    })
    .collect()
}

fn dead_neighbour(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for (id, state) in facts.live_servers() {
        let server = state.server.id;
        let Some(Some(route)) = facts.route(server.address) else {
            continue;
        };
        let next = route.gateway.unwrap_or(server.address);
        let is_next = |at: &&Neighbour| at.address == next && at.device == route.device;
        let (level, word) = match facts.neighbours.iter().find(is_next).map(|at| at.state) {
            Some(NeighbourState::Failed) => (Level::Certain, "FAILED"),
            Some(NeighbourState::Incomplete) => (Level::Likely, "INCOMPLETE"),
            Some(NeighbourState::Other) | None => continue,
        };
        let device = facts.device(route.device);
        found.push(Found {
            level,
            what: format!("{next}, on the way to the server {server}, does not answer on {device}"),
            evidence: vec![(
                format!("ip neigh show {next} dev {device}"),
                word.to_owned(),
            )],
            mend: vec![format!("ipvsadm -e {id} -r {server} --keep -w 0")],
        });
    }
    found
}

fn behind_gateway(facts: &Facts) -> Vec<Found> {
    let direct = facts
        .live_servers()
        .filter(|(_, state)| state.server.forwarding == Forwarding::DirectRouting);
    direct
        .filter_map(|(id, state)| {
            let server = state.server.id;
            let gateway = facts.route(server.address)??.gateway?;
            Some(Found {
                level: Level::Certain,
                what: format!("the server {server} of {id} is behind the gateway {gateway}"),
                evidence: vec![(
                    format!("ip route get {}", server.address),
                    format!("via {gateway}"),
                )],
                mend: Vec::new(),
            })
        })
        .collect()
}

fn forwarding_off(facts: &Facts) -> Vec<Found> {
    let mut names = HashSet::new();
    let mut found = Vec::new();
    let masqueraded = facts
        .live_servers()
        .filter(|(_, state)| state.server.forwarding == Forwarding::Masquerade);
    for (_, state) in masqueraded {
        let address = state.server.id.address;
        let Some(Some(route)) = facts.route(address) else {
            continue;
        };
        if route.is_local {
            continue;
        }
        let device = facts.device(route.device);
        let wanted = match address {
            IpAddr::V4(_) if facts.sysctl("net.ipv4.ip_forward") == Some(0) => {
                "net.ipv4.ip_forward".to_owned()
            }
            IpAddr::V4(_) => of_device(device, "forwarding"),
            IpAddr::V6(_) => "net.ipv6.conf.all.forwarding".to_owned(),
        };
        if facts.sysctl(&wanted) == Some(0) && names.insert(wanted.clone()) {
            found.push(Found {
                level: Level::Certain,
                what: format!("{wanted} is off, so replies of masqueraded servers are dropped"),
                evidence: vec![setting(facts, &wanted)],
                mend: vec![format!("sysctl -w {wanted}=1")],
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::kernel::{Address, Neighbour, NeighbourState, Route};
    use crate::model::{Daemon, DaemonRole, Forwarding};

    const AWAY: Route = Route {
        is_local: false,
        gateway: None,
        device: 2,
    };

    #[test]
    fn the_virtual_address_must_be_local() {
        let mut facts = director("rr", &[1]);
        let vip = [192, 0, 2, 1].into();
        facts.routes.insert(vip, Some(AWAY));
        let add = "vip-not-local: ip addr add 192.0.2.1/32 dev";
        assert_eq!(found(&facts), format!("certain {add} eth0"));
        facts.routes.insert(vip, None);
        assert_eq!(found(&facts), format!("certain {add} lo"));
        let (mut moved, mut synced) = (facts.clone(), facts);
        moved.programs.insert("keepalived".to_owned());
        assert_eq!(found(&moved), format!("hint {add} lo"));
        let backup = Daemon::new(DaemonRole::Backup, "eth0".parse().unwrap(), 1);
        synced.daemons.push(backup);
        assert_eq!(found(&synced), format!("hint {add} lo"));
    }

    #[test]
    fn an_address_of_two_hosts_is_not_used() {
        let mut facts = director("rr", &[1]);
        let vip = [192, 0, 2, 1].into();
        facts.addresses.push(Address {
            address: vip,
            bits: 24,
            device: 2,
            is_duplicate: true,
        });
        assert!(found(&facts).starts_with("certain duplicate-address: ip addr del 192.0.2.1/24"));
    }

    #[test]
    fn servers_must_be_reachable() {
        let mut facts = director("rr", &[1, 0]);
        facts.routes.insert([10, 0, 0, 2].into(), None);
        assert_eq!(found(&facts), "", "of weight 0");
        facts.routes.insert([10, 0, 0, 1].into(), None);
        assert_eq!(found(&facts), "certain no-route");
    }

    #[test]
    fn servers_must_answer() {
        let mut facts = director("rr", &[1]);
        let address = [10, 0, 0, 1].into();
        let mend = "dead-neighbour: ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 --keep -w 0";
        for (state, expected) in [
            (NeighbourState::Failed, format!("certain {mend}")),
            (NeighbourState::Incomplete, format!("likely {mend}")),
            (NeighbourState::Other, String::new()),
        ] {
            facts.neighbours = vec![Neighbour {
                address,
                device: 2,
                state,
            }];
            assert_eq!(found(&facts), expected);
        }
    }

    #[test]
    fn direct_routing_knows_no_gateways() {
        let mut facts = director("rr", &[1]);
        let gateway = Some([10, 9, 9, 9].into());
        facts
            .routes
            .insert([10, 0, 0, 1].into(), Some(Route { gateway, ..AWAY }));
        assert_eq!(found(&facts), "");
        let server = &mut facts.table.as_mut().unwrap()[0].servers[0].server;
        server.forwarding = Forwarding::DirectRouting;
        assert_eq!(found(&facts), "certain behind-gateway");
    }

    #[test]
    fn masquerading_needs_forwarding() {
        let mut facts = director("rr", &[1, 1]);
        for name in ["net.ipv4.conf.eth0.forwarding", "net.ipv4.ip_forward"] {
            facts.sysctls.insert(name.to_owned(), "0".to_owned());
            let expected = format!("certain forwarding-off: sysctl -w {name}=1");
            assert_eq!(found(&facts), expected);
        }
    }
}
