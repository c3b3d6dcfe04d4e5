//! The rehearsal of an apply: in a new network namespace it finds out what the kernel lacks, such
//! as a scheduler, before anything is changed.

use std::collections::hash_map::Entry;

use super::Env;
use super::execution::Refused;
use crate::kernel::{self, Client};
use crate::model::difference::Difference;
use crate::model::hash::Map;
use crate::model::{Change, Service};

/// The changes to services that the kernel refuses whatever their addresses. Without the right to
/// try this in another namespace, the refusals only come when the changes are made.
pub fn rehearse(env: &Env, difference: &Difference) -> Vec<Refused> {
    let changes = difference.steps.iter().map(|step| &step.change);
    let services: Vec<_> = changes.filter_map(with_settings).collect();
    let mut refused = Vec::new();
    if !services.is_empty() {
        let mut ask = |client: &mut Client| {
            refused = refusals(client, &services)?;
            Ok(())
        };
        // Changes that cannot be tried here will be tried for real.
        let _ = (env.apart)(&mut ask);
    }
    refused
}

fn with_settings(change: &Change) -> Option<(&Change, &Service)> {
    match change {
        Change::AddService(service) | Change::EditService(service) => Some((change, service)),
        Change::DeleteService(_)
        | Change::AddServer(..)
        | Change::EditServer(..)
        | Change::DeleteServer(..)
        | Change::Flush
        | Change::Zero(_)
        | Change::SetTimeouts(_)
        | Change::StartDaemon(_)
        | Change::StopDaemon(_) => None,
    }
}

/// Adds one service for each combination of settings that the kernel may lack.
fn refusals(client: &mut Client, services: &[(&Change, &Service)]) -> kernel::Result<Vec<Refused>> {
    let mut answers = Map::default();
    let mut refused = Vec::new();
    for (change, service) in services {
        let settings = (
            service.scheduler,
            service.flags,
            service.engine,
            service.mask,
        );
        let answer = match answers.entry(settings) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(answer(client, service)?),
        };
        refused.extend(answer.map(|errno| Refused {
            change: **change,
            errno,
            is_consequence: false,
        }));
    }
    Ok(refused)
}

/// The error number of a refusal, if it is one.
fn answer(client: &mut Client, service: &Service) -> kernel::Result<Option<i32>> {
    match client.add_service(service) {
        Ok(()) => Ok(None),
        Err(kernel::Error::Refused(refusal)) => Ok(Some(refusal.errno)),
        Err(error) => Err(error),
    }
}
