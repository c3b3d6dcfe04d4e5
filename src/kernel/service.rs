//! A service over netlink.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use super::attribute::{self, Attributes, exactly, find, number, walk};
use super::error::Malformed;
use super::stats::Counters;
use crate::model::{Family, Flags, Mask, Name, Protocol, Service, ServiceId, ServiceState};

pub const NEW: u8 = 1;
pub const SET: u8 = 2;
pub const DELETE: u8 = 3;
pub const GET: u8 = 4;
pub const ZERO: u8 = 16;
pub const FLUSH: u8 = 17;

/// The attribute that contains the ones below.
const SERVICE: u16 = 1;

const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const STATS: u16 = 10;
const PE_NAME: u16 = 11;
const STATS64: u16 = 12;

pub fn write_key(out: &mut impl Attributes, id: &ServiceId) {
    out.nest(SERVICE, |out| key(out, id));
}

pub fn write(out: &mut impl Attributes, service: &Service) {
    out.nest(SERVICE, |out| {
        key(out, &service.id);
        out.name(SCHED_NAME, service.scheduler.as_bytes());
        out.bytes(FLAGS, &flags_and_mask(service));
        out.u32(TIMEOUT, service.persistence.unwrap_or(0));
        match service.mask {
            Mask::V4(mask) => out.bytes(NETMASK, &mask.octets()),
            Mask::V6(prefix) => out.u32(NETMASK, prefix),
        }
        if let Some(engine) = &service.engine {
            out.name(PE_NAME, engine.as_bytes());
        }
    });
}

fn key(out: &mut impl Attributes, id: &ServiceId) {
    out.family(AF, id.family());
    match *id {
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            out.u16(PROTOCOL, protocol.0);
            out.address(ADDR, address);
            out.port(PORT, port);
        }
        ServiceId::Mark { mark, .. } => out.u32(FWMARK, mark.get()),
    }
}

/// The mask selects the flags that are replaced: all of them.
fn flags_and_mask(service: &Service) -> [u8; 8] {
    let mut bytes = [0xff; 8];
    bytes[..4].copy_from_slice(&flag_bits(service).to_ne_bytes());
    bytes
}

/// The bits for the flags of a service.
///
/// The kernel reports bit 2, "hashed", with every service. It must not be sent back: the kernel
/// would believe that a new service is in its table already, and never find it there.
pub fn flag_bits(service: &Service) -> u32 {
    let persistent = match service.persistence {
        Some(_) => Flags::PERSISTENT,
        None => 0,
    };
    service.flags.bits() | persistent
}

/// The flags among the kernel's bits, and the time of persistence if the service is persistent.
pub fn flags(bits: u32, timeout: u32) -> (Flags, Option<u32>) {
    let is_persistent = bits & Flags::PERSISTENT != 0;
    (Flags::from_bits(bits), is_persistent.then_some(timeout))
}

pub fn read(attributes: &[u8]) -> Result<ServiceState, Malformed> {
    let mut family = None;
    let mut protocol = None;
    let mut address = None;
    let mut port = None;
    let mut mark = None;
    let mut scheduler = None;
    let mut bits = None;
    let mut timeout = None;
    let mut mask = None;
    let mut engine = None;
    let mut counters = Counters::default();
    for attribute in walk(find(attributes, SERVICE)?) {
        let (kind, value) = attribute?;
        match kind {
            AF => family = Some(attribute::family(value)?),
            PROTOCOL => protocol = Some(Protocol(number(value)?)),
            ADDR => address = Some(value),
            PORT => port = Some(attribute::port(value)?),
            FWMARK => mark = Some(number(value)?),
            SCHED_NAME => scheduler = Name::cut(value),
            // A mask follows the flags; it means nothing in an answer.
            FLAGS => bits = Some(number(&exactly::<8>(value)?[..4])?),
            TIMEOUT => timeout = Some(number(value)?),
            NETMASK => mask = Some(exactly(value)?),
            PE_NAME => engine = Name::cut(value),
            STATS => counters.narrow = Some(value),
            STATS64 => counters.wide = Some(value),
            _ => {}
        }
    }
    let family = family.ok_or(Malformed("a service without a family"))?;
    let id = match mark {
        Some(mark) => ServiceId::Mark {
            mark: NonZeroU32::new(mark).ok_or(Malformed("a service of mark 0"))?,
            family,
        },
        None => {
            let address = address.ok_or(Malformed("a service without an address"))?;
            ServiceId::Address {
                protocol: protocol.ok_or(Malformed("a service without a protocol"))?,
                address: attribute::address(family, address)?,
                port: port.ok_or(Malformed("a service without a port"))?,
            }
        }
    };
    let bits = bits.ok_or(Malformed("a service without flags"))?;
    let timeout = timeout.ok_or(Malformed("a service without a timeout"))?;
    let (flags, persistence) = flags(bits, timeout);
    let mask = mask.ok_or(Malformed("a service without a mask"))?;
    Ok(ServiceState {
        service: Service {
            id,
            scheduler: scheduler.ok_or(Malformed("a service without a scheduler"))?,
            flags,
            persistence,
            mask: match family {
                Family::V4 => Mask::V4(Ipv4Addr::from(mask)),
                Family::V6 => Mask::V6(u32::from_ne_bytes(mask)),
            },
            engine,
        },
        stats: counters.read()?,
    })
}
