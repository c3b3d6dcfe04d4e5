//! Listings for people.

use ipvsadm::cli::options::Verb;
use ipvsadm::command::Subject;
use ipvsadm::error::Error;
use ipvsadm::kernel::Client;
use ipvsadm::names::Names;
use ipvsadm::render::table::{self, Sheet};

use super::{each_connection, full_table, open_connections};
use crate::ask::asked;
use crate::console::{print_clean, screen};

pub fn list(client: &mut Client, names: &mut Names, subject: Subject) -> Result<(), Error> {
    let sheet = sheet(client, names, subject)?;
    print_clean(&sheet.laid_out(screen()))
}

fn sheet(client: &mut Client, names: &mut Names, subject: Subject) -> Result<Sheet, Error> {
    Ok(match subject {
        Subject::Services(view) => {
            table::services(names, view.columns, &full_table(client, None, view)?)
        }
        Subject::Service(id, view) => {
            table::services(names, view.columns, &full_table(client, Some(id), view)?)
        }
        Subject::Connections { engines } => {
            let mut sheet = table::connections(engines);
            each_connection(open_connections()?, |connection| {
                table::connection(&mut sheet, names, engines, connection);
                Ok(())
            })?;
            sheet
        }
        Subject::Timeouts => table::timeouts(&asked(Verb::List, client.timeouts())?),
        Subject::Daemons => table::daemons(&asked(Verb::List, client.daemons())?),
    })
}
