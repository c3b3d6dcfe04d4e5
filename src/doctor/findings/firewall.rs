//! Findings about the firewall on the path to the director and back.

use super::{Check, Found, Level, listed, setting};
use crate::doctor::facts::Facts;
use crate::doctor::firewall::{Chain, Culprit, Hook, Packet, State};
use crate::model::{Entry, Family, Forwarding, Protocol, Server, ServiceId};

pub const CHECKS: &[Check] = &[
    Check {
        name: "keepalived-drops",
        why: "\
            With vrrp_strict and without the word accept in the instance, keepalived drops \
            everything sent to its virtual addresses. The commands help until keepalived restarts; \
            change its configuration, too.",
        judge: keepalived_drops,
    },
    Check {
        name: "input-drops",
        why: "\
            Packets from clients pass PREROUTING and INPUT before IPVS sees them, so packets that \
            these chains drop never reach it.",
        judge: input_drops,
    },
    Check {
        name: "forward-drops",
        why: "\
            Answers of masqueraded servers pass FORWARD on their way back through the director.",
        judge: forward_drops,
    },
    Check {
        name: "invalid-drops",
        why: "\
            IPVS hides its connections from connection tracking unless net.ipv4.vs.conntrack is 1, \
            so the firewall takes the answers of masqueraded servers for invalid, not for part of \
            an established connection.",
        judge: invalid_drops,
    },
    Check {
        name: "output-drops",
        why: "Packets to the servers pass OUTPUT and POSTROUTING, as if the director sent them.",
        judge: output_drops,
    },
    Check {
        name: "snat-untracked",
        why: "\
            A firewall translates addresses only for connections that connection tracking knows, \
            and IPVS hides its connections from it unless net.ipv4.vs.conntrack is 1. Servers then \
            see the address of the client and answer it directly, bypassing the director.",
        judge: snat_untracked,
    },
    Check {
        name: "conntrack-full",
        why: "If the connection tracking table is full, packets of new connections are dropped.",
        judge: conntrack_full,
    },
];

const CONNTRACK: &str = "net.ipv4.vs.conntrack";

/// The first packet of a client.
pub fn first_packet(entry: &Entry) -> Option<Packet> {
    let ServiceId::Address {
        protocol,
        address,
        port,
    } = entry.service.service.id
    else {
        return None;
    };
    Some(Packet {
        protocol,
        source: None,
        source_port: None,
        destination: Some(address),
        destination_port: Some(port),
        out_device: None,
        family: Family::of(address),
        state: State::New,
    })
}

fn is_of_keepalived(culprit: &Culprit) -> bool {
    let in_rule = culprit.rule.is_some_and(|(chain, rule)| {
        chain.table.contains("keepalived") || rule.text.contains("keepalived")
    });
    in_rule || culprit.chain.table.contains("keepalived")
}

fn keepalived_drops(facts: &Facts) -> Vec<Found> {
    dropped_on_the_way_in(facts, true)
}

fn input_drops(facts: &Facts) -> Vec<Found> {
    dropped_on_the_way_in(facts, false)
}

fn dropped_on_the_way_in(facts: &Facts, of_keepalived: bool) -> Vec<Found> {
    let dropped = facts.entries().filter_map(|entry| {
        let packet = first_packet(entry)?;
        let hooks = [Hook::Prerouting, Hook::Input];
        let culprit = facts.firewall.culprit(&hooks, &packet)?;
        if is_of_keepalived(&culprit) != of_keepalived {
            return None;
        }
        let what = format!("{} drops packets of clients", named(culprit.chain));
        let mut found = dropped(&culprit, &packet, what);
        let id = entry.service.service.id;
        let service = (format!("ipvsadm -Ln {id}"), "gets no packets".to_owned());
        found.evidence.push(service);
        Some(found)
    });
    dropped.collect()
}

/// A chain as reports name it.
fn named(chain: &Chain) -> String {
    format!(
        "the chain {} of the firewall's table {}",
        chain.name, chain.table
    )
}

fn dropped(culprit: &Culprit, packet: &Packet, what: String) -> Found {
    let evidence = match culprit.rule {
        Some((chain, rule)) => (chain.shown_by(), rule.text.clone()),
        None => (culprit.chain.shown_by(), "policy drop".to_owned()),
    };
    Found {
        level: Level::Certain,
        what,
        evidence: vec![evidence],
        fix: vec![culprit.chain.let_through(packet)],
    }
}

/// The servers that are not this host.
fn remote<'a>(facts: &'a Facts) -> impl Iterator<Item = (ServiceId, &'a Server)> + 'a {
    facts.live_servers().filter_map(|(id, state)| {
        let route = facts.route(state.server.id.address).flatten()?;
        (!route.is_local).then_some((id, &state.server))
    })
}

/// The masqueraded servers that are not this host.
fn masqueraded<'a>(facts: &'a Facts) -> impl Iterator<Item = (ServiceId, &'a Server)> + 'a {
    remote(facts).filter(|(_, server)| server.forwarding == Forwarding::Masquerade)
}

fn is_tracked(facts: &Facts) -> bool {
    facts.sysctl(CONNTRACK) == Some(1)
}

/// The first packet of a server's answer.
fn answer(facts: &Facts, id: ServiceId, server: &Server) -> Packet {
    let state = match id.protocol() {
        _ if is_tracked(facts) => State::Established,
        Protocol::TCP => State::Invalid,
        _ => State::New,
    };
    Packet {
        protocol: id.protocol(),
        source: Some(server.id.address),
        source_port: Some(server.id.port),
        destination: None,
        destination_port: None,
        out_device: None,
        family: server.id.family(),
        state,
    }
}

const WAY_BACK: [Hook; 2] = [Hook::Prerouting, Hook::Forward];

/// Whether an answer would pass if connection tracking knew its connection.
fn passes_if_tracked(facts: &Facts, answer: &Packet) -> bool {
    let tracked = Packet {
        state: State::Established,
        ..answer.clone()
    };
    facts.firewall.culprit(&WAY_BACK, &tracked).is_none()
}

fn forward_drops(facts: &Facts) -> Vec<Found> {
    dropped_on_the_way_back(facts, false)
}

fn invalid_drops(facts: &Facts) -> Vec<Found> {
    dropped_on_the_way_back(facts, true)
}

fn dropped_on_the_way_back(facts: &Facts, for_lack_of_tracking: bool) -> Vec<Found> {
    let lost = masqueraded(facts).filter_map(|(id, server)| {
        let answer = answer(facts, id, server);
        let culprit = facts.firewall.culprit(&WAY_BACK, &answer)?;
        if passes_if_tracked(facts, &answer) != for_lack_of_tracking {
            return None;
        }
        let what = format!("{} drops the answers of servers", named(culprit.chain));
        let mut found = dropped(&culprit, &answer, what);
        found.evidence.push(listed(id, server.id));
        if for_lack_of_tracking {
            found.evidence.push(setting(facts, CONNTRACK));
            found.fix = vec![format!("sysctl -w {CONNTRACK}=1")];
        }
        Some(found)
    });
    lost.collect()
}

/// The first packet to a server, as it leaves the director. `None` for tunnels, which wrap it in
/// another packet, and where it is not known.
fn outgoing(facts: &Facts, id: ServiceId, server: &Server) -> Option<Packet> {
    let (address, port) = match (server.forwarding, id) {
        (Forwarding::Masquerade, _) => (server.id.address, server.id.port),
        (Forwarding::DirectRouting, ServiceId::Address { address, port, .. }) => (address, port),
        _ => return None,
    };
    let route = facts.route(server.id.address).flatten()?;
    Some(Packet {
        protocol: id.protocol(),
        source: None,
        source_port: None,
        destination: Some(address),
        destination_port: Some(port),
        out_device: Some(facts.device(route.device).to_owned()),
        family: Family::of(address),
        state: if is_tracked(facts) {
            State::New
        } else {
            State::Untracked
        },
    })
}

fn output_drops(facts: &Facts) -> Vec<Found> {
    let lost = remote(facts).filter_map(|(id, server)| {
        let packet = outgoing(facts, id, server)?;
        let hooks = [Hook::Output, Hook::Postrouting];
        let culprit = facts.firewall.culprit(&hooks, &packet)?;
        let what = format!("{} drops packets to servers", named(culprit.chain));
        let mut found = dropped(&culprit, &packet, what);
        found.evidence.push(listed(id, server.id));
        Some(found)
    });
    lost.collect()
}

fn snat_untracked(facts: &Facts) -> Vec<Found> {
    if is_tracked(facts) {
        return Vec::new();
    }
    let untracked = masqueraded(facts).find_map(|(id, server)| {
        let packet = outgoing(facts, id, server)?;
        let (chain, rule) = facts.firewall.translates_source(&packet)?;
        let rule = (chain.shown_by(), rule.text.clone());
        Some(Found {
            level: Level::Likely,
            what: format!(
                "the firewall does not translate packets to servers such as those of {id}"
            ),
            evidence: vec![rule, setting(facts, CONNTRACK)],
            fix: vec![format!("sysctl -w {CONNTRACK}=1")],
        })
    });
    untracked.into_iter().collect()
}

fn conntrack_full(facts: &Facts) -> Vec<Found> {
    let names = ["count", "max"].map(|name| format!("net.netfilter.nf_conntrack_{name}"));
    let [Some(count), Some(most)] = [&names[0], &names[1]].map(|name| facts.sysctl(name)) else {
        return Vec::new();
    };
    // 0 means no limit.
    if most == 0 || count < most - most / 20 {
        return Vec::new();
    }
    let evidence = names.iter().map(|name| setting(facts, name));
    let (level, how_full) = if count < most {
        (Level::Likely, "almost full")
    } else {
        (Level::Certain, "full")
    };
    vec![Found {
        level,
        what: format!("the connection tracking table is {how_full}"),
        evidence: evidence.collect(),
        fix: vec![format!("sysctl -w {}={}", names[1], most.saturating_mul(2))],
    }]
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::doctor::facts::Facts;
    use crate::doctor::firewall::{Tool, read_iptables};
    use crate::model::Forwarding;

    /// A director with one server, and these rules in a table.
    fn behind(table: &str, rules: &str) -> Facts {
        let mut facts = director("rr", &[1]);
        let text = format!(
            "*{table}\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
             :POSTROUTING ACCEPT [0:0]\n{rules}\nCOMMIT\n"
        );
        facts.firewall = read_iptables(Tool::Iptables, &text);
        facts
    }

    #[test]
    fn packets_of_clients_may_be_dropped() {
        let fix = "iptables -t filter -I INPUT -d 192.0.2.1 -p tcp --dport 80 -j ACCEPT";
        let facts = behind("filter", "-A INPUT -d 192.0.2.1/32 -j DROP");
        assert_eq!(found(&facts), format!("certain input-drops: {fix}"));
        let facts = behind("filter", "-A INPUT -p tcp -m tcp --dport 22 -j DROP");
        assert_eq!(found(&facts), "");
        let rule = "-A INPUT -d 192.0.2.1/32 -m comment --comment keepalived -j DROP";
        let expected = format!("certain keepalived-drops: {fix}");
        assert_eq!(found(&behind("filter", rule)), expected);
    }

    #[test]
    fn answers_may_be_dropped() {
        let fix = "iptables -t filter -I FORWARD -s 10.0.0.1 -p tcp --sport 80 -j ACCEPT";
        let mut facts = behind("filter", "-A FORWARD -p tcp -j DROP");
        assert_eq!(found(&facts), format!("certain forward-drops: {fix}"));
        facts.table.as_mut().unwrap()[0].servers[0]
            .server
            .forwarding = Forwarding::Tunnel;
        facts.links[1].mtu = 9000;
        assert_eq!(found(&facts), "", "answers go past the director");
    }

    #[test]
    fn one_cause_is_one_finding() {
        let rules = "-A FORWARD -p tcp -j DROP";
        let mut facts = behind("filter", rules);
        let firewall = std::mem::take(&mut facts.firewall);
        facts = director("rr", &[1, 1]);
        facts.firewall = firewall;
        let findings = super::super::examine(&facts);
        let [finding] = &findings[..] else {
            panic!("one finding");
        };
        assert_eq!((finding.evidence.len(), finding.fix.len()), (3, 2));
    }

    #[test]
    fn answers_are_invalid_without_tracking() {
        let invalid = "-A FORWARD -m conntrack --ctstate INVALID -j DROP";
        let established = "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT";
        for rules in [invalid, &format!("{established}\n-A FORWARD -j DROP")] {
            let mut facts = behind("filter", rules);
            let expected = "certain invalid-drops: sysctl -w net.ipv4.vs.conntrack=1";
            assert_eq!(found(&facts), expected);
            let tracked = "net.ipv4.vs.conntrack".to_owned();
            facts.sysctls.insert(tracked, "1".to_owned());
            assert_eq!(found(&facts), "");
        }
    }

    #[test]
    fn packets_to_servers_may_be_dropped() {
        let facts = behind("filter", "-A OUTPUT -d 10.0.0.0/8 -j DROP");
        let fix = "iptables -t filter -I OUTPUT -d 10.0.0.1 -p tcp --dport 80 -j ACCEPT";
        assert_eq!(found(&facts), format!("certain output-drops: {fix}"));
    }

    #[test]
    fn translation_needs_tracking() {
        let expected = "likely snat-untracked: sysctl -w net.ipv4.vs.conntrack=1";
        for (rule, is_found) in [
            ("-A POSTROUTING -d 10.0.0.0/8 -j MASQUERADE", true),
            ("-A POSTROUTING -o eth0 -j MASQUERADE", true),
            (
                "-A POSTROUTING -m ipvs --vaddr 192.0.2.1/32 -j MASQUERADE",
                true,
            ),
            ("-A POSTROUTING -o eth1 -j MASQUERADE", false),
            ("-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE", false),
        ] {
            let mut facts = behind("nat", rule);
            assert_eq!(
                found(&facts),
                if is_found { expected } else { "" },
                "{rule}"
            );
            let tracked = "net.ipv4.vs.conntrack".to_owned();
            facts.sysctls.insert(tracked, "1".to_owned());
            assert_eq!(found(&facts), "");
        }
    }

    #[test]
    fn tracking_may_be_full() {
        let mut facts = director("rr", &[1]);
        let names = ["count", "max"].map(|name| format!("net.netfilter.nf_conntrack_{name}"));
        for (count, level) in [("100", "certain"), ("96", "likely"), ("90", "")] {
            facts.sysctls.insert(names[0].clone(), count.to_owned());
            facts.sysctls.insert(names[1].clone(), "100".to_owned());
            let fix = "conntrack-full: sysctl -w net.netfilter.nf_conntrack_max=200";
            let expected = match level {
                "" => String::new(),
                level => format!("{level} {fix}"),
            };
            assert_eq!(found(&facts), expected);
        }
    }
}
