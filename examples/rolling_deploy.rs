//! Updates the servers of a service one by one: takes one out, waits until its connections have
//! ended, updates it, and puts it back with its weight.
//!
//! `rolling_deploy 192.0.2.1:80 ./update` runs `./update ADDRESS:PORT` for each server.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ipvsadm::kernel::Client;
use ipvsadm::model::{Server, Service, ServiceId};

/// Connections that have not ended by then are cut off.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, service, program] = &arguments[..] else {
        bail!("usage: rolling_deploy ADDRESS:PORT PROGRAM");
    };
    let service = Service::tcp(service.parse()?).id;
    deploy(&mut Client::open()?, &service, |server| {
        let status = Command::new(program).arg(server.id.to_string()).status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("{status}")
        }
    })
}

pub fn deploy(
    client: &mut Client,
    service: &ServiceId,
    mut update: impl FnMut(&Server) -> Result<()>,
) -> Result<()> {
    for state in client.servers(service)? {
        let server = state.server;
        client.edit_server(
            service,
            &Server {
                weight: 0,
                ..server
            },
        )?;
        wait_until_idle(client, service, &server)?;
        // If this fails the server stays out, and the others as they are.
        update(&server)?;
        client.edit_server(service, &server)?;
    }
    Ok(())
}

fn wait_until_idle(client: &mut Client, service: &ServiceId, server: &Server) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let servers = client.servers(service)?;
        let state = servers.iter().find(|state| state.server.id == server.id);
        if state.is_none_or(|state| state.active == 0) {
            break;
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
