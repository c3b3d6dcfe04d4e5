//! The connection table, which the kernel shows as text in `/proc/net/ip_vs_conn`.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

use crate::kernel::netns::{Netns, run_in};
use crate::lines::Lines;
use crate::model::Connection;

/// The connection table, read connection by connection.
///
/// The kernel writes it page by page, so it is not of one moment.
pub struct Connections {
    lines: Lines<File>,
}

impl Connections {
    /// Opens the table and skips its title. `None` if it has no title.
    pub(in crate::kernel) fn open(namespace: Option<&Netns>) -> io::Result<Option<Self>> {
        let table = run_in(namespace, || super::open("ip_vs_conn"))?;
        let mut lines = Lines::new(table);
        let title = lines.read()?.is_some();
        Ok(title.then_some(Self { lines }))
    }

    /// The next connection, or the line that is there instead of one.
    pub fn read(&mut self) -> io::Result<Option<Result<Connection<'_>, &[u8]>>> {
        let line = self.lines.read()?;
        Ok(line.map(|line| parse(line).ok_or(line)))
    }
}

/// Reads one line: nine fields, and perhaps the persistence engine and its data.
#[inline]
pub fn parse(line: &[u8]) -> Option<Connection<'_>> {
    let mut rest = line;
    let protocol = word(&mut rest)?;
    let [client, virtual_service, server] = match ends_in_columns(&mut rest) {
        Some(ends) => ends,
        None => [end(&mut rest)?, end(&mut rest)?, end(&mut rest)?],
    };
    let state = word(&mut rest)?;
    let expires = decimal(word(&mut rest)?)?;
    let engine = word(&mut rest).and_then(|name| Some((name, word(&mut rest)?)));
    Some(Connection {
        protocol,
        client,
        virtual_service,
        server,
        state,
        expires,
        engine,
    })
}

/// Takes the next word off a text.
fn word<'a>(text: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = text.iter().position(|&byte| byte != b' ')?;
    let rest = &text[start..];
    let end = rest.iter().position(|&byte| byte == b' ');
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    *text = rest;
    Some(word)
}

/// How wide an IPv4 address and its port are, each with a blank behind it.
const COLUMN: usize = 14;

/// Takes the three ends of an IPv4 connection off a text, in the columns in which the kernel
/// writes them. Nearly all lines are such, and this takes a fifth of what it takes word by word.
fn ends_in_columns(text: &mut &[u8]) -> Option<[SocketAddr; 3]> {
    let start = text.iter().position(|&byte| byte != b' ')?;
    let (columns, rest) = text[start..].split_at_checked(3 * COLUMN)?;
    let ends = [
        ipv4_end(&columns[..COLUMN])?,
        ipv4_end(&columns[COLUMN..2 * COLUMN])?,
        ipv4_end(&columns[2 * COLUMN..])?,
    ];
    *text = rest;
    Some(ends)
}

fn ipv4_end(column: &[u8]) -> Option<SocketAddr> {
    let (address, behind) = column.split_first_chunk()?;
    let &[b' ', a, b, c, d, b' '] = behind else {
        return None;
    };
    let address = Ipv4Addr::from_bits(eight_digits(*address)?);
    let port = eight_digits([b'0', b'0', b'0', b'0', a, b, c, d])?;
    Some(SocketAddr::new(address.into(), port as u16))
}

/// The value of hexadecimal digits as the kernel writes them, all at once: a byte each.
fn eight_digits(text: [u8; 8]) -> Option<u32> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let text = u64::from_be_bytes(text);
    // A letter has a bit that digits have not, and is nine more than its low bits.
    let is_letter = text >> 6 & EACH;
    let values = (text & (0x0f * EACH)) + 9 * is_letter;
    // What is no digit has a larger value, or comes out as another text.
    let is_above_nine = (values + 6 * EACH) >> 4 & EACH;
    let same = 0x30 * EACH + values + 7 * is_above_nine;
    if values & (0xf0 * EACH) != 0 || text != same {
        return None;
    }
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) as u32)
}

fn decimal(text: &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(value)
}

/// Takes an address and a port off a text.
fn end(text: &mut &[u8]) -> Option<SocketAddr> {
    let (address, port) = (word(text)?, word(text)?);
    let address = match hexadecimal(address) {
        Some(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
        None => IpAddr::V6(str::from_utf8(address).ok()?.parse::<Ipv6Addr>().ok()?),
    };
    let port = u16::try_from(hexadecimal(port)?).ok()?;
    Some(SocketAddr::new(address, port))
}

/// A number of at most eight digits.
fn hexadecimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    let (mut value, mut all_bits) = (0, 0);
    for &byte in text {
        let digit = DIGITS[usize::from(byte)];
        value = value << 4 | u32::from(digit);
        all_bits |= digit;
    }
    // Digits are below 16, so only a byte that is not a digit sets the high bits. To check once
    // at the end is faster than a branch for each byte.
    (all_bits < 16).then_some(value)
}

/// The value of each byte as a hexadecimal digit. A line has dozens of them.
static DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

const NO_DIGIT: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_shape_are_read() {
        let line = b"TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899";
        let connection = parse(line).unwrap();
        assert_eq!(connection.protocol, b"TCP");
        assert_eq!(connection.client.to_string(), "10.1.0.1:48070");
        assert_eq!(connection.server.to_string(), "10.1.0.1:8080");
        assert_eq!(
            (connection.state, connection.expires),
            (&b"ESTABLISHED"[..], 899)
        );
        assert_eq!(connection.engine, None);

        let line = b"UDP 0A010001 0000 0A010001 13C4 20010db8:: 13C4 NONE            119";
        assert_eq!(parse(line), None);
        let line = b"UDP 0A010001 0000 0A010001 13C4 \
            2001:0db8:0002:0000:0000:0000:0000:0001 13C4 NONE            119 sip short-id@host";
        let connection = parse(line).unwrap();
        assert_eq!(connection.server.to_string(), "[2001:db8:2::1]:5060");
        assert_eq!(
            connection.engine,
            Some((&b"sip"[..], &b"short-id@host"[..]))
        );
    }

    #[test]
    fn eight_digits_are_read_at_once() {
        assert_eq!(eight_digits(*b"0A0100FF"), Some(0x0a01_00ff));
        assert_eq!(eight_digits(*b"FEDCBA98"), Some(0xfedc_ba98));
        assert_eq!(eight_digits(*b"76543210"), Some(0x7654_3210));
        for byte in 0..=255_u8 {
            // Small letters are left to the other way.
            let value = char::from(byte).to_digit(16);
            let value = value.filter(|_| !byte.is_ascii_lowercase());
            for place in 0..8 {
                let mut text = *b"00000000";
                text[place] = byte;
                let value = value.map(|value| value << (4 * (7 - place)));
                assert_eq!(eight_digits(text), value, "{byte} {place}");
            }
        }
    }

    #[test]
    fn columns_and_words_say_the_same() {
        let line = b"TCP 0A010001 BBC6 0A010002 0050 0A010003 1F90 ESTABLISHED     899";
        let words = String::from_utf8_lossy(line).to_lowercase();
        let by_words = parse(words.as_bytes()).unwrap();
        let by_columns = parse(line).unwrap();
        assert_eq!(by_columns.client, by_words.client);
        assert_eq!(by_columns.virtual_service, by_words.virtual_service);
        assert_eq!(by_columns.server, by_words.server);
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        assert_eq!([&b"4294967296"[..], b"1a", b"-1"].map(decimal), [None; 3]);
    }

    #[test]
    fn digits_are_hexadecimal() {
        assert_eq!(hexadecimal(b"0A0100fF"), Some(0x0a01_00ff));
        for byte in 0..=255 {
            let value = char::from(byte).to_digit(16);
            assert_eq!(hexadecimal(&[b'0', byte]), value, "{byte}");
        }
        assert_eq!(hexadecimal(b""), None);
        assert_eq!(hexadecimal(b"000000001"), None);
    }

    #[test]
    fn half_a_line_is_not_a_connection() {
        let line = b"TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899";
        for length in 0..60 {
            assert_eq!(parse(&line[..length]), None, "{length}");
        }
    }
}
