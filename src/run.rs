//! Carries commands out. The only place where all sides meet.

use std::io::{self, Read, Write};

use crate::start;
use ipvsadm::cli::options::Verb;
use ipvsadm::cli::{clap, meaning};
use ipvsadm::command::{Columns, Command, Listing, Subject, View};
use ipvsadm::error::Error;
use ipvsadm::kernel::{self, Client, Connections};
use ipvsadm::lines::Lines;
use ipvsadm::model::{self, Entry, ServiceId, ServiceState};
use ipvsadm::names::Names;
use ipvsadm::render::{self, Out};
use ipvsadm::rules;

/// What the program does without any arguments.
const DEFAULT: Command = Command::List(Listing {
    subject: Subject::Services(View {
        columns: Columns::Plain,
        exact: false,
        sorted: true,
    }),
    numeric: false,
});

/// Runs one command line; the result is the exit status.
pub fn run(program: &[u8], arguments: &[&[u8]]) -> u8 {
    let mut session = Session {
        program,
        names: Names::system(),
        client: None,
    };
    session.command_line(arguments).unwrap_or_else(|error| {
        complain(b"", &error);
        error.status()
    })
}

/// Says what went wrong, and where.
fn complain(place: &[u8], error: &Error) {
    if let Error::Write(reason) = error
        && reason.kind() == io::ErrorKind::BrokenPipe
    {
        return start::broken_pipe();
    }
    warn(&[place, &error.message()].concat());
}

fn warn(message: &[u8]) {
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(&[message, b"\n"].concat());
}

/// Writes through a buffer to standard output; what was written before an error stays.
fn print(write: impl FnOnce(&mut Out) -> Result<(), Error>) -> Result<(), Error> {
    let mut stdout = start::stdout()?;
    let mut out = Out::new(&mut stdout);
    let written = write(&mut out);
    let flushed = out.flush().map_err(Error::Write);
    written.and(flushed)
}

fn print_text(text: &str) -> Result<(), Error> {
    print(|out| {
        out.text(text);
        Ok(())
    })
}

/// What outlives a line: the connection to the kernel, and names that were looked up.
struct Session<'a> {
    program: &'a [u8],
    names: Names,
    client: Option<Client>,
}

impl Session<'_> {
    fn command_line(&mut self, words: &[&[u8]]) -> Result<u8, Error> {
        let command = match words {
            [] => DEFAULT,
            words => meaning::read(self.program, words.iter().copied(), &self.names)?,
        };
        match command {
            Command::Restore => return self.restore(&mut start::stdin().map_err(Error::Read)?),
            Command::Help => print_text(&clap::help(self.program))?,
            Command::Version => print_text(clap::VERSION)?,
            command => self.execute(&command)?,
        }
        Ok(0)
    }

    /// Runs a file of commands. The status is that of the first line that failed.
    fn restore(&mut self, input: &mut dyn Read) -> Result<u8, Error> {
        let mut lines = Lines::new(input);
        let mut number = 0;
        let mut status = 0;
        while let Some(line) = lines.read().map_err(Error::Read)? {
            number += 1;
            let Err(error) = self.rule(line) else {
                continue;
            };
            complain(format!("line {number}: ").as_bytes(), &error);
            if status == 0 {
                status = error.status();
            }
            if error.ends_restore() {
                break;
            }
        }
        Ok(status)
    }

    fn rule(&mut self, line: &[u8]) -> Result<(), Error> {
        if line.contains(&0) {
            return Err(Error::NulByte);
        }
        let mut words = rules::words(line).peekable();
        if words.peek().is_none() {
            return Ok(());
        }
        let command = meaning::read(self.program, words, &self.names)?;
        self.execute(&command)
    }

    fn execute(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::AddService(service) => self.ask(Verb::AddService, |c| c.add_service(service)),
            Command::EditService(service) => {
                self.ask(Verb::EditService, |c| c.edit_service(service))
            }
            Command::DeleteService(id) => self.ask(Verb::DeleteService, |c| c.delete_service(id)),
            Command::AddServer(id, server) => {
                self.ask(Verb::AddServer, |c| c.add_server(id, server))
            }
            Command::EditServer(id, server) => {
                self.ask(Verb::EditServer, |c| c.edit_server(id, server))
            }
            Command::DeleteServer(id, server) => {
                self.ask(Verb::DeleteServer, |c| c.delete_server(id, server))
            }
            Command::Flush => self.ask(Verb::Flush, |c| c.flush()),
            Command::Zero(id) => self.ask(Verb::Zero, |c| c.zero(id.as_ref())),
            Command::SetTimeouts(timeouts) => {
                self.ask(Verb::SetTimeouts, |c| c.set_timeouts(timeouts))
            }
            Command::StartDaemon(daemon) => self.ask(Verb::StartDaemon, |c| c.start_daemon(daemon)),
            Command::StopDaemon(role) => self.ask(Verb::StopDaemon, |c| c.stop_daemon(*role)),
            Command::List(listing) => print(|out| self.list(out, listing)),
            Command::Save { numeric } => print(|out| self.save(out, *numeric)),
            // These stand on a command line alone, not in a file.
            Command::Restore | Command::Help | Command::Version => {
                Err(Error::NoCommand(self.program.into()))
            }
        }
    }

    /// Asks the kernel, which is spoken to for the first time when it has to be.
    fn ask<T>(
        &mut self,
        verb: Verb,
        question: impl FnOnce(&mut Client) -> Result<T, kernel::Error>,
    ) -> Result<T, Error> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::open().map_err(|e| Error::from_kernel(verb, e))?),
        };
        question(client).map_err(|error| Error::from_kernel(verb, error))
    }

    fn list(&mut self, out: &mut Out, listing: &Listing) -> Result<(), Error> {
        match listing.subject {
            Subject::Services(view) => {
                let info = self.ask(Verb::List, |c| c.info())?;
                render::listing::version(out, &info)?;
                render::listing::titles(out, view.columns)?;
                let mut entries = self.entries(Verb::List)?;
                if view.sorted {
                    model::sort_table(&mut entries);
                }
                self.list_entries(out, listing.numeric, view, &entries)
            }
            Subject::Service(id, view) => {
                let service = self.ask(Verb::List, |c| c.service(&id))?;
                render::listing::titles(out, view.columns)?;
                let mut entries = self.entry(Verb::List, service)?.into_iter().collect();
                if view.sorted {
                    model::sort_table(&mut entries);
                }
                self.list_entries(out, listing.numeric, view, &entries)
            }
            Subject::Connections { engines } => {
                self.list_connections(out, listing.numeric, engines)
            }
            Subject::Timeouts => {
                let timeouts = self.ask(Verb::List, |c| c.timeouts())?;
                Ok(render::settings::timeouts(out, &timeouts)?)
            }
            Subject::Daemons => {
                for daemon in self.ask(Verb::List, |c| c.daemons())? {
                    render::settings::daemon(out, &daemon)?;
                }
                Ok(())
            }
        }
    }

    fn list_entries(
        &mut self,
        out: &mut Out,
        numeric: bool,
        view: View,
        entries: &[Entry],
    ) -> Result<(), Error> {
        self.with_names(numeric, |names| {
            for entry in entries {
                render::listing::entry(out, names, view, entry)?;
            }
            Ok(())
        })
    }

    fn list_connections(
        &mut self,
        out: &mut Out,
        numeric: bool,
        engines: bool,
    ) -> Result<(), Error> {
        // Anyone may read the table, but only who may speak to IPVS gets it from here.
        self.ask(Verb::List, |_| Ok(()))?;
        let connections = Connections::open().map_err(Error::NoConnections)?;
        let mut connections = connections.ok_or(Error::EmptyConnections)?;
        render::connections::titles(out, engines)?;
        self.with_names(numeric, |names| {
            while let Some(connection) = connections.read().map_err(Error::Read)? {
                let connection = connection.map_err(|line| Error::Connection(line.into()))?;
                render::connections::entry(out, names, engines, &connection)?;
            }
            Ok(())
        })
    }

    fn save(&mut self, out: &mut Out, numeric: bool) -> Result<(), Error> {
        let mut entries = self.entries(Verb::Save)?;
        model::sort_table(&mut entries);
        self.with_names(numeric, |names| {
            for entry in &entries {
                render::save::entry(out, names, entry)?;
            }
            Ok(())
        })
    }

    fn entries(&mut self, verb: Verb) -> Result<Vec<Entry>, Error> {
        let services = self.ask(verb, |c| c.services())?;
        let mut entries = Vec::with_capacity(services.len());
        for service in services {
            entries.extend(self.entry(verb, service)?);
        }
        Ok(entries)
    }

    /// A service and its servers; nothing if it is gone meanwhile.
    fn entry(&mut self, verb: Verb, service: ServiceState) -> Result<Option<Entry>, Error> {
        let id: ServiceId = service.service.id;
        let servers = self.ask(verb, |c| c.servers(&id))?;
        Ok(Some(Entry { service, servers }))
    }

    fn with_names<T>(&mut self, numeric: bool, write: impl FnOnce(&mut Names) -> T) -> T {
        if numeric {
            return write(&mut Names::numeric());
        }
        let written = write(&mut self.names);
        if self.names.gave_up() {
            warn(b"looking names up took too long: some are shown as numbers");
        }
        written
    }
}
