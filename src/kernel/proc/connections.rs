//! The connection table, which the kernel shows as text in `/proc/net/ip_vs_conn`.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

use crate::kernel::netns::Home;
use crate::kernel::{self, Error};
use crate::lines::Lines;
use crate::model::Connection;
#[cfg(feature = "cli")]
use crate::model::Fields;

/// The connection table, read connection by connection.
///
/// The kernel writes it page by page, so it is not a snapshot.
pub struct Connections {
    lines: Lines<File>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// Opens the table and skips its title.
    pub(in crate::kernel) fn open(home: &Home) -> kernel::Result<Self> {
        let table = home.run(|| super::open(home.proc(), "ip_vs_conn"))?;
        let mut lines = Lines::new(table.map_err(Error::File)?);
        match lines.read().map_err(Error::File)? {
            Some(_title) => Ok(Self { lines }),
            None => Err(Error::Malformed("the connection table has no title")),
        }
    }

    /// The next connection. A line that cannot be parsed is returned as it is.
    pub fn read(&mut self) -> kernel::Result<Option<Result<Connection<'_>, &[u8]>>> {
        let line = self.line().map_err(Error::File)?;
        Ok(line.map(|line| line.connection().ok_or(line.text)))
    }

    /// The next line; its fields are parsed only when asked for.
    #[inline]
    pub(crate) fn line(&mut self) -> io::Result<Option<ConnectionLine<'_>>> {
        Ok(self.lines.read()?.map(ConnectionLine::new))
    }
}

/// Reads one line: nine fields, and perhaps the persistence engine and its data.
#[cfg(feature = "cli")]
#[inline]
pub fn parse(line: &[u8]) -> Option<Connection<'_>> {
    ConnectionLine::new(line).connection()
}

/// A line of the table. A field is parsed when it is asked for; with a filter most never are.
pub(crate) struct ConnectionLine<'a> {
    /// The whole line.
    pub text: &'a [u8],
    columns: Option<Columns<'a>>,
    /// The fields of a line with other columns. Boxed, because lines are moved.
    words: Option<Box<Connection<'a>>>,
}

impl<'a> ConnectionLine<'a> {
    #[inline]
    fn new(text: &'a [u8]) -> Self {
        let columns = Columns::of(text);
        let words = if columns.is_none() {
            in_words(text).map(Box::new)
        } else {
            None
        };
        Self {
            text,
            columns,
            words,
        }
    }

    /// All fields.
    #[inline]
    pub fn connection(&self) -> Option<Connection<'a>> {
        match &self.columns {
            Some(columns) => columns.connection().or_else(|| in_words(self.text)),
            None => self.words.as_deref().copied(),
        }
    }
}

#[cfg(feature = "cli")]
impl Fields for ConnectionLine<'_> {
    #[inline]
    fn protocol(&self) -> Option<&[u8]> {
        match &self.columns {
            Some(columns) => columns.protocol(),
            None => self.words.as_deref()?.protocol(),
        }
    }

    #[inline]
    fn client(&self) -> Option<IpAddr> {
        match &self.columns {
            Some(columns) => Some(ipv4(columns.client())?.into()),
            None => self.words.as_deref()?.client(),
        }
    }

    #[inline]
    fn virtual_service(&self) -> Option<SocketAddr> {
        match &self.columns {
            Some(columns) => ipv4_end(columns.virtual_service()),
            None => self.words.as_deref()?.virtual_service(),
        }
    }

    #[inline]
    fn server(&self) -> Option<SocketAddr> {
        match &self.columns {
            Some(columns) => ipv4_end(columns.server()),
            None => self.words.as_deref()?.server(),
        }
    }

    #[inline]
    fn state(&self) -> Option<&[u8]> {
        match &self.columns {
            Some(columns) => columns.state(),
            None => self.words.as_deref()?.state(),
        }
    }

    #[inline]
    fn group(&self) -> Option<[u64; 4]> {
        self.columns.as_ref()?.group()
    }
}

/// Reads a line word by word, whatever the widths of its columns.
fn in_words(line: &[u8]) -> Option<Connection<'_>> {
    let mut rest = line;
    Some(Connection {
        protocol: word(&mut rest)?,
        client: end(&mut rest)?,
        virtual_service: end(&mut rest)?,
        server: end(&mut rest)?,
        state: word(&mut rest)?,
        expires: decimal(word(&mut rest)?)?,
        engine: word(&mut rest).and_then(|name| Some((name, word(&mut rest)?))),
    })
}

/// Removes the next word from a text and returns it.
fn word<'a>(text: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = text.iter().position(|&byte| byte != b' ')?;
    let rest = &text[start..];
    let end = rest.iter().position(|&byte| byte == b' ');
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    *text = rest;
    Some(word)
}

/// The value 1 in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;
const EACH_OF_16: u128 = (EACH as u128) << 64 | EACH as u128;

/// The widths of an IPv4 address and its port, each with the blank after it; of a state and the
/// blank after it; and of the seconds left.
const END: usize = 14;
const STATE: usize = 12;
const EXPIRES: usize = 7;

/// The columns of an IPv4 connection without an engine. Nearly all lines have this form, and
/// reading one takes a fifth of the time that it takes word by word.
struct Columns<'a> {
    protocol: &'a [u8],
    rest: &'a [u8; 3 * END + STATE + EXPIRES],
}

impl<'a> Columns<'a> {
    /// The columns of a line that has this length.
    #[inline]
    fn of(line: &'a [u8]) -> Option<Self> {
        // A protocol has three columns, or more if it is longer.
        let width = if *line.get(3)? == b' ' { 4 } else { 5 };
        let (protocol, rest) = line.split_at_checked(width)?;
        let rest = rest.try_into().ok()?;
        Some(Self { protocol, rest })
    }

    #[inline]
    fn connection(&self) -> Option<Connection<'a>> {
        Some(Connection {
            protocol: self.protocol()?,
            client: ipv4_end(self.client())?,
            virtual_service: ipv4_end(self.virtual_service())?,
            server: ipv4_end(self.server())?,
            state: self.state()?,
            expires: eight_decimals(*self.rest.last_chunk()?)?,
            engine: None,
        })
    }

    #[inline]
    fn protocol(&self) -> Option<&'a [u8]> {
        let mut rest = self.protocol;
        let protocol = word(&mut rest)?;
        matches!(rest, b" " | b"  ").then_some(protocol)
    }

    #[inline]
    fn client(&self) -> &'a [u8] {
        &self.rest[..END]
    }

    #[inline]
    fn virtual_service(&self) -> &'a [u8] {
        &self.rest[END..2 * END]
    }

    #[inline]
    fn server(&self) -> &'a [u8] {
        &self.rest[2 * END..3 * END]
    }

    /// The text of the protocol, the server and the state, packed into numbers that are fast to
    /// compare.
    #[cfg(feature = "cli")]
    #[inline]
    fn group(&self) -> Option<[u64; 4]> {
        let text = &self.rest[2 * END..3 * END + STATE];
        let (words, &[x, y]) = text.split_last_chunk()?;
        let (&[a, b, c, d], &[.., e]) = (self.protocol.first_chunk()?, self.protocol) else {
            return None;
        };
        Some([
            u64::from_ne_bytes(*words.first_chunk()?),
            u64::from_ne_bytes(*words[8..].first_chunk()?),
            u64::from_ne_bytes(*words.last_chunk()?),
            u64::from_ne_bytes([a, b, c, d, e, x, y, 0]),
        ])
    }

    #[inline]
    fn state(&self) -> Option<&'a [u8]> {
        first_word(self.rest[3 * END..].first_chunk()?)
    }
}

/// The text before the blanks, if nothing but blanks follows up to the end of the state.
fn first_word(text: &[u8; 16]) -> Option<&[u8]> {
    const BLANKS: u128 = EACH_OF_16 * b' ' as u128;
    let blank = u128::from_le_bytes(*text) ^ BLANKS;
    // The lowest bit that is set is that of the first byte that is 0.
    let found = blank.wrapping_sub(EACH_OF_16) & !blank & (EACH_OF_16 << 7);
    let length = found.trailing_zeros() / 8;
    let behind = (blank << (8 * (16 - STATE))).checked_shr(8 * (length + 16 - STATE as u32));
    (length > 0 && behind == Some(0)).then(|| &text[..length as usize])
}

#[inline]
fn ipv4_end(column: &[u8]) -> Option<SocketAddr> {
    let &[b' ', a, b, c, d, b' '] = column.get(8..)? else {
        return None;
    };
    let port = eight_digits([b'0', b'0', b'0', b'0', a, b, c, d])?;
    Some(SocketAddr::new(ipv4(column)?.into(), port as u16))
}

#[inline]
fn ipv4(column: &[u8]) -> Option<Ipv4Addr> {
    eight_digits(*column.first_chunk()?).map(Ipv4Addr::from_bits)
}

/// The value of eight hexadecimal digits, written as the kernel does. Handles all bytes at once.
fn eight_digits(text: [u8; 8]) -> Option<u32> {
    let text = u64::from_be_bytes(text);
    // A letter has a bit that digits lack, and its value is nine more than its low bits.
    let is_letter = text >> 6 & EACH;
    let values = (text & (0x0f * EACH)) + 9 * is_letter;
    // Any other byte has a larger value, or does not turn back into the same text.
    let is_above_nine = (values + 6 * EACH) >> 4 & EACH;
    let same = 0x30 * EACH + values + 7 * is_above_nine;
    if values & (0xf0 * EACH) != 0 || text != same {
        return None;
    }
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) as u32)
}

/// The value of a number of at most eight digits with blanks before it. Handles all bytes at once.
fn eight_decimals(text: [u8; 8]) -> Option<u32> {
    let text = u64::from_le_bytes(text);
    let blanks = (text ^ (u64::from(b' ') * EACH)).trailing_zeros() / 8;
    // Blanks become zeros.
    let digits = text | ((0x10 * EACH) & !u64::MAX.checked_shl(8 * blanks)?);
    let values = digits ^ (u64::from(b'0') * EACH);
    if (values | values.wrapping_add(6 * EACH)) & (0xf0 * EACH) != 0 {
        return None;
    }
    let pairs = (10 * values + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (100 * pairs + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((10_000 * fours + (fours >> 32)) as u32)
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

/// Removes an address and a port from a text and returns them.
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
    // Digits are below 16, so only a byte that is not a digit sets the high bits. One check at
    // the end is faster than a branch for each byte.
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

#[cfg(all(test, feature = "cli"))]
mod tests;
