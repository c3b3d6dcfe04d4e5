//! Shows what the kernel has: listings and saves.

use ipvsadm::cli::options::Verb;
use ipvsadm::command::{Columns, Command, Listing, Subject, View};
use ipvsadm::error::Error;
use ipvsadm::kernel::{Client, Connections, Detail};
use ipvsadm::model::{Entry, sort_table};
use ipvsadm::names::Names;
use ipvsadm::render::{Out, connections, listing, save, settings};

use crate::ask::asked;
use crate::console::{print, warn};

/// Carries out a command that prints.
pub fn show(client: &mut Client, names: &mut Names, command: &Command) -> Result<(), Error> {
    let mut numbers = Names::numeric();
    let numeric = match command {
        Command::List(listing) => listing.numeric,
        Command::Save { numeric } => *numeric,
        _ => return Ok(()),
    };
    let names = if numeric { &mut numbers } else { names };
    let shown = print(|out| match command {
        Command::List(listing) => list(out, client, names, listing),
        _ => save_table(out, client, names),
    });
    if names.gave_up() {
        warn(b"looking names up took too long: some are shown as numbers");
    }
    shown
}

fn list(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
) -> Result<(), Error> {
    match listing.subject {
        Subject::Services(view) => {
            let info = asked(Verb::List, client.info())?;
            listing::version(out, &info)?;
            listing::titles(out, view.columns)?;
            let detail = match view.columns {
                Columns::Stats | Columns::Rates | Columns::Tunnels => Detail::Full,
                Columns::Plain | Columns::Thresholds | Columns::PersistentConnections => {
                    Detail::Brief
                }
            };
            let table = asked(Verb::List, client.table(detail))?;
            list_table(out, names, view, table)
        }
        Subject::Service(id, view) => {
            let service = asked(Verb::List, client.service(&id))?;
            listing::titles(out, view.columns)?;
            let servers = asked(Verb::List, client.servers(&id))?;
            list_table(out, names, view, vec![Entry { service, servers }])
        }
        Subject::Connections { engines } => list_connections(out, names, engines),
        Subject::Timeouts => {
            let timeouts = asked(Verb::List, client.timeouts())?;
            Ok(settings::timeouts(out, &timeouts)?)
        }
        Subject::Daemons => {
            for daemon in asked(Verb::List, client.daemons())? {
                settings::daemon(out, &daemon)?;
            }
            Ok(())
        }
    }
}

fn list_table(
    out: &mut Out,
    names: &mut Names,
    view: View,
    mut table: Vec<Entry>,
) -> Result<(), Error> {
    if view.sorted {
        sort_table(&mut table);
    }
    for entry in &table {
        listing::entry(out, names, view, entry)?;
    }
    Ok(())
}

fn list_connections(out: &mut Out, names: &mut Names, engines: bool) -> Result<(), Error> {
    let table = Connections::open().map_err(Error::NoConnections)?;
    let mut table = table.ok_or(Error::EmptyConnections)?;
    connections::titles(out, engines)?;
    let mut outcome = Ok(());
    while let Some(connection) = table.read().map_err(Error::Read)? {
        match connection {
            Ok(connection) => connections::entry(out, names, engines, &connection)?,
            // A line that is none hides no other.
            Err(line) => outcome = outcome.and_then(|()| Err(Error::Connection(line.into()))),
        }
    }
    outcome
}

fn save_table(out: &mut Out, client: &mut Client, names: &mut Names) -> Result<(), Error> {
    let mut table = asked(Verb::Save, client.table(Detail::Full))?;
    sort_table(&mut table);
    for entry in &table {
        save::entry(out, names, entry)?;
    }
    Ok(())
}
