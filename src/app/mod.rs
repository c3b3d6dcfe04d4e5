//! The program as a function from arguments to an exit status. `Env` is everything around it.

mod apply;
mod change;
mod complete;
mod confirm;
mod doctor;
mod drain;
mod env;
mod execution;
mod file;
mod list;
mod live;
mod lock;
mod rehearsal;
mod renewal;
mod restore;
mod run;
mod source;
mod wait;
mod watch;
mod wrappers;

pub use env::{
    Apart, Clock, Console, Env, Happening, Input, Locking, Medium, Pause, Stream, Terminal,
};

use crate::cli::{self, help};
use crate::command::{Command, Request, Save};
use crate::error::{Action, Error};
use crate::kernel::{self, Client};
use crate::model::Change;
use restore::Restore;
use source::Source;

/// The name of the program in messages.
const NAME: &[u8] = b"ipvsadm";

/// The command of the program without arguments.
const DEFAULT: &[&[u8]] = &[b"-L"];

/// Runs one command line, which begins with the name of the program.
pub fn run(arguments: &[&[u8]], env: &mut Env) -> u8 {
    let (program, words) = arguments.split_first().unwrap_or((&NAME, &[]));
    let done = match base_name(program) {
        _ if words == [complete::ASKS] => complete::complete(env),
        b"ipvsadm-save" => wrappers::save(words, env),
        b"ipvsadm-restore" => wrappers::restore(words, env),
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
    env.enter(&globals)?;
    match command {
        Command::Change(change) => {
            let mut client = env.open(Action::from(&change))?;
            make(&mut client, &change)?;
        }
        Command::Careful(careful) => {
            let mut client = env.open(Action::from(&careful.change))?;
            change::carefully(env, &mut client, &careful)?;
        }
        Command::List(listing) => {
            let mut client = env.open(Action::Read)?;
            list::list(env, &mut client, &mut names, &listing)?;
        }
        Command::Watch(asked) => watch::watch(env, &mut names, &asked)?,
        Command::Save(save) => save_table(env, &save)?,
        Command::Restore { file } => {
            let source = Source::open(env, file.as_deref())?;
            return Restore::new(names, env).run(source);
        }
        Command::Apply(asked) => return trouble(apply::apply(env, &names, &asked)),
        Command::Diff(asked) => return trouble(apply::diff(env, &names, &asked)),
        Command::Check(asked) => return trouble(apply::check(env, &names, &asked)),
        Command::Drain(asked) => return drain::drain(env, &asked),
        Command::Doctor(asked) => return trouble(doctor::doctor(env, &asked)),
        Command::Help => env.print_text(&help::help(program))?,
        Command::Version => env.print_text(help::VERSION)?,
    }
    Ok(0)
}

fn save_table(env: &mut Env, save: &Save) -> Result<(), Error> {
    let mut client = env.open(Action::Read)?;
    list::save(env, &mut client, save)
}

/// The kernel's answer. An error names the action.
fn asked<T>(action: Action, answer: kernel::Result<T>) -> Result<T, Error> {
    answer.map_err(|error| Error::from_kernel(action, error))
}

/// Makes one change.
fn make(client: &mut Client, change: &Change) -> Result<(), Error> {
    asked(Action::from(change), client.apply(change))
}

/// The outcome of a command whose status reports its findings, as with `diff` and `cmp`: every
/// error has status 2.
fn trouble<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.map_err(|error| Error::Trouble(Box::new(error)))
}
