//! Timeouts and synchronisation daemons.

use std::io;

use crate::model::terms::Vocabulary;
use crate::model::{Daemon, Timeouts};
use crate::render::Out;
use crate::render::address::address;

pub fn timeouts(out: &mut Out, timeouts: &Timeouts) -> io::Result<()> {
    out.text("Timeout (tcp tcpfin udp): ").number(timeouts.tcp);
    out.text(" ").number(timeouts.tcp_fin);
    out.text(" ").number(timeouts.udp);
    out.end_row()
}

pub fn daemon(out: &mut Out, daemon: &Daemon) -> io::Result<()> {
    out.text(daemon.role.word().unwrap_or_default());
    out.text(" sync daemon (mcast=")
        .text(daemon.interface.as_bytes());
    out.text(", syncid=").number(daemon.sync_id);
    if let Some(length) = daemon.max_length {
        out.text(", maxlen=").number(length);
    }
    if let Some(group) = daemon.group {
        out.text(", group=");
        address(out, group);
    }
    if let Some(port) = daemon.port {
        out.text(", port=").number(port);
    }
    if let Some(ttl) = daemon.ttl {
        out.text(", ttl=").number(ttl);
    }
    out.text(")").end_row()
}
