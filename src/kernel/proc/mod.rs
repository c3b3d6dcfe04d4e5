//! Text files of the kernel below `/proc`.

mod connections;
#[cfg(feature = "cli")]
mod cpus;
#[cfg(feature = "cli")]
mod sysctl;
#[cfg(feature = "cli")]
mod table;
mod totals;

use std::fs::File;
use std::io;

#[cfg(feature = "cli")]
use super::netns::{Netns, PROC};

#[cfg(feature = "cli")]
pub(crate) use connections::ConnectionLine;
pub use connections::Connections;
#[cfg(feature = "cli")]
pub use connections::parse as parse_connection;
#[cfg(feature = "cli")]
pub(super) use cpus::read as read_counted;
#[cfg(feature = "cli")]
pub(super) use sysctl::tuning;
#[cfg(feature = "cli")]
pub use table::{parse as parse_table, read as read_table};
pub(super) use totals::read as read_totals;

/// The folder of the sysctls of IPVS, below `/proc`.
const SYSCTLS: &str = "sys/net/ipv4/vs";

/// Whether the kernel has IPVS at the moment: its module may be unloaded at any time. Asking does
/// not load it.
#[cfg(feature = "cli")]
pub fn has_ipvs(namespace: Option<&Netns>) -> io::Result<bool> {
    let has_ipvs = || Ok(open(PROC, "ip_vs").is_ok());
    namespace.map_or_else(has_ipvs, |namespace| namespace.run(has_ipvs))
}

/// Opens a file of the network namespace of the thread. If `/proc` has no threads, it opens that of
/// the process.
fn open(proc: &str, name: &str) -> io::Result<File> {
    match File::open(format!("{proc}/thread-self/net/{name}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::open(format!("{proc}/net/{name}"))
        }
        file => file,
    }
}
