//! Programs that use the library: the examples, and one that works in several namespaces.

use std::collections::HashMap;
use std::fs::File;
use std::iter;
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
    // Without a free descriptor the sockets are closed, and opened again later.
    let mut closed = Client::open()?;
    without_descriptors(|| closed.totals())?;

    moves.enter()?;
    web(&mut Client::open()?, &[])?;
    for client in [&mut client, &mut named] {
        ensure!(client.servers(&service)?.len() == 1);
        client.edit_service(&Service::tcp("192.0.2.1:80".parse()?))?;
    }
    let refused = client.totals().unwrap_err().to_string();
    ensure!(refused == format!("cannot read: {ELSEWHERE}"), "{refused}");
    named.totals()?;
    ensure!(client.services()?.len() == 1);

    closed.services().unwrap_err();
    closed.flush().unwrap_err();
    without_descriptors(|| named.totals())?;
    named.flush()?;
    ensure!(Client::open()?.services()?.len() == 1);

    without_descriptors(|| named.totals())?;
    let shell = |line| moves.run(&Program::new("/bin/sh").args(["-c", line]));
    shell("mount --bind /run/netns/moves /run/netns/stays")?.success()?;
    for refused in [named.flush(), named.connections().map(drop)] {
        let refused = refused.unwrap_err().to_string();
        let name = "network namespace /run/netns/stays";
        ensure!(
            refused.ends_with(&format!("{name}: {ELSEWHERE}")),
            "{refused}"
        );
    }
    ensure!(Client::open()?.services()?.len() == 1);
    shell("umount /run/netns/stays")?.success()?;
    Ok(())
}

/// Does something while this process can open no further file.
fn without_descriptors<T>(act: impl FnOnce() -> T) -> T {
    let _all: Vec<File> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
    act()
}

/// A service on this machine whose servers have the weights 1, 2, ...
fn web(client: &mut Client, ports: &[u16]) -> Result<ServiceId> {
    let web = Service::tcp("192.0.2.1:80".parse()?);
    client.add_service(&web)?;
    for (port, weight) in ports.iter().zip(1..) {
        client.add_server(&web.id, &server(*port, weight, 0))?;
    }
    Ok(web.id)
}

fn server(port: u16, weight: i32, upper_threshold: u32) -> Server {
    Server {
        forwarding: Forwarding::Masquerade,
        weight,
        upper_threshold,
        ..Server::new((Ipv4Addr::LOCALHOST, port))
    }
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

fn thresholds(client: &mut Client, service: &ServiceId) -> Result<Vec<u32>> {
    let servers = client.servers(service)?.into_iter();
    Ok(servers.map(|state| state.server.upper_threshold).collect())
}

/// What somebody else changes during the update stays.
fn deploy(world: &mut World) -> Result<()> {
    world.namespace("director")?.enter()?;
    let (mut client, mut other) = (Client::open()?, Client::open()?);
    let service = web(&mut client, &[8001, 8002, 8003, 8004])?;
    let mut during = Vec::new();
    let update = |id: ServerId| {
        during.push((id.port, weights(&mut other, &service)?));
        match id.port {
            8004 => {
                other.edit_server(&service, &server(8004, 0, 100))?;
                other.edit_server(&service, &server(8003, 7, 0))?;
            }
            8003 => other.edit_server(&service, &server(8003, 9, 0))?,
            8002 => other.delete_server(&service, &id)?,
            _ => bail!("it does not start"),
        }
        Ok(())
    };
    let failure = rolling_deploy::deploy(&mut client, &service, update).unwrap_err();
    let failure = format!("{failure:#}");
    ensure!(
        failure == "127.0.0.1:8001 stays out: it does not start",
        "{failure}"
    );
    let expected = [
        (8004, vec![0, 3, 2, 1]),
        (8003, vec![4, 0, 2, 1]),
        (8002, vec![4, 9, 0, 1]),
        (8001, vec![4, 9, 0]),
    ];
    ensure!(during == expected, "{during:?}");
    ensure!(weights(&mut client, &service)? == [4, 9, 0]);
    ensure!(thresholds(&mut client, &service)? == [100, 0, 0]);
    Ok(())
}

/// What somebody else changes while a server is probed stays.
fn check_health(world: &mut World) -> Result<()> {
    world.namespace("director")?.enter()?;
    sys::loopback_up()?;
    let (mut client, mut other) = (Client::open()?, Client::open()?);
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 8001));
    let _always = TcpListener::bind((Ipv4Addr::LOCALHOST, 8002))?;
    let service = web(&mut client, &[8001, 8002])?;
    let marked = Service::mark(NonZeroU32::MIN, Family::V4);
    client.add_service(&marked)?;
    client.add_server(&marked.id, &Server::new((Ipv4Addr::LOCALHOST, 0)))?;
    let mut out = HashMap::new();
    let mut check = |mut meanwhile: Option<Change>, expected: &[i32]| -> Result<()> {
        health::check(&mut client, &mut out, &mut |id| {
            if let Some(change) = meanwhile.take() {
                other.apply(&change).unwrap();
            }
            health::answers(id)
        })?;
        let found = weights(&mut client, &service)?;
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        ensure!(weights(&mut client, &marked.id)? == [1]);
        Ok(())
    };
    let edit = |server| Some(Change::EditServer(service, server));
    let add = |server| Some(Change::AddServer(service, server));
    let delete = |server: Server| Some(Change::DeleteServer(service, server.id));
    let listener = listen()?;
    check(None, &[2, 1])?;
    drop(listener);
    check(edit(server(8001, 7, 100)), &[2, 0])?;
    check(edit(server(8002, 5, 0)), &[5, 0])?;
    let listener = listen()?;
    check(edit(server(8001, 0, 200)), &[5, 7])?;
    ensure!(thresholds(&mut Client::open()?, &service)? == [0, 200]);
    drop(listener);
    check(None, &[5, 0])?;
    // One that was deleted and added again is another server.
    check(delete(server(8001, 0, 0)), &[5])?;
    check(add(server(8001, 3, 0)), &[3, 5])?;
    check(None, &[0, 5])?;
    let _listener = listen()?;
    check(None, &[3, 5])
}
