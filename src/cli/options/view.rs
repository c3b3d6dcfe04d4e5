//! What a listing or a save shows, and how.

use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Value};
use crate::cli::values::{self, choice};
use crate::command::Format;
use crate::model::watch::Column;

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
pub const FORMAT: Slot = Slot::new(34, "format");
pub const JSON: Slot = Slot::new(39, "json");
pub const CLIENT: Slot = Slot::new(40, "client");
pub const STATE: Slot = Slot::new(41, "state");
pub const COUNT: Slot = Slot::new(42, "count");
pub const TOTALS: Slot = Slot::new(43, "totals");
pub const OUTPUT: Slot = Slot::new(44, "output");
pub const WATCH: Slot = Slot::new(45, "watch");
pub const SORT_BY: Slot = Slot::new(46, "sort-by");

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
        manual: "Lists the director's connections instead of the services.",
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
        long: "totals",
        slot: TOTALS,
        help: "the sums",
        manual: "\
            Shows the counters and rates of all services together, instead of the services. Linux \
            7.2 also reports how full its tables are and how large they may become.",
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
        manual: "Shows connections, packets and bytes per second, averaged over a few seconds.",
        ..VIEW
    },
    OptionSpec {
        long: "thresholds",
        slot: THRESHOLDS,
        help: "connection limits",
        manual: "Shows the connection limits.",
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
        long: "persistent-conn",
        slot: PERSISTENT_CONNECTIONS,
        help: "persistent clients; -c: engine data",
        manual: "\
            Shows how many clients persistence remembers. With -c: shows the persistence \
            engine and its data with each connection that has any.",
        ..VIEW
    },
    OptionSpec {
        short: Some(b'X'),
        long: "exact",
        slot: EXACT,
        help: "counters in full",
        manual: "\
            Shows counters and rates in full. Without it, numbers of more than eight digits are \
            shown in thousands (K), millions (M), 10^9 (G) or 10^12 (T), rounded down.",
        ..VIEW
    },
    OptionSpec {
        long: "nosort",
        slot: NO_SORT,
        help: "unsorted",
        manual: "Lists services and servers in the kernel's order.",
        ..VIEW
    },
    OptionSpec {
        long: "sort",
        slot: Slot::new(36, "sort"),
        is_free: true,
        help: "sorted (default)",
        manual: "Sorts the listing, which is the default. Every command accepts it.",
        ..VIEW
    },
    OptionSpec {
        short: Some(b'n'),
        long: "numeric",
        slot: NUMERIC,
        may: &[Verb::List, Verb::Save],
        help: "no names",
        manual: "\
            Shows addresses and ports as numbers. Without it, ipvsadm looks up names, for two \
            seconds at most.",
        ..OPTION
    },
    OptionSpec {
        short: Some(b'j'),
        long: "json",
        slot: JSON,
        take: |line, _| {
            line.format = Format::Json;
            Ok(())
        },
        is_useful: |line| !line.given.has(FORMAT),
        help: "JSON",
        may: &[Verb::List, Verb::Diff, Verb::Check, Verb::Doctor],
        manual: "\
            Writes JSON, the same as --format json. It also works with --diff, --check and \
            --doctor.",
        ..OPTION
    },
    OptionSpec {
        long: "format",
        slot: FORMAT,
        value: Value::Required(Form::choice::<Format>("name")),
        take: |line, text| {
            line.format = choice(text).ok_or("invalid format `{}'")?;
            Ok(())
        },
        is_useful: |line| !line.given.has(JSON),
        help: "output format",
        manual: "\
            The format of the listing: classic (the default); json for programs, see \
            ipvsadm-json(5); table for people, with columns as wide as their content and full \
            numbers; or prometheus for monitoring, see METRICS. If a table is too wide for the \
            terminal, the remaining columns follow on further lines. Addresses are never cut.",
        ..VIEW
    },
    OptionSpec {
        long: "output",
        slot: OUTPUT,
        value: Value::Required(Form {
            name: "file",
            allowed: "",
            completes: Completes::Files,
        }),
        may: &[Verb::List, Verb::Save],
        take: |line, text| {
            line.output = text;
            Ok(())
        },
        help: "write to a file",
        manual: "\
            Writes the listing or the save to this file. It writes a temporary file in the same \
            directory first, and renames it once everything is on disk. So others see either the \
            old file or the complete new one, and the old one stays if anything fails. Keeps mode \
            and owner, and follows links. - is standard output.",
        ..OPTION
    },
    OptionSpec {
        long: "count",
        slot: COUNT,
        help: "only counts",
        manual: "\
            Counts instead of listing: the services and servers, and their connections. With -c: \
            the connections of each server in each state, and the ten clients with the most \
            connections. Up to 65536 clients are counted exactly; with more, the numbers of \
            clients are lower bounds.",
        ..VIEW
    },
    OptionSpec {
        long: "client",
        slot: CLIENT,
        value: Value::Required(Form {
            name: "addr",
            allowed: "an address, or a network as in 10.0.0.0/8 or 2001:db8::/32",
            completes: Completes::Nothing,
        }),
        take: |line, text| line.client(text.unwrap_or_default()),
        is_useful: |line| line.given.has(CONNECTIONS),
        help: "-c: from this address",
        manual: "\
            With -c: lists the connections from this address, or from a network such as \
            10.0.0.0/8.",
        ..VIEW
    },
    OptionSpec {
        long: "state",
        slot: STATE,
        value: Value::Required(Form {
            name: "names",
            allowed: "states as -L -c shows them, separated by commas",
            completes: Completes::States,
        }),
        take: |line, text| {
            let states = values::states(text.unwrap_or_default());
            line.filter.states = Some(states.ok_or("invalid state `{}'")?);
            Ok(())
        },
        is_useful: |line| line.given.has(CONNECTIONS),
        help: "-c: in a state",
        manual: "\
            With -c: lists the connections in one of these states, as -L -c shows them, separated \
            by commas: SYN_RECV,FIN_WAIT. Lowercase is also accepted.",
        ..VIEW
    },
    OptionSpec {
        long: "watch",
        slot: WATCH,
        value: Value::Optional(Form {
            name: "seconds",
            allowed: "seconds, from 0.1 to 86400, as in 0.5",
            completes: Completes::Nothing,
        }),
        take: |line, text| {
            let seconds = values::period(text.unwrap_or(b"1"));
            line.watch = Some(seconds.ok_or("invalid seconds `{}'")?);
            Ok(())
        },
        help: "repeat the listing",
        manual: "\
            Repeats the listing at this interval, every second by default: on a terminal as a live \
            screen with rates, elsewhere as one listing after another. See WATCHING.",
        ..VIEW
    },
    OptionSpec {
        long: "sort-by",
        slot: SORT_BY,
        value: Value::Required(Form::choice::<Column>("column")),
        take: |line, text| {
            line.sort_by = choice(text).ok_or("invalid column `{}'")?;
            Ok(())
        },
        is_useful: |line| line.given.has(WATCH),
        help: "--watch: the sort column",
        manual: "\
            With --watch: the column that the screen is first sorted by, largest first. The \
            default is the name.",
        ..VIEW
    },
];
