//! What IPVS is made of, as plain values: no text, no kernel, no I/O.
//!
//! Identity and settings (`Service`, `Server`) are what one asks for; what the kernel
//! observed about them (`ServiceState`, `ServerState`) wraps them.

mod change;
mod connection;
mod daemon;
mod name;
mod notation;
mod order;
mod server;
mod service;
mod settings;
mod stats;
pub mod terms;

pub use change::Change;
pub use connection::Connection;
pub use daemon::{Daemon, DaemonRole, Timeouts};
pub use name::{Engine, Interface, Name, Scheduler};
pub use notation::Invalid;
pub use order::sort_table;
pub use server::{Checksum, Forwarding, Server, ServerId, ServerState, Tunnel, TunnelKind};
pub use service::{Flags, Mask, Protocol, Service, ServiceId, ServiceState};
pub use settings::Settings;
pub use stats::Stats;

use std::net::IpAddr;

/// The address family of a service or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// The version of IPVS in the running kernel and the size of its connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    pub version: u32,
    pub connection_table_size: u32,
}

/// A service with the servers behind it, as a listing or a save shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub service: ServiceState,
    pub servers: Vec<ServerState>,
}
