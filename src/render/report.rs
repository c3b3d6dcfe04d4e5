//! The results of `--diff` and `--check` for programs, as described in `ipvsadm-json.5`.

use std::io;

use serde::Serialize;

use super::json::Json;
use super::out::Out;
use super::save;
use super::steps::CutConnections;
use crate::model::difference::{Cost, Step};

/// The steps, with the number of connections that each cuts.
pub fn steps(
    out: &mut Out,
    steps: &[Step],
    cut: impl Fn(&Step) -> CutConnections,
) -> io::Result<()> {
    let mut json = Json::default();
    json.begin(out, "", "changes");
    for step in steps {
        let cut = cut(step);
        let costs = step.costs.iter().filter(|cost| cut.is_paid(cost));
        json.add(
            out,
            &Change {
                line: save::is_sayable(&step.change).then(|| line(&step.change)),
                costs: costs.map(word).collect(),
                cut_connections: cut.connections,
            },
        )?;
    }
    json.end(out)
}

fn line(change: &crate::model::Change) -> String {
    String::from_utf8_lossy(&save::line(change)).into_owned()
}

/// The errors and warnings of a file, with their lines.
pub fn findings(
    out: &mut Out,
    errors: &[(usize, String)],
    warnings: &[(usize, String)],
) -> io::Result<()> {
    let mut json = Json::default();
    json.begin(out, "", "errors");
    for finding in errors {
        json.add(out, &Finding::from(finding))?;
    }
    json.next_list(out, "warnings")?;
    for finding in warnings {
        json.add(out, &Finding::from(finding))?;
    }
    json.end(out)
}

fn word(cost: &Cost) -> &'static str {
    match cost {
        Cost::Scheduler => "scheduler",
        Cost::Mask => "netmask",
        Cost::Forwarding => "forwarding",
        Cost::TakesOver(_) => "takeover",
        Cost::Cuts => "connections",
    }
}

#[derive(Serialize)]
struct Change {
    line: Option<String>,
    costs: Vec<&'static str>,
    cut_connections: u64,
}

#[derive(Serialize)]
struct Finding<'a> {
    line: usize,
    text: &'a str,
}

impl<'a> From<&'a (usize, String)> for Finding<'a> {
    fn from((line, text): &'a (usize, String)) -> Self {
        Self { line: *line, text }
    }
}
