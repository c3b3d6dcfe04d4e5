//! The findings: one pure function each, next to its paragraph of the manual.

mod addresses;
mod firewall;
mod marks;
mod real_server;
mod settings;
mod table;
mod traffic;

use std::collections::{HashMap, HashSet};

use super::facts::{Facts, path};
use crate::model::{ServerId, ServiceId, sort_by_key};

/// How certain it is that the problem stops traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Certain,
    Likely,
    /// It may be intended.
    Hint,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Hint => "hint",
        }
    }
}

/// One thing to check.
pub struct Check {
    pub name: &'static str,
    /// Why it matters. Reports and the manual show it.
    pub why: &'static str,
    judge: fn(&Facts) -> Vec<Found>,
}

/// What one check found in one place. Results with the same level and the same words become one
/// finding with the evidence of all places.
#[derive(Clone)]
struct Found {
    level: Level,
    what: String,
    evidence: Vec<(String, String)>,
    fix: Vec<String>,
}

/// A problem, as reports describe it.
pub struct Finding {
    pub name: &'static str,
    pub why: &'static str,
    pub level: Level,
    pub what: String,
    /// The places where it was seen, and the values found there.
    pub evidence: Vec<(String, String)>,
    /// Commands that fix it.
    pub fix: Vec<String>,
}

impl Finding {
    /// Whether it follows from another finding, and adds little to it.
    fn is_symptom(&self) -> bool {
        self.name == traffic::HALF_OPEN
    }
}

/// All checks by subject, the worst problems first.
pub const GROUPS: &[(&str, &[Check])] = &[
    ("The table", table::CHECKS),
    ("Addresses and routes", addresses::CHECKS),
    ("The firewall", firewall::CHECKS),
    ("Marks", marks::CHECKS),
    ("Connections", traffic::CHECKS),
    ("Settings", settings::CHECKS),
    ("On a real server", real_server::CHECKS),
];

/// The findings, the most certain first.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = GROUPS
        .iter()
        .flat_map(|(_, checks)| *checks)
        .flat_map(|check| {
            let found = grouped((check.judge)(facts)).into_iter();
            found.map(|found| Finding {
                name: check.name,
                why: check.why,
                level: found.level,
                what: found.what,
                evidence: found.evidence,
                fix: found.fix,
            })
        })
        .collect();
    sort_by_key(&mut findings, |finding| finding.level);
    let explains = |finding: &Finding| finding.level < Level::Hint && !finding.is_symptom();
    if findings.iter().any(explains) {
        findings.retain(|finding| !finding.is_symptom());
    }
    findings
}

fn grouped(found: Vec<Found>) -> Vec<Found> {
    let mut groups: Vec<Found> = Vec::new();
    let mut places: HashMap<(Level, String), usize> = HashMap::new();
    for one in found {
        let next = groups.len();
        let place = *places.entry((one.level, one.what.clone())).or_insert(next);
        match groups.get_mut(place) {
            Some(group) => {
                group.evidence.extend(one.evidence);
                group.fix.extend(one.fix);
            }
            None => groups.push(one),
        }
    }
    for group in &mut groups {
        let (mut seen, mut done) = (HashSet::new(), HashSet::new());
        group.evidence.retain(|item| seen.insert(item.clone()));
        group.fix.retain(|command| done.insert(command.clone()));
    }
    groups
}

/// The evidence that a service has a server.
fn listed(id: ServiceId, server: ServerId) -> (String, String) {
    (format!("ipvsadm -Ln {id}"), server.to_string())
}

/// The evidence of one setting.
fn setting(facts: &Facts, name: &str) -> (String, String) {
    let value = facts.sysctls.get(name).cloned();
    (path(name), value.unwrap_or_default())
}

#[cfg(test)]
mod made_up;
