//! The commands: each is declared once, with everything that concerns it.

use super::line::Line;
use super::options::{ALL, NUMERIC, REAL_SERVER, SERVICE_ADDRESS};
use super::spec::{CommandSpec, Form, Operands, Refusal, ServerWord, Value};
use super::values::choice;
use crate::command::{Command, Save};
use crate::error::Error;
use crate::model::{Change, DaemonRole};

/// What the program is asked to do; exactly one stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    AddService,
    EditService,
    DeleteService,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
    Apply,
    Diff,
    Check,
    Drain,
    Doctor,
    Help,
    Version,
}

type Build = for<'a> fn(&Line<'a>) -> Result<Command, Error>;

/// A command with nothing but the required fields.
const fn command(verb: Verb, build: Build) -> CommandSpec {
    CommandSpec {
        verb,
        short: &[],
        long: "",
        name: "",
        value: Value::Nothing,
        operands: Operands::Nothing,
        server: None,
        adds: None,
        ignores_line: false,
        take: |_, _| Ok(()),
        build,
        help: "",
        manual: "",
    }
}

const ROLE: Form = Form::choice::<DaemonRole>("master|backup");

/// The commands, in the order of `Verb`.
pub const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        short: b"A",
        long: "add-service",
        name: "add-service",
        adds: Some(SERVICE_ADDRESS),
        help: "add a virtual service",
        manual: "\
            Adds a virtual service: an address and port, or a firewall mark, whose connections \
            are spread over servers. It has no servers until --add-server gives it some. A \
            service of that name must not exist yet.",
        ..command(Verb::AddService, |line| {
            line.careful(Change::AddService(line.whole_service()?))
        })
    },
    CommandSpec {
        short: b"E",
        long: "edit-service",
        name: "edit-service",
        help: "change a virtual service",
        manual: "\
            Changes the settings of a virtual service. Its servers, connections and counters \
            stay. What the line does not state goes back to its default: name everything that \
            is to remain.",
        ..command(Verb::EditService, |line| {
            line.careful(Change::EditService(line.whole_service()?))
        })
    },
    CommandSpec {
        short: b"D",
        long: "delete-service",
        name: "delete-service",
        help: "delete a service and its servers",
        manual: "\
            Deletes a virtual service together with its servers. Connections that exist are \
            forgotten as their timeouts pass.",
        ..command(Verb::DeleteService, |line| {
            line.deletion(Change::DeleteService(line.service()?))
        })
    },
    CommandSpec {
        short: b"C",
        long: "clear",
        name: "flush",
        help: "delete all virtual services",
        manual: "Deletes all virtual services and their servers.",
        ..command(Verb::Flush, |_| Ok(Change::Flush.into()))
    },
    CommandSpec {
        short: b"Ll",
        long: "list",
        name: "list",
        server: Some(ServerWord::OfAny),
        help: "list services and servers",
        manual: "\
            Lists the virtual services with their servers, or one service. Further options \
            choose what is shown: counters, rates, limits, tunnels, or instead of services the \
            connections, the timeouts or the synchronisation daemons. Without any command this \
            is what ipvsadm does. -l is the same.",
        ..command(Verb::List, |line| line.list())
    },
    CommandSpec {
        short: b"a",
        long: "add-server",
        name: "add-server",
        server: Some(ServerWord::OfService),
        adds: Some(REAL_SERVER),
        help: "add a server to a service",
        manual: "Adds a real server to a virtual service.",
        ..command(Verb::AddServer, |line| {
            let (service, server) = line.whole_server()?;
            line.careful(Change::AddServer(service, server))
        })
    },
    CommandSpec {
        short: b"d",
        long: "delete-server",
        name: "delete-server",
        server: Some(ServerWord::OfService),
        help: "delete a server from a service",
        manual: "\
            Deletes a real server from a virtual service. It gets no new connections; those \
            that it has are cut off, at once or as they time out, as the sysctl \
            net.ipv4.vs.expire_nodest_conn says. To let them end first see DRAINING.",
        ..command(Verb::DeleteServer, |line| {
            let service = line.service()?;
            line.deletion(Change::DeleteServer(service, line.server(service)?))
        })
    },
    CommandSpec {
        short: b"e",
        long: "edit-server",
        name: "edit-server",
        server: Some(ServerWord::OfService),
        help: "change a server of a service",
        manual: "\
            Changes the settings of a real server. Its connections and counters stay. What the \
            line does not state goes back to its default: without -w the weight is 1, without \
            -m or -i forwarding is direct routing.",
        ..command(Verb::EditServer, |line| {
            let (service, server) = line.whole_server()?;
            line.careful(Change::EditServer(service, server))
        })
    },
    CommandSpec {
        long: "set",
        name: "set",
        operands: Operands::Timeouts,
        help: "set timeouts, in seconds (0 keeps one)",
        manual: "\
            The next three words set how long idle connections are remembered, in seconds: \
            those of TCP, those of TCP after a FIN, and those of UDP. 0 leaves a timeout as it \
            is; the longest is 2678400, 31 days.",
        ..command(Verb::SetTimeouts, |line| {
            Ok(Change::SetTimeouts(line.timeouts).into())
        })
    },
    CommandSpec {
        long: "start-daemon",
        value: Value::Required(ROLE),
        name: "start-daemon",
        take: |line, text| daemon_role(line, text, "illegal start-daemon parameter specified"),
        help: "start a synchronisation daemon",
        manual: "\
            Starts a synchronisation daemon: the master sends the connections of this director \
            to others, the backup receives those of another. Both may run at the same time.",
        ..command(Verb::StartDaemon, |line| {
            Ok(Change::StartDaemon(line.daemon()).into())
        })
    },
    CommandSpec {
        long: "stop-daemon",
        value: Value::Required(ROLE),
        name: "stop-daemon",
        take: |line, text| daemon_role(line, text, "illegal start_daemon specified"),
        help: "stop a synchronisation daemon",
        manual: "Stops a synchronisation daemon.",
        ..command(Verb::StopDaemon, |line| {
            Ok(Change::StopDaemon(line.daemon_role).into())
        })
    },
    CommandSpec {
        short: b"R",
        long: "restore",
        name: "restore",
        operands: Operands::File,
        help: "run the commands in a file",
        manual: "\
            Reads commands from FILE (or standard input), one a line, and runs them in their \
            order. See FILES OF COMMANDS.",
        ..command(Verb::Restore, |line| {
            Ok(Command::Restore { file: line.file() })
        })
    },
    CommandSpec {
        short: b"S",
        long: "save",
        name: "save",
        help: "print commands that make this table",
        manual: "Prints the services and servers as commands that restore them.",
        ..command(Verb::Save, |line| {
            Ok(Command::Save(Save {
                numeric: line.given.has(NUMERIC),
                all: line.given.has(ALL),
                output: line.output(),
            }))
        })
    },
    CommandSpec {
        short: b"Z",
        long: "zero",
        name: "zero",
        help: "zero the counters of one service or all",
        manual: "\
            Sets the counters of a service and its servers to zero, or those of all services. \
            The kernel adds counters up every two seconds; what has not been added yet shows \
            up afterwards.",
        ..command(Verb::Zero, |line| Ok(Change::Zero(line.service).into()))
    },
    CommandSpec {
        long: "apply",
        name: "apply",
        operands: Operands::File,
        help: "make the table equal to a file",
        manual: "\
            Makes the table equal to what FILE (or standard input) says, by the smallest set of \
            changes. Services and servers that stay are edited in place; new servers come before \
            old ones go, so traffic that has a server before and after always has one. See \
            MANAGING A DIRECTOR BY A FILE.",
        ..command(Verb::Apply, |line| Ok(Command::Apply(line.apply())))
    },
    CommandSpec {
        long: "diff",
        name: "diff",
        operands: Operands::File,
        help: "print what --apply would change",
        manual: "\
            Prints what --apply would do, in its order, as lines that --restore takes, with a \
            comment where a change has a cost. The status is 0 if there is nothing to do, 1 if \
            there is something, 2 if the file or the kernel gives trouble.",
        ..command(Verb::Diff, |line| Ok(Command::Diff(line.diff())))
    },
    CommandSpec {
        long: "check",
        name: "check",
        operands: Operands::File,
        help: "check a file, without a kernel",
        manual: "\
            Reports every line of FILE (or standard input) that --apply would refuse, with its \
            number; then the status is 2. Warns of what loads but is surely not meant. It needs \
            no kernel and no rights.",
        ..command(Verb::Check, |line| Ok(Command::Check(line.check())))
    },
    CommandSpec {
        long: "drain",
        name: "drain",
        server: Some(ServerWord::OfAny),
        help: "let a server get no new connections",
        manual: "\
            Sets the weight of a server to 0 and leaves all else as it is: it gets no new \
            connections and keeps those that it has. Without a service it does so in every \
            service that has the server. Before the first change it prints lines for --restore \
            that put everything back. See DRAINING.",
        ..command(Verb::Drain, |line| Ok(Command::Drain(line.drain()?)))
    },
    CommandSpec {
        long: "doctor",
        name: "doctor",
        server: Some(ServerWord::ThisHost),
        operands: Operands::File,
        help: "say why nothing arrives",
        manual: "\
            Looks at this director, or at one service, and says what keeps traffic from flowing: \
            what is wrong, why it matters, where it was seen and which command mends it. It \
            changes nothing, and sends nothing without --probe. With --real-server: looks at a real server of that \
            virtual address and port instead; the forwarding is -g, -i or -m, and the tunnel as \
            for --add-server. With FILE: also looks up the names in this file of commands. \
            Findings are \
            certain, likely or hints. The status is 0 without findings other than hints, 1 with \
            some, 2 if it could not look. See WHY NOTHING ARRIVES.",
        ..command(Verb::Doctor, |line| Ok(Command::Doctor(line.doctor()?)))
    },
    CommandSpec {
        short: b"h",
        long: "help",
        name: "help",
        ignores_line: true,
        help: "print this help",
        manual: "Prints a summary. It needs neither the right to administer nor a kernel with IPVS.",
        ..command(Verb::Help, |_| Ok(Command::Help))
    },
    CommandSpec {
        short: b"v",
        long: "version",
        name: "version",
        ignores_line: true,
        help: "print the version",
        manual: "Prints the version. It needs neither the right to administer nor a kernel with IPVS.",
        ..command(Verb::Version, |_| Ok(Command::Version))
    },
];

/// A command that is not declared, or in another place than its verb, does not compile.
const _: () = {
    let mut index = 0;
    while index < COMMANDS.len() {
        assert!(COMMANDS[index].verb as usize == index);
        index += 1;
    }
    assert!(Verb::Version as usize + 1 == index);
};

impl Verb {
    pub fn spec(self) -> &'static CommandSpec {
        &COMMANDS[self as usize]
    }
}

fn daemon_role(line: &mut Line, text: Option<&[u8]>, message: &'static str) -> Result<(), Refusal> {
    line.daemon_role = choice(text).ok_or(message)?;
    Ok(())
}
