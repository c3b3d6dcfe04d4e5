//! Values that the kernel would silently misread. They are refused before anything is sent.
//!
//! Values that the kernel itself refuses need no check here. Other programs can set some of these
//! values: a syncid above 255, persistence of more than 49 days on kernels with fewer ticks, and
//! services and servers that no packet reaches. The client reads and returns such values unchanged.

use super::error::{Error, Result};
use crate::model::{
    Change, Daemon, Family, Forwarding, Mask, Protocol, Server, Service, ServiceId, TunnelKind,
};

/// The kernel stores the time of persistence in 32 bits, in ticks: up to a thousand a second.
const LONGEST_PERSISTENCE: u32 = 4_294_967;

/// Whether this change can be sent to the kernel.
pub fn check(change: &Change) -> Result<()> {
    let wrong = match change {
        Change::AddService(service) => pointless(service).or_else(|| wrong_service(service)),
        Change::EditService(service) => wrong_service(service),
        Change::AddServer(id, server) => wrong_server(server).or_else(|| misplaced(id, server)),
        Change::EditServer(_, server) => wrong_server(server),
        Change::StartDaemon(daemon) => wrong_daemon(daemon),
        Change::DeleteService(_)
        | Change::DeleteServer(..)
        | Change::Flush
        | Change::Zero(_)
        | Change::SetTimeouts(_)
        | Change::StopDaemon(_) => None,
    };
    wrong.map_or(Ok(()), |wrong| Err(Error::Invalid(wrong)))
}

/// The kernel accepts services of other protocols, but forwards nothing to their servers. With a
/// persistence of 0 seconds, no client stays with its server.
fn pointless(service: &Service) -> Option<&'static str> {
    match service.id.protocol() {
        _ if service.persistence == Some(0) => Some("persistence is at least 1 second"),
        Protocol::TCP | Protocol::UDP | Protocol::SCTP => None,
        _ => Some("IPVS balances TCP, UDP and SCTP only"),
    }
}

fn wrong_service(service: &Service) -> Option<&'static str> {
    if service.persistence > Some(LONGEST_PERSISTENCE) {
        return Some("persistence is at most 4294967 seconds");
    }
    let is_for_every_port = matches!(service.id, ServiceId::Address { port: 0, .. });
    if is_for_every_port && service.persistence.is_none() {
        return Some("a service for every port must be persistent");
    }
    match (service.id.family(), service.mask) {
        (Family::V4, Mask::V4(_)) => None,
        (Family::V6, Mask::V6(length)) if Mask::PREFIXES.contains(&length) => None,
        (Family::V4, Mask::V6(_)) => Some("the mask of an IPv4 service is an IPv4 address"),
        (Family::V6, _) => Some("the mask of an IPv6 service is a prefix of 1 to 128 bits"),
    }
}

fn wrong_server(server: &Server) -> Option<&'static str> {
    match (server.forwarding, server.tunnel.kind) {
        (Forwarding::Unknown(method), _) if !Forwarding::UNKNOWN.contains(&method) => {
            Some("the number of an unknown forwarding method is 5, 6 or 7")
        }
        (_, TunnelKind::Unknown(kind)) if !TunnelKind::UNKNOWN.contains(&kind) => {
            Some("the number of an unknown kind of tunnel is 3 to 255")
        }
        _ => None,
    }
}

fn misplaced(id: &ServiceId, server: &Server) -> Option<&'static str> {
    let is_misplaced = match id {
        ServiceId::Address { port, .. } => {
            server.forwarding.keeps_port() && server.id.port != *port
        }
        ServiceId::Mark { .. } => false,
    };
    is_misplaced.then_some("without masquerading, a server has the port of its service")
}

/// The kernel replaces a value of 0 with its default.
fn wrong_daemon(daemon: &Daemon) -> Option<&'static str> {
    if daemon.sync_id > u8::MAX.into() {
        return Some("the syncid of a daemon is at most 255");
    }
    if daemon.max_length == Some(0) {
        return Some("the longest message of a daemon has at least 1 byte");
    }
    if daemon.port == Some(0) {
        return Some("the port of a daemon is not 0");
    }
    if daemon.ttl == Some(0) {
        return Some("the time to live of a daemon's packets is not 0");
    }
    None
}
