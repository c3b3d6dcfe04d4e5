//! Turns the words of a command line into commands.

pub mod advice;
mod commands;
pub mod complete;
pub mod help;
mod line;
mod listing;
mod options;
mod slots;
mod spec;
pub mod surroundings;
pub mod values;
pub mod whole;
pub mod words;

pub use commands::Verb;
pub use line::read;
pub use options::{GROUPS, NETNS, WAIT, WATCH};
pub use slots::{Needs, Slot, Slots};
pub use spec::{CommandSpec, Form, Group, OptionSpec, Spec, Value, options, options_for, specs};
