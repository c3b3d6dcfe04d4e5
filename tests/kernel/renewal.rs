//! `ipvsadm-restore` gives the same table and messages whether the table is in use or empty, and
//! the same table as the original's clear and restore.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::apply::changed;
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, World};
use crate::round_trip::{Table, ours, save};
use crate::sessions::number;

pub fn tests() -> Vec<KernelTest> {
    let mut random = KernelTest::new("renewal::random_files", random_files);
    // One kernel lists services by hash, the other in order.
    random.kernels = vec![Kernel::V6_1, Kernel::V7_2];
    random.limit = Duration::from_secs(60 + 2 * number("LAB_FILES", FILES));
    vec![random, KernelTest::new("renewal::refusals", refusals)]
}

/// How many files are tried, unless `LAB_FILES` asks for more.
const FILES: u64 = 8;

fn restore(namespace: &Namespace, file: &str) -> Result<Output> {
    let program = Program::ipvsadm(Side::Ours).argv0("ipvsadm-restore");
    namespace.run(&program.stdin(file))
}

fn random_files(world: &mut World) -> Result<()> {
    let full = world.namespace("full")?;
    let empty = world.namespace("empty")?;
    let theirs = world.namespace("theirs")?;
    let mut failed = 0;
    let files = number("LAB_FILES", FILES);
    for seed in 1..=files {
        let old = Table::random(seed).lines;
        let new = spoilt(&changed(&old, seed), seed);
        ours(&full, &["-C"], "")?.success()?;
        ours(&full, &["-R"], &old)?.success()?;
        ours(&empty, &["-C"], "")?.success()?;
        let said = restore(&empty, &new)?;
        let expected = save(&empty)?;
        failed += usize::from(!said.stderr.is_empty());

        let context = || format!("{old}by\n{new}");
        let output = restore(&full, &new)?;
        ensure!(
            output == said,
            "{}said\n{output}instead of\n{said}",
            context()
        );
        ensure!(
            save(&full)? == expected,
            "{}became another table",
            context()
        );

        let original = |args: &[&str]| Program::ipvsadm(Side::Reference).args(args);
        theirs.run(&original(&["-C"]))?;
        theirs.run(&original(&["-R"]).stdin(&new))?;
        ensure!(
            save(&theirs)? == expected,
            "{}is another table to the original",
            context()
        );
    }
    ensure!(
        failed as u64 > files / 2,
        "only {failed} files had bad lines"
    );
    Ok(())
}

/// With lines that are repeated, refused, or come before their services.
fn spoilt(lines: &str, seed: u64) -> String {
    let mut random = Table::random(2000 + seed);
    let lines: Vec<&str> = lines.lines().collect();
    let mut new = String::new();
    let mut add = |line: &str| writeln!(new, "{line}").expect("writing to a string succeeds");
    for (at, line) in lines.iter().enumerate() {
        let service = line
            .split_whitespace()
            .skip(1)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        match random.below(24) {
            0 => add(&format!("-a {service} -r 10.9.0.1 -i")),
            1 => add(&format!("-A {service} -s nonsuch -p 5")),
            2 => add(&format!(
                "-A -t 10.78.0.{at}:80 -s nonsuch\n-a -t 10.78.0.{at}:80 -r 10.9.0.1"
            )),
            3 => add(&format!(
                "-A -t 10.79.0.{at}:80 -s nonsuch\n-A -t 10.79.0.{at}:80 -s rr"
            )),
            _ => {}
        }
        add(line);
        match random.below(12) {
            0 => add(line),
            1 => add(lines[random.below(at + 1)]),
            _ => {}
        }
    }
    new
}

/// After a refused change the old state stays, and traffic that had a server keeps it.
fn refusals(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
-A -t 10.0.0.4:80 -s rr
";
    ours(&here, &["-R"], old)?.success()?;
    let new = "\
-C
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 224.0.0.1
-A -t 10.0.0.2:80 -s nonsuch
-a -t 10.0.0.2:80 -r 10.1.0.2:80
-A -t 10.0.0.3:80 -s rr
-A -t 10.0.0.3:80 -s wrr
";
    let output = restore(&here, new)?;
    let complaint = "\
line 3: Invalid operation.  Possibly wrong module version, address not unicast, ...
line 4: Scheduler or persistence engine not found
line 7: Service already exists
left as it was, because its replacement was refused: -d -t 10.0.0.1:80 -r 10.1.0.1:80
";
    ensure!(output.stderr == complaint.as_bytes(), "{output}");
    let expected = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
-a -t 10.0.0.2:80 -r 10.1.0.2:80 -g -w 1
-A -t 10.0.0.3:80 -s rr
";
    ensure!(save(&here)? == expected, "{}", save(&here)?);

    // A daemon that already runs as the file says keeps running, with or without a table in use.
    let whole = "-A -f 1\n--set 800 100 200\n--start-daemon master --mcast-interface lo\n";
    for before in ["", "-C", "-A -f 2"] {
        ours(&here, &["-R"], before)?.success()?;
        restore(&here, whole)?.success()?;
        ensure!(save(&here)? == "-A -f 1 -s wlc\n", "{}", save(&here)?);
    }
    ours(&here, &["--stop-daemon", "master"], "")?.success()?;

    // A file that does not describe a table clears it first.
    restore(&here, "-A -f 1\n-Z\n")?.success()?;
    ensure!(save(&here)? == "-A -f 1 -s wlc\n");
    restore(&here, "")?.success()?;
    ensure!(save(&here)?.is_empty());
    Ok(())
}
