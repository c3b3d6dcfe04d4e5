//! Connections that live too long or end too soon.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{FAR, Patient};
use crate::lab::world::World;
use crate::traffic::lan::{Lan, eventually, ip, sh};

pub fn lifetimes(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -t 192.0.2.1:80 -s rr\n\
         -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
         -a -t 192.0.2.1:80 -r 172.16.0.12 -m\n\
         -A -t 192.0.2.2:80 -s rr -p 60\n\
         -a -t 192.0.2.2:80 -r 172.16.0.12 -m\n\
         -a -t 192.0.2.2:80 -r 172.16.0.13 -m\n",
    )?;
    let patient = Patient {
        lan: &lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.1:80",
        clients: FAR,
    };
    frozen(&patient).context("frozen rates")?;
    gone(&patient).context("a server that is gone")?;
    reused(&patient).context("a port that is used again")?;
    kept(&patient).context("a client that is kept")?;
    leaning(&patient).context("clients that look alike")?;
    idle(&patient).context("an idle connection")
}

/// Kernels that estimate rates in threads may stop that.
fn frozen(patient: &Patient) -> Result<()> {
    patient.is_well()?;
    if !Path::new("/proc/sys/net/ipv4/vs/run_estimation").exists() {
        return Ok(());
    }
    sh(patient.host, "sysctl -w net.ipv4.vs.run_estimation=0")?;
    patient.is_treated(&["frozen-rates"])?;
    patient.is_well()
}

fn gone(patient: &Patient) -> Result<()> {
    let lan = patient.lan;
    let mut held = lan.hold(patient.service)?;
    let server = match held.answer.server.as_str() {
        "web1" => "172.16.0.11",
        _ => "172.16.0.12",
    };
    lan.ipvsadm(&format!("-d -t {} -r {server}", patient.service))?;
    // The packet is lost without an error.
    held.send(1)?;
    patient.is_treated(&["gone-server"])?;
    ensure!(held.end().is_err(), "the connection lives");
    lan.ipvsadm(&format!("-a -t {} -r {server} -m", patient.service))?;
    eventually(|| patient.is_well())?;
    sh(patient.host, "sysctl -w net.ipv4.vs.expire_nodest_conn=0")?;
    eventually(|| patient.is_well())
}

/// A request from the port of an old connection succeeds as long as that server exists.
fn reused(patient: &Patient) -> Result<()> {
    let edit = format!("ipvsadm -e -t {} -r 172.16.0.11 -m", patient.service);
    sh(
        patient.host,
        &format!("sysctl -w net.ipv4.vs.conn_reuse_mode=0\n{edit} -w 0"),
    )?;
    patient.is_treated(&["port-reuse"])?;
    patient.is_well()?;
    sh(patient.host, &edit)
}

fn kept(patient: &Patient) -> Result<()> {
    let lan = patient.lan;
    let kept = Patient {
        service: "192.0.2.2:80",
        ..*patient
    };
    kept.is_well()?;
    // Only the clients of this server return to it.
    sh(
        kept.host,
        "ipvsadm -e -t 192.0.2.2:80 -r 172.16.0.13 -m -w 0\n\
         ip route add unreachable 172.16.0.13",
    )?;
    kept.requests_fail()?;
    kept.is_treated(&["kept-clients"])?;
    eventually(|| kept.is_well())?;
    ip(&lan.director, "route del unreachable 172.16.0.13\n")
}

/// All clients are in one network, and the persistence mask covers it.
fn leaning(patient: &Patient) -> Result<()> {
    const SERVICE: &str = "192.0.2.3:80";
    let lan = patient.lan;
    let ask = |number: u8| lan.ask_as(1 + number % 8, SERVICE);
    lan.rules(
        "-A -t 192.0.2.3:80 -s rr -p 60 -M 255.255.255.0\n\
         -a -t 192.0.2.3:80 -r 172.16.0.12 -m\n\
         -a -t 192.0.2.3:80 -r 172.16.0.13 -m\n",
    )?;
    (0..50).try_for_each(|number| ask(number).map(drop))?;
    patient.is_treated(&["one-server"])?;
    let answers = (0..8).map(|number| Ok(ask(number)?.server));
    let servers: HashSet<String> = answers.collect::<Result<_>>()?;
    ensure!(servers.len() == 2, "all are at {servers:?}");
    patient.is_well()?;
    lan.ipvsadm("-D -t 192.0.2.3:80").map(drop)
}

fn idle(patient: &Patient) -> Result<()> {
    let lan = patient.lan;
    lan.ipvsadm("--set 6 0 0")?;
    let mut held = lan.hold(patient.service)?;
    patient.is_found(&["idle-connections"])?;
    std::thread::sleep(Duration::from_secs(4));
    let is_over = held.send(1).and_then(|()| held.end()).is_err();
    ensure!(is_over, "the connection lives");
    let held = lan.hold(patient.service)?;
    patient.is_treated(&["idle-connections"])?;
    held.end()?;
    eventually(|| patient.is_well())
}
