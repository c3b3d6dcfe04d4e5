//! The objects of IPVS as plain values: no text, no kernel, no I/O.
//!
//! `Service` and `Server` hold the identity and the settings that a program asks for;
//! `ServiceState` and `ServerState` add what the kernel observed.

mod change;
mod connection;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod count;
mod daemon;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod difference;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod drain;
#[cfg(feature = "cli")]
mod fields;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod filter;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod hash;
#[cfg(not(feature = "cli"))]
#[expect(dead_code, reason = "the program uses all of it")]
pub(crate) mod hash;
mod name;
mod notation;
mod order;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod rates;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod reversal;
#[cfg(feature = "serde")]
mod serialized;
mod server;
mod service;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod settings;
mod stats;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod terms;
#[cfg(not(feature = "cli"))]
#[expect(dead_code, reason = "the program uses all of it")]
pub(crate) mod terms;
mod totals;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod watch;

pub use change::Change;
pub use connection::Connection;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use count::{ClientCount, ConnectionCounts, ServiceCounts, StateCount};
pub use daemon::{Daemon, DaemonRole, Timeouts};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use fields::Fields;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use filter::{Filter, Host, Network, States, Wanted};
pub use name::{Engine, Interface, Name, Scheduler};
pub use notation::Invalid;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use order::sort_by_key;
pub use order::sort_table;
pub use server::{Checksum, Forwarding, Server, ServerId, ServerState, Tunnel, TunnelKind};
pub use service::{Flags, Mask, Protocol, Service, ServiceId, ServiceState};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use settings::Settings;
pub use stats::Stats;
pub use totals::{Estimators, HashTable, Limits, Status, Totals};

use std::net::IpAddr;

/// The address family of a service or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// The version of IPVS in the running kernel and the size of its connection table.
///
/// No fields will be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Info {
    /// A byte each for major, minor and patch: 0x010201 is 1.2.1.
    pub version: u32,
    /// The number of buckets. Since Linux 7.2 it grows and shrinks.
    pub connection_table_size: u32,
}

/// A service with the servers behind it, as a listing or a save shows them.
///
/// No fields will be added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// The service.
    pub service: ServiceState,
    /// Its servers, the newest first.
    #[cfg_attr(feature = "serde", serde(default))]
    pub servers: Vec<ServerState>,
}
