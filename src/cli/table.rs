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
    manual: "",
};

/// The commands, in the order of `Verb`.
pub const COMMANDS: &[CommandRow] = &[
    CommandRow {
        verb: Verb::AddService,
        short: b"A",
        long: "add-service",
        name: "add-service",
        help: "add a virtual service",
        manual: "\
            Adds a virtual service: an address and port, or a firewall mark, whose connections \
            are spread over servers. It has no servers until --add-server gives it some. A \
            service of that name must not exist yet.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::EditService,
        short: b"E",
        long: "edit-service",
        name: "edit-service",
        help: "change a virtual service",
        manual: "\
            Changes the settings of a virtual service. Its servers, connections and counters \
            stay. What the line does not state goes back to its default: name everything that \
            is to remain.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::DeleteService,
        short: b"D",
        long: "delete-service",
        name: "delete-service",
        help: "delete a service and its servers",
        manual: "\
            Deletes a virtual service together with its servers. Connections that exist are \
            forgotten as their timeouts pass.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Flush,
        short: b"C",
        long: "clear",
        name: "flush",
        help: "delete all virtual services",
        manual: "Deletes all virtual services and their servers.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::List,
        short: b"Ll",
        long: "list",
        name: "list",
        help: "list services and servers",
        manual: "\
            Lists the virtual services with their servers, or one service. Further options \
            choose what is shown: counters, rates, limits, tunnels, or instead of services the \
            connections, the timeouts or the synchronisation daemons. Without any command this \
            is what ipvsadm does. -l is the same.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::AddServer,
        short: b"a",
        long: "add-server",
        name: "add-server",
        help: "add a server to a service",
        manual: "Adds a real server to a virtual service.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::DeleteServer,
        short: b"d",
        long: "delete-server",
        name: "delete-server",
        help: "delete a server from a service",
        manual: "\
            Deletes a real server from a virtual service. It gets no new connections; those \
            that it has are cut off, at once or as they time out, as the sysctl \
            net.ipv4.vs.expire_nodest_conn says. To let them end first see DRAINING.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::EditServer,
        short: b"e",
        long: "edit-server",
        name: "edit-server",
        help: "change a server of a service",
        manual: "\
            Changes the settings of a real server. Its connections and counters stay. What the \
            line does not state goes back to its default: without -w the weight is 1, without \
            -m or -i forwarding is direct routing.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::SetTimeouts,
        long: "set",
        name: "set",
        help: "set timeouts, in seconds (0 keeps one)",
        manual: "\
            The next three words set how long idle connections are remembered, in seconds: \
            those of TCP, those of TCP after a FIN, and those of UDP. 0 leaves a timeout as it \
            is; the longest is 2678400, 31 days.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::StartDaemon,
        long: "start-daemon",
        value: Value::Required("master|backup"),
        name: "start-daemon",
        help: "start a synchronisation daemon",
        manual: "\
            Starts a synchronisation daemon: the master sends the connections of this director \
            to others, the backup receives those of another. Both may run at the same time.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::StopDaemon,
        long: "stop-daemon",
        value: Value::Required("master|backup"),
        name: "stop-daemon",
        help: "stop a synchronisation daemon",
        manual: "Stops a synchronisation daemon.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Restore,
        short: b"R",
        long: "restore",
        name: "restore",
        help: "run the commands on standard input",
        manual: "\
            Reads commands from standard input, one a line, and runs them in their order. See \
            FILES OF COMMANDS.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Save,
        short: b"S",
        long: "save",
        name: "save",
        help: "print commands that make this table",
        manual: "Prints the services and servers as commands that restore them.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Zero,
        short: b"Z",
        long: "zero",
        name: "zero",
        help: "zero the counters of one service or all",
        manual: "\
            Sets the counters of a service and its servers to zero, or those of all services. \
            The kernel adds counters up every two seconds; what has not been added yet shows \
            up afterwards.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Help,
        short: b"h",
        long: "help",
        name: "help",
        help: "print this help",
        manual: "Prints a summary. It needs neither the right to administer nor a kernel with IPVS.",
        ..COMMAND
    },
    CommandRow {
        verb: Verb::Version,
        short: b"v",
        long: "version",
        name: "version",
        help: "print the version",
        manual: "Prints the version, likewise.",
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
    manual: "",
};

/// What groups of options are called, and the first of each.
pub const GROUPS: &[(&str, Opt)] = &[
    ("SERVICE", Opt::TcpService),
    ("SETTINGS", Opt::Scheduler),
    ("SERVER", Opt::RealServer),
    ("HOW", Opt::DirectRouting),
    ("VIEW", Opt::Connections),
    ("SYNC", Opt::Interface),
];

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
        manual: "\
            The TCP service at this address and port. The host may be a name, the port the \
            name of a service. IPv6 addresses stand in brackets: [2001:db8::1]:80. Port 0, or \
            none, takes every port and demands --persistent.",
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
        manual: "The UDP service at this address and port.",
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
        manual: "The SCTP service at this address and port.",
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
        manual: "\
            The service that takes every packet with this firewall mark, from 1 to 4294967295, \
            decimal or with 0x. See FIREWALL MARKS.",
    },
    OptionRow {
        option: Opt::Ipv6,
        short: Some(b'6'),
        long: "ipv6",
        help: "the mark is of IPv6 packets",
        manual: "The firewall mark is one of IPv6 packets.",
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
        manual: "\
            How a server is chosen for a new connection; wlc if it is not given. See \
            SCHEDULERS.",
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
        manual: "\
            Flags of the scheduler, with commas between them: sh-fallback and sh-port for sh, \
            mh-fallback and mh-port for mh, or flag-1, flag-2 and flag-3 for any.",
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
        manual: "\
            Keeps a client on the server that it was first given, for this many seconds after \
            its last connection: 1 to 2678400, 360 if it is not said. The value may be the \
            next word or attached.",
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
        manual: "\
            How much of a client's address counts for persistence: a mask such as \
            255.255.255.0 for IPv4, the length of a prefix for IPv6. All clients that are the \
            same under it go to the same server.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Engine,
        slot: Some(Slot::Engine),
        long: "pe",
        value: Value::Required("name"),
        may: SERVICE_SETTERS,
        help: "persistence engine (sip)",
        manual: "\
            The engine that tells clients apart for persistence by something else than their \
            address. The kernel has one: sip, which goes by the Call-ID.",
        ..OPTION
    },
    OptionRow {
        option: Opt::OnePacket,
        slot: Some(Slot::OnePacket),
        short: Some(b'o'),
        long: "ops",
        may: SERVICE_SETTERS,
        help: "schedule each packet on its own (UDP)",
        manual: "\
            One-packet scheduling: each packet is scheduled anew and no connection is kept. \
            For UDP services and firewall marks only.",
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
        manual: "\
            The real server. Without a port it has that of the service. For direct routing and \
            tunnels the port is always that of the service.",
        ..OPTION
    },
    OptionRow {
        option: Opt::DirectRouting,
        slot: Some(Slot::Forwarding),
        short: Some(b'g'),
        long: "gatewaying",
        may: SERVER_SETTERS,
        help: "reach it by direct routing (default)",
        manual: "\
            Forwards by direct routing: packets reach the server unchanged, in frames of their \
            own. This is what is done if nothing is said. See FORWARDING.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Tunnel,
        slot: Some(Slot::Forwarding),
        short: Some(b'i'),
        long: "ipip",
        may: SERVER_SETTERS,
        help: "reach it through a tunnel",
        manual: "Forwards through a tunnel. See FORWARDING, and --tun-type for the kind of tunnel.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Masquerade,
        slot: Some(Slot::Forwarding),
        short: Some(b'm'),
        long: "masquerading",
        may: SERVER_SETTERS,
        help: "reach it by translating addresses (NAT)",
        manual: "Forwards by network address translation. See FORWARDING.",
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
        manual: "\
            The share of the server, from 0 to 2147483647; 1 if it is not given. A server of \
            weight 0 gets no new connections.",
        ..OPTION
    },
    OptionRow {
        option: Opt::UpperThreshold,
        slot: Some(Slot::UpperThreshold),
        short: Some(b'x'),
        long: "u-threshold",
        value: Value::Required("connections"),
        may: SERVER_SETTERS,
        help: "no new ones at so many (0: no limit)",
        manual: "\
            How many connections the server may have: with that number it gets no new ones. 0, \
            the default, is no limit.",
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
        manual: "\
            The number of connections below which an overloaded server gets new ones again. If \
            it is 0 the kernel takes three quarters of --u-threshold.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelType,
        slot: Some(Slot::TunnelType),
        long: "tun-type",
        value: Value::Required("type"),
        may: SERVER_SETTERS,
        help: "ipip, gue or gre (ipip)",
        manual: "The kind of the tunnel: ipip, the default, gue or gre.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelPort,
        slot: Some(Slot::TunnelPort),
        long: "tun-port",
        value: Value::Required("port"),
        may: SERVER_SETTERS,
        help: "the port of a gue tunnel",
        manual: "The UDP port of a gue tunnel, 1 to 65535. It must be given for gue.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelNoChecksum,
        slot: Some(Slot::TunnelNoChecksum),
        long: "tun-nocsum",
        may: SERVER_SETTERS,
        help: "send no checksums in the tunnel",
        manual: "Sends no checksum with the header of a gue or gre tunnel. This is the default.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelChecksum,
        slot: Some(Slot::TunnelChecksum),
        long: "tun-csum",
        may: SERVER_SETTERS,
        help: "send checksums in the tunnel",
        manual: "Sends a checksum with the header of a gue or gre tunnel.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelRemoteChecksum,
        slot: Some(Slot::TunnelRemoteChecksum),
        long: "tun-remcsum",
        may: SERVER_SETTERS,
        help: "let the server compute checksums (gue)",
        manual: "\
            Leaves the checksum of the inner packet to the end of a gue tunnel (remote \
            checksum offload).",
        ..OPTION
    },
    OptionRow {
        option: Opt::Connections,
        slot: Some(Slot::Connections),
        short: Some(b'c'),
        long: "connection",
        one_of: &[Verb::List],
        help: "the connections",
        manual: "Lists the connections that the director remembers instead of the services.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Timeout,
        slot: Some(Slot::Timeout),
        long: "timeout",
        one_of: &[Verb::List],
        help: "the timeouts",
        manual: "Shows the timeouts of connections instead of the services.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Daemon,
        slot: Some(Slot::Daemon),
        long: "daemon",
        one_of: &[Verb::List],
        help: "the sync daemons",
        manual: "Shows the synchronisation daemons instead of the services.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Stats,
        slot: Some(Slot::Stats),
        long: "stats",
        may: &[Verb::List],
        help: "counters",
        manual: "Shows counters: connections, packets and bytes in and out.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Rate,
        slot: Some(Slot::Rate),
        long: "rate",
        may: &[Verb::List],
        help: "rates per second",
        manual: "Shows rates: connections, packets and bytes a second, smoothed over some seconds.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Thresholds,
        slot: Some(Slot::Thresholds),
        long: "thresholds",
        may: &[Verb::List],
        help: "connection limits",
        manual: "Shows the limits of connections.",
        ..OPTION
    },
    OptionRow {
        option: Opt::PersistentConnections,
        slot: Some(Slot::PersistentConnections),
        long: "persistent-conn",
        may: &[Verb::List],
        help: "persistent clients; -c: engine data",
        manual: "\
            Shows how many clients persistence remembers. With -c: shows the persistence \
            engine and its data with each connection that has any.",
        ..OPTION
    },
    OptionRow {
        option: Opt::TunnelInfo,
        slot: Some(Slot::TunnelInfo),
        long: "tun-info",
        may: &[Verb::List],
        help: "tunnels",
        manual: "Shows the tunnels.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Exact,
        slot: Some(Slot::Exact),
        short: Some(b'X'),
        long: "exact",
        may: &[Verb::List],
        help: "counters in full",
        manual: "\
            Shows counters and rates whole. Without it, what has more than eight digits is \
            shown in thousands (K), millions (M), 10^9 (G) or 10^12 (T), rounded down.",
        ..OPTION
    },
    OptionRow {
        option: Opt::NoSort,
        slot: Some(Slot::NoSort),
        long: "nosort",
        may: &[Verb::List],
        help: "not sorted",
        manual: "Lists services and servers as the kernel has them.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Sort,
        long: "sort",
        help: "sorted (default)",
        manual: "Sorts what is listed, which is done anyway. It is taken with every command.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Numeric,
        slot: Some(Slot::Numeric),
        short: Some(b'n'),
        long: "numeric",
        may: &[Verb::List, Verb::Save],
        help: "numbers, no names",
        manual: "\
            Shows addresses and ports as numbers. Without it, names are looked up, which may \
            take up to two seconds in all.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Format,
        slot: Some(Slot::Format),
        long: "format",
        value: Value::Required("name"),
        may: &[Verb::List],
        help: "classic, json or table (classic)",
        manual: "\
            How the listing is written: classic, which is the default; json for programs, see \
            ipvsadm-json(5); or table for people, whose columns are as wide as what is in them \
            and whose numbers are whole.",
        ..OPTION
    },
    OptionRow {
        option: Opt::Interface,
        slot: Some(Slot::Interface),
        long: "mcast-interface",
        value: Value::Required("interface"),
        may: &[Verb::StartDaemon],
        help: "where to multicast (eth0)",
        manual: "\
            The interface that synchronisation messages are sent or received by; eth0 if it is \
            not given.",
        ..OPTION
    },
    OptionRow {
        option: Opt::SyncId,
        slot: Some(Slot::SyncId),
        long: "syncid",
        value: Value::Required("id"),
        may: &[Verb::List, Verb::StartDaemon, Verb::StopDaemon],
        help: "which daemons belong together (0)",
        manual: "\
            Which daemons belong together, from 0 to 255; 0 if it is not given. A backup takes \
            messages with its own number only; with 0 it takes all.",
        ..OPTION
    },
    OptionRow {
        option: Opt::SyncMaxLength,
        slot: Some(Slot::SyncMaxLength),
        long: "sync-maxlen",
        value: Value::Required("bytes"),
        may: &[Verb::StartDaemon],
        help: "the longest message to send",
        manual: "\
            The length of the longest message, 1 to 65507 bytes. The kernel has a default of \
            its own and limits it further.",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastGroup,
        slot: Some(Slot::McastGroup),
        long: "mcast-group",
        value: Value::Required("address"),
        may: &[Verb::StartDaemon],
        help: "the multicast group (224.0.0.81)",
        manual: "\
            The multicast group that messages go to, IPv4 or IPv6; 224.0.0.81 if it is not \
            given.",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastPort,
        slot: Some(Slot::McastPort),
        long: "mcast-port",
        value: Value::Required("port"),
        may: &[Verb::StartDaemon],
        help: "its port (8848)",
        manual: "The UDP port that messages go to; 8848 if it is not given.",
        ..OPTION
    },
    OptionRow {
        option: Opt::McastTtl,
        slot: Some(Slot::McastTtl),
        long: "mcast-ttl",
        value: Value::Required("hops"),
        may: &[Verb::StartDaemon],
        help: "how far messages go (1)",
        manual: "How many routers messages may pass, 1 to 255; 1 if it is not given.",
        ..OPTION
    },
];
