//! What a file of commands means as a table: the result of clearing the table and running the
//! file.

use std::collections::hash_map::Entry;

use crate::command::{Careful, Command};
use crate::error::{Action, Error};
use crate::model::difference::{Configured, Table};
use crate::model::drain::{TurnsAway, turns_away};
use crate::model::hash::Map;
use crate::model::terms::SCHEDULERS;
use crate::model::{Change, Daemon, DaemonRole, Server, ServerId, Service, ServiceId, sort_by_key};

/// A table with the lines that it was read from.
#[derive(Default)]
pub struct Meaning {
    pub table: Table,
    /// The first command is `-C`.
    pub clears: bool,
    services: Map<ServiceId, Place>,
    /// The line of each server, by the index of its service.
    servers: Map<(u32, ServerId), u32>,
    timeouts: usize,
    daemons: Map<DaemonRole, usize>,
    notes: Vec<LineNote>,
    is_empty: bool,
}

/// The index of a service in the table, and its line in the file. 32 bits are enough for any file
/// that fits in memory, and save much memory with a large one.
#[derive(Clone, Copy)]
struct Place {
    index: u32,
    line: u32,
}

/// Something that loads but is very likely a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineNote {
    pub line: usize,
    pub text: String,
}

impl Meaning {
    pub fn new() -> Self {
        Self {
            is_empty: true,
            ..Self::default()
        }
    }

    /// Adds a command. After an error nothing was added.
    pub fn take(&mut self, line: usize, command: &Command) -> Result<(), Error> {
        let is_first = std::mem::replace(&mut self.is_empty, false);
        let change = command.plain_change().ok_or(Error::NotOfATable)?;
        if is_first && *change == Change::Flush {
            self.clears = true;
            return Ok(());
        }
        self.change(line, change)?;
        if let Command::Careful(Careful {
            replaced_port: Some(port),
            ..
        }) = command
        {
            let text = format!("port {port} is not used: without -m it is the service's");
            self.note(line, text);
        }
        Ok(())
    }

    fn change(&mut self, line: usize, change: &Change) -> Result<(), Error> {
        match change {
            Change::AddService(service) => self.add_service(line, service),
            Change::AddServer(id, server) => self.add_server(line, id, server),
            Change::SetTimeouts(timeouts) => {
                let before = self.table.timeouts.unwrap_or_default();
                self.table.timeouts = Some(timeouts.over(before));
                self.timeouts = line;
                Ok(())
            }
            Change::StartDaemon(daemon) => {
                if self.daemons.contains_key(&daemon.role) {
                    return Err(refused(Action::StartDaemon, libc::EEXIST));
                }
                self.daemons.insert(daemon.role, line);
                self.table.daemons.push(*daemon);
                Ok(())
            }
            Change::EditService(_)
            | Change::DeleteService(_)
            | Change::EditServer(..)
            | Change::DeleteServer(..)
            | Change::Flush
            | Change::Zero(_)
            | Change::StopDaemon(_) => Err(Error::NotOfATable),
        }
    }

    fn add_service(&mut self, line: usize, service: &Service) -> Result<(), Error> {
        let place = Place {
            index: self.table.services.len() as u32,
            line: line as u32,
        };
        match self.services.entry(service.id) {
            Entry::Occupied(other) => return Err(Error::SameService(other.get().line as usize)),
            Entry::Vacant(entry) => entry.insert(place),
        };
        self.table.services.push(Configured {
            service: *service,
            servers: Vec::new(),
        });
        Ok(())
    }

    fn add_server(&mut self, line: usize, id: &ServiceId, server: &Server) -> Result<(), Error> {
        let Some(place) = self.services.get(id) else {
            return Err(refused(Action::AddServer, libc::ESRCH));
        };
        match self.servers.entry((place.index, server.id)) {
            Entry::Occupied(other) => return Err(Error::SameServer(*other.get() as usize)),
            Entry::Vacant(entry) => entry.insert(line as u32),
        };
        let servers = &mut self.table.services[place.index as usize].servers;
        if servers.is_empty() {
            // A `Vec` would make room for four, but many services have only one server.
            servers.reserve_exact(1);
        }
        servers.push(*server);
        Ok(())
    }

    fn note(&mut self, line: usize, text: String) {
        self.notes.push(LineNote { line, text });
    }

    /// The line that a change comes from, if it comes from one.
    pub fn line_of(&self, change: &Change) -> Option<usize> {
        let service = |id: &ServiceId| self.services.get(id).map(|place| place.line as usize);
        match change {
            Change::AddService(new) | Change::EditService(new) => service(&new.id),
            Change::AddServer(id, server) | Change::EditServer(id, server) => {
                self.line_of_server(self.services.get(id)?, server)
            }
            Change::DeleteServer(id, _) => service(id),
            Change::SetTimeouts(_) => Some(self.timeouts),
            Change::StartDaemon(Daemon { role, .. }) | Change::StopDaemon(role) => {
                self.daemons.get(role).copied()
            }
            Change::DeleteService(_) | Change::Flush | Change::Zero(_) => None,
        }
    }

    fn line_of_server(&self, service: &Place, server: &Server) -> Option<usize> {
        let line = self.servers.get(&(service.index, server.id))?;
        Some(*line as usize)
    }

    /// What loads but is very likely a mistake, in the order of lines.
    pub fn notes(&self) -> Vec<LineNote> {
        let mut notes = self.notes.clone();
        for entry in &self.table.services {
            let place = &self.services[&entry.service.id];
            let line = place.line as usize;
            let texts = notes_on_service(entry);
            notes.extend(texts.into_iter().map(|text| LineNote { line, text }));
            for server in &entry.servers {
                if server.lower_threshold > server.upper_threshold && server.upper_threshold > 0 {
                    let line = self.line_of_server(place, server).unwrap_or(line);
                    let text = "the lower threshold is above the upper one".to_owned();
                    notes.push(LineNote { line, text });
                }
            }
        }
        sort_by_key(&mut notes, |note| note.line);
        notes
    }
}

fn notes_on_service(entry: &Configured) -> Vec<String> {
    let mut notes = Vec::new();
    let scheduler = entry.service.scheduler.as_bytes();
    let mut known = SCHEDULERS.iter().map(|(name, _)| name.as_bytes());
    if !known.any(|name| name == scheduler) {
        let name = &entry.service.scheduler;
        notes.push(format!("no known kernel has the scheduler {name}"));
    }
    if let Some(TurnsAway::Without(flag)) = turns_away(&entry.service) {
        notes.push(format!(
            "without {} a server of weight 0 refuses its clients",
            flag.word
        ));
    }
    if entry.servers.is_empty() {
        notes.push("the service has no servers".to_owned());
    } else if entry.servers.iter().all(|server| server.weight == 0) {
        notes.push("all servers have weight 0".to_owned());
    }
    let mut methods = Map::default();
    for server in &entry.servers {
        let method = methods.entry(server.id.address);
        if *method.or_insert(server.forwarding) != server.forwarding {
            let address = server.id.address;
            notes.push(format!("{address} is reached in two ways"));
        }
    }
    notes
}

fn refused(action: Action, errno: i32) -> Error {
    Error::Refused { action, errno }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    fn read(file: &str) -> (Meaning, Vec<String>) {
        let (mut meaning, mut errors) = (Meaning::new(), Vec::new());
        for (index, line) in file.lines().enumerate() {
            let command = crate::rules::read(line.as_bytes(), &Names::numeric());
            let Some(command) = command.unwrap() else {
                continue;
            };
            if let Err(error) = meaning.take(index + 1, &command) {
                errors.push(format!("{}: {error}", index + 1));
            }
        }
        (meaning, errors)
    }

    #[test]
    fn every_line_that_makes_no_table_is_named() {
        let (meaning, errors) = read(
            "\
-C
-A -t 10.0.0.1:80
-A -t 10.0.0.1:0080
-a -t 10.0.0.1:80 -r 10.1.0.1:99
-a -t 10.0.0.1:80 -r 10.1.0.1 -g -w 5
-a -t 10.0.0.1:81 -r 10.1.0.1
-D -t 10.0.0.1:80
-C
-A -t 10.0.0.2:80 --exist
--start-daemon master
--start-daemon master --syncid 5
",
        );
        let other = "only -A, -a, --set, --start-daemon and a leading -C describe a table";
        assert_eq!(
            errors,
            [
                "3: the same service as on line 2".to_owned(),
                "5: the same server as on line 4".to_owned(),
                "6: Service not defined".to_owned(),
                format!("7: {other}"),
                format!("8: {other}"),
                format!("9: {other}"),
                "11: Daemon has already run".to_owned(),
            ]
        );
        assert!(meaning.clears);
        assert_eq!(meaning.table.services.len(), 1);
        assert_eq!(meaning.table.services[0].servers.len(), 1);
    }

    #[test]
    fn likely_mistakes_are_reported() {
        let (meaning, errors) = read(
            "\
-A -t 10.0.0.1:80 -s rr
-A -t 10.0.0.2:80 -s sh
-a -t 10.0.0.2:80 -r 10.1.0.1:81 -w 0
-a -t 10.0.0.2:80 -r 10.1.0.1:82 -m -w 0 -x 5 -y 9
-A -t 10.0.0.3:80 -s wlx
-a -t 10.0.0.3:80 -r 10.1.0.1
",
        );
        assert_eq!(errors, [""; 0]);
        let notes = meaning.notes();
        let notes = notes
            .iter()
            .map(|note| format!("{}: {}", note.line, note.text));
        assert_eq!(
            notes.collect::<Vec<_>>(),
            [
                "1: the service has no servers",
                "2: without sh-fallback a server of weight 0 refuses its clients",
                "2: all servers have weight 0",
                "2: 10.1.0.1 is reached in two ways",
                "3: port 81 is not used: without -m it is the service's",
                "4: the lower threshold is above the upper one",
                "5: no known kernel has the scheduler wlx",
            ]
        );
    }
}
