//! A health checker: connects to each TCP server every few seconds. A server that does not answer
//! gets weight 0, and its old weight when it answers again. Services of firewall marks and of every
//! port are left alone: where their servers listen is not in the table.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ipvsadm::kernel::{Batch, Client, Detail};
use ipvsadm::model::{Change, Protocol, Server, ServerId, ServiceId};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);

/// The weights of the servers that are out.
type Out = HashMap<(ServiceId, ServerId), i32>;

fn main() -> Result<()> {
    let mut client = Client::open()?;
    let mut out = Out::new();
    loop {
        check(&mut client, &mut out)?;
        thread::sleep(INTERVAL);
    }
}

pub fn check(client: &mut Client, out: &mut Out) -> Result<()> {
    let table = client.table(Detail::Settings)?;
    let mut batch = Batch::new(client)?;
    let refused = |id: ServerId, refusal| eprintln!("{id}: {refusal}");
    for entry in table {
        let service = entry.service.service.id;
        if !matches!(
            service,
            ServiceId::Address {
                protocol: Protocol::TCP,
                port: 1..,
                ..
            }
        ) {
            continue;
        }
        for state in entry.servers {
            let (server, key) = (state.server, (service, state.server.id));
            let address = SocketAddr::new(server.id.address, server.id.port);
            let is_alive = TcpStream::connect_timeout(&address, TIMEOUT).is_ok();
            let weight = match (is_alive, out.get(&key)) {
                (true, Some(weight)) => *weight,
                (false, None) => 0,
                _ => continue,
            };
            if is_alive {
                out.remove(&key)
            } else {
                out.insert(key, server.weight)
            };
            let change = Change::EditServer(service, Server { weight, ..server });
            batch.push(server.id, &change, refused)?;
        }
    }
    Ok(batch.send(refused)?)
}
