//! The table as commands that restore it.

use std::io;

use super::endpoint::{Cut, endpoint, server_protocol};
use super::flags::{SCHEDULER_FLAGS, scheduler_flags};
use super::out::Out;
use crate::model::{
    Checksum, Entry, Family, Flags, Forwarding, Mask, Protocol, Server, Service, ServiceId,
    TunnelKind,
};
use crate::names::Names;

pub fn entry(out: &mut Out, names: &mut Names, entry: &Entry) -> io::Result<()> {
    let service = &entry.service.service;
    out.text("-A ");
    service_options(out, names, service);
    out.end_row()?;
    for state in &entry.servers {
        out.text("-a ");
        service_id(out, names, &service.id);
        server_options(out, names, &service.id, &state.server);
        out.end_row()?;
    }
    Ok(())
}

fn service_options(out: &mut Out, names: &mut Names, service: &Service) {
    service_id(out, names, &service.id);
    out.text(" -s ").text(service.scheduler.as_bytes());
    if service.flags.has(Flags::PERSISTENT) {
        out.text(" -p ").number(service.persistence);
        if service.mask != Mask::whole(service.id.family()) {
            out.text(" -M ");
            super::mask(out, service.mask);
        }
    }
    if !service.engine.is_empty() {
        out.text(" --pe ").text(service.engine.as_bytes());
    }
    if service.flags.has(Flags::ONE_PACKET) {
        out.text(" -o");
    }
    if service.flags.has(SCHEDULER_FLAGS) {
        out.text(" -b ");
        scheduler_flags(out, service);
    }
}

fn service_id(out: &mut Out, names: &mut Names, id: &ServiceId) {
    match *id {
        ServiceId::Mark { mark, family } => {
            out.text("-f ").number(mark);
            if family == Family::V6 {
                out.text(" -6");
            }
        }
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            out.text(match protocol {
                Protocol::UDP => "-u ",
                Protocol::SCTP => "--sctp-service ",
                _ => "-t ",
            });
            endpoint(out, names, address, port, Some(protocol), Cut::Never);
        }
    }
}

fn server_options(out: &mut Out, names: &mut Names, service: &ServiceId, server: &Server) {
    out.text(" -r ");
    let protocol = server_protocol(service);
    endpoint(
        out,
        names,
        server.id.address,
        server.id.port,
        protocol,
        Cut::Never,
    );
    out.text(match server.forwarding {
        Forwarding::Masquerade => " -m",
        Forwarding::Tunnel => " -i",
        _ => " -g",
    });
    out.text(" -w ").number(server.weight);
    if server.forwarding == Forwarding::Tunnel {
        tunnel_options(out, server);
    }
    if server.upper_threshold != 0 {
        out.text(" -x ").number(server.upper_threshold);
    }
    if server.lower_threshold != 0 {
        out.text(" -y ").number(server.lower_threshold);
    }
}

fn tunnel_options(out: &mut Out, server: &Server) {
    let tunnel = &server.tunnel;
    let checksum = match tunnel.checksum {
        flags if flags.has(Checksum::REMOTE) => " --tun-remcsum",
        flags if flags.has(Checksum::PLAIN) => " --tun-csum",
        _ => " --tun-nocsum",
    };
    match tunnel.kind {
        TunnelKind::Gue => out
            .text(" --tun-type gue --tun-port ")
            .number(tunnel.port)
            .text(checksum),
        TunnelKind::Gre => out.text(" --tun-type gre").text(checksum),
        TunnelKind::Ipip => out.text(" --tun-type ipip"),
        TunnelKind::Unknown(_) => out,
    };
}
