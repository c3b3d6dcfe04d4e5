//! A connection that the director knows.

use std::net::SocketAddr;

/// One entry of the connection table; its texts are borrowed from where it was read.
///
/// Fields may be added: programs only read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The protocol as the kernel writes it, such as `TCP`; `IP` for a firewall mark's template.
    pub protocol: &'a [u8],
    /// The client. A persistence template has port 0.
    pub client: SocketAddr,
    /// The service. For a firewall mark's template this is the mark.
    pub virtual_service: SocketAddr,
    /// The server. Tunnels may lead to another family.
    pub server: SocketAddr,
    /// The state, such as `ESTABLISHED`.
    pub state: &'a [u8],
    /// Seconds until the entry is forgotten.
    pub expires: u32,
    /// The persistence engine and its data, on the connections that carry any.
    pub engine: Option<(&'a [u8], &'a [u8])>,
}
