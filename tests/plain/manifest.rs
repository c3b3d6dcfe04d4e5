//! What the manifest promises.

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

/// The packages that end up in the program: reached by normal dependencies alone.
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
