//! The table as a `clap::Command`, for the manual and as an oracle in tests. It is never on the
//! path of a command: the words of a line are read by `words`.

use clap::{Arg, ArgAction, Command};

use super::options::Value;
use super::table::{COMMANDS, OPTIONS};

/// One argument for each row of the table.
pub fn face() -> Command {
    let commands = COMMANDS.iter().map(|row| {
        let (first, others) = match row.short {
            [] => (None, &[][..]),
            [first, others @ ..] => (Some(*first), others),
        };
        argument(row.long, first, row.value)
            .help(row.help)
            .long_help(row.manual)
            .visible_short_aliases(others.iter().map(|&letter| char::from(letter)))
            .help_heading("Commands")
    });
    let options = OPTIONS.iter().map(|row| {
        argument(row.long, row.short, row.value)
            .help(row.help)
            .long_help(row.manual)
    });
    Command::new("ipvsadm")
        .about("Administer the virtual servers of the Linux kernel")
        .override_usage("COMMAND [OPTION]...")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(commands)
        .args(options.map(|option| option.help_heading("Options")))
        .arg(Arg::new("words").num_args(0..).hide(true))
}

fn argument(long: &'static str, short: Option<u8>, value: Value) -> Arg {
    let argument = Arg::new(long).long(long);
    let argument = match short {
        Some(letter) => argument.short(char::from(letter)),
        None => argument,
    };
    match value {
        Value::Nothing => argument.action(ArgAction::SetTrue).overrides_with(long),
        Value::Required(name) => argument
            .action(ArgAction::Append)
            .value_name(name)
            .allow_hyphen_values(true),
        Value::Optional(name) => argument
            .action(ArgAction::Append)
            .value_name(name)
            .num_args(0..=1),
    }
}
