//! `--netns` from outside gives the same results as the same words inside.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};
use crate::synced::{self, Synced};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("netns::each_has_its_own", each_has_its_own),
        KernelTest::new("netns::missing_or_not_allowed", missing_or_not_allowed),
    ]
}

const BLUE: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1
-A -f 7 -6 -s wlc
";
const GREEN: &str = "-A -u 10.0.0.2:53 -s sh\n";

const LISTINGS: &[&str] = &[
    "-Ln",
    "-Ln --stats",
    "-Ln --rate",
    "-Ln --thresholds",
    "-Lnc",
    "-L --timeout",
    "-L --totals",
    "-L --daemon",
    "-Sn",
];
const FORMATS: &[&str] = &["", "--format json", "--format table", "--format prometheus"];

fn ipvsadm(here: &Namespace, side: Side, line: &str, stdin: &str) -> Result<Output> {
    let program = Program::ipvsadm(side).args(line.split_whitespace());
    here.run(&program.stdin(stdin))
}

fn ours(here: &Namespace, line: &str, stdin: &str) -> Result<String> {
    let output = ipvsadm(here, Side::Ours, line, stdin)?;
    Ok(String::from_utf8(output.success()?)?)
}

fn each_has_its_own(world: &mut World) -> Result<()> {
    let blue = world.namespace("blue")?;
    let green = world.namespace("green")?;
    let here = world.namespace("here")?;
    ours(&here, "--netns blue -R", BLUE)?;
    ours(&here, "-R --netns=/run/netns/green", GREEN)?;
    ours(&here, "--set 10 20 30 --netns green", "")?;
    for (namespace, client) in [(&blue, 1), (&green, 2)] {
        namespace.enter()?;
        synced::listen()?;
        synced::send([connection(client)].into_iter())?;
    }
    for listing in LISTINGS {
        for format in FORMATS {
            if format.is_empty() || !listing.starts_with("-S") {
                same_inside_and_outside(world, &here, &blue, &format!("{listing} {format}"))?;
            }
        }
        let [of_blue, of_green] =
            ["blue", "green"].map(|name| ours(&here, &format!("--netns {name} {listing}"), ""));
        let may_be_equal = ["-L --daemon", "-L --totals"].contains(listing);
        ensure!(of_blue? != of_green? || may_be_equal, "{listing}");
    }
    ensure!(ours(&here, "--netns blue", "")? == ours(&blue, "", "")?);
    ensure!(ours(&here, "-Sn", "")?.is_empty());

    ours(&here, "--netns green --stop-daemon backup", "")?;
    ensure!(ours(&green, "-L --daemon", "")?.is_empty());
    ensure!(!ours(&blue, "-L --daemon", "")?.is_empty());

    let saved = ours(&here, "--netns blue -Sn", "")?;
    ensure!(saved == BLUE, "{saved}");
    let difference = ipvsadm(&here, Side::Ours, "--diff --netns green", BLUE)?;
    ensure!(difference.status == Status::Exit(1), "{difference}");
    ours(&here, "--apply --netns green", BLUE)?;
    ensure!(ours(&green, "-Sn", "")? == BLUE);
    ours(&here, "--apply - --netns here", GREEN)?;
    ensure!(ours(&here, "-Sn", "")? == GREEN);

    wrappers_enter_too(&here)?;
    let undo = ours(&here, "--drain -r 10.1.0.1:80 --netns green", "")?;
    ensure!(
        undo == "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n",
        "{undo}"
    );
    ensure!(ours(&green, "-Sn", "")? == BLUE.replace("-w 1", "-w 0"));
    ensure!(ours(&blue, "-Sn", "")? == BLUE);

    let completed = ours(&here, "--complete-words", "--netns\0blue\0-D\0-t\0\0")?;
    ensure!(completed == "10.0.0.1:80\trr, 1 server\n", "{completed}");
    let completed = ours(&here, "--complete-words", "-C\0--netns\0\0")?;
    ensure!(completed == "blue\t\ngreen\t\nhere\t\n", "{completed}");
    Ok(())
}

fn wrappers_enter_too(here: &Namespace) -> Result<()> {
    let script = "\
printf '%s\\n' '-A -f 9 -s rr' | ipvsadm-restore --netns here
ipvsadm -Sn
ipvsadm-save -n --netns=blue | ipvsadm-restore --netns=/run/netns/here -
ipvsadm-save --netns blue -n";
    let names = ["save", "restore"]
        .map(|name| format!("ln -sf {}/ipvsadm ipvsadm-{name}; ", Side::Ours.folder()));
    let script = format!("cd $(mktemp -d); {}PATH=.:$PATH\n{script}", names.concat());
    let output = here.run(&Program::shell(Side::Ours, &script))?.success()?;
    let printed = String::from_utf8(output)?;
    ensure!(printed == format!("-A -f 9 -s rr\n{BLUE}"), "{printed}");
    ensure!(ours(here, "-Sn", "")? == BLUE);
    Ok(())
}

/// Listings that the original knows are compared with its own inside. Time passes between two
/// listings of connections.
fn same_inside_and_outside(
    world: &mut World,
    here: &Namespace,
    blue: &Namespace,
    line: &str,
) -> Result<()> {
    let side = if line.contains("--format") || line.contains("--totals") {
        Side::Ours
    } else {
        Side::Reference
    };
    let mut differing = String::new();
    for _ in 0..5 {
        let inside = String::from_utf8(ipvsadm(blue, side, line, "")?.success()?)?;
        let outside = ours(here, &format!("{line} --netns blue"), "")?;
        world.comparisons += 1;
        if inside == outside {
            return Ok(());
        }
        differing = format!("{line} gives\n{outside}instead of\n{inside}");
    }
    anyhow::bail!(differing)
}

fn connection(host: u8) -> Synced {
    let at = |net, port| SocketAddr::from((Ipv4Addr::new(10, net, 0, host), port));
    Synced {
        protocol: 6,
        flags: 0,
        state: 1,
        client: at(8, 1024),
        virtual_service: at(0, 80),
        server: at(1, 80),
    }
}

/// Nothing is changed, not even in the current namespace, and the message says where the namespace
/// should be.
fn missing_or_not_allowed(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    ours(&here, "-R", BLUE)?;
    let missing = "network namespace /run/netns/none-such: No such file or directory\n";
    let not_one = "network namespace /etc/passwd: this file is not a network namespace\n";
    let denied = "network namespace /run/netns/here: Operation not permitted\n";
    let cases = [
        ("-C --netns none-such", "", missing),
        ("--netns none-such -Ln", "", missing),
        ("--netns none-such --apply", BLUE, missing),
        ("--netns none-such -R", "-C\n", missing),
        ("--netns none-such -R", "", missing),
        ("--netns none-such --check", "", missing),
        ("--netns /etc/passwd -C", "", not_one),
        (
            "-R",
            "-C --netns here\n",
            "line 1: the option 'netns' is not allowed in a file\n",
        ),
    ];
    for (line, stdin, message) in cases {
        let output = ipvsadm(&here, Side::Ours, line, stdin)?;
        expect(line, &output, message)?;
    }
    let setpriv = Program::new("setpriv").args(["--reuid=65534", "--clear-groups", "--"]);
    let ipvsadm = format!("{}/ipvsadm", Side::Ours.folder());
    let output = here.run(&setpriv.args([&ipvsadm, "-C", "--netns", "here"]))?;
    expect("-C as nobody", &output, denied)?;
    ensure!(ours(&here, "-Sn", "")? == BLUE);
    Ok(())
}

fn expect(line: &str, output: &Output, message: &str) -> Result<()> {
    let is_right = output.status == Status::Exit(2) && output.stderr == message.as_bytes();
    ensure!(is_right, "{line} gave\n{output}instead of\n{message}");
    Ok(())
}
