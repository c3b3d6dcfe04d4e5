//! The settings of a synchronisation daemon.

use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Rejection, Value};
use crate::cli::values::{self, bounded};
use crate::model::Name;

pub const GROUP: Group = Group {
    name: "SYNC",
    options: OPTIONS,
};

const SYNC: OptionSpec = OptionSpec {
    may: &[Verb::StartDaemon],
    ..OPTION
};

const fn number(name: &'static str, allowed: &'static str) -> Value {
    Value::Required(Form {
        name,
        allowed,
        completes: Completes::Nothing,
    })
}

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        long: "mcast-interface",
        slot: Slot::new(11, "mcast-interface"),
        value: Value::Required(Form {
            name: "interface",
            allowed: "",
            completes: Completes::Interfaces,
        }),
        take: |line, text| {
            line.interface = Name::cut(text.unwrap_or_default());
            Ok(())
        },
        help: "where to multicast (eth0)",
        manual: "\
            The interface for synchronisation messages; eth0 by default.",
        ..SYNC
    },
    OptionSpec {
        long: "syncid",
        slot: Slot::new(19, "syncid"),
        value: number("id", "a number from 0 to 255"),
        may: &[Verb::List, Verb::StartDaemon, Verb::StopDaemon],
        take: |line, text| {
            let id = bounded(text, 0, u8::MAX).ok_or("illegal syncid specified")?;
            line.sync_id = id.into();
            Ok(())
        },
        help: "which daemons belong together (0)",
        manual: "\
            Which daemons belong together, from 0 to 255; 0 by default. A backup accepts only \
            messages with its own number; with 0 it accepts all.",
        ..OPTION
    },
    OptionSpec {
        long: "sync-maxlen",
        slot: Slot::new(27, "sync-maxlen"),
        value: number("bytes", "a number from 1 to 65507"),
        take: |line, text| {
            let length = bounded(text, 1, 65507u16).ok_or("illegal sync-maxlen specified")?;
            line.sync_max_length = Some(length);
            Ok(())
        },
        help: "the longest message to send",
        manual: "\
            The longest message, 1 to 65507 bytes. The kernel has its own default and may use \
            less.",
        ..SYNC
    },
    OptionSpec {
        long: "mcast-group",
        slot: Slot::new(24, "mcast-group"),
        value: number(
            "address",
            "a multicast address, as in 224.0.0.81 or ff05::81",
        ),
        take: |line, text| {
            let text = text.unwrap_or_default();
            let group = values::group(text).ok_or_else(|| {
                let is_ipv6 = text.contains(&b':');
                Rejection::Illegal(if is_ipv6 {
                    "invalid IPv6 mcast-group `{}'"
                } else {
                    "invalid IPv4 mcast-group `{}'"
                })
            })?;
            line.mcast_group = Some(group);
            Ok(())
        },
        help: "the multicast group (224.0.0.81)",
        manual: "\
            The multicast group for messages, IPv4 or IPv6; 224.0.0.81 by default.",
        ..SYNC
    },
    OptionSpec {
        long: "mcast-port",
        slot: Slot::new(25, "mcast-port"),
        value: number("port", "a number from 1 to 65535"),
        take: |line, text| {
            let port = bounded(text, 1, u16::MAX).ok_or("illegal mcast-port specified")?;
            line.mcast_port = Some(port);
            Ok(())
        },
        help: "its port (8848)",
        manual: "The UDP port for messages; 8848 by default.",
        ..SYNC
    },
    OptionSpec {
        long: "mcast-ttl",
        slot: Slot::new(26, "mcast-ttl"),
        value: number("hops", "a number from 1 to 255"),
        take: |line, text| {
            let ttl = bounded(text, 1, u8::MAX).ok_or("illegal mcast-ttl specified")?;
            line.mcast_ttl = Some(ttl);
            Ok(())
        },
        help: "how far messages go (1)",
        manual: "The TTL of messages, 1 to 255; 1 by default. With 1 they pass no router.",
        ..SYNC
    },
];
