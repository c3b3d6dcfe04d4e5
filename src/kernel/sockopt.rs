//! The old interface of IPVS: socket options.
//!
//! It knows only IPv4, no persistence engines, tunnels or 64-bit counters, and makes one change
//! at a time. But it needs fewer rights: in a user namespace the kernel refuses IPVS over netlink
//! even to root. And it lists all services of one moment, with the number of servers of each, in
//! linear time. A list over netlink takes quadratic time.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use super::error::{Action, Error, Malformed, Refusal, Result};
use super::transport::Transport;
use super::{daemon, server, service};
use crate::model::{
    Change, Daemon, Family, Info, Mask, Name, Protocol, Scheduler, Server, ServerId, ServerState,
    Service, ServiceId, ServiceState, Stats, Timeouts, Tunnel,
};

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

/// The bytes of a name and its NUL.
const NAME: usize = 16;

/// For what only netlink can do.
const NOT_HERE: Error = Error::Refused(Refusal {
    action: Action::Read,
    errno: libc::EPERM,
});

/// Room for entries that are added between counting and listing.
const SLACK: usize = 16;

/// The most entries to make room for at first, whatever the kernel counts.
const FIRST_ROOM: usize = 64 * 1024;

/// The kernel takes the length of a value as a signed 32-bit number.
const LONGEST: usize = i32::MAX as usize;

/// How often to count servers whose number changes each time.
const MOST_RECOUNTS: usize = 10;

/// Sizes depend on how the machine aligns 64-bit numbers.
const WIDE: usize = align_of::<u64>();
const STATS: usize = (12usize.next_multiple_of(WIDE) + 16 + 20).next_multiple_of(WIDE);
const SERVICE: usize = 48usize.next_multiple_of(WIDE) + STATS;
const SERVER: usize = 40usize.next_multiple_of(WIDE) + STATS;
const SERVICES_HEADER: usize = 4usize.next_multiple_of(WIDE);
const SERVERS_HEADER: usize = 20usize.next_multiple_of(WIDE);

/// Where the name of a service's scheduler begins. It is never empty.
const SCHEDULER: usize = 16;

/// What the kernel reports for a service without a scheduler.
const NO_SCHEDULER: Scheduler = Scheduler::new(b"none").unwrap();

/// The options of one socket, and a buffer to use with them.
pub struct Options<'a> {
    transport: &'a mut dyn Transport,
    buffer: &'a mut Vec<u8>,
}

impl<'a> Options<'a> {
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
                value.numbers([0; 4]);
                option::SET_DELDEST
            }
            Change::Flush => option::SET_FLUSH,
            Change::Zero(Some(id)) => {
                value.service_key(id)?;
                option::SET_ZERO
            }
            Change::Zero(None) => {
                value.numbers([0; 11]);
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
        let mut fields = self.get(option::GET_INFO, 12)?;
        let info = Info {
            version: fields.u32(),
            connection_table_size: fields.u32(),
        };
        Ok((info, fields.u32()))
    }

    pub fn timeouts(&mut self) -> Result<Timeouts> {
        self.buffer.clear();
        let mut fields = self.get(option::GET_TIMEOUT, 12)?;
        Ok(Timeouts {
            tcp: fields.u32(),
            tcp_fin: fields.u32(),
            udp: fields.u32(),
        })
    }

    pub fn daemons(&mut self) -> Result<Vec<Daemon>> {
        self.buffer.clear();
        let mut fields = self.get(option::GET_DAEMON, 48)?;
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
            let count = entries
                .take_while(|entry| entry.bytes[SCHEDULER] != 0)
                .count();
            // The kernel fills the room there is and does not say whether there is more.
            if count < room {
                let bytes = mem::take(self.buffer);
                return Ok(Snapshot { bytes, count });
            }
            room *= 2;
        }
    }

    /// The servers of a service that had `count`. Refused if some of them are IPv6.
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
            let entries = fields.entries(SERVERS_HEADER, SERVER);
            let mut servers = Vec::with_capacity(count.min(room));
            servers.extend(
                entries
                    .map(|mut entry| entry.server())
                    .take_while(|state| state.server.id.address != Ipv4Addr::UNSPECIFIED),
            );
            if servers.len() < room {
                return Ok(servers);
            }
            room *= 2;
        }
    }

    /// Reads an option into the buffer. What the buffer holds already is the question.
    fn get(&mut self, option: i32, length: usize) -> Result<Fields<'_>> {
        if length > LONGEST {
            return Err(Error::Malformed(
                "it has more entries than a socket option can hold",
            ));
        }
        self.buffer.resize(length, 0);
        while let Err(error) = self.transport.get_option(option, self.buffer) {
            if !interrupted(&error) {
                return Err(refused(error));
            }
        }
        Ok(Fields {
            bytes: self.buffer,
            at: 0,
        })
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

/// All IPv4 services of one moment. They stay as the kernel wrote them, which takes less memory,
/// and are read one by one.
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
        let fields = Fields {
            bytes: &self.bytes,
            at: 0,
        };
        let entries = fields.entries(SERVICES_HEADER, SERVICE).take(self.count);
        entries.map(|mut entry| entry.service())
    }
}

/// Writes the fields of a C structure, with its alignment.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn field<const N: usize>(&mut self, value: [u8; N]) {
        self.0.resize(self.0.len().next_multiple_of(N), 0);
        self.0.extend_from_slice(&value);
    }

    fn u32(&mut self, value: u32) {
        self.field(value.to_ne_bytes());
    }

    fn numbers<const N: usize>(&mut self, values: [u32; N]) {
        for value in values {
            self.u32(value);
        }
    }

    fn name(&mut self, name: &[u8]) {
        let end = self.0.len() + NAME;
        self.0.extend_from_slice(name);
        self.0.resize(end, 0);
    }

    /// Protocol, address, port and mark: the key of a service.
    fn service_id(&mut self, id: &ServiceId) -> Result<()> {
        let (address, port, mark) = match *id {
            ServiceId::Address {
                address: IpAddr::V4(address),
                port,
                ..
            } => (address, port, 0),
            ServiceId::Mark {
                mark,
                family: Family::V4,
            } => (Ipv4Addr::UNSPECIFIED, 0, mark.get()),
            _ => return Err(NOT_HERE),
        };
        self.field(id.protocol().0.to_ne_bytes());
        self.field(address.octets());
        self.field(port.to_be_bytes());
        self.u32(mark);
        Ok(())
    }

    /// A service of which only the key matters.
    fn service_key(&mut self, id: &ServiceId) -> Result<()> {
        self.service_id(id)?;
        self.name(b"");
        self.numbers([0; 3]);
        Ok(())
    }

    fn service(&mut self, service: &Service) -> Result<()> {
        let Mask::V4(mask) = service.mask else {
            return Err(NOT_HERE);
        };
        if service.engine.is_some() {
            return Err(NOT_HERE);
        }
        self.service_id(&service.id)?;
        self.name(service.scheduler.as_bytes());
        self.u32(service::flag_bits(service));
        self.u32(service.persistence.unwrap_or(0));
        self.field(mask.octets());
        Ok(())
    }

    fn server_key(&mut self, id: &ServerId) -> Result<()> {
        let IpAddr::V4(address) = id.address else {
            return Err(NOT_HERE);
        };
        self.field(address.octets());
        self.field(id.port.to_be_bytes());
        Ok(())
    }

    fn server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        if server.tunnel != Tunnel::IPIP {
            return Err(NOT_HERE);
        }
        self.service_key(id)?;
        self.server_key(&server.id)?;
        self.numbers([
            server::forward_method(server.forwarding),
            server.weight as u32,
            server.upper_threshold,
            server.lower_threshold,
        ]);
        Ok(())
    }

    fn daemon(&mut self, daemon: &Daemon) -> Result<()> {
        let Daemon {
            role,
            interface,
            sync_id,
            max_length: None,
            group: None,
            port: None,
            ttl: None,
        } = daemon
        else {
            return Err(NOT_HERE);
        };
        self.u32(daemon::state(*role));
        self.name(interface.as_bytes());
        self.u32(*sync_id);
        Ok(())
    }
}

/// Reads the fields of a C structure, with its alignment. Functions that read an entry are
/// inlined, so that all offsets are constants: lists take a tenth less time.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn take<const N: usize>(&mut self, alignment: usize) -> [u8; N] {
        let start = self.at.next_multiple_of(alignment);
        self.at = start + N;
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[start..self.at]);
        field
    }

    fn u16(&mut self) -> u16 {
        u16::from_ne_bytes(self.take(2))
    }

    fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.take(4))
    }

    fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.take(WIDE))
    }

    fn port(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2))
    }

    fn address(&mut self) -> Ipv4Addr {
        Ipv4Addr::from(self.take::<4>(4))
    }

    fn name(&mut self) -> Option<Name<15>> {
        let field: [u8; NAME] = self.take(1);
        Name::cut(&field)
    }

    /// The entries of equal size that follow a header.
    fn entries(
        &self,
        header: usize,
        size: usize,
    ) -> impl ExactSizeIterator<Item = Fields<'a>> + use<'a> {
        let entries = self.bytes[header..].chunks_exact(size);
        entries.map(|bytes| Fields { bytes, at: 0 })
    }

    #[inline(always)]
    fn service(&mut self) -> (ServiceState, usize) {
        let (protocol, address, port) = (Protocol(self.u16()), self.address(), self.port());
        let id = match NonZeroU32::new(self.u32()) {
            None => ServiceId::Address {
                protocol,
                address: address.into(),
                port,
            },
            Some(mark) => ServiceId::Mark {
                mark,
                family: Family::V4,
            },
        };
        let scheduler = self.name().unwrap_or(NO_SCHEDULER);
        let (flags, persistence) = service::flags(self.u32(), self.u32());
        let service = Service {
            id,
            scheduler,
            flags,
            persistence,
            mask: Mask::V4(self.address()),
            engine: None,
        };
        let servers = self.u32() as usize;
        let stats = self.stats();
        (ServiceState { service, stats }, servers)
    }

    #[inline(always)]
    fn server(&mut self) -> ServerState {
        let id = ServerId {
            address: self.address().into(),
            port: self.port(),
        };
        let server = Server {
            id,
            forwarding: server::forwarding(self.u32()),
            tunnel: Tunnel::IPIP,
            weight: self.u32() as i32,
            upper_threshold: self.u32(),
            lower_threshold: self.u32(),
        };
        ServerState {
            server,
            active: self.u32(),
            inactive: self.u32(),
            persistent: self.u32(),
            stats: self.stats(),
        }
    }

    #[inline(always)]
    fn stats(&mut self) -> Stats {
        self.at = self.at.next_multiple_of(WIDE);
        Stats {
            connections: self.u32().into(),
            in_packets: self.u32().into(),
            out_packets: self.u32().into(),
            in_bytes: self.u64(),
            out_bytes: self.u64(),
            connection_rate: self.u32().into(),
            in_packet_rate: self.u32().into(),
            out_packet_rate: self.u32().into(),
            in_byte_rate: self.u32().into(),
            out_byte_rate: self.u32().into(),
        }
    }
}
