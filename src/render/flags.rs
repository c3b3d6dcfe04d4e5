//! The names of scheduler flags.

use super::out::Out;
use crate::model::{Service, terms};

/// The scheduler's flags, separated by commas; nothing if it has none.
pub fn scheduler_flags(out: &mut Out, service: &Service) {
    let mut separator = "";
    for name in names_of_flags(service) {
        out.text(separator).text(name);
        separator = ",";
    }
}

/// The scheduler's flags by name.
pub fn names_of_flags(service: &Service) -> impl Iterator<Item = &'static str> {
    terms::names_of_flags(service.scheduler.as_bytes(), service.flags)
}
