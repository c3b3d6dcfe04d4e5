//! Checks a line as a whole for missing and conflicting options, and builds its command.

use super::line::{Line, ServerSoFar, timeout};
use super::options::{
    CONNECTIONS, EXIST, FORWARDING, KEEP, PROBE, REAL_SERVER, SCHED_FLAGS, SERVICE_ADDRESS, STRICT,
    TUNNEL_CHECKSUM, TUNNEL_NO_CHECKSUM, TUNNEL_PORT, TUNNEL_REMOTE, TUNNEL_TYPE, VERBOSE,
};
use super::slots::{Breach, Needs, Slot, Slots};
use super::spec::{Operands, Spec};
use crate::command::{Apply, Careful, Check, Command, Diff, Doctor, Drain, Drained, Format};
use crate::error::Error;
use crate::model::terms::{self, Vocabulary};
use crate::model::{
    Change, Checksum, Daemon, Flags, Forwarding, Interface, Mask, Name, Protocol, Server, ServerId,
    Service, ServiceId, Settings, Timeouts, TunnelKind,
};

const DEFAULT_INTERFACE: Interface = Interface::new(b"eth0").unwrap();
const BAD_FLAG: &str = "invalid scheduler flag `{}'";

/// The options for tunnel checksums, of which a line accepts one, and all options for tunnels.
const CHECKSUM_SLOTS: Slots = Slots::NONE.with(TUNNEL_NO_CHECKSUM).with(TUNNEL_CHECKSUM);
const TUNNEL_SLOTS: Slots = CHECKSUM_SLOTS
    .with(TUNNEL_REMOTE)
    .with(TUNNEL_TYPE)
    .with(TUNNEL_PORT);

impl Line<'_> {
    pub fn finish(&mut self) -> Result<Command, Error> {
        let spec = self.verb.spec();
        match spec.operands {
            Operands::Nothing => self.operands.refuse_from(0)?,
            Operands::Timeouts => self.timeouts = self.read_timeouts()?,
            Operands::File => self.operands.refuse_from(1)?,
        }
        self.flags = self.flags | self.read_scheduler_flags()?;
        self.check_slots()?;
        (spec.build)(self)
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
            .check(competing(self.given))
            .map_err(|breach| match breach {
                Breach::Missing(slot) => self.needs(slot),
                Breach::Illegal(slot) => Error::Illegal {
                    option: slot.name,
                    command,
                },
                Breach::Conflict { slot, other } => self.conflict(slot, other),
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

    pub(super) fn needs(&self, slot: Slot) -> Error {
        Error::Needed {
            option: slot.name,
            command: self.verb.spec().name,
        }
    }

    pub(super) fn conflict(&self, slot: Slot, other: Slot) -> Error {
        Error::Conflict {
            option: slot.name,
            other: other.name,
            command: self.verb.spec().name,
        }
    }

    pub fn whole_service(&self) -> Result<Service, Error> {
        let id = self.service()?;
        if !self.keeps() {
            check_port(&id, self.persistence)?;
        }
        if let ServiceId::Address { protocol, .. } = id {
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

    fn read_scheduler_flags(&mut self) -> Result<Flags, Error> {
        let text = self.scheduler_flags;
        if text.is_empty() {
            return Ok(Flags::NONE);
        }
        let parts = text.split(|&byte| byte == b',');
        let mut parts = parts.filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() {
            return Err(bad_flags(BAD_FLAG, text));
        }
        parts.try_fold(Flags::NONE, |flags, part| {
            Ok(flags | self.scheduler_flag(part)?)
        })
    }

    fn scheduler_flag(&mut self, text: &[u8]) -> Result<Flags, Error> {
        let Some((flag, owner)) = terms::flag_by_name(text) else {
            return Err(bad_flags(BAD_FLAG, text));
        };
        let scheduler = self.scheduler.as_ref().map_or(&b""[..], Name::as_bytes);
        let is_kept = self.keeps() && self.scheduler.is_none();
        if is_kept {
            self.flags_of = self.flags_of.or(owner);
        } else if owner.is_some_and(|owner| owner.as_bytes() != scheduler) {
            return Err(foreign_flags(text));
        }
        Ok(flag)
    }

    pub fn apply(&self) -> Apply {
        Apply {
            file: self.file(),
            keep: self.keeps(),
            verbose: self.given.has(VERBOSE),
            wait: self.wait,
            confirm: self.confirm,
        }
    }

    pub fn diff(&self) -> Diff {
        Diff {
            file: self.file(),
            keep: self.keeps(),
            json: self.format == Format::Json,
        }
    }

    pub fn check(&self) -> Check {
        Check {
            file: self.file(),
            strict: self.given.has(STRICT),
            json: self.format == Format::Json,
        }
    }

    /// The file to read, if it is not standard input.
    pub fn file(&self) -> Option<Vec<u8>> {
        named(self.operands.get(0))
    }

    /// The file to write, if it is not standard output.
    pub fn output(&self) -> Option<Vec<u8>> {
        named(self.output)
    }

    pub fn doctor(&self) -> Result<Doctor, Error> {
        let real_server = self.server_filter()?;
        match real_server {
            Some(_) if self.service.is_some() => {
                return Err(self.conflict(REAL_SERVER, SERVICE_ADDRESS));
            }
            None if self
                .given
                .and(TUNNEL_SLOTS.with(FORWARDING))
                .first()
                .is_some() =>
            {
                return Err(self.needs(REAL_SERVER));
            }
            Some(_) | None => {}
        }
        if real_server.is_some() {
            let given = self.given.and(TUNNEL_SLOTS);
            check_tunnel(self.forwarding, self.tunnel.kind, given)?;
        }
        Ok(Doctor {
            service: self.service,
            real_server,
            forwarding: self.forwarding,
            tunnel: self.tunnel,
            probe: self.given.has(PROBE),
            file: self.operands.get(0).map(<[u8]>::to_vec),
            json: self.format == Format::Json,
        })
    }

    pub fn drain(&self) -> Result<Drain, Error> {
        let host = self.server_filter()?.ok_or(self.needs(REAL_SERVER))?;
        Ok(Drain {
            of: Drained::Host(self.service, host),
            wait: self.wait,
        })
    }

    /// A deletion, perhaps after a drain.
    pub fn deletion(&self, change: Change) -> Result<Command, Error> {
        if self.wait.is_none() {
            return self.careful(change);
        }
        Ok(Command::Drain(Drain {
            of: Drained::Deleted {
                change,
                exist: self.given.has(EXIST),
            },
            wait: self.wait,
        }))
    }

    /// A change, and how to treat existing objects.
    pub fn careful(&self, change: Change) -> Result<Command, Error> {
        let careful = Careful {
            change,
            exist: self.given.has(EXIST),
            keep: self.keeps(),
            named: self.named,
            replaced_port: self.replaced_port(&change),
            flags_of: self.flags_of,
        };
        let is_edit = matches!(change, Change::EditService(_) | Change::EditServer(..));
        let tells = is_edit || careful.replaced_port.is_some();
        if careful.exist || careful.keep || tells {
            return Ok(Command::Careful(careful));
        }
        Ok(Command::Change(change))
    }

    /// The port given for a server, if it differs from the server's.
    fn replaced_port(&self, change: &Change) -> Option<u16> {
        let (Change::AddServer(_, server) | Change::EditServer(_, server)) = change else {
            return None;
        };
        match self.server {
            Some(ServerSoFar::Whole(written)) if written.port != server.id.port => {
                Some(written.port)
            }
            _ => None,
        }
    }

    /// Whether settings that are not named may be kept: a line that only adds has nothing to keep.
    fn keeps(&self) -> bool {
        let only_adds = self.verb.spec().adds.is_some() && !self.given.has(EXIST);
        self.given.has(KEEP) && !only_adds
    }

    pub fn whole_server(&self) -> Result<(ServiceId, Server), Error> {
        let service = self.service()?;
        let mut server = Server {
            id: self.server(service)?,
            forwarding: self.forwarding,
            tunnel: self.tunnel,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        };
        let given = self.given.and(TUNNEL_SLOTS);
        if self.keeps() {
            // The kept settings decide the rest; a gue tunnel accepts any checksum, but only one.
            let given = given
                .except(Slots::NONE.with(TUNNEL_TYPE))
                .with(TUNNEL_PORT);
            check_tunnel(Forwarding::Tunnel, TunnelKind::Gue, given)?;
        } else {
            server.id = server.placed_in(&service);
            check_family(&service, &server)?;
            check_tunnel(server.forwarding, server.tunnel.kind, given)?;
        }
        Ok((service, server))
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

/// The competing slots. The service whose connections are listed does not compete.
pub fn competing(slots: Slots) -> Slots {
    if slots.has(CONNECTIONS) {
        slots.except(Slots::NONE.with(SERVICE_ADDRESS))
    } else {
        slots
    }
}

/// A file by name; `-` is a standard stream.
fn named(file: Option<&[u8]>) -> Option<Vec<u8>> {
    file.filter(|file| *file != b"-").map(<[u8]>::to_vec)
}

/// Checks whether a service can have these settings, some of them named and the others kept.
pub fn check_kept_service(service: &Service, flags_of: Option<&str>) -> Result<(), Error> {
    let scheduler = service.scheduler.as_bytes();
    if flags_of.is_some_and(|owner| owner.as_bytes() != scheduler) {
        let flags = terms::names_of_flags(flags_of.unwrap_or_default().as_bytes(), service.flags);
        let flags: Vec<&str> = flags.collect();
        return Err(foreign_flags(flags.join(",").as_bytes()));
    }
    check_port(&service.id, service.persistence)
}

/// Only persistent services can have every port.
fn check_port(id: &ServiceId, persistence: Option<u32>) -> Result<(), Error> {
    match *id {
        ServiceId::Address { port: 0, .. } if persistence.is_none() => {
            Err(Error::ZeroPort(id.family()))
        }
        ServiceId::Address { .. } | ServiceId::Mark { .. } => Ok(()),
    }
}

/// Checks whether a server can have these settings, some of them named and the others kept.
pub fn check_kept_server(
    service: &ServiceId,
    server: &Server,
    named: Settings,
) -> Result<(), Error> {
    let tunnel = &server.tunnel;
    let mut given = Slots::NONE;
    if named.has(Settings::TUNNEL_KIND) {
        given = given.with(TUNNEL_TYPE);
    }
    if named.has(Settings::TUNNEL_PORT) || tunnel.port != 0 {
        given = given.with(TUNNEL_PORT);
    }
    if named.has(Settings::TUNNEL_CHECKSUM) {
        given = given.with(match tunnel.checksum {
            Checksum::REMOTE => TUNNEL_REMOTE,
            Checksum::NONE => TUNNEL_NO_CHECKSUM,
            _ => TUNNEL_CHECKSUM,
        });
    }
    check_family(service, server)?;
    check_tunnel(server.forwarding, tunnel.kind, given)
}

fn check_family(service: &ServiceId, server: &Server) -> Result<(), Error> {
    if server.id.family() != service.family() && server.forwarding != Forwarding::Tunnel {
        return Err(Error::MixedFamilies);
    }
    Ok(())
}

fn check_tunnel(forwarding: Forwarding, kind: TunnelKind, given: Slots) -> Result<(), Error> {
    if forwarding != Forwarding::Tunnel {
        return match given.first() {
            Some(_) => Err(Error::NoTunnel),
            None => Ok(()),
        };
    }
    let tunnel = kind.word().unwrap_or("unknown");
    let (must, one_of) = match kind {
        TunnelKind::Gue => (
            Slots::NONE.with(TUNNEL_PORT),
            CHECKSUM_SLOTS.with(TUNNEL_REMOTE),
        ),
        TunnelKind::Gre => (Slots::NONE, CHECKSUM_SLOTS),
        TunnelKind::Ipip | TunnelKind::Unknown(_) => (Slots::NONE, Slots::NONE),
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

fn foreign_flags(flags: &[u8]) -> Error {
    bad_flags("incompatible scheduler flag `{}'", flags)
}

fn bad_flags(message: &'static str, flags: &[u8]) -> Error {
    Spec::Option(&SCHED_FLAGS).illegal(message, flags)
}
