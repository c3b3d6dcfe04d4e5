//! The public interface of the library, and that it needs nothing of the program.

use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a file makes public, and the variants of enums, without what is hidden from users.
fn public_items(path: &str) -> String {
    let text = fs::read_to_string(Path::new(ROOT).join("src").join(path)).expect(path);
    let mut items = String::new();
    let (mut is_hidden, mut is_enum) = (false, false);
    for line in text.lines() {
        let item = line.trim();
        let is_variant = is_enum && item.starts_with(char::is_uppercase);
        if (item.starts_with("pub ") || is_variant) && !is_hidden {
            items += item.trim_end_matches(" {");
            items += "\n";
        }
        is_hidden = item == "#[doc(hidden)]" || is_hidden && item.starts_with("#[");
        is_enum = line.starts_with("pub enum") || is_enum && line != "}";
    }
    items
}

/// A change of this is a change for programs that use the library.
#[test]
fn what_is_public() {
    let files = [
        "kernel/batch.rs",
        "kernel/client.rs",
        "kernel/error.rs",
        "kernel/mod.rs",
        "kernel/module.rs",
        "kernel/netns.rs",
        "kernel/proc/connections.rs",
        "kernel/table.rs",
        "model/change.rs",
        "model/connection.rs",
        "model/daemon.rs",
        "model/mod.rs",
        "model/name.rs",
        "model/notation.rs",
        "model/order.rs",
        "model/server.rs",
        "model/service.rs",
        "model/settings.rs",
        "model/stats.rs",
        "model/totals.rs",
    ];
    let items = files.map(|file| format!("{file}\n{}", public_items(file)));
    insta::assert_snapshot!(items.join("\n"));
}

fn cargo(words: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(words)
        .args(["--offline", "--no-default-features"]);
    let output = command.current_dir(ROOT).output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_library_needs_nothing_of_the_program() {
    let tree = cargo(&[
        "tree", "--edges", "normal", "--prefix", "none", "--depth", "1",
    ]);
    let crates = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next());
    let mut crates: Vec<&str> = crates.collect();
    crates.sort();
    let netlink = [
        "netlink-packet-core",
        "netlink-packet-generic",
        "netlink-sys",
    ];
    assert_eq!(
        crates,
        [&["libc", "memchr"], &netlink[..], &["thiserror"]].concat()
    );
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/library");
    cargo(&[
        "check",
        "--quiet",
        "--lib",
        "--features",
        "serde",
        "--target-dir",
        folder,
    ]);
}
