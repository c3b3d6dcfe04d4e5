//! Writes findings as text and as JSON. `ipvsadm-json.5` describes the JSON.

use std::io;

use serde::Serialize;

use super::facts::Facts;
use super::findings::Finding;
use crate::render::screen::count;
use crate::render::{Json, Out};

/// The text shows at most this many places of one finding.
const SHOWN: usize = 8;

/// Explanations are wrapped at this width, or at that of a narrower terminal.
const WIDTH: usize = 80;

/// A paragraph for each finding. On a terminal of this width its first line is wrapped too.
pub fn text(findings: &[Finding], terminal: Option<usize>) -> String {
    let paragraphs = findings.iter().map(|finding| paragraph(finding, terminal));
    paragraphs.collect::<Vec<String>>().join("\n")
}

fn paragraph(finding: &Finding, terminal: Option<usize>) -> String {
    let Finding {
        name, level, what, ..
    } = finding;
    let label = format!("{}: ", level.word());
    let width = terminal.unwrap_or(usize::MAX);
    let mut lines = wrapped(&label, &format!("{what} ({name})"), width);
    lines += &wrapped("  why:  ", finding.why, width.min(WIDTH));
    for (place, value) in finding.evidence.iter().take(SHOWN) {
        lines += &format!("  seen: {place}: {value}\n");
    }
    match finding.evidence.len().saturating_sub(SHOWN) {
        0 => {}
        more => lines += &format!("  seen: and {more} more\n"),
    }
    for command in &finding.fix {
        lines += &format!("  fix:  {command}\n");
    }
    lines
}

/// Wraps text behind a label. The lines after the first are indented by the length of the label.
fn wrapped(label: &str, text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = label.to_owned();
    for word in text.split(' ') {
        if line.len() > label.len() {
            if line.len() + 1 + word.len() > width {
                lines += &line;
                lines.push('\n');
                line = " ".repeat(label.len());
            } else {
                line.push(' ');
            }
        }
        line += word;
    }
    lines + &line + "\n"
}

/// Tells users that nothing is wrong, and what was examined.
pub fn all_is_well(facts: &Facts) -> String {
    let rules = (facts.firewall.rules().count(), "firewall rule");
    let seen = match facts.real_server {
        Some(_) => vec![rules],
        None => vec![
            (facts.entries().count(), "service"),
            (
                facts.entries().map(|entry| entry.servers.len()).sum(),
                "server",
            ),
            (facts.connections.len(), "connection"),
            rules,
        ],
    };
    let seen = seen.into_iter().filter(|(number, _)| *number > 0);
    let seen: Vec<String> = seen.map(|(number, what)| count(number, what)).collect();
    let seen = seen.join(", ");
    let server = facts.real_server.map(|real| real.vip.address);
    match (server, seen.is_empty()) {
        (Some(vip), true) => format!("nothing wrong found with this server of {vip}\n"),
        (Some(vip), false) => format!("nothing wrong found with this server of {vip}: {seen}\n"),
        (None, true) => "nothing wrong found\n".to_owned(),
        (None, false) => format!("nothing wrong found: {seen}\n"),
    }
}

/// All findings, and what could not be examined.
pub fn json(out: &mut Out, findings: &[Finding], unseen: &[String]) -> io::Result<()> {
    let mut json = Json::default();
    json.begin(out, "", "findings");
    for finding in findings {
        json.add(out, &Item::from(finding))?;
    }
    json.next_list(out, "unseen")?;
    for text in unseen {
        json.add(out, text)?;
    }
    json.end(out)
}

#[derive(Serialize)]
struct Item<'a> {
    level: &'static str,
    name: &'static str,
    what: &'a str,
    why: &'static str,
    evidence: Vec<Evidence<'a>>,
    fix: &'a [String],
}

#[derive(Serialize)]
struct Evidence<'a> {
    place: &'a str,
    value: &'a str,
}

impl<'a> From<&'a Finding> for Item<'a> {
    fn from(finding: &'a Finding) -> Self {
        let evidence = finding.evidence.iter();
        Self {
            level: finding.level.word(),
            name: finding.name,
            what: &finding.what,
            why: finding.why,
            evidence: evidence
                .map(|(place, value)| Evidence { place, value })
                .collect(),
            fix: &finding.fix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::model::{Entry, Protocol, Service, ServiceId, ServiceState, Stats};

    #[test]
    fn success_names_what_was_examined() {
        let mut facts = Facts::default();
        assert_eq!(all_is_well(&facts), "nothing wrong found\n");
        let service = ServiceId::address(Protocol::TCP, "192.0.2.1:80".parse().unwrap());
        let stats = Stats::default();
        facts.table = Some(vec![Entry {
            service: ServiceState {
                service: Service::new(service),
                stats,
            },
            servers: Vec::new(),
        }]);
        assert_eq!(all_is_well(&facts), "nothing wrong found: 1 service\n");
    }

    #[test]
    fn reasons_are_wrapped_and_commands_are_not() {
        let long = "ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.1:80 --keep -w 0 ".repeat(2);
        let finding = Finding {
            name: "name",
            why: "\
                Because of something that takes a whole sentence to explain, and so does not fit \
                one line of a terminal.",
            level: Level::Likely,
            what: "something".to_owned(),
            evidence: (0..10).map(|n| (n.to_string(), "1".to_owned())).collect(),
            fix: vec![long.clone()],
        };
        let narrow = text(std::slice::from_ref(&finding), Some(30));
        assert!(narrow.starts_with("likely: something (name)\n  why:  Because of something\n"));
        assert!(
            text(std::slice::from_ref(&finding), Some(20))
                .starts_with("likely: something\n        (name)\n")
        );
        let text = text(&[finding], None);
        assert!(text.starts_with("likely: something (name)\n  why:  Because "));
        assert!(text.contains("\n        "), "{text}");
        assert!(text.contains("  seen: 7: 1\n  seen: and 2 more\n"));
        assert!(text.ends_with(&format!("  fix:  {long}\n")));
        let lines = text.lines().filter(|line| !line.contains("fix"));
        assert!(lines.clone().all(|line| line.len() <= WIDTH), "{text}");
    }
}
