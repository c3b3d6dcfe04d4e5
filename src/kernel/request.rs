//! Requests to the kernel: a change or a question, as the payload of a message.

use netlink_packet_core::Emitable;
use netlink_packet_generic::GenlFamily;

use super::attribute::{Attributes, Length, Writer};
use super::{daemon, info, server, service};
use crate::model::{Change, ServiceId};

/// The name of the generic netlink family, and its version.
pub const FAMILY: &str = "IPVS";
const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    Change(&'a Change),
    Query(Query<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    Service(&'a ServiceId),
    Services,
    Servers(&'a ServiceId),
    Daemons,
    Timeouts,
    Info,
}

impl Query<'_> {
    fn command(&self) -> u8 {
        match self {
            Self::Service(_) | Self::Services => service::GET,
            Self::Servers(_) => server::GET,
            Self::Daemons => daemon::GET,
            Self::Timeouts => info::GET_CONFIG,
            Self::Info => info::GET_INFO,
        }
    }

    /// The command in the header of an answer: the one that would set what it reports.
    pub fn answer(&self) -> u8 {
        match self {
            Self::Service(_) | Self::Services => service::NEW,
            Self::Servers(_) => server::NEW,
            Self::Daemons => daemon::NEW,
            Self::Timeouts => info::SET_CONFIG,
            Self::Info => info::SET_INFO,
        }
    }

    fn describe(&self, out: &mut impl Attributes) {
        match *self {
            Self::Service(id) | Self::Servers(id) => service::write_key(out, id),
            Self::Services | Self::Daemons | Self::Timeouts | Self::Info => {}
        }
    }
}

fn command(change: &Change) -> u8 {
    match change {
        Change::AddService(_) => service::NEW,
        Change::EditService(_) => service::SET,
        Change::DeleteService(_) => service::DELETE,
        Change::AddServer(..) => server::NEW,
        Change::EditServer(..) => server::SET,
        Change::DeleteServer(..) => server::DELETE,
        Change::Flush => service::FLUSH,
        Change::Zero(_) => service::ZERO,
        Change::SetTimeouts(_) => info::SET_CONFIG,
        Change::StartDaemon(_) => daemon::NEW,
        Change::StopDaemon(_) => daemon::DELETE,
    }
}

fn describe(change: &Change, out: &mut impl Attributes) {
    match change {
        Change::AddService(service) | Change::EditService(service) => service::write(out, service),
        Change::DeleteService(id) | Change::Zero(Some(id)) => service::write_key(out, id),
        Change::AddServer(id, server) | Change::EditServer(id, server) => {
            service::write_key(out, id);
            server::write(out, server);
        }
        Change::DeleteServer(id, server) => {
            service::write_key(out, id);
            server::write_key(out, server);
        }
        Change::Zero(None) | Change::Flush => {}
        Change::SetTimeouts(timeouts) => info::write_timeouts(out, timeouts),
        Change::StartDaemon(daemon) => daemon::write(out, daemon),
        Change::StopDaemon(role) => daemon::write_key(out, *role),
    }
}

impl GenlFamily for Payload<'_> {
    fn family_name() -> &'static str {
        FAMILY
    }

    fn command(&self) -> u8 {
        match self {
            Self::Change(change) => command(change),
            Self::Query(query) => query.command(),
        }
    }

    fn version(&self) -> u8 {
        VERSION
    }
}

impl Payload<'_> {
    fn describe(&self, out: &mut impl Attributes) {
        match self {
            Self::Change(change) => describe(change, out),
            Self::Query(query) => query.describe(out),
        }
    }
}

impl Emitable for Payload<'_> {
    fn buffer_len(&self) -> usize {
        let mut length = Length(0);
        self.describe(&mut length);
        length.0
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.describe(&mut Writer::new(buffer));
        #[cfg(feature = "mutants")]
        if let Self::Change(_) = self {
            super::mutants::flip(buffer);
        }
    }
}
