//! What a listing or a save shows, and how.

use crate::cli::commands::Verb;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Slot, Value};
use crate::cli::values::choice;
use crate::command::Format;

pub const GROUP: Group = Group {
    name: "VIEW",
    options: OPTIONS,
};

pub const NUMERIC: Slot = Slot::new(0, "numeric");
pub const CONNECTIONS: Slot = Slot::new(1, "connection");
pub const TIMEOUT: Slot = Slot::new(12, "timeout");
pub const DAEMON: Slot = Slot::new(13, "daemon");
pub const STATS: Slot = Slot::new(14, "stats");
pub const RATE: Slot = Slot::new(15, "rate");
pub const THRESHOLDS: Slot = Slot::new(16, "thresholds");
pub const PERSISTENT_CONNECTIONS: Slot = Slot::new(17, "persistent-conn");
pub const NO_SORT: Slot = Slot::new(18, "nosort");
pub const EXACT: Slot = Slot::new(20, "exact");
pub const TUNNEL_INFO: Slot = Slot::new(28, "tun-info");
const FORMAT: Slot = Slot::new(34, "format");

/// An option that chooses what is listed.
const SUBJECT: OptionSpec = OptionSpec {
    one_of: &[Verb::List],
    ..OPTION
};

/// An option for how it is listed.
const VIEW: OptionSpec = OptionSpec {
    may: &[Verb::List],
    ..OPTION
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some(b'c'),
        long: "connection",
        slot: CONNECTIONS,
        help: "the connections",
        manual: "Lists the connections that the director remembers instead of the services.",
        ..SUBJECT
    },
    OptionSpec {
        long: "timeout",
        slot: TIMEOUT,
        help: "the timeouts",
        manual: "Shows the timeouts of connections instead of the services.",
        ..SUBJECT
    },
    OptionSpec {
        long: "daemon",
        slot: DAEMON,
        help: "the sync daemons",
        manual: "Shows the synchronisation daemons instead of the services.",
        ..SUBJECT
    },
    OptionSpec {
        long: "stats",
        slot: STATS,
        help: "counters",
        manual: "Shows counters: connections, packets and bytes in and out.",
        ..VIEW
    },
    OptionSpec {
        long: "rate",
        slot: RATE,
        help: "rates per second",
        manual: "Shows rates: connections, packets and bytes a second, smoothed over some seconds.",
        ..VIEW
    },
    OptionSpec {
        long: "thresholds",
        slot: THRESHOLDS,
        help: "connection limits",
        manual: "Shows the limits of connections.",
        ..VIEW
    },
    OptionSpec {
        long: "persistent-conn",
        slot: PERSISTENT_CONNECTIONS,
        help: "persistent clients; -c: engine data",
        manual: "\
            Shows how many clients persistence remembers. With -c: shows the persistence \
            engine and its data with each connection that has any.",
        ..VIEW
    },
    OptionSpec {
        long: "tun-info",
        slot: TUNNEL_INFO,
        help: "tunnels",
        manual: "Shows the tunnels.",
        ..VIEW
    },
    OptionSpec {
        short: Some(b'X'),
        long: "exact",
        slot: EXACT,
        help: "counters in full",
        manual: "\
            Shows counters and rates whole. Without it, what has more than eight digits is \
            shown in thousands (K), millions (M), 10^9 (G) or 10^12 (T), rounded down.",
        ..VIEW
    },
    OptionSpec {
        long: "nosort",
        slot: NO_SORT,
        help: "not sorted",
        manual: "Lists services and servers in the order of the kernel.",
        ..VIEW
    },
    OptionSpec {
        long: "sort",
        slot: Slot::new(36, "sort"),
        is_free: true,
        help: "sorted (default)",
        manual: "Sorts the listing, which is the default. Every command takes it.",
        ..VIEW
    },
    OptionSpec {
        short: Some(b'n'),
        long: "numeric",
        slot: NUMERIC,
        may: &[Verb::List, Verb::Save],
        help: "no names",
        manual: "\
            Shows addresses and ports as numbers. Without it, names are looked up, which may \
            take up to two seconds in all.",
        ..OPTION
    },
    OptionSpec {
        short: Some(b'j'),
        long: "json",
        slot: FORMAT,
        take: |line, _| {
            line.format = Format::Json;
            Ok(())
        },
        help: "JSON",
        manual: "Writes the listing for programs: the same as --format json.",
        ..VIEW
    },
    OptionSpec {
        long: "format",
        slot: FORMAT,
        value: Value::Required(Form::choice::<Format>("name")),
        take: |line, text| {
            line.format = choice(text).ok_or("invalid format `{}'")?;
            Ok(())
        },
        help: "classic, json or table (classic)",
        manual: "\
            How the listing is written: classic, which is the default; json for programs, see \
            ipvsadm-json(5); or table for people, whose columns are as wide as what is in them \
            and whose numbers are whole.",
        ..VIEW
    },
];
