//! What the connections show.

use std::collections::{BTreeMap, HashMap};

use super::{Check, Found, Level};
use crate::doctor::facts::{Facts, Passing, is_in_network};
use crate::model::{Forwarding, ServerId, ServerState, ServiceId};

pub const CHECKS: &[Check] = &[
    Check {
        name: "same-network",
        why: "\
            A masqueraded server answers a client of its own network directly, past the director, \
            and the client does not know the address that answers.",
        judge: same_network,
    },
    Check {
        name: "calls-itself",
        why: "\
            A masqueraded server that connects to its own service and gets itself answers itself, \
            past the director.",
        judge: calls_itself,
    },
    Check {
        name: HALF_OPEN,
        why: "\
            Clients reach the director, but no answer of the server reaches them: it does not \
            answer, or the way back is broken. A masqueraded server needs a route back through \
            the director, any other one the virtual address. Look at the server, too.",
        judge: half_open,
    },
];

/// It follows from what else is wrong.
pub const HALF_OPEN: &str = "half-open";

/// So many connections are no chance.
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

/// Those connections that are half open, and younger than any that got further.
fn stuck<'a>(connections: &[&'a Passing]) -> Vec<&'a Passing> {
    let mut others = connections.iter().filter(|passing| !passing.is_half_open);
    let further = others.try_fold(u32::MAX, |least, passing| Some(least.min(passing.age?)));
    let is_stuck = |passing: &&&Passing| {
        let mut ages = further.into_iter().zip(passing.age);
        passing.is_half_open && ages.any(|(further, age)| age < further)
    };
    connections.iter().filter(is_stuck).copied().collect()
}

/// Judges the connections to each server that a judge picks, if they get no answer.
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
            (place, "SYN_RECV".to_owned())
        })
        .collect()
}

fn is_masqueraded(state: &ServerState) -> bool {
    state.server.forwarding == Forwarding::Masquerade
}

/// Whether a client is in a network that the director shares with the server.
fn is_neighbour(facts: &Facts, passing: &Passing) -> bool {
    let (client, server) = (passing.client.ip(), passing.server.ip());
    let mut networks = facts.addresses.iter();
    client != server
        && networks.any(|network| is_in_network(network, client) && is_in_network(network, server))
}

fn same_network(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        is_masqueraded(state) && is_neighbour(facts, passing)
    };
    judge_half_open(facts, is_meant, |(id, state), clients| Found {
        level: Level::Likely,
        what: format!(
            "clients in the network of the server {} of {id} get no answer",
            state.server.id
        ),
        evidence: evidence(clients),
        mend: Vec::new(),
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
        mend: Vec::new(),
    })
}

fn half_open(facts: &Facts) -> Vec<Found> {
    let is_meant = |passing: &Passing, state: &ServerState| {
        let is_explained =
            is_neighbour(facts, passing) || passing.client.ip() == passing.server.ip();
        !(is_masqueraded(state) && is_explained)
    };
    judge_half_open(facts, is_meant, |(id, state), clients| Found {
        level: Level::Likely,
        what: format!("no client of {id} sees an answer of {}", state.server.id),
        evidence: evidence(clients),
        mend: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::doctor::facts::{Facts, Passing};
    use crate::kernel::Address;
    use crate::model::{Forwarding, Protocol};

    fn calling(clients: &[&str]) -> Facts {
        let mut facts = director("rr", &[1]);
        facts.addresses.push(Address {
            address: [10, 0, 0, 254].into(),
            bits: 24,
            device: 2,
            is_duplicate: false,
        });
        let connections = clients.iter().map(|client| Passing {
            protocol: Protocol::TCP,
            client: client.parse().unwrap(),
            service: "192.0.2.1:80".parse().unwrap(),
            server: "10.0.0.1:80".parse().unwrap(),
            is_half_open: true,
            age: Some(5),
        });
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
    fn clients_beside_the_servers_are_answered_directly() {
        let near = ["10.0.0.7:1", "10.0.0.7:2", "10.0.0.8:1", "203.0.113.1:1"];
        assert_eq!(found(&calling(&near)), "likely same-network");
        let own = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"];
        assert_eq!(found(&calling(&own)), "likely calls-itself");
        let mut facts = calling(&near);
        let server = &mut facts.table.as_mut().unwrap()[0].servers[0].server;
        server.forwarding = Forwarding::DirectRouting;
        assert_eq!(found(&facts), "likely half-open");
    }
}
