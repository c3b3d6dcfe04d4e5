//! The table in `/proc/net/ip_vs`, which every user may read: without flags, limits or counters.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::kernel::netns::PROC;
use crate::model::terms::{MARK, Vocabulary};
use crate::model::{
    Entry, Family, Forwarding, Protocol, Server, ServerState, Service, ServiceId, ServiceState,
    Stats,
};

/// Reads the table in the network namespace of this thread. With a time limit, a huge table is cut
/// short: the kernel starts over for every page, which takes seconds.
pub fn read(limit: Option<Duration>) -> io::Result<Vec<Entry>> {
    let start = Instant::now();
    let (mut text, mut page) = (Vec::new(), [0; 16 * 1024]);
    let mut file = super::open(PROC, "ip_vs")?;
    let is_over = || limit.is_some_and(|limit| start.elapsed() > limit);
    while let length @ 1.. = file.read(&mut page)? {
        text.extend_from_slice(&page[..length]);
        if is_over() {
            break;
        }
    }
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// Lines that are neither a service nor a server are titles.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut table: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if line.starts_with("  ->") {
            let server = words.nth(1).and_then(|end| server(end, words));
            if let Some(entry) = table.last_mut() {
                entry.servers.extend(server);
                tell_family(entry);
            }
        } else if let Some(service) = service(words) {
            let stats = Stats::default();
            table.push(Entry {
                service: ServiceState { service, stats },
                servers: Vec::new(),
            });
        }
    }
    table
}

/// The text does not contain the family of a mark, but its servers show it.
fn tell_family(entry: &mut Entry) {
    if let (ServiceId::Mark { family, .. }, [first]) =
        (&mut entry.service.service.id, &entry.servers[..])
    {
        *family = first.server.id.family();
    }
}

fn service<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Service> {
    let protocol = match words.next()? {
        MARK => {
            let mark = NonZeroU32::new(u32::from_str_radix(words.next()?, 16).ok()?)?;
            let service = Service::mark(mark, Family::V4);
            return with_settings(service, words);
        }
        title => Protocol::from_title(title.as_bytes())?,
    };
    let address = end(words.next()?)?;
    with_settings(Service::new(ServiceId::address(protocol, address)), words)
}

fn with_settings<'a>(
    mut service: Service,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Service> {
    service.scheduler = words.next()?.parse().ok()?;
    if words.any(|word| word == "persistent") {
        service.persistence = Some(words.next()?.parse().ok()?);
    }
    Some(service)
}

fn server<'a>(at: &str, mut words: impl Iterator<Item = &'a str>) -> Option<ServerState> {
    let forwarding = Forwarding::from_title(words.next()?.as_bytes())?;
    let mut number = || words.next()?.parse::<u32>().ok();
    let weight = i32::try_from(number()?).ok()?;
    Some(ServerState {
        server: Server {
            forwarding,
            weight,
            ..Server::new(end(at)?)
        },
        active: number()?,
        inactive: number()?,
        persistent: 0,
        stats: Stats::default(),
    })
}

/// An address and port: hexadecimal, and IPv6 in brackets.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address: IpAddr = match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok()?,
        None => Ipv4Addr::from_bits(u32::from_str_radix(address, 16).ok()?).into(),
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_may_read_the_table() {
        let text = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000201:0050 rr persistent 300 FFFFFFFF
  -> 0A000001:1F90      Masq    2      3          4
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 wlc
  -> [fd00:0000:0000:0000:0000:0000:0000:0001]:0050      Route   0      0          0
FWM  00000007 sh
FWM  00000007 rr
  -> [fd00:0000:0000:0000:0000:0000:0000:0001]:0000      Route   1      0          0
";
        let table = parse(text);
        let ids: Vec<String> = table
            .iter()
            .map(|entry| entry.service.service.id.to_string())
            .collect();
        assert_eq!(
            ids,
            ["-t 192.0.2.1:80", "-t [2001:db8::1]:80", "-f 7", "-f 7 -6"]
        );
        let first = &table[0];
        assert_eq!(first.service.service.persistence, Some(300));
        let server = &first.servers[0];
        assert_eq!(server.server.id.to_string(), "10.0.0.1:8080");
        assert_eq!(server.server.forwarding, Forwarding::Masquerade);
        let numbers = (server.server.weight, server.active, server.inactive);
        assert_eq!(numbers, (2, 3, 4));
        assert_eq!(table[1].servers[0].server.weight, 0);
    }
}
