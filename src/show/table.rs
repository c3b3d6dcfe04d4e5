//! Listings for people.

use ipvsadm::command::Subject;
use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::Client;
use ipvsadm::names::Names;
use ipvsadm::render::table::{self, Sheet};

use super::{each_connection, full_table, open_connections};
use crate::ask::asked;
use crate::console::{print_clean, screen};

pub fn list(client: &mut Client, names: &mut Names, subject: Subject) -> Result<(), Error> {
    match subject {
        Subject::Services(view) => {
            let table = full_table(client, None, view)?;
            print(table::services(names, view.columns, &table))
        }
        Subject::Service(id, view) => {
            let table = full_table(client, Some(id), view)?;
            print(table::services(names, view.columns, &table))
        }
        Subject::Connections { engines } => connections(client, names, engines),
        Subject::Timeouts => {
            let timeouts = asked(Action::Read, client.timeouts())?;
            print(table::timeouts(&timeouts))
        }
        Subject::Daemons => {
            let daemons = asked(Action::Read, client.daemons())?;
            print(table::daemons(&daemons))
        }
    }
}

fn connections(client: &mut Client, names: &mut Names, engines: bool) -> Result<(), Error> {
    let mut sheet = table::connections(engines);
    let outcome = each_connection(open_connections(client)?, |connection| {
        table::connection(&mut sheet, names, engines, connection);
        Ok(())
    });
    print(sheet).and(outcome)
}

fn print(sheet: Sheet) -> Result<(), Error> {
    print_clean(&sheet.laid_out(screen()))
}
