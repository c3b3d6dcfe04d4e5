//! The settings of a service.

use super::SERVICE_SETTERS;
use crate::cli::complete::Completes;
use crate::cli::line::{SECONDS, timeout};
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Value};
use crate::model::terms::{ENGINES, SCHEDULERS};
use crate::model::{Flags, Name, Settings};

pub const GROUP: Group = Group {
    name: "SETTINGS",
    options: OPTIONS,
};

const DEFAULT_PERSISTENCE: u32 = 360;

const SETTING: OptionSpec = OptionSpec {
    may: SERVICE_SETTERS,
    ..OPTION
};

/// A constant, because its value may be refused after the option was read.
pub const SCHED_FLAGS: OptionSpec = OptionSpec {
    short: Some(b'b'),
    long: "sched-flags",
    slot: Slot::new(23, "sched-flags"),
    value: Value::Required(Form {
        name: "flags",
        allowed: "",
        completes: Completes::SchedulerFlags,
    }),
    names: Settings::SCHEDULER_FLAGS,
    take: |line, text| {
        line.scheduler_flags = text.unwrap_or_default();
        Ok(())
    },
    help: "scheduler flags, comma-separated",
    manual: "\
        Flags of the scheduler, separated by commas: sh-fallback and sh-port for sh, mh-fallback \
        and mh-port for mh, or flag-1, flag-2 and flag-3 for any.",
    ..SETTING
};

/// A constant, because its value may be refused after the option was read.
pub const NETMASK: OptionSpec = OptionSpec {
    short: Some(b'M'),
    long: "netmask",
    slot: Slot::new(5, "netmask"),
    value: Value::Required(Form {
        name: "mask",
        allowed: "a mask such as 255.255.255.0, or for IPv6 a prefix length from 1 to 128",
        completes: Completes::Nothing,
    }),
    names: Settings::MASK,
    take: |line, text| line.netmask(text.unwrap_or_default()),
    help: "clients of one network count as one",
    manual: "\
        How much of a client's address counts for persistence: a mask such as 255.255.255.0 for \
        IPv4, a prefix length for IPv6. Clients that differ only outside the mask go to the same \
        server.",
    ..SETTING
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some(b's'),
        long: "scheduler",
        slot: Slot::new(3, "scheduler"),
        value: Value::Required(Form {
            name: "name",
            allowed: "",
            completes: Completes::Words(|| SCHEDULERS.to_vec()),
        }),
        names: Settings::SCHEDULER,
        take: |line, text| {
            line.scheduler = Name::cut(text.unwrap_or_default());
            Ok(())
        },
        help: "how servers are chosen (wlc)",
        manual: "\
            How a server is chosen for a new connection; wlc by default. See SCHEDULERS.",
        ..SETTING
    },
    SCHED_FLAGS,
    OptionSpec {
        short: Some(b'p'),
        long: "persistent",
        slot: Slot::new(4, "persistent"),
        value: Value::Optional(SECONDS),
        names: Settings::PERSISTENCE,
        take: |line, text| {
            let seconds = text.map_or(Ok(DEFAULT_PERSISTENCE), |text| timeout(text, 1))?;
            line.persistence = Some(seconds);
            Ok(())
        },
        help: "keep a client on its server (360)",
        manual: "\
            Keeps a client on the same server until this many seconds after its last connection: 1 \
            to 2678400, 360 by default. The value may be attached or the next word.",
        ..SETTING
    },
    NETMASK,
    OptionSpec {
        long: "pe",
        slot: Slot::new(22, "pe"),
        value: Value::Required(Form {
            name: "name",
            allowed: "",
            completes: Completes::Words(|| ENGINES.to_vec()),
        }),
        names: Settings::ENGINE,
        take: |line, text| {
            line.engine = Name::cut(text.unwrap_or_default());
            Ok(())
        },
        help: "engine (sip)",
        manual: "\
            The persistence engine, which recognises clients by something other than their \
            address. The kernel has one: sip, which uses the Call-ID.",
        ..SETTING
    },
    OptionSpec {
        short: Some(b'o'),
        long: "ops",
        slot: Slot::new(21, "ops"),
        names: Settings::ONE_PACKET,
        take: |line, _| {
            line.flags = line.flags | Flags::ONE_PACKET;
            Ok(())
        },
        help: "schedule each packet by itself (UDP)",
        manual: "\
            One-packet scheduling: schedules each packet by itself and remembers no connection. \
            For UDP services and firewall marks only.",
        ..SETTING
    },
];
