//! Whether packets reach this host, and leave it for the servers.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::{Check, Found, Level, listed, setting};
use crate::doctor::facts::{Facts, Passing, far, of_device, service_address};
use crate::kernel::{Link, Neighbour, NeighbourState};
use crate::model::{Family, Forwarding, Network, ServerId, ServiceId};

pub const CHECKS: &[Check] = &[
    Check {
        name: "vip-not-local",
        why: "\
            Only packets that the kernel delivers to this host reach IPVS, so the virtual address \
            must be an address of this host or have a route of type local.",
        judge: vip_not_local,
    },
    Check {
        name: "duplicate-address",
        why: "Another host on the network has this IPv6 address, so the kernel does not use it.",
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
            The server does not answer with its link-layer address, so no packet can be sent to \
            it: it is down, elsewhere or has another address.",
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
    Check {
        name: "redirects",
        why: "\
            If clients and masqueraded servers are behind the same device, the director tells the \
            servers about the shorter way to the clients, and their answers bypass it. A server \
            forgets that after some minutes, or with \"ip route flush cache\".",
        judge: redirects,
    },
    Check {
        name: "strict-filter",
        why: "\
            With rp_filter 1 the kernel drops packets of clients that arrive through another \
            device than the answers would leave by.",
        judge: strict_filter,
    },
    Check {
        name: "tunnel-mtu",
        why: "\
            A tunnel adds a header to each packet: 20 bytes with IPv4 and 40 with IPv6. If full \
            packets of clients no longer fit the way to the server, short requests work and \
            uploads may stall. If IPv6 has less than 1280 bytes left, nothing gets through.",
        judge: tunnel_mtu,
    },
    Check {
        name: "merged-packets",
        why: "\
            With large receive offload (LRO) a device merges packets of a connection into one that \
            cannot be split again. It is too long for the way to a server and is lost: short \
            requests work and uploads stall. The kernel switches LRO off if ip_forward is on. \
            Generic receive offload (GRO) is harmless.",
        judge: merged_packets,
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
        let mut own = facts.addresses.iter();
        let is_duplicate = own.any(|at| at.address == address && at.is_duplicate);
        let is_local = route.is_some_and(|route| route.is_local);
        if !seen.insert(address) || is_local || is_duplicate {
            continue;
        }
        // An address in the network of a device belongs on that device, any other address on lo.
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
            fix: vec![format!(
                "ip addr add {address}/{} dev {device}",
                Network::bits_of(address)
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
                fix: vec![
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
        fix: Vec::new(),
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
            what: format!("{next}, on the way to servers, does not answer on {device}"),
            evidence: vec![
                (
                    format!("ip neigh show {next} dev {device}"),
                    word.to_owned(),
                ),
                listed(id, server),
            ],
            fix: vec![format!("ipvsadm -e {id} -r {server} --keep -w 0")],
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
                what: format!("servers of direct routing are behind the gateway {gateway}"),
                evidence: vec![
                    (
                        format!("ip route get {}", server.address),
                        format!("via {gateway}"),
                    ),
                    listed(id, server),
                ],
                fix: Vec::new(),
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
                fix: vec![format!("sysctl -w {wanted}=1")],
            });
        }
    }
    found
}

/// The device that leads both to a masqueraded server and to its client, if it is the same.
fn shared_device<'a>(facts: &'a Facts, passing: &Passing) -> Option<&'a str> {
    let leads = |to| facts.route(to).flatten().filter(|route| !route.is_local);
    let (client, server) = (leads(passing.client.ip())?, leads(passing.server.ip())?);
    let is_shared = passing.server.is_ipv4() && client.device == server.device;
    is_shared.then(|| facts.device(server.device))
}

fn redirects(facts: &Facts) -> Vec<Found> {
    let masqueraded: HashSet<(ServiceId, ServerId)> = facts
        .live_servers()
        .filter(|(_, state)| state.server.forwarding == Forwarding::Masquerade)
        .map(|(id, state)| (id, state.server.id))
        .collect();
    // By device, whether some client waits for an answer.
    let mut devices: BTreeMap<&str, bool> = BTreeMap::new();
    for passing in &facts.connections {
        let id = ServiceId::address(passing.protocol, passing.service);
        if masqueraded.contains(&(id, passing.server.into())) {
            if let Some(device) = shared_device(facts, passing) {
                *devices.entry(device).or_default() |= passing.is_half_open;
            }
        }
    }
    let telling = devices
        .into_iter()
        .filter(|(device, _)| facts.larger(device, "send_redirects") == Some(1));
    telling
        .map(|(device, is_waited)| {
            let names = ["all", device].map(|device| of_device(device, "send_redirects"));
            let on = names.iter().filter(|name| facts.sysctl(name) == Some(1));
            Found {
                // Servers may be set to ignore redirects.
                level: if is_waited {
                    Level::Likely
                } else {
                    Level::Hint
                },
                what: format!("servers on {device} are told to bypass the director"),
                evidence: names.iter().map(|name| setting(facts, name)).collect(),
                fix: on.map(|name| format!("sysctl -w {name}=0")).collect(),
            }
        })
        .collect()
}

/// The kernel does not say where packets were dropped, so services that got packets are not judged.
fn strict_filter(facts: &Facts) -> Vec<Found> {
    let Some(Some(back)) = facts.far_route(Family::V4) else {
        return Vec::new();
    };
    if facts.filtered_packets == 0 {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let unasked = facts
        .entries()
        .filter(|entry| entry.service.stats.in_packets == 0);
    let addresses = unasked.filter_map(service_address);
    let places = addresses.filter_map(|address| {
        let mut places = facts.addresses.iter();
        places.find(|at| at.address == address && address.is_ipv4())
    });
    let strict = places.filter_map(|at| {
        let link = facts.links.iter().find(|link| link.index == at.device)?;
        let is_strict = facts.larger(&link.name, "rp_filter") == Some(1);
        let is_elsewhere = link.index != back.device && !link.is_loopback && link.kind != "dummy";
        (is_strict && is_elsewhere && seen.insert(link.index)).then_some((at.address, link))
    });
    strict
        .map(|(address, link)| {
            let own = of_device(&link.name, "rp_filter");
            let all = of_device("all", "rp_filter");
            Found {
                level: Level::Likely,
                what: format!(
                    "rp_filter drops packets from distant clients to {address} on {}",
                    link.name
                ),
                evidence: vec![
                    setting(facts, &all),
                    setting(facts, &own),
                    (
                        format!("ip route get {}", far(Family::V4)),
                        format!("through {}", facts.device(back.device)),
                    ),
                    (
                        "nstat -az TcpExtIPReversePathFilter".to_owned(),
                        facts.filtered_packets.to_string(),
                    ),
                ],
                fix: vec![format!("sysctl -w {own}=2")],
            }
        })
        .collect()
}

/// The longest packets that most networks carry.
const FULL: u32 = 1500;

fn tunnel_mtu(facts: &Facts) -> Vec<Found> {
    let mut seen = HashSet::new();
    let tunnels = facts
        .live_servers()
        .filter(|(_, state)| state.server.forwarding == Forwarding::Tunnel);
    let narrow = tunnels.filter_map(|(id, state)| {
        let address = state.server.id.address;
        let route = facts.route(address)??;
        let link = facts.links.iter().find(|link| link.index == route.device)?;
        let mtu = route.mtu.unwrap_or(link.mtu);
        let header = if address.is_ipv4() { 20 } else { 40 };
        let least = match id.family() {
            Family::V4 => 68,
            Family::V6 => 1280,
        };
        let level = match mtu.saturating_sub(header) {
            inside if inside < least => Level::Certain,
            inside if inside < FULL => Level::Hint,
            _ => return None,
        };
        if route.is_local || !seen.insert((link.index, level)) {
            return None;
        }
        let name = &link.name;
        let (what, fix) = match level {
            Level::Certain => {
                let fix = vec![format!("ip link set dev {name} mtu {}", FULL + header)];
                let what = format!("no packet of {id} fits the tunnel to the server {address}");
                (what, fix)
            }
            // There is no general fix: a larger MTU works only in networks that carry longer
            // packets.
            Level::Likely | Level::Hint => {
                let what = format!(
                    "full packets of clients do not fit the tunnel to the server {address}"
                );
                (what, Vec::new())
            }
        };
        Some(Found {
            level,
            what,
            evidence: vec![(
                format!("ip route get {address}"),
                format!("{name} mtu {mtu}"),
            )],
            fix,
        })
    });
    narrow.collect()
}

fn merged_packets(facts: &Facts) -> Vec<Found> {
    if facts.live_servers().next().is_none() {
        return Vec::new();
    }
    let links = facts.links.iter().filter(|link| link.is_up);
    let merging = links.filter(|link| facts.merging.contains(&link.name));
    let found = merging.map(|Link { name, .. }| Found {
        level: Level::Likely,
        what: format!("{name} merges packets as they arrive"),
        evidence: vec![(
            format!("ethtool -k {name}"),
            "large-receive-offload: on".to_owned(),
        )],
        fix: vec![format!("ethtool -K {name} lro off")],
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, established, found, half_open};
    use crate::doctor::facts::far;
    use crate::kernel::{Address, Neighbour, NeighbourState, Route};
    use crate::model::{Daemon, DaemonRole, Family, Forwarding};

    const AWAY: Route = Route {
        is_local: false,
        gateway: None,
        device: 2,
        mtu: None,
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
        synced.connections.push(established("203.0.113.1:1"));
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
        let fix = "dead-neighbour: ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 --keep -w 0";
        for (state, expected) in [
            (NeighbourState::Failed, format!("certain {fix}")),
            (NeighbourState::Incomplete, format!("likely {fix}")),
            (NeighbourState::Other, String::new()),
        ] {
            facts.neighbours = vec![Neighbour {
                address,
                device: 2,
                state,
                ethernet: None,
            }];
            assert_eq!(found(&facts), expected);
        }
    }

    #[test]
    fn direct_routing_does_not_work_through_gateways() {
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

    #[test]
    fn servers_are_not_redirected() {
        let mut facts = director("rr", &[1]);
        facts.connections = vec![established("203.0.113.1:1")];
        facts.routes.insert([203, 0, 113, 1].into(), Some(AWAY));
        assert_eq!(found(&facts), "");
        let all = "net.ipv4.conf.all.send_redirects";
        facts.sysctls.insert(all.to_owned(), "1".to_owned());
        assert_eq!(found(&facts), format!("hint redirects: sysctl -w {all}=0"));
        facts.connections.push(half_open("203.0.113.1:2"));
        let expected = format!("likely redirects: sysctl -w {all}=0");
        assert_eq!(found(&facts), expected);
        let elsewhere = Route { device: 1, ..AWAY };
        facts
            .routes
            .insert([203, 0, 113, 1].into(), Some(elsewhere));
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn strict_filters_drop_packets_from_another_device() {
        let mut facts = director("rr", &[1]);
        let mut outside = facts.links[1].clone();
        (outside.index, outside.name) = (3, "eth1".to_owned());
        facts.links.push(outside);
        facts.addresses.push(Address {
            address: [192, 0, 2, 1].into(),
            bits: 24,
            device: 2,
            is_duplicate: false,
        });
        facts
            .routes
            .insert(far(Family::V4), Some(Route { device: 3, ..AWAY }));
        let all = "net.ipv4.conf.all.rp_filter".to_owned();
        facts.sysctls.insert(all, "1".to_owned());
        facts.table.as_mut().unwrap()[0].service.stats.in_packets = 0;
        assert_eq!(found(&facts), "");
        facts.filtered_packets = 7;
        let fix = "sysctl -w net.ipv4.conf.eth0.rp_filter=2";
        assert_eq!(found(&facts), format!("likely strict-filter: {fix}"));
        facts.table.as_mut().unwrap()[0].service.stats.in_packets = 1;
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn tunnels_need_room() {
        let mut facts = director("rr", &[1, 1]);
        for state in &mut facts.table.as_mut().unwrap()[0].servers {
            state.server.forwarding = Forwarding::Tunnel;
        }
        assert_eq!(found(&facts), "hint tunnel-mtu");
        facts.links[1].mtu = 1520;
        assert_eq!(found(&facts), "");
        let narrow = Route {
            mtu: Some(80),
            ..AWAY
        };
        facts.routes.insert([10, 0, 0, 1].into(), Some(narrow));
        let fix = "ip link set dev eth0 mtu 1520";
        assert_eq!(found(&facts), format!("certain tunnel-mtu: {fix}"));
    }
    #[test]
    fn merged_packets_are_lost() {
        let mut facts = director("rr", &[1]);
        facts.merging.insert("eth0".to_owned());
        let fix = "ethtool -K eth0 lro off";
        assert_eq!(found(&facts), format!("likely merged-packets: {fix}"));
        facts.links[1].is_up = false;
        assert_eq!(found(&facts), "");
    }
}
