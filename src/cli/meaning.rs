//! What a line asks for: its words are taken in from left to right, and the first error wins.
//! Only then the things are looked at that need the whole line.

use std::net::IpAddr;

use super::options::{Needs, Opt, Row, Slot, Slots, Verb};
use super::values::{self, HostPort};
use super::words::{Event, Fault, Words};
use crate::command::{Columns, Command, Listing, Subject, View};
use crate::error::{Error, Word};
use crate::model::{
    Checksum, Daemon, DaemonRole, Family, Flags, Forwarding, Mask, Name, Protocol, Server,
    ServerId, Service, ServiceId, Timeouts, Tunnel, TunnelKind,
};
use crate::names::Names;

/// Longer than this no timeout may be: 31 days, in seconds.
const LONGEST_TIMEOUT: i64 = 31 * 24 * 60 * 60;
const DEFAULT_PERSISTENCE: u32 = 360;

/// Reads one line. `program` is the name that messages call this program by.
pub fn read<'a>(
    program: &[u8],
    words: impl Iterator<Item = &'a [u8]>,
    names: &'a Names,
) -> Result<Command, Error> {
    let mut words = Words::new(words);
    let mut left_over = LeftOver::default();
    let Some((verb, value)) = first_command(&mut words, &mut left_over) else {
        return Err(Error::NoCommand(program.into()));
    };
    match verb {
        Verb::Help => return Ok(Command::Help),
        Verb::Version => return Ok(Command::Version),
        _ => {}
    }
    let mut line = Line::new(verb, names);
    line.daemon_role = daemon_role(verb, value)?;
    for event in words {
        let taken = event
            .map_err(Error::from)
            .and_then(|event| line.take(event, &mut left_over));
        // Only a mark that is still to come can justify a `-6`.
        taken.map_err(|error| line.unjustified_ipv6().unwrap_or(error))?;
    }
    if let Some(error) = line.unjustified_ipv6() {
        return Err(error);
    }
    line.finish(&left_over)
}

/// The first option on the line must be a command; words may stand before it.
fn first_command<'a, I: Iterator<Item = &'a [u8]>>(
    words: &mut Words<'a, I>,
    left_over: &mut LeftOver<'a>,
) -> Option<(Verb, Option<&'a [u8]>)> {
    loop {
        match words.next()?.ok()? {
            Event::LeftOver(word) => left_over.push(word),
            Event::Given {
                row: Row::Command(row),
                value,
                ..
            } => return Some((row.verb, value)),
            Event::Given { .. } => return None,
        }
    }
}

impl From<Fault<'_>> for Error {
    fn from(fault: Fault<'_>) -> Self {
        match fault {
            Fault::UnknownOption(word) => Self::UnknownOption(word.into()),
            Fault::MissingValue(word) => Self::MissingValue(word.into()),
            Fault::UnwantedValue(word) => Self::UnwantedValue(word.into()),
        }
    }
}

/// Words that belong to no option: the first three are the values of `--set`.
#[derive(Default)]
struct LeftOver<'a> {
    words: [Option<&'a [u8]>; 4],
}

impl<'a> LeftOver<'a> {
    fn push(&mut self, word: &'a [u8]) {
        if let Some(free) = self.words.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(word);
        }
    }

    fn timeouts(&self) -> Result<Timeouts, Error> {
        let [Some(tcp), Some(tcp_fin), Some(udp), _] = self.words else {
            return Err(Error::TooFewTimeouts);
        };
        Ok(Timeouts {
            tcp: timeout(tcp, 0)?,
            tcp_fin: timeout(tcp_fin, 0)?,
            udp: timeout(udp, 0)?,
        })
    }

    /// An error if there are more words than the command has use for.
    fn refuse_from(&self, first: usize) -> Result<(), Error> {
        match self.words[first] {
            Some(word) => Err(Error::LeftOver(word.into())),
            None => Ok(()),
        }
    }
}

/// A server as far as it is known: where it stands before its service on the line, a missing or
/// named port has to wait for that service's.
#[derive(Clone, Copy)]
enum ServerSoFar<'a> {
    Whole(ServerId),
    Portless(IpAddr),
    PortNamed(IpAddr, &'a [u8]),
}

/// What has been said so far.
struct Line<'a> {
    verb: Verb,
    names: &'a Names,
    given: Slots,
    service: Option<ServiceId>,
    /// `-6` was given before any `-f`.
    early_ipv6: bool,
    scheduler: Name<15>,
    scheduler_flags: &'a [u8],
    flags: Flags,
    persistence: u32,
    mask: Option<Mask>,
    mask_text: &'a [u8],
    engine: Name<16>,
    server: Option<ServerSoFar<'a>>,
    forwarding: Forwarding,
    weight: i32,
    upper_threshold: u32,
    lower_threshold: u32,
    tunnel: Tunnel,
    daemon_role: DaemonRole,
    interface: Name<15>,
    sync_id: u32,
    sync_max_length: Option<u16>,
    mcast_group: Option<IpAddr>,
    mcast_port: Option<u16>,
    mcast_ttl: Option<u8>,
}

impl<'a> Line<'a> {
    fn new(verb: Verb, names: &'a Names) -> Self {
        Self {
            verb,
            names,
            given: Slots::NONE,
            service: None,
            early_ipv6: false,
            scheduler: Name::EMPTY,
            scheduler_flags: b"",
            flags: Flags::NONE,
            persistence: 0,
            mask: None,
            mask_text: b"",
            engine: Name::EMPTY,
            server: None,
            forwarding: Forwarding::DirectRouting,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel::IPIP,
            daemon_role: DaemonRole::Master,
            interface: Name::EMPTY,
            sync_id: 0,
            sync_max_length: None,
            mcast_group: None,
            mcast_port: None,
            mcast_ttl: None,
        }
    }

    fn take(&mut self, event: Event<'a>, left_over: &mut LeftOver<'a>) -> Result<(), Error> {
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
            Opt::Scheduler => self.scheduler = Name::new(text),
            Opt::SchedulerFlags => self.scheduler_flags = text,
            Opt::Persistent => self.persistent(value)?,
            Opt::Netmask => self.netmask(text)?,
            Opt::Engine => self.engine = Name::new(text),
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
            Opt::Interface => self.interface = Name::new(text),
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
        let service = self.read_service(protocol, text);
        let service = service.ok_or(Error::ServiceAddress)?;
        self.service = Some(service);
        self.family_known(service.family())
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
        let family = match self.early_ipv6 {
            true => Family::V6,
            false => Family::V4,
        };
        self.early_ipv6 = false;
        self.service = Some(ServiceId::Mark { mark, family });
        self.family_known(family)
    }

    fn ipv6(&mut self) -> Result<(), Error> {
        match &mut self.service {
            Some(ServiceId::Mark { family, .. }) => *family = Family::V6,
            Some(_) => return Err(Error::Ipv6BeforeMark),
            None => self.early_ipv6 = true,
        }
        self.family_known(Family::V6)
    }

    fn unjustified_ipv6(&self) -> Option<Error> {
        self.early_ipv6.then_some(Error::Ipv6BeforeMark)
    }

    /// A mask that stood further left was taken for one of IPv4.
    fn family_known(&mut self, family: Family) -> Result<(), Error> {
        if family == Family::V6 && matches!(self.mask, Some(Mask::V4(_))) {
            self.mask = Some(ipv6_mask(self.mask_text)?);
        }
        Ok(())
    }

    fn netmask(&mut self, text: &'a [u8]) -> Result<(), Error> {
        self.mask_text = text;
        self.mask = Some(match self.family() {
            Family::V4 => {
                let mask = values::ipv4_mask(text, self.names).ok_or(Error::Mask)?;
                Mask::V4(mask)
            }
            Family::V6 => ipv6_mask(text)?,
        });
        Ok(())
    }

    /// The family as far as the line tells so far.
    fn family(&self) -> Family {
        match self.service {
            Some(service) => service.family(),
            None if self.early_ipv6 => Family::V6,
            None => Family::V4,
        }
    }

    fn persistent(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        self.flags = self.flags | Flags::PERSISTENT;
        self.persistence = match value {
            Some(text) => timeout(text, 1)?,
            None => DEFAULT_PERSISTENCE,
        };
        Ok(())
    }

    fn real_server(&self, text: &'a [u8]) -> Result<ServerSoFar<'a>, Error> {
        let HostPort { address, port } =
            values::host_port(text, self.names).ok_or(Error::ServerAddress)?;
        let so_far = match port {
            None => ServerSoFar::Portless(address),
            Some(text) => match values::port(text, Protocol::TCP, &Names::numeric()) {
                Some(port) => ServerSoFar::Whole(ServerId { address, port }),
                None => ServerSoFar::PortNamed(address, text),
            },
        };
        match self.service {
            Some(service) => {
                let id = self.server_of(service, so_far)?;
                Ok(ServerSoFar::Whole(id))
            }
            None => Ok(so_far),
        }
    }

    fn server_of(&self, service: ServiceId, server: ServerSoFar) -> Result<ServerId, Error> {
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

    fn finish(mut self, left_over: &LeftOver<'a>) -> Result<Command, Error> {
        let timeouts = match self.verb {
            Verb::SetTimeouts => Some(left_over.timeouts()?),
            _ => None,
        };
        left_over.refuse_from(if timeouts.is_some() { 3 } else { 0 })?;
        self.flags = self.flags | self.scheduler_flags()?;
        self.check_slots()?;
        Ok(match self.verb {
            Verb::AddService => Command::AddService(self.whole_service()?),
            Verb::EditService => Command::EditService(self.whole_service()?),
            Verb::DeleteService => Command::DeleteService(self.service()?),
            Verb::Flush => Command::Flush,
            Verb::List => Command::List(self.listing()?),
            Verb::AddServer => {
                let (service, server) = self.whole_server()?;
                Command::AddServer(service, server)
            }
            Verb::EditServer => {
                let (service, server) = self.whole_server()?;
                Command::EditServer(service, server)
            }
            Verb::DeleteServer => {
                let service = self.service()?;
                Command::DeleteServer(service, self.server(service)?)
            }
            Verb::SetTimeouts => Command::SetTimeouts(timeouts.ok_or(Error::TooFewTimeouts)?),
            Verb::StartDaemon => Command::StartDaemon(self.daemon()),
            Verb::StopDaemon => Command::StopDaemon(self.daemon_role),
            Verb::Restore => Command::Restore,
            Verb::Save => Command::Save {
                numeric: self.given.has(Slot::Numeric),
            },
            Verb::Zero => Command::Zero(self.service),
            Verb::Help => Command::Help,
            Verb::Version => Command::Version,
        })
    }

    /// What the command needs and does not have, or has and does not take: the first in the
    /// order of slots.
    fn check_slots(&self) -> Result<(), Error> {
        let Needs { must, may, one_of } = Needs::of(self.verb);
        let rivals = self.given.and(one_of);
        let Some(favourite) = rivals.first() else {
            return self.check_slots_with(must, may, None);
        };
        self.check_slots_with(must, may.with(favourite), Some((favourite, one_of)))
    }

    fn check_slots_with(
        &self,
        must: Slots,
        may: Slots,
        rivalry: Option<(Slot, Slots)>,
    ) -> Result<(), Error> {
        let verb = self.verb;
        let missing = must.except(self.given);
        let unwanted = self.given.except(must.or(may));
        let Some(slot) = missing.or(unwanted).first() else {
            return Ok(());
        };
        Err(match rivalry {
            _ if missing.has(slot) => Error::Needed { slot, verb },
            Some((other, rivals)) if rivals.has(slot) => Error::Conflict { slot, other, verb },
            _ => Error::Illegal { slot, verb },
        })
    }

    fn service(&self) -> Result<ServiceId, Error> {
        self.service.ok_or(Error::Needed {
            slot: Slot::ServiceAddress,
            verb: self.verb,
        })
    }

    fn server(&self, service: ServiceId) -> Result<ServerId, Error> {
        let server = self.server.ok_or(Error::Needed {
            slot: Slot::RealServer,
            verb: self.verb,
        })?;
        self.server_of(service, server)
    }

    fn whole_service(&self) -> Result<Service, Error> {
        let id = self.service()?;
        let persistent = self.flags.has(Flags::PERSISTENT);
        if let ServiceId::Address { protocol, port, .. } = id {
            if port == 0 && !persistent {
                return Err(Error::ZeroPort);
            }
            if self.flags.has(Flags::ONE_PACKET) && protocol != Protocol::UDP {
                return Err(Error::OnePacket);
            }
        }
        Ok(Service {
            id,
            scheduler: or_default(self.scheduler, b"wlc"),
            flags: self.flags,
            persistence: self.persistence,
            mask: self.mask.unwrap_or(Mask::whole(id.family())),
            engine: self.engine,
        })
    }

    fn scheduler_flags(&self) -> Result<Flags, Error> {
        let text = self.scheduler_flags;
        let parts = text.split(|&byte| byte == b',');
        let mut parts = parts.filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() && !text.is_empty() {
            return Err(Error::SchedulerFlag(text.into()));
        }
        parts.try_fold(Flags::NONE, |flags, part| {
            Ok(flags | scheduler_flag(part, self.scheduler.as_bytes())?)
        })
    }

    fn whole_server(&self) -> Result<(ServiceId, Server), Error> {
        let service = self.service()?;
        let mut id = self.server(service)?;
        if let (ServiceId::Address { port, .. }, Forwarding::DirectRouting | Forwarding::Tunnel) =
            (service, self.forwarding)
        {
            id.port = port;
        }
        if id.family() != service.family() && self.forwarding != Forwarding::Tunnel {
            return Err(Error::MixedFamilies);
        }
        self.check_tunnel()?;
        let server = Server {
            id,
            forwarding: self.forwarding,
            tunnel: self.tunnel,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        };
        Ok((service, server))
    }

    fn check_tunnel(&self) -> Result<(), Error> {
        let given = self.given.and(TUNNEL_SLOTS);
        if self.forwarding != Forwarding::Tunnel {
            return match given.first() {
                Some(_) => Err(Error::NoTunnel),
                None => Ok(()),
            };
        }
        let (tunnel, must, one_of) = match self.tunnel.kind {
            TunnelKind::Gue => (
                "gue",
                Slots::NONE.with(Slot::TunnelPort),
                CHECKSUM_SLOTS.with(Slot::TunnelRemoteChecksum),
            ),
            TunnelKind::Gre => ("gre", Slots::NONE, CHECKSUM_SLOTS),
            TunnelKind::Ipip | TunnelKind::Unknown(_) => ("ipip", Slots::NONE, Slots::NONE),
        };
        let favourite = given.and(one_of).first();
        let taken = favourite.map_or(must, |slot| must.with(slot));
        let missing = must.except(given);
        let unwanted = given.except(taken.with(Slot::TunnelType));
        let Some(slot) = missing.or(unwanted).first() else {
            return Ok(());
        };
        Err(match favourite {
            _ if missing.has(slot) => Error::TunnelNeeds { slot, tunnel },
            Some(other) if one_of.has(slot) => Error::TunnelConflict {
                slot,
                other,
                tunnel,
            },
            _ => Error::TunnelIllegal { slot, tunnel },
        })
    }

    fn listing(&self) -> Result<Listing, Error> {
        let subject = self.subject();
        let has = |slot| self.given.has(slot);
        let statistics = has(Slot::Stats) || has(Slot::Rate) || has(Slot::Thresholds);
        let engines = has(Slot::PersistentConnections);
        let conflict = match subject {
            Subject::Connections { .. } => statistics,
            Subject::Timeouts | Subject::Daemons => statistics || engines,
            Subject::Services(_) | Subject::Service(..) => false,
        };
        if conflict {
            return Err(Error::ListConflict);
        }
        Ok(Listing {
            subject,
            numeric: has(Slot::Numeric),
        })
    }

    fn subject(&self) -> Subject {
        if self.given.has(Slot::Connections) {
            return Subject::Connections {
                engines: self.given.has(Slot::PersistentConnections),
            };
        }
        if self.given.has(Slot::Timeout) {
            return Subject::Timeouts;
        }
        if self.given.has(Slot::Daemon) {
            return Subject::Daemons;
        }
        let view = View {
            columns: self.columns(),
            exact: self.given.has(Slot::Exact),
            sorted: !self.given.has(Slot::NoSort),
        };
        match self.service {
            Some(service) => Subject::Service(service, view),
            None => Subject::Services(view),
        }
    }

    fn columns(&self) -> Columns {
        let choices = [
            (Slot::Stats, Columns::Stats),
            (Slot::Rate, Columns::Rates),
            (Slot::Thresholds, Columns::Thresholds),
            (Slot::PersistentConnections, Columns::PersistentConnections),
            (Slot::TunnelInfo, Columns::Tunnels),
        ];
        let chosen = choices.iter().find(|(slot, _)| self.given.has(*slot));
        chosen.map_or(Columns::Plain, |(_, columns)| *columns)
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            role: self.daemon_role,
            interface: or_default(self.interface, b"eth0"),
            sync_id: self.sync_id,
            max_length: self.sync_max_length,
            group: self.mcast_group,
            port: self.mcast_port,
            ttl: self.mcast_ttl,
        }
    }
}

const CHECKSUM_SLOTS: Slots = Slots::NONE
    .with(Slot::TunnelNoChecksum)
    .with(Slot::TunnelChecksum);

const TUNNEL_SLOTS: Slots = CHECKSUM_SLOTS
    .with(Slot::TunnelRemoteChecksum)
    .with(Slot::TunnelType)
    .with(Slot::TunnelPort);

fn daemon_role(verb: Verb, value: Option<&[u8]>) -> Result<DaemonRole, Error> {
    match (verb, value) {
        (Verb::StartDaemon, Some(b"backup")) | (Verb::StopDaemon, Some(b"backup")) => {
            Ok(DaemonRole::Backup)
        }
        (Verb::StartDaemon | Verb::StopDaemon, Some(b"master")) => Ok(DaemonRole::Master),
        (Verb::StartDaemon, _) => Err(Error::StartDaemon),
        (Verb::StopDaemon, _) => Err(Error::StopDaemon),
        _ => Ok(DaemonRole::Master),
    }
}

fn scheduler_flag(text: &[u8], scheduler: &[u8]) -> Result<Flags, Error> {
    let (flag, owner): (_, Option<&[u8]>) = match text {
        b"flag-1" => (Flags::SCHEDULER_1, None),
        b"flag-2" => (Flags::SCHEDULER_2, None),
        b"flag-3" => (Flags::SCHEDULER_3, None),
        b"sh-fallback" => (Flags::SCHEDULER_1, Some(b"sh")),
        b"sh-port" => (Flags::SCHEDULER_2, Some(b"sh")),
        b"mh-fallback" => (Flags::SCHEDULER_1, Some(b"mh")),
        b"mh-port" => (Flags::SCHEDULER_2, Some(b"mh")),
        _ => return Err(Error::SchedulerFlag(text.into())),
    };
    match owner {
        Some(owner) if owner != scheduler => Err(Error::ForeignSchedulerFlag(text.into())),
        _ => Ok(flag),
    }
}

fn mcast_group(text: &[u8]) -> Result<IpAddr, Error> {
    values::group(text).ok_or_else(|| match text.contains(&b':') {
        true => Error::McastGroup6(Word::from(text)),
        false => Error::McastGroup(Word::from(text)),
    })
}

fn ipv6_mask(text: &[u8]) -> Result<Mask, Error> {
    values::ipv6_mask(text).map(Mask::V6).ok_or(Error::Ipv6Mask)
}

fn timeout(text: &[u8], least: i64) -> Result<u32, Error> {
    values::number(text, least..=LONGEST_TIMEOUT)
        .map(|seconds| seconds as u32)
        .ok_or_else(|| Error::Timeout(text.into()))
}

/// A number from `least` to `most` in the type that it is kept in.
fn positive<T: TryFrom<i64> + Into<i64>>(text: &[u8], least: i64, most: T) -> Option<T> {
    let value = values::number(text, least..=most.into())?;
    T::try_from(value).ok()
}

fn or_default<const N: usize>(name: Name<N>, default: &[u8]) -> Name<N> {
    match name.is_empty() {
        true => Name::new(default),
        false => name,
    }
}
