//! The table as commands that restore it.

use std::io;

use super::address::address;
use super::endpoint::{Cut, endpoint, server_protocol};
use super::flags::scheduler_flags;
use super::out::Out;
use crate::command::LONGEST_TIMEOUT;
use crate::model::terms::{Vocabulary, service_option};
use crate::model::{
    Change, Checksum, Daemon, Entry, Family, Flags, Forwarding, Mask, Protocol, Server, ServerId,
    Service, ServiceId, Timeouts, Tunnel, TunnelKind,
};
use crate::names::Names;

/// A service and its servers. Another program may have used settings that a restore would refuse or
/// change: such lines are not printed but added to `unsaid`.
pub fn entry(
    out: &mut Out,
    names: &mut Names,
    entry: &Entry,
    unsaid: &mut Vec<Vec<u8>>,
) -> io::Result<()> {
    let service = &entry.service.service;
    let mark = out.mark();
    out.text("-A ");
    service_options(out, names, service);
    let is_sayable = is_sayable_service(service);
    if is_sayable {
        out.end_row()?
    } else {
        unsaid.push(out.take(mark))
    }
    for state in &entry.servers {
        let mark = out.mark();
        out.text("-a ");
        service_id(out, names, &service.id);
        server_options(out, names, &service.id, &state.server);
        if is_sayable && is_sayable_server(&service.id, &state.server) {
            out.end_row()?
        } else {
            unsaid.push(out.take(mark))
        }
    }
    Ok(())
}

/// A change as the line that makes it.
pub fn change(out: &mut Out, names: &mut Names, change: &Change) {
    let service = |out: &mut Out, names: &mut Names, command, id| {
        out.text(command);
        service_id(out, names, id);
    };
    match change {
        Change::AddService(new) => {
            out.text("-A ");
            service_options(out, names, new);
        }
        Change::EditService(new) => {
            out.text("-E ");
            service_options(out, names, new);
        }
        Change::DeleteService(id) => service(out, names, "-D ", id),
        Change::AddServer(id, server) => {
            service(out, names, "-a ", id);
            server_options(out, names, id, server);
        }
        Change::EditServer(id, server) => {
            service(out, names, "-e ", id);
            server_options(out, names, id, server);
        }
        Change::DeleteServer(id, server) => {
            service(out, names, "-d ", id);
            server_id(out, names, id, server);
        }
        Change::Flush => drop(out.text("-C")),
        Change::Zero(None) => drop(out.text("-Z")),
        Change::Zero(Some(id)) => service(out, names, "-Z ", id),
        Change::SetTimeouts(timeouts) => {
            out.text("--set ").number(timeouts.tcp);
            out.text(" ").number(timeouts.tcp_fin);
            out.text(" ").number(timeouts.udp);
        }
        Change::StartDaemon(daemon) => start_daemon(out, daemon),
        Change::StopDaemon(role) => {
            out.text("--stop-daemon ").text(role.to_string());
        }
    }
}

/// The line of a change, with numbers only.
pub fn line(change: &Change) -> Vec<u8> {
    let mut sink = io::sink();
    let mut out = Out::new(&mut sink);
    self::change(&mut out, &mut Names::numeric(), change);
    out.take(0)
}

fn start_daemon(out: &mut Out, daemon: &Daemon) {
    out.text("--start-daemon ").text(daemon.role.to_string());
    out.text(" --mcast-interface ")
        .text(daemon.interface.as_bytes());
    out.text(" --syncid ").number(daemon.sync_id);
    if let Some(length) = daemon.max_length {
        out.text(" --sync-maxlen ").number(length);
    }
    if let Some(group) = daemon.group {
        out.text(" --mcast-group ");
        address(out, group);
    }
    if let Some(port) = daemon.port {
        out.text(" --mcast-port ").number(port);
    }
    if let Some(ttl) = daemon.ttl {
        out.text(" --mcast-ttl ").number(ttl);
    }
}

/// Whether a restore would read the line of a change as the same change.
pub fn is_sayable(change: &Change) -> bool {
    let has_option = |id: &ServiceId| id.protocol().word().is_some();
    match change {
        Change::AddService(service) | Change::EditService(service) => is_sayable_service(service),
        Change::AddServer(id, server) | Change::EditServer(id, server) => {
            has_option(id) && is_sayable_server(id, server)
        }
        Change::DeleteService(id) | Change::DeleteServer(id, _) | Change::Zero(Some(id)) => {
            has_option(id)
        }
        Change::SetTimeouts(Timeouts { tcp, tcp_fin, udp }) => [tcp, tcp_fin, udp]
            .iter()
            .all(|seconds| **seconds <= LONGEST_TIMEOUT),
        Change::StartDaemon(daemon) => daemon.sync_id <= u8::MAX.into(),
        Change::Flush | Change::Zero(None) | Change::StopDaemon(_) => true,
    }
}

/// Whether a restore would read the line as the same service.
fn is_sayable_service(service: &Service) -> bool {
    let is_sayable_id = match service.id {
        ServiceId::Mark { .. } => true,
        ServiceId::Address { protocol, port, .. } => match protocol {
            _ if port == 0 && service.persistence.is_none() => false,
            Protocol::UDP => true,
            Protocol::TCP | Protocol::SCTP => !service.flags.has(Flags::ONE_PACKET),
            _ => false,
        },
    };
    let is_sayable_time = |seconds| (1..=LONGEST_TIMEOUT).contains(&seconds);
    is_sayable_id && service.persistence.is_none_or(is_sayable_time)
}

fn is_sayable_server(service: &ServiceId, server: &Server) -> bool {
    let Tunnel { kind, checksum, .. } = server.tunnel;
    let is_sayable_way = match (server.forwarding, kind) {
        (Forwarding::Masquerade | Forwarding::DirectRouting | Forwarding::Local, _) => true,
        (Forwarding::Tunnel, TunnelKind::Ipip) => true,
        (Forwarding::Tunnel, TunnelKind::Gue) => checksum.0 <= Checksum::REMOTE.0,
        (Forwarding::Tunnel, TunnelKind::Gre) => checksum.0 <= Checksum::PLAIN.0,
        (Forwarding::Tunnel, TunnelKind::Unknown(_)) => false,
        (Forwarding::Bypass | Forwarding::Unknown(_), _) => false,
    };
    let is_sayable_port = match (service, server.forwarding) {
        (ServiceId::Mark { .. }, _) | (_, Forwarding::Masquerade) => true,
        // A restore always gives these the port of their service.
        (ServiceId::Address { port, .. }, _) => server.id.port == *port,
    };
    let is_sayable_limit = |limit| limit <= i32::MAX as u32;
    is_sayable_way
        && is_sayable_port
        && is_sayable_limit(server.upper_threshold)
        && is_sayable_limit(server.lower_threshold)
}

fn service_options(out: &mut Out, names: &mut Names, service: &Service) {
    service_id(out, names, &service.id);
    out.text(" -s ").text(service.scheduler.as_bytes());
    if let Some(seconds) = service.persistence {
        out.text(" -p ").number(seconds);
        if service.mask != Mask::whole(service.id.family()) {
            out.text(" -M ");
            super::mask(out, service.mask);
        }
    }
    if let Some(engine) = &service.engine {
        out.text(" --pe ").text(engine.as_bytes());
    }
    if service.flags.has(Flags::ONE_PACKET) {
        out.text(" -o");
    }
    if service.flags.has(Flags::SCHEDULER) {
        out.text(" -b ");
        scheduler_flags(out, service);
    }
}

pub(super) fn service_id(out: &mut Out, names: &mut Names, id: &ServiceId) {
    match *id {
        ServiceId::Mark { mark, family } => {
            out.text("-f ").number(mark.get());
            if family == Family::V6 {
                out.text(" -6");
            }
        }
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            match service_option(protocol) {
                Some(option) => out.text(option),
                None => out.text("protocol ").number(protocol.0),
            };
            out.text(" ");
            endpoint(out, names, address, port, Some(protocol), Cut::Never);
        }
    }
}

fn server_id(out: &mut Out, names: &mut Names, service: &ServiceId, id: &ServerId) {
    out.text(" -r ");
    let protocol = server_protocol(service);
    endpoint(out, names, id.address, id.port, protocol, Cut::Never);
}

fn server_options(out: &mut Out, names: &mut Names, service: &ServiceId, server: &Server) {
    server_id(out, names, service, &server.id);
    out.text(match server.forwarding {
        Forwarding::Masquerade => " -m",
        Forwarding::Tunnel => " -i",
        Forwarding::DirectRouting | Forwarding::Local => " -g",
        Forwarding::Bypass | Forwarding::Unknown(_) => "",
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
    let Some(kind) = tunnel.kind.word() else {
        return;
    };
    out.text(" --tun-type ").text(kind);
    if tunnel.kind == TunnelKind::Gue {
        out.text(" --tun-port ").number(tunnel.port);
    }
    if tunnel.kind != TunnelKind::Ipip {
        let checksum = tunnel.checksum.mode().word().unwrap_or_default();
        out.text(" --tun-").text(checksum);
    }
}
