//! How packets reach a server, and how many connections it gets.

use super::SERVER_SETTERS;
use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::line::Line;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Rejection, Value};
use crate::cli::values::{bounded, choice};
use crate::model::{Checksum, Forwarding, Settings, TunnelKind};

pub const GROUP: Group = Group {
    name: "HOW",
    options: OPTIONS,
};

pub const FORWARDING: Slot = Slot::new(7, "forwarding-method");
pub const TUNNEL_TYPE: Slot = Slot::new(29, "tun-type");
pub const TUNNEL_PORT: Slot = Slot::new(30, "tun-port");
pub const TUNNEL_NO_CHECKSUM: Slot = Slot::new(31, "tun-nocsum");
pub const TUNNEL_CHECKSUM: Slot = Slot::new(32, "tun-csum");
pub const TUNNEL_REMOTE: Slot = Slot::new(33, "tun-remcsum");

const SETTING: OptionSpec = OptionSpec {
    may: SERVER_SETTERS,
    ..OPTION
};

/// Shared by the options that say how packets reach a server.
const WAY: OptionSpec = OptionSpec {
    may: &[Verb::AddServer, Verb::EditServer, Verb::Doctor],
    ..SETTING
};

/// Shared by the options for a forwarding method.
const METHOD: OptionSpec = OptionSpec {
    slot: FORWARDING,
    names: Settings::FORWARDING,
    ..WAY
};

const LIMIT: Value = Value::Required(Form {
    name: "connections",
    allowed: "a number from 0 to 2147483647",
    completes: Completes::Nothing,
});

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some(b'g'),
        long: "gatewaying",
        take: |line, _| forward(line, Forwarding::DirectRouting),
        help: "reach it by direct routing (default)",
        manual: "\
            Forwards by direct routing: packets reach the server unchanged, in a new frame. This \
            is the default. See FORWARDING.",
        ..METHOD
    },
    OptionSpec {
        short: Some(b'i'),
        long: "ipip",
        take: |line, _| forward(line, Forwarding::Tunnel),
        help: "reach it through a tunnel",
        manual: "Forwards through a tunnel. See FORWARDING, and --tun-type for the kind of tunnel.",
        ..METHOD
    },
    OptionSpec {
        short: Some(b'm'),
        long: "masquerading",
        take: |line, _| forward(line, Forwarding::Masquerade),
        help: "reach it by translating addresses (NAT)",
        manual: "Forwards by network address translation. See FORWARDING.",
        ..METHOD
    },
    OptionSpec {
        short: Some(b'w'),
        long: "weight",
        slot: Slot::new(8, "weight"),
        value: Value::Required(Form {
            name: "weight",
            allowed: "a number from 0 to 2147483647",
            completes: Completes::Nothing,
        }),
        names: Settings::WEIGHT,
        take: |line, text| {
            line.weight = bounded(text, 0, i32::MAX).ok_or("illegal weight specified")?;
            Ok(())
        },
        help: "its share of the work (1)",
        manual: "\
            The server's share of the new connections, from 0 to 2147483647; 1 by default. A \
            server with weight 0 gets none.",
        ..SETTING
    },
    OptionSpec {
        short: Some(b'x'),
        long: "u-threshold",
        slot: Slot::new(9, "u-threshold"),
        value: LIMIT,
        names: Settings::UPPER_THRESHOLD,
        take: |line, text| {
            let limit = bounded(text, 0, i32::MAX).ok_or("illegal u_threshold specified")?;
            line.upper_threshold = limit as u32;
            Ok(())
        },
        help: "the connection limit (0: no limit)",
        manual: "\
            The connection limit: a server with this many connections gets no new ones. 0, the \
            default, means no limit.",
        ..SETTING
    },
    OptionSpec {
        short: Some(b'y'),
        long: "l-threshold",
        slot: Slot::new(10, "l-threshold"),
        value: LIMIT,
        names: Settings::LOWER_THRESHOLD,
        take: |line, text| {
            let limit = bounded(text, 0, i32::MAX).ok_or("illegal l_threshold specified")?;
            line.lower_threshold = limit as u32;
            Ok(())
        },
        help: "below this it gets new ones again",
        manual: "\
            The number of connections below which a server that reached its limit gets new ones \
            again. If it is 0, the kernel uses three quarters of --u-threshold.",
        ..SETTING
    },
    OptionSpec {
        long: "tun-type",
        slot: TUNNEL_TYPE,
        value: Value::Required(Form::choice::<TunnelKind>("type")),
        names: Settings::TUNNEL_KIND,
        take: |line, text| {
            line.tunnel.kind = choice(text).ok_or("illegal tunnel type specified")?;
            Ok(())
        },
        help: "ipip, gue or gre (ipip)",
        manual: "The kind of tunnel: ipip (the default), gue or gre.",
        ..WAY
    },
    OptionSpec {
        long: "tun-port",
        slot: TUNNEL_PORT,
        value: Value::Required(Form {
            name: "port",
            allowed: "a number from 1 to 65535",
            completes: Completes::Nothing,
        }),
        names: Settings::TUNNEL_PORT,
        take: |line, text| {
            line.tunnel.port = bounded(text, 1, u16::MAX).ok_or("illegal tunnel port specified")?;
            Ok(())
        },
        help: "the port of a gue tunnel",
        manual: "The UDP port of a gue tunnel, 1 to 65535. A gue tunnel needs one.",
        ..WAY
    },
    OptionSpec {
        long: "tun-nocsum",
        slot: TUNNEL_NO_CHECKSUM,
        names: Settings::TUNNEL_CHECKSUM,
        take: |line, _| checksum(line, Checksum::NONE),
        help: "no checksums",
        manual: "Sends no checksum with the header of a gue or gre tunnel. This is the default.",
        ..WAY
    },
    OptionSpec {
        long: "tun-csum",
        slot: TUNNEL_CHECKSUM,
        names: Settings::TUNNEL_CHECKSUM,
        take: |line, _| checksum(line, Checksum::PLAIN),
        help: "checksums",
        manual: "Sends a checksum with the header of a gue or gre tunnel.",
        ..WAY
    },
    OptionSpec {
        long: "tun-remcsum",
        slot: TUNNEL_REMOTE,
        names: Settings::TUNNEL_CHECKSUM,
        take: |line, _| checksum(line, Checksum::REMOTE),
        help: "let the server compute checksums (gue)",
        manual: "\
            Leaves the checksum of the inner packet to the far end of a gue tunnel (remote \
            checksum offload).",
        ..WAY
    },
];

fn forward(line: &mut Line, method: Forwarding) -> Result<(), Rejection> {
    line.forwarding = method;
    Ok(())
}

fn checksum(line: &mut Line, checksum: Checksum) -> Result<(), Rejection> {
    line.tunnel.checksum = checksum;
    Ok(())
}
