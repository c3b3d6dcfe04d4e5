//! What random sessions must cover, or the run fails: every command and option, every shape of
//! value, every spelling, every text and every intended difference.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use ipvsadm::cli::{Spec, specs};

use super::spelling::SPELLINGS;
use super::spoiling;
use super::values::{self, Sample};
use crate::differences::{self, Difference};
use crate::lab::world::Counts;

/// All messages; `*` stands for anything.
const TEXTS: &[&str] = &[
    // Invalid words.
    "Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
    "the first option must be a command",
    "this command is not allowed in a file",
    "*: unknown option",
    "*: missing argument",
    "*: option does not take an argument",
    "invalid option `*'",
    "unexpected argument *",
    "multiple '*' options specified",
    "a NUL byte in the line",
    // Values.
    "illegal virtual server address[:port] specified",
    "illegal real server address[:port] specified",
    "invalid fwmark value `*' specified",
    "-6 used before -f",
    "invalid timeout value `*' specified",
    "--set option requires 3 timeout values",
    "illegal virtual server persistent mask specified",
    "illegal ipv6 netmask specified",
    "illegal weight specified",
    "illegal u_threshold specified",
    "illegal l_threshold specified",
    "invalid scheduler flag `*'",
    "incompatible scheduler flag `*'",
    "illegal tunnel type specified",
    "illegal tunnel port specified",
    "illegal start-daemon parameter specified",
    "illegal start_daemon specified",
    "illegal syncid specified",
    "illegal sync-maxlen specified",
    "illegal mcast-port specified",
    "illegal mcast-ttl specified",
    "invalid IPv4 mcast-group `*'",
    "invalid IPv6 mcast-group `*'",
    // The line as a whole.
    "You need to supply the '*' option for the '*' command",
    "Illegal '*' option with the '*' command",
    "The option '*' conflicts with the '*' option in the '*' command",
    "Zero port specified for non-persistent service",
    "One-Packet Scheduling is only for UDP virtual services",
    "Different address family is allowed only for tunneling servers",
    "Tunnel options conflict with forward method",
    "You need to supply the '*' option for the '*' tunnel type",
    "Illegal '*' option with the '*' tunnel type",
    "The option '*' conflicts with the '*' option in the '*' tunnel type",
    "options conflicts in the list command",
    // The kernel's answers.
    "Service already exists",
    "Scheduler or persistence engine not found",
    "No such service",
    "Service not defined",
    "Destination already exists",
    "No such destination",
    "Daemon has already run",
    "No daemon is running",
    "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    "Numerical result out of range",
    "No such device",
];

/// Messages from the kernel that need not occur: they depend on its routes and addresses.
const RARE_TEXTS: &[&str] = &["Network is unreachable", "Cannot assign requested address"];

/// Intended differences that random sessions cannot meet, and what they require. Cases cover them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("lost output", "standard output is closed or full"),
    (
        "a service that vanishes in a listing",
        "something else changes the table",
    ),
    (
        "why -L --timeout and --daemon fail",
        "the kernel refuses them",
    ),
    (
        "connection lines of 255 bytes and more",
        "SIP traffic with long call ids",
    ),
    (
        "tunnels with both checksums, unknown methods",
        "another program set them",
    ),
    (
        "start and stop of a daemon in one file",
        "the reference hangs",
    ),
    ("loading of the module", "it is loaded here"),
    ("server counters beyond 2^32", "that much traffic"),
    (
        "the size of the table in the middle of a file",
        "a kernel where it changes",
    ),
    ("words of more than 4096 bytes", "the reference breaks them"),
    ("advice, control characters", "a terminal"),
    ("slow name servers", "a name server"),
    ("ipvsadm-restore", "another program"),
];

/// The message texts that a program printed.
pub fn texts(stderr: &[u8]) -> Result<Vec<String>> {
    let stderr = String::from_utf8_lossy(stderr);
    let lines = stderr.lines().map(without_number);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(text_of).collect()
}

/// A message without its line number.
fn without_number(line: &str) -> &str {
    let behind = line
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "));
    match behind {
        Some((number, message)) if number.parse::<usize>().is_ok() => message,
        _ => line,
    }
}

fn text_of(message: &str) -> Result<String> {
    let texts = TEXTS.iter().chain(RARE_TEXTS);
    match texts.into_iter().find(|text| matches(text, message)) {
        Some(text) => Ok(of_text(text)),
        None => bail!("coverage knows no text like: {message}"),
    }
}

/// True if the message contains the parts of the pattern between its `*`, in this order.
fn matches(pattern: &str, message: &str) -> bool {
    let (first, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(mut message) = message.strip_prefix(first) else {
        return false;
    };
    if !pattern.contains('*') {
        return message.is_empty();
    }
    for part in rest.split('*') {
        let Some(at) = message.find(part) else {
            return false;
        };
        message = &message[at + part.len()..];
    }
    message.is_empty() || rest.ends_with('*') || rest.is_empty()
}

fn of_text(text: &str) -> String {
    format!("text: {text}")
}

pub fn of_difference(difference: Difference) -> String {
    format!("difference: {difference:?}")
}

/// Everything that must be covered.
fn wanted() -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let is_met = |row: &Spec| {
        !differences::is_ours_alone(row.long()) || row.long() == differences::NEUTRAL.0
    };
    for row in specs().filter(is_met) {
        wanted.insert(match row {
            Spec::Command(row) => format!("command: {}", row.name),
            Spec::Option(row) => format!("option: --{}", row.long),
        });
    }
    wanted.extend(TEXTS.iter().map(|text| of_text(text)));
    wanted.extend(Difference::ALL.map(of_difference));
    wanted.extend(values::samples().iter().map(Sample::name));
    let spellings = SPELLINGS
        .iter()
        .map(|spelling| format!("spelling: {spelling}"));
    wanted.extend(spellings);
    wanted.extend(spoiling::manners().map(|manner| format!("spoiled: {manner}")));
    let others = ["command: none", "command: a file", "packets"];
    wanted.extend(others.map(str::to_owned));
    wanted
}

/// What no session can cover, as lines.
pub fn elsewhere() -> String {
    let mut lines = "Differences that no session can meet; cases show them:\n".to_owned();
    for (difference, reason) in ELSEWHERE {
        lines += &format!("  {difference}: {reason}\n");
    }
    lines
}

/// What was covered and how often, as lines.
pub fn met(seen: &Counts) -> String {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, count) in seen {
        let (kind, name) = name.split_once(": ").unwrap_or(("other", name));
        by_kind
            .entry(kind)
            .or_default()
            .push(format!("{name} {count}"));
    }
    let lines = by_kind
        .into_iter()
        .map(|(kind, names)| format!("  {kind}: {}\n", names.join("; ")));
    lines.collect()
}

/// What should have been covered but was not.
pub fn missed(seen: &Counts) -> impl Iterator<Item = String> {
    wanted().into_iter().filter(|name| !seen.contains_key(name))
}
