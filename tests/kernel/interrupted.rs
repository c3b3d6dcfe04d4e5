//! An apply or a restore interrupted after any of its system calls: when killed, it leaves a table
//! that still serves, and running it again completes the file's table. Changes that another program
//! makes meanwhile are corrected or reported. A listing written to a file is never partial.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, Status, World};
use crate::round_trip::ours;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run: fn(&mut World) -> Result<()>| {
        let mut test = KernelTest::new(format!("interrupted::{name}"), run);
        // The system calls are the same everywhere; this kernel starts programs fastest.
        test.kernels = vec![Kernel::V7_2];
        test.cost = 10;
        test
    };
    vec![
        named("killed_apply", |world| killed(world, apply)),
        named("killed_restore", |world| killed(world, restore)),
        named("another_program", another_program),
        named("killed_output", killed_output),
    ]
}

/// During this many system calls the program only loads its libraries.
const LOADING: usize = 30;

const OLD: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 5
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 2
-A -t 10.0.0.2:80 -s rr
-a -t 10.0.0.2:80 -r 10.1.0.1:80 -g -w 1
-A -t 10.0.0.3:80 -s rr
-a -t 10.0.0.3:80 -r 10.1.0.3:80 -g -w 1
--set 800 100 200
--start-daemon master --mcast-interface lo --syncid 1
";

/// Adds, changes and deletes something of every kind. All servers but one of the first service
/// change, and the only server of the second.
const NEW: &str = "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 3
-a -t 10.0.0.1:80 -r 10.1.0.4:80 -g -w 1
-A -t 10.0.0.2:80 -s rr
-a -t 10.0.0.2:80 -r 10.1.0.2:80 -g -w 1
-A -t 10.0.0.4:80 -s rr
-a -t 10.0.0.4:80 -r 10.1.0.4:80 -g -w 1
--set 900 120 300
--start-daemon master --mcast-interface lo --syncid 2
";

/// The services that both tables have.
const STAYING: [&str; 2] = ["-a -t 10.0.0.1:80 ", "-a -t 10.0.0.2:80 "];

fn apply(file: &str) -> Program {
    Program::ipvsadm(Side::Ours).args(["--apply", file])
}

fn restore(file: &str) -> Program {
    Program::ipvsadm(Side::Ours)
        .argv0("ipvsadm-restore")
        .args([file])
}

/// A file, a program that applies it, and the table saved afterwards.
struct Target {
    program: Program,
    table: String,
}

impl Target {
    fn new(
        world: &mut World,
        name: &str,
        file: &str,
        program: fn(&str) -> Program,
    ) -> Result<Self> {
        let fresh = world.namespace(name)?;
        ours(&fresh, &["-R"], file)?.success()?;
        let path = format!("/tmp/{name}");
        fs::write(&path, file)?;
        Ok(Self {
            program: program(&path),
            table: whole(&fresh)?,
        })
    }
}

/// Services, servers, timeouts and daemons.
fn whole(namespace: &Namespace) -> Result<String> {
    let saved = ours(namespace, &["-Sn", "--all"], "")?.success()?;
    Ok(String::from_utf8(saved)?)
}

fn killed(world: &mut World, program: fn(&str) -> Program) -> Result<()> {
    let old = Target::new(world, "old", OLD, program)?;
    let new = Target::new(world, "new", NEW, program)?;
    let here = world.namespace("here")?;
    here.run(&old.program)?.success()?;
    // There and back: both directions make changes of every kind.
    for (calls, Target { program, table }) in (LOADING..).zip([&new, &old].into_iter().cycle()) {
        let stopped = here.stop_after(program, calls)?;
        let is_over = stopped.is_none();
        if let Some(mut running) = stopped {
            running.kill()?;
        }
        let left = whole(&here)?;
        let serves = |service: &&str| left.contains(*service);
        ensure!(STAYING.iter().all(serves), "after {calls} calls:\n{left}");
        if !is_over {
            here.run(program)?.success()?;
        }
        let found = whole(&here)?;
        ensure!(
            found == *table,
            "after {calls} calls it is\n{found}instead of\n{table}"
        );
        if is_over {
            world.shown = format!("killed after each of {} system calls", calls - 1);
            break;
        }
    }
    Ok(())
}

/// Another program deletes a server. If that happens before the table is read, it is corrected;
/// between the two readings of the table, it is reported.
fn another_program(world: &mut World) -> Result<()> {
    let old = Target::new(world, "old", OLD, apply)?;
    let new = Target::new(world, "new", NEW, apply)?;
    let here = world.namespace("here")?;
    let mut verdicts = String::new();
    for calls in LOADING.. {
        here.run(&old.program)?.success()?;
        let Some(mut running) = here.stop_after(&new.program, calls)? else {
            break;
        };
        ours(&here, &["-d", "-t", "10.0.0.1:80", "-r", "10.1.0.2"], "")?.success()?;
        running.go_on()?;
        let output = running.finish(Duration::from_secs(10))?;
        let is_right = whole(&here)? == new.table;
        let said = String::from_utf8_lossy(&output.stderr);
        let missing = "another program changed the table meanwhile; missing: -a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 3\n";
        verdicts.push(match output.status {
            Status::Exit(0) if is_right => 'r',
            Status::Exit(0) => 'l',
            Status::Exit(1) if said.ends_with(missing) => 'n',
            Status::Exit(_) | Status::Signal(_) => anyhow::bail!("after {calls} calls:\n{output}"),
        });
    }
    world.shown = verdicts.clone();
    let late = verdicts.trim_start_matches('r').trim_start_matches('n');
    let is_in_order = late.chars().all(|verdict| verdict == 'l');
    ensure!(is_in_order && verdicts.contains("rn"), "{verdicts}");
    Ok(())
}

/// A listing of two writes goes through a link to a file. After each system call that file is still
/// the old one or already the new one, whether the program continues or is killed.
fn killed_output(world: &mut World) -> Result<()> {
    const MODE: u32 = 0o640;
    let here = world.namespace("here")?;
    let rules = (1..=200).map(|mark| format!("-A -f {mark} -s rr\n"));
    ours(&here, &["-R"], &rules.collect::<String>())?.success()?;
    let new = ours(&here, &["-L", "-j"], "")?.success()?;
    ensure!(new.len() > 70_000, "{} bytes", new.len());
    let folder = Path::new("/tmp/output");
    let (file, link) = (folder.join("file"), folder.join("link"));
    let program = Program::ipvsadm(Side::Ours).args(["-L", "-j", "--output"]);
    let program = program.args([&link]);
    let mut found = String::new();
    for calls in LOADING.. {
        fs::create_dir_all(folder)?;
        fs::write(&file, "old")?;
        fs::set_permissions(&file, Permissions::from_mode(MODE))?;
        symlink("file", &link)?;
        let stopped = here.stop_after(&program, calls)?;
        let text = fs::read(&file)?;
        let is_old = text == b"old";
        ensure!(is_old || text == new, "a part after {calls} calls");
        found.push(if is_old { 'o' } else { 'n' });
        let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
        ensure!(mode == MODE, "{mode:o} after {calls} calls");
        ensure!(fs::read_link(&link)? == Path::new("file"));
        let is_over = stopped.is_none();
        if let Some(mut running) = stopped {
            running.kill()?;
            ensure!(fs::read(&file)? == text, "killed after {calls} calls");
        }
        fs::remove_dir_all(folder)?;
        if is_over {
            break;
        }
    }
    world.shown.clone_from(&found);
    ensure!(
        found
            .trim_start_matches('o')
            .trim_start_matches('n')
            .is_empty()
    );
    ensure!(found.starts_with('o') && found.ends_with('n'), "{found}");
    Ok(())
}
