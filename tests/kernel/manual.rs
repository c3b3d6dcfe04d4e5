//! The manual's pages, about which mandoc has nothing to say.

use std::fs;

use anyhow::{Result, ensure};

use crate::lab::boot::Kit;
use crate::lab::fetch;
use crate::lab::guest;
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, World};

pub const PAGES: [(&str, &str); 4] = [
    ("ipvsadm.8", include_str!("../../man/ipvsadm.8")),
    ("ipvsadm-save.8", include_str!("../../man/ipvsadm-save.8")),
    (
        "ipvsadm-restore.8",
        include_str!("../../man/ipvsadm-restore.8"),
    ),
    ("ipvsadm-json.5", include_str!("../../man/ipvsadm-json.5")),
];

const MANDOC: &str = "mandoc";

pub fn tests() -> Vec<KernelTest> {
    let mut lint = KernelTest::new("manual::mandoc_has_nothing_to_say", lint);
    // It speaks to no kernel.
    lint.kernels = vec![Kernel::V7_2];
    vec![lint]
}

/// Puts mandoc where guests find it.
pub fn bring_mandoc(kit: &Kit) -> Result<()> {
    let mandoc = fetch::mandoc()?.join("usr/bin/mandoc");
    fs::copy(mandoc, kit.path().join(MANDOC))?;
    Ok(())
}

fn lint(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let lint = |page: &str| {
        let mandoc = Program::new(guest::kit().join(MANDOC));
        let mandoc = mandoc.args(["-T", "lint", "-W", "style"]).stdin(page);
        here.run(&mandoc)
    };
    for (name, page) in PAGES {
        let output = lint(page)?;
        ensure!(output.stdout.is_empty(), "{name}:\n{output}");
        output.success()?;
    }
    ensure!(!lint(".SH\n")?.stdout.is_empty(), "it says nothing at all");
    Ok(())
}
