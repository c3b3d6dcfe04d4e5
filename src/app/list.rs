//! Listings and saves: reads what the kernel has, and hands it to a format.

use crate::command::{Columns, Format, Listing, Subject, View};
use crate::error::{Action, Error};
use crate::kernel::{Client, Connections, Detail};
use crate::model::{Entry, sort_table};
use crate::names::Names;
use crate::render::{self, Out, save};

use super::{Env, asked};

pub fn list(
    env: &mut Env,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
) -> Result<(), Error> {
    let mut format = render::format(listing.format, listing.view, env.screen());
    with_names(env, names, listing.numeric, |env, names| {
        let is_clean = format.is_clean();
        let write = |out: &mut Out| write(out, client, names, listing, &mut *format);
        if is_clean {
            env.print_clean(write)
        } else {
            env.print(write)
        }
    })
}

pub fn save(
    env: &mut Env,
    client: &mut Client,
    names: &mut Names,
    numeric: bool,
) -> Result<(), Error> {
    with_names(env, names, numeric, |env, names| {
        env.print(|out| save_table(out, client, names))
    })
}

/// Shows with names or with numbers alone.
fn with_names(
    env: &mut Env,
    names: &mut Names,
    numeric: bool,
    show: impl FnOnce(&mut Env, &mut Names) -> Result<(), Error>,
) -> Result<(), Error> {
    if numeric {
        return show(env, &mut Names::numeric());
    }
    let shown = show(env, names);
    if names.gave_up() {
        env.warn(b"looking names up took too long: some are shown as numbers");
    }
    shown
}

fn write(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
    format: &mut dyn render::Format,
) -> Result<(), Error> {
    match listing.subject {
        Subject::Services(id) => {
            let info = asked(Action::Read, client.info())?;
            let table = match id {
                None => {
                    format.begin_services(out, &info, true)?;
                    asked(Action::Read, client.table(detail(listing)))?
                }
                Some(id) => {
                    let service = asked(Action::Read, client.service(&id))?;
                    format.begin_services(out, &info, false)?;
                    let servers = asked(Action::Read, client.servers(&id))?;
                    vec![Entry { service, servers }]
                }
            };
            services(out, names, listing.view, format, table)
        }
        Subject::Connections => connections(out, client, names, format),
        Subject::Timeouts => {
            let timeouts = asked(Action::Read, client.timeouts())?;
            Ok(format.timeouts(out, &timeouts)?)
        }
        Subject::Daemons => {
            let daemons = asked(Action::Read, client.daemons())?;
            Ok(format.daemons(out, &daemons)?)
        }
    }
}

fn services(
    out: &mut Out,
    names: &mut Names,
    view: View,
    format: &mut dyn render::Format,
    mut table: Vec<Entry>,
) -> Result<(), Error> {
    if view.sorted {
        sort_table(&mut table);
    }
    Ok(format.services(out, names, &table)?)
}

/// How much must be known to show it.
fn detail(listing: &Listing) -> Detail {
    match (listing.format, listing.view.columns) {
        (Format::Json | Format::Table, _) | (_, Columns::Rates | Columns::Tunnels) => Detail::Full,
        (Format::Classic, Columns::Stats) => Detail::Counters,
        (
            Format::Classic,
            Columns::Plain | Columns::Thresholds | Columns::PersistentConnections,
        ) => Detail::Brief,
    }
}

/// Shows one connection after the other, as they are read. A line that cannot be read hides no
/// other.
fn connections(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    format: &mut dyn render::Format,
) -> Result<(), Error> {
    let mut table = open_connections(client)?;
    format.begin_connections(out)?;
    let mut outcome = Ok(());
    while let Some(connection) = table.read().map_err(Error::Read)? {
        match connection {
            Ok(connection) => format.connection(out, names, &connection)?,
            Err(line) => outcome = outcome.and_then(|()| Err(Error::Connection(line.into()))),
        }
    }
    format.end_connections(out)?;
    outcome
}

fn open_connections(client: &mut Client) -> Result<Connections, Error> {
    let table = client.connections().map_err(Error::NoConnections)?;
    table.ok_or(Error::EmptyConnections)
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
    if unsaid.is_empty() {
        return Ok(());
    }
    Err(Error::Unsaid(unsaid.join(&b"\n"[..]).as_slice().into()))
}
