//! Tables without a consistent order: the reference compares addresses and marks by differences
//! that wrap around, so its output depends on the order in which the kernel lists services and on
//! its sort algorithm. Both programs list the same table of the same kernel.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::cases::same;
use crate::differences;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, World};
use crate::pair::list_at_rest;
use crate::sessions::random::Random;

/// Addresses and marks from the whole range.
const IPV4: &[&str] = &[
    "1.0.0.1",
    "10.0.0.1",
    "63.255.255.255",
    "64.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "128.0.0.1",
    "172.16.0.1",
    "191.255.0.1",
    "192.168.0.1",
    "203.0.113.1",
    "223.255.255.1",
];
const IPV6: &[&str] = &[
    "::1",
    "2001:db8::1",
    "2001:db8:8000::1",
    "2001:db8::8000:0:0:1",
    "2001:db8::c000:1",
    "3fff::1",
    "7fff::1",
    "8001::1",
    "bfff::1",
    "fd00::1",
    "fd00:ffff::1",
];
const MARKS: &[&str] = &[
    "1",
    "1000000000",
    "2147483647",
    "2147483648",
    "3000000000",
    "4294967295",
];

/// The number of tables to list.
const TABLES: u64 = 12;

pub fn tests() -> Vec<KernelTest> {
    vec![KernelTest::new("wrap_around::random_tables", random_tables)]
}

fn random_tables(world: &mut World) -> Result<()> {
    for seed in 0..TABLES {
        let namespace = world.namespace("director")?;
        let table = table(&mut Random::new(seed, 0));
        let restore = Program::ipvsadm(Side::Reference).args(["-R"]);
        namespace.run(&restore.stdin(&table))?.success()?;
        for words in ["-Ln", "-Sn"] {
            let [theirs, ours] = list_at_rest(|side| {
                let mut output = namespace.run(&Program::ipvsadm(side).args([words]))?;
                if side == Side::Reference {
                    differences::rewrite(&mut output);
                }
                Ok(output)
            })?;
            world.comparisons += 1;
            same("expected", &theirs, "ours", &ours)
                .with_context(|| format!("ipvsadm {words} of the table\n{table}"))?;
        }
    }
    Ok(())
}

/// Commands that create a table; some may be refused.
fn table(random: &mut Random) -> String {
    let mut commands = String::new();
    for _ in 0..6 + random.below(20) {
        let service = service(random);
        let _ = writeln!(commands, "-A {service}");
        for _ in 0..random.below(8) {
            let _ = writeln!(commands, "-a {service} -r {} -i", address(random));
        }
    }
    // The exit status is that of the last line.
    commands + "-L --timeout\n"
}

fn service(random: &mut Random) -> String {
    let option = *random.pick(&["-t", "-u", "--sctp-service", "-f", "-f"]);
    match option {
        "-f" => {
            let family = random.pick(&["", " -6"]);
            format!("-f {}{family}", random.pick(MARKS))
        }
        option => format!("{option} {}", address(random)),
    }
}

fn address(random: &mut Random) -> String {
    let port = random.pick(&["1", "80", "32768", "65535"]);
    if random.chance(60) {
        format!("{}:{port}", random.pick(IPV4))
    } else {
        format!("[{}]:{port}", random.pick(IPV6))
    }
}
