//! What the kernel answers, read in place.
//!
//! Attributes that are not known here are passed over, so that newer kernels may say more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use netlink_packet_core::{
    DoneBuffer, ErrorBuffer, NLA_HEADER_SIZE, NLA_TYPE_MASK, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NetlinkBuffer,
};
use netlink_packet_generic::{
    GenlHeader,
    constants::{CTRL_ATTR_FAMILY_ID, GENL_HDRLEN},
};

use super::abi::{self, daemon, dest, forward, info, service, stats, top, tunnel};
use crate::model::{
    Checksum, Daemon, DaemonRole, Family, Flags, Forwarding, Info, Mask, Name, Protocol, Server,
    ServerId, ServerState, Service, ServiceId, ServiceState, Stats, Timeouts, Tunnel, TunnelKind,
};

/// What was wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

type Result<T> = std::result::Result<T, Malformed>;

/// A message from the kernel, and the request it answers by its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub sequence: u32,
    pub body: Body<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    Data {
        command: u8,
        attributes: &'a [u8],
    },
    /// How a request ended: an error number, or 0.
    Verdict(i32),
    /// The end of a dump: an error number, or 0.
    Done(i32),
    Nothing,
}

/// The messages of one datagram. A bad one ends them.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let (message, rest) = match message(datagram) {
            Ok((message, rest)) => (Ok(message), rest),
            Err(malformed) => (Err(malformed), &[][..]),
        };
        datagram = rest;
        Some(message)
    })
}

fn message(datagram: &[u8]) -> Result<(Message<'_>, &[u8])> {
    let header = NetlinkBuffer::new_checked(datagram)
        .map_err(|_| Malformed("the length of a message is wrong"))?;
    let length = header.length() as usize;
    let payload = header.payload();
    let message = Message {
        sequence: header.sequence_number(),
        body: match header.message_type() {
            NLMSG_NOOP => Body::Nothing,
            NLMSG_ERROR => Body::Verdict(verdict(payload)?),
            NLMSG_DONE => Body::Done(done(payload)?),
            _ => data(payload)?,
        },
    };
    let rest = length.next_multiple_of(4).min(datagram.len());
    Ok((message, &datagram[rest..]))
}

fn verdict(payload: &[u8]) -> Result<i32> {
    let error =
        ErrorBuffer::new_checked(payload).map_err(|_| Malformed("an error without its number"))?;
    Ok(error.code().map_or(0, |code| code.get().wrapping_neg()))
}

fn done(payload: &[u8]) -> Result<i32> {
    if payload.is_empty() {
        return Ok(0);
    }
    let done = DoneBuffer::new_checked(payload)
        .map_err(|_| Malformed("the end of a list without its number"))?;
    Ok(done.code().wrapping_neg())
}

fn data(payload: &[u8]) -> Result<Body<'_>> {
    let header = GenlHeader::parse(payload).map_err(|_| Malformed("a message without a header"))?;
    Ok(Body::Data {
        command: header.cmd,
        attributes: &payload[GENL_HDRLEN..],
    })
}

/// The number of the family, from the answer to `GETFAMILY`.
pub fn family_id(attributes: &[u8]) -> Result<u16> {
    number(find(attributes, CTRL_ATTR_FAMILY_ID)?)
}

pub fn info(attributes: &[u8]) -> Result<Info> {
    Ok(Info {
        version: number(find(attributes, info::VERSION)?)?,
        connection_table_size: number(find(attributes, info::CONN_TAB_SIZE)?)?,
    })
}

pub fn timeouts(attributes: &[u8]) -> Result<Timeouts> {
    Ok(Timeouts {
        tcp: number(find(attributes, top::TIMEOUT_TCP)?)?,
        tcp_fin: number(find(attributes, top::TIMEOUT_TCP_FIN)?)?,
        udp: number(find(attributes, top::TIMEOUT_UDP)?)?,
    })
}

pub fn service(attributes: &[u8]) -> Result<ServiceState> {
    let mut family = None;
    let mut protocol = None;
    let mut address = None;
    let mut port = None;
    let mut mark = None;
    let mut scheduler = None;
    let mut bits = None;
    let mut persistence = None;
    let mut mask = None;
    let mut engine = None;
    let mut counters = Counters::default();
    for attribute in walk(find(attributes, top::SERVICE)?) {
        let (kind, value) = attribute?;
        match kind {
            service::AF => family = Some(self::family(number(value)?)?),
            service::PROTOCOL => protocol = Some(Protocol(number(value)?)),
            service::ADDR => address = Some(value),
            service::PORT => port = Some(self::port(value)?),
            service::FWMARK => mark = Some(number(value)?),
            service::SCHED_NAME => scheduler = Name::cut(value),
            service::FLAGS => bits = Some(flags(value)?),
            service::TIMEOUT => persistence = Some(number(value)?),
            service::NETMASK => mask = Some(exactly(value)?),
            service::PE_NAME => engine = Name::cut(value),
            service::STATS => counters.narrow = Some(value),
            service::STATS64 => counters.wide = Some(value),
            _ => {}
        }
    }
    let family = family.ok_or(Malformed("a service without a family"))?;
    let id = match mark {
        Some(mark) => ServiceId::Mark {
            mark: NonZeroU32::new(mark).ok_or(Malformed("a service of mark 0"))?,
            family,
        },
        None => ServiceId::Address {
            protocol: protocol.ok_or(Malformed("a service without a protocol"))?,
            address: self::address(
                family,
                address.ok_or(Malformed("a service without an address"))?,
            )?,
            port: port.ok_or(Malformed("a service without a port"))?,
        },
    };
    let bits = bits.ok_or(Malformed("a service without flags"))?;
    let persistence = persistence.ok_or(Malformed("a service without a timeout"))?;
    let mask = mask.ok_or(Malformed("a service without a mask"))?;
    Ok(ServiceState {
        service: Service {
            id,
            scheduler: scheduler.ok_or(Malformed("a service without a scheduler"))?,
            flags: Flags::from_bits(bits),
            persistence: (bits & abi::flag::PERSISTENT != 0).then_some(persistence),
            mask: match family {
                Family::V4 => Mask::V4(Ipv4Addr::from(mask)),
                Family::V6 => Mask::V6(u32::from_ne_bytes(mask)),
            },
            engine,
        },
        stats: counters.read()?,
    })
}

/// Reads a server of a service of this family, which older kernels leave unsaid.
pub fn server(attributes: &[u8], mut family: Family) -> Result<ServerState> {
    let mut address = None;
    let mut port = None;
    let mut forwarding = None;
    let mut weight = None;
    let mut upper_threshold = None;
    let mut lower_threshold = None;
    let mut tunnel = Tunnel::IPIP;
    let (mut active, mut inactive, mut persistent) = (0, 0, 0);
    let mut counters = Counters::default();
    for attribute in walk(find(attributes, top::DEST)?) {
        let (kind, value) = attribute?;
        match kind {
            dest::ADDR => address = Some(value),
            dest::PORT => port = Some(self::port(value)?),
            dest::ADDR_FAMILY => family = self::family(number(value)?)?,
            dest::FWD_METHOD => forwarding = Some(self::forwarding(number(value)?)),
            dest::WEIGHT => weight = Some(number::<u32>(value)? as i32),
            dest::U_THRESH => upper_threshold = Some(number(value)?),
            dest::L_THRESH => lower_threshold = Some(number(value)?),
            dest::ACTIVE_CONNS => active = number(value)?,
            dest::INACT_CONNS => inactive = number(value)?,
            dest::PERSIST_CONNS => persistent = number(value)?,
            dest::TUN_TYPE => tunnel.kind = tunnel_kind(number(value)?),
            dest::TUN_PORT => tunnel.port = self::port(value)?,
            dest::TUN_FLAGS => tunnel.checksum = Checksum(number(value)?),
            dest::STATS => counters.narrow = Some(value),
            dest::STATS64 => counters.wide = Some(value),
            _ => {}
        }
    }
    Ok(ServerState {
        server: Server {
            id: ServerId {
                address: self::address(
                    family,
                    address.ok_or(Malformed("a server without an address"))?,
                )?,
                port: port.ok_or(Malformed("a server without a port"))?,
            },
            forwarding: forwarding.ok_or(Malformed("a server without a forwarding method"))?,
            tunnel,
            weight: weight.ok_or(Malformed("a server without a weight"))?,
            upper_threshold: upper_threshold
                .ok_or(Malformed("a server without an upper threshold"))?,
            lower_threshold: lower_threshold
                .ok_or(Malformed("a server without a lower threshold"))?,
        },
        active,
        inactive,
        persistent,
        stats: counters.read()?,
    })
}

pub fn daemon(attributes: &[u8]) -> Result<Daemon> {
    let mut role = None;
    let mut interface = None;
    let mut sync_id = None;
    let mut max_length = None;
    let mut group = None;
    let mut port = None;
    let mut ttl = None;
    for attribute in walk(find(attributes, top::DAEMON)?) {
        let (kind, value) = attribute?;
        match kind {
            daemon::STATE => role = Some(daemon_role(number(value)?)?),
            daemon::MCAST_IFN => interface = Name::cut(value),
            daemon::SYNC_ID => sync_id = Some(number(value)?),
            daemon::SYNC_MAXLEN => max_length = Some(number(value)?),
            daemon::MCAST_GROUP => group = Some(IpAddr::from(exactly::<4>(value)?)),
            daemon::MCAST_GROUP6 => group = Some(IpAddr::from(exactly::<16>(value)?)),
            daemon::MCAST_PORT => port = Some(number(value)?),
            daemon::MCAST_TTL => ttl = Some(number(value)?),
            _ => {}
        }
    }
    Ok(Daemon {
        role: role.ok_or(Malformed("a daemon without a role"))?,
        interface: interface.ok_or(Malformed("a daemon without an interface"))?,
        sync_id: sync_id.ok_or(Malformed("a daemon without a syncid"))?,
        max_length,
        group,
        port,
        ttl,
    })
}

/// The counters of a service or server: narrow from every kernel, wide from newer ones.
#[derive(Default)]
struct Counters<'a> {
    narrow: Option<&'a [u8]>,
    wide: Option<&'a [u8]>,
}

impl Counters<'_> {
    fn read(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        for attribute in walk(self.wide.or(self.narrow).unwrap_or_default()) {
            let (kind, value) = attribute?;
            let counter = match kind {
                stats::CONNS => &mut stats.connections,
                stats::INPKTS => &mut stats.in_packets,
                stats::OUTPKTS => &mut stats.out_packets,
                stats::INBYTES => &mut stats.in_bytes,
                stats::OUTBYTES => &mut stats.out_bytes,
                stats::CPS => &mut stats.connection_rate,
                stats::INPPS => &mut stats.in_packet_rate,
                stats::OUTPPS => &mut stats.out_packet_rate,
                stats::INBPS => &mut stats.in_byte_rate,
                stats::OUTBPS => &mut stats.out_byte_rate,
                _ => continue,
            };
            *counter = match value.len() {
                4 => number::<u32>(value)?.into(),
                _ => number(value)?,
            };
        }
        Ok(stats)
    }
}

/// The attributes that follow one another in these bytes, by kind and value. There are forty to
/// a server: the library's iterator is safe too, but takes three times as long as the rest.
fn walk(mut attributes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8])>> {
    std::iter::from_fn(move || {
        if attributes.is_empty() {
            return None;
        }
        let (kind, value, rest) = match attribute(attributes) {
            Some(first) => first,
            None => return Some(Err(Malformed("the length of an attribute is wrong"))),
        };
        attributes = rest;
        Some(Ok((kind, value)))
    })
}

/// The first attribute and what follows it.
fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [a, b, c, d, ..] = *bytes else {
        return None;
    };
    let length = usize::from(u16::from_ne_bytes([a, b]));
    let kind = u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK;
    let value = bytes.get(NLA_HEADER_SIZE..length)?;
    let rest = bytes.get(length.next_multiple_of(4)..);
    Some((kind, value, rest.unwrap_or_default()))
}

fn find(attributes: &[u8], wanted: u16) -> Result<&[u8]> {
    for attribute in walk(attributes) {
        let (kind, value) = attribute?;
        if kind == wanted {
            return Ok(value);
        }
    }
    Err(Malformed("an attribute is missing"))
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N]> {
    value
        .try_into()
        .map_err(|_| Malformed("the length of a value is wrong"))
}

/// A number in the machine's own byte order.
trait Number: Sized {
    fn read(value: &[u8]) -> Result<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn read(value: &[u8]) -> Result<Self> {
                exactly(value).map(Self::from_ne_bytes)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

fn number<T: Number>(value: &[u8]) -> Result<T> {
    T::read(value)
}

fn port(value: &[u8]) -> Result<u16> {
    exactly(value).map(u16::from_be_bytes)
}

/// The flags come with a mask, which says nothing in a reply.
fn flags(value: &[u8]) -> Result<u32> {
    let value: [u8; 8] = exactly(value)?;
    number(&value[..4])
}

/// The kernel gives every address sixteen bytes, of which IPv4 takes the first four.
fn address(family: Family, value: &[u8]) -> Result<IpAddr> {
    let bytes: [u8; 16] = exactly(value)?;
    Ok(match family {
        Family::V4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
        Family::V6 => Ipv6Addr::from(bytes).into(),
    })
}

fn family(number: u16) -> Result<Family> {
    match number {
        abi::AF_INET => Ok(Family::V4),
        abi::AF_INET6 => Ok(Family::V6),
        _ => Err(Malformed("an unknown address family")),
    }
}

pub(super) fn daemon_role(state: u32) -> Result<DaemonRole> {
    match state {
        daemon::MASTER => Ok(DaemonRole::Master),
        daemon::BACKUP => Ok(DaemonRole::Backup),
        _ => Err(Malformed("an unknown kind of daemon")),
    }
}

pub(super) fn forwarding(bits: u32) -> Forwarding {
    match bits & forward::METHOD {
        forward::MASQUERADE => Forwarding::Masquerade,
        forward::LOCAL => Forwarding::Local,
        forward::TUNNEL => Forwarding::Tunnel,
        forward::DIRECT_ROUTING => Forwarding::DirectRouting,
        forward::BYPASS => Forwarding::Bypass,
        other => Forwarding::Unknown(other as u8),
    }
}

fn tunnel_kind(kind: u8) -> TunnelKind {
    match kind {
        tunnel::IPIP => TunnelKind::Ipip,
        tunnel::GUE => TunnelKind::Gue,
        tunnel::GRE => TunnelKind::Gre,
        other => TunnelKind::Unknown(other),
    }
}
