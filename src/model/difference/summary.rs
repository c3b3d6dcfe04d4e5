//! Counts changes by kind.

use crate::model::Change;

/// The numbers of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub services_added: usize,
    pub servers_added: usize,
    pub changed: usize,
    /// A service counts as one, however many servers it had.
    pub deleted: usize,
}

impl Summary {
    /// Counts one change that was made.
    pub fn count(&mut self, change: &Change) {
        match change {
            Change::AddService(_) => self.services_added += 1,
            Change::AddServer(..) => self.servers_added += 1,
            Change::EditService(_)
            | Change::EditServer(..)
            | Change::Zero(_)
            | Change::SetTimeouts(_)
            | Change::StartDaemon(_) => self.changed += 1,
            Change::DeleteService(_) | Change::DeleteServer(..) | Change::Flush => {
                self.deleted += 1;
            }
            // It is started again, and counted then.
            Change::StopDaemon(_) => {}
        }
    }
}
