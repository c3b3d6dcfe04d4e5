//! The table: a row for each command and each option. The word reader, the checks, help,
//! manual and completion all read it, so a new option starts with a new row here.

use super::kinds::{CommandRow, Opt, OptionRow, Slot, Value, Verb};

const SERVICE_SETTERS: &[Verb] = &[Verb::AddService, Verb::EditService];
const SERVER_SETTERS: &[Verb] = &[Verb::AddServer, Verb::EditServer];
const ON_A_SERVER: &[Verb] = &[Verb::AddServer, Verb::EditServer, Verb::DeleteServer];
const ON_A_SERVICE: &[Verb] = &[
    Verb::AddService,
    Verb::EditService,
    Verb::DeleteService,
    Verb::AddServer,
    Verb::EditServer,
    Verb::DeleteServer,
];

const COMMAND: CommandRow = CommandRow {
    verb: Verb::Help,
    short: &[],
    long: "",
    value: Value::Nothing,
    name: "",
    help: "",
};

/// The commands, in the order of `Verb`.
pub const COMMANDS: &[CommandRow] = &[
    CommandRow {
        verb: Verb::AddService,
        short: b"A",
        long: "add-service",
        name: "add-service",
        help: "add a virtual service",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::EditService,
        short: b"E",
        long: "edit-service",
        name: "edit-service",
        help: "change a virtual service",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::DeleteService,
        short: b"D",
        long: "delete-service",
        name: "delete-service",
        help: "delete a virtual service and its servers",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Flush,
        short: b"C",
        long: "clear",
        name: "flush",
        help: "delete all virtual services",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::List,
        short: b"Ll",
        long: "list",
        name: "list",
        help: "list services and servers",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::AddServer,
        short: b"a",
        long: "add-server",
        name: "add-server",
        help: "add a server to a service",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::DeleteServer,
        short: b"d",
        long: "delete-server",
        name: "delete-server",
        help: "delete a server from a service",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::EditServer,
        short: b"e",
        long: "edit-server",
        name: "edit-server",
        help: "change a server of a service",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::SetTimeouts,
        long: "set",
        name: "set",
        help: "set the timeouts of connections, in seconds; 0 keeps",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::StartDaemon,
        long: "start-daemon",
        value: Value::Required("master|backup"),
        name: "start-daemon",
        help: "start a synchronisation daemon",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::StopDaemon,
        long: "stop-daemon",
        value: Value::Required("master|backup"),
        name: "stop-daemon",
        help: "stop a synchronisation daemon",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Restore,
        short: b"R",
        long: "restore",
        name: "restore",
        help: "run commands from standard input, one a line",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Save,
        short: b"S",
        long: "save",
        name: "save",
        help: "print the table as commands that restore it",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Zero,
        short: b"Z",
        long: "zero",
        name: "zero",
        help: "zero the counters of a service, or of all",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Help,
        short: b"h",
        long: "help",
        name: "help",
        help: "print this help",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Version,
        short: b"v",
        long: "version",
        name: "version",
        help: "print the version",
        ..COMMAND
    },
];

const OPTION: OptionRow = OptionRow {
    option: Opt::Sort,
    slot: None,
    short: None,
    long: "",
    value: Value::Nothing,
    must: &[],
    may: &[],
    one_of: &[],
    help: "",
};

/// The options, in the order in which the help shows them.
pub const OPTIONS: &[OptionRow] = &[
    OptionRow {
        option: Opt::TcpService,
        slot: Some(Slot::ServiceAddress),
        short: Some(b't'),
        long: "tcp-service",
        value: Value::Required("host:port"),
        must: ON_A_SERVICE,
        may: &[Verb::Zero],
        one_of: &[Verb::List],
        help: "a TCP service",
    },
    OptionRow {
        option: Opt::UdpService,
        slot: Some(Slot::ServiceAddress),
        short: Some(b'u'),
        long: "udp-service",
        value: Value::Required("host:port"),
        must: ON_A_SERVICE,
        may: &[Verb::Zero],
        one_of: &[Verb::List],
        help: "a UDP service",
    },
    OptionRow {
        option: Opt::SctpService,
        slot: Some(Slot::ServiceAddress),
        long: "sctp-service",
        value: Value::Required("host:port"),
        must: ON_A_SERVICE,
        may: &[Verb::Zero],
        one_of: &[Verb::List],
        help: "an SCTP service",
        ..OPTION
    },
    OptionRow {
        option: Opt::MarkService,
        slot: Some(Slot::ServiceAddress),
        short: Some(b'f'),
        long: "fwmark-service",
        value: Value::Required("mark"),
        must: ON_A_SERVICE,
        may: &[Verb::Zero],
        one_of: &[Verb::List],
        help: "the packets with a firewall mark",
    },
    OptionRow {
        option: Opt::Ipv6,
        short: Some(b'6'),
        long: "ipv6",
        help: "the mark is of IPv6 packets",
        ..OPTION
    },
    OptionRow {
        option: Opt::Scheduler,
        slot: Some(Slot::Scheduler),
        short: Some(b's'),
        long: "scheduler",
        value: Value::Required("name"),
        may: SERVICE_SETTERS,
        help: "how servers are chosen (wlc)",
        ..OPTION
    },
    OptionRow {
        option: Opt::SchedulerFlags,
        slot: Some(Slot::SchedulerFlags),
        short: Some(b'b'),
        long: "sched-flags",
        value: Value::Required("flags"),
        may: SERVICE_SETTERS,
        help: "flags of the scheduler, comma between",
        ..OPTION
    },
    OptionRow {
        option: Opt::Persistent,
        slot: Some(Slot::Persistent),
        short: Some(b'p'),
        long: "persistent",
        value: Value::Optional("seconds"),
        may: SERVICE_SETTERS,
        help: "keep a client on its server (360)",
        ..OPTION
    },
    OptionRow {
        option: Opt::Netmask,
        slot: Some(Slot::Netmask),
        short: Some(b'M'),
        long: "netmask",
        value: Value::Required("mask"),
        may: SERVICE_SETTERS,
        help: "clients of one network count as one",
        ..OPTION
    },
    OptionRow {
        option: Opt::Engine,
        slot: Some(Slot::Engine),
        long: "pe",
        value: Value::Required("name"),
        may: SERVICE_SETTERS,
        help: "persistence engine (sip)",
        ..OPTION
    },
    OptionRow {
        option: Opt::OnePacket,
        slot: Some(Slot::OnePacket),
        short: Some(b'o'),
        long: "ops",
        may: SERVICE_SETTERS,
        help: "schedule each packet on its own (UDP)",
        ..OPTION
    },
    OptionRow {
        option: Opt::RealServer,
        slot: Some(Slot::RealServer),
        short: Some(b'r'),
        long: "real-server",
        value: Value::Required("host[:port]"),
        must: ON_A_SERVER,
        help: "a server of the service",
        ..OPTION
    },
    OptionRow {
        option: Opt::DirectRouting,
        slot: Some(Slot::Forwarding),
        short: Some(b'g'),
        long: "gatewaying",
        may: SERVER_SETTERS,
        help: "reach it by direct routing (default)",
        ..OPTION
    },
    OptionRow {
        option: Opt::Tunnel,
        slot: Some(Slot::Forwarding),
        short: Some(b'i'),
        long: "ipip",
        may: SERVER_SETTERS,
        help: "reach it through a tunnel",
        ..OPTION
    },
    OptionRow {
        option: Opt::Masquerade,
        slot: Some(Slot::Forwarding),
        short: Some(b'm'),
        long: "masquerading",
        may: SERVER_SETTERS,
        help: "reach it by translating addresses (NAT)",
        ..OPTION
    },
    OptionRow {
        option: Opt::Weight,
        slot: Some(Slot::Weight),
        short: Some(b'w'),
        long: "weight",
        value: Value::Required("weight"),
        may: SERVER_SETTERS,
        help: "its share of the work (1)",
        ..OPTION
    },
    OptionRow {
        option: Opt::UpperThreshold,
        slot: Some(Slot::UpperThreshold),
        short: Some(b'x'),
        long: "u-threshold",
        value: Value::Required("connections"),
        may: SERVER_SETTERS,
        help: "no new connections above (0: no limit)",
        ..OPTION
    },
    OptionRow {
        option: Opt::LowerThreshold,
        slot: Some(Slot::LowerThreshold),
        short: Some(b'y'),
        long: "l-threshold",
        value: Value::Required("connections"),
        may: SERVER_SETTERS,
        help: "new connections again below",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelType,
        slot: Some(Slot::TunnelType),
        long: "tun-type",
        value: Value::Required("type"),
        may: SERVER_SETTERS,
        help: "ipip, gue or gre (ipip)",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelPort,
        slot: Some(Slot::TunnelPort),
        long: "tun-port",
        value: Value::Required("port"),
        may: SERVER_SETTERS,
        help: "the port of a gue tunnel",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelNoChecksum,
        slot: Some(Slot::TunnelNoChecksum),
        long: "tun-nocsum",
        may: SERVER_SETTERS,
        help: "send no checksums in the tunnel",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelChecksum,
        slot: Some(Slot::TunnelChecksum),
        long: "tun-csum",
        may: SERVER_SETTERS,
        help: "send checksums in the tunnel",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelRemoteChecksum,
        slot: Some(Slot::TunnelRemoteChecksum),
        long: "tun-remcsum",
        may: SERVER_SETTERS,
        help: "let the server compute checksums (gue)",
        ..OPTION
    },
    OptionRow {
        option: Opt::Connections,
        slot: Some(Slot::Connections),
        short: Some(b'c'),
        long: "connection",
        one_of: &[Verb::List],
        help: "the connections",
        ..OPTION
    },
    OptionRow {
        option: Opt::Timeout,
        slot: Some(Slot::Timeout),
        long: "timeout",
        one_of: &[Verb::List],
        help: "the timeouts of connections",
        ..OPTION
    },
    OptionRow {
        option: Opt::Daemon,
        slot: Some(Slot::Daemon),
        long: "daemon",
        one_of: &[Verb::List],
        help: "the synchronisation daemons",
        ..OPTION
    },
    OptionRow {
        option: Opt::Stats,
        slot: Some(Slot::Stats),
        long: "stats",
        may: &[Verb::List],
        help: "counters",
        ..OPTION
    },
    OptionRow {
        option: Opt::Rate,
        slot: Some(Slot::Rate),
        long: "rate",
        may: &[Verb::List],
        help: "rates per second",
        ..OPTION
    },
    OptionRow {
        option: Opt::Thresholds,
        slot: Some(Slot::Thresholds),
        long: "thresholds",
        may: &[Verb::List],
        help: "limits of connections",
        ..OPTION
    },
    OptionRow {
        option: Opt::PersistentConnections,
        slot: Some(Slot::PersistentConnections),
        long: "persistent-conn",
        may: &[Verb::List],
        help: "persistent clients; with -c, engine data",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelInfo,
        slot: Some(Slot::TunnelInfo),
        long: "tun-info",
        may: &[Verb::List],
        help: "tunnels",
        ..OPTION
    },
    OptionRow {
        option: Opt::Exact,
        slot: Some(Slot::Exact),
        short: Some(b'X'),
        long: "exact",
        may: &[Verb::List],
        help: "counters in full",
        ..OPTION
    },
    OptionRow {
        option: Opt::NoSort,
        slot: Some(Slot::NoSort),
        long: "nosort",
        may: &[Verb::List],
        help: "in the kernel's order",
        ..OPTION
    },
    OptionRow {
        option: Opt::Sort,
        long: "sort",
        help: "sorted, as is the default",
        ..OPTION
    },
    OptionRow {
        option: Opt::Numeric,
        slot: Some(Slot::Numeric),
        short: Some(b'n'),
        long: "numeric",
        may: &[Verb::List, Verb::Save],
        help: "numbers, no names",
        ..OPTION
    },
    OptionRow {
        option: Opt::Interface,
        slot: Some(Slot::Interface),
        long: "mcast-interface",
        value: Value::Required("interface"),
        may: &[Verb::StartDaemon],
        help: "where to multicast (eth0)",
        ..OPTION
    },
    OptionRow {
        option: Opt::SyncId,
        slot: Some(Slot::SyncId),
        long: "syncid",
        value: Value::Required("id"),
        may: &[Verb::List, Verb::StartDaemon, Verb::StopDaemon],
        help: "which daemons belong together (0)",
        ..OPTION
    },
    OptionRow {
        option: Opt::SyncMaxLength,
        slot: Some(Slot::SyncMaxLength),
        long: "sync-maxlen",
        value: Value::Required("bytes"),
        may: &[Verb::StartDaemon],
        help: "the longest message to send",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastGroup,
        slot: Some(Slot::McastGroup),
        long: "mcast-group",
        value: Value::Required("address"),
        may: &[Verb::StartDaemon],
        help: "the multicast group (224.0.0.81)",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastPort,
        slot: Some(Slot::McastPort),
        long: "mcast-port",
        value: Value::Required("port"),
        may: &[Verb::StartDaemon],
        help: "its port (8848)",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastTtl,
        slot: Some(Slot::McastTtl),
        long: "mcast-ttl",
        value: Value::Required("hops"),
        may: &[Verb::StartDaemon],
        help: "how far messages go (1)",
        ..OPTION
    },
];
