//! The program under its other names, `ipvsadm-save` and `ipvsadm-restore`. As in the original, an
//! option of these is a whole word: `-n`, but not `-nn` or `--numeric`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::restore::Restore;
use super::source::Source;
use super::{Env, save_table};
use crate::cli::NETNS;
use crate::command::{Globals, Save};
use crate::error::Error;

const SAVE_USAGE: &str = "usage: ipvsadm-save [-n] [--all] [--netns NAME] [FILE]";
const SAVE_ABOUT: &str = "\
Prints the table as ipvsadm -S does, with -n without names, or saves it to FILE.";

const RESTORE_USAGE: &str = "usage: ipvsadm-restore [--netns NAME] [FILE]";
const RESTORE_ABOUT: &str = "\
Replaces the table of virtual servers by what the commands in FILE make, one a line, as
ipvsadm-save prints them. Without FILE, or with -, they come from standard input.
";

/// Help is an error, as in the original.
pub fn save(words: &[&[u8]], env: &mut Env) -> Result<u8, Error> {
    let (mut save, mut asks_help) = (Save::default(), false);
    let read = read(words, |option| {
        match option {
            b"-n" => save.numeric = true,
            b"--all" => save.all = true,
            b"-h" | b"--help" => asks_help = true,
            _ => return false,
        }
        true
    });
    let (file, globals) = match read {
        Ok(read) => read,
        Err(misuse) => return Ok(refuse(env, &misuse, SAVE_USAGE, 1)),
    };
    if asks_help {
        env.warn(format!("{SAVE_USAGE}\n{SAVE_ABOUT}").as_bytes());
        return Ok(1);
    }
    save.output = file.map(<[u8]>::to_vec);
    env.enter(&globals)?;
    save_table(env, &save)?;
    Ok(0)
}

/// The original ignores `-n` like any other word.
pub fn restore(words: &[&[u8]], env: &mut Env) -> Result<u8, Error> {
    let mut asks_help = false;
    let read = read(words, |option| {
        asks_help |= matches!(option, b"-h" | b"--help");
        matches!(option, b"-h" | b"--help" | b"-n")
    });
    let (file, globals) = match read {
        Ok(read) => read,
        Err(misuse) => return Ok(refuse(env, &misuse, RESTORE_USAGE, 2)),
    };
    if asks_help {
        env.print_text(&format!("{RESTORE_USAGE}\n{RESTORE_ABOUT}"))?;
        return Ok(0);
    }
    env.enter(&globals)?;
    let source = Source::open(env, file)?;
    let names = (env.names)();
    Restore::new(names, env).replace(source)
}

/// The file that the words name (`-` is a standard stream), and the options that any command
/// accepts. `take` is called with each other option, and returns whether it is known.
fn read<'a>(
    words: &[&'a [u8]],
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(Option<&'a [u8]>, Globals), Error> {
    let (mut file, mut globals) = (None, Globals::default());
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let netns = match word.strip_prefix(b"--netns") {
            Some([]) => Some(words.next().ok_or(Error::MissingValue(word.into()))?),
            Some([b'=', name @ ..]) => Some(name),
            Some(_) | None => None,
        };
        if let Some(name) = netns {
            let name = OsStr::from_bytes(name).to_owned();
            if globals.netns.replace(name).is_some() {
                return Err(Error::Repeated(NETNS.name));
            }
            continue;
        }
        match word {
            [b'-', _, ..] if take(word) => {}
            [b'-', _, ..] => return Err(Error::UnknownOption(word.into())),
            _ if file.is_some() => return Err(Error::LeftOver(word.into())),
            _ => file = Some(word),
        }
    }
    Ok((file.filter(|file| file != b"-"), globals))
}

fn refuse(env: &mut Env, misuse: &Error, usage: &str, status: u8) -> u8 {
    env.complain(b"", misuse);
    env.warn(usage.as_bytes());
    status
}
