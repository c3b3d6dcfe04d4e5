//! The data for completion: the services, servers and interfaces of a network namespace, and the
//! names of namespaces. All of it comes from world-readable files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::IpAddr;

use crate::model::Entry;

/// The contents of world-readable kernel files; empty without IPVS.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The table, in the order of listings.
    pub services: Vec<Entry>,
    /// The text of the interfaces and their counters.
    pub interfaces: Vec<u8>,
    /// The names of the network namespaces of this machine.
    pub namespaces: Vec<OsString>,
}

/// The hosts of all servers as users type them, each with the number of its services.
pub fn hosts(services: &[Entry]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for entry in services {
        let mut hosts = BTreeSet::new();
        for state in &entry.servers {
            let host = state.server.id.address;
            if hosts.insert(host) {
                *counts.entry(host).or_default() += 1;
            }
        }
    }
    let text = |host| match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    };
    let counts = counts.into_iter();
    counts.map(|(host, count)| (text(host), count)).collect()
}
