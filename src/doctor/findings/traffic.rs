//! Findings from the connections.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::{Check, Found, Level, setting};
use crate::doctor::facts::{Facts, Passing, is_in_network};
use crate::model::terms::SYN_RECV;
use crate::model::{DaemonRole, Forwarding, Protocol, ServerId, ServerState, ServiceId};
use crate::render::screen::count;

pub const CHECKS: &[Check] = &[
    Check {
        name: "same-network",
        why: "\
            A masqueraded server answers a client in its own network directly, bypassing the \
            director, and the client does not know the address that answers.",
        judge: same_network,
    },
    Check {
        name: "calls-itself",
        why: "\
            A masqueraded server that connects to its own service may be sent to itself. It then \
            answers itself directly, bypassing the director.",
        judge: calls_itself,
    },
    Check {
        name: "unseen-on-bridge",
        why: "\
            A masqueraded server answers a client on the same bridge without the director, unless \
            the director hands the packets of its bridges to the firewall, and so to IPVS.",
        judge: unseen_on_bridge,
    },
    Check {
        name: "from-director",
        why: "\
            With direct routing and tunnels the director cannot be a client of its own service: \
            its packets come from the virtual address, and no server accepts packets from an \
            address of its own. Try from another host.",
        judge: from_director,
    },
    Check {
        name: HALF_OPEN,
        why: "\
            Clients reach the director, but no answer of the server reaches them: it does not \
            answer, or the way back is broken. A masqueraded server needs a route back through the \
            director, any other server needs the virtual address. Run the doctor on the server, \
            too.",
        judge: half_open,
    },
    Check {
        name: "gone-server",
        why: "\
            Packets of a connection to a deleted server are dropped, and the connection is not \
            forgotten while the client keeps sending, unless net.ipv4.vs.expire_nodest_conn is \
            1.",
        judge: gone_server,
    },
    Check {
        name: "idle-connections",
        why: "\
            The director forgets connections that are idle for longer than its timeout, and \
            refuses later packets. Hosts wait for two hours before they send a keepalive.",
        judge: idle_connections,
    },
];

/// Often a symptom: left out if another finding may explain it.
pub const HALF_OPEN: &str = "half-open";

/// Fewer half-open connections than this may be a coincidence.
const SEVERAL: usize = 3;

/// The server that a connection goes to, with its service.
type Place<'a> = (ServiceId, &'a ServerState);

fn key(passing: &Passing) -> (ServiceId, ServerId) {
    let id = ServiceId::address(passing.protocol, passing.service);
    (id, ServerId::from(passing.server))
}

/// The connections of each service to each of its servers.
fn by_server(facts: &Facts) -> impl Iterator<Item = Vec<&Passing>> {
    let mut groups: BTreeMap<_, Vec<&Passing>> = BTreeMap::new();
    for passing in &facts.connections {
        let place = (passing.protocol, passing.service, passing.server);
        groups.entry(place).or_default().push(passing);
    }
    groups.into_values()
}

/// The half-open connections whose last packet is newer than that of any connection that is not
/// half-open. There are none if some age is not known, as with established connections.
fn stuck<'a>(connections: &[&'a Passing]) -> Vec<&'a Passing> {
    let mut others = connections.iter().filter(|passing| !passing.is_half_open);
    let further = others.try_fold(u32::MAX, |least, passing| Some(least.min(passing.age?)));
    let is_stuck = |passing: &&&Passing| {
        let mut ages = further.into_iter().zip(passing.age);
        passing.is_half_open && ages.any(|(further, age)| age < further)
    };
    connections.iter().filter(is_stuck).copied().collect()
}

/// Reports each server that has several stuck connections among those that `is_meant` picks.
fn judge_half_open(
    facts: &Facts,
    is_meant: impl Fn(&Passing, &ServerState) -> bool,
    found: impl Fn(&Place, &[&Passing]) -> Found,
) -> Vec<Found> {
    let live: HashMap<_, Place> = facts
        .live_servers()
        .map(|(id, state)| ((id, state.server.id), (id, state)))
        .collect();
    let is_suspect = |group: &Vec<&Passing>| {
        let half_open = group.iter().filter(|passing| passing.is_half_open);
        half_open.count() >= SEVERAL
    };
    let groups = by_server(facts).filter(is_suspect);
    let judged = groups.filter_map(|mut group| {
        let place = live.get(&key(group.first()?))?;
        group.retain(|passing| is_meant(passing, place.1));
        let stuck = stuck(&group);
        (stuck.len() >= SEVERAL).then(|| found(place, &stuck))
    });
    judged.collect()
}

fn evidence(connections: &[&Passing]) -> Vec<(String, String)> {
    let clients = connections.iter().take(SEVERAL);
    clients
        .map(|passing| {
            let place = format!("ipvsadm -Lnc --client {}", passing.client.ip());
            (place, SYN_RECV.to_owned())
        })
        .collect()
}

fn is_masqueraded(state: &ServerState) -> bool {
    state.server.forwarding == Forwarding::Masquerade
}

/// Whether a client is in a network that the director and the server share.
fn is_neighbour(facts: &Facts, passing: &Passing) -> bool {
    let (client, server) = (passing.client.ip(), passing.server.ip());
    let mut networks = facts.addresses.iter();
    client != server
        && networks.any(|network| is_in_network(network, client) && is_in_network(network, server))
}

/// Whether a server answers a client of its own network directly, bypassing the director.
fn is_answered_beside(facts: &Facts, passing: &Passing, state: &ServerState) -> bool {
    is_masqueraded(state) && is_neighbour(facts, passing)
}

/// The setting that passes bridged packets to the firewall, if the server is on a bridge and the
/// setting is off.
fn unset_for_bridge(facts: &Facts, server: IpAddr) -> Option<&'static str> {
    let route = facts.route(server)??;
    let mut links = facts.links.iter();
    let link = links.find(|link| link.index == route.device)?;
    let name = match server {
        IpAddr::V4(_) => "net.bridge.bridge-nf-call-iptables",
        IpAddr::V6(_) => "net.bridge.bridge-nf-call-ip6tables",
    };
    (link.kind == "bridge" && facts.sysctl(name) != Some(1)).then_some(name)
}

fn same_network(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        is_answered_beside(facts, passing, state)
            && unset_for_bridge(facts, passing.server.ip()).is_none()
    };
    judge_half_open(facts, is_meant, |(id, state), clients| Found {
        level: Level::Likely,
        what: format!(
            "clients in the network of the server {} of {id} get no answer",
            state.server.id
        ),
        evidence: evidence(clients),
        fix: Vec::new(),
    })
}

fn unseen_on_bridge(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        is_answered_beside(facts, passing, state)
            && unset_for_bridge(facts, passing.server.ip()).is_some()
    };
    judge_half_open(facts, is_meant, |(id, state), clients| {
        let server = state.server.id;
        let name = unset_for_bridge(facts, server.address).unwrap_or_default();
        let mut evidence = evidence(clients);
        evidence.push(setting(facts, name));
        Found {
            level: Level::Likely,
            what: format!("clients on the bridge of the server {server} of {id} get no answer"),
            evidence,
            fix: vec![
                "modprobe br_netfilter".to_owned(),
                format!("sysctl -w {name}=1"),
            ],
        }
    })
}

fn calls_itself(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        is_masqueraded(state) && passing.client.ip() == passing.server.ip()
    };
    judge_half_open(facts, is_meant, |(id, state), calls| Found {
        level: Level::Likely,
        what: format!("the server {} calls its own service {id}", state.server.id),
        evidence: evidence(calls),
        fix: Vec::new(),
    })
}

fn is_from_director(facts: &Facts, passing: &Passing, state: &ServerState) -> bool {
    !is_masqueraded(state) && facts.has_address(passing.client.ip())
}

fn from_director(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| is_from_director(facts, passing, state);
    judge_half_open(facts, is_meant, |(id, state), calls| Found {
        level: Level::Likely,
        what: format!(
            "the server {} of {id} does not answer the director",
            state.server.id
        ),
        evidence: evidence(calls),
        fix: Vec::new(),
    })
}

fn half_open(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        let is_own = is_masqueraded(state) && passing.client.ip() == passing.server.ip();
        let is_explained = is_own
            || is_answered_beside(facts, passing, state)
            || is_from_director(facts, passing, state);
        !is_explained
    };
    judge_half_open(facts, is_meant, |(id, state), clients| Found {
        level: Level::Likely,
        what: format!("no client of {id} sees an answer of {}", state.server.id),
        evidence: evidence(clients),
        fix: Vec::new(),
    })
}

/// Connections that go on to a server that their service no longer has.
fn gone_server(facts: &Facts) -> Vec<Found> {
    const EXPIRE: &str = "net.ipv4.vs.expire_nodest_conn";
    // Connections that a backup received go through the master.
    if facts.sysctl(EXPIRE) != Some(0) || facts.is_mere_backup() {
        return Vec::new();
    }
    let servers: HashMap<ServiceId, HashSet<ServerId>> = facts
        .entries()
        .map(|entry| {
            let servers = entry.servers.iter().map(|state| state.server.id);
            (entry.service.service.id, servers.collect())
        })
        .collect();
    let lost = by_server(facts).filter_map(|mut group| {
        let (id, server) = key(group.first()?);
        group.retain(|passing| !passing.is_half_open && passing.age.is_none());
        let is_lost = !group.is_empty() && !servers.get(&id)?.contains(&server);
        is_lost.then_some((id, server, group))
    });
    lost.map(|(id, server, group)| Found {
        level: Level::Likely,
        what: format!("connections of {id} lead to {server}, which is no longer its server"),
        evidence: vec![
            (
                format!("ipvsadm -Lnc -r {server}"),
                count(group.len(), "connection"),
            ),
            setting(facts, EXPIRE),
        ],
        fix: vec![format!("sysctl -w {EXPIRE}=1")],
    })
    .collect()
}

/// Hosts send a keepalive after this many idle seconds by default.
const KEEPALIVE: u32 = 7200;

fn idle_connections(facts: &Facts) -> Vec<Found> {
    let Some(timeout) = facts.timeouts.map(|timeouts| timeouts.tcp) else {
        return Vec::new();
    };
    // Connections from another director have their own timeout.
    if timeout >= KEEPALIVE || facts.has_daemon(DaemonRole::Backup) {
        return Vec::new();
    }
    let idle = |passing: &&Passing| {
        let is_tcp = passing.protocol == Protocol::TCP;
        is_tcp && passing.is_established && passing.expires < timeout / 2
    };
    let Some(first) = facts.connections.iter().find(idle) else {
        return Vec::new();
    };
    let client = first.client.ip();
    vec![Found {
        level: Level::Hint,
        what: format!("idle connections are forgotten after {timeout} seconds"),
        evidence: vec![
            (
                format!("ipvsadm -Lnc --client {client}"),
                format!("idle, forgotten in {} seconds", first.expires),
            ),
            (
                "ipvsadm -L --timeout".to_owned(),
                format!("TCP {timeout} seconds"),
            ),
        ],
        fix: vec![format!("ipvsadm --set {} 0 0", KEEPALIVE + 60)],
    }]
}

#[cfg(test)]
mod tests {
    use super::super::examine;
    use super::super::made_up::{director, established, found, half_open};
    use crate::doctor::facts::Facts;
    use crate::kernel::Address;
    use crate::model::{Daemon, DaemonRole, Forwarding, Timeouts};

    fn calling(clients: &[&str]) -> Facts {
        let mut facts = director("rr", &[1]);
        facts.addresses.push(Address {
            address: [10, 0, 0, 254].into(),
            bits: 24,
            device: 2,
            is_duplicate: false,
        });
        let connections = clients.iter().map(|client| half_open(client));
        facts.connections = connections.collect();
        facts
    }

    #[test]
    fn connections_that_are_not_answered_show_a_broken_way_back() {
        let far = ["203.0.113.1:1", "203.0.113.1:2", "203.0.113.2:1"];
        assert_eq!(found(&calling(&far)), "likely half-open");
        assert_eq!(found(&calling(&far[..2])), "", "too few to say");
        let mut facts = calling(&far);
        facts.connections.push(facts.connections[0]);
        facts.connections[0].is_half_open = false;
        facts.connections[0].age = Some(4);
        assert_eq!(found(&facts), "", "some are answered since");
        facts.connections[0].age = Some(6);
        assert_eq!(
            found(&facts),
            "likely half-open",
            "none is answered any more"
        );
        facts.connections[0].age = None;
        assert_eq!(found(&facts), "", "some go on");
        let mut facts = calling(&far);
        facts.table.as_mut().unwrap()[0].servers[0].server.weight = 0;
        assert_eq!(found(&facts), "hint no-live-server");
        let mut facts = calling(&far);
        facts.routes.insert([10, 0, 0, 1].into(), None);
        assert_eq!(found(&facts), "certain no-route", "and that is why");
    }

    #[test]
    fn clients_in_the_servers_network_are_answered_directly() {
        let near = ["10.0.0.7:1", "10.0.0.7:2", "10.0.0.8:1", "203.0.113.1:1"];
        assert_eq!(found(&calling(&near)), "likely same-network");
        let own = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"];
        assert_eq!(found(&calling(&own)), "likely calls-itself");
        let mut facts = calling(&near);
        let server = &mut facts.table.as_mut().unwrap()[0].servers[0].server;
        server.forwarding = Forwarding::DirectRouting;
        assert_eq!(found(&facts), "likely half-open");
    }

    #[test]
    fn bridges_ask_the_firewall_if_they_are_told_to() {
        let mut facts = calling(&["10.0.0.7:1", "10.0.0.7:2", "10.0.0.8:1"]);
        facts.links[1].kind = "bridge".to_owned();
        let fix = "likely unseen-on-bridge: modprobe br_netfilter: \
                    sysctl -w net.bridge.bridge-nf-call-iptables=1";
        assert_eq!(found(&facts), fix);
        let name = "net.bridge.bridge-nf-call-iptables".to_owned();
        facts.sysctls.insert(name, "1".to_owned());
        assert_eq!(found(&facts), "likely same-network");
    }

    #[test]
    fn the_director_cannot_be_a_client_with_direct_routing() {
        let own = ["10.0.0.254:1", "10.0.0.254:2", "10.0.0.254:3"];
        let mut facts = calling(&own);
        let server = &mut facts.table.as_mut().unwrap()[0].servers[0].server;
        server.forwarding = Forwarding::DirectRouting;
        assert_eq!(found(&facts), "likely from-director");
    }

    #[test]
    fn connections_outlive_their_server() {
        let mut facts = director("rr", &[1, 1]);
        facts.connections = vec![established("203.0.113.1:1")];
        assert_eq!(found(&facts), "");
        facts.table.as_mut().unwrap()[0].servers.remove(0);
        let fix = "sysctl -w net.ipv4.vs.expire_nodest_conn=1";
        assert_eq!(found(&facts), format!("likely gone-server: {fix}"));
        let evidence = examine(&facts).remove(0).evidence;
        assert_eq!(evidence[0].1, "1 connection");
        let backup = Daemon::new(DaemonRole::Backup, "eth0".parse().unwrap(), 1);
        facts.daemons.push(backup);
        assert_eq!(found(&facts), "");
        facts.daemons.clear();
        let mut expires = facts.clone();
        let name = "net.ipv4.vs.expire_nodest_conn".to_owned();
        expires.sysctls.insert(name, "1".to_owned());
        assert_eq!(found(&expires), "");
        facts.connections = vec![half_open("203.0.113.1:1")];
        assert_eq!(found(&facts), "", "it ends soon");
        facts.connections = vec![established("203.0.113.1:1")];
        facts.table.as_mut().unwrap()[0].service.service.id = "-f 1".parse().unwrap();
        assert_eq!(found(&facts), "", "which service it is of is not known");
    }

    #[test]
    fn idle_connections_may_be_forgotten_too_soon() {
        let mut facts = director("rr", &[1]);
        facts.timeouts = Some(Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        });
        facts.connections = vec![established("203.0.113.1:1")];
        assert_eq!(found(&facts), "");
        facts.connections[0].expires = 300;
        assert_eq!(
            found(&facts),
            "hint idle-connections: ipvsadm --set 7260 0 0"
        );
        let backup = Daemon::new(DaemonRole::Backup, "eth0".parse().unwrap(), 1);
        facts.daemons.push(backup);
        assert_eq!(found(&facts), "");
        facts.daemons.clear();
        facts.timeouts.as_mut().unwrap().tcp = 7200;
        assert_eq!(found(&facts), "");
    }
}
