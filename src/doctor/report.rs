//! Findings for people and for programs, as `ipvsadm-json.5` describes them.

use std::io;

use serde::Serialize;

use super::findings::Finding;
use crate::render::{Json, Out};

/// A paragraph for each finding.
pub fn text(findings: &[Finding]) -> String {
    let paragraphs = findings.iter().map(|finding| {
        let mut lines = format!(
            "{}: {} ({})\n",
            finding.level.word(),
            finding.what,
            finding.name
        );
        lines += &format!("  why:  {}\n", finding.why);
        for (place, value) in &finding.evidence {
            lines += &format!("  seen: {place}: {value}\n");
        }
        for command in &finding.mend {
            lines += &format!("  mend: {command}\n");
        }
        lines
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// All findings, and what could not be looked at.
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
    mend: &'a [String],
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
            mend: &finding.mend,
        }
    }
}
