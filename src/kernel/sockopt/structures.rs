//! The C structures of the options: writes the model into them, and reads it from them.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use crate::kernel::error::{Action, Error, Refusal, Result};
use crate::kernel::{daemon, server, service};
use crate::model::terms;
use crate::model::{
    Daemon, Family, Mask, Name, Protocol, Scheduler, Server, ServerId, ServerState, Service,
    ServiceId, ServiceState, Stats, Tunnel,
};

/// The size of a name with its NUL byte.
pub const NAME: usize = Scheduler::LONGEST + 1;

/// The error for requests that only netlink supports.
pub const NOT_HERE: Error = Error::Refused(Refusal {
    action: Action::Read,
    errno: libc::EPERM,
});

/// Sizes depend on how the machine aligns 64-bit numbers.
const WIDE: usize = align_of::<u64>();
const STATS: usize = (12usize.next_multiple_of(WIDE) + 16 + 20).next_multiple_of(WIDE);
pub const SERVICE: usize = 48usize.next_multiple_of(WIDE) + STATS;
pub const SERVER: usize = 40usize.next_multiple_of(WIDE) + STATS;
pub const SERVICES_HEADER: usize = 4usize.next_multiple_of(WIDE);
pub const SERVERS_HEADER: usize = 20usize.next_multiple_of(WIDE);

/// The offset of the name of a service's scheduler, which is never empty.
const SCHEDULER: usize = 16;

/// The length of the address at the start of a server. An address is never all zero.
const ADDRESS: usize = 4;

/// The kernel's value for a service without a scheduler.
const NO_SCHEDULER: Scheduler = Scheduler::new(terms::NO_SCHEDULER.as_bytes()).unwrap();

/// Writes the fields of a C structure, with its alignment.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    fn field<const N: usize>(&mut self, value: [u8; N]) {
        self.0.resize(self.0.len().next_multiple_of(N), 0);
        self.0.extend_from_slice(&value);
    }

    pub fn u32(&mut self, value: u32) {
        self.field(value.to_ne_bytes());
    }

    pub fn numbers<const N: usize>(&mut self, values: [u32; N]) {
        for value in values {
            self.u32(value);
        }
    }

    pub fn name(&mut self, name: &[u8]) {
        let end = self.0.len() + NAME;
        self.0.extend_from_slice(name);
        self.0.resize(end, 0);
    }

    /// Protocol, address, port and mark: the key of a service.
    pub fn service_id(&mut self, id: &ServiceId) -> Result<()> {
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
    pub fn service_key(&mut self, id: &ServiceId) -> Result<()> {
        self.service_id(id)?;
        self.name(b"");
        self.numbers([0; 3]);
        Ok(())
    }

    pub fn service(&mut self, service: &Service) -> Result<()> {
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

    pub fn server_key(&mut self, id: &ServerId) -> Result<()> {
        let IpAddr::V4(address) = id.address else {
            return Err(NOT_HERE);
        };
        self.field(address.octets());
        self.field(id.port.to_be_bytes());
        Ok(())
    }

    pub fn server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
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

    pub fn daemon(&mut self, daemon: &Daemon) -> Result<()> {
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

/// Reads the fields of a C structure, with its alignment. Functions that read an entry check its
/// length first and are inlined, so that all offsets are constants: lists take a tenth less time.
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

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

    pub fn u32(&mut self) -> u32 {
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

    #[inline(always)]
    pub fn name(&mut self) -> Option<Scheduler> {
        let field: [u8; NAME] = self.take(1);
        Name::cut(&field)
    }

    /// The entries of equal size that follow a header.
    pub fn entries(
        &self,
        header: usize,
        size: usize,
    ) -> impl ExactSizeIterator<Item = Fields<'a>> + use<'a> {
        let entries = self.bytes[header..].chunks_exact(size);
        entries.map(Fields::new)
    }

    /// Whether an entry is a service: the kernel does not fill the entries after the last one.
    pub fn is_service(&self) -> bool {
        self.bytes[SCHEDULER] != 0
    }

    /// The same for a server.
    pub fn is_server(&self) -> bool {
        self.bytes[..ADDRESS] != [0; ADDRESS]
    }

    #[inline(always)]
    pub fn service(&self) -> (ServiceState, usize) {
        let mut fields = Self::new(&self.bytes[..SERVICE]);
        let protocol = Protocol(fields.u16());
        let (address, port) = (fields.address(), fields.port());
        let id = match NonZeroU32::new(fields.u32()) {
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
        let scheduler = fields.name().unwrap_or(NO_SCHEDULER);
        let (flags, persistence) = service::flags(fields.u32(), fields.u32());
        let service = Service {
            id,
            scheduler,
            flags,
            persistence,
            mask: Mask::V4(fields.address()),
            engine: None,
        };
        let servers = fields.u32() as usize;
        let stats = fields.stats();
        (ServiceState { service, stats }, servers)
    }

    #[inline(always)]
    pub fn server(&self) -> ServerState {
        let mut fields = Self::new(&self.bytes[..SERVER]);
        let id = ServerId {
            address: fields.address().into(),
            port: fields.port(),
        };
        let server = Server {
            id,
            forwarding: server::forwarding(fields.u32()),
            tunnel: Tunnel::IPIP,
            weight: fields.u32() as i32,
            upper_threshold: fields.u32(),
            lower_threshold: fields.u32(),
        };
        ServerState {
            server,
            active: fields.u32(),
            inactive: fields.u32(),
            persistent: fields.u32(),
            stats: fields.stats(),
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
