//! IPVS as a module of the kernel.

use std::process::{Command, Stdio};

use super::socket::keep_descriptors_from;

/// Loads the module `ip_vs` by running `/sbin/modprobe`, which needs root.
///
/// To see whether it worked, ask the kernel again: the output and exit status of the program are
/// ignored.
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
