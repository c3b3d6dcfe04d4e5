//! Everything that speaks to Linux.

mod attribute;
mod batch;
mod client;
mod daemon;
mod error;
mod info;
mod message;
mod module;
#[cfg(feature = "mutants")]
mod mutants;
mod netlink;
mod only_ipv4;
mod proc;
mod request;
mod server;
mod service;
mod socket;
mod sockopt;
mod stats;
mod table;
mod transport;

pub use batch::Batch;
pub use client::Client;
pub use error::{Error, Result};
pub use proc::{Connections, parse_connection};
pub use table::Detail;
pub use transport::{Inbox, Room, Transport};
