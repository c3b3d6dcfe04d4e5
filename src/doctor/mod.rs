//! The doctor: gathers facts about a host, and finds out why its traffic may not flow.

pub mod facts;
mod findings;
pub mod firewall;
mod gather;
mod report;

pub use facts::Facts;
pub use findings::{Check, Finding, GROUPS, Level, examine};
pub use gather::gather;
pub use report::{all_is_well, json, text};
