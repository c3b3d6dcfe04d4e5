//! `tests/lab/director`: a throw-away director that demonstrates its main job.
//!
//! Outside, `show` boots it and connects it to the terminal; inside, `demonstrate` restores rules,
//! sends requests through them, and then starts a shell if there is a terminal.

use std::env;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::boot::{Guest, Kit};
use super::kernels::Kernel;
use super::world::{Namespace, Output, Program, Side, Status, World};
use super::{guest, ours, sys};

/// The role that boots the director, and that of process 1 in it.
pub const ROLE: &str = "director";
pub const GUEST_ROLE: &str = "director-guest";

/// The kernel of the director.
pub const KERNEL: Kernel = Kernel::V6_12;

/// The rows and columns of the user's terminal, if there is one.
const TERMINAL: &str = "LAB_TERMINAL";

/// The last output of a successful director.
pub const FAREWELL: &str = "The director is gone, and nothing of it remains.";

/// The longest silence of a demonstration: a listing takes less than a second.
const PATIENCE: Duration = Duration::from_secs(60);

const RULES: &str = "\
-A -t 198.51.100.1:80 -s rr
-a -t 198.51.100.1:80 -r 172.16.1.2:8080 -m
-a -t 198.51.100.1:80 -r 172.16.2.2:8080 -m
";

/// A request from the client, for the demonstration and for the user's shell.
const REQUEST: &str = "\
#!/bin/sh
exec ip netns exec client bash -c 'cat </dev/tcp/198.51.100.1/80'
";

/// The startup file of the user's shell, and its path.
const SHELL: &str = "\
PS1='director# '
. /usr/local/share/bash-completion/completions/ipvsadm
";
const SETTINGS: &str = "/run/director.bashrc";

/// Boots the director and shows its output.
pub fn show() -> Result<ExitCode> {
    sys::die_with_parent();
    let resizes = sys::terminal_resizes()?;
    let kit = Kit::new(&[ours::program()?])?;
    let terminal = Terminal::of_reader()?;
    let size = terminal.as_ref().map(|_| size()).transpose()?;
    let variables: Vec<_> = size.iter().map(|size| (TERMINAL, size.as_str())).collect();
    let guest = Guest::boot(KERNEL, &kit, GUEST_ROLE, &variables)?;
    let last = match &terminal {
        Some(terminal) => terminal.connect(&guest, resizes)?,
        None => {
            guest.link().set_read_timeout(Some(PATIENCE))?;
            copy(guest.link(), false)?
        }
    };
    drop(terminal);
    if !last.trim_end().ends_with(FAREWELL) {
        bail!(
            "the director did not get to its end; its console says\n{}",
            guest.last_words()
        );
    }
    guest.wait()?;
    Ok(ExitCode::SUCCESS)
}

/// Copies the director's output to standard output; returns the end of it.
fn copy(mut source: impl Read, raw: bool) -> Result<String> {
    let mut buffer = [0; 4096];
    let mut last = String::new();
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => return Ok(last),
            Ok(length) => length,
            Err(error) => return Err(error).context("the director fell silent"),
        };
        let mut bytes = buffer[..length].to_vec();
        if !raw {
            bytes.retain(|byte| *byte != b'\r');
        }
        io::stdout().write_all(&bytes)?;
        io::stdout().flush()?;
        last = last + &String::from_utf8_lossy(&bytes);
        let surplus = last.len().saturating_sub(200);
        last = last.chars().skip(surplus).collect();
    }
}

/// The user's terminal, with every key sent to the director; restored on drop.
struct Terminal {
    settings: String,
}

impl Terminal {
    fn of_reader() -> Result<Option<Self>> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(None);
        }
        let settings = stty(&["-g"])?;
        Ok(Some(Terminal { settings }))
    }

    fn connect(&self, guest: &Guest, resizes: File) -> Result<String> {
        stty(&["raw", "-echo"])?;
        let mut keys = guest.link().try_clone()?;
        thread::spawn(move || io::copy(&mut io::stdin(), &mut keys));
        let keyboard = guest.keyboard.try_clone()?;
        thread::spawn(move || pass_on(resizes, keyboard));
        copy(guest.link(), true)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = stty(&[&self.settings]);
    }
}

/// Writes each new size of the user's terminal.
fn pass_on(mut resizes: File, mut keyboard: UnixStream) -> Result<()> {
    let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
    loop {
        resizes.read_exact(&mut buffer)?;
        writeln!(keyboard, "{}", size()?)?;
    }
}

/// The rows and columns of the user's terminal.
fn size() -> Result<String> {
    Ok(stty(&["size"])?.replace(' ', "x"))
}

fn stty(words: &[&str]) -> Result<String> {
    let output = Command::new("stty")
        .args(words)
        .stdin(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "stty {} failed", words.join(" "));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Inside: the demonstration, and a shell if the user is at a terminal.
pub fn demonstrate(screen: &mut File) -> Result<()> {
    let mut world = World::default();
    let network = Network::new(&mut world)?;
    let release = guest::release()?;
    writeln!(
        screen,
        "A director on Linux {release}: a client reaches two web servers through it.\n"
    )?;
    for line in [
        "cat /etc/ipvsadm.rules",
        "ipvsadm -R < /etc/ipvsadm.rules",
        "for n in 1 2 3 4; do request; done",
        "ipvsadm -Ln",
        "sleep 2.5   # the kernel adds up its counters every two seconds",
        "ipvsadm -Ln --stats",
        "ipvsadm -Lnc",
        "ipvsadm -Sn",
    ] {
        writeln!(screen, "director# {line}")?;
        let output = network.director.run(&Program::shell(Side::Ours, line))?;
        screen.write_all(&output.stdout)?;
        writeln!(screen)?;
        ensure!(output.status == Status::Exit(0), "this failed:\n{output}");
        if line.contains("request") {
            check_answers(&output)?;
        }
    }
    if let Some(size) = env::var_os(TERMINAL) {
        let size = size.to_string_lossy();
        resize(&size)?;
        thread::spawn(|| io::stdin().lines().try_for_each(|size| resize(&size?)));
        network.hand_over(screen)?;
    }
    writeln!(screen, "{FAREWELL}")?;
    Ok(())
}

/// Sets the size of the user's terminal inside.
fn resize(size: &str) -> Result<()> {
    let (rows, columns) = size.split_once('x').context("the size of the terminal")?;
    let mut stty = Command::new("stty");
    stty.args(["-F", "/dev/tty1", "rows", rows, "cols", columns]);
    ensure!(stty.status()?.success(), "{stty:?} failed");
    Ok(())
}

fn check_answers(output: &Output) -> Result<()> {
    let answers = String::from_utf8_lossy(&output.stdout);
    for server in ["web1", "web2"] {
        let count = answers.matches(server).count();
        ensure!(count == 2, "{server} answered {count} of 4 requests");
    }
    Ok(())
}

/// A client and two servers, each connected to the director.
pub struct Network {
    pub director: Namespace,
    _others: [Namespace; 3],
}

impl Network {
    /// The network, with rules for the director and a program that makes a request.
    pub fn new(world: &mut World) -> Result<Self> {
        let director = world.namespace("director")?;
        let client = world.namespace("client")?;
        let (web1, web2) = (world.namespace("web1")?, world.namespace("web2")?);
        let mut cables = String::new();
        for (name, net) in [
            ("client", "198.51.100"),
            ("web1", "172.16.1"),
            ("web2", "172.16.2"),
        ] {
            cables += &format!(
                "link add {name} type veth peer name eth0 netns {name}\n\
                 address add {net}.1/24 dev {name}\n\
                 link set {name} up\n"
            );
        }
        ip(&director, &cables)?;
        for (namespace, net) in [
            (&client, "198.51.100"),
            (&web1, "172.16.1"),
            (&web2, "172.16.2"),
        ] {
            let ends = format!(
                "address add {net}.2/24 dev eth0\n\
                 link set eth0 up\n\
                 route add default via {net}.1\n"
            );
            ip(namespace, &ends)?;
        }
        director.enter()?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        serve(&web1, "web1")?;
        serve(&web2, "web2")?;
        fs::write("/etc/ipvsadm.rules", RULES)?;
        fs::write("/usr/local/bin/request", REQUEST)?;
        fs::set_permissions("/usr/local/bin/request", fs::Permissions::from_mode(0o755))?;
        Ok(Network {
            director,
            _others: [client, web1, web2],
        })
    }

    /// A shell in the director's namespace, with the screen as its terminal.
    fn hand_over(&self, screen: &mut File) -> Result<()> {
        let hint =
            "Now it is yours: try ipvsadm (and the Tab key), request, ip netns; leave with exit.";
        writeln!(screen, "{hint}")?;
        self.director.run(&ours::installer())?.success()?;
        fs::write(SETTINGS, SHELL)?;
        self.director.enter()?;
        Command::new("setsid")
            .args(["-c", "-w", "bash", "--rcfile", SETTINGS])
            .env_clear()
            .env("TERM", "xterm")
            .env("PATH", guest::PATH)
            .stdin(File::open("/dev/tty1")?)
            .stdout(screen.try_clone()?)
            .stderr(screen.try_clone()?)
            .status()?;
        // When a terminal's session ends, all processes that have it open get a hangup.
        *screen = File::options().write(true).open("/dev/tty1")?;
        Ok(())
    }
}

fn ip(namespace: &Namespace, batch: &str) -> Result<()> {
    let program = Program::new("ip").args(["-batch", "-"]).stdin(batch);
    namespace.run(&program)?.success()?;
    Ok(())
}

/// Serves in the background: every connection gets the name.
fn serve(namespace: &Namespace, name: &'static str) -> Result<()> {
    namespace.enter()?;
    let listener = TcpListener::bind("0.0.0.0:8080")?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let _ = writeln!(&connection, "Hello from {name}");
        }
    });
    Ok(())
}
