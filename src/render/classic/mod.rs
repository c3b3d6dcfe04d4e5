//! Listings byte for byte as the original prints them.

mod connections;
mod counts;
mod services;
mod settings;
mod totals;

use std::io;

use super::format::{Extent, Renderer};
use super::out::Out;
use crate::command::{Columns, View};
use crate::model::{
    Connection, ConnectionCounts, Daemon, Entry, Info, ServiceCounts, Timeouts, Totals,
};
use crate::names::Names;

pub(super) use services::{rates, settings as service_settings, totals, tunnel};
pub(super) use totals::{longest_chain, sysctls};

pub struct Classic {
    view: View,
}

impl Classic {
    pub fn new(view: View) -> Self {
        Self { view }
    }

    fn shows_engines(&self) -> bool {
        self.view.columns == Columns::PersistentConnections
    }
}

impl Renderer for Classic {
    fn begin_services(&mut self, out: &mut Out, info: &Info, extent: Extent) -> io::Result<()> {
        if extent.all_services {
            services::version(out, info)?;
        }
        services::titles(out, self.view.columns)
    }

    fn services(&mut self, out: &mut Out, names: &mut Names, table: &[Entry]) -> io::Result<()> {
        let mut table = table.iter();
        table.try_for_each(|entry| services::entry(out, names, self.view, entry))
    }

    fn service_counts(&mut self, out: &mut Out, counts: &ServiceCounts) -> io::Result<()> {
        counts::services(out, counts)
    }

    fn begin_connections(&mut self, out: &mut Out) -> io::Result<()> {
        connections::titles(out, self.shows_engines())
    }

    fn connection(
        &mut self,
        out: &mut Out,
        names: &mut Names,
        connection: &Connection,
    ) -> io::Result<()> {
        connections::entry(out, names, self.shows_engines(), connection)
    }

    fn end_connections(&mut self, _: &mut Out) -> io::Result<()> {
        Ok(())
    }

    fn connection_counts(
        &mut self,
        out: &mut Out,
        names: &mut Names,
        counts: &ConnectionCounts,
    ) -> io::Result<()> {
        counts::connections(out, names, counts)
    }

    fn timeouts(&mut self, out: &mut Out, timeouts: &Timeouts) -> io::Result<()> {
        settings::timeouts(out, timeouts)
    }

    fn daemons(&mut self, out: &mut Out, daemons: &[Daemon]) -> io::Result<()> {
        let mut daemons = daemons.iter();
        daemons.try_for_each(|daemon| settings::daemon(out, daemon))
    }

    fn totals(&mut self, out: &mut Out, totals: &Totals) -> io::Result<()> {
        totals::all(out, self.view, totals)
    }
}
