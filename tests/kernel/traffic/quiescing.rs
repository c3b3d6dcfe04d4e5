//! Servers that are drained, overloaded, or return.

use anyhow::{Result, ensure};

use super::ask::{same_server, shared};
use super::lan::{self, Lan};
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest::new(format!("traffic::quiescing::{name}"), run);
    vec![
        named("weight_0", weight_0 as fn(&mut World) -> Result<()>),
        named("weight_0_and_persistence", weight_0_and_persistence),
        named("overload_and_recovery", overload_and_recovery),
        named("deleted_and_added", deleted_and_added),
    ]
}

/// A server of weight 0 keeps its connections, but gets no new ones.
fn weight_0(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr", &[""])?;
    let held = lan.hold(&service)?;
    lan.ipvsadm(&format!("-a -t {service} -r 172.16.0.12 -m"))?;
    lan.ipvsadm(&format!("-e -t {service} -r 172.16.0.11 -m -w 0"))?;
    shared(lan.ask_often(4, &service)?, &[("web2", 4)])?;
    lan.shows(
        "-Ln",
        "-> 172.16.0.11:80 Masq 0 1 0\n\
         -> 172.16.0.12:80 Masq 1 0 4",
    )?;
    held.end()?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Masq 0 0 1")?;
    lan.ipvsadm(&format!("-e -t {service} -r 172.16.0.12 -m -w 0"))?;
    lan.refuses(&service)
}

/// Persistence keeps a client at a server of weight 0, unless the kernel is set to release it.
fn weight_0_and_persistence(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr -p 60", &["", "-w 0"])?;
    let before = lan.ask(&service)?;
    lan.ipvsadm(&format!("-e -t {service} -r 172.16.0.11 -m -w 0"))?;
    lan.ipvsadm(&format!("-e -t {service} -r 172.16.0.12 -m -w 1"))?;
    ensure!(same_server(&[before, lan.ask(&service)?])? == "web1");
    lan::set(&lan.director, &[("ipv4/vs/expire_quiescent_template", "1")])?;
    ensure!(lan.ask(&service)?.server == "web2");
    Ok(())
}

/// A server with as many connections as `-x` says gets no more until it has fewer than `-y`.
fn overload_and_recovery(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    lan.ipvsadm("--set 0 1 0")?;
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -g -x 3 -y 2\n",
    )?;
    let service = "198.51.100.1:80";
    let [one, two, _three] = [lan.hold(service)?, lan.hold(service)?, lan.hold(service)?];
    lan.refuses(service)?;
    lan.shows("-Ln --thresholds", "-> 172.16.0.11:80 3 2 3 0")?;

    one.end()?;
    lan.shows("-Ln --thresholds", "-> 172.16.0.11:80 3 2 2 0")?;
    lan.refuses(service)?;

    two.end()?;
    lan.shows("-Ln --thresholds", "-> 172.16.0.11:80 3 2 1 0")?;
    lan.ask(service)?;
    Ok(())
}

/// The connections of a deleted server wait for its return.
fn deleted_and_added(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr", &[""])?;
    let held = lan.hold(&service)?;
    lan.ipvsadm(&format!("-a -t {service} -r 172.16.0.12 -m"))?;
    lan.ipvsadm(&format!("-d -t {service} -r 172.16.0.11"))?;
    shared(lan.ask_often(4, &service)?, &[("web2", 4)])?;
    let listing = lan.ipvsadm("-Ln")?;
    ensure!(!listing.contains("172.16.0.11"), "{listing}");
    lan.ipvsadm(&format!("-a -t {service} -r 172.16.0.11 -m"))?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Masq 1 1 0")?;
    held.end()?;
    lan.ipvsadm(&format!("-D -t {service}"))?;
    lan.refuses(&service)
}
