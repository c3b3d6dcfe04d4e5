//! Programs that use the library: the examples, and one that works in several namespaces.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroU32;

use anyhow::{Result, bail, ensure};
use ipvsadm::kernel::{Client, Netns};
use ipvsadm::model::*;

use crate::lab::runner::KernelTest;
use crate::lab::sys;
use crate::lab::world::{Program, World};

#[allow(dead_code)]
#[path = "../../examples/health.rs"]
mod health;
#[allow(dead_code)]
#[path = "../../examples/rolling_deploy.rs"]
mod rolling_deploy;
#[allow(dead_code)]
#[path = "../../examples/tree.rs"]
mod tree;

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("library::a_tree", show_tree),
        KernelTest::new("library::a_rolling_deploy", deploy),
        KernelTest::new("library::a_health_checker", check_health),
        KernelTest::new("library::clients_stay_where_they_are", stay),
    ]
}

/// A client does not follow its thread into another namespace, and a new namespace of the same name
/// is a different one.
fn stay(world: &mut World) -> Result<()> {
    const ELSEWHERE: &str = "the client was opened in a different network namespace";
    let (stays, moves) = (world.namespace("stays")?, world.namespace("moves")?);
    stays.enter()?;
    let mut client = Client::open()?;
    let service = web(&mut client, &[8001])?;
    client.connections()?;
    let mut named = Client::open_in(&Netns::new("stays"))?;

    moves.enter()?;
    web(&mut Client::open()?, &[])?;
    for client in [&mut client, &mut named] {
        ensure!(client.servers(&service)?.len() == 1);
        client.edit_service(&Service::tcp("192.0.2.1:80".parse()?))?;
    }
    let refused = client.totals().unwrap_err().to_string();
    ensure!(refused == format!("cannot read: {ELSEWHERE}"), "{refused}");
    named.totals()?;
    // Its sockets are closed, and reopened in the original namespace.
    client.services().unwrap_err();
    client.flush().unwrap_err();
    named.flush()?;
    ensure!(Client::open()?.services()?.len() == 1);

    named.totals()?;
    let shell = |line| moves.run(&Program::new("/bin/sh").args(["-c", line]));
    shell("mount --bind /run/netns/moves /run/netns/stays")?.success()?;
    let refused = named.flush().unwrap_err().to_string();
    ensure!(refused.ends_with(ELSEWHERE), "{refused}");
    ensure!(named.connections().is_err());
    ensure!(Client::open()?.services()?.len() == 1);
    shell("umount /run/netns/stays")?.success()?;
    Ok(())
}

/// A service on this machine whose servers have the weights 1, 2, ...
fn web(client: &mut Client, ports: &[u16]) -> Result<ServiceId> {
    let web = Service::tcp("192.0.2.1:80".parse()?);
    client.add_service(&web)?;
    for (port, weight) in ports.iter().zip(1..) {
        let server = Server {
            forwarding: Forwarding::Masquerade,
            weight,
            ..Server::new((Ipv4Addr::LOCALHOST, *port))
        };
        client.add_server(&web.id, &server)?;
    }
    Ok(web.id)
}

fn weights(client: &mut Client, service: &ServiceId) -> Result<Vec<i32>> {
    let servers = client.servers(service)?;
    Ok(servers.iter().map(|state| state.server.weight).collect())
}

fn show_tree(world: &mut World) -> Result<()> {
    world.namespace("director")?.enter()?;
    let mut client = Client::open()?;
    web(&mut client, &[8001, 8002])?;
    let mut text = Vec::new();
    tree::tree(&mut client, &mut text)?;
    let expected = "-t 192.0.2.1:80 (wlc, 0 connections)\n\
                    ├─ 127.0.0.1:8002 masq 2, 0 active\n\
                    └─ 127.0.0.1:8001 masq 1, 0 active\n";
    ensure!(text == expected.as_bytes(), "{}", String::from_utf8(text)?);
    Ok(())
}

fn deploy(world: &mut World) -> Result<()> {
    world.namespace("director")?.enter()?;
    let mut client = Client::open()?;
    let service = web(&mut client, &[8001, 8002, 8003])?;
    let mut during = Vec::new();
    let update = |server: &Server| {
        during.push((server.weight, weights(&mut Client::open()?, &service)?));
        match server.weight {
            1 => bail!("it does not start"),
            _ => Ok(()),
        }
    };
    let failure = rolling_deploy::deploy(&mut client, &service, update).unwrap_err();
    ensure!(failure.to_string() == "it does not start");
    let expected = [(3, vec![0, 2, 1]), (2, vec![3, 0, 1]), (1, vec![3, 2, 0])];
    ensure!(during == expected, "{during:?}");
    ensure!(weights(&mut client, &service)? == [3, 2, 0]);
    Ok(())
}

fn check_health(world: &mut World) -> Result<()> {
    world.namespace("director")?.enter()?;
    sys::loopback_up()?;
    let mut client = Client::open()?;
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 8001));
    let _always = TcpListener::bind((Ipv4Addr::LOCALHOST, 8002))?;
    let service = web(&mut client, &[8001, 8002])?;
    let marked = Service::mark(NonZeroU32::MIN, Family::V4);
    client.add_service(&marked)?;
    client.add_server(&marked.id, &Server::new((Ipv4Addr::LOCALHOST, 0)))?;
    let mut out = HashMap::new();
    let mut check = |expected: [i32; 2]| -> Result<()> {
        health::check(&mut client, &mut out)?;
        let found = weights(&mut client, &service)?;
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        ensure!(weights(&mut client, &marked.id)? == [1]);
        Ok(())
    };
    let server = listen()?;
    check([2, 1])?;
    drop(server);
    check([2, 0])?;
    check([2, 0])?;
    let _server = listen()?;
    check([2, 1])
}
