//! Schedulers by their behaviour.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};

use super::ask::{Answer, Held, names, same_server, shared};
use super::lan::Lan;
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest::new(format!("traffic::schedulers::{name}"), run);
    vec![
        named("all_of_them", all_of_them as fn(&mut World) -> Result<()>),
        named("shares", shares),
        named("least_connections", least_connections),
        named("shortest_delay", shortest_delay),
        named("source_hashing", source_hashing),
        named("fallback", fallback),
        named("destination_hashing", destination_hashing),
        named("locality", locality),
        named("failover_and_overflow", failover_and_overflow),
    ]
}

/// Every scheduler is accepted and listed, and sends a request to some server.
fn all_of_them(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for scheduler in [
        "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq",
    ] {
        let service = lan.service(scheduler, &["", ""])?;
        lan.shows("-Ln", &format!("TCP {service} {scheduler}"))?;
        lan.ask(&service)
            .with_context(|| format!("scheduler {scheduler}"))?;
    }
    Ok(())
}

/// rr gives equal shares, wrr shares by weight.
fn shares(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr", &["-w 5", "", ""])?;
    let equal = [("web1", 3), ("web2", 3), ("web3", 3)];
    shared(lan.ask_often(9, &service)?, &equal)?;
    let service = lan.service("wrr", &["-w 1", "-w 2"])?;
    shared(lan.ask_often(12, &service)?, &[("web1", 4), ("web2", 8)])?;
    let service = lan.service("wrr", &["-w 1", "-w 3"])?;
    shared(lan.ask_often(12, &service)?, &[("web1", 3), ("web2", 9)])?;
    Ok(())
}

/// The servers of so many new connections, which stay open until this returns.
fn held(lan: &Lan, service: &str, count: usize) -> Result<Vec<Answer>> {
    let held: Vec<Held> = (0..count)
        .map(|_| lan.hold(service))
        .collect::<Result<_>>()?;
    Ok(held.into_iter().map(|held| held.answer).collect())
}

/// Open connections count, relative to weight for wlc, absolute for lc.
fn least_connections(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("wlc", &["-w 1", "-w 2"])?;
    shared(held(&lan, &service, 6)?, &[("web1", 2), ("web2", 4)])?;
    let service = lan.service("lc", &["-w 1", "-w 2"])?;
    shared(held(&lan, &service, 6)?, &[("web1", 3), ("web2", 3)])?;

    // A server without connections gets all new ones until it has as many.
    let service = lan.service("lc", &[""])?;
    let _three = [
        lan.hold(&service)?,
        lan.hold(&service)?,
        lan.hold(&service)?,
    ];
    lan.ipvsadm(&format!("-a -t {service} -r 172.16.0.12 -m"))?;
    shared(held(&lan, &service, 3)?, &[("web2", 3)])?;
    Ok(())
}

/// sed prefers the strong server even while the weak one is idle; nq uses any idle server.
fn shortest_delay(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("sed", &["-w 1", "-w 3"])?;
    shared(held(&lan, &service, 2)?, &[("web2", 2)])?;
    let service = lan.service("nq", &["-w 1", "-w 3"])?;
    shared(held(&lan, &service, 2)?, &[("web1", 1), ("web2", 1)])?;
    let service = lan.service("nq", &["-w 1", "-w 3"])?;
    shared(held(&lan, &service, 4)?, &[("web1", 1), ("web2", 3)])?;
    Ok(())
}

/// The number of different servers in the answers.
fn different(answers: &[Answer]) -> usize {
    let servers: HashSet<_> = answers.iter().map(|answer| &answer.server).collect();
    servers.len()
}

/// A client stays with its server; with the flag for ports, each of its connections does.
fn source_hashing(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for scheduler in ["sh", "mh"] {
        let service = lan.service(scheduler, &["", "", ""])?;
        let mut first = Vec::new();
        for client in 1..=16 {
            let answers = [lan.ask_as(client, &service)?, lan.ask_as(client, &service)?];
            same_server(&answers).context(scheduler)?;
            first.extend(answers.into_iter().next());
        }
        ensure!(different(&first) > 1, "{scheduler}: {first:?}");

        let by_port = format!("{scheduler} -b {scheduler}-port");
        let service = lan.service(&by_port, &["", "", ""])?;
        lan.shows(
            "-Ln",
            &format!("TCP {service} {scheduler} ({scheduler}-port)"),
        )?;
        let answers = lan.ask_often(24, &service)?;
        ensure!(different(&answers) > 1, "{scheduler}-port: {answers:?}");
    }
    Ok(())
}

/// A client whose server is overloaded is refused, or with the flag sent elsewhere.
fn fallback(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for scheduler in ["sh", "mh"] {
        let service = lan.service(scheduler, &["-x 1", "-x 1"])?;
        let first = lan.hold(&service)?;
        lan.refuses(&service)?;
        lan.ipvsadm(&format!(
            "-E -t {service} -s {scheduler} -b {scheduler}-fallback"
        ))?;
        let second = lan.ask(&service)?;
        ensure!(
            first.answer.server != second.server,
            "{scheduler}: {second:?}"
        );
    }
    Ok(())
}

/// Addresses of a single service, since their packets have the same mark.
fn marked(lan: &Lan, scheduler: &str, servers: usize) -> Result<()> {
    let mut rules = format!("-C\n-A -f 10 -s {scheduler}\n");
    for number in 1..=servers {
        rules += &format!("-a -f 10 -r 172.16.0.1{number} -m\n");
    }
    lan.rules(&rules)
}

/// An address stays with its server, whatever the client.
fn destination_hashing(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.mark(10, &[("192.0.2.0/24", 80)])?;
    marked(&lan, "dh", 3)?;
    let mut first = Vec::new();
    for number in 1..=16 {
        let service = format!("192.0.2.{number}:80");
        let answers = [lan.ask_as(1, &service)?, lan.ask_as(2, &service)?];
        same_server(&answers)?;
        first.extend(answers.into_iter().next());
    }
    ensure!(different(&first) > 1, "{first:?}");
    Ok(())
}

/// lblc and lblcr choose the server with the fewest connections, and stay with it.
fn locality(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.mark(10, &[("192.0.2.0/24", 80)])?;
    for scheduler in ["lblc", "lblcr"] {
        marked(&lan, scheduler, 2)?;
        let held = [lan.hold("192.0.2.1:80")?, lan.hold("192.0.2.2:80")?];
        let [one, two] = &held;
        ensure!(
            one.answer.server != two.answer.server,
            "{scheduler}: {held:?}"
        );
        for (service, held) in [("192.0.2.1:80", one), ("192.0.2.2:80", two)] {
            for answer in [lan.ask(service)?, lan.ask_as(1, service)?] {
                ensure!(
                    answer.server == held.answer.server,
                    "{scheduler}: {answer:?}"
                );
            }
        }
    }
    Ok(())
}

/// fo uses the available server with the highest weight; ovf skips one with more connections than
/// its weight.
fn failover_and_overflow(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("fo", &["-w 10", "-w 5", "-w 1"])?;
    shared(lan.ask_often(4, &service)?, &[("web1", 4)])?;
    lan.ipvsadm(&format!("-e -t {service} -r 172.16.0.11 -m -w 0"))?;
    shared(lan.ask_often(4, &service)?, &[("web2", 4)])?;
    let service = lan.service("fo", &["-w 0", "-w 5 -x 1", "-w 1"])?;
    shared(held(&lan, &service, 2)?, &[("web2", 1), ("web3", 1)])?;

    let service = lan.service("ovf", &["-w 2", "-w 1"])?;
    let held = held(&lan, &service, 4)?;
    ensure!(names(&held) == ["web1", "web1", "web1", "web2"], "{held:?}");
    Ok(())
}
