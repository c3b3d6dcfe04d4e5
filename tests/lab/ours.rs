//! The programs under test: the release build that users get.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::world::{Program, Side};
use super::{guest, supervise};

/// Builds the release program and returns its path, or the path that `LAB_OURS` names instead.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = env::var_os("LAB_OURS") {
        return Ok(PathBuf::from(path));
    }
    build("the release program", &mut cargo_build(&["--release"])?)
}

/// Builds the program that needs no libraries.
pub fn static_program() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut command = cargo_build(&["--release", "--target", &target])?;
    let command = command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    build("the program without libraries", command)
}

/// Builds the variant that can send wrong requests, in a separate folder from the users' build.
pub fn mutants() -> Result<PathBuf> {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/mutants");
    let words = ["--features", "mutants", "--target-dir", folder];
    build("the mutants", &mut cargo_build(&words)?)
}

fn cargo_build(words: &[&str]) -> Result<Command> {
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = supervise::command(cargo)?;
    command
        .args(["build", "--bin", "ipvsadm", "--manifest-path", manifest])
        .args(["--message-format", "json-render-diagnostics"])
        .args(words)
        .stdout(Stdio::piped());
    Ok(command)
}

/// Builds the program with cargo, and returns its path.
fn build(what: &str, command: &mut Command) -> Result<PathBuf> {
    eprintln!("lab: building {what}");
    let built = supervise::output(command)?;
    ensure!(built.status.success(), "failed: {command:?}");
    executable(&String::from_utf8_lossy(&built.stdout))
}

/// The path of the program in cargo's messages.
fn executable(messages: &str) -> Result<PathBuf> {
    let (_, rest) = messages
        .rsplit_once("\"executable\":\"")
        .context("cargo did not say where the program is")?;
    let (path, _) = rest.split_once('"').context("cargo's message has no end")?;
    Ok(PathBuf::from(path))
}

/// The path inside of a file of the project.
pub fn project(path: &str) -> PathBuf {
    guest::path_of_host(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

/// The README's command that installs the program under test, for use inside.
pub fn installer() -> Program {
    let binary = Path::new(Side::Ours.folder()).join("ipvsadm");
    Program::new(project("packaging/install"))
        .env("BINARY", binary)
        .limit(Duration::from_secs(30))
}
