//! The listening sockets of programs, from files such as `/proc/net/tcp`.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses and ports at which programs listen.
pub fn listening() -> HashSet<(IpAddr, u16)> {
    // State 0A is a listening TCP socket, and 07 a UDP socket without a peer.
    let files = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];
    let texts = files.map(|(file, state)| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        (text.unwrap_or_default(), state)
    });
    let found = texts.iter().flat_map(|(text, state)| in_state(text, state));
    found.collect()
}

/// The local addresses and ports of the sockets in a state.
fn in_state<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = (IpAddr, u16)> + 'a {
    text.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let (address, port) = fields.nth(1)?.split_once(':')?;
        let state = fields.nth(1)?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (state == wanted).then_some((hexadecimal(address)?, port))
    })
}

/// An address as words of 32 bits in the machine's own byte order.
fn hexadecimal(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    let octets: [u8; 16] = words.concat().try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_programs_are_found() {
        let text = "\
  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0050 00000000:0000 0A 00000000:00000000
   1: 0100007F:0051 00000000:0000 0A 00000000:00000000
   2: 0100007F:0052 0100007F:1234 01 00000000:00000000
";
        let found: Vec<_> = in_state(text, "0A").collect();
        let unspecified = IpAddr::from([0; 4]);
        let local = u32::from_str_radix("0100007F", 16).unwrap().to_ne_bytes();
        assert_eq!(found, [(unspecified, 80), (local.into(), 81)]);
        let zeros = "0".repeat(32);
        assert_eq!(hexadecimal(&zeros), Some(Ipv6Addr::UNSPECIFIED.into()));
        assert_eq!(hexadecimal("0"), None);
    }
}
