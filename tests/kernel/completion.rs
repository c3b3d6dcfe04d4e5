//! Completion in real shells: an ordinary user types at a terminal, and the files in `completion/`
//! hold the expected screens.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::lab::guest::PATH;
use crate::lab::kernels::Kernel;
use crate::lab::ours::installer;
use crate::lab::runner::KernelTest;
use crate::lab::terminal::Terminal;
use crate::lab::world::{Namespace, Program, Side, World};

/// Shells behave the same on every kernel; this is the fastest.
pub fn tests() -> Vec<KernelTest> {
    let shells = SHELLS.iter().map(|shell| KernelTest {
        kernels: vec![Kernel::V7_2],
        cost: 20,
        ..KernelTest::new(format!("completion::{}", shell.name), |world| {
            complete_in(world, shell)
        })
    });
    let with_the_original = SHELLS.iter().map(|shell| KernelTest {
        kernels: vec![Kernel::V7_2],
        cost: 20,
        ..KernelTest::new(format!("completion::original::{}", shell.name), |world| {
            nothing_is_run(world, shell)
        })
    });
    shells.chain(with_the_original).collect()
}

/// A shell, how to start it, and a session of keys and screens.
struct Shell {
    name: &'static str,
    start: &'static [&'static str],
    settings: &'static str,
    session: &'static str,
}

const SHELLS: &[Shell] = &[
    Shell {
        name: "bash",
        start: &["bash", "--rcfile", "settings", "-i"],
        settings: ". /usr/share/bash-completion/bash_completion; PS1='> '\n",
        session: include_str!("completion/bash"),
    },
    Shell {
        name: "bash_alone",
        start: &["bash", "--rcfile", "settings", "-i"],
        settings: ". /usr/local/share/bash-completion/completions/ipvsadm; PS1='> '\n",
        session: include_str!("completion/bash_alone"),
    },
    Shell {
        name: "zsh",
        start: &["zsh", "-i"],
        settings: "autoload -U compinit; compinit -u; PS1='> '\n",
        session: include_str!("completion/zsh"),
    },
    Shell {
        name: "fish",
        start: &["fish", "-C", "source settings"],
        settings: "function fish_prompt; echo '> '; end; function fish_greeting; end\n",
        session: include_str!("completion/fish"),
    },
];

const TABLE: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5
-a -t 10.0.0.1:80 -r 10.1.0.2:8080 -m -w 0
-A -t 10.0.0.1:443 -s wlc
-A -t [2001:db8::1]:80 -s wrr
-a -t [2001:db8::1]:80 -r [2001:db8:1::1]:80 -g
-A -u 10.0.0.1:53 -s sh
-A --sctp-service 10.0.0.1:9
-A -f 7
-a -f 7 -r 10.1.0.1
-A -f 7 -6
-a -f 7 -6 -r [2001:db8:1::1]
";

/// A user without privileges that exists everywhere.
const NOBODY: u32 = 65534;

fn complete_in(world: &mut World, shell: &Shell) -> Result<()> {
    let here = world.namespace("here")?;
    here.run(&Program::ipvsadm(Side::Ours).args(["-R"]).stdin(TABLE))?
        .success()?;
    let interface = ["link", "add", "sync0", "type", "dummy"];
    here.run(&Program::new("ip").args(interface))?.success()?;
    let _installed = Installed::new(&here)?;
    let home = home_of_nobody(shell)?;
    symlink("/usr/local/sbin/ipvsadm", home.join("ipvsadm"))?;
    let program = Program::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["env", "-C"])
        .args([&home])
        .args(shell.start);
    let mut terminal = here.start_at_terminal(&at_home(program, &home))?;
    world.shown = play(&mut terminal, shell.session)?;
    Ok(())
}

/// Each would do or print something if it were run.
const LINES: [&str; 16] = [
    "-A -t 10.0.0.9:80",
    "-E -t 10.0.0.1:80 -s lc",
    "-D -t 10.0.0.1:80",
    "-C",
    "-L -n",
    "-a -t 10.0.0.1:80 -r 10.1.0.9",
    "-d -t 10.0.0.1:80 -r 10.1.0.1:8080",
    "-e -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 9",
    "--set 1 2 3",
    "--start-daemon master --mcast-interface sync0",
    "--stop-daemon backup",
    "-R",
    "-S -n",
    "-Z",
    "-h",
    "-v",
];

/// Completion must never run another program's commands: here the shell finds the original, by name
/// and by path, and root presses the key. A missing program does no harm either, nor does ignored
/// SIGPIPE, as under some terminals.
fn nothing_is_run(world: &mut World, shell: &Shell) -> Result<()> {
    let here = world.namespace("here")?;
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(TABLE);
    here.run(&restore)?.success()?;
    let interface = ["link", "add", "sync0", "type", "dummy"];
    here.run(&Program::new("ip").args(interface))?.success()?;
    let daemon = ["--start-daemon", "backup", "--mcast-interface", "sync0"];
    here.run(&Program::ipvsadm(Side::Ours).args(daemon))?
        .success()?;
    let state = || -> Result<Vec<u8>> {
        let all = "ipvsadm -Sn; ipvsadm -L --timeout; ipvsadm -L --daemon";
        here.run(&Program::shell(Side::Ours, all))?.success()
    };
    let before = state()?;

    let _installed = Installed::new(&here)?;
    let home = home_of_nobody(shell)?;
    let original = format!("{}/ipvsadm", Side::Reference.folder());
    let recorder = home.join("recorder");
    let script = format!("#!/bin/sh\necho \"${{0##*/}} $*\" >>~/asked\nexec {original} \"$@\"\n");
    fs::write(&recorder, script)?;
    fs::set_permissions(&recorder, Permissions::from_mode(0o755))?;
    symlink(&recorder, home.join("ipvsadm"))?;
    let program = Program::new("env")
        .args(["--ignore-signal=PIPE", "-C"])
        .args([&home])
        .args(shell.start);
    let mut terminal = here.start_at_terminal(&at_home(program, &home))?;
    expect(&mut terminal, "a prompt", ">\n")?;
    let by = |name: &str| LINES.map(|line| format!("{name} {line}"));
    let mut lines = [by("ipvsadm"), by(&original)].concat();
    // The part of this path before the blank is a program.
    lines.extend(["/nowhere/ipvsadm -C", "recorder\\ x/ipvsadm -C"].map(str::to_owned));
    for line in lines {
        terminal.press(CLEAR)?;
        expect(&mut terminal, "a clear screen", ">\n")?;
        terminal.press(&format!("{line}\tx"))?;
        // The letter after the key shows that the shell has handled it.
        expect(&mut terminal, &line, &format!("> {line}x\n"))?;
    }
    let after = state()?;
    ensure!(
        after == before,
        "it became\n{}",
        String::from_utf8_lossy(&after)
    );
    let asked = fs::read_to_string(home.join("asked"))?;
    let asked: BTreeSet<&str> = asked.lines().collect();
    ensure!(
        asked == BTreeSet::from(["ipvsadm --complete-words"]),
        "these were run: {asked:?}"
    );
    Ok(())
}

fn at_home(program: Program, home: &Path) -> Program {
    program
        .env("PATH", format!("{}:{PATH}", home.display()))
        .env("HOME", home)
        .env("ZDOTDIR", home)
        .env("XDG_DATA_DIRS", "/usr/local/share:/usr/share")
        .env("LC_ALL", "C.UTF-8")
}

/// A folder with the shell's settings, files, and a program named `sudo`.
fn home_of_nobody(shell: &Shell) -> Result<PathBuf> {
    let home = Path::new("/tmp/home").join(shell.name);
    // An earlier test of this boot may have left one.
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home)?;
    fs::write(home.join("settings"), shell.settings)?;
    fs::write(home.join(".zshrc"), shell.settings)?;
    fs::write(home.join("rules.saved"), "")?;
    fs::write(home.join("my rules"), "")?;
    // Shells complete only after commands that exist.
    symlink("/bin/true", home.join("sudo"))?;
    chown(&home, Some(NOBODY), Some(NOBODY))?;
    Ok(home)
}

/// Installs everything where the README says; removed on drop.
struct Installed<'a>(&'a Namespace);

impl<'a> Installed<'a> {
    fn new(here: &'a Namespace) -> Result<Self> {
        here.run(&installer())?.success()?;
        Ok(Self(here))
    }
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(&installer().args(["--remove"]));
    }
}

/// Clears the line and the screen.
const CLEAR: &str = "\x15\x0c";

/// Types the keys of the session and compares the screen after each step; returns all of it.
fn play(terminal: &mut Terminal, session: &str) -> Result<String> {
    let mut shown = String::new();
    expect(terminal, "a prompt", ">\n")?;
    for step in session.split("\n\n").filter(|step| !step.is_empty()) {
        let lines = step.lines().filter(|line| !line.starts_with('#'));
        let mut lines = lines.map(str::to_owned);
        let Some(line) = lines.next() else { continue };
        let Some(keys) = line.strip_prefix("type ") else {
            bail!("a step begins with {line:?} instead of what to type");
        };
        terminal.press(CLEAR)?;
        expect(terminal, "a clear screen", ">\n")?;
        terminal.press(&keys.replace("<TAB>", "\t"))?;
        let screen: String = lines.map(|line| line + "\n").collect();
        expect(terminal, &line, &screen)?;
        shown += &format!("{line}\n{}\n", terminal.screen());
    }
    Ok(shown)
}

fn expect(terminal: &mut Terminal, when: &str, expected: &str) -> Result<()> {
    match terminal.wait(|screen| screen == expected) {
        Ok(()) => Ok(()),
        Err(screen) => bail!("after {when} the screen shows\n{screen}instead of\n{expected}"),
    }
}
