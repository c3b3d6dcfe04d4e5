//! Which settings have an effect. Only these are compared, or a table would differ from its file
//! forever.
//!
//! Some things are handled elsewhere: reading a line sets the defaults of options and the ports
//! that `-g` and `-i` replace, and reading the kernel's answer removes the kernel's own flags.

use std::net::IpAddr;

use crate::model::{
    Daemon, DaemonRole, Family, Forwarding, Mask, Server, Service, Tunnel, TunnelKind,
};

pub fn effective_service(service: &Service) -> Service {
    let mask = match service.persistence {
        Some(_) => service.mask,
        // Only persistence uses the mask.
        None => Mask::whole(service.id.family()),
    };
    Service { mask, ..*service }
}

pub fn effective_server(server: &Server) -> Server {
    let tunnel = match (server.forwarding, server.tunnel.kind) {
        (Forwarding::Tunnel, TunnelKind::Gue | TunnelKind::Unknown(_)) => server.tunnel,
        // Only gue has a port.
        (Forwarding::Tunnel, TunnelKind::Gre) => Tunnel {
            port: 0,
            ..server.tunnel
        },
        // ipip has no checksum, and without a tunnel its settings have no effect.
        (Forwarding::Tunnel, TunnelKind::Ipip)
        | (
            Forwarding::Masquerade
            | Forwarding::Local
            | Forwarding::DirectRouting
            | Forwarding::Bypass
            | Forwarding::Unknown(_),
            _,
        ) => Tunnel::IPIP,
    };
    let checksum = tunnel.checksum.mode();
    Server {
        tunnel: Tunnel { checksum, ..tunnel },
        ..*server
    }
}

/// Whether a running daemon does what is wanted. The kernel's older interface does not report all
/// settings.
pub fn runs_as_wanted(running: &Daemon, wanted: &Daemon) -> bool {
    let group = wanted.group.unwrap_or(Daemon::GROUP);
    running.interface == wanted.interface
        && running.sync_id == wanted.sync_id
        && running.group.is_none_or(|running| running == group)
        && running
            .port
            .is_none_or(|port| port == wanted.port.unwrap_or(Daemon::PORT))
        && running
            .ttl
            .is_none_or(|ttl| ttl == wanted.ttl.unwrap_or(Daemon::TTL))
        && running
            .max_length
            .is_none_or(|length| is_length(length, wanted, group))
}

/// Whether the kernel would choose this length for a daemon.
fn is_length(length: u16, wanted: &Daemon, group: IpAddr) -> bool {
    /// The smallest frame that a backup assumes, and what a master sends by default.
    const FRAME: u16 = 1500;
    let headers = match Family::of(group) {
        Family::V4 => 28,
        Family::V6 => 48,
    };
    match (wanted.max_length, wanted.role) {
        (Some(wanted), DaemonRole::Master) => length == wanted.min(u16::MAX - headers),
        (Some(wanted), DaemonRole::Backup) => length == wanted.clamp(1024, u16::MAX - headers),
        (None, DaemonRole::Master) => length == FRAME - headers,
        // Its device may have larger frames.
        (None, DaemonRole::Backup) => length >= FRAME - headers,
    }
}
