//! The synchronisation daemons, and the timeouts of connections.

use std::net::IpAddr;

use super::Interface;

/// Which of the two daemons: the one that sends the table of connections or the one that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DaemonRole {
    Master,
    Backup,
}

/// A synchronisation daemon. What is `None` is the kernel's default, or was not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daemon {
    pub role: DaemonRole,
    pub interface: Interface,
    pub sync_id: u32,
    pub max_length: Option<u16>,
    pub group: Option<IpAddr>,
    pub port: Option<u16>,
    pub ttl: Option<u8>,
}

impl Daemon {
    /// A daemon with the kernel's defaults.
    pub fn new(role: DaemonRole, interface: Interface, sync_id: u32) -> Self {
        Self {
            role,
            interface,
            sync_id,
            max_length: None,
            group: None,
            port: None,
            ttl: None,
        }
    }
}

/// How long idle connections are remembered, in seconds. Setting 0 keeps what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub tcp: u32,
    pub tcp_fin: u32,
    pub udp: u32,
}
