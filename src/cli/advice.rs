//! Advice about an error: a line for people at a terminal, after the message.

use super::commands::{COMMANDS, Verb};
use super::slots::{Needs, Slots};
use super::spec::{Spec, Value, options, options_for, specs};
use crate::error::{Action, BadValue, Error, Word};
use crate::model::Family;
use crate::model::terms::SCHEDULERS;

/// One typing error is allowed for this many letters.
const LETTERS_A_SLIP: usize = 3;

/// A line of advice, if there is any beyond the message.
pub fn advice(error: &Error) -> Option<String> {
    let line = match error {
        Error::NoCommand { instead, .. } => match instead.as_ref().and_then(similar_option) {
            Some(option) => return Some(option),
            None => "the first option must be a command, such as -L",
        },
        Error::UnknownOption(word) => return similar_option(word),
        Error::MissingValue(word) => return missing_value(word),
        Error::SecondCommand(_) => "only one command may stand on a line",
        Error::LeftOver(word) if is_address(word) => "a service follows -t or -u, a server -r",
        Error::LeftOver(word) => return scheduler_without_option(word),
        Error::Value(value) => return allowed(value),
        Error::Ipv6BeforeMark => "-6 goes with -f; IPv6 addresses need no option",
        Error::TooFewTimeouts => "try: ipvsadm --set 900 120 300",
        Error::Needed { command, .. } => return complete_line(command),
        Error::Illegal { option, .. } => return Some(takers(option)),
        Error::ZeroPort(Family::V4) => "try: ipvsadm -A ... -p, or name a port",
        Error::ZeroPort(Family::V6) => {
            "an IPv6 address stands in brackets before its port: [2001:db8::1]:80"
        }
        Error::OnePacket => "try: ipvsadm -A -u ..., or without -o",
        Error::MixedFamilies | Error::NoTunnel => "try: ipvsadm -a ... -i",
        Error::NoSuchServer => "to see what there is: ipvsadm -L -n",
        Error::Trouble(error) => return advice(error),
        Error::Refused { action, errno } => return refusal(*action, *errno),
        Error::Netns(error) => match error.errno()? {
            libc::ENOENT => "ip netns lists those that have names",
            libc::EPERM => "run as root",
            _ => return None,
        },
        Error::NoIpvs { errno: libc::EPERM } => "run as root",
        Error::NoIpvs { .. } | Error::NoConnections(_) => {
            "the running kernel has no ip_vs: modprobe ip_vs"
        }
        _ => return None,
    };
    Some(line.to_owned())
}

/// The values that the option accepts, with the one given.
fn allowed(bad: &BadValue) -> Option<String> {
    let BadValue {
        option,
        value,
        allowed,
        ..
    } = bad;
    (!allowed.is_empty()).then(|| format!("{option} '{value}': {allowed}"))
}

fn refusal(action: Action, errno: i32) -> Option<String> {
    let line = match (action, errno) {
        (Action::AddService, libc::EEXIST) => "to change it: ipvsadm -E ...",
        (Action::AddService | Action::EditService, libc::ENOENT) => {
            let names: Vec<_> = SCHEDULERS.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            return Some(format!(
                "schedulers are kernel modules, ip_vs_NAME: {names}"
            ));
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
    };
    Some(line.to_owned())
}

/// The option whose name is most similar to the unknown one.
fn similar_option(word: &Word) -> Option<String> {
    let name = word.bytes().strip_prefix(b"--")?;
    let name = name.split(|&byte| byte == b'=').next()?;
    let distances = specs().map(|spec| (slips(name, spec.long().as_bytes()), spec.long()));
    let (slips, nearest) = distances.min_by_key(|(slips, _)| *slips)?;
    (slips * LETTERS_A_SLIP <= name.len()).then(|| format!("did you mean --{nearest}?"))
}

/// The number of letters to change, remove or add to turn one name into the other.
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
    let spec = match word.bytes() {
        [b'-', b'-', name @ ..] => Spec::by_long(name)?,
        bytes => Spec::by_short(*bytes.last()?)?,
    };
    let name = spec.value().form()?.name;
    Some(format!("--{} needs its value: {name}", spec.long()))
}

/// Whether it looks like an address, with or without a port.
fn is_address(word: &Word) -> bool {
    let bytes = word.bytes();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b".:[]".contains(byte);
    bytes.iter().all(is_part) && bytes.iter().any(|byte| b".:".contains(byte))
}

/// Advice about a scheduler without `-s`, which is easy to forget.
fn scheduler_without_option(word: &Word) -> Option<String> {
    let mut names = SCHEDULERS.iter().map(|(name, _)| name);
    let name = names.find(|name| name.as_bytes() == word.bytes())?;
    Some(format!("did you mean -s {name}?"))
}

/// The command with everything that it requires.
fn complete_line(command: &str) -> Option<String> {
    let spec = COMMANDS.iter().find(|spec| spec.name == command)?;
    let mut line = format!("try: ipvsadm {}", spelled(Spec::Command(spec)));
    let mut needed = Needs::of(spec.verb).must;
    while let Some(slot) = needed.first() {
        needed = needed.except(Slots::NONE.with(slot));
        // Several options may fill it: the first is the usual one.
        if let Some(spec) = options_for(slot).next() {
            line += &format!(" {}", spelled(Spec::Option(spec)));
        }
    }
    Some(line)
}

/// The commands that accept an option.
fn takers(name: &str) -> String {
    let specs = options().filter(|spec| spec.slot.name == name);
    let verbs = specs.flat_map(|spec| [spec.must, spec.may, spec.one_of].concat());
    let mut takers: Vec<Verb> = Vec::new();
    for verb in verbs {
        if !takers.contains(&verb) {
            takers.push(verb);
        }
    }
    let takers = takers.into_iter();
    let takers: Vec<_> = takers
        .map(|verb| spelled(Spec::Command(verb.spec())))
        .collect();
    format!("'{name}' goes with {}", takers.join(", "))
}

/// Its short spelling if it has one, with the name of its value.
fn spelled(spec: Spec) -> String {
    let name = match spec.letters().first() {
        Some(&letter) => format!("-{}", char::from(letter)),
        None => format!("--{}", spec.long()),
    };
    match spec.value() {
        Value::Required(form) => format!("{name} {}", form.name),
        Value::Nothing | Value::Optional(_) => name,
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
