//! Listings for people: columns as wide as their content, numbers in full and grouped.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

use tabled::settings::Color;

use super::classic::{longest_chain, rates, service_settings, sysctls, totals, tunnel};
use super::endpoint::{self, Cut, endpoint};
use super::format::{Extent, Renderer, TOP_CLIENTS};
use super::out::Out;
use super::sheet::Sheet;
use crate::command::{Columns, View};
use crate::model::terms::Vocabulary;
use crate::model::{
    Connection, ConnectionCounts, Daemon, Entry, Info, Protocol, ServerState, ServiceCounts,
    ServiceId, ServiceState, Stats, Status, Timeouts, Totals,
};
use crate::names::Names;

/// The terminal or file that a table is written to.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Its width in characters, if limited.
    pub width: Option<usize>,
    pub colour: bool,
}

impl Screen {
    /// A file.
    pub const NONE: Self = Self {
        width: None,
        colour: false,
    };
}

pub struct People {
    view: View,
    screen: Screen,
    /// Connections are collected here, since the widths of columns depend on all of them.
    connections: Option<Sheet>,
}

impl People {
    pub fn new(view: View, screen: Screen) -> Self {
        Self {
            view,
            screen,
            connections: None,
        }
    }

    fn shows_engines(&self) -> bool {
        self.view.columns == Columns::PersistentConnections
    }

    fn print(&self, out: &mut Out, sheet: Sheet) -> io::Result<()> {
        out.text(sheet.laid_out(self.screen));
        Ok(())
    }
}

impl Renderer for People {
    fn begin_services(&mut self, _: &mut Out, _: &Info, _: Extent) -> io::Result<()> {
        Ok(())
    }

    fn services(&mut self, out: &mut Out, names: &mut Names, table: &[Entry]) -> io::Result<()> {
        self.print(out, services(names, self.view.columns, table))
    }

    fn service_counts(&mut self, out: &mut Out, counts: &ServiceCounts) -> io::Result<()> {
        let titles = ["Services", "Servers", "Active", "Inactive", "Persistent"];
        let mut sheet = Sheet::new(&[], &titles);
        let tables = [counts.services, counts.servers].map(grouped);
        let connections = [counts.active, counts.inactive, counts.persistent].map(grouped);
        sheet.add(tables.into_iter().chain(connections).collect());
        self.print(out, sheet)
    }

    fn begin_connections(&mut self, _: &mut Out) -> io::Result<()> {
        self.connections = Some(connections(self.shows_engines()));
        Ok(())
    }

    fn connection(
        &mut self,
        _: &mut Out,
        names: &mut Names,
        connection: &Connection,
    ) -> io::Result<()> {
        let engines = self.shows_engines();
        if let Some(sheet) = &mut self.connections {
            sheet.add(connection_cells(names, engines, connection));
        }
        Ok(())
    }

    fn end_connections(&mut self, out: &mut Out) -> io::Result<()> {
        match self.connections.take() {
            Some(sheet) => self.print(out, sheet),
            None => Ok(()),
        }
    }

    fn connection_counts(
        &mut self,
        out: &mut Out,
        names: &mut Names,
        counts: &ConnectionCounts,
    ) -> io::Result<()> {
        self.print(out, counts_by_server(names, counts))?;
        out.end_row()?;
        self.print(out, counts_by_client(names, counts))
    }

    fn timeouts(&mut self, out: &mut Out, timeouts: &Timeouts) -> io::Result<()> {
        self.print(out, timeouts_sheet(timeouts))
    }

    fn daemons(&mut self, out: &mut Out, daemons: &[Daemon]) -> io::Result<()> {
        self.print(out, daemons_sheet(daemons))
    }

    fn totals(&mut self, out: &mut Out, totals: &Totals) -> io::Result<()> {
        self.print(out, totals_sheet(&totals.stats))?;
        if let Some(status) = &totals.status {
            out.end_row()?;
            self.print(out, tables_sheet(status))?;
        }
        if let Some(sheet) = limits_sheet(totals) {
            out.end_row()?;
            self.print(out, sheet)?;
        }
        Ok(())
    }

    fn is_clean(&self) -> bool {
        true
    }
}

fn services(names: &mut Names, columns: Columns, table: &[Entry]) -> Sheet {
    let texts: &[&str] = match columns {
        Columns::Stats | Columns::Rates => &["Service"],
        Columns::Tunnels => &["Service", "Scheduler", "Tunnel"],
        _ => &["Service", "Scheduler"],
    };
    let mut sheet = Sheet::new(texts, number_titles(columns));
    for Entry { service, servers } in table {
        sheet.add_coloured(Color::FG_CYAN, service_cells(names, columns, service));
        for state in servers {
            let cells = server_cells(names, columns, &service.service.id, state);
            match state.server.weight {
                0 => sheet.add_coloured(Color::FG_YELLOW, cells),
                _ => sheet.add(cells),
            }
        }
    }
    sheet
}

fn number_titles(columns: Columns) -> &'static [&'static str] {
    match columns {
        Columns::Plain | Columns::Tunnels => &["Weight", "Active", "Inactive"],
        Columns::Stats => &[
            "Connections",
            "Packets in",
            "Packets out",
            "Bytes in",
            "Bytes out",
        ],
        Columns::Rates => &[
            "Connections/s",
            "Packets/s in",
            "Packets/s out",
            "Bytes/s in",
            "Bytes/s out",
        ],
        Columns::Thresholds => &["Upper limit", "Lower limit", "Active", "Inactive"],
        Columns::PersistentConnections => &["Weight", "Persistent", "Active", "Inactive"],
    }
}

fn service_cells(names: &mut Names, columns: Columns, state: &ServiceState) -> Vec<String> {
    let name = cell(|out| endpoint::service(out, names, &state.service.id, Cut::Never));
    let mut cells = vec![name];
    match counters(columns, &state.stats) {
        Some(counters) => cells.extend(counters.map(grouped)),
        None => cells.push(cell(|out| {
            out.text(state.service.scheduler.as_bytes());
            service_settings(out, &state.service);
        })),
    }
    cells
}

fn server_cells(
    names: &mut Names,
    columns: Columns,
    service: &ServiceId,
    state: &ServerState,
) -> Vec<String> {
    let server = &state.server;
    let mut cells = vec![cell(|out| {
        out.text("-> ");
        let protocol = endpoint::server_protocol(service);
        let (address, port) = (server.id.address, server.id.port);
        endpoint(out, names, address, port, protocol, Cut::Never);
    })];
    if let Some(counters) = counters(columns, &state.stats) {
        cells.extend(counters.map(grouped));
        return cells;
    }
    cells.push(server.forwarding.word().unwrap_or("unknown").to_owned());
    match columns {
        Columns::Tunnels => {
            cells.push(cell(|out| tunnel(out, server)));
            cells.push(grouped(server.weight));
        }
        Columns::Thresholds => {
            let limits = [server.upper_threshold, server.lower_threshold];
            cells.extend(limits.map(grouped));
        }
        Columns::PersistentConnections => {
            cells.extend([grouped(server.weight), grouped(state.persistent)]);
        }
        _ => cells.push(grouped(server.weight)),
    }
    cells.extend([state.active, state.inactive].map(grouped));
    cells
}

fn counters(columns: Columns, stats: &Stats) -> Option<[u64; 5]> {
    match columns {
        Columns::Stats => Some(totals(stats)),
        Columns::Rates => Some(rates(stats)),
        _ => None,
    }
}

fn connections(engines: bool) -> Sheet {
    let texts = ["Protocol", "State", "Client", "Virtual", "Server"];
    let engine: &[&str] = if engines { &["Engine", "Data"] } else { &[] };
    Sheet::new(&[&texts, engine].concat(), &["Expires"])
}

fn connection_cells(names: &mut Names, engines: bool, item: &Connection) -> Vec<String> {
    let protocol = Protocol::from_title(item.protocol);
    let mut address = |address: SocketAddr| {
        let (ip, port) = (address.ip(), address.port());
        cell(|out| endpoint(out, names, ip, port, protocol, Cut::Never))
    };
    let addresses = [item.client, item.virtual_service, item.server].map(&mut address);
    let mut cells = vec![text(item.protocol), text(item.state)];
    cells.extend(addresses);
    if engines {
        let (name, data) = item.engine.unwrap_or_default();
        cells.extend([text(name), text(data)]);
    }
    let (minutes, seconds) = (item.expires / 60, item.expires % 60);
    cells.push(format!("{minutes}:{seconds:02}"));
    cells
}

fn counts_by_server(names: &mut Names, counts: &ConnectionCounts) -> Sheet {
    let mut sheet = Sheet::new(&["Server", "Protocol", "State"], &["Connections"]);
    for count in counts.by_server() {
        let protocol = Protocol::from_title(count.protocol.as_bytes());
        let (ip, port) = (count.server.ip(), count.server.port());
        sheet.add(vec![
            cell(|out| endpoint(out, names, ip, port, protocol, Cut::Never)),
            text(count.protocol.as_bytes()),
            text(count.state.as_bytes()),
            grouped(count.connections),
        ]);
    }
    let total = [
        "All".to_owned(),
        String::new(),
        String::new(),
        grouped(counts.total),
    ];
    sheet.add_coloured(Color::BOLD, total.into());
    sheet
}

fn counts_by_client(names: &mut Names, counts: &ConnectionCounts) -> Sheet {
    let (title, connections) = match counts.distinct_clients() {
        Some(clients) => (format!("Client (of {})", grouped(clients)), "Connections"),
        None => {
            let most = grouped(ConnectionCounts::MOST_CLIENTS);
            (
                format!("Client (of more than {most})"),
                "Connections at least",
            )
        }
    };
    let mut sheet = Sheet::new(&[&title], &[connections]);
    for client in counts.top_clients(TOP_CLIENTS) {
        let host = cell(|out| endpoint::host(out, names, client.address));
        sheet.add(vec![host, grouped(client.at_least)]);
    }
    sheet
}

fn timeouts_sheet(timeouts: &Timeouts) -> Sheet {
    let mut sheet = Sheet::new(&["Timeout of"], &["Seconds"]);
    let rows = [
        ("TCP", timeouts.tcp),
        ("TCP after a FIN", timeouts.tcp_fin),
        ("UDP", timeouts.udp),
    ];
    for (name, seconds) in rows {
        sheet.add(vec![name.to_owned(), grouped(seconds)]);
    }
    sheet
}

fn daemons_sheet(daemons: &[Daemon]) -> Sheet {
    let texts = ["Daemon", "Interface", "Group"];
    let mut sheet = Sheet::new(&texts, &["Sync id", "Longest message", "Port", "TTL"]);
    for daemon in daemons {
        sheet.add(vec![
            daemon.role.to_string(),
            text(daemon.interface.as_bytes()),
            daemon
                .group
                .map(|group| group.to_string())
                .unwrap_or_default(),
            daemon.sync_id.to_string(),
            daemon.max_length.map(grouped).unwrap_or_default(),
            daemon.port.map(|port| port.to_string()).unwrap_or_default(),
            daemon.ttl.map(|ttl| ttl.to_string()).unwrap_or_default(),
        ]);
    }
    sheet
}

fn totals_sheet(stats: &Stats) -> Sheet {
    let mut sheet = Sheet::new(&["All services"], number_titles(Columns::Stats));
    for (name, counters) in [("so far", totals(stats)), ("a second", rates(stats))] {
        let counters = counters.into_iter().map(grouped);
        sheet.add([name.to_owned()].into_iter().chain(counters).collect());
    }
    sheet
}

fn tables_sheet(status: &Status) -> Sheet {
    let numbers = ["Entries", "Buckets", "Empty", "Longest chain"];
    let mut sheet = Sheet::new(&["Table"], &numbers);
    let tables = [
        ("connections", &status.connections),
        ("services", &status.services),
    ];
    for (name, table) in tables {
        sheet.add(vec![
            name.to_owned(),
            grouped(table.entries),
            grouped(table.buckets),
            grouped(table.empty_buckets),
            longest_chain(table).to_owned(),
        ]);
    }
    sheet
}

/// `None` if the kernel has none.
fn limits_sheet(totals: &Totals) -> Option<Sheet> {
    let sysctls = sysctls(&totals.limits).into_iter();
    let sysctls = sysctls.filter_map(|(name, value)| Some((name, grouped(value?))));
    let threads = totals.status.map(|Status { estimators, .. }| {
        let running = format!("{} of {}", estimators.threads, estimators.most_threads);
        ("estimator threads", running)
    });
    let mut limits = sysctls.chain(threads).peekable();
    limits.peek()?;
    let mut sheet = Sheet::new(&["Limit"], &["Value"]);
    limits.for_each(|(name, value)| sheet.add(vec![name.to_owned(), value]));
    Some(sheet)
}

pub(super) fn cell(write: impl FnOnce(&mut Out)) -> String {
    let mut nowhere = io::sink();
    let mut out = Out::new(&mut nowhere);
    write(&mut out);
    text(out.unwritten())
}

/// Text with control characters, including line breaks, replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(char::is_control, "?")
}

/// A number with a comma between thousands.
fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left % 3 == 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-100, "-100"),
            (-123_456, "-123,456"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
