//! Looks at a line as a whole: what is missing, what does not go together, and what it asks for.

use super::line::{Line, illegal, timeout};
use super::options::{
    CONNECTIONS, DAEMON, EXACT, NO_SORT, NUMERIC, PERSISTENT_CONNECTIONS, RATE, REAL_SERVER,
    SERVICE_ADDRESS, STATS, THRESHOLDS, TIMEOUT, TUNNEL_CHECKSUM, TUNNEL_INFO, TUNNEL_NO_CHECKSUM,
    TUNNEL_PORT, TUNNEL_REMOTE, TUNNEL_TYPE,
};
use super::spec::{Breach, Needs, Operands, Slot, Slots, Spec};
use crate::command::{Columns, Command, Listing, Subject, View};
use crate::error::Error;
use crate::model::{
    Daemon, Flags, Forwarding, Interface, Mask, Name, Protocol, Server, ServerId, Service,
    ServiceId, Timeouts, TunnelKind, terms,
};

const DEFAULT_INTERFACE: Interface = Interface::new(b"eth0").unwrap();
const BAD_FLAG: &str = "invalid scheduler flag `{}'";

impl Line<'_> {
    pub fn finish(mut self) -> Result<Command, Error> {
        let spec = self.verb.spec();
        match spec.operands {
            Operands::Nothing => self.operands.refuse_from(0)?,
            Operands::Timeouts => self.timeouts = self.read_timeouts()?,
        }
        self.flags = self.flags | self.read_scheduler_flags()?;
        self.check_slots()?;
        (spec.build)(&self)
    }

    fn read_timeouts(&self) -> Result<Timeouts, Error> {
        let seconds = |index| {
            let text = self.operands.get(index).unwrap_or_default();
            let spec = Spec::Command(self.verb.spec());
            timeout(text, 0).map_err(|refusal| spec.refused(refusal, Some(text)))
        };
        if self.operands.get(2).is_none() {
            return Err(Error::TooFewTimeouts);
        }
        let timeouts = Timeouts {
            tcp: seconds(0)?,
            tcp_fin: seconds(1)?,
            udp: seconds(2)?,
        };
        self.operands.refuse_from(3)?;
        Ok(timeouts)
    }

    fn check_slots(&self) -> Result<(), Error> {
        let command = self.verb.spec().name;
        Needs::of(self.verb)
            .check(self.given)
            .map_err(|breach| match breach {
                Breach::Missing(slot) => self.needs(slot),
                Breach::Illegal(slot) => Error::Illegal {
                    option: slot.name,
                    command,
                },
                Breach::Conflict { slot, other } => Error::Conflict {
                    option: slot.name,
                    other: other.name,
                    command,
                },
            })
    }

    pub fn service(&self) -> Result<ServiceId, Error> {
        match self.service {
            Some(service) => Ok(service),
            None => Err(self.needs(SERVICE_ADDRESS)),
        }
    }

    pub fn server(&self, service: ServiceId) -> Result<ServerId, Error> {
        match self.server {
            Some(server) => self.server_of(service, server),
            None => Err(self.needs(REAL_SERVER)),
        }
    }

    fn needs(&self, slot: Slot) -> Error {
        Error::Needed {
            option: slot.name,
            command: self.verb.spec().name,
        }
    }

    pub fn whole_service(&self) -> Result<Service, Error> {
        let id = self.service()?;
        if let ServiceId::Address { protocol, port, .. } = id {
            if port == 0 && self.persistence.is_none() {
                return Err(Error::ZeroPort(id.family()));
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

    fn read_scheduler_flags(&self) -> Result<Flags, Error> {
        let text = self.scheduler_flags;
        let parts = text.split(|&byte| byte == b',');
        let mut parts = parts.filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() && !text.is_empty() {
            return Err(illegal("sched-flags", BAD_FLAG, text));
        }
        parts.try_fold(Flags::NONE, |flags, part| {
            Ok(flags | self.scheduler_flag(part)?)
        })
    }

    fn scheduler_flag(&self, text: &[u8]) -> Result<Flags, Error> {
        let Some((flag, owner)) = terms::flag_by_name(text) else {
            return Err(illegal("sched-flags", BAD_FLAG, text));
        };
        let scheduler = self.scheduler.as_ref().map_or(&b""[..], Name::as_bytes);
        if owner.is_some_and(|owner| owner.as_bytes() != scheduler) {
            let message = "incompatible scheduler flag `{}'";
            return Err(illegal("sched-flags", message, text));
        }
        Ok(flag)
    }

    pub fn whole_server(&self) -> Result<(ServiceId, Server), Error> {
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
                Slots::NONE.with(TUNNEL_PORT),
                CHECKSUM_SLOTS.with(TUNNEL_REMOTE),
            ),
            TunnelKind::Gre => ("gre", Slots::NONE, CHECKSUM_SLOTS),
            TunnelKind::Ipip | TunnelKind::Unknown(_) => ("ipip", Slots::NONE, Slots::NONE),
        };
        let may = Slots::NONE.with(TUNNEL_TYPE);
        let needs = Needs { must, may, one_of };
        needs.check(given).map_err(|breach| match breach {
            Breach::Missing(slot) => Error::TunnelNeeds {
                option: slot.name,
                tunnel,
            },
            Breach::Illegal(slot) => Error::TunnelIllegal {
                option: slot.name,
                tunnel,
            },
            Breach::Conflict { slot, other } => Error::TunnelConflict {
                option: slot.name,
                other: other.name,
                tunnel,
            },
        })
    }

    pub fn listing(&self) -> Result<Listing, Error> {
        let subject = self.subject();
        let has = |slot| self.given.has(slot);
        let statistics = has(STATS) || has(RATE) || has(THRESHOLDS);
        let conflict = match subject {
            Subject::Connections => statistics,
            Subject::Timeouts | Subject::Daemons => statistics || has(PERSISTENT_CONNECTIONS),
            Subject::Services(_) => false,
        };
        if conflict {
            return Err(Error::ListConflict);
        }
        let view = View {
            columns: self.columns(),
            exact: has(EXACT),
            sorted: !has(NO_SORT),
        };
        Ok(Listing {
            subject,
            view,
            numeric: has(NUMERIC),
            format: self.format,
        })
    }

    fn subject(&self) -> Subject {
        if self.given.has(CONNECTIONS) {
            return Subject::Connections;
        }
        if self.given.has(TIMEOUT) {
            return Subject::Timeouts;
        }
        if self.given.has(DAEMON) {
            return Subject::Daemons;
        }
        Subject::Services(self.service)
    }

    fn columns(&self) -> Columns {
        let choices = [
            (STATS, Columns::Stats),
            (RATE, Columns::Rates),
            (THRESHOLDS, Columns::Thresholds),
            (PERSISTENT_CONNECTIONS, Columns::PersistentConnections),
            (TUNNEL_INFO, Columns::Tunnels),
        ];
        let chosen = choices.iter().find(|(slot, _)| self.given.has(*slot));
        chosen.map_or(Columns::Plain, |(_, columns)| *columns)
    }

    pub fn daemon(&self) -> Daemon {
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

const CHECKSUM_SLOTS: Slots = Slots::NONE.with(TUNNEL_NO_CHECKSUM).with(TUNNEL_CHECKSUM);

const TUNNEL_SLOTS: Slots = CHECKSUM_SLOTS
    .with(TUNNEL_REMOTE)
    .with(TUNNEL_TYPE)
    .with(TUNNEL_PORT);
