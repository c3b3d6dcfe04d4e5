//! The schema of JSON listings: a third-party validator checks our documents against it.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::debian::Debian;
use crate::formats::{RULES, document, with_traffic};
use crate::lab::world::{Namespace, World};
use crate::round_trip::ours;

const SCHEMA: &str = include_str!("../../../packaging/ipvsadm.schema.json");
const VALIDATOR: &str = include_str!("schema.py");

const LISTINGS: [&str; 8] = [
    "-L -j",
    "-L -j -u 10.0.0.1:5060",
    "-L -j --count",
    "-L -j -c",
    "-L -j -c --count",
    "-L -j --timeout",
    "-L -j --daemon",
    "-L -j --totals",
];

pub fn validated(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    let here = with_traffic(world)?;
    let lines = format!("{RULES}--start-daemon master --mcast-interface lo\n");
    here.run(&debian.program("ipvsadm").args(["-R"]).stdin(lines))?
        .success()?;
    let documents = LISTINGS.map(|line| Ok(format!("{}\n", document(&here, line)?)));
    let documents: String = documents
        .into_iter()
        .chain(reports(&here))
        .collect::<Result<_>>()?;
    fs::write(debian.path("tmp/schema.json"), SCHEMA)?;
    fs::write(debian.path("tmp/validator.py"), VALIDATOR)?;
    let validator = debian.program("python3").args(["/tmp/validator.py"]);
    let output = here.run(&validator.stdin(documents))?;
    ensure!(output.stdout == b"True\n", "{output}");
    Ok(())
}

/// The findings in files, whatever the status.
fn reports(here: &Namespace) -> [Result<String>; 4] {
    let files = [
        ("--doctor", ""),
        ("--diff", "-A -t 10.0.0.9:80 -s rr\n"),
        ("--check", "-A -t 10.0.0.9:80 -s rr\n"),
        ("--check", "-A -t 10.0.0.9:80 -x\n"),
    ];
    files.map(|(command, file)| {
        let output = ours(here, &[command, "-j"], file)?;
        let document: Value = serde_json::from_slice(&output.stdout)?;
        Ok(format!("{document}\n"))
    })
}
