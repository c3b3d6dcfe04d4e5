//! Listings and saves: reads data from the kernel, and passes it to a format.

use std::io::{self, Write};

use crate::command::{Columns, Command, Format, Listing, Save, Subject};
use crate::error::{Action, Error};
use crate::kernel::{Client, ConnectionLine, Connections, Detail};
use crate::model::{
    Change, ConnectionCounts, Entry, Family, Filter, ServiceCounts, ServiceId, Wanted, sort_table,
};
use crate::names::Names;
use crate::render::{self, Extent, Out, Screen, save};
use crate::rules;

use super::env::print_to;
use super::{Env, asked, file};

pub fn list(
    env: &mut Env,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
) -> Result<(), Error> {
    warn_of_marks(env, listing);
    let screen = match listing.output {
        Some(_) => Screen::NONE,
        None => env.screen(),
    };
    let mut format = render::format(listing.format, listing.view, screen);
    with_names(env, names, listing.numeric, |env, names| {
        let is_clean = format.is_clean();
        let write = |out: &mut Out| write(out, client, names, listing, &mut *format);
        match &listing.output {
            Some(path) => file::replace(path, write),
            None if is_clean => env.print_clean(write),
            None => env.print(write),
        }
    })
}

/// Writes a listing.
pub fn write_to(
    sink: &mut dyn Write,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
    screen: Screen,
) -> Result<(), Error> {
    let mut format = render::format(listing.format, listing.view, screen);
    print_to(sink, |out| write(out, client, names, listing, &mut *format))
}

/// The services of a listing with their counters, and all servers of each.
pub fn table(client: &mut Client, listing: &Listing) -> Result<Vec<Entry>, Error> {
    let Subject::Services(id) = listing.subject else {
        return Ok(Vec::new());
    };
    let table = entries(client, id, Detail::Counters)?;
    Ok(in_order(listing, table))
}

/// Warns that a filter by mark finds only templates: the kernel shows no other marks.
pub fn warn_of_marks(env: &mut Env, listing: &Listing) {
    let Subject::Connections(Some(ServiceId::Mark { mark, family })) = listing.subject else {
        return;
    };
    let of_ipv6 = match family {
        Family::V4 => "",
        Family::V6 => " of IPv6",
    };
    env.warn(format!("only what persistence remembers of mark {mark}{of_ipv6}: the kernel does not show which other connections have it").as_bytes());
}

/// Saves with names that a restore reads as the same addresses, or with numbers only.
pub fn save(env: &mut Env, client: &mut Client, save: &Save) -> Result<(), Error> {
    let mut names = (env.names)().readable_by(rules::endpoint);
    with_names(env, &mut names, save.numeric, |env, names| {
        let write = |out: &mut Out| save_table(out, client, names, save.all);
        match &save.output {
            Some(path) => file::replace(path, write),
            None => env.print(write),
        }
    })
}

/// Shows names, or only numbers.
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
        env.warn(b"name lookups took too long: some names are shown as numbers");
    }
    shown
}

fn write(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    listing: &Listing,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    match listing.subject {
        Subject::Services(id) if listing.count => {
            count_services(out, client, id, &listing.filter, format)
        }
        Subject::Services(id) => services(out, client, names, id, listing, format),
        Subject::Connections(service) => {
            let wanted = Wanted {
                filter: listing.filter,
                service,
                taken_ports: taken_ports(client, service)?,
            };
            if listing.count {
                return count_connections(out, client, names, format, &wanted);
            }
            connections(out, client, names, format, &wanted)
        }
        Subject::Timeouts => timeouts(out, client, format),
        Subject::Daemons => daemons(out, client, format),
        Subject::Totals => totals(out, client, format),
    }
}

fn services(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    id: Option<ServiceId>,
    listing: &Listing,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    let info = asked(Action::Read, client.info())?;
    let extent = Extent {
        all_services: id.is_none(),
        all_servers: listing.filter.server.is_none(),
    };
    let table = match id {
        None => {
            format.begin_services(out, &info, extent)?;
            asked(Action::Read, client.table(detail(listing)))?
        }
        Some(id) => {
            let service = asked(Action::Read, client.service(&id))?;
            format.begin_services(out, &info, extent)?;
            let servers = asked(Action::Read, client.servers(&id))?;
            vec![Entry { service, servers }]
        }
    };
    let mut table = in_order(listing, table);
    keep_wanted(&mut table, &listing.filter);
    format.services(out, names, &table)?;
    let is_whole = id.is_none() && listing.filter == Filter::ALL;
    match listing.format {
        Format::Prometheus if is_whole => rest_of_director(out, client, format, &table),
        Format::Classic | Format::Json | Format::Table | Format::Prometheus => Ok(()),
    }
}

fn timeouts(
    out: &mut Out,
    client: &mut Client,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    let timeouts = asked(Action::Read, client.timeouts())?;
    Ok(format.timeouts(out, &timeouts)?)
}

fn daemons(
    out: &mut Out,
    client: &mut Client,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    let daemons = asked(Action::Read, client.daemons())?;
    Ok(format.daemons(out, &daemons)?)
}

fn totals(
    out: &mut Out,
    client: &mut Client,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    let totals = asked(Action::Read, client.totals())?;
    Ok(format.totals(out, &totals)?)
}

fn in_order(listing: &Listing, mut table: Vec<Entry>) -> Vec<Entry> {
    if listing.view.sorted {
        sort_table(&mut table);
    }
    table
}

/// The data for monitoring in addition to the services.
fn rest_of_director(
    out: &mut Out,
    client: &mut Client,
    format: &mut dyn render::Renderer,
    table: &[Entry],
) -> Result<(), Error> {
    format.service_counts(out, &ServiceCounts::of(table))?;
    timeouts(out, client, format)?;
    daemons(out, client, format)?;
    totals(out, client, format)
}

/// If only some servers are wanted, drops the others, and services without servers.
fn keep_wanted(table: &mut Vec<Entry>, filter: &Filter) {
    if filter.server.is_none() {
        return;
    }
    table.retain_mut(|entry| {
        let servers = &mut entry.servers;
        servers.retain(|state| filter.takes_server(&state.server.id));
        !servers.is_empty()
    });
}

fn count_services(
    out: &mut Out,
    client: &mut Client,
    id: Option<ServiceId>,
    filter: &Filter,
    format: &mut dyn render::Renderer,
) -> Result<(), Error> {
    let mut table = entries(client, id, Detail::Brief)?;
    keep_wanted(&mut table, filter);
    Ok(format.service_counts(out, &ServiceCounts::of(&table))?)
}

/// One service, or all.
fn entries(
    client: &mut Client,
    id: Option<ServiceId>,
    detail: Detail,
) -> Result<Vec<Entry>, Error> {
    let table = match id {
        None => client.table(detail),
        Some(id) => client.service(&id).and_then(|service| {
            let servers = client.servers(&id)?;
            Ok(vec![Entry { service, servers }])
        }),
    };
    asked(Action::Read, table)
}

/// How much detail the listing needs.
fn detail(listing: &Listing) -> Detail {
    match (listing.format, listing.view.columns) {
        (Format::Prometheus, _) => Detail::Counters,
        (Format::Json | Format::Table, _) | (_, Columns::Rates | Columns::Tunnels) => Detail::Full,
        (Format::Classic, Columns::Stats) => Detail::Counters,
        (
            Format::Classic,
            Columns::Plain | Columns::Thresholds | Columns::PersistentConnections,
        ) => Detail::Brief,
    }
}

/// The ports of other services, which a service without a port leaves to them.
fn taken_ports(client: &mut Client, service: Option<ServiceId>) -> Result<Vec<u16>, Error> {
    let Some(ServiceId::Address {
        protocol,
        address,
        port: 0,
    }) = service
    else {
        return Ok(Vec::new());
    };
    let services = asked(Action::Read, client.services())?;
    let ports = services.iter().filter_map(|state| match state.service.id {
        ServiceId::Address {
            protocol: of,
            address: at,
            port,
        } if (of, at) == (protocol, address) && port != 0 => Some(port),
        _ => None,
    });
    Ok(ports.collect())
}

/// Shows each connection as it is read.
fn connections(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    format: &mut dyn render::Renderer,
    wanted: &Wanted,
) -> Result<(), Error> {
    let mut table = open_connections(client)?;
    format.begin_connections(out)?;
    let unread = for_each(&mut table, wanted, |line| {
        let connection = line.connection()?;
        Some(format.connection(out, names, &connection))
    })?;
    format.end_connections(out)?;
    unread
}

fn count_connections(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    format: &mut dyn render::Renderer,
    wanted: &Wanted,
) -> Result<(), Error> {
    let mut counts = ConnectionCounts::default();
    let unread = for_each(&mut open_connections(client)?, wanted, |line| {
        counts.add(line).map(Ok)
    })?;
    format.connection_counts(out, names, &counts)?;
    unread
}

/// Calls a function with the line of each wanted connection. The function returns `None` for a line
/// that cannot be parsed. Reading then continues, and the first such line is the error at the end.
fn for_each(
    table: &mut Connections,
    wanted: &Wanted,
    mut act: impl FnMut(&ConnectionLine) -> Option<io::Result<()>>,
) -> Result<Result<(), Error>, Error> {
    let mut unread = Ok(());
    while let Some(line) = table.line().map_err(Error::Read)? {
        let done = match wanted.has(&line) {
            Some(true) => act(&line),
            Some(false) => Some(Ok(())),
            None => None,
        };
        match done {
            Some(done) => done?,
            None => unread = unread.and_then(|()| Err(Error::Connection(line.text.into()))),
        }
    }
    Ok(unread)
}

fn open_connections(client: &mut Client) -> Result<Connections, Error> {
    client.connections().map_err(Error::of_connections)
}

fn save_table(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    all: bool,
) -> Result<(), Error> {
    let mut table = asked(Action::Read, client.table(Detail::Settings))?;
    sort_table(&mut table);
    let mut unsaid = Vec::new();
    if all {
        let timeouts = asked(Action::Read, client.timeouts())?;
        save_change(out, Change::SetTimeouts(timeouts), &mut unsaid)?;
    }
    for entry in &table {
        save::entry(out, names, entry, &mut unsaid)?;
    }
    if all {
        for daemon in asked(Action::Read, client.daemons())? {
            save_change(out, Change::StartDaemon(daemon), &mut unsaid)?;
        }
    }
    // An incomplete save is the more serious error.
    out.flush()?;
    if unsaid.is_empty() {
        return Ok(());
    }
    Err(Error::Unsaid(unsaid.join(&b"\n"[..]).as_slice().into()))
}

/// Saves a change as a line, if that line is read back as this change.
fn save_change(out: &mut Out, change: Change, unsaid: &mut Vec<Vec<u8>>) -> io::Result<()> {
    let mut names = Names::numeric();
    let mark = out.mark();
    save::change(out, &mut names, &change);
    let line = out.take(mark);
    let read = rules::read(&line, &names);
    if read.is_ok_and(|read| read == Some(Command::Change(change))) {
        out.text(line).end_row()?;
    } else {
        unsaid.push(line);
    }
    Ok(())
}
