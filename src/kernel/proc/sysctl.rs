//! The settings of IPVS below `/proc/sys/net/ipv4/vs`, which each network namespace has.

use std::fs;

use crate::kernel::netns::Home;
use crate::model::drain::Tuning;

/// What drains depend on. What cannot be read is not known.
pub fn tuning(home: &Home) -> Tuning {
    let read = || {
        Ok(Tuning {
            expire_quiescent_template: number("expire_quiescent_template"),
            expire_nodest_conn: number("expire_nodest_conn"),
            conn_reuse_mode: number("conn_reuse_mode"),
        })
    };
    home.run(read).unwrap_or_default()
}

fn number(name: &str) -> Option<i64> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/vs/{name}")).ok()?;
    text.trim().parse().ok()
}
