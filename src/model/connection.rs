//! A connection that the director knows of.

use std::net::SocketAddr;

/// One entry of the connection table; its texts are borrowed from where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    pub protocol: &'a [u8],
    pub client: SocketAddr,
    pub virtual_service: SocketAddr,
    pub server: SocketAddr,
    pub state: &'a [u8],
    /// Seconds until the entry is forgotten.
    pub expires: u32,
    /// The persistence engine and its data, on the connections that carry any.
    pub engine: Option<(&'a [u8], &'a [u8])>,
}
