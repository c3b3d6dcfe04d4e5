//! The commands as values: a variant for each thing that this program can do.

use std::ffi::OsString;
use std::time::Duration;

use crate::model::terms::{Term, Vocabulary, term};
use crate::model::watch::Column;
use crate::model::{Change, Filter, Forwarding, Host, ServiceId, Settings, Tunnel};

/// The longest timeout: 31 days, in seconds.
pub const LONGEST_TIMEOUT: u32 = 31 * 24 * 60 * 60;

/// A whole line: a command, and the options that every command takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub command: Command,
    pub globals: Globals,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// The network namespace to work in, by its name or path.
    pub netns: Option<OsString>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Change(Change),
    /// A change that may depend on the current table.
    Careful(Careful),
    List(Listing),
    /// Lists repeatedly.
    Watch(Watch),
    Save(Save),
    /// Runs the commands of a file.
    Restore {
        /// `None` is standard input.
        file: Option<Vec<u8>>,
    },
    /// Makes the table equal to a file.
    Apply(Apply),
    /// Prints what `Apply` would change.
    Diff(Diff),
    Check(Check),
    /// Takes servers out of service.
    Drain(Drain),
    /// Finds out why traffic does not flow.
    Doctor(Doctor),
    Help,
    Version,
}

impl Command {
    /// The change that it makes whatever the current table is.
    pub fn plain_change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Careful(careful) => careful.is_plain().then_some(&careful.change),
            Self::List(_)
            | Self::Watch(_)
            | Self::Save(_)
            | Self::Restore { .. }
            | Self::Apply(_)
            | Self::Diff(_)
            | Self::Check(_)
            | Self::Drain(_)
            | Self::Doctor(_)
            | Self::Help
            | Self::Version => None,
        }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self {
            command,
            globals: Globals::default(),
        }
    }
}

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

/// A change, and how it treats what exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Careful {
    pub change: Change,
    /// A change that is already made is not an error, and an object that already exists is edited.
    pub exist: bool,
    /// The settings that are not named stay unchanged.
    pub keep: bool,
    /// The settings that are named.
    pub named: Settings,
    /// The port on the line, if the port of the service is used instead.
    pub replaced_port: Option<u16>,
    /// The scheduler that the named flags belong to, unless they fit every scheduler.
    pub flags_of: Option<&'static str>,
}

/// How to save the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Save {
    pub numeric: bool,
    /// Timeouts and daemons, too.
    pub all: bool,
    /// `None` is standard output.
    pub output: Option<Vec<u8>>,
}

/// A file that is compared with the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub file: Option<Vec<u8>>,
    /// Services that the file does not name stay.
    pub keep: bool,
    pub json: bool,
}

/// A file that describes the whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apply {
    /// `None` is standard input.
    pub file: Option<Vec<u8>>,
    /// Services that the file does not name stay.
    pub keep: bool,
    /// Reports what was done even without a terminal.
    pub verbose: bool,
    /// The number of seconds to wait for connections to end before a deletion.
    pub wait: Option<u32>,
    /// The number of seconds to confirm the changes, which are undone otherwise.
    pub confirm: Option<u32>,
}

/// A file to check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    pub file: Option<Vec<u8>>,
    /// Warnings also give status 1.
    pub strict: bool,
    pub json: bool,
}

/// Servers to take out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    pub of: Drained,
    /// The number of seconds to wait for their connections to end.
    pub wait: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// A host, in one service or in every service that has it.
    Host(Option<ServiceId>, Host),
    /// The object to delete afterwards.
    Deleted {
        change: Change,
        /// A missing object is not an error.
        exist: bool,
    },
}

impl Careful {
    /// Whether it does not depend on the current table.
    pub fn is_plain(&self) -> bool {
        !self.exist && !self.keep
    }
}

/// The subject of a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doctor {
    /// The only service to look at.
    pub service: Option<ServiceId>,
    /// The virtual address that this host is a real server of. `None` if it is a director.
    pub real_server: Option<Host>,
    /// How packets reach this real server.
    pub forwarding: Forwarding,
    /// The tunnel, if they come through one.
    pub tunnel: Tunnel,
    /// Whether it may send packets, and wait for some.
    pub probe: bool,
    /// A file of commands whose names are looked up; `-` is standard input.
    pub file: Option<Vec<u8>>,
    /// Writes JSON instead of text.
    pub json: bool,
}

/// What to list, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub subject: Subject,
    pub filter: Filter,
    /// Counts instead of a line for each entry.
    pub count: bool,
    pub view: View,
    pub numeric: bool,
    pub format: Format,
    /// The file to write; `None` for standard output.
    pub output: Option<Vec<u8>>,
}

/// A listing, and how often it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub listing: Listing,
    pub period: Duration,
    /// The initial sort column of a screen.
    pub sort: Column,
}

/// The audience of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For everyone who knows the original, programs included.
    Classic,
    /// For programs.
    Json,
    /// For people.
    Table,
    /// For monitoring.
    Prometheus,
}

impl Vocabulary for Format {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Classic, "classic", "", "the original's output"),
        term(Self::Json, "json", "", "for programs"),
        term(Self::Table, "table", "", "for people"),
        term(Self::Prometheus, "prometheus", "", "metrics"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One service, or all.
    Services(Option<ServiceId>),
    /// The connections of one service, or all.
    Connections(Option<ServiceId>),
    Timeouts,
    Daemons,
    Totals,
}

/// How a listing is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub columns: Columns,
    /// Counters in full, not in thousands or millions.
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
