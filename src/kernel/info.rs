//! The version of IPVS and the timeouts over netlink.

use super::attribute::{Attributes, find, number};
use super::error::Malformed;
use crate::model::{Info, Timeouts};

pub const SET_CONFIG: u8 = 12;
pub const GET_CONFIG: u8 = 13;
/// The command in an answer to `GET_INFO`, not allowed in a request.
pub const SET_INFO: u8 = 14;
pub const GET_INFO: u8 = 15;

const TIMEOUT_TCP: u16 = 4;
const TIMEOUT_TCP_FIN: u16 = 5;
const TIMEOUT_UDP: u16 = 6;

/// The answer to `GET_INFO` has its own attribute numbers.
const VERSION: u16 = 1;
const CONN_TAB_SIZE: u16 = 2;

pub fn read(attributes: &[u8]) -> Result<Info, Malformed> {
    Ok(Info {
        version: number(find(attributes, VERSION)?)?,
        connection_table_size: number(find(attributes, CONN_TAB_SIZE)?)?,
    })
}

pub fn write_timeouts(out: &mut impl Attributes, timeouts: &Timeouts) {
    out.u32(TIMEOUT_TCP, timeouts.tcp);
    out.u32(TIMEOUT_TCP_FIN, timeouts.tcp_fin);
    out.u32(TIMEOUT_UDP, timeouts.udp);
}

pub fn read_timeouts(attributes: &[u8]) -> Result<Timeouts, Malformed> {
    Ok(Timeouts {
        tcp: number(find(attributes, TIMEOUT_TCP)?)?,
        tcp_fin: number(find(attributes, TIMEOUT_TCP_FIN)?)?,
        udp: number(find(attributes, TIMEOUT_UDP)?)?,
    })
}
