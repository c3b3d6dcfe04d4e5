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
pub fn parse(line: &[u8]) -> Option<Connection<'_>> {
    let mut fields = line.split(|&byte| byte == b' ');
    let mut field = || fields.find(|field| !field.is_empty());
    let protocol = field()?;
    let client = socket_address(field()?, field()?)?;
    let virtual_service = socket_address(field()?, field()?)?;
    let server = socket_address(field()?, field()?)?;
    let state = field()?;
    let expires = str::from_utf8(field()?).ok()?.parse().ok()?;
    let engine = field().and_then(|name| Some((name, field()?)));
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

fn socket_address(address: &[u8], port: &[u8]) -> Option<SocketAddr> {
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
