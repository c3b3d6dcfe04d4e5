//! How carefully a command works: what it keeps, reports, tries, waits for and asks.

use crate::cli::commands::Verb;
use crate::cli::line::{SECONDS, timeout};
use crate::cli::slots::Slot;
use crate::cli::spec::{Group, OPTION, OptionSpec, Value};

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
            Succeeds if there is nothing left to do. With --add-service and --add-server: changes \
            an existing service or server to what the line says. With --delete-service and \
            --delete-server: succeeds if the service or server does not exist.",
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
        help: "keep the rest",
        manual: "\
            Keeps the settings that the line does not name. A setting goes with its owner: a new \
            scheduler drops the flags of the old one, a new kind of tunnel drops the port and \
            checksum of the old one, and -g and -m drop the tunnel. -p and -o have no opposite, so \
            --keep cannot remove them. With --add-service and --add-server it has an effect only \
            together with --exist. With --apply and --diff: keeps the services that the file does \
            not name.",
        ..OPTION
    },
    OptionSpec {
        long: "strict",
        slot: STRICT,
        may: &[Verb::Check],
        help: "fail on warnings",
        manual: "Makes --check exit with status 1 if there are warnings.",
        ..OPTION
    },
    OptionSpec {
        long: "verbose",
        slot: VERBOSE,
        may: &[Verb::Apply],
        help: "report changes",
        manual: "\
            Reports how much --apply added, changed and deleted. On a terminal it always does.",
        ..OPTION
    },
    OptionSpec {
        long: "probe",
        slot: PROBE,
        may: &[Verb::Doctor],
        help: "also send packets and listen",
        manual: "\
            Lets --doctor send packets and listen, for ten seconds at most. It sends an empty \
            packet to the discard port of each server, so that the kernel looks for the server on \
            the network. On a real server it asks by ARP which host has the virtual address. If a \
            synchronisation daemon runs, it listens to what other directors send.",
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
            Waits at most this many seconds for the connections of drained servers to end. With \
            --delete-server, --delete-service and --apply: drains servers before it deletes them, \
            and deletes them when their connections have ended or the time is up. See DRAINING.",
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
        help: "undo without a yes in time",
        manual: "\
            Makes all changes except the deletions, then asks on the terminal whether to go on. \
            Without a yes within this many seconds, it undoes the changes. See MANAGING A DIRECTOR \
            BY A FILE.",
        ..OPTION
    },
];
