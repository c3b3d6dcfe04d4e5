//! The declarations as a `clap::Command`: the manual is generated from it, and the word reader is
//! checked against it.

use clap::{Arg, ArgAction, Command};

use ipvsadm::cli::{Spec, Value, specs};

/// One clap argument for each declaration.
pub fn face() -> Command {
    let arguments = specs().map(|row| match row {
        Spec::Command(row) => {
            let (first, others) = match row.short {
                [] => (None, &[][..]),
                [first, others @ ..] => (Some(*first), others),
            };
            argument(row.long, first, &row.value)
                .help(row.help)
                .long_help(row.manual)
                .visible_short_aliases(others.iter().map(|&letter| char::from(letter)))
                .help_heading("Commands")
        }
        Spec::Option(row) => argument(row.long, row.short, &row.value)
            .help(row.help)
            .long_help(row.manual)
            .help_heading("Options"),
    });
    Command::new("ipvsadm")
        .about("Administer the virtual servers of the Linux kernel")
        .override_usage("COMMAND [OPTION]...")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(arguments)
        .arg(Arg::new("words").num_args(0..).hide(true))
}

fn argument(long: &'static str, short: Option<u8>, value: &Value) -> Arg {
    let argument = Arg::new(long).long(long);
    let argument = match short {
        Some(letter) => argument.short(char::from(letter)),
        None => argument,
    };
    match value {
        Value::Nothing => argument.action(ArgAction::SetTrue).overrides_with(long),
        Value::Required(form) => argument
            .action(ArgAction::Append)
            .value_name(form.name)
            .allow_hyphen_values(true),
        Value::Optional(form) => argument
            .action(ArgAction::Append)
            .value_name(form.name)
            .num_args(0..=1),
    }
}
