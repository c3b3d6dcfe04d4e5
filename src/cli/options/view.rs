//! What a listing or a save shows, and how.

use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Slot, Value};
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
        long: "totals",
        slot: TOTALS,
        help: "the sums",
        manual: "\
            Shows what was counted over all services, and the rates, instead of the services; \
            and where the kernel tells, as Linux 7.2 does, how full its tables are and how \
            large they may become.",
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
        slot: JSON,
        take: |line, _| {
            line.format = Format::Json;
            Ok(())
        },
        is_useful: |line| !line.given.has(FORMAT),
        help: "JSON",
        may: &[Verb::List, Verb::Diff, Verb::Check, Verb::Doctor],
        manual: "\
            Writes the listing for programs: the same as --format json. It also works with \
            --diff, --check and --doctor.",
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
        help: "how it is written",
        manual: "\
            How the listing is written: classic, which is the default; json for programs, see \
            ipvsadm-json(5); table for people, whose columns are as wide as what is in them \
            and whose numbers are whole; or prometheus for monitoring, see METRICS. Where a \
            terminal has no room for all columns of a table, the others follow on further \
            lines; addresses are never cut.",
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
        help: "into a file",
        manual: "\
            Writes the listing or the save to this file: to another one beside it, which takes \
            its place when all of it is on the disk. So others see the old file or the new \
            one, and never a part; if anything fails, the old one stays. Mode and owner stay, \
            and links are followed. - is standard output.",
        ..OPTION
    },
    OptionSpec {
        long: "count",
        slot: COUNT,
        help: "how many",
        manual: "\
            Shows numbers instead of lines, of what the rest of the line asks for: how many \
            services and servers there are, and their connections; with -c, how many \
            connections each server has in each state, and the ten clients that have most. \
            Up to 65536 clients are counted exactly. Where there are more, the numbers of \
            clients are what they have at least.",
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
        help: "-c: from there",
        manual: "\
            With -c: lists the connections from this address or, as in 10.0.0.0/8, this \
            network.",
        ..VIEW
    },
    OptionSpec {
        long: "state",
        slot: STATE,
        value: Value::Required(Form {
            name: "names",
            allowed: "states as -L -c shows them, with commas between",
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
            With -c: lists the connections in one of these states, named as -L -c shows them, \
            with commas between: SYN_RECV,FIN_WAIT. Small letters will do.",
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
        help: "again and again",
        manual: "\
            Lists again every so many seconds, every second by default: on a terminal on a \
            screen, with rates, elsewhere one listing after the other. See WATCHING.",
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
        help: "--watch: the order",
        manual: "\
            With --watch: what the screen is sorted by at first, largest first; by name if this \
            is not given.",
        ..VIEW
    },
];
