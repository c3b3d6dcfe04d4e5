//! Parses values of options into numbers and addresses, by the rules of the C library, which the
//! original uses. These functions report no reason; the caller knows which option it was.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str;
use std::time::Duration;

use crate::model::terms::Vocabulary;
use crate::model::{Mask, Network, Protocol, States};
use crate::names::Names;

/// A host, and the text of its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    pub address: IpAddr,
    pub port: Option<&'a [u8]>,
}

/// `host`, `host:port`, `v6`, `[v6]` or `[anything]:port`. The port is not parsed yet.
pub fn host_port<'a>(text: &'a [u8], names: &Names) -> Option<HostPort<'a>> {
    let (host, port) = split_port(text)?;
    // Most addresses are IPv4, and none of those is a valid IPv6 address.
    if let Some(address) = ipv4(host) {
        let address = address.into();
        return Some(HostPort { address, port });
    }
    let (as_ipv6, port_of_ipv6) = match text {
        [b'[', ..] => (host, port),
        _ => (text, None),
    };
    if let Some(address) = ipv6(as_ipv6) {
        return Some(HostPort {
            address: address.into(),
            port: port_of_ipv6,
        });
    }
    let address = names.address_of(host)?;
    Some(HostPort { address, port })
}

/// A host without its brackets, and the port after it. Digits alone are not a host.
fn split_port(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let [b'[', inside @ ..] = text {
        let end = inside.iter().rposition(|&byte| byte == b']')?;
        let port = match &inside[end + 1..] {
            [] => None,
            [b':', port @ ..] => Some(port),
            _ => return None,
        };
        return Some((&inside[..end], port));
    }
    match text.iter().rposition(|&byte| byte == b':') {
        Some(colon) => Some((&text[..colon], Some(&text[colon + 1..]))),
        None if is_digits(text) => None,
        None => Some((text, None)),
    }
}

/// A port by number, or by its name in this protocol.
pub fn port(text: &[u8], protocol: Protocol, names: &Names) -> Option<u16> {
    match port_number(text) {
        None if !text.is_empty() => names.port_of(text, protocol),
        port => port,
    }
}

pub fn port_number(text: &[u8]) -> Option<u16> {
    number(text, 0..=u16::MAX.into()).map(|port| port as u16)
}

/// A mask of IPv4 persistence: an address in any of its forms, or a name.
pub fn ipv4_mask(text: &[u8], names: &Names) -> Option<Ipv4Addr> {
    ipv4(text).or_else(|| match names.address_of(text)? {
        IpAddr::V4(mask) => Some(mask),
        IpAddr::V6(_) => None,
    })
}

/// A mask of IPv6 persistence: a prefix length. Text after its digits is ignored.
pub fn ipv6_mask(text: &[u8]) -> Option<u32> {
    let text = skip_blanks(text);
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let end = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    let prefix = number(&digits[..end], 0..=u32::MAX.into())? as u32;
    Mask::PREFIXES.contains(&prefix).then_some(prefix)
}

/// A decimal number as `strtol` reads it, the whole text and within the range.
pub fn number(text: &[u8], range: RangeInclusive<i64>) -> Option<i64> {
    let text = skip_blanks(text);
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0i64, |value, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })?;
    let value = if negative { -value } else { value };
    range.contains(&value).then_some(value)
}

/// A number from `least` to `most`, in the type of `most`.
pub fn bounded<T: TryFrom<i64> + Into<i64>>(text: Option<&[u8]>, least: i64, most: T) -> Option<T> {
    let value = number(text?, least..=most.into())?;
    T::try_from(value).ok()
}

/// Seconds, perhaps with a fraction: from a tenth of a second up to a day.
pub fn period(text: &[u8]) -> Option<Duration> {
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let text = str::from_utf8(text).ok()?;
    let seconds: f64 = text.parse().ok()?;
    let is_sound = text.bytes().all(|byte| is_number(&byte)) && (0.1..=86400.0).contains(&seconds);
    is_sound.then(|| Duration::from_secs_f64(seconds))
}

/// One of the words of a vocabulary.
pub fn choice<T: Vocabulary>(text: Option<&[u8]>) -> Option<T> {
    T::from_word(text?)
}

/// A firewall mark: a number, decimal or with `0x`.
pub fn mark(text: &[u8]) -> Option<NonZeroU32> {
    const MARKS: RangeInclusive<i64> = 1..=u32::MAX as i64;
    let hexadecimal = match text {
        [b'0', b'x' | b'X', digits @ ..] => Some(digits),
        _ => None,
    };
    let mark = match hexadecimal {
        Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
            let digits = str::from_utf8(digits).ok()?;
            u32::from_str_radix(digits, 16).ok()?
        }
        Some(_) => return None,
        None => number(text, MARKS)? as u32,
    };
    NonZeroU32::new(mark)
}

/// An address or host, or with a prefix length a network.
pub fn network(text: &[u8], names: &Names) -> Option<Network> {
    let slash = text.iter().rposition(|&byte| byte == b'/');
    let host = &text[..slash.unwrap_or(text.len())];
    let HostPort {
        address,
        port: None,
    } = host_port(host, names)?
    else {
        return None;
    };
    let most = Network::bits_of(address);
    let bits = match slash {
        Some(slash) => bounded(Some(&text[slash + 1..]), 0, most)?,
        None => most,
    };
    Some(Network { address, bits })
}

/// States of connections, separated by commas.
pub fn states(text: &[u8]) -> Option<States> {
    let mut names = text.split(|&byte| byte == b',');
    names.try_fold(States::default(), States::with)
}

/// A multicast group: an IPv6 address if it has a colon; no names.
pub fn group(text: &[u8]) -> Option<IpAddr> {
    let address = if text.contains(&b':') {
        IpAddr::from(ipv6(text)?)
    } else {
        IpAddr::from(str::from_utf8(text).ok()?.parse::<Ipv4Addr>().ok()?)
    };
    Some(address).filter(IpAddr::is_multicast)
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, decimal, octal or hexadecimal,
/// the last one filling the remaining bytes. Text after a blank is ignored.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    if let Some(address) = usual_ipv4(text) {
        return Some(address);
    }
    let mut rest = text;
    let mut leading = 0;
    let mut bits_left = u32::BITS;
    loop {
        let (part, behind) = ipv4_part(rest)?;
        match behind {
            [b'.', next @ ..] if bits_left > 8 && part <= u8::MAX.into() => {
                bits_left -= 8;
                leading |= part << bits_left;
                rest = next;
            }
            [byte, ..] if !is_blank(*byte) => return None,
            _ => {
                let most = u32::MAX >> (u32::BITS - bits_left);
                return (part <= most).then(|| Ipv4Addr::from_bits(leading | part));
            }
        }
    }
}

/// The form of nearly all addresses, four decimal numbers, takes a quarter of the time.
fn usual_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, text) = octet(text)?;
    let (b, text) = octet(text.strip_prefix(b".")?)?;
    let (c, text) = octet(text.strip_prefix(b".")?)?;
    let (d, text) = octet(text.strip_prefix(b".")?)?;
    text.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

/// A decimal number up to 255 without leading zeros, and the rest of the text.
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| u16::from(byte - b'0');
    let (value, rest) = match text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            (100 * digit(a) + 10 * digit(b) + digit(c), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (10 * digit(a) + digit(b), rest),
        [a @ b'0'..=b'9', rest @ ..] => (digit(a), rest),
        _ => return None,
    };
    Some((value.try_into().ok()?, rest))
}

/// The number at the start of a text, and the rest.
fn ipv4_part(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [b'0', b'x' | b'X', digits @ ..] => leading_number::<16>(digits),
        [b'0', b'0'..=b'9', ..] => leading_number::<8>(&text[1..]),
        _ => leading_number::<10>(text),
    }
}

fn leading_number<const RADIX: u32>(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(RADIX));
    let (mut value, mut length) = (0_u32, 0);
    for digit in digits {
        value = value.checked_mul(RADIX)?.checked_add(digit)?;
        length += 1;
    }
    (length > 0).then_some((value, &text[length..]))
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_blank(byte));
    &text[start.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_read_as_the_c_library_reads_it() {
        let cases = [
            ("127.1", Some("127.0.0.1")),
            ("0x7f.1", Some("127.0.0.1")),
            ("010.0.0.1", Some("8.0.0.1")),
            ("24", Some("0.0.0.24")),
            ("1.2.3.4 rest", Some("1.2.3.4")),
            ("1.65536", Some("1.1.0.0")),
            ("1.2.65536", None),
            ("256.1.1.1", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("+1.2.3.4", None),
            ("", None),
            ("08.1.1.1", None),
        ];
        for (text, address) in cases {
            let expected = address.map(|a| a.parse().unwrap());
            assert_eq!(ipv4(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_strtol_reads_them() {
        let cases = [
            ("5", Some(5)),
            (" \t+07", Some(7)),
            ("-0", Some(0)),
            ("", None),
            ("5 ", None),
            ("0x5", None),
            ("-1", None),
            ("101", None),
            ("99999999999999999999", None),
        ];
        for (text, value) in cases {
            assert_eq!(number(text.as_bytes(), 0..=100), value, "{text:?}");
        }
    }

    #[test]
    fn hosts_are_split_from_ports() {
        let cases = [
            ("1.2.3.4:80", "1.2.3.4", Some("80")),
            ("1.2.3.4", "1.2.3.4", None),
            ("80:80", "0.0.0.80", Some("80")),
            ("::1:81", "::1:81", None),
            ("[::1]:81", "::1", Some("81")),
            ("[::1]", "::1", None),
            ("[1.2.3.4]:82", "1.2.3.4", Some("82")),
        ];
        let read = |text: &'static str| host_port(text.as_bytes(), &Names::numeric());
        for (text, address, port) in cases {
            let expected = HostPort {
                address: address.parse().unwrap(),
                port: port.map(str::as_bytes),
            };
            assert_eq!(read(text), Some(expected), "{text:?}");
        }
        for text in ["80", "[::1]81", "[::1", ":80", ""] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        let cases = [
            ("0.5", 500),
            ("1", 1_000),
            (".1", 100),
            ("86400", 86_400_000),
        ];
        for (text, milliseconds) in cases {
            let expected = Some(Duration::from_millis(milliseconds));
            assert_eq!(period(text.as_bytes()), expected, "{text:?}");
        }
        for bad in [
            "0", "0.09", "86401", "", "-1", "+1", "1e2", "inf", "1,5", "1 ", "\u{ff}",
        ] {
            assert_eq!(period(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn marks_may_be_hexadecimal() {
        assert_eq!(mark(b"0xff"), NonZeroU32::new(255));
        assert_eq!(mark(b"4294967295"), Some(NonZeroU32::MAX));
        for bad in ["0", "0x", "0x0", "0x+1", "4294967296", "-1", "x"] {
            assert_eq!(mark(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn an_ipv6_mask_ends_with_its_digits() {
        assert_eq!(ipv6_mask(b"64x"), Some(64));
        for bad in ["0", "129", "", "x", "-5"] {
            assert_eq!(ipv6_mask(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
