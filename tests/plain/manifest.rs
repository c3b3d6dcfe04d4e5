//! The promises of the manifest.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use serde_json::Value;

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The packages in the program: those reached through normal dependencies only.
fn runtime_packages(metadata: &Value) -> Vec<&Value> {
    let nodes: HashMap<&str, &Value> = list(&metadata["resolve"], "nodes")
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let mut reached = HashSet::new();
    let mut waiting = vec![metadata["resolve"]["root"].as_str().unwrap()];
    while let Some(id) = waiting.pop() {
        if !reached.insert(id) {
            continue;
        }
        let is_normal = |dependency: &&Value| {
            list(dependency, "dep_kinds")
                .iter()
                .any(|kind| kind["kind"].is_null())
        };
        let dependencies = list(nodes[id], "deps").iter().filter(is_normal);
        waiting.extend(dependencies.map(|dependency| dependency["pkg"].as_str().unwrap()));
    }
    list(metadata, "packages")
        .iter()
        .filter(|package| reached.contains(package["id"].as_str().unwrap()))
        .collect()
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn no_crate_of_the_program_asks_for_a_newer_compiler() {
    let metadata = metadata();
    let packages = runtime_packages(&metadata);
    assert!(packages.len() > 5, "the dependencies were not found");
    let ours = packages
        .iter()
        .find(|package| package["name"] == "ipvsadm")
        .unwrap();
    let promised = version(ours["rust_version"].as_str().unwrap());
    for package in packages {
        if let Some(asked) = package["rust_version"].as_str() {
            assert!(
                version(asked) <= promised,
                "{} asks for {asked}",
                package["name"]
            );
        }
    }
}

/// Licences that allow distribution within a program under MIT, on conditions that are met.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether one of alternative licences, or each of combined ones, is known.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    let mut parts = expression.split(" AND ");
    parts.all(|part| {
        let mut choices = part.split(" OR ").map(str::trim);
        choices.any(|choice| LICENCES.contains(&choice))
    })
}

#[test]
fn every_licence_is_compatible() {
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0") && is_allowed("Unlicense/MIT"));
    assert!(!is_allowed("GPL-2.0-only") && !is_allowed("MIT AND MPL-2.0"));
    let metadata = metadata();
    for package in list(&metadata, "packages") {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence), "{}: {licence}", package["name"]);
    }
}

/// Builds are repeatable: every crate comes from the registry with a checksum.
#[test]
fn every_crate_is_pinned() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("a lock file");
    let packages = lock.split("[[package]]").skip(1);
    let foreign: Vec<&str> = packages
        .filter(|entry| !entry.contains("name = \"ipvsadm\""))
        .collect();
    assert!(foreign.len() > 5, "the lock file is empty");
    for entry in foreign {
        assert!(
            entry.contains("source = \"registry+") && entry.contains("checksum = "),
            "{entry}"
        );
    }
}
