//! Lists the table as a tree.

use std::io::{self, Write};

use anyhow::Result;
use ipvsadm::kernel::{Client, Detail};

fn main() -> Result<()> {
    tree(&mut Client::open()?, &mut io::stdout().lock())
}

pub fn tree(client: &mut Client, out: &mut impl Write) -> Result<()> {
    for entry in client.table(Detail::Full)? {
        let service = entry.service.service;
        let connections = entry.service.stats.connections;
        writeln!(
            out,
            "{} ({}, {connections} connections)",
            service.id, service.scheduler
        )?;
        for (number, state) in entry.servers.iter().enumerate() {
            let branch = if number + 1 == entry.servers.len() {
                "└─"
            } else {
                "├─"
            };
            let (server, active) = (state.server, state.active);
            let (forwarding, weight) = (server.forwarding, server.weight);
            writeln!(
                out,
                "{branch} {} {forwarding} {weight}, {active} active",
                server.id
            )?;
        }
    }
    Ok(())
}
