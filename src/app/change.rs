//! Changes that depend on the current table, and messages to users about them.

use std::fmt::Display;

use super::{Env, asked, make};
use crate::cli::whole::{check_kept_server, check_kept_service};
use crate::command::Careful;
use crate::error::{Action, Error};
use crate::kernel::{Client, Error as KernelError};
use crate::model::terms::names_of_flags;
use crate::model::{Change, Flags, Mask, Server, Service, ServiceId, Settings};

/// Makes a change, and treats existing objects as requested. At a terminal, users see side effects.
pub fn carefully(env: &mut Env, client: &mut Client, careful: &Careful) -> Result<(), Error> {
    let tells = env.stderr.is_terminal();
    if careful.is_plain() && !tells {
        return make(client, &careful.change);
    }
    let resets = match &careful.change {
        Change::AddService(service) if careful.exist => service_to(client, careful, service)?,
        Change::EditService(service) => service_to(client, careful, service)?,
        Change::AddServer(id, server) if careful.exist => {
            server_to(client, careful, id, server, Change::AddServer)?
        }
        Change::EditServer(id, server) => {
            server_to(client, careful, id, server, Change::EditServer)?
        }
        change @ (Change::DeleteService(_) | Change::DeleteServer(..)) => {
            delete(client, change, careful.exist)?;
            Vec::new()
        }
        change @ (Change::AddService(_)
        | Change::AddServer(..)
        | Change::Flush
        | Change::Zero(_)
        | Change::SetTimeouts(_)
        | Change::StartDaemon(_)
        | Change::StopDaemon(_)) => {
            make(client, change)?;
            Vec::new()
        }
    };
    if tells && !resets.is_empty() {
        let resets = resets.join(", ");
        let note = format!("reset because not named: {resets}; --keep keeps them");
        env.warn(note.as_bytes());
    }
    if let (true, Some(port)) = (tells, careful.replaced_port) {
        let note =
            format!("port {port} is not used: without -m packets keep the port of the service");
        env.warn(note.as_bytes());
    }
    Ok(())
}

/// Deletes; with `--exist` a missing target is fine.
pub fn delete(client: &mut Client, change: &Change, exist: bool) -> Result<(), Error> {
    match client.apply(change) {
        Err(KernelError::Refused(refusal)) if exist && refusal.not_found() => Ok(()),
        outcome => asked(Action::from(change), outcome),
    }
}

/// Edits the service if it exists; returns the settings that this reset.
fn service_to(
    client: &mut Client,
    careful: &Careful,
    wanted: &Service,
) -> Result<Vec<String>, Error> {
    let current = match client.service(&wanted.id) {
        Ok(state) => state.service,
        Err(KernelError::Refused(refusal)) if refusal.not_found() => {
            if careful.exist {
                check_kept_service(wanted, careful.flags_of)?;
            }
            make(client, &careful.change)?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::from_kernel(Action::from(&careful.change), error)),
    };
    let service = if careful.keep {
        let service = wanted.keeping(careful.named, &current);
        check_kept_service(&service, careful.flags_of)?;
        service
    } else {
        *wanted
    };
    make(client, &Change::EditService(service))?;
    Ok(resets_of_service(careful.named, &current, &service))
}

/// Edits the server if it exists, else calls `otherwise`; returns the settings that this reset.
fn server_to(
    client: &mut Client,
    careful: &Careful,
    id: &ServiceId,
    wanted: &Server,
    otherwise: fn(ServiceId, Server) -> Change,
) -> Result<Vec<String>, Error> {
    let Some(current) = current_server(client, careful, id, wanted)? else {
        let server = Server {
            id: wanted.placed_in(id),
            ..*wanted
        };
        if careful.exist {
            check_kept_server(id, &server, careful.named)?;
        }
        make(client, &otherwise(*id, server))?;
        return Ok(Vec::new());
    };
    let server = if careful.keep {
        let server = wanted.keeping(careful.named, &current);
        check_kept_server(id, &server, careful.named)?;
        server
    } else {
        *wanted
    };
    make(client, &Change::EditServer(*id, server))?;
    Ok(resets_of_server(careful.named, &current, &server))
}

/// The existing server: the one given, or else the one with the port that the forwarding requires.
fn current_server(
    client: &mut Client,
    careful: &Careful,
    id: &ServiceId,
    wanted: &Server,
) -> Result<Option<Server>, Error> {
    let servers = match client.servers(id) {
        Err(KernelError::Refused(refusal)) if refusal.not_found() => return Ok(None),
        servers => asked(Action::from(&careful.change), servers)?,
    };
    let find = |wanted| {
        let mut servers = servers.iter().map(|state| state.server);
        servers.find(|server| server.id == wanted)
    };
    Ok(find(wanted.id).or_else(|| find(wanted.placed_in(id))))
}

fn resets_of_service(named: Settings, current: &Service, service: &Service) -> Vec<String> {
    let mut resets = Resets::new(named);
    let (old, new) = (current, service);
    let mask = |mask: Mask| match mask {
        Mask::V4(mask) => mask.to_string(),
        Mask::V6(length) => length.to_string(),
    };
    let seconds = |time: Option<u32>| time.map_or("none".to_owned(), |time| time.to_string());
    resets.add(
        Settings::SCHEDULER,
        "scheduler",
        old.scheduler,
        new.scheduler,
    );
    resets.add(
        Settings::PERSISTENCE,
        "persistence",
        seconds(old.persistence),
        seconds(new.persistence),
    );
    resets.add(Settings::MASK, "netmask", mask(old.mask), mask(new.mask));
    let flags = |service: &Service| {
        let names = names_of_flags(service.scheduler.as_bytes(), service.flags);
        names.collect::<Vec<_>>().join(",")
    };
    resets.add(Settings::SCHEDULER_FLAGS, "flags", flags(old), flags(new));
    let one_packet = |service: &Service| {
        if service.flags.has(Flags::ONE_PACKET) {
            "on"
        } else {
            "off"
        }
    };
    let (one_packet_before, one_packet_now) = (one_packet(old), one_packet(new));
    resets.add(
        Settings::ONE_PACKET,
        "ops",
        one_packet_before,
        one_packet_now,
    );
    let engine = |service: &Service| service.engine.map(|engine| engine.to_string());
    let (before, now) = (engine(old), engine(new));
    resets.add(
        Settings::ENGINE,
        "engine",
        before.unwrap_or_default(),
        now.unwrap_or_default(),
    );
    resets.texts
}

fn resets_of_server(named: Settings, current: &Server, server: &Server) -> Vec<String> {
    let mut resets = Resets::new(named);
    let (old, new) = (current, server);
    resets.add(
        Settings::FORWARDING,
        "forwarding",
        old.forwarding,
        new.forwarding,
    );
    resets.add(Settings::WEIGHT, "weight", old.weight, new.weight);
    resets.add(
        Settings::UPPER_THRESHOLD,
        "upper threshold",
        old.upper_threshold,
        new.upper_threshold,
    );
    resets.add(
        Settings::LOWER_THRESHOLD,
        "lower threshold",
        old.lower_threshold,
        new.lower_threshold,
    );
    resets.add(
        Settings::TUNNEL_KIND,
        "tunnel",
        old.tunnel.kind,
        new.tunnel.kind,
    );
    resets.texts
}

/// Settings that were not named and have changed.
struct Resets {
    named: Settings,
    texts: Vec<String>,
}

impl Resets {
    fn new(named: Settings) -> Self {
        let texts = Vec::new();
        Self { named, texts }
    }

    fn add<T: Display + PartialEq>(&mut self, setting: Settings, name: &str, old: T, new: T) {
        if old != new && !self.named.has(setting) {
            self.texts.push(format!("{name} (was {old})"));
        }
    }
}
