//! The kernel's network counters, as pairs of lines in `/proc/net/netstat`.

use std::fs;

/// The number of packets that `rp_filter` has dropped.
pub fn filtered_packets() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/netstat");
    counter(&text.unwrap_or_default(), "TcpExt:", "IPReversePathFilter").unwrap_or(0)
}

/// A counter of a group. The first line of the group has the names, and the second the values.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(of, _)| *of == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_names() {
        let text = "TcpExt: A IPReversePathFilter B\nTcpExt: 1 23 4\nIpExt: A\nIpExt: 5\n";
        assert_eq!(counter(text, "TcpExt:", "IPReversePathFilter"), Some(23));
        assert_eq!(counter(text, "IpExt:", "A"), Some(5));
        assert_eq!(counter(text, "IpExt:", "B"), None);
        assert_eq!(counter("", "IpExt:", "B"), None);
    }
}
