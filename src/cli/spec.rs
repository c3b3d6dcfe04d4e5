//! The declarations of commands and options. Each is in one place, in `commands.rs` or below
//! `options/`; the parser, the checks, help, manual, completion and advice all use it.

use super::commands::{COMMANDS, Verb};
use super::complete::Completes;
use super::line::Line;
use super::options::GROUPS;
use super::slots::{Slot, for_each_option};
use crate::command::Command;
use crate::error::{BadValue, Error};
use crate::model::Settings;
use crate::model::terms::{Vocabulary, choices, flag_words};

/// The declaration of a command.
pub struct CommandSpec {
    pub verb: Verb,
    pub short: &'static [u8],
    pub long: &'static str,
    /// Its word in messages, which for the original's commands is not always the long name.
    pub name: &'static str,
    pub value: Value,
    /// The words on its line that belong to no option.
    pub operands: Operands,
    /// The meaning of the server on its line; `None` for commands without a server.
    pub server: Option<ServerWord>,
    /// The object on its line that must not exist yet.
    pub adds: Option<Slot>,
    /// Whether it ignores everything else on its line.
    pub ignores_line: bool,
    /// Reads its value into the line.
    pub take: Take,
    /// Builds the command from the whole line.
    pub build: for<'a> fn(&Line<'a>) -> Result<Command, Error>,
    pub help: &'static str,
    pub manual: &'static str,
}

/// The meaning of words that belong to no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    Nothing,
    /// The three timeouts.
    Timeouts,
    /// A file; standard input without it.
    File,
}

/// The meaning of `-r` for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerWord {
    /// A server of the service; its default port is the service's.
    OfService,
    /// A server of any service; without a port it means any port.
    OfAny,
    /// The virtual address that this host serves; without a port it means any port.
    ThisHost,
}

/// An option of a command.
pub struct OptionSpec {
    pub short: Option<u8>,
    pub long: &'static str,
    pub slot: Slot,
    /// It is allowed on any line, any number of times; only the commands in `may` use it.
    pub is_free: bool,
    /// Every command accepts it, and it may come before the command.
    pub is_global: bool,
    pub value: Value,
    /// The commands that require it.
    pub must: &'static [Verb],
    /// The commands that accept it.
    pub may: &'static [Verb],
    /// Each of these commands requires exactly one of the options that list it here.
    pub one_of: &'static [Verb],
    /// The settings that it names.
    pub names: Settings,
    /// Reads the option into the line.
    pub take: Take,
    /// Whether it has a meaning on the line so far.
    pub is_useful: for<'a> fn(&Line<'a>) -> bool,
    pub help: &'static str,
    pub manual: &'static str,
}

/// The defaults of options: a flag that no command accepts.
pub const OPTION: OptionSpec = OptionSpec {
    short: None,
    long: "",
    slot: Slot::new(0, ""),
    is_free: false,
    is_global: false,
    value: Value::Nothing,
    must: &[],
    may: &[],
    one_of: &[],
    names: Settings::NONE,
    take: |_, _| Ok(()),
    is_useful: |_| true,
    help: "",
    manual: "",
};

/// Reads an option and its value into the line.
pub type Take = for<'a> fn(&mut Line<'a>, Option<&'a [u8]>) -> Result<(), Rejection>;

/// Why an option cannot be accepted.
pub enum Rejection {
    /// The value is not one of those allowed. The message; `{}` stands for the value.
    Illegal(&'static str),
    Other(Error),
}

impl From<&'static str> for Rejection {
    fn from(message: &'static str) -> Self {
        Self::Illegal(message)
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Options with a common title in the help.
pub struct Group {
    pub name: &'static str,
    pub options: &'static [OptionSpec],
}

/// Whether a command or an option has a value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    Nothing,
    Required(Form),
    Optional(Form),
}

/// The description of a value.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Its name in the help.
    pub name: &'static str,
    /// The allowed values, for advice about wrong ones.
    pub allowed: &'static str,
    pub completes: Completes,
}

impl Form {
    /// One of the words of a vocabulary.
    pub const fn choice<T: Vocabulary>(name: &'static str) -> Self {
        Self {
            name,
            allowed: "",
            completes: Completes::Words(choices::<T>),
        }
    }

    fn allowed(&self) -> String {
        match self.completes {
            Completes::Words(words) => one_of(words().into_iter().map(|(word, _)| word)),
            Completes::SchedulerFlags => one_of(flag_words()) + ", with commas between",
            _ => self.allowed.to_owned(),
        }
    }
}

/// The words as a choice: `a, b or c`.
fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<&str> = words.collect();
    match &words[..] {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        words => words.join(""),
    }
}

impl Value {
    pub fn form(&self) -> Option<&Form> {
        match self {
            Self::Nothing => None,
            Self::Required(form) | Self::Optional(form) => Some(form),
        }
    }
}

/// The meaning of a word that begins with `-`.
#[derive(Clone, Copy)]
pub enum Spec {
    Command(&'static CommandSpec),
    Option(&'static OptionSpec),
}

impl Spec {
    pub fn value(self) -> &'static Value {
        match self {
            Self::Command(spec) => &spec.value,
            Self::Option(spec) => &spec.value,
        }
    }

    pub fn long(self) -> &'static str {
        match self {
            Self::Command(spec) => spec.long,
            Self::Option(spec) => spec.long,
        }
    }

    /// Its letters, the usual one first.
    pub fn letters(self) -> &'static [u8] {
        match self {
            Self::Command(spec) => spec.short,
            Self::Option(spec) => spec.short.as_slice(),
        }
    }

    pub fn help(self) -> &'static str {
        match self {
            Self::Command(spec) => spec.help,
            Self::Option(spec) => spec.help,
        }
    }

    pub fn is_global(self) -> bool {
        match self {
            Self::Command(_) => false,
            Self::Option(spec) => spec.is_global,
        }
    }

    pub fn by_short(letter: u8) -> Option<Self> {
        *BY_SHORT.get(usize::from(letter))?
    }

    pub fn by_long(name: &[u8]) -> Option<Self> {
        specs().find(|spec| spec.long().as_bytes() == name)
    }

    /// The error for a refusal.
    pub fn refused(self, refusal: Rejection, value: Option<&[u8]>) -> Error {
        match refusal {
            Rejection::Illegal(message) => self.illegal(message, value.unwrap_or_default()),
            Rejection::Other(error) => error,
        }
    }

    /// The error for an illegal value.
    pub fn illegal(self, message: &'static str, value: &[u8]) -> Error {
        let allowed = self.value().form().map(Form::allowed).unwrap_or_default();
        Error::Value(Box::new(BadValue {
            message,
            option: self.long(),
            value: value.into(),
            allowed,
        }))
    }
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--{}", self.long())
    }
}

/// Every option, in the order of the help.
pub fn options() -> impl Iterator<Item = &'static OptionSpec> + Clone {
    GROUPS.iter().flat_map(|group| group.options)
}

/// Everything that may begin with `-`, commands first.
pub fn specs() -> impl Iterator<Item = Spec> + Clone {
    let commands = COMMANDS.iter().map(Spec::Command);
    commands.chain(options().map(Spec::Option))
}

/// The options that fill a slot.
pub fn options_for(slot: Slot) -> impl Iterator<Item = &'static OptionSpec> {
    options().filter(move |spec| spec.slot == slot)
}

static BY_SHORT: [Option<Spec>; 128] = {
    let mut specs = [None; 128];
    let mut command = 0;
    while command < COMMANDS.len() {
        let mut letter = 0;
        while letter < COMMANDS[command].short.len() {
            let short = COMMANDS[command].short[letter] as usize;
            specs[short] = Some(Spec::Command(&COMMANDS[command]));
            letter += 1;
        }
        command += 1;
    }
    for_each_option!(option => {
        if let Some(letter) = option.short {
            specs[letter as usize] = Some(Spec::Option(option));
        }
    });
    specs
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_letter_and_no_name_stands_twice() {
        let (mut names, mut letters) = (HashSet::new(), HashSet::new());
        for spec in specs() {
            assert!(names.insert(spec.long()), "--{}", spec.long());
            for &letter in spec.letters() {
                assert!(letters.insert(letter), "-{}", char::from(letter));
            }
        }
    }

    #[test]
    fn everything_is_found_by_its_letters_and_its_name() {
        for spec in specs() {
            for &letter in spec.letters() {
                let found = Spec::by_short(letter).map(Spec::long);
                assert_eq!(found, Some(spec.long()), "-{}", char::from(letter));
            }
            let found = Spec::by_long(spec.long().as_bytes()).map(Spec::long);
            assert_eq!(found, Some(spec.long()));
        }
    }

    #[test]
    fn everything_says_what_it_is() {
        for spec in specs() {
            assert!(spec.long().len() > 1 && !spec.help().is_empty(), "{spec:?}");
            if let Some(form) = spec.value().form() {
                assert!(!form.name.is_empty(), "{spec:?}");
            }
        }
    }

    #[test]
    fn every_option_has_a_command_that_takes_it() {
        for spec in options() {
            let takers = [spec.must, spec.may, spec.one_of].concat();
            assert!(spec.is_global == takers.is_empty(), "--{}", spec.long);
        }
    }
}
