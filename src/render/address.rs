//! Addresses as the C library writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::out::Out;

pub fn address(out: &mut Out, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

/// Assembled first and then copied at once, for speed: most of the output may be IPv4 addresses.
pub fn ipv4(out: &mut Out, address: Ipv4Addr) {
    let mut text = [0; 16];
    let mut end = 0;
    for octet in address.octets() {
        let (digits, length) = OCTETS[usize::from(octet)];
        text[end..end + 4].copy_from_slice(&digits);
        end += usize::from(length);
    }
    out.text(&text[..end - 1]);
}

/// Each octet in decimal with a dot after it, and the length of that text.
static OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (text, length) = &mut octets[octet];
        let mut unit = 100;
        while unit > 0 {
            if octet >= unit || unit == 1 {
                text[*length as usize] = b'0' + (octet / unit % 10) as u8;
                *length += 1;
            }
            unit /= 10;
        }
        *length += 1;
        octet += 1;
    }
    octets
};

/// The C library writes an address of six zeros and two other groups as an embedded IPv4 address;
/// Rust does not.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_written_as_the_library_writes_it() {
        for octet in 0..=255 {
            let written = Ipv4Addr::new(octet, 255 - octet, octet / 2, octet);
            let mut sink = std::io::sink();
            let mut out = Out::new(&mut sink);
            ipv4(&mut out, written);
            assert_eq!(out.unwritten(), written.to_string().as_bytes());
        }
    }
}
