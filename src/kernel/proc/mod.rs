//! What the kernel shows as text below `/proc`.

mod connections;
mod sysctl;
mod totals;

use std::fs::File;
use std::io;

use super::netns::{Netns, run_in};

#[cfg(feature = "cli")]
pub(crate) use connections::Line;
pub use connections::{Connections, parse as parse_connection};
pub(super) use sysctl::tuning;
pub(super) use totals::{read as read_totals, read_sums};

/// Whether there is IPVS.
pub(super) fn has_ipvs(namespace: Option<&Netns>) -> bool {
    run_in(namespace, || open("ip_vs")).is_ok()
}

/// Opens a file of the network namespace that the thread is in, and that of the process in a
/// `/proc` that has no threads.
fn open(name: &str) -> io::Result<File> {
    match File::open(format!("/proc/thread-self/net/{name}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::open(format!("/proc/net/{name}"))
        }
        file => file,
    }
}
