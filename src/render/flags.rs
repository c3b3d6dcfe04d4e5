//! The names of scheduler flags.

use super::out::Out;
use crate::model::{Flags, Service};

/// The scheduler's flags, comma between; nothing if it has none.
pub fn scheduler_flags(out: &mut Out, service: &Service) {
    let mut separator = "";
    for name in names_of_flags(service) {
        out.text(separator).text(name);
        separator = ",";
    }
}

/// The scheduler's flags by name.
pub fn names_of_flags(service: &Service) -> impl Iterator<Item = &'static str> {
    let [first, second] = match service.scheduler.as_bytes() {
        b"sh" => ["sh-fallback", "sh-port"],
        b"mh" => ["mh-fallback", "mh-port"],
        _ => ["flag-1", "flag-2"],
    };
    let flags = [
        (Flags::SCHEDULER_1, first),
        (Flags::SCHEDULER_2, second),
        (Flags::SCHEDULER_3, "flag-3"),
    ];
    let given = service.flags;
    let given = flags.into_iter().filter(move |(flag, _)| given.has(*flag));
    given.map(|(_, name)| name)
}

/// Every flag that belongs to the scheduler.
pub const SCHEDULER_FLAGS: Flags =
    Flags(Flags::SCHEDULER_1.0 | Flags::SCHEDULER_2.0 | Flags::SCHEDULER_3.0);
