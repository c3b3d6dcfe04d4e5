//! Commands as the kernel is asked to carry them out.

use ipvsadm::cli::options::Verb;
use ipvsadm::command::Command;
use ipvsadm::error::Error;
use ipvsadm::kernel::{self, Change, Client};

pub fn open(verb: Verb) -> Result<Client, Error> {
    asked(verb, Client::open())
}

/// The kernel's answer to a command.
pub fn asked<T>(verb: Verb, answer: kernel::Result<T>) -> Result<T, Error> {
    answer.map_err(|error| Error::from_kernel(verb, error))
}

/// What a command changes, unless it is one that shows something.
pub fn change(command: &Command) -> Option<(Verb, Change<'_>)> {
    Some(match command {
        Command::AddService(service) => (Verb::AddService, Change::AddService(service)),
        Command::EditService(service) => (Verb::EditService, Change::EditService(service)),
        Command::DeleteService(id) => (Verb::DeleteService, Change::DeleteService(id)),
        Command::AddServer(id, server) => (Verb::AddServer, Change::AddServer(id, server)),
        Command::EditServer(id, server) => (Verb::EditServer, Change::EditServer(id, server)),
        Command::DeleteServer(id, server) => (Verb::DeleteServer, Change::DeleteServer(id, server)),
        Command::Flush => (Verb::Flush, Change::Flush),
        Command::Zero(id) => (Verb::Zero, Change::Zero(id.as_ref())),
        Command::SetTimeouts(timeouts) => (Verb::SetTimeouts, Change::SetTimeouts(timeouts)),
        Command::StartDaemon(daemon) => (Verb::StartDaemon, Change::StartDaemon(daemon)),
        Command::StopDaemon(role) => (Verb::StopDaemon, Change::StopDaemon(*role)),
        Command::List(_)
        | Command::Save { .. }
        | Command::Restore
        | Command::Help
        | Command::Version => return None,
    })
}
