//! The numbers of services and connections.

use std::io;

use super::super::format::TOP_CLIENTS;
use crate::model::terms::Vocabulary;
use crate::model::{ConnectionCounts, Protocol, ServiceCounts};
use crate::names::Names;
use crate::render::Out;
use crate::render::endpoint::{Cut, endpoint, host};

pub fn services(out: &mut Out, counts: &ServiceCounts) -> io::Result<()> {
    let rows = [
        ("Services", counts.services as u64),
        ("Servers", counts.servers as u64),
        ("ActiveConn", counts.active),
        ("InActConn", counts.inactive),
        ("PersistConn", counts.persistent),
    ];
    for (name, number) in rows {
        out.left(name, 11).text(" ").number(number);
        out.end_row()?;
    }
    Ok(())
}

/// Each row begins with a number, which ends where its title ends.
pub fn connections(out: &mut Out, names: &mut Names, counts: &ConnectionCounts) -> io::Result<()> {
    out.text("IPVS connection counts").end_row()?;
    out.text("connections pro state       destination")
        .end_row()?;
    for count in counts.by_server() {
        out.right_number(count.connections, 11).text(" ");
        out.left(count.protocol.as_bytes(), 3).text(" ");
        out.left(count.state.as_bytes(), 11).text(" ");
        let protocol = Protocol::from_title(count.protocol.as_bytes());
        let (ip, port) = (count.server.ip(), count.server.port());
        endpoint(out, names, ip, port, protocol, Cut::Never);
        out.end_row()?;
    }
    out.right_number(counts.total, 11)
        .text(" in all")
        .end_row()?;

    out.text("connections source (");
    match counts.distinct_clients() {
        Some(clients) => out.number(clients).text(" in all)"),
        None => out
            .text("at least; more than ")
            .number(ConnectionCounts::MOST_CLIENTS)
            .text(" in all)"),
    };
    out.end_row()?;
    for client in counts.top_clients(TOP_CLIENTS) {
        out.right_number(client.at_least, 11).text(" ");
        host(out, names, client.address);
        out.end_row()?;
    }
    Ok(())
}
