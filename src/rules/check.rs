//! What a table that was empty would say to commands, without asking the kernel.

use std::collections::{HashMap, HashSet};

use crate::command::{Command, Subject};
use crate::error::{Action, Error};
use crate::model::{Change, ServerId, ServiceId};

/// A table of services and servers that knows their names alone, empty at first.
#[derive(Default)]
pub struct EmptyTable {
    /// Each service has a number of its own, and gets another when it is added again.
    services: HashMap<ServiceId, u32>,
    servers: HashSet<(u32, ServerId)>,
    last_number: u32,
}

impl EmptyTable {
    /// Follows a command; an error is what the kernel would refuse it with.
    pub fn follow(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::Change(change) => self.change(change),
            Command::Careful(careful) if careful.is_plain() => self.change(&careful.change),
            Command::Careful(careful) => {
                // It may be fine either way, but adds what it adds.
                let _ = self.change(&careful.change);
                Ok(())
            }
            Command::List(listing) => match &listing.subject {
                Subject::Services(Some(id)) => self.service(Action::Read, id).map(drop),
                Subject::Services(None)
                | Subject::Connections(_)
                | Subject::Timeouts
                | Subject::Daemons => Ok(()),
            },
            Command::Save { .. }
            | Command::Restore
            | Command::Apply(_)
            | Command::Diff(_)
            | Command::Check(_)
            | Command::Help
            | Command::Version => Ok(()),
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), Error> {
        match change {
            Change::AddService(service) => self.add_service(service.id),
            Change::EditService(service) => {
                self.service(Action::EditService, &service.id).map(drop)
            }
            Change::DeleteService(id) => {
                self.service(Action::DeleteService, id)?;
                self.services.remove(id);
                Ok(())
            }
            Change::AddServer(service, server) => {
                let service = self.service(Action::AddServer, service)?;
                match self.servers.insert((service, server.id)) {
                    true => Ok(()),
                    false => Err(refused(Action::AddServer, libc::EEXIST)),
                }
            }
            Change::EditServer(service, server) => self
                .server(Action::EditServer, service, &server.id)
                .map(drop),
            Change::DeleteServer(service, server) => {
                let server = self.server(Action::DeleteServer, service, server)?;
                self.servers.remove(&server);
                Ok(())
            }
            Change::Flush => {
                self.services.clear();
                self.servers.clear();
                Ok(())
            }
            Change::Zero(Some(id)) => self.service(Action::Zero, id).map(drop),
            Change::Zero(None)
            | Change::SetTimeouts(_)
            | Change::StartDaemon(_)
            | Change::StopDaemon(_) => Ok(()),
        }
    }

    fn add_service(&mut self, id: ServiceId) -> Result<(), Error> {
        if self.services.contains_key(&id) {
            return Err(refused(Action::AddService, libc::EEXIST));
        }
        self.last_number += 1;
        self.services.insert(id, self.last_number);
        Ok(())
    }

    fn service(&self, action: Action, id: &ServiceId) -> Result<u32, Error> {
        let number = self.services.get(id);
        number.copied().ok_or(refused(action, libc::ESRCH))
    }

    fn server(
        &self,
        action: Action,
        service: &ServiceId,
        server: &ServerId,
    ) -> Result<(u32, ServerId), Error> {
        let server = (self.service(action, service)?, *server);
        match self.servers.contains(&server) {
            true => Ok(server),
            false => Err(refused(action, libc::ENOENT)),
        }
    }
}

fn refused(action: Action, errno: i32) -> Error {
    Error::Refused { action, errno }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    /// What the lines of a file are refused with, by their numbers.
    fn refusals(file: &str) -> Vec<String> {
        let mut table = EmptyTable::default();
        let lines = file.lines().enumerate();
        lines
            .filter_map(|(index, line)| {
                let command = super::super::read(b"", line.as_bytes(), &Names::numeric());
                let refusal = table.follow(&command.unwrap()?).err()?;
                Some(format!("{}: {refusal}", index + 1))
            })
            .collect()
    }

    #[test]
    fn what_is_there_twice_or_missing_is_refused() {
        let file = "\
-A -t 10.0.0.1:80
-A -t 10.0.0.1:80
-A -u 10.0.0.1:80
-a -t 10.0.0.1:80 -r 10.1.0.1 -m
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g
-a -t 10.0.0.1:80 -r 10.1.0.1:81 -m
-a -f 1 -r 10.1.0.1
-E -f 1
-e -u 10.0.0.1:80 -r 10.1.0.1
-d -u 10.0.0.1:80 -r 10.1.0.1
-D -f 1
-Z -f 1
-L -f 1
";
        assert_eq!(
            refusals(file),
            [
                "2: Service already exists",
                "5: Destination already exists",
                "7: Service not defined",
                "8: No such service",
                "9: No such destination",
                "10: No such destination",
                "11: No such service",
                "12: No such service",
                "13: No such service",
            ]
        );
    }

    #[test]
    fn what_was_deleted_may_be_added_again() {
        let file = "\
-A -t 10.0.0.1:80
-a -t 10.0.0.1:80 -r 10.1.0.1
-d -t 10.0.0.1:80 -r 10.1.0.1
-a -t 10.0.0.1:80 -r 10.1.0.1
-D -t 10.0.0.1:80
-A -t 10.0.0.1:80
-a -t 10.0.0.1:80 -r 10.1.0.1
-C
-A -t 10.0.0.1:80
-a -t 10.0.0.1:80 -r 10.1.0.1
";
        assert_eq!(refusals(file), [""; 0]);
    }
}
