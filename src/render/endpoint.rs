//! The names of hosts and ports, services and servers in all formats.

use std::net::IpAddr;

use super::address::address as write_address;
use super::out::Out;
use crate::model::terms::{MARK, Vocabulary};
use crate::model::{Family, Protocol, ServerId, ServiceId};
use crate::names::Names;

/// The original's width for a host and a port.
const ENDPOINT_WIDTH: usize = 59;

/// How to cut a name that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    AsOriginal,
    Never,
}

/// A host by its name, or its address.
pub fn host(out: &mut Out, names: &mut Names, address: IpAddr) {
    match names.host(address) {
        Some(name) => drop(out.text(name)),
        None => write_address(out, address),
    }
}

/// `host:port` or `[host]:port`, with names if there are any. Ports without a protocol have none.
pub fn endpoint(
    out: &mut Out,
    names: &mut Names,
    address: IpAddr,
    port: u16,
    protocol: Option<Protocol>,
    cut: Cut,
) {
    let mark = out.mark();
    let v6 = address.is_ipv6();
    if v6 {
        out.text("[");
    }
    host(out, names, address);
    if v6 {
        out.text("]");
    }
    out.text(":");
    match protocol.and_then(|protocol| names.port(port, protocol)) {
        Some(name) => out.text(name),
        None => out.number(port),
    };
    if cut == Cut::AsOriginal {
        out.cut(mark, ENDPOINT_WIDTH);
    }
}

/// The name of a service in listings: `TCP  host:port` or `FWM  mark`.
pub fn service(out: &mut Out, names: &mut Names, id: &ServiceId, cut: Cut) {
    let mark = out.mark();
    match *id {
        ServiceId::Mark { mark, family } => {
            out.text(MARK).text("  ").number(mark.get());
            if family == Family::V6 {
                out.text(" IPv6");
            }
        }
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            out.left(protocol.title().unwrap_or("?"), 4).text(" ");
            endpoint(out, names, address, port, Some(protocol), cut);
            if cut == Cut::AsOriginal && address.is_ipv4() {
                out.cut(mark, 33);
            }
        }
    }
}

/// A server's row up to its name, which is padded to the width of its column.
pub fn server(out: &mut Out, names: &mut Names, service: &ServiceId, id: &ServerId) {
    out.text("  -> ");
    let mark = out.mark();
    let protocol = server_protocol(service);
    endpoint(out, names, id.address, id.port, protocol, Cut::AsOriginal);
    if id.address.is_ipv4() {
        out.cut(mark, 28);
    }
    out.pad(mark, 28);
}

/// The ports of a mark's servers stay numbers.
pub fn server_protocol(service: &ServiceId) -> Option<Protocol> {
    match *service {
        ServiceId::Address { protocol, .. } => Some(protocol),
        ServiceId::Mark { .. } => None,
    }
}
