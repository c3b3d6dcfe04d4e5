//! The fields of connections, for code that needs only some of them.

use std::net::{IpAddr, SocketAddr};

use super::Connection;

/// The fields by which connections are chosen and counted. A field may be parsed only when it is
/// asked for. It is `None` if it cannot be read.
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

    /// A number that is shared only by connections of the same protocol, server and state. With it,
    /// these fields need not be read.
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
