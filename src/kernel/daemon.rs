//! A synchronisation daemon over netlink.

use std::net::IpAddr;

use super::attribute::{Attributes, exactly, find, number, walk};
use super::error::Malformed;
use crate::model::{Daemon, DaemonRole, Name};

pub const NEW: u8 = 9;
pub const DELETE: u8 = 10;
pub const GET: u8 = 11;

/// The attribute that contains the ones below.
const DAEMON: u16 = 3;

const STATE: u16 = 1;
const MCAST_IFN: u16 = 2;
const SYNC_ID: u16 = 3;
const SYNC_MAXLEN: u16 = 4;
const MCAST_GROUP: u16 = 5;
const MCAST_GROUP6: u16 = 6;
/// In the machine's own byte order, unlike all other ports.
const MCAST_PORT: u16 = 7;
const MCAST_TTL: u16 = 8;

pub fn write_key(out: &mut impl Attributes, role: DaemonRole) {
    out.nest(DAEMON, |out| out.u32(STATE, state(role)));
}

pub fn write(out: &mut impl Attributes, daemon: &Daemon) {
    out.nest(DAEMON, |out| {
        out.u32(STATE, state(daemon.role));
        out.name(MCAST_IFN, daemon.interface.as_bytes());
        out.u32(SYNC_ID, daemon.sync_id);
        if let Some(length) = daemon.max_length {
            out.u16(SYNC_MAXLEN, length);
        }
        match daemon.group {
            Some(IpAddr::V4(group)) => out.bytes(MCAST_GROUP, &group.octets()),
            Some(IpAddr::V6(group)) => out.bytes(MCAST_GROUP6, &group.octets()),
            None => {}
        }
        if let Some(port) = daemon.port {
            out.u16(MCAST_PORT, port);
        }
        if let Some(ttl) = daemon.ttl {
            out.u8(MCAST_TTL, ttl);
        }
    });
}

pub fn read(attributes: &[u8]) -> Result<Daemon, Malformed> {
    let mut role = None;
    let mut interface = None;
    let mut sync_id = None;
    let mut max_length = None;
    let mut group = None;
    let mut port = None;
    let mut ttl = None;
    for attribute in walk(find(attributes, DAEMON)?) {
        let (kind, value) = attribute?;
        match kind {
            STATE => role = Some(self::role(number(value)?)?),
            MCAST_IFN => interface = Name::cut(value),
            SYNC_ID => sync_id = Some(number(value)?),
            SYNC_MAXLEN => max_length = Some(number(value)?),
            MCAST_GROUP => group = Some(IpAddr::from(exactly::<4>(value)?)),
            MCAST_GROUP6 => group = Some(IpAddr::from(exactly::<16>(value)?)),
            MCAST_PORT => port = Some(number(value)?),
            MCAST_TTL => ttl = Some(number(value)?),
            _ => {}
        }
    }
    Ok(Daemon {
        role: role.ok_or(Malformed("a daemon without a role"))?,
        interface: interface.ok_or(Malformed("a daemon without an interface"))?,
        sync_id: sync_id.ok_or(Malformed("a daemon without a syncid"))?,
        max_length,
        group,
        port,
        ttl,
    })
}

const MASTER: u32 = 1;
const BACKUP: u32 = 2;

pub fn state(role: DaemonRole) -> u32 {
    match role {
        DaemonRole::Master => MASTER,
        DaemonRole::Backup => BACKUP,
    }
}

pub fn role(state: u32) -> Result<DaemonRole, Malformed> {
    match state {
        MASTER => Ok(DaemonRole::Master),
        BACKUP => Ok(DaemonRole::Backup),
        _ => Err(Malformed("an unknown kind of daemon")),
    }
}
