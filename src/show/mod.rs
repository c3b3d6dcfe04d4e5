//! Shows what the kernel has: saves, and listings in a file per format.

mod classic;
mod json;
mod table;

use ipvsadm::command::{Command, Format, Listing, View};
use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::{Client, Connections, Detail};
use ipvsadm::model::{Connection, Entry, ServiceId, sort_table};
use ipvsadm::names::Names;
use ipvsadm::render::{Out, save};

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
    let shown = match command {
        Command::List(listing) => list(client, names, listing),
        _ => print(|out| save_table(out, client, names)),
    };
    if names.gave_up() {
        warn(b"looking names up took too long: some are shown as numbers");
    }
    shown
}

fn list(client: &mut Client, names: &mut Names, listing: &Listing) -> Result<(), Error> {
    let subject = listing.subject;
    match listing.format {
        Format::Classic => print(|out| classic::list(out, client, names, subject)),
        Format::Json => print(|out| json::list(out, client, subject)),
        Format::Table => table::list(client, names, subject),
    }
}

fn save_table(out: &mut Out, client: &mut Client, names: &mut Names) -> Result<(), Error> {
    let mut table = asked(Action::Read, client.table(Detail::Settings))?;
    sort_table(&mut table);
    let mut unsaid = Vec::new();
    for entry in &table {
        save::entry(out, names, entry, &mut unsaid)?;
    }
    // That not all of it could be written is the worse news.
    out.flush()?;
    match unsaid.is_empty() {
        true => Ok(()),
        false => Err(Error::Unsaid(unsaid.join(&b"\n"[..]).as_slice().into())),
    }
}

/// One service with its servers, or all of them, with everything that is known of them.
fn full_table(client: &mut Client, id: Option<ServiceId>, view: View) -> Result<Vec<Entry>, Error> {
    let mut table = match id {
        None => asked(Action::Read, client.table(Detail::Full))?,
        Some(id) => {
            let service = asked(Action::Read, client.service(&id))?;
            let servers = asked(Action::Read, client.servers(&id))?;
            vec![Entry { service, servers }]
        }
    };
    if view.sorted {
        sort_table(&mut table);
    }
    Ok(table)
}

/// Shows one connection after the other, as they are read.
fn each_connection(
    mut table: Connections,
    mut show: impl FnMut(&Connection) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Some(connection) = table.read().map_err(Error::Read)? {
        match connection {
            Ok(connection) => show(&connection)?,
            // A line that is none hides no other.
            Err(line) => outcome = outcome.and_then(|()| Err(Error::Connection(line.into()))),
        }
    }
    outcome
}

fn open_connections(client: &mut Client) -> Result<Connections, Error> {
    let table = client.connections().map_err(Error::NoConnections)?;
    table.ok_or(Error::EmptyConnections)
}
