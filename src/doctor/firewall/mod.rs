//! The firewall's verdict on a packet, as far as it can be predicted.
//!
//! A rule fits a packet, does not fit it, or may fit it. If an accepting rule may fit, the packet
//! is not reported as dropped, so a reported drop is certain.

mod condition;
mod iptables;
mod nft;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use condition::{Condition, Fit};
pub use iptables::read as read_iptables;
pub use nft::read as read_nft;

use crate::model::{Family, Protocol};

/// The hooks of the firewall in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

/// The state of a packet in connection tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    New,
    Established,
    Invalid,
    Untracked,
}

/// A packet. Fields that are not known may have any value. It does not arrive through lo.
#[derive(Clone, Debug)]
pub struct Packet {
    pub protocol: Protocol,
    pub source: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub destination: Option<IpAddr>,
    pub destination_port: Option<u16>,
    pub out_device: Option<String>,
    pub family: Family,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Drop,
    /// The packet goes through another chain, and returns if it reaches the end of that chain.
    Jump(String),
    /// The packet goes to another chain and does not return.
    Goto(String),
    Return,
    /// The packet gets this mark and goes on.
    Mark(u32),
    /// The packet's source address is translated.
    TranslateSource,
    /// The packet goes on.
    Nothing,
    /// Its effect is unknown.
    Unclear,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub verdict: Verdict,
    /// The rule as its tool shows it.
    pub text: String,
}

/// The tool that wrote a chain, and that may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Iptables,
    Ip6tables,
    /// The legacy tools have rules of their own, in addition to those in nftables.
    IptablesLegacy,
    Ip6tablesLegacy,
    Nft,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Ip6tables => "ip6tables",
            Self::IptablesLegacy => "iptables-legacy",
            Self::Ip6tablesLegacy => "ip6tables-legacy",
            Self::Nft => "nft",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Chain {
    pub tool: Tool,
    /// Such as `filter`, or `inet filter` of nft.
    pub table: String,
    pub name: String,
    /// The hook of a base chain.
    pub hook: Option<Hook>,
    /// Whether packets at its end are dropped.
    pub drops: bool,
    pub rules: Vec<Rule>,
}

/// All chains, by tool, table and name.
#[derive(Clone, Debug, Default)]
pub struct Firewall {
    chains: BTreeMap<(u8, String, String), Chain>,
    /// Whether all rules were seen.
    pub is_whole: bool,
    /// Whether a rule sets a mark whose value is not known.
    pub has_other_marks: bool,
}

/// The rule or policy that drops a packet.
#[derive(Clone, Copy, Debug)]
pub struct Culprit<'a> {
    /// The base chain, where the kernel starts.
    pub chain: &'a Chain,
    /// The rule that drops the packet. `None` if the policy of the base chain does.
    pub rule: Option<(&'a Chain, &'a Rule)>,
}

enum Fate<'a> {
    Accepted,
    Dropped(&'a Chain, &'a Rule),
    /// It came to the end of the chain.
    Passed,
    Unclear,
}

/// The deepest nesting of chains that is followed.
const DEPTH: usize = 16;

impl Firewall {
    pub fn add(&mut self, chain: Chain) {
        let key = (chain.tool as u8, chain.table.clone(), chain.name.clone());
        self.chains.insert(key, chain);
    }

    pub fn chain(&mut self, tool: Tool, table: &str, name: &str) -> Option<&mut Chain> {
        let key = (tool as u8, table.to_owned(), name.to_owned());
        self.chains.get_mut(&key)
    }

    pub fn merge(&mut self, other: Self) {
        self.chains.extend(other.chains);
        self.has_other_marks |= other.has_other_marks;
    }

    /// The rule or policy that drops a packet at one of these hooks.
    pub fn culprit(&self, hooks: &[Hook], packet: &Packet) -> Option<Culprit<'_>> {
        let mut begins = self.chains.values();
        begins.find_map(|chain| {
            let is_met = chain.hook.is_some_and(|hook| hooks.contains(&hook));
            if !is_met || !chain.sees(packet.family) {
                return None;
            }
            let rule = match self.walk(chain, packet, DEPTH) {
                Fate::Dropped(chain, rule) => Some((chain, rule)),
                Fate::Passed if chain.drops => None,
                Fate::Passed | Fate::Accepted | Fate::Unclear => return None,
            };
            Some(Culprit { chain, rule })
        })
    }

    fn walk<'a>(&'a self, chain: &'a Chain, packet: &Packet, depth: usize) -> Fate<'a> {
        for rule in &chain.rules {
            let fit = rule.fits(packet);
            let fate = match &rule.verdict {
                _ if fit == Fit::No => continue,
                Verdict::Mark(_) | Verdict::TranslateSource | Verdict::Nothing => continue,
                Verdict::Accept => Fate::Accepted,
                Verdict::Drop => Fate::Dropped(chain, rule),
                Verdict::Return => Fate::Passed,
                Verdict::Unclear => Fate::Unclear,
                Verdict::Jump(name) => match self.called(chain, name, packet, depth) {
                    Fate::Passed => continue,
                    fate => fate,
                },
                Verdict::Goto(name) => self.called(chain, name, packet, depth),
            };
            match fate {
                fate if fit == Fit::Yes => return fate,
                // It drops some packets, but perhaps not this one.
                Fate::Dropped(..) => {}
                Fate::Accepted | Fate::Passed | Fate::Unclear => return Fate::Unclear,
            }
        }
        Fate::Passed
    }

    /// The verdict on a packet in another chain of the same table.
    fn called<'a>(&'a self, chain: &Chain, name: &str, packet: &Packet, depth: usize) -> Fate<'a> {
        let key = (chain.tool as u8, chain.table.clone(), name.to_owned());
        match self.chains.get(&key) {
            Some(next) if depth > 0 => self.walk(next, packet, depth - 1),
            Some(_) | None => Fate::Unclear,
        }
    }

    /// A rule that translates the source address of a packet as it leaves.
    pub fn translates_source(&self, packet: &Packet) -> Option<(&Chain, &Rule)> {
        // Rules that match packets of IPVS are meant for them, whatever their other conditions are.
        let is_meant = |rule: &Rule| rule.text.contains(" -m ipvs ");
        self.rules().find(|(chain, rule)| {
            let fits = rule.fits(packet) == Fit::Yes || is_meant(rule);
            rule.verdict == Verdict::TranslateSource && chain.sees(packet.family) && fits
        })
    }

    /// All rules with their chains.
    pub fn rules(&self) -> impl Iterator<Item = (&Chain, &Rule)> {
        let chains = self.chains.values();
        chains.flat_map(|chain| chain.rules.iter().map(move |rule| (chain, rule)))
    }
}

impl Chain {
    pub fn sees(&self, family: Family) -> bool {
        match self.tool {
            Tool::Iptables | Tool::IptablesLegacy => family == Family::V4,
            Tool::Ip6tables | Tool::Ip6tablesLegacy => family == Family::V6,
            Tool::Nft => match self.table.split_once(' ') {
                Some(("ip", _)) => family == Family::V4,
                Some(("ip6", _)) => family == Family::V6,
                Some(("inet", _)) => true,
                _ => false,
            },
        }
    }

    /// The command that shows it.
    pub fn shown_by(&self) -> String {
        let (table, name) = (&self.table, &self.name);
        if self.tool == Tool::Nft {
            return format!("nft -a list chain {table} {name}");
        }
        format!("{} -t {table} -S {name}", self.tool.name())
    }

    /// The command that deletes one of its rules.
    pub fn without(&self, rule: &Rule) -> String {
        let (table, name) = (&self.table, &self.name);
        match rule.text.strip_prefix("-A ") {
            Some(rest) => format!("{} -t {table} -D {rest}", self.tool.name()),
            None => format!("nft delete rule {table} {name} {}", rule.text),
        }
    }

    /// The command that lets a packet through, before all other rules.
    pub fn let_through(&self, packet: &Packet) -> String {
        let (table, name) = (&self.table, &self.name);
        let family = match packet.family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        };
        let protocol = packet.protocol.to_string();
        let protocol = protocol.as_str();
        if self.tool == Tool::Nft {
            let mut line = format!("nft insert rule {table} {name}");
            let words = [
                (packet.source.map(|to| to.to_string()), family, "saddr"),
                (packet.destination.map(|to| to.to_string()), family, "daddr"),
                (number(packet.source_port), protocol, "sport"),
                (number(packet.destination_port), protocol, "dport"),
            ];
            for (value, of, field) in words {
                line += &value.map_or(String::new(), |value| format!(" {of} {field} {value}"));
            }
            return line + " accept";
        }
        let mut line = format!("{} -t {table} -I {name}", self.tool.name());
        let words = [
            (packet.source.map(|to| to.to_string()), "-s"),
            (packet.destination.map(|to| to.to_string()), "-d"),
            (Some(protocol.to_owned()), "-p"),
            (number(packet.source_port), "--sport"),
            (number(packet.destination_port), "--dport"),
        ];
        for (value, option) in words {
            line += &value.map_or(String::new(), |value| format!(" {option} {value}"));
        }
        line + " -j ACCEPT"
    }
}

/// The port as text. `None` for port 0, which stands for every port.
fn number(port: Option<u16>) -> Option<String> {
    port.filter(|&port| port != 0).map(|port| port.to_string())
}

impl Rule {
    pub fn fits(&self, packet: &Packet) -> Fit {
        let fits = self
            .conditions
            .iter()
            .map(|condition| condition.fits(packet));
        fits.min().unwrap_or(Fit::Yes)
    }
}

#[cfg(test)]
mod tests;
