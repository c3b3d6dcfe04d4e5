//! Kernel settings and synchronisation daemons.

use std::net::IpAddr;

use super::{Check, Found, Level, setting};
use crate::doctor::facts::{Facts, Heard};
use crate::model::{Daemon, DaemonRole, Forwarding, ServerState};

pub const CHECKS: &[Check] = &[
    Check {
        name: "sync-interface",
        why: "\
            Synchronisation daemons send to a multicast group through their interface: it must be \
            up and support multicast.",
        judge: sync_interface,
    },
    Check {
        name: "sync-differs",
        why: "\
            A backup accepts only messages to its group and port with its sync id. Only with \
            --probe does the doctor see what other hosts send.",
        judge: sync_differs,
    },
    Check {
        name: "two-masters",
        why: "\
            Each of two masters thinks it is the only one, and neither learns the connections of \
            the other. Only --probe finds the other master.",
        judge: two_masters,
    },
    Check {
        name: "defence",
        why: "\
            As a defence against floods the kernel drops packets or connections at random while \
            one of these settings is 3, or 2 because memory is low.",
        judge: defence,
    },
    Check {
        name: "kept-clients",
        why: "\
            Clients that persistence keeps on a server come back to it even if its weight is 0, \
            unless net.ipv4.vs.expire_quiescent_template is 1.",
        judge: kept_clients,
    },
    Check {
        name: "frozen-rates",
        why: "While net.ipv4.vs.run_estimation is 0, counters and rates stand still.",
        judge: frozen_rates,
    },
    Check {
        name: "port-reuse",
        why: "\
            While net.ipv4.vs.conn_reuse_mode is 0, a client that reuses a port gets the same \
            server again, even one with weight 0. Otherwise, kernels before 5.9 make such a client \
            wait for a second if net.ipv4.vs.conntrack is 1.",
        judge: port_reuse,
    },
    Check {
        name: "balanced-twice",
        why: "\
            A backup that is also a real server balances the packets from the master again, and \
            sends some of them back, unless net.ipv4.vs.backup_only is 1.",
        judge: balanced_twice,
    },
    Check {
        name: "sync-threshold",
        why: "\
            The first number is how many packets a connection needs before the master sends it to \
            the backup, so short connections are lost when the backup takes over.",
        judge: sync_threshold,
    },
    Check {
        name: "sync-late",
        why: "\
            A backup that starts later does not get the connections that the master already knows: \
            it learns of a connection when a packet passes, and never of idle ones.",
        judge: sync_late,
    },
    Check {
        name: "small-table",
        why: "\
            With many connections in each bucket of the table, every packet takes longer. Before \
            Linux 7.2 the size is set by conn_tab_bits, a parameter of the module ip_vs, when the \
            module is loaded.",
        judge: small_table,
    },
];

fn sync_interface(facts: &Facts) -> Vec<Found> {
    let lost = facts.daemons.iter().filter_map(|daemon| on(facts, daemon));
    lost.collect()
}

fn on(facts: &Facts, daemon: &Daemon) -> Option<Found> {
    let name = daemon.interface.to_string();
    let link = facts.links.iter().find(|link| link.name == name);
    let (state, fix) = match link {
        None => ("missing", Vec::new()),
        Some(link) if !link.is_up => ("down", vec![format!("ip link set {name} up")]),
        Some(link) if !link.is_multicast && !link.is_loopback => {
            let fix = vec![format!("ip link set {name} multicast on")];
            ("without multicast", fix)
        }
        Some(_) => return None,
    };
    Some(Found {
        level: Level::Certain,
        what: format!("the interface {name} of a synchronisation daemon is {state}"),
        evidence: vec![(format!("ip link show {name}"), state.to_owned())],
        fix,
    })
}

/// Whether a message has the sync id, group and port of a daemon. A backup with id 0 accepts every
/// id.
fn fits(daemon: &Daemon, heard: &Heard) -> bool {
    let takes_all = daemon.role == DaemonRole::Backup && daemon.sync_id == 0;
    let is_id = takes_all || daemon.sync_id == u32::from(heard.sync_id);
    let (group, port) = place(daemon);
    is_id && group == heard.group && port == heard.port
}

/// The group and port of a daemon.
fn place(daemon: &Daemon) -> (IpAddr, u16) {
    let group = daemon.group.unwrap_or(Daemon::GROUP);
    (group, daemon.port.unwrap_or(Daemon::PORT))
}

/// The messages received on the interface of a daemon.
fn heard_by<'a>(facts: &'a Facts, daemon: &Daemon) -> impl Iterator<Item = &'a Heard> + Clone {
    let name = daemon.interface.to_string();
    let heard = facts.heard.iter();
    heard.filter(move |heard| heard.device == name)
}

fn evidence_of(daemon: &Daemon, heard: &Heard) -> Vec<(String, String)> {
    let (group, port) = place(daemon);
    let said = format!("group {}, port {}", heard.group, heard.port);
    vec![
        (
            "ipvsadm -L --daemon".to_owned(),
            format!("group {group}, port {port}, syncid {}", daemon.sync_id),
        ),
        (
            format!("heard on {} from {}", heard.device, heard.source),
            format!("{said}, syncid {}", heard.sync_id),
        ),
    ]
}

fn sync_differs(facts: &Facts) -> Vec<Found> {
    let backups = facts.daemons.iter();
    let backups = backups.filter(|daemon| daemon.role == DaemonRole::Backup);
    let deaf = backups.filter_map(|daemon| {
        let mut heard = heard_by(facts, daemon);
        if heard.clone().any(|heard| fits(daemon, heard)) {
            return None;
        }
        let other = heard.next()?;
        let interface = daemon.interface;
        Some(Found {
            level: Level::Certain,
            what: format!("the backup does not accept what {} sends", other.source),
            evidence: evidence_of(daemon, other),
            fix: vec![
                "ipvsadm --stop-daemon backup".to_owned(),
                format!(
                    "ipvsadm --start-daemon backup --mcast-interface {interface} --syncid {} \
                     --mcast-group {} --mcast-port {}",
                    other.sync_id, other.group, other.port
                ),
            ],
        })
    });
    deaf.collect()
}

fn two_masters(facts: &Facts) -> Vec<Found> {
    // Two directors that back each other up may both be masters.
    if facts.has_daemon(DaemonRole::Backup) {
        return Vec::new();
    }
    let doubled = facts.daemons.iter().filter_map(|daemon| {
        let mut heard = heard_by(facts, daemon);
        let other = heard.find(|heard| fits(daemon, heard))?;
        Some(Found {
            level: Level::Likely,
            what: format!("{} is also a master", other.source),
            evidence: evidence_of(daemon, other),
            fix: Vec::new(),
        })
    });
    doubled.collect()
}

fn defence(facts: &Facts) -> Vec<Found> {
    let names = ["drop_packet", "drop_entry"].map(|name| format!("net.ipv4.vs.{name}"));
    let is_on = |name: &&String| facts.sysctl(name).is_some_and(|value| value >= 2);
    let on = names.iter().filter(is_on);
    on.map(|name| Found {
        level: Level::Likely,
        what: format!("{name} drops what arrives"),
        evidence: vec![setting(facts, name)],
        fix: vec![format!("sysctl -w {name}=0")],
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
            fix: vec![format!("sysctl -w {EXPIRE}=1")],
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
        fix: vec![format!("sysctl -w {RUN}=1")],
    }]
}

/// Whether the kernel's version is below 5.9. A distribution's kernel may still have later fixes.
fn is_before_5_9(facts: &Facts) -> bool {
    let release = facts.sysctls.get("kernel.osrelease");
    let numbers = release.and_then(|release| {
        let mut words = release.split(['.', '-']);
        let mut number = || words.next()?.parse::<u32>().ok();
        Some((number()?, number()?))
    });
    numbers.is_some_and(|version| version < (5, 9))
}

fn port_reuse(facts: &Facts) -> Vec<Found> {
    const MODE: &str = "net.ipv4.vs.conn_reuse_mode";
    const TRACK: &str = "net.ipv4.vs.conntrack";
    match facts.sysctl(MODE) {
        Some(0) => {
            let mut entries = facts.entries();
            let drained = entries.find_map(|entry| {
                let mut servers = entry.servers.iter();
                let is_used = |state: &ServerState| state.active > 0 || state.inactive > 0;
                let is_left = |state: &&ServerState| state.server.weight == 0 && is_used(state);
                Some((entry.service.service.id, servers.find(is_left)?))
            });
            let found = drained.map(|(id, state)| {
                let server = state.server.id;
                Found {
                    level: Level::Likely,
                    what: format!("clients of {id} still come to the server {server} of weight 0"),
                    evidence: vec![
                        (
                            format!("ipvsadm -Ln {id} -r {server}"),
                            format!("{} active, {} inactive", state.active, state.inactive),
                        ),
                        setting(facts, MODE),
                    ],
                    fix: vec![format!("sysctl -w {MODE}=1")],
                }
            });
            found.into_iter().collect()
        }
        Some(_) if facts.sysctl(TRACK) == Some(1) && is_before_5_9(facts) => vec![Found {
            level: Level::Hint,
            what: "clients that reuse a port may wait for a second".to_owned(),
            evidence: ["kernel.osrelease", MODE, TRACK]
                .map(|name| setting(facts, name))
                .into(),
            fix: vec![format!("sysctl -w {MODE}=0")],
        }],
        Some(_) | None => Vec::new(),
    }
}

fn balanced_twice(facts: &Facts) -> Vec<Found> {
    const ONLY: &str = "net.ipv4.vs.backup_only";
    if !facts.is_mere_backup() || facts.sysctl(ONLY) != Some(0) {
        return Vec::new();
    }
    let is_own = |state: &ServerState| {
        let route = facts.route(state.server.id.address).flatten();
        route.is_some_and(|route| route.is_local)
    };
    let twice = facts.entries().filter(|entry| {
        let servers = entry.servers.iter();
        let mut live = servers.filter(|state| state.server.weight > 0);
        // Packets forwarded by NAT no longer have the address of the service when they arrive here.
        let is_sent_on = |state: &ServerState| {
            !is_own(state) && state.server.forwarding != Forwarding::Masquerade
        };
        live.clone().any(is_own) && live.any(is_sent_on)
    });
    let own = twice.map(|entry| {
        let id = entry.service.service.id;
        Found {
            level: Level::Likely,
            what: format!("this backup balances packets of {id} from the master again"),
            evidence: vec![
                (
                    "ipvsadm -L --daemon".to_owned(),
                    "only a backup runs".to_owned(),
                ),
                setting(facts, ONLY),
            ],
            fix: vec![format!("sysctl -w {ONLY}=1")],
        }
    });
    own.take(1).collect()
}

fn sync_threshold(facts: &Facts) -> Vec<Found> {
    const THRESHOLD: &str = "net.ipv4.vs.sync_threshold";
    /// The kernel's default. Even a connection with a single request has this many packets.
    const USUAL: u32 = 3;
    let text = facts.sysctls.get(THRESHOLD);
    let first = text.and_then(|text| text.split_whitespace().next()?.parse::<u32>().ok());
    if !facts.has_daemon(DaemonRole::Master) || first.is_none_or(|first| first <= USUAL) {
        return Vec::new();
    }
    vec![Found {
        level: Level::Hint,
        what: "the backup does not learn of short connections".to_owned(),
        evidence: vec![setting(facts, THRESHOLD)],
        fix: vec![format!("sysctl -w \"{THRESHOLD}={USUAL} 50\"")],
    }]
}

fn sync_late(facts: &Facts) -> Vec<Found> {
    let is_empty = facts.connections.is_empty() && facts.live_servers().next().is_some();
    if !facts.is_mere_backup() || !is_empty {
        return Vec::new();
    }
    vec![Found {
        level: Level::Hint,
        what: "this backup knows no connections".to_owned(),
        evidence: vec![("ipvsadm -Lnc".to_owned(), "nothing".to_owned())],
        fix: Vec::new(),
    }]
}

fn small_table(facts: &Facts) -> Vec<Found> {
    /// This many connections in a bucket take long to search.
    const MOST: u64 = 8;
    let Some(size) = facts.table_size else {
        return Vec::new();
    };
    let servers = facts
        .table
        .iter()
        .flatten()
        .flat_map(|entry| &entry.servers);
    let connections = servers.map(|state| u64::from(state.active) + u64::from(state.inactive));
    let connections: u64 = connections.sum();
    let grows = facts.sysctls.contains_key("net.ipv4.vs.conn_lfactor");
    if grows || connections < MOST * u64::from(size) {
        return Vec::new();
    }
    vec![Found {
        level: Level::Hint,
        what: format!("{connections} connections share {size} buckets"),
        evidence: vec![("ipvsadm -Ln".to_owned(), format!("size={size}"))],
        fix: Vec::new(),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, established, found};
    use crate::doctor::facts::Heard;
    use crate::model::{Daemon, DaemonRole, Forwarding};

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

    #[test]
    fn reused_ports_get_the_same_server() {
        let mut facts = director("rr", &[1, 0]);
        facts.table.as_mut().unwrap()[0].servers[1].inactive = 1;
        assert_eq!(found(&facts), "");
        let mode = "net.ipv4.vs.conn_reuse_mode";
        facts.sysctls.insert(mode.to_owned(), "0".to_owned());
        assert_eq!(
            found(&facts),
            format!("likely port-reuse: sysctl -w {mode}=1")
        );

        let mut facts = director("rr", &[1]);
        for (name, value) in [
            ("net.ipv4.vs.conntrack", "1"),
            ("kernel.osrelease", "4.18.0-553.el8.x86_64"),
        ] {
            facts.sysctls.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(
            found(&facts),
            format!("hint port-reuse: sysctl -w {mode}=0")
        );
        let release = "kernel.osrelease".to_owned();
        facts.sysctls.insert(release, "5.10.0-30-amd64".to_owned());
        assert_eq!(found(&facts), "");
    }

    fn daemon(role: DaemonRole) -> Daemon {
        Daemon::new(role, "eth0".parse().unwrap(), 1)
    }

    #[test]
    fn a_backup_that_is_a_server_balances_again() {
        let mut facts = director("rr", &[1, 1]);
        for state in &mut facts.table.as_mut().unwrap()[0].servers {
            state.server.forwarding = Forwarding::DirectRouting;
        }
        facts.daemons = vec![daemon(DaemonRole::Backup)];
        facts.connections = vec![established("203.0.113.1:1")];
        assert_eq!(found(&facts), "");
        let here = facts.routes[&[192, 0, 2, 1].into()];
        facts.routes.insert([10, 0, 0, 2].into(), here);
        let fix = "sysctl -w net.ipv4.vs.backup_only=1";
        assert_eq!(found(&facts), format!("likely balanced-twice: {fix}"));
        facts.daemons.push(daemon(DaemonRole::Master));
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn a_master_sends_short_connections() {
        let mut facts = director("rr", &[1]);
        facts.daemons = vec![daemon(DaemonRole::Master)];
        assert_eq!(found(&facts), "");
        let name = "net.ipv4.vs.sync_threshold";
        facts.sysctls.insert(name.to_owned(), "20\t50".to_owned());
        let fix = format!("sysctl -w \"{name}=3 50\"");
        assert_eq!(found(&facts), format!("hint sync-threshold: {fix}"));
        facts.daemons.clear();
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn a_backup_without_connections_started_late() {
        let mut facts = director("rr", &[1]);
        facts.daemons = vec![daemon(DaemonRole::Backup)];
        assert_eq!(found(&facts), "hint sync-late");
        facts.connections = vec![established("203.0.113.1:1")];
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn a_table_is_large_enough() {
        let mut facts = director("rr", &[1]);
        facts.table_size = Some(4096);
        facts.table.as_mut().unwrap()[0].servers[0].inactive = 8 * 4096;
        assert_eq!(found(&facts), "hint small-table");
        let name = "net.ipv4.vs.conn_lfactor".to_owned();
        facts.sysctls.insert(name, "-4".to_owned());
        assert_eq!(found(&facts), "", "it grows");
    }

    #[test]
    fn other_directors_are_heard() {
        let mut facts = director("rr", &[1]);
        let heard = |sync_id| Heard {
            device: "eth0".to_owned(),
            source: [10, 0, 0, 9].into(),
            group: [224, 0, 0, 81].into(),
            port: 8848,
            sync_id,
        };
        facts.daemons = vec![daemon(DaemonRole::Backup)];
        facts.connections = vec![established("203.0.113.1:1")];
        facts.heard = vec![heard(1)];
        assert_eq!(found(&facts), "");
        facts.heard = vec![heard(2)];
        let fix = "ipvsadm --stop-daemon backup: ipvsadm --start-daemon backup \
                    --mcast-interface eth0 --syncid 2 --mcast-group 224.0.0.81 --mcast-port 8848";
        assert_eq!(found(&facts), format!("certain sync-differs: {fix}"));
        facts.daemons[0].sync_id = 0;
        assert_eq!(found(&facts), "", "it takes all");
        facts.daemons = vec![daemon(DaemonRole::Master)];
        assert_eq!(found(&facts), "");
        facts.heard = vec![heard(1)];
        assert_eq!(found(&facts), "likely two-masters");
        facts.daemons.push(daemon(DaemonRole::Backup));
        assert_eq!(found(&facts), "", "each is a backup of the other");
    }
}
