//! Netlink attributes: a length, a kind and a value each, one after another.
//!
//! Unknown kinds are skipped, so that newer kernels may send more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLA_F_NESTED, NLA_HEADER_SIZE, NLA_TYPE_MASK};

use super::error::Malformed;
use crate::model::{Engine, Family};

type Result<T> = std::result::Result<T, Malformed>;

const AF_INET: u16 = libc::AF_INET as u16;
const AF_INET6: u16 = libc::AF_INET6 as u16;

/// A sink for attributes. They are passed twice: to a [`Length`] and then to a [`Writer`].
pub trait Attributes {
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

    /// A port in network order.
    fn port(&mut self, kind: u16, port: u16) {
        self.bytes(kind, &port.to_be_bytes());
    }

    fn family(&mut self, kind: u16, family: Family) {
        self.u16(
            kind,
            match family {
                Family::V4 => AF_INET,
                Family::V6 => AF_INET6,
            },
        );
    }

    /// An address in sixteen bytes, as the kernel sends them.
    fn address(&mut self, kind: u16, address: IpAddr) {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => bytes = v6.octets(),
        }
        self.bytes(kind, &bytes);
    }

    /// A name with the NUL byte that the kernel requires.
    fn name(&mut self, kind: u16, name: &[u8]) {
        // The longest name is that of an engine.
        let mut text = [0; Engine::LONGEST + 1];
        text[..name.len()].copy_from_slice(name);
        self.bytes(kind, &text[..=name.len()]);
    }
}

pub struct Length(pub usize);

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

pub struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, at: 0 }
    }
}

fn header(kind: u16, length: usize) -> [u8; NLA_HEADER_SIZE] {
    let (length, kind) = ((length as u16).to_ne_bytes(), kind.to_ne_bytes());
    [length[0], length[1], kind[0], kind[1]]
}

impl Attributes for Writer<'_> {
    /// Inlined: most lengths are constants, and copying then needs no call.
    #[inline(always)]
    fn bytes(&mut self, kind: u16, value: &[u8]) {
        let length = NLA_HEADER_SIZE + value.len();
        let end = self.at + length.next_multiple_of(4);
        let attribute = &mut self.buffer[self.at..end];
        self.at = end;
        attribute[..NLA_HEADER_SIZE].copy_from_slice(&header(kind, length));
        attribute[NLA_HEADER_SIZE..length].copy_from_slice(value);
        attribute[length..].fill(0);
    }

    fn nest(&mut self, kind: u16, describe: impl FnOnce(&mut Self)) {
        let start = self.at;
        self.at += NLA_HEADER_SIZE;
        describe(self);
        let header = header(kind | NLA_F_NESTED, self.at - start);
        self.buffer[start..start + NLA_HEADER_SIZE].copy_from_slice(&header);
    }
}

/// The attributes in these bytes, by kind and value. A server has forty of them, so this must be
/// fast: the iterator of `netlink-packet-core` takes three times as long as all other parsing.
pub fn walk(mut attributes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8])>> {
    std::iter::from_fn(move || {
        if attributes.is_empty() {
            return None;
        }
        let (kind, value, rest) = match first(attributes) {
            Some(first) => first,
            None => return Some(Err(Malformed("the length of an attribute is wrong"))),
        };
        attributes = rest;
        Some(Ok((kind, value)))
    })
}

/// The first attribute and what follows it.
fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [a, b, c, d, ..] = *bytes else {
        return None;
    };
    let length = usize::from(u16::from_ne_bytes([a, b]));
    let kind = u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK;
    let value = bytes.get(NLA_HEADER_SIZE..length)?;
    let rest = bytes.get(length.next_multiple_of(4)..);
    Some((kind, value, rest.unwrap_or_default()))
}

/// The value of the first attribute of a kind.
pub fn find(attributes: &[u8], wanted: u16) -> Result<&[u8]> {
    for attribute in walk(attributes) {
        let (kind, value) = attribute?;
        if kind == wanted {
            return Ok(value);
        }
    }
    Err(Malformed("an attribute is missing"))
}

pub fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N]> {
    value
        .try_into()
        .map_err(|_| Malformed("the length of a value is wrong"))
}

/// A number in the machine's own byte order.
pub trait Number: Sized {
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

pub fn number<T: Number>(value: &[u8]) -> Result<T> {
    T::read(value)
}

pub fn port(value: &[u8]) -> Result<u16> {
    exactly(value).map(u16::from_be_bytes)
}

/// An address in sixteen bytes. IPv4 takes the first four.
pub fn address(family: Family, value: &[u8]) -> Result<IpAddr> {
    let bytes: [u8; 16] = exactly(value)?;
    Ok(match family {
        Family::V4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
        Family::V6 => Ipv6Addr::from(bytes).into(),
    })
}

pub fn family(value: &[u8]) -> Result<Family> {
    match number(value)? {
        AF_INET => Ok(Family::V4),
        AF_INET6 => Ok(Family::V6),
        _ => Err(Malformed("an unknown address family")),
    }
}
