//! The data of a live screen: the current services, their rates, and recent changes.

pub mod keys;
pub mod state;

use std::time::Duration;

use super::hash::Map;
use super::rates::{Counted, Counters, LiveMeter, Meter, Pace, Rates, SAMPLE};
use super::terms::{Term, Vocabulary, term};
use super::{Entry, Server, ServerId, Service, ServiceId};
use state::State;

/// A service, or a server in it.
pub type RowId = (ServiceId, Option<ServerId>);

/// The sort column of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name,
    Weight,
    Active,
    Inactive,
    Connections,
    Share,
    PacketsIn,
    PacketsOut,
    BytesIn,
    BytesOut,
}

impl Vocabulary for Column {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Name, "name", "Service", "the order of a listing"),
        term(Self::Weight, "weight", "Weight", "weight"),
        term(Self::Active, "active", "Active", "active connections"),
        term(
            Self::Inactive,
            "inactive",
            "Inactive",
            "inactive connections",
        ),
        term(
            Self::Connections,
            "connections",
            "Conn/s",
            "new connections a second",
        ),
        term(
            Self::Share,
            "share",
            "New%",
            "share of the last minute's connections",
        ),
        term(
            Self::PacketsIn,
            "packets-in",
            "Pkt/s in",
            "packets a second from clients",
        ),
        term(
            Self::PacketsOut,
            "packets-out",
            "Pkt/s out",
            "packets a second to clients",
        ),
        term(
            Self::BytesIn,
            "bytes-in",
            "B/s in",
            "bytes a second from clients",
        ),
        term(
            Self::BytesOut,
            "bytes-out",
            "B/s out",
            "bytes a second to clients",
        ),
    ];
}

impl Column {
    /// The keyboard key that sorts by it.
    pub fn key(self) -> char {
        match self {
            Self::Name => 'n',
            Self::Weight => 'w',
            Self::Active => 'a',
            Self::Inactive => 'i',
            Self::Connections => 'c',
            Self::Share => 's',
            Self::PacketsIn => 'p',
            Self::PacketsOut => 'P',
            Self::BytesIn => 'b',
            Self::BytesOut => 'B',
        }
    }
}

/// All data, and how it changed over time.
#[derive(Debug, Default)]
pub struct Watched {
    table: Vec<Entry>,
    known: Map<RowId, Known>,
    totals: Option<(LiveMeter, Pace)>,
    looks: u64,
    news: Option<LastEvent>,
}

/// The latest events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEvent {
    pub time: Duration,
    pub text: String,
}

/// A service or server over time.
#[derive(Debug)]
struct Known {
    name: String,
    meter: Meter,
    now: Values,
    changed: Changed,
    /// The number of the last reading that had it.
    look: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Values {
    settings: Configured,
    active: u64,
    inactive: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Configured {
    Service(Service),
    Server(Server),
}

/// When something changed, if it did.
#[derive(Clone, Copy, Debug, Default)]
struct Changed {
    all: Option<Duration>,
    settings: Option<Duration>,
    active: Option<Duration>,
    inactive: Option<Duration>,
}

/// What is highlighted in a row, because it changed recently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lit {
    /// It is new.
    pub all: bool,
    pub settings: bool,
    pub active: bool,
    pub inactive: bool,
}

/// A service or server on the screen.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub place: RowId,
    pub name: &'a str,
    pub settings: Configured,
    pub active: u64,
    pub inactive: u64,
    pub rates: Option<Rates>,
    /// Only for a server.
    pub shares: Option<Shares>,
    pub meter: &'a Meter,
    pub lit: Lit,
}

/// The share of a server in its service, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Of the new connections of the last minute, if there were any.
    pub connections: Option<f64>,
    /// Of the weights, if there are any.
    pub weight: Option<f64>,
}

/// The sums of the rows shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums<'a> {
    pub services: usize,
    pub servers: usize,
    pub active: u64,
    pub inactive: u64,
    /// The director's counters over all services.
    pub totals: Option<&'a LiveMeter>,
}

impl Watched {
    /// Updates with a new reading of the table.
    pub fn look(
        &mut self,
        now: Duration,
        table: Vec<Entry>,
        mut name: impl FnMut(&RowId) -> String,
    ) {
        let is_first = self.looks == 0;
        self.looks += 1;
        let mut news = Vec::new();
        for entry in &table {
            for (place, values, counters) in seen(entry) {
                match self.known.get_mut(&place) {
                    Some(known) => {
                        news.extend(known.look(now, values, counters));
                        known.look = self.looks;
                    }
                    None => {
                        let name = name(&place);
                        if !is_first {
                            news.push(format!("{name} added"));
                        }
                        let known = Known::new(now, name, values, counters, self.looks, is_first);
                        self.known.insert(place, known);
                    }
                }
            }
        }
        self.table = table;
        self.known.retain(|_, known| {
            let is_there = known.look == self.looks;
            if !is_there {
                news.push(format!("{} deleted", known.name));
            }
            is_there
        });
        if let Some(text) = summary(&news) {
            self.news = Some(LastEvent { time: now, text });
        }
    }

    /// Adds a reading of the counters over all services.
    pub fn count(&mut self, now: Duration, counted: Counted) {
        let Counted { live, sampled } = counted;
        match &mut self.totals {
            Some((meter, pace)) => {
                meter.look(now, live);
                pace.look(now, sampled);
            }
            none => *none = Some((LiveMeter::new(now, live), Pace::new(now, sampled))),
        }
    }

    /// Forgets everything, after the kernel's table is gone.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The latest events.
    pub fn news(&self) -> Option<&LastEvent> {
        self.news.as_ref()
    }

    pub fn sums(&self) -> Sums<'_> {
        let servers = || self.table.iter().flat_map(|entry| &entry.servers);
        let (active, inactive) = sums(servers().map(|state| (state.active, state.inactive)));
        Sums {
            services: self.table.len(),
            servers: servers().count(),
            active,
            inactive,
            totals: self.totals.as_ref().map(|(meter, _)| meter),
        }
    }

    /// The rows to show, in order. Changes after this time are highlighted.
    pub fn rows(&self, state: &State, since: Duration) -> Vec<Row<'_>> {
        let groups = self.table.iter().filter_map(|entry| {
            let service = self.row((entry.service.service.id, None), since)?;
            let mut servers = self.servers(entry, since);
            if state.wanted.server.is_some() {
                servers.retain(|row| row.place.1.is_some_and(|id| state.wanted.takes_server(&id)));
                if servers.is_empty() {
                    return None;
                }
            }
            if !state.shows(service.name) {
                servers.retain(|server| state.shows(server.name));
                if servers.is_empty() {
                    return None;
                }
            }
            state.sort(&mut servers, |row| *row);
            Some((service, servers))
        });
        let mut groups: Vec<(Row, Vec<Row>)> = groups.collect();
        state.sort(&mut groups, |(service, _)| *service);
        let rows = groups.into_iter();
        rows.flat_map(|(service, servers)| [service].into_iter().chain(servers))
            .collect()
    }

    fn servers(&self, entry: &Entry, since: Duration) -> Vec<Row<'_>> {
        let id = entry.service.service.id;
        let places = entry
            .servers
            .iter()
            .map(|state| (id, Some(state.server.id)));
        let mut rows: Vec<Row> = places.filter_map(|place| self.row(place, since)).collect();
        let connections = |row: &Row| f64::from(row.meter.history().recent());
        let weight = |row: &Row| row.weight().map_or(0.0, f64::from);
        let all_connections: f64 = rows.iter().map(connections).sum();
        let all_weight: f64 = rows.iter().map(weight).sum();
        let share = |part: f64, all: f64| (all > 0.0).then(|| part / all);
        for row in &mut rows {
            row.shares = Some(Shares {
                connections: share(connections(row), all_connections),
                weight: share(weight(row), all_weight),
            });
        }
        rows
    }

    fn row(&self, place: RowId, since: Duration) -> Option<Row<'_>> {
        let known = self.known.get(&place)?;
        let pace = self.totals.as_ref().map(|(_, pace)| pace);
        let time_between_samples = pace.map_or(SAMPLE, Pace::time_between_samples);
        Some(Row {
            place,
            name: &known.name,
            settings: known.now.settings,
            active: known.now.active,
            inactive: known.now.inactive,
            rates: known.meter.rates(time_between_samples),
            shares: None,
            meter: &known.meter,
            lit: known.changed.since(since),
        })
    }
}

impl Row<'_> {
    pub fn weight(&self) -> Option<i32> {
        match self.settings {
            Configured::Service(_) => None,
            Configured::Server(server) => Some(server.weight),
        }
    }

    /// The value of the sort column, if it is a known number.
    fn number(&self, column: Column) -> Option<f64> {
        let rate = |index: usize| self.rates.map(|rates| rates[index]);
        match column {
            Column::Name => None,
            Column::Weight => self.weight().map(f64::from),
            Column::Active => Some(self.active as f64),
            Column::Inactive => Some(self.inactive as f64),
            Column::Share => self.shares?.connections,
            Column::Connections => rate(0),
            Column::PacketsIn => rate(1),
            Column::PacketsOut => rate(2),
            Column::BytesIn => rate(3),
            Column::BytesOut => rate(4),
        }
    }
}

impl Known {
    fn new(
        now: Duration,
        name: String,
        values: Values,
        counters: Counters,
        look: u64,
        is_first: bool,
    ) -> Self {
        Self {
            name,
            meter: Meter::new(now, counters),
            now: values,
            changed: Changed {
                all: (!is_first).then_some(now),
                ..Changed::default()
            },
            look,
        }
    }

    /// Updates with a new reading; returns the changes of its settings.
    fn look(&mut self, now: Duration, values: Values, counters: Counters) -> Option<String> {
        self.meter.look(now, counters);
        let before = std::mem::replace(&mut self.now, values);
        if before.active != values.active {
            self.changed.active = Some(now);
        }
        if before.inactive != values.inactive {
            self.changed.inactive = Some(now);
        }
        if before.settings == values.settings {
            return None;
        }
        self.changed.settings = Some(now);
        let name = &self.name;
        Some(match (before.settings, values.settings) {
            (Configured::Server(before), Configured::Server(now))
                if before.weight != now.weight =>
            {
                format!("{name}: weight {} instead of {}", now.weight, before.weight)
            }
            _ => format!("{name} changed"),
        })
    }
}

impl Changed {
    fn since(&self, since: Duration) -> Lit {
        let is_new = |time: Option<Duration>| time.is_some_and(|time| time > since);
        Lit {
            all: is_new(self.all),
            settings: is_new(self.settings),
            active: is_new(self.active),
            inactive: is_new(self.inactive),
        }
    }
}

/// The service and its servers, as read from the table.
fn seen(Entry { service, servers }: &Entry) -> impl Iterator<Item = (RowId, Values, Counters)> {
    let id = service.service.id;
    let (active, inactive) = sums(servers.iter().map(|state| (state.active, state.inactive)));
    let values = Values {
        settings: Configured::Service(service.service),
        active,
        inactive,
    };
    let of_service = ((id, None), values, Counters::from(&service.stats));
    let of_servers = servers.iter().map(move |state| {
        let values = Values {
            settings: Configured::Server(state.server),
            active: state.active.into(),
            inactive: state.inactive.into(),
        };
        let place = (id, Some(state.server.id));
        (place, values, Counters::from(&state.stats))
    });
    [of_service].into_iter().chain(of_servers)
}

fn sums(numbers: impl Iterator<Item = (u32, u32)>) -> (u64, u64) {
    numbers.fold((0, 0), |(active, inactive), (more, others)| {
        (active + u64::from(more), inactive + u64::from(others))
    })
}

fn summary(news: &[String]) -> Option<String> {
    match news {
        [] => None,
        [one] => Some(one.clone()),
        [first, rest @ ..] => Some(format!("{first}, and {} more changes", rest.len())),
    }
}
