//! The counters of services and servers over netlink.

use super::attribute::{number, walk};
use super::error::Malformed;
use crate::model::Stats;

const CONNS: u16 = 1;
const INPKTS: u16 = 2;
const OUTPKTS: u16 = 3;
const INBYTES: u16 = 4;
const OUTBYTES: u16 = 5;
const CPS: u16 = 6;
const INPPS: u16 = 7;
const OUTPPS: u16 = 8;
const INBPS: u16 = 9;
const OUTBPS: u16 = 10;

/// The counters as they were sent: every kernel sends 32 bits, newer ones also 64.
#[derive(Default)]
pub struct Counters<'a> {
    pub narrow: Option<&'a [u8]>,
    pub wide: Option<&'a [u8]>,
}

impl Counters<'_> {
    pub fn read(&self) -> Result<Stats, Malformed> {
        let mut stats = Stats::default();
        for attribute in walk(self.wide.or(self.narrow).unwrap_or_default()) {
            let (kind, value) = attribute?;
            let counter = match kind {
                CONNS => &mut stats.connections,
                INPKTS => &mut stats.in_packets,
                OUTPKTS => &mut stats.out_packets,
                INBYTES => &mut stats.in_bytes,
                OUTBYTES => &mut stats.out_bytes,
                CPS => &mut stats.connection_rate,
                INPPS => &mut stats.in_packet_rate,
                OUTPPS => &mut stats.out_packet_rate,
                INBPS => &mut stats.in_byte_rate,
                OUTBPS => &mut stats.out_byte_rate,
                _ => continue,
            };
            *counter = match value.len() {
                4 => number::<u32>(value)?.into(),
                _ => number(value)?,
            };
        }
        Ok(stats)
    }
}
