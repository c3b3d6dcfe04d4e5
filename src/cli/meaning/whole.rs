//! Looks at a line as a whole: what is missing, what does not go together, and what it asks for.

use super::super::options::{Breach, Needs, Slot, Slots, Verb};
use super::LeftOver;
use super::line::Line;
use crate::command::{Columns, Command, Listing, Subject, View};
use crate::error::Error;
use crate::model::{
    Change, Daemon, Flags, Forwarding, Interface, Mask, Name, Protocol, Server, ServerId, Service,
    ServiceId, TunnelKind, terms,
};

impl Line<'_> {
    pub fn finish(mut self, left_over: &LeftOver) -> Result<Command, Error> {
        match self.verb {
            Verb::SetTimeouts => drop(left_over.timeouts()?),
            _ => left_over.refuse_from(0)?,
        }
        self.flags = self.flags | self.scheduler_flags()?;
        self.check_slots()?;
        let change = match self.verb {
            Verb::AddService => Change::AddService(self.whole_service()?),
            Verb::EditService => Change::EditService(self.whole_service()?),
            Verb::DeleteService => Change::DeleteService(self.service()?),
            Verb::Flush => Change::Flush,
            Verb::AddServer => {
                let (service, server) = self.whole_server()?;
                Change::AddServer(service, server)
            }
            Verb::EditServer => {
                let (service, server) = self.whole_server()?;
                Change::EditServer(service, server)
            }
            Verb::DeleteServer => {
                let service = self.service()?;
                Change::DeleteServer(service, self.server(service)?)
            }
            Verb::SetTimeouts => Change::SetTimeouts(left_over.timeouts()?),
            Verb::StartDaemon => Change::StartDaemon(self.daemon()),
            Verb::StopDaemon => Change::StopDaemon(self.daemon_role),
            Verb::Zero => Change::Zero(self.service),
            Verb::List => return Ok(Command::List(self.listing()?)),
            Verb::Restore => return Ok(Command::Restore),
            Verb::Save => {
                let numeric = self.given.has(Slot::Numeric);
                return Ok(Command::Save { numeric });
            }
            Verb::Help => return Ok(Command::Help),
            Verb::Version => return Ok(Command::Version),
        };
        Ok(Command::Change(change))
    }

    fn check_slots(&self) -> Result<(), Error> {
        let verb = self.verb;
        Needs::of(verb)
            .check(self.given)
            .map_err(|breach| match breach {
                Breach::Missing(slot) => self.needs(slot),
                Breach::Illegal(slot) => Error::Illegal { slot, verb },
                Breach::Conflict { slot, other } => Error::Conflict { slot, other, verb },
            })
    }

    fn service(&self) -> Result<ServiceId, Error> {
        match self.service {
            Some(service) => Ok(service),
            None => Err(self.needs(Slot::ServiceAddress)),
        }
    }

    fn server(&self, service: ServiceId) -> Result<ServerId, Error> {
        match self.server {
            Some(server) => self.server_of(service, server),
            None => Err(self.needs(Slot::RealServer)),
        }
    }

    fn needs(&self, slot: Slot) -> Error {
        let verb = self.verb;
        Error::Needed { slot, verb }
    }

    fn whole_service(&self) -> Result<Service, Error> {
        let id = self.service()?;
        if let ServiceId::Address { protocol, port, .. } = id {
            if port == 0 && self.persistence.is_none() {
                return Err(Error::ZeroPort);
            }
            if self.flags.has(Flags::ONE_PACKET) && protocol != Protocol::UDP {
                return Err(Error::OnePacket);
            }
        }
        Ok(Service {
            id,
            scheduler: self.scheduler.unwrap_or(Service::SCHEDULER),
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
        let scheduler = self.scheduler.as_ref().map_or(&b""[..], Name::as_bytes);
        parts.try_fold(Flags::NONE, |flags, part| {
            Ok(flags | scheduler_flag(part, scheduler)?)
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
        let may = Slots::NONE.with(Slot::TunnelType);
        let needs = Needs { must, may, one_of };
        needs.check(given).map_err(|breach| match breach {
            Breach::Missing(slot) => Error::TunnelNeeds { slot, tunnel },
            Breach::Illegal(slot) => Error::TunnelIllegal { slot, tunnel },
            Breach::Conflict { slot, other } => Error::TunnelConflict {
                slot,
                other,
                tunnel,
            },
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
            format: self.format,
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
            interface: self.interface.unwrap_or(DEFAULT_INTERFACE),
            sync_id: self.sync_id,
            max_length: self.sync_max_length,
            group: self.mcast_group,
            port: self.mcast_port,
            ttl: self.mcast_ttl,
        }
    }
}

const DEFAULT_INTERFACE: Interface = Interface::new(b"eth0").unwrap();

const CHECKSUM_SLOTS: Slots = Slots::NONE
    .with(Slot::TunnelNoChecksum)
    .with(Slot::TunnelChecksum);

const TUNNEL_SLOTS: Slots = CHECKSUM_SLOTS
    .with(Slot::TunnelRemoteChecksum)
    .with(Slot::TunnelType)
    .with(Slot::TunnelPort);

fn scheduler_flag(text: &[u8], scheduler: &[u8]) -> Result<Flags, Error> {
    let Some((flag, owner)) = terms::flag_by_name(text) else {
        return Err(Error::SchedulerFlag(text.into()));
    };
    match owner {
        Some(owner) if owner.as_bytes() != scheduler => {
            Err(Error::ForeignSchedulerFlag(text.into()))
        }
        _ => Ok(flag),
    }
}
