//! What was asked: one value for each thing this program can do.

use crate::model::terms::{Term, Vocabulary, term};
use crate::model::{Change, ServiceId};

/// Longer than this no timeout may be: 31 days, in seconds.
pub const LONGEST_TIMEOUT: u32 = 31 * 24 * 60 * 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Change(Change),
    List(Listing),
    Save { numeric: bool },
    Restore,
    Help,
    Version,
}

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

/// What to list, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    pub subject: Subject,
    pub view: View,
    pub numeric: bool,
    pub format: Format,
}

/// For whom a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For everyone who knows the original, programs included.
    Classic,
    /// For programs.
    Json,
    /// For people.
    Table,
}

impl Vocabulary for Format {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Classic, "classic", "", "the original's output"),
        term(Self::Json, "json", "", "for programs"),
        term(Self::Table, "table", "", "for people"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One service, or all.
    Services(Option<ServiceId>),
    Connections,
    Timeouts,
    Daemons,
}

/// How they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub columns: Columns,
    /// Counters whole, not in thousands or millions.
    pub exact: bool,
    pub sorted: bool,
}

/// Which columns follow the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    Plain,
    Stats,
    Rates,
    Thresholds,
    /// Of services, how many clients persistence remembers; of connections, what the persistence
    /// engine knows.
    PersistentConnections,
    Tunnels,
}
