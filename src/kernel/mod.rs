//! Everything that speaks to Linux.

mod abi;
mod batch;
mod client;
mod connections;
mod error;
mod module;
#[cfg(feature = "mutants")]
mod mutants;
mod netlink;
mod options;
mod reply;
mod request;
mod socket;
mod table;
mod transport;

pub use batch::Batch;
pub use client::Client;
pub use connections::{Connections, parse as parse_connection};
pub use error::{Error, Result};
pub use table::Detail;
pub use transport::{Inbox, Room, Transport};
