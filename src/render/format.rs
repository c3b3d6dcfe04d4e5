//! The trait of all listing formats.

use std::io;

use super::classic::Classic;
use super::json::Json;
use super::out::Out;
use super::people::{People, Screen};
use super::prometheus::Prometheus;
use crate::command::{self, View};
use crate::model::{
    Connection, ConnectionCounts, Daemon, Entry, Info, ServiceCounts, Timeouts, Totals,
};
use crate::names::Names;

/// The part of the table that is listed.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// All services, not only a requested one.
    pub all_services: bool,
    /// All servers of a service.
    pub all_servers: bool,
}

impl Extent {
    /// The whole table.
    pub const ALL: Self = Self {
        all_services: true,
        all_servers: true,
    };
}

/// A way to write listings. Each method writes one subject, or a part of one that is written
/// while it is read.
pub trait Renderer {
    /// Begins a listing of services.
    fn begin_services(&mut self, out: &mut Out, info: &Info, extent: Extent) -> io::Result<()>;

    fn services(&mut self, out: &mut Out, names: &mut Names, table: &[Entry]) -> io::Result<()>;

    fn service_counts(&mut self, out: &mut Out, counts: &ServiceCounts) -> io::Result<()>;

    fn begin_connections(&mut self, out: &mut Out) -> io::Result<()>;

    fn connection(
        &mut self,
        out: &mut Out,
        names: &mut Names,
        connection: &Connection,
    ) -> io::Result<()>;

    fn end_connections(&mut self, out: &mut Out) -> io::Result<()>;

    fn connection_counts(
        &mut self,
        out: &mut Out,
        names: &mut Names,
        counts: &ConnectionCounts,
    ) -> io::Result<()>;

    fn timeouts(&mut self, out: &mut Out, timeouts: &Timeouts) -> io::Result<()>;

    fn daemons(&mut self, out: &mut Out, daemons: &[Daemon]) -> io::Result<()>;

    fn totals(&mut self, out: &mut Out, totals: &Totals) -> io::Result<()>;

    /// Whether the output is safe for a terminal: control characters in names are replaced, and all
    /// others are the format's own, such as colours.
    fn is_clean(&self) -> bool {
        false
    }
}

/// The number of clients shown, those with the most connections.
pub const TOP_CLIENTS: usize = 10;

/// The format with this name.
pub fn format(name: command::Format, view: View, screen: Screen) -> Box<dyn Renderer> {
    match name {
        command::Format::Classic => Box::new(Classic::new(view)),
        command::Format::Json => Box::new(Json::default()),
        command::Format::Table => Box::new(People::new(view, screen)),
        command::Format::Prometheus => Box::new(Prometheus::default()),
    }
}
