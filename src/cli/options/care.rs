//! How a change treats what is there already.

use crate::cli::commands::Verb;
use crate::cli::spec::{Group, OPTION, OptionSpec, Slot};

pub const GROUP: Group = Group {
    name: "CARE",
    options: OPTIONS,
};

pub const EXIST: Slot = Slot::new(37, "exist");
pub const KEEP: Slot = Slot::new(38, "keep");

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        long: "exist",
        slot: EXIST,
        may: &[
            Verb::AddService,
            Verb::DeleteService,
            Verb::AddServer,
            Verb::DeleteServer,
        ],
        help: "already so is fine",
        manual: "\
            What is so already is no error. With --add-service and --add-server: a service or \
            server that exists is changed to what the line says. With --delete-service and \
            --delete-server: one that does not exist is left at that.",
        ..OPTION
    },
    OptionSpec {
        long: "keep",
        slot: KEEP,
        may: &[
            Verb::AddService,
            Verb::EditService,
            Verb::AddServer,
            Verb::EditServer,
        ],
        help: "leave the rest as it is",
        manual: "\
            Settings that the line does not name stay as they are. A setting goes with its \
            owner: a new scheduler drops the flags of the old one, a new kind of tunnel the \
            port and checksum of the old one, -g and -m the tunnel. What can be named but not \
            un-named, -p and -o, cannot be taken away with it. With --add-service and \
            --add-server it needs --exist to mean anything.",
        ..OPTION
    },
];
