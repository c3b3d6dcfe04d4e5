//! The services and servers in `/proc/net/ip_vs`, which anyone may read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::Protocol;

/// A service as one would type its name.
#[derive(Debug, PartialEq, Eq)]
pub struct LiveService {
    /// None for a firewall mark.
    pub protocol: Option<Protocol>,
    pub name: String,
    /// Whether a mark is one of IPv6.
    pub ipv6: bool,
    pub scheduler: String,
    pub servers: Vec<LiveServer>,
}

/// A server as one would type its name, and how packets get there.
#[derive(Debug, PartialEq, Eq)]
pub struct LiveServer {
    pub name: String,
    pub about: String,
}

/// Reads the text of the table. Lines that make no sense are passed over.
pub fn services(text: &[u8]) -> Vec<LiveService> {
    let text = String::from_utf8_lossy(text);
    let mut services: Vec<LiveService> = Vec::new();
    for line in text.lines() {
        match (server(line), services.last_mut()) {
            (Some(server), Some(service)) => service.servers.push(server),
            (Some(_), None) => {}
            (None, _) => services.extend(service(line)),
        }
    }
    services
}

fn service(line: &str) -> Option<LiveService> {
    let mut words = line.split_whitespace().peekable();
    let protocol = match words.next()? {
        "TCP" => Some(Protocol::TCP),
        "UDP" => Some(Protocol::UDP),
        "SCTP" => Some(Protocol::SCTP),
        "FWM" => None,
        _ => return None,
    };
    let name = match protocol {
        Some(_) => socket_address(words.next()?)?.to_string(),
        None => u32::from_str_radix(words.next()?, 16).ok()?.to_string(),
    };
    let ipv6 = words.next_if_eq(&"IPv6").is_some();
    Some(LiveService {
        protocol,
        name,
        ipv6,
        scheduler: words.next()?.to_owned(),
        servers: Vec::new(),
    })
}

fn server(line: &str) -> Option<LiveServer> {
    let mut words = line.strip_prefix("  -> ")?.split_whitespace();
    let name = socket_address(words.next()?)?.to_string();
    let (method, weight) = (words.next()?, words.next()?);
    Some(LiveServer {
        name,
        about: format!("{method}, weight {weight}"),
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
        let text = b"\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:0050 rr persistent 360 FFFFFFFF
  -> 0A010001:1F90      Masq    1      0          0
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wlc
FWM  00000007 IPv6 sh
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000 Route   5      0          0
";
        let services = services(text);
        let names: Vec<_> = services
            .iter()
            .map(|s| (s.name.as_str(), s.ipv6, s.servers.len()))
            .collect();
        assert_eq!(
            names,
            [
                ("10.0.0.1:80", false, 1),
                ("[2001:db8::1]:53", false, 0),
                ("7", true, 1)
            ]
        );
        let server = &services[2].servers[0];
        assert_eq!(server.name, "[2001:db8:1::1]:0");
        assert_eq!(server.about, "Route, weight 5");
    }
}
