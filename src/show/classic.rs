//! Listings byte for byte as the original prints them.

use ipvsadm::command::{Columns, Subject, View};
use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::{Client, Detail};
use ipvsadm::model::{Entry, sort_table};
use ipvsadm::names::Names;
use ipvsadm::render::{Out, connections, listing, settings};

use super::{each_connection, open_connections};
use crate::ask::asked;

pub fn list(
    out: &mut Out,
    client: &mut Client,
    names: &mut Names,
    subject: Subject,
) -> Result<(), Error> {
    match subject {
        Subject::Services(view) => {
            let info = asked(Action::Read, client.info())?;
            listing::version(out, &info)?;
            listing::titles(out, view.columns)?;
            let detail = match view.columns {
                Columns::Stats => Detail::Counters,
                Columns::Rates | Columns::Tunnels => Detail::Full,
                Columns::Plain | Columns::Thresholds | Columns::PersistentConnections => {
                    Detail::Brief
                }
            };
            let table = asked(Action::Read, client.table(detail))?;
            list_table(out, names, view, table)
        }
        Subject::Service(id, view) => {
            let service = asked(Action::Read, client.service(&id))?;
            listing::titles(out, view.columns)?;
            let servers = asked(Action::Read, client.servers(&id))?;
            list_table(out, names, view, vec![Entry { service, servers }])
        }
        Subject::Connections { engines } => {
            let table = open_connections(client)?;
            connections::titles(out, engines)?;
            each_connection(table, |connection| {
                Ok(connections::entry(out, names, engines, connection)?)
            })
        }
        Subject::Timeouts => {
            let timeouts = asked(Action::Read, client.timeouts())?;
            Ok(settings::timeouts(out, &timeouts)?)
        }
        Subject::Daemons => {
            for daemon in asked(Action::Read, client.daemons())? {
                settings::daemon(out, &daemon)?;
            }
            Ok(())
        }
    }
}

fn list_table(
    out: &mut Out,
    names: &mut Names,
    view: View,
    mut table: Vec<Entry>,
) -> Result<(), Error> {
    if view.sorted {
        sort_table(&mut table);
    }
    for entry in &table {
        listing::entry(out, names, view, entry)?;
    }
    Ok(())
}
