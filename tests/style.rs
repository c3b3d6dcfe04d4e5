//! The code is formatted, and clippy has nothing to say.

use std::env;
use std::process::Command;

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
    cargo(&["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]);
}
