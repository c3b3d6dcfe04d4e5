//! A real server over netlink: the kernel calls it a destination.

use super::attribute::{self, Attributes, find, number, walk};
use super::error::Malformed;
use super::stats::Counters;
use crate::model::{
    Checksum, Family, Forwarding, Server, ServerId, ServerState, Tunnel, TunnelKind,
};

pub const NEW: u8 = 5;
pub const SET: u8 = 6;
pub const DELETE: u8 = 7;
pub const GET: u8 = 8;

/// The attribute that contains the ones below.
const DEST: u16 = 2;

const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ACTIVE_CONNS: u16 = 7;
const INACT_CONNS: u16 = 8;
const PERSIST_CONNS: u16 = 9;
const STATS: u16 = 10;
const ADDR_FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;

pub fn write_key(out: &mut impl Attributes, id: &ServerId) {
    out.nest(DEST, |out| key(out, id));
}

/// Without tunnel attributes the kernel assumes a plain IPIP tunnel, in edits too.
pub fn write(out: &mut impl Attributes, server: &Server) {
    out.nest(DEST, |out| {
        key(out, &server.id);
        out.u32(FWD_METHOD, forward_method(server.forwarding));
        out.u32(WEIGHT, server.weight as u32);
        out.u32(U_THRESH, server.upper_threshold);
        out.u32(L_THRESH, server.lower_threshold);
        if server.tunnel != Tunnel::IPIP {
            out.u8(TUN_TYPE, tunnel_type(server.tunnel.kind));
            out.port(TUN_PORT, server.tunnel.port);
            out.u16(TUN_FLAGS, server.tunnel.checksum.0);
        }
    });
}

/// The family is always sent: without it the kernel would take the first four bytes of an IPv6
/// address behind an IPv4 service for an IPv4 address.
fn key(out: &mut impl Attributes, id: &ServerId) {
    out.address(ADDR, id.address);
    out.port(PORT, id.port);
    out.family(ADDR_FAMILY, id.family());
}

/// Reads a server. Older kernels do not send its family, which is then that of its service.
pub fn read(attributes: &[u8], mut family: Family) -> Result<ServerState, Malformed> {
    let mut address = None;
    let mut port = None;
    let mut method = None;
    let mut weight = None;
    let mut upper_threshold = None;
    let mut lower_threshold = None;
    let mut tunnel = Tunnel::IPIP;
    let (mut active, mut inactive, mut persistent) = (0, 0, 0);
    let mut counters = Counters::default();
    for attribute in walk(find(attributes, DEST)?) {
        let (kind, value) = attribute?;
        match kind {
            ADDR => address = Some(value),
            PORT => port = Some(attribute::port(value)?),
            ADDR_FAMILY => family = attribute::family(value)?,
            FWD_METHOD => method = Some(number(value)?),
            WEIGHT => weight = Some(number::<u32>(value)? as i32),
            U_THRESH => upper_threshold = Some(number(value)?),
            L_THRESH => lower_threshold = Some(number(value)?),
            ACTIVE_CONNS => active = number(value)?,
            INACT_CONNS => inactive = number(value)?,
            PERSIST_CONNS => persistent = number(value)?,
            TUN_TYPE => tunnel.kind = tunnel_kind(number(value)?),
            TUN_PORT => tunnel.port = attribute::port(value)?,
            TUN_FLAGS => tunnel.checksum = Checksum(number(value)?),
            STATS => counters.narrow = Some(value),
            STATS64 => counters.wide = Some(value),
            _ => {}
        }
    }
    let address = address.ok_or(Malformed("a server without an address"))?;
    let method = method.ok_or(Malformed("a server without a forwarding method"))?;
    Ok(ServerState {
        server: Server {
            id: ServerId {
                address: attribute::address(family, address)?,
                port: port.ok_or(Malformed("a server without a port"))?,
            },
            forwarding: forwarding(method),
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

/// The bits of `FWD_METHOD` that hold the method.
const METHOD: u32 = 0x7;

const MASQUERADE: u32 = 0;
const LOCAL: u32 = 1;
const TUNNEL: u32 = 2;
const DIRECT_ROUTING: u32 = 3;
const BYPASS: u32 = 4;

pub fn forward_method(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Masquerade => MASQUERADE,
        Forwarding::Local => LOCAL,
        Forwarding::Tunnel => TUNNEL,
        Forwarding::DirectRouting => DIRECT_ROUTING,
        Forwarding::Bypass => BYPASS,
        Forwarding::Unknown(method) => method.into(),
    }
}

pub fn forwarding(bits: u32) -> Forwarding {
    match bits & METHOD {
        MASQUERADE => Forwarding::Masquerade,
        LOCAL => Forwarding::Local,
        TUNNEL => Forwarding::Tunnel,
        DIRECT_ROUTING => Forwarding::DirectRouting,
        BYPASS => Forwarding::Bypass,
        other => Forwarding::Unknown(other as u8),
    }
}

const IPIP: u8 = 0;
const GUE: u8 = 1;
const GRE: u8 = 2;

fn tunnel_type(kind: TunnelKind) -> u8 {
    match kind {
        TunnelKind::Ipip => IPIP,
        TunnelKind::Gue => GUE,
        TunnelKind::Gre => GRE,
        TunnelKind::Unknown(kind) => kind,
    }
}

fn tunnel_kind(kind: u8) -> TunnelKind {
    match kind {
        IPIP => TunnelKind::Ipip,
        GUE => TunnelKind::Gue,
        GRE => TunnelKind::Gre,
        other => TunnelKind::Unknown(other),
    }
}
