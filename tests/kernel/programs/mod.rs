//! Programs that people run beside `ipvsadm`, as Debian and others package them, with ours in the
//! original's place.

mod debian;
mod keepalived;
mod ldirectord;
mod network;

use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    vec![
        test("keepalived_checks", keepalived::checks),
        test("keepalived_takeover", keepalived::takeover),
        test("ldirectord", ldirectord::adds_edits_removes),
    ]
}

fn test(name: &str, run: fn(&mut World) -> anyhow::Result<()>) -> KernelTest {
    KernelTest {
        needs_programs: true,
        ..KernelTest::new(format!("programs::{name}"), run)
    }
}
