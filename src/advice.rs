//! What to do about an error: a line for people at a terminal, who see it behind the message.

use crate::cli::options::{Needs, Row, Slot, Slots, Value, Verb, options_for, rows};
use crate::error::{Action, Error, Word};
use crate::model::terms::SCHEDULERS;

/// Names that differ in more places than this are not meant.
const MOST_SLIPS: usize = 2;

/// A line of advice, where there is more to say than the message says.
pub fn advice(error: &Error) -> Option<String> {
    let line = match error {
        Error::NoCommand(_) => "the first option must be a command, such as -L",
        Error::UnknownOption(word) => return similar_option(word),
        Error::MissingValue(word) => return missing_value(word),
        Error::SecondCommand(_) => "only one command may stand on a line",
        Error::LeftOver(word) => return scheduler_without_option(word),
        Error::ServiceAddress | Error::ServerAddress => {
            "addresses are written as in 192.0.2.1:80 or [2001:db8::1]:80"
        }
        Error::Ipv6BeforeMark => "-6 goes with -f; IPv6 addresses need no option",
        Error::TooFewTimeouts => "try: ipvsadm --set 900 120 300",
        Error::TunnelType => "try: ipip, gue or gre",
        Error::StartDaemon | Error::StopDaemon => "try: master or backup",
        Error::Format(_) => "try: classic, json or table",
        Error::Needed { verb, .. } => return Some(complete_line(*verb)),
        Error::Illegal { slot, .. } => return Some(takers(*slot)),
        Error::ZeroPort => "try: ipvsadm -A ... -p, or name a port",
        Error::OnePacket => "try: ipvsadm -A -u ..., or without -o",
        Error::MixedFamilies | Error::NoTunnel => "try: ipvsadm -a ... -i",
        Error::Refused { action, errno } => refusal(*action, *errno)?,
        Error::NoIpvs { errno: libc::EPERM } => "run as root",
        Error::NoIpvs { .. } | Error::NoConnections(_) => {
            "the running kernel has no ip_vs: modprobe ip_vs"
        }
        _ => return None,
    };
    Some(line.to_owned())
}

fn refusal(action: Action, errno: i32) -> Option<&'static str> {
    Some(match (action, errno) {
        (Action::AddService, libc::EEXIST) => "to change it: ipvsadm -E ...",
        (Action::AddService | Action::EditService, libc::ENOENT) => {
            "a scheduler is a module of the kernel: modprobe ip_vs_NAME"
        }
        (Action::EditService, libc::ESRCH) => "to add it: ipvsadm -A ...",
        (Action::AddServer, libc::ESRCH) => "the service comes first: ipvsadm -A ...",
        (Action::AddServer, libc::EEXIST) => "to change it: ipvsadm -e ...",
        (Action::EditServer, libc::ENOENT) => {
            "a server with a port of its own is behind NAT: ipvsadm -e ... -m"
        }
        (Action::DeleteServer, libc::ENOENT)
        | (
            Action::DeleteService
            | Action::EditServer
            | Action::DeleteServer
            | Action::Read
            | Action::Zero,
            libc::ESRCH,
        ) => "to see what there is: ipvsadm -L -n",
        _ => return None,
    })
}

/// The option whose name is most like the unknown one.
fn similar_option(word: &Word) -> Option<String> {
    let name = word.bytes().strip_prefix(b"--")?;
    let name = name.split(|&byte| byte == b'=').next()?;
    let distances = rows().map(|row| (slips(name, row.long().as_bytes()), row.long()));
    let (slips, nearest) = distances.min()?;
    (slips <= MOST_SLIPS && slips < name.len()).then(|| format!("did you mean --{nearest}?"))
}

/// How many letters must be changed, left out or added to make one name the other.
fn slips(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

fn missing_value(word: &Word) -> Option<String> {
    let row = match word.bytes() {
        [b'-', b'-', name @ ..] => Row::by_long(name)?,
        bytes => Row::by_short(*bytes.last()?)?,
    };
    match row.value() {
        Value::Required(name) => Some(format!("--{} needs its value: {name}", row.long())),
        _ => None,
    }
}

/// A scheduler is easily given without its option.
fn scheduler_without_option(word: &Word) -> Option<String> {
    let known = SCHEDULERS.iter().map(|(name, _)| name);
    let name = known
        .into_iter()
        .find(|name| name.as_bytes() == word.bytes())?;
    Some(format!("did you mean -s {name}?"))
}

/// The command with everything that it cannot do without.
fn complete_line(verb: Verb) -> String {
    let mut line = format!("try: ipvsadm {}", spelled(Row::Command(verb.row())));
    let mut needed = Needs::of(verb).must;
    while let Some(slot) = needed.first() {
        needed = needed.except(Slots::NONE.with(slot));
        // Several may fill it: the first is the usual one.
        if let Some(row) = options_for(slot).next() {
            line += &format!(" {}", spelled(Row::Option(row)));
        }
    }
    line
}

/// The commands that an option goes with.
fn takers(slot: Slot) -> String {
    let rows = options_for(slot);
    let verbs = rows.flat_map(|row| [row.must, row.may, row.one_of].concat());
    let mut names: Vec<String> = Vec::new();
    for verb in verbs {
        let name = spelled(Row::Command(verb.row()));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("'{}' goes with {}", slot.name(), names.join(", "))
}

/// As it is typed, in short if it can be, with the name of its value.
fn spelled(row: Row) -> String {
    let letter = match row {
        Row::Command(row) => row.short.first().copied(),
        Row::Option(row) => row.short,
    };
    let name = match letter {
        Some(letter) => format!("-{}", char::from(letter)),
        None => format!("--{}", row.long()),
    };
    match row.value() {
        Value::Required(value) => format!("{name} {value}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::slips;

    #[test]
    fn slips_are_counted() {
        let cases = [
            ("", "", 0),
            ("stats", "stats", 0),
            ("stat", "stats", 1),
            ("sats", "stats", 1),
            ("wieght", "weight", 2),
            ("rate", "stats", 3),
            ("", "rate", 4),
        ];
        for (left, right, expected) in cases {
            assert_eq!(
                slips(left.as_bytes(), right.as_bytes()),
                expected,
                "{left} {right}"
            );
        }
    }
}
