//! Addresses as the C library writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::out::Out;

pub fn address(out: &mut Out, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

/// Laid out in one piece: there are more of these than of anything else.
pub fn ipv4(out: &mut Out, address: Ipv4Addr) {
    let mut text = [b'.'; 15];
    let mut end = 0;
    for octet in address.octets() {
        for (least, unit) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text[end] = b'0' + octet / unit % 10;
                end += 1;
            }
        }
        end += 1;
    }
    out.text(&text[..end - 1]);
}

/// The C library takes an address of six zeros and two other groups for an IPv4 address in
/// disguise, Rust does not.
fn ipv6(out: &mut Out, address: Ipv6Addr) {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            out.text("::");
            ipv4(
                out,
                Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)),
            );
        }
        _ => drop(out.text(address.to_string())),
    }
}
