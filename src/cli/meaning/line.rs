//! Takes the options of a line in, one by one.

use std::net::IpAddr;

use super::super::options::{Opt, Row, Slot, Slots, Verb};
use super::super::values::{self, HostPort};
use super::super::words::Event;
use super::{LeftOver, timeout};
use crate::command::Format;
use crate::error::{Error, Word};
use crate::model::{
    Checksum, DaemonRole, Engine, Family, Flags, Forwarding, Interface, Mask, Name, Protocol,
    Scheduler, ServerId, ServiceId, Tunnel, TunnelKind,
};
use crate::names::Names;

const DEFAULT_PERSISTENCE: u32 = 360;

/// A server as far as it is known: where it stands before its service on the line, a missing or
/// named port has to wait for that service's.
#[derive(Clone, Copy)]
pub enum ServerSoFar<'a> {
    Whole(ServerId),
    Portless(IpAddr),
    PortNamed(IpAddr, &'a [u8]),
}

/// What means something only if a certain option follows further right on the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Early {
    /// `-6`, which belongs to a mark.
    Ipv6,
    /// A mask that is none of IPv4.
    Mask,
    /// A server whose port has a name, which is one of its service's protocol.
    NamedPort,
}

/// What has been said so far.
pub struct Line<'a> {
    pub verb: Verb,
    names: &'a Names,
    pub given: Slots,
    pub service: Option<ServiceId>,
    /// What still waits for its justification, in the order of the line.
    early: Vec<Early>,
    pub scheduler: Option<Scheduler>,
    pub scheduler_flags: &'a [u8],
    pub flags: Flags,
    pub persistence: Option<u32>,
    pub mask: Option<Mask>,
    mask_text: &'a [u8],
    pub engine: Option<Engine>,
    pub server: Option<ServerSoFar<'a>>,
    pub forwarding: Forwarding,
    pub weight: i32,
    pub upper_threshold: u32,
    pub lower_threshold: u32,
    pub tunnel: Tunnel,
    pub daemon_role: DaemonRole,
    pub interface: Option<Interface>,
    pub sync_id: u32,
    pub sync_max_length: Option<u16>,
    pub mcast_group: Option<IpAddr>,
    pub mcast_port: Option<u16>,
    pub mcast_ttl: Option<u8>,
    pub format: Format,
}

impl<'a> Line<'a> {
    pub fn new(verb: Verb, names: &'a Names) -> Self {
        Self {
            verb,
            names,
            given: Slots::NONE,
            service: None,
            early: Vec::new(),
            scheduler: None,
            scheduler_flags: b"",
            flags: Flags::NONE,
            persistence: None,
            mask: None,
            mask_text: b"",
            engine: None,
            server: None,
            forwarding: Forwarding::DirectRouting,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel::IPIP,
            daemon_role: DaemonRole::Master,
            interface: None,
            sync_id: 0,
            sync_max_length: None,
            mcast_group: None,
            mcast_port: None,
            mcast_ttl: None,
            format: Format::Classic,
        }
    }

    pub fn take(&mut self, event: Event<'a>, left_over: &mut LeftOver<'a>) -> Result<(), Error> {
        match event {
            Event::LeftOver(word) => left_over.push(word),
            Event::Given {
                row: Row::Command(_),
                word,
                ..
            } => return Err(Error::SecondCommand(word.into())),
            Event::Given {
                row: Row::Option(row),
                value,
                ..
            } => {
                if let Some(slot) = row.slot {
                    self.fill(slot)?;
                }
                self.option(row.option, value)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, slot: Slot) -> Result<(), Error> {
        if self.given.has(slot) {
            return Err(Error::Repeated(slot));
        }
        self.given = self.given.with(slot);
        Ok(())
    }

    /// Takes one option in. Those whose slot says all that there is to say need no arm's work.
    fn option(&mut self, option: Opt, value: Option<&'a [u8]>) -> Result<(), Error> {
        let text = value.unwrap_or_default();
        match option {
            Opt::TcpService => self.address_service(Protocol::TCP, text)?,
            Opt::UdpService => self.address_service(Protocol::UDP, text)?,
            Opt::SctpService => self.address_service(Protocol::SCTP, text)?,
            Opt::MarkService => self.mark_service(text)?,
            Opt::Ipv6 => self.ipv6()?,
            Opt::Scheduler => self.scheduler = Name::cut(text),
            Opt::SchedulerFlags => self.scheduler_flags = text,
            Opt::Persistent => self.persistent(value)?,
            Opt::Netmask => self.netmask(text)?,
            Opt::Engine => self.engine = Name::cut(text),
            Opt::OnePacket => self.flags = self.flags | Flags::ONE_PACKET,
            Opt::RealServer => self.server = Some(self.real_server(text)?),
            Opt::DirectRouting => self.forwarding = Forwarding::DirectRouting,
            Opt::Tunnel => self.forwarding = Forwarding::Tunnel,
            Opt::Masquerade => self.forwarding = Forwarding::Masquerade,
            Opt::Weight => self.weight = positive(text, 0, i32::MAX).ok_or(Error::Weight)?,
            Opt::UpperThreshold => {
                let limit = positive(text, 0, i32::MAX).ok_or(Error::UpperThreshold)?;
                self.upper_threshold = limit as u32;
            }
            Opt::LowerThreshold => {
                let limit = positive(text, 0, i32::MAX).ok_or(Error::LowerThreshold)?;
                self.lower_threshold = limit as u32;
            }
            Opt::TunnelType => {
                self.tunnel.kind = match text {
                    b"ipip" => TunnelKind::Ipip,
                    b"gue" => TunnelKind::Gue,
                    b"gre" => TunnelKind::Gre,
                    _ => return Err(Error::TunnelType),
                }
            }
            Opt::TunnelPort => {
                self.tunnel.port = positive(text, 1, u16::MAX).ok_or(Error::TunnelPort)?;
            }
            Opt::TunnelNoChecksum => self.tunnel.checksum = Checksum::NONE,
            Opt::TunnelChecksum => self.tunnel.checksum = Checksum::PLAIN,
            Opt::TunnelRemoteChecksum => self.tunnel.checksum = Checksum::REMOTE,
            Opt::Interface => self.interface = Name::cut(text),
            Opt::SyncId => self.sync_id = positive(text, 0, 255u8).ok_or(Error::SyncId)?.into(),
            Opt::SyncMaxLength => {
                let length = positive(text, 1, 65507).ok_or(Error::SyncMaxLength)?;
                self.sync_max_length = Some(length);
            }
            Opt::McastGroup => self.mcast_group = Some(mcast_group(text)?),
            Opt::McastPort => {
                let port = positive(text, 1, u16::MAX).ok_or(Error::McastPort)?;
                self.mcast_port = Some(port);
            }
            Opt::McastTtl => {
                self.mcast_ttl = Some(positive(text, 1, u8::MAX).ok_or(Error::McastTtl)?);
            }
            Opt::Format => {
                self.format = match text {
                    b"classic" => Format::Classic,
                    b"json" => Format::Json,
                    b"table" => Format::Table,
                    _ => return Err(Error::Format(text.into())),
                }
            }
            Opt::Connections
            | Opt::Timeout
            | Opt::Daemon
            | Opt::Stats
            | Opt::Rate
            | Opt::Thresholds
            | Opt::PersistentConnections
            | Opt::TunnelInfo
            | Opt::Exact
            | Opt::NoSort
            | Opt::Sort
            | Opt::Numeric => {}
        }
        Ok(())
    }

    fn address_service(&mut self, protocol: Protocol, text: &[u8]) -> Result<(), Error> {
        match self.read_service(protocol, text) {
            Some(service) => self.service_known(service),
            None => Err(Error::ServiceAddress),
        }
    }

    fn read_service(&self, protocol: Protocol, text: &[u8]) -> Option<ServiceId> {
        let HostPort { address, port } = values::host_port(text, self.names)?;
        let port = match port {
            Some(port) => values::port(port, protocol, self.names)?,
            None => 0,
        };
        Some(ServiceId::Address {
            protocol,
            address,
            port,
        })
    }

    fn mark_service(&mut self, text: &[u8]) -> Result<(), Error> {
        let mark = values::mark(text).ok_or_else(|| Error::Mark(text.into()))?;
        let family = self.family();
        self.justify(Early::Ipv6);
        self.service_known(ServiceId::Mark { mark, family })
    }

    fn ipv6(&mut self) -> Result<(), Error> {
        match &mut self.service {
            Some(ServiceId::Mark { family, .. }) => *family = Family::V6,
            Some(_) => return Err(Error::Ipv6BeforeMark),
            None => self.early.push(Early::Ipv6),
        }
        self.family_known(Family::V6);
        Ok(())
    }

    fn justify(&mut self, early: Early) {
        self.early.retain(|waiting| *waiting != early);
    }

    /// The first thing on the line that nothing has justified so far.
    pub fn unjustified(&self) -> Option<Error> {
        self.early.first().map(|early| match early {
            Early::Ipv6 => Error::Ipv6BeforeMark,
            Early::Mask => Error::Mask,
            Early::NamedPort => Error::ServerAddress,
        })
    }

    fn service_known(&mut self, service: ServiceId) -> Result<(), Error> {
        self.service = Some(service);
        if let Some(server) = self.server {
            self.server = Some(ServerSoFar::Whole(self.server_of(service, server)?));
        }
        self.justify(Early::NamedPort);
        self.family_known(service.family());
        Ok(())
    }

    /// A mask that stood further left was taken for one of IPv4. What means nothing to IPv6,
    /// such as 255.255.255.255, is dropped without a word, as scripts may count on.
    fn family_known(&mut self, family: Family) {
        let is_ipv4 = !matches!(self.mask, Some(Mask::V6(_)));
        if family == Family::V6 && is_ipv4 {
            self.justify(Early::Mask);
            self.mask = values::ipv6_mask(self.mask_text).map(Mask::V6);
        }
    }

    fn netmask(&mut self, text: &'a [u8]) -> Result<(), Error> {
        self.mask_text = text;
        let as_ipv6 = values::ipv6_mask(text).map(Mask::V6);
        self.mask = match self.family() {
            Family::V6 => Some(as_ipv6.ok_or(Error::Ipv6Mask)?),
            Family::V4 => match values::ipv4_mask(text, self.names) {
                Some(mask) => Some(Mask::V4(mask)),
                None if as_ipv6.is_none() => return Err(Error::Mask),
                None => {
                    // A number was meant, which no name server need know.
                    self.names.unanswered();
                    self.early.push(Early::Mask);
                    None
                }
            },
        };
        Ok(())
    }

    /// The family as far as the line tells so far.
    fn family(&self) -> Family {
        match self.service {
            Some(service) => service.family(),
            None if self.early.contains(&Early::Ipv6) => Family::V6,
            None => Family::V4,
        }
    }

    fn persistent(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        self.persistence = Some(match value {
            Some(text) => timeout(text, 1)?,
            None => DEFAULT_PERSISTENCE,
        });
        Ok(())
    }

    fn real_server(&mut self, text: &'a [u8]) -> Result<ServerSoFar<'a>, Error> {
        let Some(HostPort { address, port }) = values::host_port(text, self.names) else {
            return Err(Error::ServerAddress);
        };
        let so_far = match port {
            None => ServerSoFar::Portless(address),
            Some(text) => match values::port_number(text) {
                Some(port) => ServerSoFar::Whole(ServerId { address, port }),
                None => ServerSoFar::PortNamed(address, text),
            },
        };
        match self.service {
            Some(service) => {
                let id = self.server_of(service, so_far)?;
                Ok(ServerSoFar::Whole(id))
            }
            None => {
                if let ServerSoFar::PortNamed(..) = so_far {
                    self.early.push(Early::NamedPort);
                }
                Ok(so_far)
            }
        }
    }

    pub fn server_of(&self, service: ServiceId, server: ServerSoFar) -> Result<ServerId, Error> {
        Ok(match server {
            ServerSoFar::Whole(id) => id,
            ServerSoFar::Portless(address) => ServerId {
                address,
                port: service.port(),
            },
            ServerSoFar::PortNamed(address, text) => ServerId {
                address,
                port: values::port(text, service.protocol(), self.names)
                    .ok_or(Error::ServerAddress)?,
            },
        })
    }
}

fn mcast_group(text: &[u8]) -> Result<IpAddr, Error> {
    values::group(text).ok_or_else(|| match text.contains(&b':') {
        true => Error::McastGroup6(Word::from(text)),
        false => Error::McastGroup(Word::from(text)),
    })
}

/// A number from `least` to `most` in the type that it is kept in.
fn positive<T: TryFrom<i64> + Into<i64>>(text: &[u8], least: i64, most: T) -> Option<T> {
    let value = values::number(text, least..=most.into())?;
    T::try_from(value).ok()
}
