//! What the kernel shows as text in `/proc/net`.

mod connections;

pub use connections::{Connections, parse as parse_connection};
