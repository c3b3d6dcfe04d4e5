//! A health checker: connects to each TCP server every few seconds. A server that does not answer
//! gets weight 0, and its old weight when it answers again. Services of firewall marks and of every
//! port are left alone: where their servers listen is not in the table.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ipvsadm::kernel::{self, Client, Detail, Error};
use ipvsadm::model::{Protocol, Server, ServerId, ServerState, ServiceId};

const INTERVAL: Duration = Duration::from_secs(5);

type Key = (ServiceId, ServerId);
/// The weights of the servers that are out.
type Out = HashMap<Key, i32>;
type Probe<'a> = &'a mut dyn FnMut(ServerId) -> bool;

fn main() -> Result<()> {
    let (mut client, mut out) = (Client::open()?, Out::new());
    loop {
        check(&mut client, &mut out, &mut answers)?;
        thread::sleep(INTERVAL);
    }
}

pub fn answers(id: ServerId) -> bool {
    let address = SocketAddr::new(id.address, id.port);
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

pub fn check(client: &mut Client, out: &mut Out, answers: Probe) -> Result<()> {
    let mut all = Vec::new();
    for entry in client.table(Detail::Settings)? {
        let service = entry.service.service.id;
        if service.protocol() == Protocol::TCP && service.port() > 0 {
            all.extend(entry.servers.iter().map(|state| (service, state.server.id)));
        }
    }
    out.retain(|key, _| all.contains(key));
    for (service, id) in all {
        let is_alive = answers(id);
        match update(client, out, (service, id), is_alive) {
            Err(Error::Refused(refusal)) => eprintln!("{service} {id}: {refusal}"),
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Reads the server again: somebody else may have changed or deleted it during the probe.
fn update(client: &mut Client, out: &mut Out, key: Key, is_alive: bool) -> kernel::Result<()> {
    let (service, id) = key;
    let mut servers = client.servers(&service)?.into_iter();
    let Some(ServerState { server, .. }) = servers.find(|state| state.server.id == id) else {
        return Ok(());
    };
    if server.weight > 0 {
        out.remove(&key);
    }
    let weight = match (is_alive, server.weight, out.get(&key)) {
        (true, 0, Some(weight)) => *weight,
        (false, 1.., _) => 0,
        _ => return Ok(()),
    };
    client.edit_server(&service, &Server { weight, ..server })?;
    if !is_alive {
        out.insert(key, server.weight);
    }
    Ok(())
}
