//! A whole table without observed values: the basis for comparing two tables.

use crate::model::{Daemon, Entry, Server, Service, Timeouts};

/// The configuration of a table. Each service is in it once, and so is each server in its service
/// and each role among the daemons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub services: Vec<Configured>,
    /// `None` if they are not known, or do not matter. One that is 0 does not matter either.
    pub timeouts: Option<Timeouts>,
    pub daemons: Vec<Daemon>,
}

/// A service with the servers behind it, as they are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    pub service: Service,
    pub servers: Vec<Server>,
}

impl Configured {
    /// Whether it takes new connections: some server must have a weight above 0.
    pub fn is_usable(&self) -> bool {
        self.servers.iter().any(Server::is_usable)
    }
}

impl From<&Entry> for Configured {
    fn from(entry: &Entry) -> Self {
        Self {
            service: entry.service.service,
            servers: entry.servers.iter().map(|state| state.server).collect(),
        }
    }
}
