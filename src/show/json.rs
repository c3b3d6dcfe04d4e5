//! Listings for programs.

use ipvsadm::command::{Subject, View};
use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::Client;
use ipvsadm::model::ServiceId;
use ipvsadm::render::{Out, json};

use super::{each_connection, full_table, open_connections};
use crate::ask::asked;

pub fn list(out: &mut Out, client: &mut Client, subject: Subject) -> Result<(), Error> {
    match subject {
        Subject::Services(view) => services(out, client, None, view),
        Subject::Service(id, view) => services(out, client, Some(id), view),
        Subject::Connections { .. } => {
            let table = open_connections(client)?;
            let mut list = json::List::begin(out, "", "connections");
            let read = each_connection(table, |connection| {
                Ok(json::connection(out, &mut list, connection)?)
            });
            // A line that cannot be read is missing from the list, and nothing else is.
            if let Ok(()) | Err(Error::Connection(_)) = read {
                list.end(out)?;
            }
            read
        }
        Subject::Timeouts => {
            let timeouts = asked(Action::Read, client.timeouts())?;
            Ok(json::timeouts(out, &timeouts)?)
        }
        Subject::Daemons => {
            let daemons = asked(Action::Read, client.daemons())?;
            Ok(json::daemons(out, &daemons)?)
        }
    }
}

fn services(
    out: &mut Out,
    client: &mut Client,
    id: Option<ServiceId>,
    view: View,
) -> Result<(), Error> {
    let info = asked(Action::Read, client.info())?;
    let table = full_table(client, id, view)?;
    Ok(json::services(out, &info, &table)?)
}
