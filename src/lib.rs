//! Administer the IP virtual servers (IPVS) of the Linux kernel.
//!
//! These are the parts of the program `ipvsadm`. [`kernel::Client`] is of use to others too: it
//! speaks to the kernel over one netlink socket, in the plain values of [`model`].
//!
//! ```no_run
//! use ipvsadm::kernel::Client;
//!
//! # fn main() -> Result<(), ipvsadm::kernel::Error> {
//! let mut client = Client::open()?;
//! for service in client.services()? {
//!     let servers = client.servers(&service.service.id)?;
//!     println!("{:?}: {} servers", service.service.id, servers.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The rest is one pipe: [`cli`] makes a [`command::Command`] of the words of a line, and
//! [`render`] makes bytes of the model.

/// The README's examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod app;
pub mod cli;
pub mod command;
pub mod error;
pub mod kernel;
pub mod lines;
pub mod model;
pub mod names;
pub mod render;
pub mod rules;
