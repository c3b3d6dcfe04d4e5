//! `ipvsadm-save` and `ipvsadm-restore`: the program under its other names.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("wrappers::save", save),
        KernelTest::new("wrappers::one_file_holds_everything", all),
        KernelTest::new("wrappers::restore_replaces_the_table", restore),
        KernelTest::new("wrappers::restore_reads_a_file", restore_file),
        KernelTest::new("wrappers::restore_refuses_other_words", other_words),
        KernelTest::new("wrappers::restore_at_a_terminal", at_a_terminal),
        KernelTest::new("wrappers::where_a_restore_stops", stopped),
        KernelTest::new("wrappers::a_bad_file_fills_only_an_empty_table", bad_file),
        KernelTest::new("wrappers::refused_lines_are_reported", refused_lines),
        KernelTest::new("wrappers::one_restore_at_a_time", locked),
        KernelTest::new("wrappers::memory_of_large_files", memory),
    ]
}

struct Director(Namespace);

impl Director {
    fn new(world: &mut World) -> Result<Self> {
        let director = Self(world.namespace("director")?);
        director.run("ipvsadm", &["-A", "-t", "10.0.0.1:80"], "")?;
        Ok(director)
    }

    fn run(&self, name: &str, args: &[&str], input: &str) -> Result<Output> {
        let program = Program::ipvsadm(Side::Ours).argv0(name).args(args);
        self.0.run(&program.stdin(input))
    }

    fn expect(
        &self,
        name: &str,
        args: &[&str],
        input: &str,
        expected: (&str, &str, i32),
    ) -> Result<()> {
        let output = self.run(name, args, input)?;
        let (stdout, stderr, status) = expected;
        let expected = Output {
            stdout: stdout.into(),
            stderr: stderr.into(),
            status: Status::Exit(status),
        };
        ensure!(
            output == expected,
            "{name} {args:?} gave\n{output}instead of\n{expected}"
        );
        Ok(())
    }

    fn expect_of_shell(&self, line: &str, input: &str, expected: (&str, i32)) -> Result<()> {
        let shell = Program::shell(Side::Ours, line).stdin(input);
        let output = self.0.run(&shell.limit(Duration::from_secs(60)))?;
        let expected = Output {
            stdout: Vec::new(),
            stderr: expected.0.into(),
            status: Status::Exit(expected.1),
        };
        ensure!(
            output == expected,
            "{line} gave\n{output}instead of\n{expected}"
        );
        Ok(())
    }

    fn expect_table(&self, saved: &str) -> Result<()> {
        self.expect("ipvsadm", &["-Sn"], "", (saved, "", 0))
    }
}

fn save(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let numbers = ("-A -t 10.0.0.1:80 -s wlc\n", "", 0);
    let names = ("-A -t 10.0.0.1:http -s wlc\n", "", 0);
    director.expect("/usr/sbin/ipvsadm-save", &[], "", names)?;
    director.expect("ipvsadm-save", &["-n"], "", numbers)?;
    director.expect("ipvsadm-save", &["-n", "-n", "-"], "", numbers)?;
    let usage = "\nusage: ipvsadm-save [-n] [--all] [--netns NAME] [FILE]\n";
    for option in ["-x", "-nn", "--numeric"] {
        let said = format!("{option}: unknown option{usage}");
        director.expect("ipvsadm-save", &[option], "", ("", &said, 1))?;
    }
    let said = format!("unexpected argument two{usage}");
    director.expect("ipvsadm-save", &["one", "two"], "", ("", &said, 1))
}

/// Saves everything to one file, and restores it in both ways.
fn all(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let script = "\
ip link add sync type dummy; ip addr add 10.5.0.1/24 dev sync; ip link set sync up
ln -s $(command -v ipvsadm) /tmp/ipvsadm-save; ln -s $(command -v ipvsadm) /tmp/ipvsadm-restore
ipvsadm --set 100 20 30; ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1 -m
ipvsadm --start-daemon master --mcast-interface sync --syncid 7 --mcast-ttl 9
ipvsadm --start-daemon backup --mcast-interface sync --syncid 8
cd $(mktemp -d); umask 027; echo old >rules; chmod 604 rules; ln -s rules link
/tmp/ipvsadm-save -n --all link; cat rules; stat -c %a rules; ls -A
ipvsadm --diff rules
forget() {
    ipvsadm --set 900 120 300; ipvsadm -C; sleep 0.1
    ipvsadm --stop-daemon master; ipvsadm --stop-daemon backup
}
forget; /tmp/ipvsadm-restore rules; ipvsadm -Sn --all | cmp - rules
/tmp/ipvsadm-restore rules; ipvsadm -Sn --all | cmp - rules
forget; ipvsadm --apply rules; ipvsadm -Sn --all --output again; cmp again rules
sleep 0.1; ipvsadm --stop-daemon master; ipvsadm --stop-daemon backup
rm /tmp/ipvsadm-save /tmp/ipvsadm-restore";
    let said = director.0.run(&Program::shell(Side::Ours, script))?;
    let expected = "\
--set 100 20 30
-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1
--start-daemon master --mcast-interface sync --syncid 7 --sync-maxlen 1472 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 9
--start-daemon backup --mcast-interface sync --syncid 8 --sync-maxlen 1472 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1
604
link
rules
";
    let said = String::from_utf8(said.success()?)?;
    ensure!(said == expected, "it said\n{said}");
    Ok(())
}

fn restore(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let file = "# web\n-A -t 10.0.0.2:80 -s rr\n\n-a -t 10.0.0.2:80 -r 10.1.0.1 -m";
    director.expect("/sbin/ipvsadm-restore", &[], file, ("", "", 0))?;
    director.expect_table("-A -t 10.0.0.2:80 -s rr\n-a -t 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1\n")?;
    director.expect("ipvsadm-restore", &[], "", ("", "", 0))?;
    director.expect_table("")
}

fn restore_file(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    fs::write("/tmp/rules", "-A -f 1 -s rr\n")?;
    let other = "-A -f 2 -s rr\n";
    for args in [&["/tmp/rules"][..], &["-n", "/tmp/rules"]] {
        director.expect("ipvsadm-restore", args, other, ("", "", 0))?;
        director.expect_table("-A -f 1 -s rr\n")?;
        director.run("ipvsadm", &["-C"], "")?;
    }
    director.expect("ipvsadm-restore", &["-"], other, ("", "", 0))?;
    director.expect_table(other)?;
    for (file, reason) in [
        ("/tmp/none", "No such file or directory"),
        ("/tmp", "Is a directory"),
    ] {
        let message = format!("cannot read {file}: {reason}\n");
        director.expect("ipvsadm-restore", &[file], "", ("", &message, 1))?;
    }
    director.expect_table(other)
}

/// The original ignores its arguments, reads nothing and clears the table.
fn other_words(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    for option in ["-h", "--help"] {
        let output = director.run("ipvsadm-restore", &[option], "")?;
        let help = String::from_utf8(output.success()?)?;
        ensure!(help.starts_with("usage: ipvsadm-restore "), "{help}");
    }
    for (args, message) in [
        (&["--bogus"][..], "--bogus: unknown option"),
        (&["/tmp/rules", "-x"], "-x: unknown option"),
        (&["-", "/tmp/rules"], "unexpected argument /tmp/rules"),
    ] {
        let output = director.run("ipvsadm-restore", args, "")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("{message}\nusage: ipvsadm-restore ");
        ensure!(
            output.status == Status::Exit(2) && said.starts_with(&expected),
            "{args:?} gave\n{output}"
        );
    }
    director.expect_table("-A -t 10.0.0.1:80 -s wlc\n")
}

/// Without input it says that it waits for lines, and changes nothing.
fn at_a_terminal(world: &mut World) -> Result<()> {
    const REPLACES: &str =
        "reading commands from the terminal: Ctrl-D replaces the table, Ctrl-C leaves it alone\n";
    const RUNS: &str =
        "reading commands from the terminal: each is run when its line ends, Ctrl-D ends\n";
    const KEPT: &str = "-A -t 10.0.0.1:80 -s wlc\n";
    let director = Director::new(world)?;
    let type_in = |words: &[&str], waits: &str, keys: &str, shown: &str, table: &str| {
        let program = Program::ipvsadm(Side::Ours).argv0(words[0]);
        let mut terminal = director.0.start_at_terminal(&program.args(&words[1..]))?;
        let waiting = terminal.wait(|screen| screen == waits);
        waiting.map_err(|screen| anyhow!("{words:?} showed\n{screen}"))?;
        terminal.press(keys)?;
        let screen = terminal.end()?;
        ensure!(
            screen == waits.to_owned() + shown,
            "{keys:?} showed\n{screen}"
        );
        director.expect_table(table)
    };
    let restore = &["ipvsadm-restore"];
    type_in(
        restore,
        REPLACES,
        "\x04",
        "no commands: the table is left alone\n",
        KEPT,
    )?;
    type_in(restore, REPLACES, "\x03", "^C\n", KEPT)?;
    let both = KEPT.to_owned() + "-A -f 1 -s wlc\n";
    type_in(
        &["ipvsadm", "-R"],
        RUNS,
        "-A -f 1\n\x04",
        "-A -f 1\n",
        &both,
    )?;
    type_in(
        restore,
        REPLACES,
        "-A -f 2\n\x04",
        "-A -f 2\n",
        "-A -f 2 -s wlc\n",
    )
}

/// Users see what happened to the other lines; programs get the familiar output.
fn stopped(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let script =
        "printf -- '-A -f 2 -s rr\\n-A -f 2 -s rr\\n-A -q\\nword\\n# more\\n-A -f 3\\n' >/tmp/rules
ipvsadm -R </tmp/rules; cat /tmp/rules | ipvsadm -R; ipvsadm -R </tmp/rules 2>&1 | tail -n 1";
    let shown = "\
line 2: Service already exists
line 3: -q: unknown option
line 4: the first option must be a command
stopped at line 4: 1 line was applied, 2 were not read
line 1: Service already exists
line 2: Service already exists
line 3: -q: unknown option
line 4: the first option must be a command
stopped at line 4: 0 lines were applied, what follows was not read
line 4: the first option must be a command
";
    let program = Program::shell(Side::Ours, script);
    let screen = director.0.start_at_terminal(&program)?.end()?;
    ensure!(screen == shown, "it showed\n{screen}");
    director.expect_table("-A -t 10.0.0.1:80 -s wlc\n-A -f 2 -s rr\n")
}

/// Unreadable lines leave a table in use unchanged; into an empty one the other lines are loaded.
fn bad_file(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let file = "\
-A -t 10.0.0.2:80
-A -t 10.0.0.4:80 -q
-A -t 10.0.0.2:80
-R
-A -t 10.0.0.6:0
x -n
";
    let messages = "\
line 2: -q: unknown option
line 4: this command is not allowed in a file
line 5: Zero port specified for non-persistent service
line 6: the first option must be a command
";
    let kept = messages.to_owned() + "the table has services and is left alone\n";
    director.expect("ipvsadm-restore", &[], file, ("", &kept, 255))?;
    director.expect_table("-A -t 10.0.0.1:80 -s wlc\n")?;

    director.run("ipvsadm", &["-C"], "")?;
    let loaded = messages.to_owned() + "line 3: Service already exists\n";
    director.expect("ipvsadm-restore", &[], file, ("", &loaded, 255))?;
    director.expect_table("-A -t 10.0.0.2:80 -s wlc\n")?;

    let lines = "-Z\n".repeat(1_000_001);
    director.expect(
        "ipvsadm-restore",
        &[],
        &lines,
        ("", "more than 1000000 lines\n", 2),
    )?;
    director.expect_table("-A -t 10.0.0.2:80 -s wlc\n")
}

/// Duplicate or refused lines are reported, and the rest is loaded.
fn refused_lines(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let file = "\
-A -t 10.0.0.2:80 -s rr
-A -t 10.0.0.2:80 -s wrr
-A -t 10.0.0.3:80 -s none-such
-a -t 10.0.0.3:80 -r 10.1.0.1
-L -t 10.0.0.9:80
-A -t 10.0.0.4:80 -s rr
";
    let messages = "\
line 2: Service already exists
line 3: Scheduler or persistence engine not found
line 4: Service not defined
line 5: No such service
";
    director.expect("ipvsadm-restore", &[], file, ("", messages, 255))?;
    director.expect_table("-A -t 10.0.0.2:80 -s rr\n-A -t 10.0.0.4:80 -s rr\n")
}

/// One runs at a time; the second says what it waits for. If no file can be locked it continues.
fn locked(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let script = "\
ln -s $(command -v ipvsadm) /tmp/ipvsadm-restore
lock=/run/ipvsadm.net-$(stat -L -c %i /proc/self/ns/net).lock
echo -A -f 1 | /tmp/ipvsadm-restore; stat -c %a $lock
(flock 9; echo 4711 >$lock; sleep 2) 9>>$lock & sleep 0.3
echo -A -f 2 | /tmp/ipvsadm-restore 2>&1; ipvsadm -Sn
rm $lock; mkdir $lock; echo -A -f 3 | /tmp/ipvsadm-restore; ipvsadm -Sn; rmdir $lock
ln -s /tmp/planted $lock; echo -A -f 4 | /tmp/ipvsadm-restore; ipvsadm -Sn
ls /tmp/planted 2>&1; rm $lock /tmp/ipvsadm-restore";
    let program = Program::shell(Side::Ours, script);
    let said = String::from_utf8(director.0.run(&program)?.success()?)?;
    let expected = "\
600
waiting for process 4711, which replaces the table
-A -f 2 -s wlc
-A -f 3 -s wlc
-A -f 4 -s wlc
ls: cannot access '/tmp/planted': No such file or directory
";
    ensure!(said == expected, "it said\n{said}");
    Ok(())
}

/// The shell's limit is in KiB and covers everything: a program that runs out of memory would not
/// end with these messages. 16 MiB are for the program itself.
fn memory(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    const LINES: usize = 200_000;
    let mut file = String::new();
    for service in 0..LINES as u32 / 10 {
        let service = Ipv4Addr::from_bits(0x0a00_0000 + service);
        writeln!(file, "-A -t {service}:80 -s wlc")?;
        for server in 1..10 {
            writeln!(file, "-a -t {service}:80 -r 172.16.0.{server}:8080 -m")?;
        }
    }
    let limit = 16 * 1024 + LINES * 200 / 1024;
    let restore = format!(
        "ln -s $(command -v ipvsadm) /tmp/ipvsadm-restore; ulimit -v {limit}; /tmp/ipvsadm-restore"
    );
    // The last line is bad, so all lines are read and none is run.
    let message = format!(
        "line {}: illegal weight specified\n\
         the table has services and is left alone\n",
        LINES + 1
    );
    file += "-a -t 10.0.0.1:80 -r 172.16.0.10 -w x\n";
    director.expect_of_shell(&restore, &file, (&message, 2))?;
    director.expect_table("-A -t 10.0.0.1:80 -s wlc\n")?;

    // `-R` does not keep the lines it has run: this is forty megabytes.
    let file = format!("-Z # {}\n", "x".repeat(200)).repeat(LINES);
    director.expect_of_shell("ulimit -v 16384; ipvsadm -R", &file, ("", 0))
}
