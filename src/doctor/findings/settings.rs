//! Settings of the kernel, and the daemons.

use super::{Check, Found, Level, setting};
use crate::doctor::facts::Facts;
use crate::model::Daemon;

pub const CHECKS: &[Check] = &[
    Check {
        name: "sync-interface",
        why: "\
            Synchronisation daemons send to a group through their interface: it must be up, and \
            take part in multicast.",
        judge: sync_interface,
    },
    Check {
        name: "defence",
        why: "\
            Against floods the kernel drops packets or connections at random when one of these \
            settings is 3, and when it is 2 because memory is scarce.",
        judge: defence,
    },
    Check {
        name: "kept-clients",
        why: "\
            Clients that persistence keeps at a server come back to it although its weight is 0, \
            unless net.ipv4.vs.expire_quiescent_template is 1.",
        judge: kept_clients,
    },
    Check {
        name: "frozen-rates",
        why: "While net.ipv4.vs.run_estimation is 0, counters and rates stand still.",
        judge: frozen_rates,
    },
];

fn sync_interface(facts: &Facts) -> Vec<Found> {
    let lost = facts.daemons.iter().filter_map(|daemon| on(facts, daemon));
    lost.collect()
}

fn on(facts: &Facts, daemon: &Daemon) -> Option<Found> {
    let name = daemon.interface.to_string();
    let link = facts.links.iter().find(|link| link.name == name);
    let (state, mend) = match link {
        None => ("missing", Vec::new()),
        Some(link) if !link.is_up => ("down", vec![format!("ip link set {name} up")]),
        Some(link) if !link.is_multicast && !link.is_loopback => {
            let mend = vec![format!("ip link set {name} multicast on")];
            ("without multicast", mend)
        }
        Some(_) => return None,
    };
    Some(Found {
        level: Level::Certain,
        what: format!("the interface {name} of a synchronisation daemon is {state}"),
        evidence: vec![(format!("ip link show {name}"), state.to_owned())],
        mend,
    })
}

fn defence(facts: &Facts) -> Vec<Found> {
    let names = ["drop_packet", "drop_entry"].map(|name| format!("net.ipv4.vs.{name}"));
    let is_on = |name: &&String| facts.sysctl(name).is_some_and(|value| value >= 2);
    let on = names.iter().filter(is_on);
    on.map(|name| Found {
        level: Level::Likely,
        what: format!("{name} drops what arrives"),
        evidence: vec![setting(facts, name)],
        mend: vec![format!("sysctl -w {name}=0")],
    })
    .collect()
}

fn kept_clients(facts: &Facts) -> Vec<Found> {
    const EXPIRE: &str = "net.ipv4.vs.expire_quiescent_template";
    if facts.sysctl(EXPIRE) != Some(0) {
        return Vec::new();
    }
    let persistent = facts
        .entries()
        .filter(|entry| entry.service.service.persistence.is_some());
    let kept = persistent.flat_map(|entry| {
        let id = entry.service.service.id;
        let servers = entry.servers.iter();
        let drained = servers.filter(|state| state.server.weight == 0 && state.persistent > 0);
        drained.map(move |state| (id, state))
    });
    kept.map(|(id, state)| {
        let server = state.server.id;
        Found {
            level: Level::Hint,
            what: format!("clients of {id} still come to the server {server} of weight 0"),
            evidence: vec![
                (
                    format!("ipvsadm -Ln {id} --persistent-conn"),
                    state.persistent.to_string(),
                ),
                setting(facts, EXPIRE),
            ],
            mend: vec![format!("sysctl -w {EXPIRE}=1")],
        }
    })
    .collect()
}

fn frozen_rates(facts: &Facts) -> Vec<Found> {
    const RUN: &str = "net.ipv4.vs.run_estimation";
    if facts.sysctl(RUN) != Some(0) {
        return Vec::new();
    }
    vec![Found {
        level: Level::Hint,
        what: "counters do not show what happens now".to_owned(),
        evidence: vec![setting(facts, RUN)],
        mend: vec![format!("sysctl -w {RUN}=1")],
    }]
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::model::{Daemon, DaemonRole};

    #[test]
    fn daemons_need_their_interface() {
        let mut facts = director("rr", &[1]);
        let daemon = |name: &str| Daemon::new(DaemonRole::Master, name.parse().unwrap(), 1);
        facts.daemons = vec![daemon("eth0")];
        assert_eq!(found(&facts), "");
        facts.links[1].is_multicast = false;
        let expected = "certain sync-interface: ip link set eth0 multicast on";
        assert_eq!(found(&facts), expected);
        facts.links[1].is_up = false;
        assert_eq!(found(&facts), "certain sync-interface: ip link set eth0 up");
        facts.daemons = vec![daemon("eth1")];
        assert_eq!(found(&facts), "certain sync-interface");
    }

    #[test]
    fn settings_are_judged() {
        for (name, value, expected) in [
            (
                "drop_packet",
                "3",
                "likely defence: sysctl -w net.ipv4.vs.drop_packet=0",
            ),
            (
                "drop_entry",
                "2",
                "likely defence: sysctl -w net.ipv4.vs.drop_entry=0",
            ),
            ("drop_entry", "1", ""),
            (
                "run_estimation",
                "0",
                "hint frozen-rates: sysctl -w net.ipv4.vs.run_estimation=1",
            ),
        ] {
            let mut facts = director("rr", &[1]);
            let name = format!("net.ipv4.vs.{name}");
            facts.sysctls.insert(name, value.to_owned());
            assert_eq!(found(&facts), expected);
        }
    }

    #[test]
    fn persistence_keeps_clients() {
        let mut facts = director("rr", &[1, 0]);
        let name = "net.ipv4.vs.expire_quiescent_template";
        facts.sysctls.insert(name.to_owned(), "0".to_owned());
        let entry = &mut facts.table.as_mut().unwrap()[0];
        entry.service.service.persistence = Some(300);
        entry.servers[1].persistent = 2;
        assert_eq!(
            found(&facts),
            format!("hint kept-clients: sysctl -w {name}=1")
        );
    }
}
