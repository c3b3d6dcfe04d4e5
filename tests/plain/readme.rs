//! The claims of the README, the page of differences and the contributor's page are true.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

const README: &str = include_str!("../../README.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const DIFFERENCES: &str = include_str!("../../DIFFERENCES.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts in backticks within a line.
fn quoted() -> Vec<&'static str> {
    let pages = [README, CONTRIBUTING, DIFFERENCES];
    let lines = pages.iter().flat_map(|page| page.lines());
    lines
        .filter(|line| !line.starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// The titles of the cases in a file.
fn titles(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("text");
    let titles = text.lines().filter_map(|line| line.strip_prefix("== "));
    titles.map(str::to_owned).collect()
}

fn case_files() -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(root().join("tests/cases")).expect("the cases are there");
    files.flatten().map(|file| file.path())
}

/// Every case that the page names in italics exists, and the page names every case of a difference.
#[test]
fn differences_have_their_cases() {
    let text = DIFFERENCES.replace("\n  ", " ").replace("**", "");
    let named: HashSet<&str> = text.split('*').skip(1).step_by(2).collect();
    let cases: HashSet<String> = case_files().flat_map(|file| titles(&file)).collect();
    for name in &named {
        assert!(*name == "italics" || cases.contains(*name), "{name}");
    }
    for title in titles(&root().join("tests/cases/differences.case")) {
        assert!(named.contains(&*title), "{title}");
    }
}

#[test]
fn the_number_of_cases_is_right() {
    let (_, behind) = README.split_once("more than ").expect("it gives a number");
    let (claimed, _) = behind.split_once(" cases").expect("it counts cases");
    let cases: usize = case_files().map(|file| titles(&file).len()).sum();
    assert!(cases > claimed.parse().expect("a number"), "{cases}");
}

#[test]
fn every_crate_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    for section in ["[dependencies]\n", "[dev-dependencies]\n"] {
        let (_, behind) = manifest.split_once(section).expect("a section");
        let (lines, _) = behind.split_once("\n\n").expect("its end");
        for line in lines.lines() {
            let (name, _) = line.split_once(" = ").expect("a crate");
            assert!(quoted().contains(&name), "{name}");
        }
    }
}

/// Compared as a file that the service reads, with comments on separate lines.
#[test]
fn the_settings_of_the_service_are_its_defaults() {
    let (_, behind) = README.split_once("```ini\n").expect("settings");
    let (shown, _) = behind.split_once("```").expect("their end");
    let shown = shown.lines().filter(|line| !line.starts_with('#'));
    let unit =
        include_str!("../../packaging/ipvsadm.service").replace("@rules@", "/etc/ipvsadm.rules");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let mut defaults: Vec<_> = lines.flat_map(|line| line.split(' ')).collect();
    let mut shown: Vec<_> = shown.collect();
    shown.sort_unstable();
    defaults.sort_unstable();
    assert_eq!(shown, defaults);
}

#[test]
fn every_named_file_exists() {
    let folders = ["tests/", "man/", "packaging/", "completions/"];
    let source = ["app/", "cli/", "model/", "kernel/", "render/", "rules/"];
    let mut found = 0;
    for text in quoted() {
        let name = text.split(' ').next().unwrap_or_default();
        let path = match name {
            _ if source.iter().any(|folder| name.starts_with(folder)) => {
                root().join("src").join(name)
            }
            _ if folders.iter().any(|folder| name.starts_with(folder)) => root().join(name),
            _ if name.ends_with(".rs") && !name.contains('/') => root().join("src").join(name),
            _ => continue,
        };
        found += 1;
        assert!(path.exists(), "{name}");
    }
    assert!(found > 10, "{found}");
}
