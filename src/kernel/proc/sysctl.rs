//! The settings of IPVS below `/proc/sys/net/ipv4/vs`, which each network namespace has.

use std::fs;

use super::SYSCTLS;
use crate::kernel::netns::Home;
use crate::model::drain::Tuning;

/// The settings that drains depend on; `None` if unreadable.
pub fn tuning(home: &Home) -> Tuning {
    let read = || Tuning {
        expire_quiescent_template: number(home, "expire_quiescent_template"),
        expire_nodest_conn: number(home, "expire_nodest_conn"),
        conn_reuse_mode: number(home, "conn_reuse_mode"),
    };
    home.run(read).unwrap_or_default()
}

fn number(home: &Home, name: &str) -> Option<i64> {
    let text = fs::read_to_string(format!("{}/{SYSCTLS}/{name}", home.proc())).ok()?;
    text.trim().parse().ok()
}
