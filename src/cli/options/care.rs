//! How a change treats what is there already.

use crate::cli::commands::Verb;
use crate::cli::line::{SECONDS, timeout};
use crate::cli::spec::{Group, OPTION, OptionSpec, Slot, Value};

pub const GROUP: Group = Group {
    name: "CARE",
    options: OPTIONS,
};

pub const EXIST: Slot = Slot::new(37, "exist");
pub const KEEP: Slot = Slot::new(38, "keep");
pub const STRICT: Slot = Slot::new(50, "strict");
pub const VERBOSE: Slot = Slot::new(51, "verbose");
pub const PROBE: Slot = Slot::new(61, "probe");
pub const WAIT: Slot = Slot::new(56, "wait");

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
        help: "no error if done",
        manual: "\
            Something that is already done is not an error. With --add-service and --add-server: a service or \
            server that exists is changed to what the line says. With --delete-service and \
            --delete-server: one that does not exist needs no deletion.",
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
            Verb::Apply,
            Verb::Diff,
        ],
        help: "the rest stays",
        manual: "\
            Settings that the line does not name stay as they are. A setting goes with its \
            owner: a new scheduler drops the flags of the old one, a new kind of tunnel the \
            port and checksum of the old one, -g and -m the tunnel. -p and -o have no opposite, and so cannot \
            be removed with it. With --add-service and \
            --add-server it has a meaning only with --exist. With --apply and --diff: services \
            that the file does not name stay.",
        ..OPTION
    },
    OptionSpec {
        long: "strict",
        slot: STRICT,
        may: &[Verb::Check],
        help: "warnings count",
        manual: "Warnings of --check give status 1.",
        ..OPTION
    },
    OptionSpec {
        long: "verbose",
        slot: VERBOSE,
        may: &[Verb::Apply],
        help: "say what it did",
        manual: "\
            Says how much --apply added, changed and deleted, as it does on a terminal anyway.",
        ..OPTION
    },
    OptionSpec {
        long: "probe",
        slot: PROBE,
        may: &[Verb::Doctor],
        help: "send packets and listen, too",
        manual: "\
            Lets --doctor send packets and listen for some, for ten seconds at most: an empty \
            packet to the discard port of each server, so that the kernel looks for it on the \
            network; on a real server a question by ARP who has the virtual address. Where a \
            synchronisation daemon runs, it hears what others send.",
        ..OPTION
    },
    OptionSpec {
        long: "wait",
        slot: WAIT,
        value: Value::Required(SECONDS),
        may: &[
            Verb::Drain,
            Verb::DeleteServer,
            Verb::DeleteService,
            Verb::Apply,
        ],
        take: |line, text| {
            line.wait = Some(timeout(text.unwrap_or_default(), 1)?);
            Ok(())
        },
        help: "let connections end",
        manual: "\
            Waits up to so many seconds until the connections of drained servers have ended. With \
            --delete-server, --delete-service and --apply: drains what is to be deleted first, \
            and deletes it when they have ended or the time is over. See DRAINING.",
        ..OPTION
    },
    OptionSpec {
        long: "confirm",
        slot: Slot::new(57, "confirm"),
        value: Value::Required(SECONDS),
        may: &[Verb::Apply],
        take: |line, text| {
            line.confirm = Some(timeout(text.unwrap_or_default(), 1)?);
            Ok(())
        },
        help: "or take it back",
        manual: "\
            Does everything but the deletions, and then asks on the terminal whether to go on. \
            Without a yes within so many seconds the changes are taken back. See MANAGING A \
            DIRECTOR BY A FILE.",
        ..OPTION
    },
];
