//! Checks whether a table with this many IPv4 services has no IPv6 services.
//!
//! The socket options list all IPv4 services at once, in linear time, but no IPv6 services. A list
//! over netlink has both, but takes quadratic time: six seconds for 100,000 services. Nothing
//! before Linux 7.2 counts both, `/proc/net/ip_vs` is quadratic too, and a list over netlink cannot
//! begin in the middle. So a large table would have to be listed the slow way, just to learn that
//! it has no IPv6 services.
//!
//! But each service of either family is a use of the module `ip_vs`, and `/proc/modules` shows how
//! many uses there are. If there are no more uses than IPv4 services, there are no IPv6 services.
//!
//! A wrong answer must be "no": then the list is just slow.
//!
//! - Services and daemons of other network namespaces, and modules that hold `ip_vs` in ways
//!   unknown here, are further uses: the answer is no.
//! - The module is built into the kernel, or `/proc/modules` cannot be read: no.
//! - A scheduler that is being loaded or unloaded may be one use or two. It counts as one, so the
//!   answer may be no.
//! - Other programs may change services or daemons between two readings: a deleted IPv4 service or
//!   a stopped daemon can then hide a new IPv6 service. All numbers are read several times, and
//!   this would have to happen each time.

use std::collections::HashSet;
use std::fs;

use super::netlink::Netlink;
use crate::model::terms::{ENGINES, SCHEDULERS};

/// Whether a module `ip_vs_NAME` registers itself with IPVS. It then counts as two uses: as a
/// module that needs `ip_vs`, and as a registered scheduler or engine. (The scheduler `twos` is in
/// the kernel's sources, but no distribution builds it.)
fn registers(name: &str) -> bool {
    let is_in = |words: &[(&str, &str)], name| words.iter().any(|(word, _)| *word == name);
    let engine = name.strip_prefix("pe_");
    name == "twos" || is_in(SCHEDULERS, name) || engine.is_some_and(|name| is_in(ENGINES, name))
}

/// How many times all numbers are read.
const READINGS: usize = 8;

/// Whether there are `count` services, all of them IPv4.
pub fn only_ipv4(netlink: &mut Netlink, count: usize) -> bool {
    (0..READINGS).all(|_| {
        let daemons = netlink
            .socket_options()
            .daemons()
            .ok()
            .map(|daemons| daemons.len());
        let uses = daemons.map(|daemons| count + daemons);
        uses.is_some()
            && netlink.uses() == uses
            && netlink.socket_options().count().ok() == Some(count)
    })
}

/// The number of services and daemons of both families in all network namespaces, or a larger
/// number.
pub fn uses() -> Option<usize> {
    uses_in(&fs::read_to_string("/proc/modules").ok()?)
}

/// Reads lines such as `ip_vs 184320 12 ip_vs_wrr,ip_vs_rr, Live 0x00000000`. The newest modules
/// come first, so all modules that need `ip_vs` come before it.
fn uses_in(modules: &str) -> Option<usize> {
    let mut registered = HashSet::new();
    for line in modules.lines() {
        let mut words = line.split(' ');
        let name = words.next()?;
        let mut words = words.skip(1);
        if name == "ip_vs" {
            let all: usize = words.next()?.parse().ok()?;
            let needed_by = words.next()?.split_terminator(',');
            let needed_by = needed_by.filter(|&module| module != "-");
            let uses = needed_by.map(|module| if registered.contains(module) { 2 } else { 1 });
            return all.checked_sub(uses.sum());
        }
        if name.strip_prefix("ip_vs_").is_some_and(registers) && words.nth(2) == Some("Live") {
            registered.insert(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::uses_in;

    #[test]
    fn uses_are_those_beyond_other_modules() {
        let cases = [
            ("ip_vs 184320 0 - Live 0x0000000000000000", Some(0)),
            ("ip_vs 184320 7 - Live 0x0000000000000000", Some(7)),
            (
                "ip_vs_rr 1 6 - Live 0x0\n\
                 ip_vs_wrr 1 0 - Live 0x0\n\
                 ip_vs_pe_sip 1 0 - Live 0x0\n\
                 ip_vs 1 12 ip_vs_rr,ip_vs_wrr,ip_vs_pe_sip, Live 0x0",
                Some(6),
            ),
            (
                "ip_vs_twos 1 1 - Live 0x0\nip_vs 1 3 ip_vs_twos, Live 0x0",
                Some(1),
            ),
            // A module not known to register itself counts once.
            (
                "xt_ipvs 1 0 - Live 0x0\n\
                 ip_vs_mine 1 0 - Live 0x0\n\
                 ip_vs_rr 1 6 - Live 0x0\n\
                 ip_vs 1 12 ip_vs_rr,ip_vs_mine,xt_ipvs, Live 0x0",
                Some(8),
            ),
            // A module that is being loaded or unloaded may be registered or not.
            (
                "ip_vs_rr 1 1 - Loading 0x0\nip_vs 1 8 ip_vs_rr, Live 0x0",
                Some(7),
            ),
            (
                "ip_vs_rr 1 1 - Unloading 0x0\nip_vs 1 8 ip_vs_rr, Live 0x0",
                Some(7),
            ),
            (
                "ip_vs_rr 1 0 - Live 0x0\nip_vs 1 1 ip_vs_rr, Live 0x0",
                None,
            ),
            // Built into the kernel, and unreadable input.
            ("ip_vs_rr 16384 1 - Live 0x0", None),
            ("ip_vs", None),
            ("ip_vs 1 x - Live", None),
            ("", None),
        ];
        for (modules, uses) in cases {
            assert_eq!(uses_in(modules), uses, "{modules}");
        }
    }
}
