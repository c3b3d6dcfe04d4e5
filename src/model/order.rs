//! The order in which tables are shown. It is that of the original `ipvsadm`, quirks included.
//!
//! Values are compared as signed 32-bit differences that may wrap around, so 192.168.0.1 sorts
//! before 10.0.0.1 and the order of three items need not be transitive. The output therefore
//! depends on the sorting algorithm too, so this is the C library's top-down merge sort.
//! (Rust's own sorts may panic on a comparison that is not an order.)

use std::mem;
use std::net::IpAddr;

use super::{Entry, Family, ServerId, ServerState, ServiceId};

/// Sorts services, and the servers within each.
pub fn sort_table(entries: &mut [Entry]) {
    for entry in entries.iter_mut() {
        sort_servers(&mut entry.servers);
    }
    let key = |entry: &Entry| service_key(&entry.service.service.id);
    merge_sort(entries, key, precedes);
}

fn sort_servers(servers: &mut [ServerState]) {
    let key = |state: &ServerState| server_key(&state.server.id);
    merge_sort(servers, key, server_precedes);
}

/// The sort key of services; the first difference counts. Family and protocol are small, so
/// they are compared as one number.
fn service_key(id: &ServiceId) -> [u32; 7] {
    match *id {
        ServiceId::Mark { mark, family } => [mark.get(), family_number(family), 0, 0, 0, 0, 0],
        ServiceId::Address {
            protocol,
            address,
            port,
        } => {
            let [a, b, c, d] = quarters(address);
            let kind = family_number(Family::of(address)) | u32::from(protocol.0);
            [0, kind, a, b, c, d, port.into()]
        }
    }
}

fn server_key(id: &ServerId) -> (Family, [u32; 5]) {
    let [a, b, c, d] = quarters(id.address);
    (id.family(), [a, b, c, d, id.port.into()])
}

/// The family of the left one decides how many numbers of the addresses are compared.
fn server_precedes(left: &(Family, [u32; 5]), right: &(Family, [u32; 5])) -> bool {
    let ((family, left), (_, right)) = (left, right);
    match family {
        Family::V4 => precedes(&[left[0], left[4]], &[right[0], right[4]]),
        Family::V6 => precedes(left, right),
    }
}

fn precedes<const N: usize>(left: &[u32; N], right: &[u32; N]) -> bool {
    let mut pairs = left.iter().zip(right);
    let difference = pairs.find(|(left, right)| left != right);
    difference.is_none_or(|(left, right)| (left.wrapping_sub(*right) as i32) < 0)
}

fn family_number(family: Family) -> u32 {
    match family {
        Family::V4 => 2 << 16,
        Family::V6 => 10 << 16,
    }
}

/// An address as four numbers; an IPv4 address is its own and three zeros.
fn quarters(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(v4) => [v4.to_bits(), 0, 0, 0],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

/// Sorts like the standard library's sort, in a tenth of the code. It is for lists that are short
/// or sorted only once.
#[doc(hidden)]
#[cfg(feature = "cli")]
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    merge_sort(items, key, |left, right| left <= right);
}

/// A stable top-down merge sort. The left half has n/2 items, and the left item comes first if it
/// precedes the right one.
pub(super) fn merge_sort<T, K>(
    items: &mut [T],
    key: impl Fn(&T) -> K,
    precedes: impl Fn(&K, &K) -> bool + Copy,
) {
    if items.len() < 2 {
        return;
    }
    let keys: Vec<K> = items.iter().map(key).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut spare = vec![0; items.len() / 2];
    merge_halves(&keys, &mut order, &mut spare, precedes);
    arrange(items, order);
}

fn merge_halves<K>(
    keys: &[K],
    order: &mut [usize],
    spare: &mut [usize],
    precedes: impl Fn(&K, &K) -> bool + Copy,
) {
    match order {
        [] | [_] => return,
        [left, right] => {
            if !precedes(&keys[*left], &keys[*right]) {
                mem::swap(left, right);
            }
            return;
        }
        _ => {}
    }
    let middle = order.len() / 2;
    merge_halves(keys, &mut order[..middle], spare, precedes);
    merge_halves(keys, &mut order[middle..], spare, precedes);

    let left = &mut spare[..middle];
    left.copy_from_slice(&order[..middle]);
    let (mut next_left, mut next_right) = (0, middle);
    while let (Some(&l), Some(&r)) = (left.get(next_left), order.get(next_right)) {
        let to = next_left + next_right - middle;
        if precedes(&keys[l], &keys[r]) {
            order[to] = l;
            next_left += 1;
        } else {
            order[to] = r;
            next_right += 1;
        }
    }
    let to = next_left + next_right - middle;
    order[to..next_right].copy_from_slice(&left[next_left..]);
}

/// Puts the items in order. `order` holds their current indices.
fn arrange<T>(items: &mut [T], mut order: Vec<usize>) {
    for first in 0..items.len() {
        // Follows a cycle: each item moves to the place that the one before it left.
        let mut to = first;
        loop {
            let from = mem::replace(&mut order[to], to);
            if from == first {
                break;
            }
            items.swap(to, from);
            to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut items: Vec<(u32, char)>) -> String {
        merge_sort(&mut items, |item| [item.0], precedes);
        items.into_iter().map(|item| item.1).collect()
    }

    #[test]
    fn equal_items_keep_their_order() {
        let items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (2, 'e')];
        assert_eq!(sorted(items), "bdace");
        assert_eq!(sorted(vec![(1, 'a'), (1, 'b')]), "ab");
    }

    #[test]
    fn high_addresses_wrap_around_before_low_ones() {
        assert_eq!(sorted(vec![(0x0a00_0001, 'l'), (0xc0a8_0001, 'h')]), "hl");
    }

    #[test]
    fn servers_compare_by_the_family_of_the_left_one() {
        let key = |address: &str| {
            server_key(&ServerId {
                address: address.parse().unwrap(),
                port: 80,
            })
        };
        let (v4, v6) = (key("10.0.0.1"), key("a00:1::5"));
        assert!(server_precedes(&v4, &v6));
        assert!(!server_precedes(&v6, &v4));
    }
}
