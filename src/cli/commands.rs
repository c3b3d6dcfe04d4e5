//! The commands. Each is declared once, with everything about it.

use super::line::Line;
use super::options::{ALL, NUMERIC, REAL_SERVER, SERVICE_ADDRESS};
use super::spec::{CommandSpec, Form, Operands, Rejection, ServerWord, Value};
use super::values::choice;
use crate::command::{Command, Save};
use crate::error::Error;
use crate::model::{Change, DaemonRole};

/// A command; each line has exactly one.
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
            Adds a virtual service: an address and port, or a firewall mark, whose connections are \
            spread over servers. It has no servers until --add-server adds some. The service must \
            not exist yet.",
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
            Changes the settings of a virtual service. Its servers, connections and counters stay. \
            What the line does not name goes back to its default: name everything that must \
            stay.",
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
            Deletes a virtual service and its servers. Existing connections are forgotten when \
            they time out.",
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
            Lists the virtual services with their servers, or one service. Further options choose \
            what is shown: counters, rates, limits, tunnels, or instead of services the \
            connections, the timeouts or the synchronisation daemons. This is the default without \
            a command. -l is the same.",
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
            Deletes a real server from a virtual service. It gets no new connections. Its existing \
            ones are cut off, at once or when they time out, depending on the sysctl \
            net.ipv4.vs.expire_nodest_conn. To let them end first, see DRAINING.",
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
            line does not name goes back to its default: without -w the weight is 1, without -m or \
            -i forwarding is direct routing.",
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
            The next three words set how long idle connections are remembered, in seconds: TCP, \
            TCP after a FIN, and UDP. 0 leaves a timeout unchanged; the maximum is 2678400, 31 \
            days.",
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
            Starts a synchronisation daemon: the master sends the connections of this director to \
            others, the backup receives those of another director. Both may run at the same \
            time.",
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
            Reads commands from FILE (or standard input), one per line, and runs them in order. \
            See FILES OF COMMANDS.",
        ..command(Verb::Restore, |line| {
            Ok(Command::Restore { file: line.file() })
        })
    },
    CommandSpec {
        short: b"S",
        long: "save",
        name: "save",
        help: "print commands that restore the table",
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
            Sets the counters of a service and its servers, or of all services, to zero. The \
            kernel updates counters every two seconds, so what it has not added yet shows up \
            afterwards.",
        ..command(Verb::Zero, |line| Ok(Change::Zero(line.service).into()))
    },
    CommandSpec {
        long: "apply",
        name: "apply",
        operands: Operands::File,
        help: "make the table equal to a file",
        manual: "\
            Makes the table equal to FILE (or standard input) with the smallest set of changes. \
            Services and servers that stay are edited in place, and new servers are added before \
            old ones are deleted. So traffic that has a server before and after the change always \
            has one. See MANAGING A DIRECTOR BY A FILE.",
        ..command(Verb::Apply, |line| Ok(Command::Apply(line.apply())))
    },
    CommandSpec {
        long: "diff",
        name: "diff",
        operands: Operands::File,
        help: "print what --apply would change",
        manual: "\
            Prints what --apply would do, in order, as lines that --restore accepts, with a \
            comment where a change has a cost. The status is 0 if there is nothing to do, 1 if \
            there are changes, 2 after an error.",
        ..command(Verb::Diff, |line| Ok(Command::Diff(line.diff())))
    },
    CommandSpec {
        long: "check",
        name: "check",
        operands: Operands::File,
        help: "check a file, without a kernel",
        manual: "\
            Reports every line of FILE (or standard input) that --apply would refuse, with its \
            number; the status is then 2. Warns about what loads but is surely a mistake. It needs \
            neither IPVS nor privileges.",
        ..command(Verb::Check, |line| Ok(Command::Check(line.check())))
    },
    CommandSpec {
        long: "drain",
        name: "drain",
        server: Some(ServerWord::OfAny),
        help: "stop new connections to a server",
        manual: "\
            Sets the weight of a server to 0 and changes nothing else: the server gets no new \
            connections and keeps its existing ones. Without a service it drains the server in \
            every service that has it. Before the first change it prints lines for --restore that \
            undo the drain. See DRAINING.",
        ..command(Verb::Drain, |line| Ok(Command::Drain(line.drain()?)))
    },
    CommandSpec {
        long: "doctor",
        name: "doctor",
        server: Some(ServerWord::ThisHost),
        operands: Operands::File,
        help: "find out why nothing arrives",
        manual: "\
            Examines this director, or one service, and reports what keeps traffic from flowing: \
            what is wrong, why it matters, where it was seen and which command fixes it. It \
            changes nothing, and sends nothing without --probe. With --real-server: examines this \
            host as a real server of that virtual address and port; give -g, -i or -m and the \
            tunnel options as for --add-server. With FILE: also looks up the names in this file of \
            commands. Findings are certain, likely or hints. The status is 0 if there are at most \
            hints, 1 if there are other findings, 2 if it could not look. See WHY NOTHING \
            ARRIVES.",
        ..command(Verb::Doctor, |line| Ok(Command::Doctor(line.doctor()?)))
    },
    CommandSpec {
        short: b"h",
        long: "help",
        name: "help",
        ignores_line: true,
        help: "print this help",
        manual: "Prints a summary. It needs neither privileges nor IPVS.",
        ..command(Verb::Help, |_| Ok(Command::Help))
    },
    CommandSpec {
        short: b"v",
        long: "version",
        name: "version",
        ignores_line: true,
        help: "print the version",
        manual: "Prints the version. It needs neither privileges nor IPVS.",
        ..command(Verb::Version, |_| Ok(Command::Version))
    },
];

/// Does not compile if a command is missing or out of order, as long as `Version` is the last verb:
/// a verb after it without a declaration goes unnoticed.
const _: () = {
    let mut index = 0;
    while index < COMMANDS.len() {
        assert!(
            COMMANDS[index].verb as usize == index,
            "a new command goes to the same place in `Verb` and `COMMANDS`, before `Version`"
        );
        index += 1;
    }
    assert!(
        Verb::Version as usize + 1 == index,
        "`Version` is the last verb and the last command"
    );
};

impl Verb {
    pub fn spec(self) -> &'static CommandSpec {
        &COMMANDS[self as usize]
    }
}

fn daemon_role(
    line: &mut Line,
    text: Option<&[u8]>,
    message: &'static str,
) -> Result<(), Rejection> {
    line.daemon_role = choice(text).ok_or(message)?;
    Ok(())
}
