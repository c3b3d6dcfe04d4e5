//! Addresses, devices, routes and neighbours, which every user may read.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::attribute::{exactly, find, number, walk};
use super::error::Malformed;
use super::socket::{merges_packets, set_patience};
use super::transport::uninterrupted;
use crate::model::Family;

const HEADER: usize = 16;
const DONE: u16 = libc::NLMSG_DONE as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const DUMP: u16 = libc::NLM_F_DUMP as u16;

/// The route metric for the MTU.
const RTAX_MTU: u16 = 2;

/// How long to wait for an answer. The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the device in addresses, routes and neighbours.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Whether it is the loopback device.
    pub is_loopback: bool,
    /// Whether it supports multicast.
    pub is_multicast: bool,
    /// Whether the link-layer addresses of neighbours are looked up on it.
    pub has_neighbours: bool,
    /// The size of the longest packets that it sends.
    pub mtu: u32,
    /// Its link-layer address, if it is an Ethernet address.
    pub ethernet: Option<[u8; 6]>,
    /// For a GRE tunnel: whether it accepts only packets with checksums, or only those without.
    pub wants_checksums: bool,
    /// Its kind, such as `dummy`, `veth` or `ipip`; empty for hardware.
    pub kind: String,
}

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// The prefix length of its network.
    pub bits: u8,
    /// The device that has it.
    pub device: u32,
    /// Another host has this IPv6 address, so it is not used.
    pub is_duplicate: bool,
}

/// Where packets to an address go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether the address is one of this host.
    pub is_local: bool,
    /// The router that they are sent to, if the address is not in a network of this host.
    pub gateway: Option<IpAddr>,
    /// The device through which they leave.
    pub device: u32,
    /// The MTU of the route, if it has its own.
    pub mtu: Option<u32>,
}

/// Another host of the same network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// The device of the network.
    pub device: u32,
    /// Whether its link-layer address is known.
    pub state: NeighbourState,
    /// The link-layer address, if it is known and an Ethernet address.
    pub ethernet: Option<[u8; 6]>,
}

/// Whether the link-layer address of a neighbour is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// It was asked for its link-layer address and has not answered yet.
    Incomplete,
    /// It has not answered.
    Failed,
    /// The address is known, or nobody has asked for it.
    Other,
}

/// A connection to rtnetlink.
pub struct Rtnetlink {
    socket: Socket,
}

impl Rtnetlink {
    /// Connects to rtnetlink in the network namespace of this thread.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        set_patience(socket.as_raw_fd(), PATIENCE)?;
        Ok(Self { socket })
    }

    /// All network devices.
    pub fn links(&self) -> io::Result<Vec<Link>> {
        self.dump(libc::RTM_GETLINK, 16, link)
    }

    /// The addresses of all devices.
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        self.dump(libc::RTM_GETADDR, 8, address)
    }

    /// The neighbours of all devices.
    pub fn neighbours(&self) -> io::Result<Vec<Neighbour>> {
        self.dump(libc::RTM_GETNEIGH, 12, neighbour)
    }

    /// Whether a device has filters for incoming packets, which may mark them.
    pub fn has_ingress(&self) -> io::Result<bool> {
        let kinds = self.dump(libc::RTM_GETQDISC, 20, discipline)?;
        Ok(kinds
            .iter()
            .any(|kind| kind == "ingress" || kind == "clsact"))
    }

    /// Whether a device merges incoming packets in a way that cannot be undone.
    pub fn merges_packets(&self, device: &str) -> bool {
        merges_packets(self.socket.as_raw_fd(), device)
    }

    /// Where packets to an address go; `None` if there is no route.
    pub fn route(&self, to: IpAddr) -> io::Result<Option<Route>> {
        let (family, octets) = match to {
            IpAddr::V4(to) => (libc::AF_INET, to.octets().to_vec()),
            IpAddr::V6(to) => (libc::AF_INET6, to.octets().to_vec()),
        };
        let mut body = vec![0; 12];
        body[0] = family as u8;
        body[1] = octets.len() as u8 * 8;
        body.extend((octets.len() as u16 + 4).to_ne_bytes());
        body.extend(libc::RTA_DST.to_ne_bytes());
        body.extend(octets);
        self.send(libc::RTM_GETROUTE, REQUEST, &body)?;
        let buffer = self.receive()?;
        match messages(&buffer).next() {
            Some((ERROR, ..)) | None => Ok(None),
            Some((_, body)) => route(body).map_err(|Malformed(what)| io::Error::other(what)),
        }
    }

    fn dump<T>(
        &self,
        kind: u16,
        header: usize,
        read: fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> io::Result<Vec<T>> {
        self.send(kind, REQUEST | DUMP, &vec![0; header])?;
        let mut items = Vec::new();
        loop {
            let buffer = self.receive()?;
            for (kind, body) in messages(&buffer) {
                match kind {
                    DONE => return Ok(items),
                    ERROR => return Err(io::Error::other("the kernel refuses a list")),
                    _ => {
                        items.extend(read(body).map_err(|Malformed(what)| io::Error::other(what))?)
                    }
                }
            }
        }
    }

    fn send(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let length = (HEADER + body.len()) as u32;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        self.socket.send(&message, 0).map(drop)
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        Ok(uninterrupted(|| self.socket.recv_from_full())?.0)
    }
}

/// The messages of a datagram, each by its kind and what follows its header.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [a, b, c, d, e, f, ..] = *bytes else {
            return None;
        };
        let length = u32::from_ne_bytes([a, b, c, d]) as usize;
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([e, f]), body))
    })
}

const SHORT: Malformed = Malformed("a message is too short");

fn split<const N: usize>(body: &[u8]) -> Result<([u8; N], &[u8]), Malformed> {
    let (header, attributes) = body.split_at_checked(N).ok_or(SHORT)?;
    Ok((exactly(header)?, attributes))
}

fn link(body: &[u8]) -> Result<Option<Link>, Malformed> {
    let (header, attributes) = split::<16>(body)?;
    let flags = number::<u32>(&header[8..12])? as i32;
    let mut link = Link {
        index: number(&header[4..8])?,
        name: String::new(),
        is_up: flags & libc::IFF_UP != 0,
        is_multicast: flags & libc::IFF_MULTICAST != 0,
        is_loopback: flags & libc::IFF_LOOPBACK != 0,
        has_neighbours: flags & (libc::IFF_NOARP | libc::IFF_LOOPBACK | libc::IFF_POINTOPOINT) == 0,
        mtu: 0,
        ethernet: None,
        wants_checksums: false,
        kind: String::new(),
    };
    for attribute in walk(attributes) {
        match attribute? {
            (libc::IFLA_MTU, value) => link.mtu = number(value)?,
            (libc::IFLA_ADDRESS, value) => link.ethernet = value.try_into().ok(),
            (libc::IFLA_IFNAME, value) => link.name = text(value),
            (libc::IFLA_LINKINFO, value) => {
                for attribute in walk(value) {
                    match attribute? {
                        (libc::IFLA_INFO_KIND, value) => link.kind = text(value),
                        (libc::IFLA_INFO_DATA, value) if link.kind.ends_with("gre") => {
                            link.wants_checksums = wants_checksums(value)?;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Some(link))
}

/// Whether a GRE tunnel accepts only packets with checksums.
fn wants_checksums(data: &[u8]) -> Result<bool, Malformed> {
    const INPUT_FLAGS: u16 = 2;
    const CHECKSUM: u16 = 0x8000;
    for attribute in walk(data) {
        if let (INPUT_FLAGS, value) = attribute? {
            return Ok(u16::from_be_bytes(exactly(value)?) & CHECKSUM != 0);
        }
    }
    Ok(false)
}

fn address(body: &[u8]) -> Result<Option<Address>, Malformed> {
    let (header, attributes) = split::<8>(body)?;
    let Some(family) = family(header[0]) else {
        return Ok(None);
    };
    let mut found = None;
    for attribute in walk(attributes) {
        match attribute? {
            (libc::IFA_LOCAL, value) => found = Some(ip(family, value)?),
            (libc::IFA_ADDRESS, value) if found.is_none() => found = Some(ip(family, value)?),
            _ => {}
        }
    }
    let device = number(&header[4..8])?;
    Ok(found.map(|address| Address {
        address,
        bits: header[1],
        device,
        is_duplicate: u32::from(header[2]) & libc::IFA_F_DADFAILED != 0,
    }))
}

fn neighbour(body: &[u8]) -> Result<Option<Neighbour>, Malformed> {
    let (header, attributes) = split::<12>(body)?;
    let Some(family) = family(header[0]) else {
        return Ok(None);
    };
    let state = match number::<u16>(&header[8..10])? {
        libc::NUD_INCOMPLETE => NeighbourState::Incomplete,
        libc::NUD_FAILED => NeighbourState::Failed,
        _ => NeighbourState::Other,
    };
    let device = number(&header[4..8])?;
    let (mut found, mut ethernet) = (None, None);
    for attribute in walk(attributes) {
        match attribute? {
            (libc::NDA_DST, value) => found = Some(ip(family, value)?),
            (libc::NDA_LLADDR, value) => ethernet = value.try_into().ok(),
            _ => {}
        }
    }
    Ok(found.map(|address| Neighbour {
        address,
        device,
        state,
        ethernet,
    }))
}

/// The kind of a queueing discipline.
fn discipline(body: &[u8]) -> Result<Option<String>, Malformed> {
    let (_, attributes) = split::<20>(body)?;
    Ok(Some(text(find(attributes, libc::TCA_KIND)?)))
}

fn route(body: &[u8]) -> Result<Option<Route>, Malformed> {
    let (header, attributes) = split::<12>(body)?;
    let is_local = match header[7] {
        libc::RTN_LOCAL => true,
        libc::RTN_UNICAST => false,
        _ => return Ok(None),
    };
    let mut route = Route {
        is_local,
        gateway: None,
        device: 0,
        mtu: None,
    };
    for attribute in walk(attributes) {
        match (attribute?, family(header[0])) {
            ((libc::RTA_OIF, value), _) => route.device = number(value)?,
            ((libc::RTA_GATEWAY, value), Some(family)) => route.gateway = Some(ip(family, value)?),
            ((libc::RTA_METRICS, value), _) => {
                for attribute in walk(value) {
                    if let (RTAX_MTU, value) = attribute? {
                        route.mtu = Some(number(value)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Some(route))
}

fn family(number: u8) -> Option<Family> {
    match i32::from(number) {
        libc::AF_INET => Some(Family::V4),
        libc::AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

fn ip(family: Family, value: &[u8]) -> Result<IpAddr, Malformed> {
    Ok(match family {
        Family::V4 => exactly::<4>(value)?.into(),
        Family::V6 => exactly::<16>(value)?.into(),
    })
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loopback device has its address and its route on every machine.
    #[test]
    fn the_loopback_device_is_known() {
        let network = Rtnetlink::open().unwrap();
        let links = network.links().unwrap();
        let lo = links.iter().find(|link| link.is_loopback).unwrap();
        assert_eq!(lo.name, "lo");
        let to = IpAddr::from([127, 0, 0, 1]);
        let addresses = network.addresses().unwrap();
        let here = |at: &&Address| at.address == to;
        assert_eq!(
            addresses.iter().find(here).map(|at| at.device),
            Some(lo.index)
        );
        let route = network.route(to).unwrap();
        assert!(route.is_some_and(|route| route.is_local && route.device == lo.index));
        network.neighbours().unwrap();
        network.has_ingress().unwrap();
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for length in 0..12 {
            neighbour(&vec![0; length]).unwrap_err();
            route(&vec![0; length]).unwrap_err();
        }
        assert_eq!(messages(&[9, 0, 0, 0, 3]).count(), 0);
    }
}
