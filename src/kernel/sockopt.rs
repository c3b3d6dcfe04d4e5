//! The old interface of IPVS: socket options.
//!
//! It knows only IPv4, no persistence engines, tunnels or 64-bit counters, and makes one change
//! at a time. But it needs fewer rights: in a user namespace the kernel refuses IPVS over netlink
//! even to root. It also lists all services as they were at one moment, with the number of servers
//! of each, in linear time, unlike netlink (see `only_ipv4.rs`).

mod structures;

use std::io;
use std::mem;

use self::structures::{
    Fields, NAME, NOT_HERE, SERVER, SERVERS_HEADER, SERVICE, SERVICES_HEADER, Writer,
};
use super::daemon;
use super::error::{Error, Malformed, Result};
use super::transport::Transport;
use crate::model::{Change, Daemon, Info, ServerState, ServiceId, ServiceState, Timeouts};

/// The numbers of the options, at the level of IP. Those for getting and for setting overlap.
mod option {
    pub const GET_INFO: i32 = 1153;
    pub const GET_SERVICES: i32 = 1154;
    pub const GET_SERVICE: i32 = 1155;
    pub const GET_DESTS: i32 = 1156;
    pub const GET_TIMEOUT: i32 = 1158;
    pub const GET_DAEMON: i32 = 1159;

    pub const SET_ADD: i32 = 1154;
    pub const SET_EDIT: i32 = 1155;
    pub const SET_DEL: i32 = 1156;
    pub const SET_FLUSH: i32 = 1157;
    pub const SET_ADDDEST: i32 = 1159;
    pub const SET_DELDEST: i32 = 1160;
    pub const SET_EDITDEST: i32 = 1161;
    pub const SET_TIMEOUT: i32 = 1162;
    pub const SET_STARTDAEMON: i32 = 1163;
    pub const SET_STOPDAEMON: i32 = 1164;
    pub const SET_ZERO: i32 = 1167;
}

/// Space for entries that are added between counting and listing.
const SLACK: usize = 4;

/// The most entries to make room for at first, whatever the kernel counts.
const FIRST_ROOM: usize = 64 * 1024;

/// The version, the size of the connection table and the number of services.
const INFO: usize = 3 * 4;

/// The timeouts for TCP, for TCP after a FIN and for UDP.
const TIMEOUTS: usize = 3 * 4;

/// Two daemons: the role, the name of the interface and the syncid of each.
const DAEMONS: usize = 2 * (4 + NAME + 4);

/// A service structure of zeros, for requests without a service: 44 bytes.
const NO_SERVICE: [u32; 11] = [0; 11];

/// The numbers after the key of a server: method, weight and thresholds.
const NO_SETTINGS: [u32; 4] = [0; 4];

/// The kernel takes the length of a value as a signed 32-bit number.
const LONGEST: usize = i32::MAX as usize;

/// How many times to count servers if their number keeps changing.
const MOST_RECOUNTS: usize = 10;

/// The options of one socket, and a buffer to use with them.
pub struct SocketOptions<'a> {
    transport: &'a mut dyn Transport,
    buffer: &'a mut Vec<u8>,
}

impl<'a> SocketOptions<'a> {
    pub fn new(transport: &'a mut dyn Transport, buffer: &'a mut Vec<u8>) -> Self {
        Self { transport, buffer }
    }

    pub fn apply(&mut self, change: &Change) -> Result<()> {
        let mut value = Writer(&mut *self.buffer);
        value.0.clear();
        let option = match change {
            Change::AddService(service) => {
                value.service(service)?;
                option::SET_ADD
            }
            Change::EditService(service) => {
                value.service(service)?;
                option::SET_EDIT
            }
            Change::DeleteService(id) => {
                value.service_key(id)?;
                option::SET_DEL
            }
            Change::AddServer(id, server) => {
                value.server(id, server)?;
                option::SET_ADDDEST
            }
            Change::EditServer(id, server) => {
                value.server(id, server)?;
                option::SET_EDITDEST
            }
            Change::DeleteServer(id, server) => {
                value.service_key(id)?;
                value.server_key(server)?;
                value.numbers(NO_SETTINGS);
                option::SET_DELDEST
            }
            Change::Flush => option::SET_FLUSH,
            Change::Zero(Some(id)) => {
                value.service_key(id)?;
                option::SET_ZERO
            }
            Change::Zero(None) => {
                value.numbers(NO_SERVICE);
                option::SET_ZERO
            }
            Change::SetTimeouts(timeouts) => {
                value.numbers([timeouts.tcp, timeouts.tcp_fin, timeouts.udp]);
                option::SET_TIMEOUT
            }
            Change::StartDaemon(daemon) => {
                value.daemon(daemon)?;
                option::SET_STARTDAEMON
            }
            Change::StopDaemon(role) => {
                value.numbers([daemon::state(*role), 0, 0, 0, 0, 0]);
                option::SET_STOPDAEMON
            }
        };
        loop {
            match self.transport.set_option(option, self.buffer) {
                // The daemon has stopped. Its thread had not started yet.
                Err(error) if interrupted(&error) && option == option::SET_STOPDAEMON => {
                    return Ok(());
                }
                Err(error) if interrupted(&error) => {}
                outcome => return outcome.map_err(refused),
            }
        }
    }

    pub fn info(&mut self) -> Result<Info> {
        Ok(self.counted_info()?.0)
    }

    /// The number of services.
    pub fn count(&mut self) -> Result<usize> {
        Ok(self.counted_info()?.1 as usize)
    }

    fn counted_info(&mut self) -> Result<(Info, u32)> {
        self.buffer.clear();
        let mut fields = self.get(option::GET_INFO, INFO)?;
        let info = Info {
            version: fields.u32(),
            connection_table_size: fields.u32(),
        };
        Ok((info, fields.u32()))
    }

    pub fn timeouts(&mut self) -> Result<Timeouts> {
        self.buffer.clear();
        let mut fields = self.get(option::GET_TIMEOUT, TIMEOUTS)?;
        Ok(Timeouts {
            tcp: fields.u32(),
            tcp_fin: fields.u32(),
            udp: fields.u32(),
        })
    }

    pub fn daemons(&mut self) -> Result<Vec<Daemon>> {
        self.buffer.clear();
        let mut fields = self.get(option::GET_DAEMON, DAEMONS)?;
        let mut daemons = Vec::new();
        for _ in 0..2 {
            let (state, interface, sync_id) = (fields.u32(), fields.name(), fields.u32());
            if state != 0 {
                daemons.push(Daemon {
                    role: daemon::role(state)?,
                    interface: interface.ok_or(Malformed("a daemon without an interface"))?,
                    sync_id,
                    max_length: None,
                    group: None,
                    port: None,
                    ttl: None,
                });
            }
        }
        Ok(daemons)
    }

    /// A service and the number of its servers.
    pub fn service(&mut self, id: &ServiceId) -> Result<(ServiceState, usize)> {
        self.buffer.clear();
        Writer(self.buffer).service_key(id)?;
        Ok(self.get(option::GET_SERVICE, SERVICE)?.service())
    }

    /// All services as they were at one moment, each with the number of its servers.
    pub fn services(&mut self) -> Result<Snapshot> {
        let mut room = self.count()?.min(FIRST_ROOM) + SLACK;
        loop {
            self.buffer.clear();
            Writer(self.buffer).u32(room as u32);
            let length = SERVICES_HEADER + room * SERVICE;
            let fields = self.get(option::GET_SERVICES, length)?;
            let entries = fields.entries(SERVICES_HEADER, SERVICE);
            let count = entries.take_while(Fields::is_service).count();
            // The kernel fills the buffer and does not say whether there is more.
            if count < room {
                let bytes = mem::take(self.buffer);
                return Ok(Snapshot { bytes, count });
            }
            room *= 2;
        }
    }

    /// The servers of a service that had `count` servers. Refused if some of them are IPv6.
    pub fn servers(&mut self, id: &ServiceId, mut count: usize) -> Result<Vec<ServerState>> {
        for _ in 0..MOST_RECOUNTS {
            let servers = self.ipv4_servers(id, count)?;
            if servers.len() == count {
                return Ok(servers);
            }
            let (_, recount) = self.service(id)?;
            if recount == count {
                return Err(NOT_HERE);
            }
            count = recount;
        }
        Err(Error::NoAnswer)
    }

    /// The IPv4 servers of a service that had `count` servers of both families.
    fn ipv4_servers(&mut self, id: &ServiceId, count: usize) -> Result<Vec<ServerState>> {
        let mut room = count.min(FIRST_ROOM) + SLACK;
        loop {
            self.buffer.clear();
            let mut key = Writer(self.buffer);
            key.service_id(id)?;
            key.u32(room as u32);
            let fields = self.get(option::GET_DESTS, SERVERS_HEADER + room * SERVER)?;
            let entries = || fields.entries(SERVERS_HEADER, SERVER);
            let count = entries().take_while(Fields::is_server).count();
            if count < room {
                let servers = entries().take(count).map(|entry| entry.server());
                return Ok(servers.collect());
            }
            room *= 2;
        }
    }

    /// Reads an option into the buffer, which already contains the request.
    fn get(&mut self, option: i32, length: usize) -> Result<Fields<'_>> {
        if length > LONGEST {
            return Err(Error::Malformed(
                "it has more entries than a socket option can hold",
            ));
        }
        if length > self.buffer.capacity() {
            // A large allocation arrives zeroed, and costs nothing until it is used.
            let question = mem::replace(self.buffer, vec![0; length]);
            self.buffer[..question.len()].copy_from_slice(&question);
        } else {
            self.buffer.resize(length, 0);
        }
        while let Err(error) = self.transport.get_option(option, self.buffer) {
            if !interrupted(&error) {
                return Err(refused(error));
            }
        }
        Ok(Fields::new(self.buffer))
    }
}

fn interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

fn refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(errno) => Error::refused(errno),
        None => Error::Io(error),
    }
}

/// All IPv4 services as they were at one moment. They are kept as the kernel wrote them, which
/// takes less memory, and are read one by one.
pub struct Snapshot {
    bytes: Vec<u8>,
    count: usize,
}

impl Snapshot {
    pub fn len(&self) -> usize {
        self.count
    }

    /// The services, each with the number of its servers.
    pub fn services(&self) -> impl ExactSizeIterator<Item = (ServiceState, usize)> {
        let fields = Fields::new(&self.bytes);
        let entries = fields.entries(SERVICES_HEADER, SERVICE).take(self.count);
        entries.map(|entry| entry.service())
    }
}
