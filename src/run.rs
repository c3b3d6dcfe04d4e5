//! Carries a command line out, under each of this program's names.

use ipvsadm::cli::{self, complete, help};
use ipvsadm::command::{Columns, Command, Format, Listing, Subject, View};
use ipvsadm::error::{Action, Error};
use ipvsadm::names::Names;

use crate::ask::{asked, open};
use crate::console::{advise, complain, print, print_text, tell_silence, warn};
use crate::restore::Restore;
use crate::{show, start};

/// The name that messages tell people to type, whatever a wrapper is called.
const NAME: &[u8] = b"ipvsadm";

/// What the program does without any arguments.
const DEFAULT: Command = Command::List(Listing {
    subject: Subject::Services(None),
    view: View {
        columns: Columns::Plain,
        exact: false,
        sorted: true,
    },
    numeric: false,
    format: Format::Classic,
});

/// Set by the shells' completion functions: the words are not to be run but completed.
const COMPLETE: &str = "IPVSADM_COMPLETE";

/// Runs one command line; the result is the exit status.
pub fn run(program: &[u8], words: &[&[u8]]) -> u8 {
    let done = match base_name(program) {
        _ if std::env::var_os(COMPLETE).is_some() => complete(words),
        b"ipvsadm-save" => save(words),
        b"ipvsadm-restore" => Restore::new(NAME, Names::system()).replace(start::stdin),
        _ => ipvsadm(program, words),
    };
    done.unwrap_or_else(|error| {
        complain(b"", &error);
        advise(&error);
        error.status()
    })
}

fn base_name(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&byte| byte == b'/');
    &path[start.map_or(0, |slash| slash + 1)..]
}

fn ipvsadm(program: &[u8], words: &[&[u8]]) -> Result<u8, Error> {
    let mut names = Names::system();
    let command = match words {
        [] => DEFAULT,
        words => cli::read(program, words.iter().copied(), &names)
            .inspect_err(|_| tell_silence(&names))?,
    };
    match command {
        Command::Change(change) => {
            let action = Action::from(&change);
            asked(action, open(action)?.apply(&change))?;
        }
        Command::List(listing) => show::list(&mut open(Action::Read)?, &mut names, &listing)?,
        Command::Save { numeric } => save_table(numeric, &mut names)?,
        Command::Restore => return Restore::new(program, names).run(start::stdin),
        Command::Help => print_text(&help::help(program))?,
        Command::Version => print_text(help::VERSION)?,
    }
    Ok(0)
}

fn save_table(numeric: bool, names: &mut Names) -> Result<(), Error> {
    show::save(&mut open(Action::Read)?, names, numeric)
}

fn complete(words: &[&[u8]]) -> Result<u8, Error> {
    print(&mut |out| Ok(complete::print(out, words)?))?;
    Ok(0)
}

/// `ipvsadm-save [-n]`; what follows its options is ignored.
fn save(words: &[&[u8]]) -> Result<u8, Error> {
    let options = words.iter().take_while(|word| word.starts_with(b"-"));
    let mut numeric = false;
    for option in options {
        if *option != b"-n" {
            warn(b"usage: ipvsadm-save [-n]\nPrints the table as ipvsadm -S does, with -n without names.");
            return Ok(1);
        }
        numeric = true;
    }
    save_table(numeric, &mut Names::system())?;
    Ok(0)
}
