//! The code is formatted, clippy has no complaints, and the compiler finds all uses of a new
//! command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn cargo(words: &[&str]) {
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(words)
        .status()
        .expect("cargo runs");
    let command = words[0];
    assert!(
        status.success(),
        "`cargo {}` failed; if there is no `cargo {command}`: rustup component add rustfmt clippy",
        words.join(" ")
    );
}

#[test]
fn formatted() {
    cargo(&["fmt", "--check"]);
}

#[test]
fn clippy_is_silent() {
    let everything: &[&str] = &["--all-targets"];
    let library = &["--lib", "--no-default-features"];
    for what in [everything, library] {
        let words = [&["clippy", "--quiet"], what, &["--", "-D", "warnings"]];
        cargo(&words.concat());
    }
}

/// A wildcard would silently cover commands and changes that are added later. An `if let` may ask
/// for one of them.
#[test]
fn commands_and_changes_are_matched_without_wildcards() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let program = files_below(&source).into_iter();
    for file in program.filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(&file).expect("a source file");
        let program = text.split("#[cfg(test)]\nmod tests").next();
        let wildcards = wildcards(program.unwrap_or_default()).into_iter();
        found.extend(wildcards.map(|pattern| (file.clone(), pattern)));
    }
    assert!(found.is_empty(), "{found:?}");
    let example = "\
match (change, it) {
    (
        Change::Flush,
        true,
    ) => {
        1
    }
    other => 2,
}";
    assert_eq!(wildcards(example), ["other"]);
    let second = "\
match (way, change) {
    (Way::Netlink, Change::Flush | Change::Zero(a, b)) => 1,
    (Way::Netlink, _) => 2,
}";
    assert_eq!(wildcards(second), ["_"]);
    let own = "impl Verb {\n    match self {\n        Self::Zero => 1,\n        _ => 2,\n    }\n}";
    assert_eq!(wildcards(own), ["_"]);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The patterns that match anything next to others that match a command or a change.
fn wildcards(text: &str) -> Vec<String> {
    const ENUMS: [&str; 4] = ["Command", "Change", "Verb", "Subject"];
    let is_one = |name: &&str, pattern: &str| {
        let is_self = || pattern.contains("Self::") && text.contains(&format!("impl {name} {{"));
        pattern.contains(&format!("{name}::")) || is_self()
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut wildcards = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if !line.contains("match ") || !line.ends_with('{') {
            continue;
        }
        let patterns = patterns(&lines[number + 1..], indent(line));
        let is_ours = |pattern: &str| ENUMS.iter().any(|name| is_one(name, pattern));
        let takes_all = |pattern: &str| {
            let mut letters = pattern.chars();
            letters.all(|c| c == '_' || c.is_ascii_lowercase())
        };
        let parts: Vec<Vec<&str>> = patterns.iter().map(|pattern| parts(pattern)).collect();
        let places = 0..parts.iter().map(Vec::len).max().unwrap_or_default();
        for place in places {
            // A name in place of a tuple takes all of it.
            let there = parts.iter().map(|parts| parts.get(place).or(parts.first()));
            let there: Vec<&str> = there.flatten().copied().collect();
            if there.iter().any(|part| is_ours(part)) {
                let found = there.into_iter().filter(|part| takes_all(part));
                wildcards.extend(found.map(str::to_owned));
            }
        }
    }
    wildcards
}

/// The patterns in a tuple, or the only one.
fn parts(pattern: &str) -> Vec<&str> {
    let tuple = pattern
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let Some(tuple) = tuple else {
        return vec![pattern];
    };
    let mut depth = 0;
    let is_between = |c: char| {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        depth == 0 && c == ','
    };
    let parts = tuple.split(is_between).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// The patterns of a `match`. In formatted code its arms are indented by four columns, and their
/// contents further.
fn patterns(lines: &[&str], outside: usize) -> Vec<String> {
    let body = lines.iter();
    let body = body.take_while(|line| line.is_empty() || indent(line) > outside);
    let (mut patterns, mut pattern) = (Vec::new(), String::new());
    for line in body {
        let is_arm = indent(line) == outside + 4;
        if pattern.is_empty() && (!is_arm || line.trim_start().starts_with(['}', ')', ']'])) {
            continue;
        }
        let (before, is_whole) = match line.split_once(" => ") {
            Some((before, _)) => (before, is_arm),
            None => (*line, false),
        };
        pattern += before.trim_start();
        if is_whole {
            patterns.push(std::mem::take(&mut pattern));
        }
    }
    patterns
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
