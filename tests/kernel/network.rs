//! Hosts at a switch.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::world::{Namespace, Program, Side, Status, World};

/// How long programs, counters or packets may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(200);

/// A switch, to which the device `eth0` of each host is connected.
pub struct Switch(Namespace);

impl Switch {
    /// A switch for existing hosts.
    pub fn new(world: &mut World, hosts: &[&str]) -> Result<Self> {
        let switch = Switch(world.namespace("switch")?);
        let cables: String = hosts.iter().map(|name| cable(name)).collect();
        let lines = format!("link add switch type bridge\nlink set switch up\n{cables}");
        ip(&switch.0, &lines)?;
        Ok(switch)
    }

    /// Connects one more host.
    pub fn plug(&self, host: &str) -> Result<()> {
        ip(&self.0, &cable(host))
    }

    /// Unplugs a host from the switch.
    pub fn unplug(&self, host: &str) -> Result<()> {
        ip(&self.0, &format!("link set {host} down\n"))
    }
}

/// Lines for `ip` that connect a host to the switch.
fn cable(host: &str) -> String {
    format!(
        "link add {host} type veth peer name eth0 netns {host}\n\
         link set {host} master switch up\n"
    )
}

/// Lines for `ip -batch` on a host.
pub fn ip(host: &Namespace, lines: &str) -> Result<()> {
    let program = Program::new("ip").args(["-batch", "-"]).stdin(lines);
    host.run(&program)?.success()?;
    Ok(())
}

/// Settings below `/proc/sys/net` on a host.
pub fn set(host: &Namespace, settings: &[(&str, &str)]) -> Result<()> {
    host.enter()?;
    for (name, value) in settings {
        fs::write(format!("/proc/sys/net/{name}"), value)
            .with_context(|| format!("setting {name} to {value}"))?;
    }
    Ok(())
}

/// An error if the doctor, called with these words, finds anything that keeps traffic from a host,
/// or could not check something.
pub fn is_well(host: &Namespace, words: &str) -> Result<()> {
    let program = Program::ipvsadm(Side::Ours).args(words.split_whitespace());
    let output = host.run(&program)?;
    let is_well = output.status == Status::Exit(0) && output.stderr.is_empty();
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        is_well,
        "ipvsadm {words}:\n{}",
        String::from_utf8_lossy(&said)
    );
    Ok(())
}

/// Retries until it succeeds or the time is up.
pub fn eventually<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(_) if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}
