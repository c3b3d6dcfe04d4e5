//! Tests that start outside the guests. Most test the lab itself: it must notice failures, and
//! contain them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::lab::boot::Kit;
use crate::lab::kernels::{self, Kernel};
use crate::lab::runner::KernelTest;
use crate::lab::schedule::{Order, Outcome, Run};
use crate::lab::terminal::Terminal;
use crate::lab::world::{Program, Side};
use crate::lab::{director, guest, supervise};
use crate::{cases, static_build};

/// A test that runs outside, for a given kernel.
pub struct SelfTest {
    pub name: &'static str,
    pub kernels: &'static [Kernel],
    pub run: fn(Kernel, Arc<Kit>) -> Result<()>,
}

pub const ALL: &[SelfTest] = &[
    SelfTest {
        name: "lab::three_failures",
        kernels: &kernels::USER_MODE,
        run: three_failures,
    },
    SelfTest {
        name: "lab::hung_kernel",
        kernels: &kernels::USUAL,
        run: hung_kernel,
    },
    SelfTest {
        name: "lab::writes_stay_inside",
        kernels: &kernels::USER_MODE,
        run: writes_stay_inside,
    },
    SelfTest {
        name: "lab::director_at_a_terminal",
        kernels: &[director::KERNEL],
        run: director_at_a_terminal,
    },
    SelfTest {
        name: "program::size",
        kernels: &[director::KERNEL],
        run: program_is_small,
    },
    static_build::TEST,
];

/// The maximum size of the program.
const MOST_BYTES: u64 = 2_000_000;

const WRONG_BYTE: &str = "\
== wrong byte
% echo same
% case $(command -v ipvsadm) in *reference*) echo 10.0.0.1:80;; *) echo 10.0.0.1:81;; esac
";

/// The tests that those above run inside; some fail on purpose.
pub fn inside() -> Vec<KernelTest> {
    let wrong_byte = cases::test_of("lab", WRONG_BYTE).expect("the text above is a case");
    let spin = KernelTest::new("spin", |_| {
        loop {
            std::hint::spin_loop();
        }
    });
    vec![
        KernelTest::new("pass", |world| {
            let program = Program::ipvsadm(Side::Reference).args(["-Ln"]);
            world.namespace("any")?.run(&program)?.success()?;
            Ok(())
        }),
        wrong_byte,
        KernelTest::new("hung_program", |world| {
            let sleep = Program::new("sleep").args(["1000"]);
            let sleep = sleep.limit(Duration::from_secs(1));
            world.namespace("any")?.run(&sleep)?;
            Ok(())
        }),
        KernelTest::new("panic", |_| {
            ensure!(std::process::id() == 1, "this is no guest");
            Ok(fs::write("/proc/sysrq-trigger", "c")?)
        }),
        KernelTest {
            limit: Duration::from_secs(2),
            ..spin
        },
        KernelTest::new("write", |_| write_everywhere()),
        static_build::inside(),
    ]
}

/// Runs tests of `inside` and returns their outcomes.
pub fn outcomes<const N: usize>(
    kernel: Kernel,
    kit: Arc<Kit>,
    names: [&str; N],
) -> Result<[Outcome; N]> {
    let tests = inside();
    let mut orders = Vec::new();
    let receivers = names.map(|name| {
        let test = tests.iter().find(|test| test.name == name);
        let (order, outcome) = Order::new(test.expect("a test of `inside`"));
        orders.push(order);
        outcome
    });
    Run::start(kit, vec![(kernel, orders)]).finish();
    let outcomes = receivers.map(|receiver| receiver.recv());
    if outcomes.iter().any(Result::is_err) {
        bail!("a test has no outcome");
    }
    Ok(outcomes.map(|outcome| outcome.expect("each is there")))
}

/// A wrong byte, a hanging program and a kernel panic are three failures, each with its reason, and
/// the tests around them pass.
fn three_failures(kernel: Kernel, kit: Arc<Kit>) -> Result<()> {
    let [first, wrong_byte, hung_program, panic, last] = outcomes(
        kernel,
        kit,
        [
            "pass",
            "cases::lab::wrong_byte",
            "hung_program",
            "panic",
            "pass",
        ],
    )?;
    ensure!(first == Ok(()), "before the failures: {first:?}");
    ensure!(last == Ok(()), "after the failures: {last:?}");
    fails_saying(
        &wrong_byte,
        &["line 3", "- | 10.0.0.1:80", "+ | 10.0.0.1:81"],
    )?;
    fails_saying(&hung_program, &["sleep did not end within 1 seconds"])?;
    fails_saying(&panic, &["did not finish panic", "it ended", "console: "])
}

/// A hanging kernel is killed, and the next test gets a new one.
fn hung_kernel(kernel: Kernel, kit: Arc<Kit>) -> Result<()> {
    let [spin, pass] = outcomes(kernel, kit, ["spin", "pass"])?;
    fails_saying(&spin, &["nothing happened for 2 seconds"])?;
    ensure!(pass == Ok(()), "after the hung kernel: {pass:?}");
    Ok(())
}

fn fails_saying(outcome: &Outcome, texts: &[&str]) -> Result<()> {
    let Err(reason) = outcome else {
        bail!("passed instead of saying {texts:?}");
    };
    for text in texts {
        ensure!(reason.contains(text), "no {text:?} in:\n{reason}");
    }
    Ok(())
}

/// No write inside a guest reaches the files of this machine.
fn writes_stay_inside(kernel: Kernel, kit: Arc<Kit>) -> Result<()> {
    let witness = witness(kit.path());
    fs::create_dir_all(&witness)?;
    fs::write(witness.join("kept"), "as it was")?;
    let [write] = outcomes(kernel, kit, ["write"])?;
    ensure!(write == Ok(()), "{write:?}");
    let names: Vec<_> = fs::read_dir(&witness)?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    ensure!(names == ["kept"], "there is now {names:?}");
    let text = fs::read_to_string(witness.join("kept"))?;
    ensure!(text == "as it was", "the file now holds {text:?}");
    Ok(())
}

fn witness(kit: &Path) -> PathBuf {
    kit.join("witness")
}

/// Inside: tries to change the folder of the test above through every path to it.
fn write_everywhere() -> Result<()> {
    let witness = witness(Path::new(&env::var_os(guest::KIT).context("no kit")?));
    let seen = fs::read_to_string(guest::path_of_host(&witness).join("kept"))?;
    ensure!(seen == "as it was", "inside, the file holds {seen:?}");
    for folder in [
        witness.clone(),
        guest::path_of_host(&witness),
        "/run/lab/kit/witness".into(),
    ] {
        // Each of these fails, or changes only this guest's view.
        let _ = fs::write(folder.join("kept"), "changed");
        let _ = fs::write(folder.join("new"), "made");
        let _ = fs::remove_file(folder.join("kept"));
    }
    Ok(())
}

/// Builds with a changed profile, for speed, are larger.
fn program_is_small(_: Kernel, kit: Arc<Kit>) -> Result<()> {
    let is_changed = |(name, _): (OsString, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PROFILE_RELEASE_") || name == "LAB_OURS"
    };
    if env::vars_os().any(is_changed) {
        return Ok(());
    }
    let bytes = fs::metadata(kit.path().join("ours/ipvsadm"))?.len();
    ensure!(bytes < MOST_BYTES, "the program has {bytes} bytes");
    Ok(())
}

/// At a terminal, the README's first command starts a shell with completion.
fn director_at_a_terminal(_: Kernel, kit: Arc<Kit>) -> Result<()> {
    let mut command = Command::new(env::current_exe()?);
    command.env(supervise::ROLE, director::ROLE);
    command.env("LAB_OURS", kit.path().join("ours/ipvsadm"));
    let mut terminal = Terminal::start(command)?;
    for (keys, last) in [
        ("", "director#"),
        (
            "ipvsadm -d -t \t-r 172.16.1\t",
            "director# ipvsadm -d -t 198.51.100.1:80 -r 172.16.1.2:8080",
        ),
        ("\r", "director#"),
        (
            "ipvsadm-save -n\r",
            "-a -t 198.51.100.1:80 -r 172.16.2.2:8080 -m -w 1\ndirector#",
        ),
        ("stty size\r", "\n40 90\ndirector#"),
        ("exit\r", director::FAREWELL),
    ] {
        terminal.press(keys)?;
        let shown = terminal.wait(|screen| screen.trim_end().ends_with(last));
        if let Err(screen) = shown {
            bail!("{screen}does not end with {last:?} after {keys:?}");
        }
        terminal.resize(40, 90)?;
    }
    Ok(())
}
