//! What is asked of the kernel, and how it is written as netlink messages.

use std::net::IpAddr;

use netlink_packet_core::{
    Emitable, NLA_F_NESTED, NLA_HEADER_SIZE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
};
use netlink_packet_generic::{GenlFamily, GenlMessage};

use super::abi::{self, command, daemon, dest, forward, service, top, tunnel};
use crate::model::{
    Change, Daemon, DaemonRole, Family, Forwarding, Mask, Server, ServerId, Service, ServiceId,
    Tunnel, TunnelKind,
};

/// A command that asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    Service(&'a ServiceId),
    Services,
    Servers(&'a ServiceId),
    Daemons,
    Timeouts,
    Info,
}

/// Appends a message to `buffer`.
pub fn write<R>(buffer: &mut Vec<u8>, family: u16, flags: u16, sequence: u32, request: R)
where
    R: GenlFamily + Emitable + std::fmt::Debug,
{
    let mut payload = GenlMessage::from_payload(request);
    payload.set_resolved_family_id(family);
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, payload.into());
    message.finalize();
    let start = buffer.len();
    buffer.resize(start + message.buffer_len(), 0);
    message.serialize(&mut buffer[start..]);
}

/// Either of them, as the payload of a message.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    Change(&'a Change),
    Query(Query<'a>),
}

impl GenlFamily for Request<'_> {
    fn family_name() -> &'static str {
        abi::FAMILY
    }

    fn command(&self) -> u8 {
        match self {
            Self::Change(change) => change_command(change),
            Self::Query(query) => query.command(),
        }
    }

    fn version(&self) -> u8 {
        abi::VERSION
    }
}

impl Emitable for Request<'_> {
    fn buffer_len(&self) -> usize {
        let mut length = Length(0);
        self.describe(&mut length);
        length.0
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.describe(&mut Writer { buffer, at: 0 });
        #[cfg(feature = "mutants")]
        if let Self::Change(_) = self {
            super::mutants::flip(buffer);
        }
    }
}

impl Request<'_> {
    fn describe(&self, out: &mut impl Attributes) {
        match self {
            Self::Change(change) => describe_change(change, out),
            Self::Query(query) => query.describe(out),
        }
    }
}

/// Where the description of a message goes: it is read twice, to be measured and to be written.
trait Attributes {
    fn bytes(&mut self, kind: u16, value: &[u8]);

    fn nest(&mut self, kind: u16, describe: impl FnOnce(&mut Self));

    fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    fn u16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A port in network order, as all are but the one of a daemon.
    fn port(&mut self, kind: u16, port: u16) {
        self.bytes(kind, &port.to_be_bytes());
    }

    /// An address in the sixteen bytes that the kernel itself uses.
    fn address(&mut self, kind: u16, address: IpAddr) {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => bytes = v6.octets(),
        }
        self.bytes(kind, &bytes);
    }

    /// A name with the NUL that the kernel insists on.
    fn name(&mut self, kind: u16, name: &[u8]) {
        let mut text = [0; 17];
        text[..name.len()].copy_from_slice(name);
        self.bytes(kind, &text[..=name.len()]);
    }
}

struct Length(usize);

impl Attributes for Length {
    #[inline(always)]
    fn bytes(&mut self, _: u16, value: &[u8]) {
        self.0 += NLA_HEADER_SIZE + value.len().next_multiple_of(4);
    }

    fn nest(&mut self, _: u16, describe: impl FnOnce(&mut Self)) {
        self.0 += NLA_HEADER_SIZE;
        describe(self);
    }
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn header(&mut self, at: usize, kind: u16, length: usize) {
        let (length, kind) = ((length as u16).to_ne_bytes(), kind.to_ne_bytes());
        let header = [length[0], length[1], kind[0], kind[1]];
        self.buffer[at..at + NLA_HEADER_SIZE].copy_from_slice(&header);
    }
}

impl Attributes for Writer<'_> {
    /// Inlined, as the lengths are known at most places and nothing needs to be called then.
    #[inline(always)]
    fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.at + NLA_HEADER_SIZE;
        self.header(self.at, kind, NLA_HEADER_SIZE + value.len());
        self.buffer[start..start + value.len()].copy_from_slice(value);
        self.at = start + value.len().next_multiple_of(4);
        self.buffer[start + value.len()..self.at].fill(0);
    }

    fn nest(&mut self, kind: u16, describe: impl FnOnce(&mut Self)) {
        let start = self.at;
        self.at += NLA_HEADER_SIZE;
        describe(self);
        self.header(start, kind | NLA_F_NESTED, self.at - start);
    }
}

fn change_command(change: &Change) -> u8 {
    match change {
        Change::AddService(_) => command::NEW_SERVICE,
        Change::EditService(_) => command::SET_SERVICE,
        Change::DeleteService(_) => command::DEL_SERVICE,
        Change::AddServer(..) => command::NEW_DEST,
        Change::EditServer(..) => command::SET_DEST,
        Change::DeleteServer(..) => command::DEL_DEST,
        Change::Flush => command::FLUSH,
        Change::Zero(_) => command::ZERO,
        Change::SetTimeouts(_) => command::SET_CONFIG,
        Change::StartDaemon(_) => command::NEW_DAEMON,
        Change::StopDaemon(_) => command::DEL_DAEMON,
    }
}

fn describe_change(change: &Change, out: &mut impl Attributes) {
    match change {
        Change::AddService(service) | Change::EditService(service) => {
            out.nest(top::SERVICE, |out| whole_service(out, service));
        }
        Change::DeleteService(id) => out.nest(top::SERVICE, |out| service_key(out, id)),
        Change::AddServer(id, server) | Change::EditServer(id, server) => {
            out.nest(top::SERVICE, |out| service_key(out, id));
            out.nest(top::DEST, |out| whole_server(out, server));
        }
        Change::DeleteServer(id, server) => {
            out.nest(top::SERVICE, |out| service_key(out, id));
            out.nest(top::DEST, |out| server_key(out, server));
        }
        Change::Zero(Some(id)) => out.nest(top::SERVICE, |out| service_key(out, id)),
        Change::Zero(None) | Change::Flush => {}
        Change::SetTimeouts(timeouts) => {
            out.u32(top::TIMEOUT_TCP, timeouts.tcp);
            out.u32(top::TIMEOUT_TCP_FIN, timeouts.tcp_fin);
            out.u32(top::TIMEOUT_UDP, timeouts.udp);
        }
        Change::StartDaemon(daemon) => out.nest(top::DAEMON, |out| whole_daemon(out, daemon)),
        Change::StopDaemon(role) => out.nest(top::DAEMON, |out| {
            out.u32(daemon::STATE, daemon_state(*role));
        }),
    }
}

impl Query<'_> {
    fn command(&self) -> u8 {
        match self {
            Self::Service(_) | Self::Services => command::GET_SERVICE,
            Self::Servers(_) => command::GET_DEST,
            Self::Daemons => command::GET_DAEMON,
            Self::Timeouts => command::GET_CONFIG,
            Self::Info => command::GET_INFO,
        }
    }

    fn describe(&self, out: &mut impl Attributes) {
        match *self {
            Self::Service(id) | Self::Servers(id) => {
                out.nest(top::SERVICE, |out| service_key(out, id));
            }
            Self::Services | Self::Daemons | Self::Timeouts | Self::Info => {}
        }
    }
}

fn service_key(out: &mut impl Attributes, id: &ServiceId) {
    out.u16(service::AF, family_number(id.family()));
    match *id {
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            out.u16(service::PROTOCOL, protocol.0);
            out.address(service::ADDR, address);
            out.port(service::PORT, port);
        }
        ServiceId::Mark { mark, .. } => out.u32(service::FWMARK, mark.get()),
    }
}

fn whole_service(out: &mut impl Attributes, service: &Service) {
    service_key(out, &service.id);
    out.name(service::SCHED_NAME, service.scheduler.as_bytes());
    out.bytes(service::FLAGS, &flags_and_mask(service));
    out.u32(service::TIMEOUT, service.persistence.unwrap_or(0));
    match service.mask {
        Mask::V4(mask) => out.bytes(service::NETMASK, &mask.octets()),
        Mask::V6(prefix) => out.u32(service::NETMASK, prefix),
    }
    if let Some(engine) = &service.engine {
        out.name(service::PE_NAME, engine.as_bytes());
    }
}

/// All flags are replaced.
fn flags_and_mask(service: &Service) -> [u8; 8] {
    let mut bytes = [0xff; 8];
    bytes[..4].copy_from_slice(&flag_bits(service).to_ne_bytes());
    bytes
}

/// `HASHED`, which the kernel reports with every service, is never among them: a service that
/// comes with it would be taken to be in the table already, and never be found there.
pub(super) fn flag_bits(service: &Service) -> u32 {
    let persistent = match service.persistence {
        Some(_) => abi::flag::PERSISTENT,
        None => 0,
    };
    service.flags.bits() | persistent
}

/// The family always goes along: without it an IPv6 address behind an IPv4 service would be
/// taken for the IPv4 address in its first four bytes.
fn server_key(out: &mut impl Attributes, id: &ServerId) {
    out.address(dest::ADDR, id.address);
    out.port(dest::PORT, id.port);
    out.u16(dest::ADDR_FAMILY, family_number(id.family()));
}

/// What is left out, even of an edit, becomes an IPIP tunnel.
fn whole_server(out: &mut impl Attributes, server: &Server) {
    server_key(out, &server.id);
    out.u32(dest::FWD_METHOD, forward_method(server.forwarding));
    out.u32(dest::WEIGHT, server.weight as u32);
    out.u32(dest::U_THRESH, server.upper_threshold);
    out.u32(dest::L_THRESH, server.lower_threshold);
    if server.tunnel != Tunnel::IPIP {
        out.u8(dest::TUN_TYPE, tunnel_type(server.tunnel.kind));
        out.port(dest::TUN_PORT, server.tunnel.port);
        out.u16(dest::TUN_FLAGS, server.tunnel.checksum.0);
    }
}

fn whole_daemon(out: &mut impl Attributes, daemon: &Daemon) {
    out.u32(daemon::STATE, daemon_state(daemon.role));
    out.name(daemon::MCAST_IFN, daemon.interface.as_bytes());
    out.u32(daemon::SYNC_ID, daemon.sync_id);
    if let Some(length) = daemon.max_length {
        out.u16(daemon::SYNC_MAXLEN, length);
    }
    match daemon.group {
        Some(IpAddr::V4(group)) => out.bytes(daemon::MCAST_GROUP, &group.octets()),
        Some(IpAddr::V6(group)) => out.bytes(daemon::MCAST_GROUP6, &group.octets()),
        None => {}
    }
    if let Some(port) = daemon.port {
        out.u16(daemon::MCAST_PORT, port);
    }
    if let Some(ttl) = daemon.ttl {
        out.u8(daemon::MCAST_TTL, ttl);
    }
}

fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => abi::AF_INET,
        Family::V6 => abi::AF_INET6,
    }
}

pub(super) fn daemon_state(role: DaemonRole) -> u32 {
    match role {
        DaemonRole::Master => daemon::MASTER,
        DaemonRole::Backup => daemon::BACKUP,
    }
}

pub(super) fn forward_method(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Masquerade => forward::MASQUERADE,
        Forwarding::Local => forward::LOCAL,
        Forwarding::Tunnel => forward::TUNNEL,
        Forwarding::DirectRouting => forward::DIRECT_ROUTING,
        Forwarding::Bypass => forward::BYPASS,
        Forwarding::Unknown(method) => method.into(),
    }
}

fn tunnel_type(kind: TunnelKind) -> u8 {
    match kind {
        TunnelKind::Ipip => tunnel::IPIP,
        TunnelKind::Gue => tunnel::GUE,
        TunnelKind::Gre => tunnel::GRE,
        TunnelKind::Unknown(kind) => kind,
    }
}
