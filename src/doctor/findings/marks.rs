//! Firewall marks: which packets get one, and which services use them.

use super::firewall::first_packet;
use super::{Check, Found, Level};
use crate::doctor::facts::Facts;
use crate::doctor::firewall::{Chain, Fit, Hook, Rule, Verdict};
use crate::model::{Family, ServiceId};

pub const CHECKS: &[Check] = &[
    Check {
        name: "hidden-by-mark",
        why: "\
            A packet whose mark has a service goes to that service, even if its address and port \
            have another one.",
        judge: hidden_by_mark,
    },
    Check {
        name: "mark-unset",
        why: "\
            A service of a firewall mark gets only the packets that a rule gives this mark.",
        judge: mark_unset,
    },
    Check {
        name: "mark-unused",
        why: "A mark without a service balances nothing. It may have another purpose.",
        judge: mark_unused,
    },
];

/// The rules that give incoming packets a mark.
fn marking(facts: &Facts) -> impl Iterator<Item = (&Chain, &Rule, u32)> {
    facts.firewall.rules().filter_map(|(chain, rule)| {
        let comes_too_late = match chain.hook {
            Some(Hook::Prerouting | Hook::Input) | None => false,
            Some(Hook::Forward | Hook::Output | Hook::Postrouting) => true,
        };
        match rule.verdict {
            Verdict::Mark(mark) if !comes_too_late => Some((chain, rule, mark)),
            _ => None,
        }
    })
}

fn has_service(facts: &Facts, mark: u32, family: Family) -> bool {
    facts.table.iter().flatten().any(|entry| {
        let ServiceId::Mark {
            mark: of,
            family: on,
        } = entry.service.service.id
        else {
            return false;
        };
        of.get() == mark && on == family
    })
}

fn hidden_by_mark(facts: &Facts) -> Vec<Found> {
    let hidden = facts.entries().filter_map(|entry| {
        let packet = first_packet(entry)?;
        let family = packet.family;
        let (chain, rule, mark) = marking(facts).find(|(chain, rule, mark)| {
            chain.sees(family)
                && rule.fits(&packet) == Fit::Yes
                && has_service(facts, *mark, family)
        })?;
        let id = entry.service.service.id;
        Some(Found {
            level: Level::Likely,
            what: format!("the service of mark {mark} takes the packets of {id}"),
            evidence: vec![(chain.shown_by(), rule.text.clone())],
            fix: vec![chain.without(rule)],
        })
    });
    hidden.collect()
}

fn mark_unset(facts: &Facts) -> Vec<Found> {
    let firewall = &facts.firewall;
    if !firewall.is_whole || firewall.has_other_marks || facts.has_ingress {
        return Vec::new();
    }
    let unset = facts.entries().filter_map(|entry| {
        let id = entry.service.service.id;
        let ServiceId::Mark { mark, family } = id else {
            return None;
        };
        let is_set = marking(facts).any(|(chain, _, set)| set == mark.get() && chain.sees(family));
        let is_used = entry.service.stats.connections > 0;
        (!is_set && !is_used).then(|| Found {
            level: Level::Likely,
            what: format!("no rule of the firewall sets the mark {mark} of {id}"),
            evidence: vec![(
                format!("ipvsadm -Ln {id} --stats"),
                "no connections".to_owned(),
            )],
            fix: Vec::new(),
        })
    });
    unset.collect()
}

/// If there are services of marks, a mark without a service may be a typo.
fn mark_unused(facts: &Facts) -> Vec<Found> {
    let mut entries = facts.table.iter().flatten();
    let has_marks = entries.any(|entry| match entry.service.service.id {
        ServiceId::Mark { .. } => true,
        ServiceId::Address { .. } => false,
    });
    if !has_marks || facts.service.is_some() {
        return Vec::new();
    }
    let unused = marking(facts).filter(|(chain, _, mark)| {
        let families = [Family::V4, Family::V6].into_iter();
        let mut seen = families.filter(|&family| chain.sees(family));
        !seen.any(|family| has_service(facts, *mark, family))
    });
    unused
        .map(|(chain, rule, mark)| Found {
            level: Level::Hint,
            what: format!("no service has the mark {mark} that a rule sets"),
            evidence: vec![(chain.shown_by(), rule.text.clone())],
            fix: Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{director, found};
    use crate::doctor::facts::Facts;
    use crate::doctor::firewall::{Tool, read_iptables};

    /// A director with a firewall that marks packets.
    fn marking(services: &[&str], rule: &str) -> Facts {
        let mut facts = director("rr", &[1]);
        let entry = facts.table.as_mut().unwrap().remove(0);
        for service in services {
            let mut entry = entry.clone();
            entry.service.service.id = service.parse().unwrap();
            facts.table.as_mut().unwrap().push(entry);
        }
        let text = format!("*mangle\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n");
        facts.firewall = read_iptables(Tool::Iptables, &text);
        facts.firewall.is_whole = true;
        facts
    }

    const RULE: &str =
        "-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff";

    #[test]
    fn marks_hide_services() {
        let delete = format!("iptables -t mangle {}", RULE.replace("-A", "-D"));
        let facts = marking(&["-f 1", "-t 192.0.2.1:80"], RULE);
        assert_eq!(found(&facts), format!("likely hidden-by-mark: {delete}"));
        assert_eq!(found(&marking(&["-f 1", "-t 192.0.2.1:81"], RULE)), "");
        assert_eq!(found(&marking(&["-t 192.0.2.1:80"], RULE)), "");
    }

    #[test]
    fn marks_are_set_by_rules() {
        let facts = marking(&["-f 1"], RULE);
        assert_eq!(found(&facts), "");
        let mut facts = marking(&["-f 2"], RULE);
        assert_eq!(found(&facts), "likely mark-unset\nhint mark-unused");
        facts.has_ingress = true;
        assert_eq!(found(&facts), "hint mark-unused");
        facts.has_ingress = false;
        facts.table.as_mut().unwrap()[0].service.stats.connections = 1;
        assert_eq!(found(&facts), "hint mark-unused");
        let some = RULE.replace("0xffffffff", "0xff");
        assert_eq!(found(&marking(&["-f 1"], &some)), "");
    }
}
