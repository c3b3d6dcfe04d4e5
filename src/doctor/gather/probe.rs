//! Facts that require sending packets, or listening for them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::doctor::facts::{Facts, Heard};
use crate::kernel::{Link, NeighbourState, Rtnetlink, Wire};
use crate::model::Family;

/// How long to wait for answers. The kernel asks a host that does not answer for three seconds.
const ANSWERS: Duration = Duration::from_secs(4);

/// How long to listen for messages. A master sends updates every two seconds.
const MESSAGES: Duration = Duration::from_secs(5);

/// The pause between two readings, and the longest wait for one packet.
const PAUSE: Duration = Duration::from_millis(100);

const IPV4: u16 = libc::ETH_P_IP as u16;
const IPV6: u16 = libc::ETH_P_IPV6 as u16;
const ARP: u16 = libc::ETH_P_ARP as u16;

/// Makes the kernel ask for the link-layer addresses of the servers, or of the gateway to clients.
pub fn ask_neighbours(network: &Rtnetlink, facts: &Facts) -> io::Result<()> {
    let servers = facts
        .live_servers()
        .map(|(_, state)| state.server.id.address);
    let family = facts.real_server.map(|real| Family::of(real.vip.address));
    let gateway = family.and_then(|family| facts.far_route(family)??.gateway);
    let asked: HashSet<IpAddr> = servers.chain(gateway).collect();
    let remote = asked.into_iter().filter(|&address| {
        let route = facts.route(address).flatten();
        route.is_none_or(|route| !route.is_local)
    });
    for address in remote {
        // Port 9 is the discard port. If nothing can be sent, the routes show why.
        let own: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((own, 0))?;
        socket.send_to(&[], SocketAddr::new(address, 9)).ok();
    }
    let end = Instant::now() + ANSWERS;
    loop {
        let neighbours = network.neighbours()?;
        let is_asked = |state| state == NeighbourState::Incomplete;
        if Instant::now() > end || !neighbours.iter().any(|at| is_asked(at.state)) {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}

/// Adds the messages that masters on other hosts send to their backups.
pub fn listen(facts: &Facts, heard: &mut Vec<Heard>) -> io::Result<()> {
    let mut wires = HashMap::new();
    for daemon in &facts.daemons {
        let name = daemon.interface.to_string();
        let is_v6 = daemon.group.is_some_and(|group| group.is_ipv6());
        let protocol = if is_v6 { IPV6 } else { IPV4 };
        if let Some(link) = facts.links.iter().find(|link| link.name == name) {
            let wire = Wire::open(link.index, protocol, PAUSE)?;
            wires.insert((name, protocol), wire);
        }
    }
    let end = Instant::now() + MESSAGES;
    while !wires.is_empty() && Instant::now() < end {
        for ((device, _), wire) in &wires {
            let message = wire.receive()?;
            let message = message.and_then(|packet| message_in(device, &packet));
            let is_news =
                |message: &Heard| !facts.has_address(message.source) && !heard.contains(message);
            let news = message.filter(is_news);
            heard.extend(news);
        }
    }
    Ok(())
}

/// A message of a synchronisation daemon, if the packet is one.
fn message_in(device: &str, packet: &[u8]) -> Option<Heard> {
    const UDP: u8 = 17;
    let (source, group, protocol, rest): (IpAddr, IpAddr, _, _) = match packet.first()? >> 4 {
        4 => {
            let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let group: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let header = usize::from(packet.first()? & 15) * 4;
            let rest = packet.get(header..)?;
            (source.into(), group.into(), *packet.get(9)?, rest)
        }
        6 => {
            let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let group: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            let rest = packet.get(40..)?;
            (source.into(), group.into(), *packet.get(6)?, rest)
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?);
    // A zero, the sync id, the length, how many connections there are, and the version.
    let message = rest.get(8..)?;
    let [0, sync_id, high, low, _, 1, ..] = *message else {
        return None;
    };
    let is_whole = usize::from(u16::from_be_bytes([high, low])) <= message.len();
    (protocol == UDP && group.is_multicast() && is_whole).then(|| Heard {
        device: device.to_owned(),
        source,
        group,
        port,
        sync_id,
    })
}

/// Asks the networks of this host who has the virtual address.
pub fn ask_for_owners(facts: &Facts) -> io::Result<Vec<[u8; 6]>> {
    let vip = facts.real_server.map(|real| real.vip.address);
    let Some(IpAddr::V4(vip)) = vip else {
        return Ok(Vec::new());
    };
    let mut owners = Vec::new();
    let near = |link: &&Link| link.is_up && link.has_neighbours;
    for link in facts.links.iter().filter(near) {
        let (Some(ethernet), Some(own)) = (link.ethernet, own_address(facts, link, vip)) else {
            continue;
        };
        let mut wire = Wire::open(link.index, ARP, PAUSE)?;
        wire.broadcast(&question(ethernet, own, vip))?;
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            let answer = wire.receive()?.and_then(|packet| answer_in(&packet, vip));
            owners.extend(answer.filter(|owner| !owners.contains(owner)));
        }
    }
    Ok(owners)
}

fn own_address(facts: &Facts, link: &Link, vip: Ipv4Addr) -> Option<Ipv4Addr> {
    facts.addresses.iter().find_map(|at| match at.address {
        IpAddr::V4(own) if at.device == link.index && own != vip => Some(own),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

/// The start of an ARP packet: Ethernet and IPv4, with addresses of 6 and 4 bytes.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];

fn question(ethernet: [u8; 6], own: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let mut packet = KIND.to_vec();
    packet.extend([0, 1]);
    packet.extend(ethernet);
    packet.extend(own.octets());
    packet.extend([0; 6]);
    packet.extend(wanted.octets());
    packet
}

/// The link-layer address of the host that answers for an address.
fn answer_in(packet: &[u8], wanted: Ipv4Addr) -> Option<[u8; 6]> {
    let rest = packet.strip_prefix(&KIND)?.strip_prefix(&[0, 2])?;
    let (owner, rest) = rest.split_at_checked(6)?;
    rest.starts_with(&wanted.octets())
        .then(|| owner.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = &[0, 7, 0, 12, 1, 1, 0, 0, 1, 2, 3, 4];

    fn packet(header: &[u8]) -> Vec<u8> {
        [header, &[1, 2, 0x22, 0x90, 0, 20, 0, 0], MESSAGE].concat()
    }

    #[test]
    fn messages_of_masters_are_known() {
        let mut header = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 1, 17, 0, 0];
        header.extend([10, 0, 0, 1, 224, 0, 0, 81]);
        let heard = message_in("eth0", &packet(&header)).unwrap();
        assert_eq!((heard.port, heard.sync_id), (8848, 7));
        assert_eq!(heard.source, IpAddr::from([10, 0, 0, 1]));
        for length in 0..packet(&header).len() {
            assert_eq!(message_in("eth0", &packet(&header)[..length]), None);
        }
        header[9] = 6;
        assert_eq!(message_in("eth0", &packet(&header)), None);
        let mut header = vec![0x60, 0, 0, 0, 0, 20, 17, 1];
        header.extend(Ipv6Addr::LOCALHOST.octets());
        header.extend(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x81).octets());
        let heard = message_in("eth0", &packet(&header)).unwrap();
        assert_eq!(heard.group.to_string(), "ff02::81");
    }

    #[test]
    fn who_has_an_address_says_so() {
        let (own, vip) = ([10, 0, 0, 1].into(), [192, 0, 2, 1].into());
        let question = question([1; 6], own, vip);
        assert_eq!(question.len(), 28);
        assert_eq!(answer_in(&question, vip), None);
        let answer = [&KIND[..], &[0, 2], &[2; 6], &[192, 0, 2, 1], &[1; 10]].concat();
        assert_eq!(answer_in(&answer, vip), Some([2; 6]));
        assert_eq!(answer_in(&answer, own), None);
        assert_eq!(answer_in(&answer[..16], vip), None);
    }
}
