//! The services, servers and interfaces of a network namespace, as anyone may read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::model::Protocol;

const TABLE: &str = "/proc/thread-self/net/ip_vs";

/// Unlike `/sys/class/net` this always shows the network namespace of the reader.
const INTERFACES: &str = "/proc/thread-self/net/dev";

/// How long reading the table may take: a user is waiting.
const PATIENCE: Duration = Duration::from_millis(15);

/// What the kernel shows to everyone; empty without IPVS.
#[derive(Debug, Default)]
pub struct Live {
    pub services: Vec<u8>,
    pub interfaces: Vec<u8>,
}

impl Live {
    /// Reads it in the network namespace of this thread.
    pub fn read() -> Self {
        Self {
            services: table(),
            interfaces: fs::read(INTERFACES).unwrap_or_default(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct LiveService<'a> {
    pub id: LiveId,
    pub scheduler: &'a str,
    pub servers: Vec<LiveServer<'a>>,
}

/// What identifies a service in the table, which does not show the family of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LiveId {
    Address(Protocol, SocketAddr),
    Mark(u32),
}

/// As one would type it.
impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Address(_, address) => address.fmt(f),
            Self::Mark(mark) => mark.fmt(f),
        }
    }
}

/// A server, and how packets get there.
#[derive(Debug, PartialEq, Eq)]
pub struct LiveServer<'a> {
    pub address: SocketAddr,
    pub forwarding: &'a str,
    pub weight: &'a str,
}

impl LiveService<'_> {
    /// Whether its servers, if it has any, are of IPv6.
    pub fn is_ipv6(&self) -> bool {
        let first = self.servers.first();
        first.is_some_and(|server| server.address.is_ipv6())
    }
}

/// The text of the table. Of a huge one this is the beginning: the kernel starts over for every
/// page, which takes seconds.
fn table() -> Vec<u8> {
    let start = Instant::now();
    let mut text = Vec::new();
    let mut page = [0; 16 * 1024];
    if let Ok(mut table) = File::open(TABLE) {
        while let Ok(length @ 1..) = table.read(&mut page) {
            text.extend_from_slice(&page[..length]);
            if start.elapsed() > PATIENCE {
                break;
            }
        }
    }
    text
}

/// Reads the text of the table, and sorts it. Lines that make no sense are skipped.
pub fn services(text: &str) -> Vec<LiveService<'_>> {
    let mut services: Vec<LiveService> = Vec::new();
    for line in text.lines() {
        match (server(line), services.last_mut()) {
            (Some(server), Some(service)) => service.servers.push(server),
            (Some(_), None) => {}
            (None, _) => services.extend(service(line)),
        }
    }
    services.sort_by_key(|service| service.id);
    for service in &mut services {
        service.servers.sort_by_key(|server| server.address);
    }
    services
}

/// The hosts of all servers as one types them, each with the number of services that have it.
pub fn hosts(services: &[LiveService]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for service in services {
        let servers = service.servers.iter();
        let hosts: BTreeSet<IpAddr> = servers.map(|server| server.address.ip()).collect();
        for host in hosts {
            *counts.entry(host).or_default() += 1;
        }
    }
    let text = |host| match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    };
    let counts = counts.into_iter();
    counts.map(|(host, count)| (text(host), count)).collect()
}

fn service(line: &str) -> Option<LiveService<'_>> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    let mut address = |protocol| {
        let address = socket_address(words.next()?)?;
        Some(LiveId::Address(protocol, address))
    };
    let id = match kind {
        "TCP" => address(Protocol::TCP)?,
        "UDP" => address(Protocol::UDP)?,
        "SCTP" => address(Protocol::SCTP)?,
        "FWM" => LiveId::Mark(u32::from_str_radix(words.next()?, 16).ok()?),
        _ => return None,
    };
    Some(LiveService {
        id,
        scheduler: words.next()?,
        servers: Vec::new(),
    })
}

fn server(line: &str) -> Option<LiveServer<'_>> {
    let mut words = line.strip_prefix("  -> ")?.split_whitespace();
    let address = socket_address(words.next()?)?;
    Some(LiveServer {
        address,
        forwarding: words.next()?,
        weight: words.next()?,
    })
}

/// `0A000001:0050` or `[2001:0db8:…:0001]:0050`.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let address = match address.strip_prefix('[') {
        Some(v6) => IpAddr::V6(v6.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => IpAddr::V4(Ipv4Addr::from_bits(u32::from_str_radix(address, 16).ok()?)),
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:0050 rr persistent 360 FFFFFFFF
  -> 0A010001:1F90      Masq    1      0          0
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wlc
FWM  00000007 sh
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000 Route   5      0          0
";
        let services = services(text);
        let names: Vec<_> = services
            .iter()
            .map(|s| (s.id.to_string(), s.is_ipv6(), s.servers.len()))
            .collect();
        assert_eq!(
            names,
            [
                ("10.0.0.1:80".to_owned(), false, 1),
                ("[2001:db8::1]:53".to_owned(), false, 0),
                ("7".to_owned(), true, 1)
            ]
        );
        let server = &services[2].servers[0];
        assert_eq!(server.address.to_string(), "[2001:db8:1::1]:0");
        assert_eq!((server.forwarding, server.weight), ("Route", "5"));
    }
}
