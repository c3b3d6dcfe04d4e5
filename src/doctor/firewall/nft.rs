//! The rules of nftables, as `nft -j list ruleset` prints them.

use std::collections::HashMap;

use serde_json::Value;

use super::condition::Condition;
use super::{Chain, Firewall, Hook, Rule, State, Tool, Verdict};
use crate::model::{Family, Network, Protocol};

/// The elements of named sets, by table and name.
type Sets<'a> = HashMap<(String, &'a str), &'a Value>;

/// Reads the list. `None` if the text is not one.
pub fn read(text: &str) -> Option<Firewall> {
    let document: Value = serde_json::from_str(text).ok()?;
    let objects = document.get("nftables")?.as_array()?;
    let of_kind = |kind| objects.iter().filter_map(move |object| object.get(kind));
    let sets = of_kind("set").filter_map(|set| {
        let name = set.get("name")?.as_str()?;
        Some(((table(set)?, name), set.get("elem")?))
    });
    let sets: Sets = sets.collect();
    let mut firewall = Firewall::default();
    for chain in of_kind("chain").filter_map(chain) {
        firewall.add(chain);
    }
    for rule in of_kind("rule") {
        add(&mut firewall, rule, &sets);
    }
    Some(firewall)
}

fn table(object: &Value) -> Option<String> {
    let word = |key| object.get(key)?.as_str();
    Some(format!("{} {}", word("family")?, word("table")?))
}

fn chain(object: &Value) -> Option<Chain> {
    let word = |key| object.get(key).and_then(Value::as_str);
    Some(Chain {
        tool: Tool::Nft,
        table: table(object)?,
        name: word("name")?.to_owned(),
        hook: word("hook").and_then(hook),
        drops: word("policy") == Some("drop"),
        rules: Vec::new(),
    })
}

fn hook(name: &str) -> Option<Hook> {
    Some(match name {
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        "output" => Hook::Output,
        "postrouting" => Hook::Postrouting,
        _ => return None,
    })
}

/// Adds a rule to its chain.
fn add(firewall: &mut Firewall, object: &Value, sets: &Sets) -> Option<()> {
    let table = table(object)?;
    let name = object.get("chain")?.as_str()?;
    let handle = object.get("handle")?.as_u64()?;
    let mut rule = Rule {
        conditions: Vec::new(),
        verdict: Verdict::Nothing,
        text: format!("handle {handle}"),
    };
    let mut rules = Vec::new();
    for statement in object.get("expr")?.as_array()? {
        let (kind, value) = statement.as_object()?.iter().next()?;
        match kind.as_str() {
            "match" => {
                let condition = condition(value, &table, sets);
                rule.conditions
                    .push(condition.unwrap_or(Condition::Unknown));
            }
            "vmap" => rules.extend(cases(&rule, value, &table, sets)),
            "mangle" => {
                let mark = marks(value);
                firewall.has_other_marks |= mark == Some(None);
                if let Some(Some(mark)) = mark {
                    rule.verdict = Verdict::Mark(mark);
                }
            }
            kind => match verdict(kind, value) {
                Some(Verdict::Nothing) => {}
                Some(verdict) => {
                    // A rule that sets a mark and also has a verdict becomes two rules.
                    if let Verdict::Mark(_) = rule.verdict {
                        rules.push(rule.clone());
                    }
                    rule.verdict = verdict;
                }
                None => rule.conditions.push(Condition::Unknown),
            },
        }
    }
    rules.push(rule);
    firewall.chain(Tool::Nft, &table, name)?.rules.extend(rules);
    Some(())
}

/// A rule for each case of a verdict map.
fn cases(rule: &Rule, map: &Value, table: &str, sets: &Sets) -> Vec<Rule> {
    let case = |pair: &Value| {
        let [key, verdict_of] = pair.as_array()?.as_slice() else {
            return None;
        };
        let (kind, value) = verdict_of.as_object()?.iter().next()?;
        let left = map.get("key")?;
        let mut rule = rule.clone();
        rule.conditions
            .push(of_field(left, key, table, sets).unwrap_or(Condition::Unknown));
        rule.verdict = verdict(kind, value).unwrap_or(Verdict::Unclear);
        Some(rule)
    };
    let pairs = map.get("data").and_then(|data| data.get("set"));
    let pairs = pairs.and_then(Value::as_array);
    let known: Option<Vec<Rule>> = pairs.and_then(|pairs| pairs.iter().map(case).collect());
    known.unwrap_or_else(|| {
        let mut rule = rule.clone();
        rule.verdict = Verdict::Unclear;
        vec![rule]
    })
}

/// The mark that a statement sets. `None` if it sets something else, `Some(None)` if the value of
/// the mark is not known.
fn marks(statement: &Value) -> Option<Option<u32>> {
    let key = statement.get("key")?.get("meta")?.get("key")?;
    if key.as_str() != Some("mark") {
        return None;
    }
    let value = statement.get("value").and_then(Value::as_u64);
    Some(value.and_then(|mark| u32::try_from(mark).ok()))
}

/// The verdict of a statement; `None` for an unknown condition.
fn verdict(kind: &str, value: &Value) -> Option<Verdict> {
    let to = |verdict: fn(String) -> Verdict| {
        let name = value.get("target").and_then(Value::as_str);
        name.map_or(Verdict::Unclear, |name| verdict(name.to_owned()))
    };
    Some(match kind {
        "accept" => Verdict::Accept,
        "drop" | "reject" => Verdict::Drop,
        "jump" => to(Verdict::Jump),
        "goto" => to(Verdict::Goto),
        "return" => Verdict::Return,
        "snat" | "masquerade" => Verdict::TranslateSource,
        "queue" => Verdict::Unclear,
        "counter" | "log" | "notrack" | "dnat" | "redirect" | "ct helper" | "set" | "flow"
        | "continue" | "comment" => Verdict::Nothing,
        _ => return None,
    })
}

fn condition(matching: &Value, table: &str, sets: &Sets) -> Option<Condition> {
    let operator = matching.get("op")?.as_str()?;
    let condition = of_field(matching.get("left")?, matching.get("right")?, table, sets)?;
    match operator {
        "==" | "in" => Some(condition),
        "!=" => Some(Condition::Not(Box::new(condition))),
        _ => None,
    }
}

fn of_field(left: &Value, right: &Value, table: &str, sets: &Sets) -> Option<Condition> {
    let values = values(right, table, sets)?;
    let mut values = values.into_iter();
    if let Some(payload) = left.get("payload") {
        let word = |key| payload.get(key)?.as_str();
        return Some(match (word("protocol")?, word("field")?) {
            ("ip" | "ip6", "saddr") => {
                Condition::Sources(values.map(network).collect::<Option<_>>()?)
            }
            ("ip" | "ip6", "daddr") => {
                Condition::Destinations(values.map(network).collect::<Option<_>>()?)
            }
            ("ip", "protocol") | ("ip6", "nexthdr") => {
                Condition::Protocols(values.map(protocol).collect::<Option<_>>()?)
            }
            ("tcp" | "udp" | "th" | "sctp", "sport") => {
                Condition::SourcePorts(values.map(ports).collect::<Option<_>>()?)
            }
            ("tcp" | "udp" | "th" | "sctp", "dport") => {
                Condition::DestinationPorts(values.map(ports).collect::<Option<_>>()?)
            }
            _ => return None,
        });
    }
    if let Some(ct) = left.get("ct") {
        let is_state = ct.get("key")?.as_str()? == "state";
        return is_state.then(|| Condition::States(values.filter_map(state).collect()));
    }
    let key = left.get("meta")?.get("key")?.as_str()?;
    let (first, None) = (values.next()?, values.next()) else {
        let protocols = right.get("set")?.as_array()?.iter().map(protocol);
        return (key == "l4proto")
            .then_some(Condition::Protocols(protocols.collect::<Option<_>>()?));
    };
    let word = first.as_str();
    Some(match key {
        "l4proto" => Condition::Protocols(vec![protocol(first)?]),
        "nfproto" => Condition::Family(match word? {
            "ipv4" => Family::V4,
            _ => Family::V6,
        }),
        "iifname" | "iif" => Condition::From(word?.to_owned()),
        "oifname" | "oif" => Condition::Through(word?.to_owned()),
        _ => return None,
    })
}

/// The values that a field may have: one, a list, a set, or those of a named set.
fn values<'a>(right: &'a Value, table: &str, sets: &Sets<'a>) -> Option<Vec<&'a Value>> {
    if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
        let set = sets.get(&(table.to_owned(), name))?;
        return Some(set.as_array()?.iter().map(element).collect());
    }
    let list = right.get("set").unwrap_or(right);
    Some(match list.as_array() {
        Some(items) => items.iter().map(element).collect(),
        None => vec![list],
    })
}

/// An element of a set may be wrapped with its timeout or comment.
fn element(value: &Value) -> &Value {
    let inner = value.get("elem").and_then(|elem| elem.get("val"));
    inner.unwrap_or(value)
}

fn network(value: &Value) -> Option<Network> {
    if let Some(prefix) = value.get("prefix") {
        let address = prefix.get("addr")?.as_str()?.parse().ok()?;
        let bits = u32::try_from(prefix.get("len")?.as_u64()?).ok()?;
        return Some(Network { address, bits });
    }
    Network::read(value.as_str()?)
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    if let Some(range) = value.get("range") {
        return Some((port(range.get(0)?)?, port(range.get(1)?)?));
    }
    port(value).map(|port| (port, port))
}

fn protocol(value: &Value) -> Option<Protocol> {
    match value.as_str() {
        // Protocols that IPVS does not balance.
        Some("icmp") => Some(Protocol(1)),
        Some("ipv6-icmp" | "icmpv6") => Some(Protocol(58)),
        Some("vrrp") => Some(Protocol(112)),
        Some(word) => word.parse().ok(),
        None => u16::try_from(value.as_u64()?).ok().map(Protocol),
    }
}

fn state(value: &Value) -> Option<State> {
    Some(match value.as_str()? {
        "new" => State::New,
        "established" => State::Established,
        "invalid" => State::Invalid,
        "untracked" => State::Untracked,
        _ => return None,
    })
}
