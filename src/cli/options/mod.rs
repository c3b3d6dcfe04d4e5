//! The options, one file for each group. Each option is declared once, with everything about it.

mod care;
mod forwarding;
mod globals;
mod save;
mod server;
mod service;
mod settings;
mod sync;
mod view;

pub use care::{EXIST, KEEP, PROBE, STRICT, VERBOSE, WAIT};
pub use forwarding::{
    FORWARDING, TUNNEL_CHECKSUM, TUNNEL_NO_CHECKSUM, TUNNEL_PORT, TUNNEL_REMOTE, TUNNEL_TYPE,
};
pub use globals::NETNS;
pub use save::ALL;
pub use server::{REAL_SERVER, SERVER};
pub use service::SERVICE_ADDRESS;
pub use settings::{NETMASK, SCHED_FLAGS};
pub use view::{
    CLIENT, CONNECTIONS, COUNT, DAEMON, EXACT, FORMAT, JSON, NO_SORT, NUMERIC, OUTPUT,
    PERSISTENT_CONNECTIONS, RATE, SORT_BY, STATE, STATS, THRESHOLDS, TIMEOUT, TOTALS, TUNNEL_INFO,
    WATCH,
};

use super::commands::Verb;
use super::spec::Group;

/// The groups in the order in which the help shows them.
pub const GROUPS: &[Group] = &[
    service::GROUP,
    settings::GROUP,
    server::GROUP,
    forwarding::GROUP,
    care::GROUP,
    view::GROUP,
    save::GROUP,
    sync::GROUP,
    globals::GROUP,
];

const SERVICE_SETTERS: &[Verb] = &[Verb::AddService, Verb::EditService];
const SERVER_SETTERS: &[Verb] = &[Verb::AddServer, Verb::EditServer];
const WITH_A_SERVER: &[Verb] = &[
    Verb::AddServer,
    Verb::EditServer,
    Verb::DeleteServer,
    Verb::Drain,
];
const ON_A_SERVICE: &[Verb] = &[
    Verb::AddService,
    Verb::EditService,
    Verb::DeleteService,
    Verb::AddServer,
    Verb::EditServer,
    Verb::DeleteServer,
];
