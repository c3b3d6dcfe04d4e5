//! What the program says of itself: its version, and the help, which is made of the table.

use super::options::{Needs, OptionRow, Slots, Value, Verb};
use super::table::{COMMANDS, GROUPS, OPTIONS};

/// The original's version, which programs look for, and then whose this is.
pub const VERSION: &str = concat!(
    "ipvsadm v1.31 (ipvsadm in Rust ",
    env!("CARGO_PKG_VERSION"),
    ")\n"
);

/// Where the options begin, behind the names of their groups.
const INDENT: usize = 9;
/// Where it begins what is said about commands and options.
const ABOUT: usize = 41;
/// The room for an option that shares its line with another, and for its name.
const HALF: usize = 35;
const HALF_NAME: usize = 18;

/// A line for each command, and the options by what they describe.
pub fn help(program: &[u8]) -> String {
    let program = String::from_utf8_lossy(program);
    let mut help = format!("{VERSION}Usage: {program} COMMAND [OPTION]...\n\n");
    for row in COMMANDS {
        let usage = spelled(row.short, row.long) + &usage(row.verb, row.value);
        help += &entry(&format!("  {usage}"), row.help);
    }
    help.push('\n');
    for (name, options) in groups() {
        help += &group(name, options);
    }
    help
}

/// The options of each group by its name.
pub fn groups() -> impl Iterator<Item = (&'static str, &'static [OptionRow])> {
    let start = |first| OPTIONS.iter().position(|row| row.option == first);
    let starts = GROUPS.iter().map(move |(_, first)| start(*first));
    let ends = starts.clone().skip(1).chain([Some(OPTIONS.len())]);
    let ranges = starts.zip(ends);
    GROUPS.iter().zip(ranges).map(|((name, _), range)| {
        let options = match range {
            (Some(start), Some(end)) => &OPTIONS[start..end],
            _ => &[],
        };
        (*name, options)
    })
}

/// The words behind a command: its value, and the groups that it takes or demands.
fn usage(verb: Verb, value: Value) -> String {
    let mut usage = match verb {
        Verb::SetTimeouts => " tcp tcpfin udp".to_owned(),
        _ => value_name(value),
    };
    let Needs { must, may, one_of } = Needs::of(verb);
    for (name, options) in groups() {
        let slots = options.iter().filter_map(|row| row.slot);
        let slots = slots.fold(Slots::NONE, Slots::with);
        if slots.except(must) == Slots::NONE {
            usage += &format!(" {name}");
        } else if slots.except(may.or(one_of)) == Slots::NONE {
            usage += &format!(" [{name}]");
        }
    }
    usage
}

fn group(name: &str, options: &[OptionRow]) -> String {
    let mut lines = String::new();
    let mut begin = format!("{name:INDENT$}");
    let mut rest = options;
    while let [row, others @ ..] = rest {
        rest = others;
        match rest.split_first().and_then(|(next, _)| pair(row, next)) {
            Some(pair) => {
                lines += &format!("{begin}{pair}\n");
                rest = &rest[1..];
            }
            None => lines += &entry(&format!("{begin}{}", option(row)), row.help),
        }
        begin = " ".repeat(INDENT);
    }
    lines
}

/// Two options on one line, if they fit.
fn pair(left: &OptionRow, right: &OptionRow) -> Option<String> {
    let [left, right] = [left, right].map(|row| format!("{:HALF_NAME$}{}", option(row), row.help));
    let fits = left.len() <= HALF && right.len() <= HALF;
    fits.then(|| format!("{left:HALF$} {right}"))
}

fn entry(name: &str, about: &str) -> String {
    let width = ABOUT - 1;
    format!("{name:width$} {about}\n")
}

fn option(row: &OptionRow) -> String {
    let letter = row.short.as_slice();
    let indent = if letter.is_empty() { "    " } else { "" };
    indent.to_owned() + &spelled(letter, row.long) + &value_name(row.value)
}

fn spelled(letters: &[u8], long: &str) -> String {
    let letters = letters.iter();
    let letters: String = letters
        .map(|&letter| format!("-{}, ", char::from(letter)))
        .collect();
    format!("{letters}--{long}")
}

fn value_name(value: Value) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Required(name) => format!(" {name}"),
        Value::Optional(name) => format!(" [{name}]"),
    }
}
