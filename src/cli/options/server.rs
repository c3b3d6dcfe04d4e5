//! Which server of the service a line is about.

use super::WITH_A_SERVER;
use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Value};

pub const GROUP: Group = Group {
    name: "SERVER",
    options: OPTIONS,
};

pub const REAL_SERVER: Slot = Slot::new(6, "real-server");

const OPTIONS: &[OptionSpec] = &[SERVER];

/// A constant, because its value may be refused after the option was read.
pub const SERVER: OptionSpec = OptionSpec {
    short: Some(b'r'),
    long: "real-server",
    slot: REAL_SERVER,
    value: Value::Required(Form {
        name: "host[:port]",
        allowed: "host or host:port, as in 10.0.0.1:8080 or [2001:db8::1]:80",
        completes: Completes::Servers,
    }),
    must: WITH_A_SERVER,
    may: &[Verb::List, Verb::Doctor],
    take: |line, text| line.real_server(text.unwrap_or_default()),
    help: "a server of the service",
    manual: "\
        The real server. Without a port it has the port of the service. With direct routing and \
        tunnels the port is always that of the service. With --list: lists the services that have \
        this server, without their other servers, or with -c its connections. With --list and \
        --drain, no port means any port. With --doctor: the virtual address that this host serves \
        as a real server.",
    ..OPTION
};
