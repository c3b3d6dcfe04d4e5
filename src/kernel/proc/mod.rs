//! What the kernel shows as text below `/proc`.

mod connections;
mod sysctl;
mod totals;

use std::fs::File;
use std::io;

pub use connections::{Connections, parse as parse_connection};
pub(super) use sysctl::tuning;
pub(super) use totals::read as read_totals;

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
