//! A connection that the director knows.

use std::fmt;
use std::net::SocketAddr;

/// One entry of the connection table; its texts are borrowed from where it was read.
///
/// Fields may be added: programs only read it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "cli"), non_exhaustive)]
pub struct Connection<'a> {
    /// The protocol as the kernel writes it, such as `TCP`; `IP` for a firewall mark's template.
    pub protocol: &'a [u8],
    /// The client. A persistence template has port 0.
    pub client: SocketAddr,
    /// The service. For a firewall mark's template the address is the mark: 0.0.0.7, or 0:7::, is
    /// mark 7.
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

/// Shows the byte strings as text.
impl fmt::Debug for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_struct("Connection")
            .field("protocol", &text(self.protocol))
            .field("client", &self.client)
            .field("virtual_service", &self.virtual_service)
            .field("server", &self.server)
            .field("state", &text(self.state))
            .field("expires", &self.expires)
            .field(
                "engine",
                &self.engine.map(|(name, data)| (text(name), text(data))),
            )
            .finish()
    }
}
