//! IPVS as a module of the kernel: bringing it in, and what its use tells.

use std::fs;
use std::process::{Command, Stdio};

use super::socket::keep_descriptors_from;

/// What registers itself with IPVS and thereby counts twice: as a module that needs it and as
/// one that is in use.
const REGISTERED: &[&str] = &[
    "dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "pe_sip", "rr", "sed", "sh", "twos",
    "wlc", "wrr",
];

/// Loads the module if it can. Whether it could is seen by asking the kernel again, so neither
/// the loader's words nor its exit status matter.
pub fn load() {
    let mut modprobe = Command::new("/sbin/modprobe");
    keep_descriptors_from(&mut modprobe);
    let _ = modprobe
        .args(["--", "ip_vs"])
        .env_clear()
        .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// How many services and daemons there are, of both families, in all network namespaces: each
/// is a use of the module. Other uses may be counted in; none is left out.
pub fn uses() -> Option<usize> {
    let modules = fs::read_to_string("/proc/modules").ok()?;
    modules.lines().find_map(uses_in_line)
}

/// Reads a line such as `ip_vs 184320 12 ip_vs_wrr,ip_vs_rr, Live 0x00000000`.
fn uses_in_line(line: &str) -> Option<usize> {
    let mut words = line.split(' ');
    if words.next()? != "ip_vs" {
        return None;
    }
    let all: usize = words.nth(1)?.parse().ok()?;
    let by_modules = words
        .next()?
        .split_terminator(',')
        .filter(|&module| module != "-")
        .map(|module| match module.strip_prefix("ip_vs_") {
            Some(name) if REGISTERED.contains(&name) => 2,
            _ => 1,
        })
        .sum();
    all.checked_sub(by_modules)
}

#[cfg(test)]
mod tests {
    use super::uses_in_line;

    #[test]
    fn uses_are_those_beyond_other_modules() {
        let cases = [
            ("ip_vs 184320 0 - Live 0x0000000000000000", Some(0)),
            ("ip_vs 184320 7 - Live 0x0000000000000000", Some(7)),
            (
                "ip_vs 1 12 ip_vs_rr,ip_vs_wrr,ip_vs_pe_sip, Live 0x0",
                Some(6),
            ),
            // What is not known to register itself is taken to count once.
            ("ip_vs 1 12 ip_vs_rr,ip_vs_mine,xt_ipvs, Live 0x0", Some(8)),
            ("ip_vs 1 1 ip_vs_rr, Live 0x0", None),
            ("ip_vs_rr 16384 1 - Live 0x0", None),
            ("ip_vs", None),
            ("ip_vs 1 x - Live", None),
            ("", None),
        ];
        for (line, uses) in cases {
            assert_eq!(uses_in_line(line), uses, "{line}");
        }
    }
}
