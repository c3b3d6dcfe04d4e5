//! Everything that speaks to Linux.

mod abi;
mod client;
mod connections;
mod error;
mod module;
mod netlink;
mod reply;
mod request;
mod socket;
mod transport;

pub use client::Client;
pub use connections::Connections;
pub use error::{Error, Result};
pub use request::Change;
pub use transport::{Inbox, Room, Transport};
