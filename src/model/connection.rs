//! A connection that the director knows.

use std::net::{IpAddr, SocketAddr};

/// One entry of the connection table; its texts are borrowed from where it was read.
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

/// The fields by which connections are chosen and counted. They may be read only when they are
/// asked for; `None` if one cannot be read.
pub trait Fields {
    /// The protocol as the kernel writes it.
    fn protocol(&self) -> Option<&[u8]>;
    /// The address of the client.
    fn client(&self) -> Option<IpAddr>;
    /// The service.
    fn virtual_service(&self) -> Option<SocketAddr>;
    /// The server.
    fn server(&self) -> Option<SocketAddr>;
    /// The state.
    fn state(&self) -> Option<&[u8]>;

    /// A number that only connections of one protocol, server and state share. It avoids reading
    /// these fields.
    fn group(&self) -> Option<[u64; 4]> {
        None
    }
}

impl Fields for Connection<'_> {
    fn protocol(&self) -> Option<&[u8]> {
        Some(self.protocol)
    }

    fn client(&self) -> Option<IpAddr> {
        Some(self.client.ip())
    }

    fn virtual_service(&self) -> Option<SocketAddr> {
        Some(self.virtual_service)
    }

    fn server(&self) -> Option<SocketAddr> {
        Some(self.server)
    }

    fn state(&self) -> Option<&[u8]> {
        Some(self.state)
    }
}
