//! The order in which tables are shown: the original's, with its habits.
//!
//! Values are compared as signed 32-bit differences that may wrap around, so 192.168.0.1 stands
//! before 10.0.0.1 and the order of three items need not be transitive. Its bytes therefore
//! depend on the sorting algorithm too: the C library's top-down merge sort, repeated here.
//! (Rust's own sorts may panic on a comparison that is not an order.)

use std::net::IpAddr;

use super::{Entry, Family, ServerId, ServerState, ServiceId};

/// Sorts services, and the servers within each.
pub fn sort_table(entries: &mut Vec<Entry>) {
    for entry in entries.iter_mut() {
        sort_servers(&mut entry.servers);
    }
    merge_sort(entries, |left, right| {
        service_precedes(&left.service.service.id, &right.service.service.id)
    });
}

fn sort_servers(servers: &mut Vec<ServerState>) {
    merge_sort(servers, |left, right| {
        server_precedes(&left.server.id, &right.server.id)
    });
}

fn service_precedes(left: &ServiceId, right: &ServiceId) -> bool {
    let key = |id: &ServiceId| match *id {
        ServiceId::Mark { mark, family } => (mark, family, 0, [0; 4], 0),
        ServiceId::Address {
            protocol,
            address,
            port,
        } => (
            0,
            Family::of(address),
            protocol.0.into(),
            words(address),
            port.into(),
        ),
    };
    let (left, right) = (key(left), key(right));
    first_difference([
        wrapping(left.0, right.0),
        family_number(left.1) - family_number(right.1),
        wrapping(left.2, right.2),
        wrapping_words(left.3, right.3),
        wrapping(left.4, right.4),
    ]) <= 0
}

/// The left one's family says how much of the addresses counts; the families themselves do not.
fn server_precedes(left: &ServerId, right: &ServerId) -> bool {
    let (ours, theirs) = (words(left.address), words(right.address));
    let by_address = match left.address {
        IpAddr::V4(_) => wrapping(ours[0], theirs[0]),
        IpAddr::V6(_) => wrapping_words(ours, theirs),
    };
    first_difference([by_address, wrapping(left.port.into(), right.port.into())]) <= 0
}

fn wrapping(left: u32, right: u32) -> i32 {
    left.wrapping_sub(right) as i32
}

fn wrapping_words(left: [u32; 4], right: [u32; 4]) -> i32 {
    first_difference([0, 1, 2, 3].map(|i| wrapping(left[i], right[i])))
}

fn first_difference<const N: usize>(differences: [i32; N]) -> i32 {
    differences.into_iter().find(|&d| d != 0).unwrap_or(0)
}

fn family_number(family: Family) -> i32 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

/// An address as four numbers; an IPv4 address is its own and three zeros.
fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(v4) => [v4.to_bits(), 0, 0, 0],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

/// Stable, top-down, the left half n/2 long, the left item first where it precedes.
fn merge_sort<T>(items: &mut Vec<T>, precedes: impl Fn(&T, &T) -> bool) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut spare = order.clone();
    merge_halves(&mut order, &mut spare, &|left, right| {
        precedes(&items[left], &items[right])
    });
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|index| taken[index].take()));
}

fn merge_halves(
    order: &mut [usize],
    spare: &mut [usize],
    precedes: &impl Fn(usize, usize) -> bool,
) {
    if order.len() < 2 {
        return;
    }
    let middle = order.len() / 2;
    let (left, right) = order.split_at_mut(middle);
    merge_halves(left, spare, precedes);
    merge_halves(right, spare, precedes);

    let spare = &mut spare[..order.len()];
    spare.copy_from_slice(order);
    let (mut left, mut right) = spare.split_at(middle);
    for slot in order {
        let from = match (left.first(), right.first()) {
            (Some(&l), Some(&r)) if precedes(l, r) => &mut left,
            (Some(_), None) => &mut left,
            _ => &mut right,
        };
        if let Some((&first, rest)) = from.split_first() {
            *slot = first;
            *from = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut items: Vec<(u32, char)>) -> String {
        merge_sort(&mut items, |l, r| wrapping(l.0, r.0) <= 0);
        items.into_iter().map(|item| item.1).collect()
    }

    #[test]
    fn equal_items_keep_their_order() {
        let items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (2, 'e')];
        assert_eq!(sorted(items), "bdace");
    }

    #[test]
    fn high_addresses_wrap_around_before_low_ones() {
        assert_eq!(sorted(vec![(0x0a00_0001, 'l'), (0xc0a8_0001, 'h')]), "hl");
    }

    #[test]
    fn servers_compare_by_the_family_of_the_left_one() {
        let id = |address: &str| ServerId {
            address: address.parse().unwrap(),
            port: 80,
        };
        let (v4, v6) = (id("10.0.0.1"), id("a00:1::5"));
        assert!(server_precedes(&v4, &v6));
        assert!(!server_precedes(&v6, &v4));
    }
}
