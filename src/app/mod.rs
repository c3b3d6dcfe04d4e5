//! The program as a function: arguments in, exit status out. All that it needs of the outside
//! world comes by `Env`.

mod apply;
mod change;
mod complete;
mod env;
mod file;
mod list;
mod lock;
mod restore;
mod source;

pub use env::{Env, Input, Locking, Medium, Stream, Terminal};

use crate::cli::{self, help};
use crate::command::{Command, Request};
use crate::error::{Action, Error};
use crate::kernel;
use restore::Restore;
use source::Source;

/// The name that messages tell people to type, whatever a wrapper is called.
const NAME: &[u8] = b"ipvsadm";

/// What the program does without any arguments.
const DEFAULT: &[&[u8]] = &[b"-L"];

const RESTORE_HELP: &str = "\
usage: ipvsadm-restore [FILE]
Replaces the table of virtual servers by what the commands in FILE make, one a line, as
ipvsadm-save prints them. Without FILE, or with -, they come from standard input.
";

/// Runs one command line, which begins with the name of the program.
pub fn run(arguments: &[&[u8]], env: &mut Env) -> u8 {
    let (program, words) = arguments.split_first().unwrap_or((&NAME, &[]));
    let done = match base_name(program) {
        _ if words == [complete::ASKS] => complete::complete(env),
        b"ipvsadm-save" => save(words, env),
        b"ipvsadm-restore" => restore(words, env),
        _ => ipvsadm(program, words, env),
    };
    done.unwrap_or_else(|error| {
        env.complain(b"", &error);
        env.advise(&error);
        error.status()
    })
}

fn base_name(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&byte| byte == b'/');
    &path[start.map_or(0, |slash| slash + 1)..]
}

fn ipvsadm(program: &[u8], words: &[&[u8]], env: &mut Env) -> Result<u8, Error> {
    let mut names = (env.names)();
    let words = if words.is_empty() { DEFAULT } else { words };
    let Request { command, globals } = cli::read(program, words.iter().copied(), &names)
        .inspect_err(|_| env.tell_silence(&names))?;
    env.enter(&globals);
    match command {
        Command::Change(change) => {
            let action = Action::from(&change);
            let mut client = env.open(action)?;
            asked(action, client.apply(&change))?;
        }
        Command::Careful(careful) => {
            let mut client = env.open(Action::from(&careful.change))?;
            change::carefully(env, &mut client, &careful)?;
        }
        Command::List(listing) => {
            let mut client = env.open(Action::Read)?;
            list::list(env, &mut client, &mut names, &listing)?;
        }
        Command::Save { numeric } => save_table(env, numeric)?,
        Command::Restore => {
            let source = Source::stdin(env);
            return Restore::new(names, env).run(source);
        }
        Command::Apply(asked) => return apply::apply(env, &names, &asked),
        Command::Diff(asked) => return apply::diff(env, &names, &asked),
        Command::Check(asked) => return apply::check(env, &names, &asked),
        Command::Help => env.print_text(&help::help(program))?,
        Command::Version => env.print_text(help::VERSION)?,
    }
    Ok(0)
}

fn save_table(env: &mut Env, numeric: bool) -> Result<(), Error> {
    let mut client = env.open(Action::Read)?;
    list::save(env, &mut client, numeric)
}

/// `ipvsadm-save [-n]`; what follows its options is ignored.
fn save(words: &[&[u8]], env: &mut Env) -> Result<u8, Error> {
    let options = words.iter().take_while(|word| word.starts_with(b"-"));
    let mut numeric = false;
    for option in options {
        if *option != b"-n" {
            env.warn(b"usage: ipvsadm-save [-n]\nPrints the table as ipvsadm -S does, with -n without names.");
            return Ok(1);
        }
        numeric = true;
    }
    save_table(env, numeric)?;
    Ok(0)
}

/// `ipvsadm-restore [FILE]`. To the original `-n` means as little as any other word.
fn restore(words: &[&[u8]], env: &mut Env) -> Result<u8, Error> {
    let mut file = None;
    for &word in words {
        let misuse = match word {
            b"-h" | b"--help" => {
                env.print_text(RESTORE_HELP)?;
                return Ok(0);
            }
            b"-n" => continue,
            [b'-', _, ..] => Error::UnknownOption(word.into()),
            _ if file.is_some() => Error::LeftOver(word.into()),
            _ => {
                file = Some(word);
                continue;
            }
        };
        env.complain(b"", &misuse);
        env.warn(b"usage: ipvsadm-restore [FILE]");
        return Ok(2);
    }
    let source = Source::file(env, file.unwrap_or(b"-"))?;
    let names = (env.names)();
    Restore::new(names, env).replace(source)
}

/// The kernel's answer to a command.
fn asked<T>(action: Action, answer: kernel::Result<T>) -> Result<T, Error> {
    answer.map_err(|error| Error::from_kernel(action, error))
}
