//! What a save contains.

use crate::cli::commands::Verb;
use crate::cli::slots::Slot;
use crate::cli::spec::{Group, OPTION, OptionSpec};

pub const GROUP: Group = Group {
    name: "SAVE",
    options: OPTIONS,
};

pub const ALL: Slot = Slot::new(47, "all");

const OPTIONS: &[OptionSpec] = &[OptionSpec {
    long: "all",
    slot: ALL,
    may: &[Verb::Save],
    help: "timeouts and daemons, too",
    manual: "\
        Saves the timeouts and the synchronisation daemons too, so that one file holds \
        everything.",
    ..OPTION
}];
