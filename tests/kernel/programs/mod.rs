//! Programs that people run alongside `ipvsadm`, as Debian and others package them, with ours in
//! the original's place.

mod debian;
mod keepalived;
mod ldirectord;
mod many_directors;
mod packaged;
mod prometheus;
mod salt;
mod schema;
mod site;

use anyhow::Result;

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    vec![
        test("keepalived_checks", keepalived::checks),
        test("keepalived_takeover", keepalived::takeover),
        KernelTest {
            // The kernel makes no difference; this one starts programs quickly.
            kernels: vec![Kernel::V7_2],
            ..test("keepalived_beside_apply", keepalived::beside_apply)
        },
        KernelTest {
            // The kernel makes no difference; this one starts programs quickly.
            kernels: vec![Kernel::V7_2],
            ..test("many_directors", many_directors::check_and_roll_out)
        },
        test("packaged_init_script", packaged::init_script),
        test("packaged_wrappers", packaged::wrappers),
        KernelTest {
            // They do not depend on the kernel; this one reports the most.
            kernels: vec![Kernel::V7_2],
            ..test("prometheus", prometheus::scraped)
        },
        KernelTest {
            // One kernel that reports everything, and one that does not.
            kernels: vec![Kernel::V6_12, Kernel::V7_2],
            ..test("schema", schema::validated)
        },
        test("salt", salt::every_function),
        test("ldirectord", ldirectord::adds_edits_removes),
    ]
}

fn test(name: &str, run: fn(&mut World) -> Result<()>) -> KernelTest {
    KernelTest {
        cost: 10,
        needs_programs: true,
        ..KernelTest::new(format!("programs::{name}"), run)
    }
}
