//! The program itself, as users get it.

use anyhow::{Result, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    vec![KernelTest::new(
        "program::loads_the_c_library_alone",
        loads_the_c_library_alone,
    )]
}

/// Each further library costs time at every start.
fn loads_the_c_library_alone(world: &mut World) -> Result<()> {
    let program = Program::ipvsadm(Side::Ours).env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = world.namespace("here")?.run(&program)?.success()?;
    let text = String::from_utf8(output)?;
    let loaded: Vec<&str> = text.lines().map(str::trim_start).collect();
    let expected = ["linux-vdso", "libc.so.6", "/lib64/ld-linux"];
    let is_expected = |line: &&str| expected.iter().any(|name| line.starts_with(name));
    ensure!(
        loaded.iter().any(|line| line.starts_with("libc.so.6")),
        "no C library in:\n{text}"
    );
    ensure!(loaded.iter().all(is_expected), "more is loaded:\n{text}");
    Ok(())
}
