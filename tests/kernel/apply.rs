//! `--apply` leaves the table that clearing and restoring the file would leave, with as few changes
//! as possible.

use std::fmt::Write;

use anyhow::{Result, anyhow, ensure};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::terminal::Terminal;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};
use crate::round_trip::{Table, ours, save};

pub fn tests() -> Vec<KernelTest> {
    let mut confirming = KernelTest::new("apply::confirming", confirming);
    // Terminals and signals are the same everywhere.
    confirming.kernels = vec![Kernel::V7_2];
    let named = |name: &str, run: fn(&mut World) -> Result<()>| {
        KernelTest::new(format!("apply::{name}"), run)
    };
    let mut kinds = named("refusals_of_every_kind", refusals_of_every_kind);
    // All kernels refuse the same changes; this one starts programs fastest.
    kinds.kernels = vec![Kernel::V7_2];
    let mut daemons = named("daemons_that_are_refused", daemons_that_are_refused);
    // These two differ most in what they report about daemons.
    daemons.kernels = vec![Kernel::V5_10, Kernel::V7_2];
    vec![
        named("random_tables", random_tables),
        named("rehearsal", rehearsal),
        named("refusals", refusals),
        kinds,
        named("takeover_of_traffic", takeover_of_traffic),
        named("invalid_and_empty_files", invalid_and_empty_files),
        daemons,
        confirming,
    ]
}

fn expect(output: &Output, status: i32, stdout: &str, stderr: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status == Status::Exit(status) && said == stdout && complained == stderr,
        "it gave\n{output}instead of status {status},\n{stdout}and\n{stderr}"
    );
    Ok(())
}

fn random_tables(world: &mut World) -> Result<()> {
    let applied = world.namespace("applied")?;
    let restored = world.namespace("restored")?;
    for seed in 1..=8 {
        let old = Table::random(seed).lines;
        let new = changed(&old, seed);
        for namespace in [&applied, &restored] {
            ours(namespace, &["-C"], "")?.success()?;
            ours(namespace, &["-R"], &old)?.success()?;
        }
        ours(&restored, &["-C"], "")?.success()?;
        ours(&restored, &["-R"], &new)?.success()?;
        let expected = save(&restored)?;

        // The printed difference alone leads to the new table.
        let lines = ours(&applied, &["--diff"], &new)?;
        ensure!(lines.status == Status::Exit(1), "{lines}");
        let lines = String::from_utf8(lines.stdout)?;
        ours(&applied, &["-R"], &lines)?.success()?;
        ensure!(
            save(&applied)? == expected,
            "{old}by\n{lines}became another table than\n{new}"
        );

        ours(&applied, &["-C"], "")?.success()?;
        ours(&applied, &["-R"], &old)?.success()?;
        expect(&ours(&applied, &["--apply"], &new)?, 0, "", "")?;
        ensure!(
            save(&applied)? == expected,
            "{old}became another table than\n{new}"
        );
        expect(&ours(&applied, &["--diff"], &new)?, 0, "", "")?;
        expect(
            &ours(&applied, &["--apply", "--verbose"], &new)?,
            0,
            "",
            "nothing to change\n",
        )?;
    }
    Ok(())
}

/// The same table with fewer services and servers, other weights, and new services.
pub fn changed(lines: &str, seed: u64) -> String {
    let mut random = Table::random(1000 + seed);
    let (mut new, mut dropped) = (String::new(), Vec::new());
    for line in lines.lines() {
        let service = line
            .split_whitespace()
            .skip(1)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        let is_gone = dropped.contains(&service) || random.below(5) == 0;
        match (is_gone, line.starts_with("-A")) {
            (true, true) => dropped.push(service),
            (true, false) => {}
            (false, false) if random.below(3) == 0 && !line.contains("-w") => {
                writeln!(new, "{line} -w 3").expect("writing to a string succeeds");
            }
            (false, _) => writeln!(new, "{line}").expect("writing to a string succeeds"),
        }
    }
    for number in 0..5 {
        let service = format!("-t 10.77.0.{number}:80");
        writeln!(new, "-A {service} -s rr\n-a {service} -r 10.1.0.{number}")
            .expect("writing to a string succeeds");
    }
    new
}

/// With the right to create namespaces, `--apply` finds what the kernel lacks before it changes
/// anything.
fn rehearsal(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";
    ours(&here, &["-R"], old)?.success()?;
    let new = "\
-A -t 10.0.0.2:80 -s wrr
-A -t 10.0.0.3:80 -s nonsuch
-a -t 10.0.0.3:80 -r 10.1.0.3
-A -f 5 -6 -s nonsuch -M 64
-A -u 10.0.0.4:80 -s rr -p --pe nonsuch
-A -t 10.0.0.1:80 -s nonsuch
-A -t 10.0.0.5:80 -s wrr
";
    let complaint = "\
line 4: Scheduler or persistence engine not found
line 2: Scheduler or persistence engine not found
line 5: Scheduler or persistence engine not found
line 6: Scheduler or persistence engine not found
";
    expect(&ours(&here, &["--apply"], new)?, 2, "", complaint)?;
    ensure!(save(&here)? == old, "{}", save(&here)?);
    Ok(())
}

/// A refused change is reported with its line; what depends on it is skipped, the rest is done.
fn refusals(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";
    ours(&here, &["-R"], old)?.success()?;
    // Not a unicast address, so the kernel refuses the server.
    let new = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 224.0.0.1
-A -t 10.0.0.2:80 -s nonsuch
-a -t 10.0.0.2:80 -r 10.1.0.2
-A -t 10.0.0.3:80 -s rr
";
    // Without this right there is no rehearsal.
    let apply = "setpriv --bounding-set=-sys_admin ipvsadm --apply";
    let output = here.run(&Program::shell(Side::Ours, apply).stdin(new))?;
    let complaint = "\
line 3: Scheduler or persistence engine not found
line 2: Invalid operation.  Possibly wrong module version, address not unicast, ...
left as it was, because its replacement was refused: -d -t 10.0.0.1:80 -r 10.1.0.1:80
";
    expect(&output, 1, "", complaint)?;
    let saved = save(&here)?;
    ensure!(
        saved == format!("{old}-A -t 10.0.0.3:80 -s rr\n"),
        "{saved}"
    );
    Ok(())
}

/// A file with one line that the kernel refuses.
struct Refusal {
    file: &'static str,
    complaint: &'static str,
    /// A rehearsal in another namespace shows the refusal.
    is_foreseen: bool,
}

const fn foreseen(file: &'static str, complaint: &'static str) -> Refusal {
    let is_foreseen = true;
    Refusal {
        file,
        complaint,
        is_foreseen,
    }
}

const fn met(file: &'static str, complaint: &'static str) -> Refusal {
    Refusal {
        is_foreseen: false,
        ..foreseen(file, complaint)
    }
}

/// Each adds the same service; everything else already exists.
const REFUSALS: [Refusal; 7] = [
    foreseen(
        "-A -t 10.0.0.1:80 -s nonsuch
         -a -t 10.0.0.1:80 -r 10.1.0.1
         -A -t 10.0.0.9:80 -s rr",
        "line 1: Scheduler or persistence engine not found\n",
    ),
    foreseen(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1
         -A -f 1 -s nonsuch
         -A -t 10.0.0.9:80 -s rr",
        "line 3: Scheduler or persistence engine not found\n",
    ),
    foreseen(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1
         -A -u 10.0.0.4:80 -s rr -p 5 --pe nonsuch
         -A -t 10.0.0.9:80 -s rr",
        "line 3: Scheduler or persistence engine not found\n",
    ),
    met(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1
         -a -t 10.0.0.1:80 -r 224.0.0.1
         -A -t 10.0.0.9:80 -s rr",
        "line 3: Invalid operation.  Possibly wrong module version, address not unicast, ...\n",
    ),
    met(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1
         -a -t 10.0.0.1:80 -r 10.1.0.2 -x 5 -y 9
         -A -t 10.0.0.9:80 -s rr",
        "line 3: Numerical result out of range\n",
    ),
    met(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1 -x 5 -y 9
         -A -t 10.0.0.9:80 -s rr",
        "line 2: Numerical result out of range\n",
    ),
    met(
        "-A -t 10.0.0.1:80 -s rr
         -a -t 10.0.0.1:80 -r 10.1.0.1
         --start-daemon master --mcast-interface nowhere
         -A -t 10.0.0.9:80 -s rr",
        "line 3: No such device\n",
    ),
];

/// With the right to try in another namespace, a refusal there changes nothing. Any other refusal
/// is reported alone: the old state stays, and the other lines are done.
fn refusals_of_every_kind(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";
    let rest = format!("{old}-A -t 10.0.0.9:80 -s rr\n");
    let without = |right: &str, file: &str| {
        let apply = format!("setpriv --bounding-set=-{right} ipvsadm --apply");
        here.run(&Program::shell(Side::Ours, &apply).stdin(file))
    };
    for refusal in REFUSALS {
        let file = refusal.file;
        for may_ask in [true, false] {
            ours(&here, &["-R"], &format!("-C\n{old}"))?.success()?;
            let output = if may_ask {
                ours(&here, &["--apply"], file)?
            } else {
                without("sys_admin", file)?
            };
            let (status, table) = if may_ask && refusal.is_foreseen {
                (2, old)
            } else {
                (1, &*rest)
            };
            expect(&output, status, "", refusal.complaint)?;
            let saved = save(&here)?;
            ensure!(saved == table, "{file}\nmade\n{saved}");
        }
    }
    let output = without("net_admin", "-C\n")?;
    let complaint = "\
Can't initialize ipvs: Permission denied (you must be root)
Are you sure that IP Virtual Server is built in the kernel or as module?
";
    expect(&output, 2, "", complaint)?;
    ensure!(save(&here)? == rest);
    Ok(())
}

/// A new service that takes over traffic but gets no server is deleted, and the old one stays.
fn takeover_of_traffic(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "-A -t 10.0.0.1:0 -s rr -p 60\n-a -t 10.0.0.1:0 -r 10.1.0.1:0 -g -w 1\n";
    ours(&here, &["-R"], old)?.success()?;
    let new = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 224.0.0.1
-a -t 10.0.0.1:80 -r 224.0.0.2
-A -t 10.0.0.2:80 -s rr
";
    let complaint = "\
line 2: Invalid operation.  Possibly wrong module version, address not unicast, ...
line 3: Invalid operation.  Possibly wrong module version, address not unicast, ...
deleted again, because it has no servers and takes traffic from a service that has: -D -t 10.0.0.1:80
left as it was, because its replacement was refused: -D -t 10.0.0.1:0
";
    let output = ours(&here, &["--apply"], new)?;
    expect(&output, 1, "", complaint)?;
    let saved = save(&here)?;
    ensure!(
        saved == format!("{old}-A -t 10.0.0.2:80 -s rr\n"),
        "{saved}"
    );
    Ok(())
}

/// A daemon that cannot be replaced keeps running, and no other program is blamed.
fn daemons_that_are_refused(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let old = "\
-A -t 10.0.0.1:80 -s rr
--start-daemon master --mcast-interface lo --syncid 7 --sync-maxlen 1000 --mcast-ttl 3
--start-daemon backup --mcast-interface lo --syncid 8 --mcast-port 9000
";
    ours(&here, &["-R"], old)?.success()?;
    let daemons = || -> Result<String> {
        let output = ours(&here, &["-L", "--daemon"], "")?.success()?;
        Ok(String::from_utf8(output)?)
    };
    let before = daemons()?;
    let new = "\
-A -t 10.0.0.1:80 -s wrr
--start-daemon master --mcast-interface nowhere --syncid 7
--start-daemon backup --mcast-interface lo --syncid 9
";
    let complaint = "\
line 2: No such device
started again, because its replacement was refused: --start-daemon master --mcast-interface lo \
--syncid 7 --sync-maxlen 1000 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 3
";
    let restore = Program::ipvsadm(Side::Ours).argv0("ipvsadm-restore");
    for (program, status) in [
        (Program::ipvsadm(Side::Ours).args(["--apply"]), 1),
        (restore, 255),
    ] {
        ours(&here, &["--apply"], old)?.success()?;
        ensure!(daemons()? == before, "{}", daemons()?);
        let output = here.run(&program.stdin(new))?;
        expect(&output, status, "", complaint)?;
        let after = daemons()?;
        let is_kept = after.lines().next() == before.lines().next();
        ensure!(
            is_kept && after.contains("syncid=9"),
            "{before}became\n{after}"
        );
        ensure!(save(&here)? == "-A -t 10.0.0.1:80 -s wrr\n");
    }
    Ok(())
}

/// A file with an error anywhere, or one that is empty by accident, changes nothing.
fn invalid_and_empty_files(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let table = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";
    ours(&here, &["-R"], table)?.success()?;
    let untouched = |here: &Namespace| -> Result<()> {
        let saved = save(here)?;
        ensure!(saved == table, "{saved}");
        Ok(())
    };
    let wrong = "-A -t 10.0.0.2:80\n-A -t 10.0.0.2:80\n-a -t 10.0.0.3:80 -r 10.1.0.1\n-x\n-L\n";
    let complaint = "\
line 2: the same service as on line 1
line 3: Service not defined
line 4: the first option must be a command
line 5: only -A, -a, --set, --start-daemon and a leading -C describe a table
";
    for command in ["--apply", "--diff", "--check"] {
        expect(&ours(&here, &[command], wrong)?, 2, "", complaint)?;
    }
    let found = r#"{"errors":[
{"line":2,"text":"the same service as on line 1"},
{"line":3,"text":"Service not defined"},
{"line":4,"text":"the first option must be a command"},
{"line":5,"text":"only -A, -a, --set, --start-daemon and a leading -C describe a table"}
],"warnings":[
]}
"#;
    expect(&ours(&here, &["--check", "-j"], wrong)?, 2, found, "")?;
    let empty = "\
the file has no service and would empty the table; if that is meant, begin it with -C\n";
    expect(&ours(&here, &["--apply"], "# nothing\n")?, 2, "", empty)?;
    expect(&ours(&here, &["--diff"], "")?, 2, "", empty)?;
    let missing = "cannot read /nowhere: No such file or directory\n";
    expect(&ours(&here, &["--apply", "/nowhere"], "")?, 2, "", missing)?;
    let folder = "cannot read /: Is a directory\n";
    expect(&ours(&here, &["--check", "/"], "")?, 2, "", folder)?;
    untouched(&here)?;

    // With --keep an empty file is fine.
    expect(&ours(&here, &["--apply", "--keep"], "")?, 0, "", "")?;
    untouched(&here)?;
    let other = "-A -t 10.0.0.2:80 -s rr\n";
    expect(&ours(&here, &["--diff", "--keep"], other)?, 1, other, "")?;
    expect(&ours(&here, &["--apply", "--keep"], other)?, 0, "", "")?;
    ensure!(save(&here)? == format!("{table}{other}"));
    let gone = "-d -t 10.0.0.1:80 -r 10.1.0.1:80\n\
                -D -t 10.0.0.2:80\n";
    expect(
        &ours(&here, &["--diff"], "-A -t 10.0.0.1:80 -s rr\n")?,
        1,
        gone,
        "",
    )?;
    let gone = r#"{"changes":[
{"line":"-d -t 10.0.0.1:80 -r 10.1.0.1:80","costs":[],"cut_connections":0},
{"line":"-D -t 10.0.0.2:80","costs":[],"cut_connections":0}
]}
"#;
    let service = "-A -t 10.0.0.1:80 -s rr\n";
    expect(&ours(&here, &["--diff", "-j"], service)?, 1, gone, "")?;
    expect(&ours(&here, &["--apply"], "-C\n")?, 0, "", "")?;
    ensure!(save(&here)?.is_empty());

    let doubtful = "-A -t 10.0.0.1:80 -s rr\n";
    let warning = "line 1: warning: the service has no servers\n";
    expect(&ours(&here, &["--check"], doubtful)?, 0, "", warning)?;
    let found = r#"{"errors":[
],"warnings":[
{"line":1,"text":"the service has no servers"}
]}
"#;
    expect(&ours(&here, &["--check", "-j"], doubtful)?, 0, found, "")?;
    expect(
        &ours(&here, &["--check", "--strict"], doubtful)?,
        1,
        "",
        warning,
    )?;
    Ok(())
}

const OLD: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
";

const NEW: &str = "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 5
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 1
-A -t 10.0.0.3:80 -s rr
-a -t 10.0.0.3:80 -r 10.1.0.3:80 -g -w 1
";

/// `--keep` does everything but the deletions.
const BETWEEN: &str = "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 5
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
-A -t 10.0.0.3:80 -s rr
-a -t 10.0.0.3:80 -r 10.1.0.3:80 -g -w 1
";

/// The new table is confirmed at a terminal, or everything is undone.
fn confirming(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let alone = "--confirm needs a terminal to ask on: No such device or address\n";
    ours(&here, &["-R"], OLD)?.success()?;
    let output = ours(&here, &["--apply", "--confirm", "5"], NEW)?;
    expect(&output, 2, "", alone)?;
    ensure!(save(&here)? == OLD);

    let mut terminal = asked(&here, 60)?;
    terminal.press("yes\r")?;
    terminal.end()?;
    ensure!(save(&here)? == NEW, "{}", save(&here)?);

    let again = "ipvsadm --apply /tmp/new --confirm 1; echo status $?";
    let mut terminal = here.start_at_terminal(&Program::shell(Side::Ours, again))?;
    let screen = terminal.end()?;
    let is_asked = screen.contains("Type yes");
    ensure!(
        screen.contains("status 0") && !is_asked,
        "nothing to confirm:\n{screen}"
    );

    for (keys, said) in [
        ("no\r", "the changes are undone"),
        ("\r", "the changes are undone"),
        ("\x04", "no answer: the changes are undone"),
        ("\x03", "stopped: the changes are undone"),
    ] {
        let mut terminal = asked(&here, 60)?;
        terminal.press(keys)?;
        let screen = terminal.end()?;
        ensure!(screen.contains(said), "{keys:?}:\n{screen}");
        ensure!(save(&here)? == OLD, "{keys:?}: {}", save(&here)?);
    }
    let mut terminal = asked(&here, 1)?;
    let screen = terminal.end()?;
    ensure!(screen.contains("no answer in time"), "{screen}");
    ensure!(save(&here)? == OLD);
    let mut terminal = asked(&here, 60)?;
    let kill = format!("kill -TERM {}", terminal.id());
    here.run(&Program::shell(Side::Ours, &kill))?.success()?;
    terminal.end()?;
    ensure!(save(&here)? == OLD);
    asked(&here, 60)?.hang_up()?;
    ensure!(save(&here)? == OLD);

    // After a yes, changes that another program made meanwhile are still reported.
    let mut terminal = asked(&here, 60)?;
    ours(&here, &["-d", "-t", "10.0.0.3:80", "-r", "10.1.0.3:80"], "")?.success()?;
    terminal.press("yes\r")?;
    let screen = terminal.end()?;
    let missing = "changed the table meanwhile; missing: -a -t 10.0.0.3:80 -r 10.1.0.3:80 -g -w 1";
    ensure!(screen.contains(missing), "{screen}");

    // Undoing keeps the changes that another program made meanwhile.
    let mut terminal = asked(&here, 60)?;
    let theirs = "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -w 9\n-a -t 10.0.0.3:80 -r 10.1.0.4:80\n";
    ours(&here, &["-R"], theirs)?.success()?;
    terminal.press("no\r")?;
    let screen = terminal.end()?;
    for kept in [
        "another program has changed it: -A -t 10.0.0.3:80 -s rr",
        "another program has changed it: -e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 5",
    ] {
        ensure!(screen.contains(kept), "{screen}");
    }
    let left = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 9
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
-A -t 10.0.0.3:80 -s rr
-a -t 10.0.0.3:80 -r 10.1.0.4:80 -g -w 1
";
    ensure!(save(&here)? == left, "{}", save(&here)?);
    Ok(())
}

/// A terminal that asks whether to keep the new table.
fn asked(here: &Namespace, seconds: u32) -> Result<Terminal> {
    ours(here, &["-C"], "")?.success()?;
    ours(here, &["-R"], OLD)?.success()?;
    let write = Program::shell(Side::Ours, "cat >/tmp/new").stdin(NEW);
    here.run(&write)?.success()?;
    let seconds = seconds.to_string();
    let apply = Program::ipvsadm(Side::Ours).args(["--apply", "/tmp/new", "--confirm", &seconds]);
    let mut terminal = here.start_at_terminal(&apply)?;
    let question = "keep the changes and do 2 deletions:";
    let shown = terminal.wait(|screen| screen.contains(question));
    shown.map_err(|screen| anyhow!("it shows\n{screen}"))?;
    if seconds != "1" {
        let between = save(here)?;
        ensure!(between == BETWEEN, "{between}");
    }
    Ok(terminal)
}
