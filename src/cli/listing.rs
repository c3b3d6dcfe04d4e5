//! The listing that a line requests.

use super::line::{Line, ServerSoFar};
use super::options::{
    CLIENT, CONNECTIONS, COUNT, DAEMON, EXACT, FORMAT, JSON, NO_SORT, NUMERIC, OUTPUT,
    PERSISTENT_CONNECTIONS, RATE, REAL_SERVER, SORT_BY, STATE, STATS, THRESHOLDS, TIMEOUT, TOTALS,
    TUNNEL_INFO, WATCH,
};
use super::slots::Slots;
use crate::command::{Columns, Command, Format, Listing, Subject, View, Watch};
use crate::error::Error;
use crate::model::{Filter, Host, Protocol, ServerId, ServiceId};

const FILTER_SLOTS: Slots = Slots::NONE
    .with(REAL_SERVER)
    .with(CLIENT)
    .with(STATE)
    .with(COUNT);

impl Line<'_> {
    /// A listing, perhaps a repeated one.
    pub fn list(&self) -> Result<Command, Error> {
        let listing = self.listing()?;
        let Some(period) = self.watch else {
            if self.given.has(SORT_BY) {
                return Err(self.needs(WATCH));
            }
            return Ok(Command::List(listing));
        };
        let conflict = match listing.format {
            Format::Prometheus => Some(FORMAT),
            Format::Classic | Format::Json | Format::Table => {
                listing.output.is_some().then_some(OUTPUT)
            }
        };
        match conflict {
            None => Ok(Command::Watch(Watch {
                listing,
                period,
                sort: self.sort_by,
            })),
            Some(slot) => Err(self.conflict(slot, WATCH)),
        }
    }

    fn listing(&self) -> Result<Listing, Error> {
        let subject = self.subject();
        let has = |slot| self.given.has(slot);
        if has(JSON) && has(FORMAT) {
            return Err(self.conflict(JSON, FORMAT));
        }
        let statistics = has(STATS) || has(RATE) || has(THRESHOLDS);
        let conflict = match subject {
            Subject::Connections(_) => statistics,
            Subject::Timeouts | Subject::Daemons | Subject::Totals => {
                statistics || has(PERSISTENT_CONNECTIONS)
            }
            Subject::Services(_) => false,
        };
        let columns = self.columns();
        let counts_columns = has(COUNT) && columns != Columns::Plain;
        if conflict || counts_columns {
            return Err(Error::ListConflict);
        }
        self.check_filter(subject)?;
        let view = View {
            columns,
            exact: has(EXACT),
            sorted: !has(NO_SORT),
        };
        Ok(Listing {
            subject,
            filter: Filter {
                server: self.server_filter()?,
                ..self.filter
            },
            count: has(COUNT),
            view,
            numeric: has(NUMERIC),
            format: self.format,
            output: self.output(),
        })
    }

    fn check_filter(&self, subject: Subject) -> Result<(), Error> {
        let other = match subject {
            Subject::Services(_) if self.given.has(CLIENT) || self.given.has(STATE) => {
                return Err(self.needs(CONNECTIONS));
            }
            Subject::Services(_) | Subject::Connections(_) => return Ok(()),
            Subject::Timeouts => TIMEOUT,
            Subject::Daemons => DAEMON,
            Subject::Totals => TOTALS,
        };
        match self.given.and(FILTER_SLOTS).first() {
            None => Ok(()),
            Some(slot) => Err(self.conflict(slot, other)),
        }
    }

    /// The server of a listing or a drain. A port name is looked up for the service's protocol.
    pub(super) fn server_filter(&self) -> Result<Option<Host>, Error> {
        let Some(server) = self.server else {
            return Ok(None);
        };
        if let ServerSoFar::Portless(address) = server {
            return Ok(Some(Host {
                address,
                port: None,
            }));
        }
        let any_tcp = ServiceId::address(Protocol::TCP, ([0; 4], 0).into());
        let ServerId { address, port } = self.server_of(self.service.unwrap_or(any_tcp), server)?;
        Ok(Some(Host {
            address,
            port: Some(port),
        }))
    }

    fn subject(&self) -> Subject {
        if self.given.has(CONNECTIONS) {
            return Subject::Connections(self.service);
        }
        if self.given.has(TIMEOUT) {
            return Subject::Timeouts;
        }
        if self.given.has(DAEMON) {
            return Subject::Daemons;
        }
        if self.given.has(TOTALS) {
            return Subject::Totals;
        }
        Subject::Services(self.service)
    }

    fn columns(&self) -> Columns {
        let choices = [
            (STATS, Columns::Stats),
            (RATE, Columns::Rates),
            (THRESHOLDS, Columns::Thresholds),
            (PERSISTENT_CONNECTIONS, Columns::PersistentConnections),
            (TUNNEL_INFO, Columns::Tunnels),
        ];
        let chosen = choices.iter().find(|(slot, _)| self.given.has(*slot));
        chosen.map_or(Columns::Plain, |(_, columns)| *columns)
    }
}
