//! Puts one mistake into each change, to prove that tests notice it. Releases do not include this.
//!
//! `IPVSADM_MUTANT` defines the mistake with four numbers: the outer attribute or 0, the attribute,
//! the position of a byte in its value, and the bits to flip there.

use netlink_packet_core::{NLA_HEADER_SIZE, NLA_TYPE_MASK};

/// Flips the bits, if these attributes contain the byte.
pub fn flip(attributes: &mut [u8]) {
    let Ok(mutant) = std::env::var("IPVSADM_MUTANT") else {
        return;
    };
    let numbers = mutant.split(' ').map(|number| number.parse());
    let numbers: Vec<u16> = numbers.collect::<Result<_, _>>().expect("numbers");
    let [around, own, place, bits] = numbers[..] else {
        panic!("a mutant has four numbers");
    };
    let inside = match around {
        0 => Some(attributes),
        _ => find(attributes, around),
    };
    let value = inside.and_then(|attributes| find(attributes, own));
    if let Some(byte) = value.and_then(|value| value.get_mut(usize::from(place))) {
        *byte ^= bits as u8;
    }
}

/// The value of an attribute, which has a header of a length and a kind.
fn find(mut attributes: &mut [u8], wanted: u16) -> Option<&mut [u8]> {
    while let [l0, l1, k0, k1, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK;
        if kind == wanted {
            return Some(&mut attributes[NLA_HEADER_SIZE..length]);
        }
        attributes = &mut attributes[length.next_multiple_of(4)..];
    }
    None
}
