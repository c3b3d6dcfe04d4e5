//! The version and the help, which is generated from the declarations.

use super::commands::COMMANDS;
use super::options::GROUPS;
use super::slots::{Needs, Slots};
use super::spec::{CommandSpec, Group, Operands, OptionSpec, Spec, Value};

/// The original's version, which programs parse, then the name and version of this program.
pub const VERSION: &str = concat!(
    "ipvsadm v1.31 (ipvsadm in Rust ",
    env!("CARGO_PKG_VERSION"),
    ")\n"
);

/// The column where options begin, after the names of their groups.
const INDENT: usize = 9;
/// The column where descriptions begin.
const ABOUT: usize = 41;
/// The width of an option that shares its line with another, and of its name.
const HALF: usize = 35;
const HALF_NAME: usize = 18;

/// A line for each command, then the options by group.
pub fn help(program: &[u8]) -> String {
    let program = String::from_utf8_lossy(program);
    let mut help = format!("{VERSION}Usage: {program} COMMAND [OPTION]...\n\n");
    for spec in COMMANDS {
        let usage = spelled(Spec::Command(spec)) + &usage(spec);
        help += &entry(&format!("  {usage}"), spec.help);
    }
    help.push('\n');
    for group in GROUPS {
        help += &options(group);
    }
    help
}

/// The text after a command: its value, and the groups that it accepts or requires.
fn usage(spec: &CommandSpec) -> String {
    let mut usage = match spec.operands {
        Operands::Nothing => value_name(&spec.value),
        Operands::Timeouts => " tcp tcpfin udp".to_owned(),
        Operands::File => " [file]".to_owned(),
    };
    let Needs { must, may, one_of } = Needs::of(spec.verb);
    for Group { name, options } in GROUPS {
        if options.iter().all(|spec| spec.is_global) {
            continue;
        }
        let slots = options.iter().filter(|spec| !spec.is_free);
        let slots = slots.map(|spec| spec.slot).fold(Slots::NONE, Slots::with);
        if slots.except(must) == Slots::NONE {
            usage += &format!(" {name}");
        } else if slots.except(may.or(one_of)) == Slots::NONE {
            usage += &format!(" [{name}]");
        }
    }
    usage
}

fn options(group: &Group) -> String {
    let mut lines = String::new();
    let mut begin = format!("{:INDENT$}", group.name);
    let mut rest = group.options;
    while let [spec, others @ ..] = rest {
        rest = others;
        match rest.split_first().and_then(|(next, _)| pair(spec, next)) {
            Some(pair) => {
                lines += &format!("{begin}{pair}\n");
                rest = &rest[1..];
            }
            None => lines += &entry(&format!("{begin}{}", option(spec)), spec.help),
        }
        begin = " ".repeat(INDENT);
    }
    lines
}

/// Two options on one line, if they fit.
fn pair(left: &'static OptionSpec, right: &'static OptionSpec) -> Option<String> {
    let [left, right] =
        [left, right].map(|spec| format!("{:HALF_NAME$}{}", option(spec), spec.help));
    let fits = left.len() <= HALF && right.len() <= HALF;
    fits.then(|| format!("{left:HALF$} {right}"))
}

fn entry(name: &str, about: &str) -> String {
    let width = ABOUT - 1;
    format!("{name:width$} {about}\n")
}

fn option(spec: &'static OptionSpec) -> String {
    let indent = if spec.short.is_none() { "    " } else { "" };
    indent.to_owned() + &spelled(Spec::Option(spec)) + &value_name(&spec.value)
}

fn spelled(spec: Spec) -> String {
    let letters = spec.letters().iter();
    let letters: String = letters
        .map(|&letter| format!("-{}, ", char::from(letter)))
        .collect();
    format!("{letters}--{}", spec.long())
}

fn value_name(value: &Value) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Required(form) => format!(" {}", form.name),
        Value::Optional(form) => format!(" [{}]", form.name),
    }
}
