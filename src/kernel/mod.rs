//! The client of IPVS, and the other interfaces of Linux that the program uses.

mod attribute;
mod batch;
mod client;
mod daemon;
mod error;
mod info;
mod limits;
mod message;
mod module;
#[cfg(feature = "mutants")]
mod mutants;
mod netlink;
mod netns;
mod only_ipv4;
mod proc;
mod request;
#[cfg(feature = "cli")]
mod rtnetlink;
mod server;
mod service;
mod socket;
mod sockopt;
mod stats;
mod table;
mod transport;

pub use batch::Batch;
pub use client::Client;
#[cfg(feature = "cli")]
pub(crate) use error::plain;
pub use error::{Action, Error, Refusal, Result};
pub use module::load as load_module;
#[cfg(feature = "cli")]
pub(crate) use netns::HERE;
pub use netns::Netns;
pub use proc::Connections;
#[cfg(feature = "cli")]
pub(crate) use proc::{ConnectionLine, has_ipvs};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use proc::{parse_connection, parse_table, read_table};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use rtnetlink::{Address, Link, Neighbour, NeighbourState, Route, Rtnetlink};
#[cfg(feature = "cli")]
pub(crate) use socket::{Wire, keep_descriptors_from};
pub use table::Detail;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use transport::{Inbox, Room, Transport};
