//! Programs that send one wrong thing: cases must notice each of them.

use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};

use crate::cases;
use crate::lab::boot::Kit;
use crate::lab::kernels::Kernel;
use crate::lab::ours;
use crate::lab::runner::KernelTest;
use crate::lab::schedule::{Order, Run};
use crate::lab::world::World;

/// Quick cases, and the mutants that each must notice: a name and a defect. A defect is the outer
/// attribute (1 service, 2 server, 3 daemon), the attribute within, the position of a byte, and the
/// bits to flip there.
const MUTANTS: &[(&str, &[(&str, &str)])] = &[
    (
        "cases::clients::pybal",
        &[
            ("service_family", "1 1 0 8"),
            ("service_protocol", "1 2 0 23"),
            ("service_address", "1 3 3 1"),
            ("service_port", "1 4 1 1"),
            ("scheduler", "1 6 0 23"),
            ("flag_persistent", "1 7 0 1"),
            ("flag_one_packet", "1 7 0 4"),
            ("flag_scheduler_1", "1 7 0 8"),
            ("flag_scheduler_2", "1 7 0 16"),
            ("flag_scheduler_3", "1 7 0 32"),
            ("server_address", "2 1 3 1"),
            ("server_port", "2 2 1 1"),
            ("forwarding_low_bit", "2 3 0 1"),
            ("weight", "2 4 0 1"),
            ("server_family", "2 11 0 8"),
        ],
    ),
    (
        "cases::restore::a_saved_table",
        &[
            ("service_mark", "1 5 0 1"),
            ("persistence_timeout", "1 8 0 1"),
            ("persistence_mask", "1 9 0 1"),
            ("persistence_engine", "1 11 0 1"),
            ("forwarding_high_bit", "2 3 0 2"),
            ("tunnel_type", "2 13 0 1"),
            ("tunnel_port", "2 14 1 1"),
            ("tunnel_checksum", "2 15 0 1"),
        ],
    ),
    (
        "cases::server::thresholds",
        &[
            ("upper_threshold", "2 5 0 1"),
            ("lower_threshold", "2 6 0 1"),
        ],
    ),
    (
        "cases::timeout::set_all_three",
        &[
            ("timeout_tcp", "0 4 0 1"),
            ("timeout_tcp_fin", "0 5 0 1"),
            ("timeout_udp", "0 6 0 1"),
        ],
    ),
    (
        "cases::daemons::every_option",
        &[
            ("daemon_role", "3 1 0 3"),
            ("daemon_interface", "3 2 0 1"),
            ("daemon_sync_id", "3 3 0 1"),
            ("daemon_length", "3 4 0 1"),
            ("daemon_group", "3 5 3 1"),
            ("daemon_port", "3 7 0 1"),
            ("daemon_ttl", "3 8 0 1"),
        ],
    ),
    (
        "cases::daemons::groups_of_ipv6",
        &[("daemon_group_ipv6", "3 6 15 1")],
    ),
];

/// The name of a noticed mutant in the tallies.
pub const KILLED: &str = "mutants killed";

/// A test for each mutant, and finally one without any mutant, in which the cases must pass: it
/// proves the environment of the others.
pub fn tests() -> Vec<KernelTest> {
    let cases = Rc::new(cases::tests());
    let mut tests = Vec::new();
    for (case, mutants) in MUTANTS {
        for (name, spot) in *mutants {
            let cases = cases.clone();
            tests.push(test(name, move |world| {
                world.mutant = Some(spot);
                let outcome = (find(&cases, case)?.run)(world);
                ensure!(outcome.is_err(), "{case} did not notice");
                world.counts.insert(KILLED.to_owned(), 1);
                Ok(())
            }));
        }
    }
    tests.push(test("none", move |world| {
        for (case, _) in MUTANTS {
            (find(&cases, case)?.run)(world).with_context(|| format!("in {case}"))?;
        }
        Ok(())
    }));
    tests
}

/// A test on the fastest kernel: the requests do not depend on the kernel.
fn test(name: &str, run: impl Fn(&mut World) -> Result<()> + 'static) -> KernelTest {
    KernelTest {
        kernels: vec![Kernel::V7_2],
        ..KernelTest::new(format!("mutants::{name}"), run)
    }
}

fn find<'a>(cases: &'a Result<Vec<KernelTest>>, name: &str) -> Result<&'a KernelTest> {
    let cases = cases.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let case = cases.iter().find(|case| case.name == name);
    case.with_context(|| format!("there is no {name}"))
}

/// Starts the tests, on guests in which our program is the one with the mutants.
pub fn start(orders: Vec<(Kernel, Vec<Order>)>) -> Result<Option<Run>> {
    if orders.iter().all(|(_, orders)| orders.is_empty()) {
        return Ok(None);
    }
    let kit = Kit::new(&[ours::mutants()?])?;
    Ok(Some(Run::start(Arc::new(kit), orders)))
}
