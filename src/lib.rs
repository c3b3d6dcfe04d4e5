//! The IP virtual servers (IPVS) of the Linux kernel: virtual services, each balanced over real
//! servers.
//!
//! [`kernel::Client`] speaks to the kernel over one netlink socket. It takes and returns the plain
//! values of [`model`]. It loads no C library and starts no program.
//!
//! ```no_run
//! use ipvsadm::kernel::{Client, Detail};
//! use ipvsadm::model::{Forwarding, Server, Service};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::open()?;
//! let web = Service::tcp("192.0.2.1:80".parse()?);
//! client.add_service(&web)?;
//! let server = Server {
//!     forwarding: Forwarding::Masquerade,
//!     weight: 5,
//!     ..Server::new(([10, 0, 0, 1], 8080))
//! };
//! client.add_server(&web.id, &server)?;
//!
//! for entry in client.table(Detail::Full)? {
//!     println!("{}: {} servers", entry.service.service.id, entry.servers.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `cli`, on by default: the program `ipvsadm`. As a dependency, turn it off with
//!   `default-features = false`.
//! - `serde`: `Serialize` and `Deserialize` for the values of [`model`], all but
//!   [`Connection`](model::Connection), which borrows its line. The ids of services and servers are
//!   strings, as `Display` writes them. Settings and counters that are missing have their usual
//!   values.
//!
//! With `cli`, more is public: for the program and its tests, which are crates of their own. The
//! documentation hides it, and it may change at any time.

#![warn(missing_docs)]

/// The README's examples are compiled.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod kernel;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod lines;
#[cfg(not(feature = "cli"))]
#[expect(dead_code, reason = "the program uses all of it")]
mod lines;
pub mod model;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod app;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod command;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod doctor;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod error;
#[cfg(feature = "cli")]
mod later;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod names;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod render;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod rules;
