//! The steps of a difference: each as a line, with its cost as a comment.

use std::fmt;
use std::io;

use super::out::Out;
use super::save;
use crate::model::ServiceId;
use crate::model::difference::{Cost, Step, Summary};
use crate::names::Names;

/// Connections that lose their server.
#[derive(Clone, Copy, Debug)]
pub struct CutConnections {
    pub connections: u64,
    /// What happens to these connections, in words for users.
    pub fate: &'static str,
}

impl CutConnections {
    /// Whether a step really has this cost: without connections none is cut.
    pub fn is_paid(&self, cost: &Cost) -> bool {
        *cost != Cost::Cuts || self.connections > 0
    }
}

/// One step. A step that no line can express becomes a comment.
pub fn step(out: &mut Out, names: &mut Names, step: &Step, cut: CutConnections) -> io::Result<()> {
    if !save::is_sayable(&step.change) {
        out.text("# no line does this: ");
    }
    save::change(out, names, &step.change);
    let mut separator = "  # ";
    for cost in step.costs.iter().filter(|cost| cut.is_paid(cost)) {
        out.text(separator);
        self::cost(out, names, step, cost, cut);
        separator = "; ";
    }
    out.end_row()
}

fn cost(out: &mut Out, names: &mut Names, step: &Step, cost: &Cost, cut: CutConnections) {
    match cost {
        Cost::Scheduler => out.text("new connections are refused while the scheduler changes"),
        Cost::Mask => out.text("some clients move to another server"),
        Cost::Forwarding => out.text("connections that exist stay with the old method"),
        Cost::Cuts => {
            let connections = match cut.connections {
                1 => " connection: ",
                _ => " connections: ",
            };
            out.number(cut.connections).text(connections).text(cut.fate)
        }
        Cost::TakesOver(id) => {
            out.text("takes over ");
            match step.change.service() {
                // Packets for any service may have the mark.
                Some(ServiceId::Mark { .. }) => drop(out.text("every packet with this mark")),
                Some(ServiceId::Address { .. }) | None => {
                    out.text("from ");
                    save::service_id(out, names, id);
                }
            }
            out.text(", and refuses connections until its first server is added")
        }
    };
}

/// `2 services and 14 servers added, 3 changed, 1 deleted`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |count, one, more| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let services = some(self.services_added, "service", "services");
        let servers = some(self.servers_added, "server", "servers");
        let added: Vec<_> = services.into_iter().chain(servers).collect();
        let added = (!added.is_empty()).then(|| added.join(" and ") + " added");
        let changed = some(self.changed, "changed", "changed");
        let deleted = some(self.deleted, "deleted", "deleted");
        let parts: Vec<_> = [added, changed, deleted].into_iter().flatten().collect();
        match parts[..] {
            [] => f.write_str("nothing to change"),
            [..] => f.write_str(&parts.join(", ")),
        }
    }
}
