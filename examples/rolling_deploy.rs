//! Updates the servers of a service one by one: takes one out, waits until its connections have
//! ended, updates it, and puts it back with its weight. Known clients of a persistent service still
//! come to the server that is out, unless the sysctl `net.ipv4.vs.expire_quiescent_template` is 1.
//!
//! `rolling_deploy 192.0.2.1:80 ./update` runs `./update ADDRESS:PORT` for each server.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ipvsadm::kernel::Client;
use ipvsadm::model::{Server, ServerId, ServerState, Service, ServiceId};

/// Connections that have not ended by then are cut off.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, service, program] = &arguments[..] else {
        bail!("usage: rolling_deploy ADDRESS:PORT PROGRAM");
    };
    let service = Service::tcp(service.parse()?).id;
    deploy(&mut Client::open()?, &service, |id| {
        let status = Command::new(program).arg(id.to_string()).status();
        let status = status.with_context(|| format!("{program} cannot be run"))?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    })
}

pub fn deploy(
    client: &mut Client,
    service: &ServiceId,
    mut update: impl FnMut(ServerId) -> Result<()>,
) -> Result<()> {
    for state in client.servers(service)? {
        let id = state.server.id;
        let Some(ServerState { server: old, .. }) = find(client, service, id)? else {
            continue;
        };
        client.edit_server(service, &Server { weight: 0, ..old })?;
        wait_until_idle(client, service, id)?;
        update(id).with_context(|| format!("{id} stays out"))?;
        // Somebody else may have deleted it, or changed its settings.
        if let Some(ServerState { server, .. }) = find(client, service, id)? {
            if server.weight == 0 {
                let weight = old.weight;
                client.edit_server(service, &Server { weight, ..server })?;
            }
        }
    }
    Ok(())
}

fn wait_until_idle(client: &mut Client, service: &ServiceId, id: ServerId) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && find(client, service, id)?.is_some_and(|state| state.active > 0) {
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The server as it is now, if it is still there.
fn find(client: &mut Client, service: &ServiceId, id: ServerId) -> Result<Option<ServerState>> {
    let servers = client.servers(service)?;
    Ok(servers.into_iter().find(|state| state.server.id == id))
}
