//! Completion for shells: suggests the next word of a line, from the declarations of options
//! and world-readable kernel files.
//!
//! It does not talk to the kernel and loads nothing. Without IPVS the services are missing.

mod values;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use self::values::values;
use super::commands::COMMANDS;
use super::line::Line;
use super::options::NETNS;
use super::slots::{Needs, Slots};
use super::spec::{self, OptionSpec, Spec, Value};
use super::surroundings::Surroundings;
use super::whole::competing;
use super::words::{Event, Words};
use crate::command::Globals;
use crate::model::Protocol;
use crate::names::Names;

/// The completion of a value.
#[derive(Clone, Copy, Debug)]
pub enum Completes {
    Nothing,
    /// One of these words, each with its meaning.
    Words(fn() -> Vec<(&'static str, &'static str)>),
    /// The services of this protocol, or those of firewall marks.
    Services(Option<Protocol>),
    /// The servers of the service on the line.
    Servers,
    /// A list of the scheduler's flags.
    SchedulerFlags,
    /// A list of states of connections.
    States,
    Interfaces,
    /// The names of network namespaces.
    Namespaces,
    Files,
}

/// The completion of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of these words.
    Words(Vec<Candidate>),
    /// A file, perhaps attached to an option. Shells complete file names themselves.
    File,
}

/// A possible next word, and its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub text: Vec<u8>,
    pub about: String,
}

impl Candidate {
    fn new(text: impl AsRef<[u8]>, about: impl Into<String>) -> Self {
        Self {
            text: text.as_ref().to_vec(),
            about: about.into(),
        }
    }
}

/// The options on the line that any command accepts.
pub fn globals(words: &[&[u8]]) -> Globals {
    let mut events = Words::new(words.iter().copied()).flatten();
    let netns = events.find_map(|event| match event {
        Event::Given {
            spec: Spec::Option(spec),
            value,
            ..
        } if spec.slot == NETNS => value,
        _ => None,
    });
    Globals {
        netns: netns.map(|name| OsStr::from_bytes(name).to_owned()),
    }
}

/// The completions of the last of these words.
pub fn answer(words: &[&[u8]], surroundings: &Surroundings) -> Answer {
    let Some((current, before)) = words.split_last() else {
        return Answer::Words(Vec::new());
    };
    let names = Names::numeric();
    let line = line_before(before, &names);
    let candidates = match last_event(words) {
        Some(Event::Given {
            spec,
            value: Some(value),
            ..
        }) if !(current.is_empty() && matches!(spec.value(), Value::Optional(_))) => {
            let attached = &current[..current.len() - value.len()];
            let completes = spec.value().form().map(|form| form.completes);
            if let Some(Completes::Files) = completes {
                return Answer::File;
            }
            let values =
                completes.map(|completes| values(line.as_ref(), completes, value, surroundings));
            let values = values.unwrap_or_default().into_iter();
            values.map(|value| prefixed(attached, value)).collect()
        }
        _ => match &line {
            Some(line) if line.wants_file() && !current.starts_with(b"-") => return Answer::File,
            Some(line) => options(line, current),
            None => commands(current),
        },
    };
    let fits = |candidate: &Candidate| candidate.text.starts_with(current);
    Answer::Words(candidates.into_iter().filter(fits).collect())
}

fn prefixed(prefix: &[u8], candidate: Candidate) -> Candidate {
    Candidate {
        text: [prefix, &candidate.text].concat(),
        ..candidate
    }
}

/// The meaning of the last word, if it is valid.
fn last_event<'a>(words: &[&'a [u8]]) -> Option<Event<'a>> {
    Words::new(words.iter().copied()).last()?.ok()
}

/// The line so far, if it has a command. Invalid words are ignored.
fn line_before<'a>(words: &[&'a [u8]], names: &'a Names) -> Option<Line<'a>> {
    let mut line = None;
    for event in Words::new(words.iter().copied()).flatten() {
        match (event, &mut line) {
            (
                Event::Given {
                    spec: Spec::Command(spec),
                    ..
                },
                None,
            ) => line = Some(Line::new(spec.verb, names)),
            (event, Some(line)) => drop(line.take(event)),
            (_, None) => {}
        }
    }
    line
}

fn commands(current: &[u8]) -> Vec<Candidate> {
    let commands = COMMANDS.iter().map(Spec::Command);
    let globals = spec::options().filter(|spec| spec.is_global && is_asked_for(spec, current));
    let all = commands.chain(globals.map(Spec::Option));
    all.map(|spec| named(spec, current)).collect()
}

/// Options that any command accepts are offered only once a long name has begun. Otherwise they
/// would be in every list.
fn is_asked_for(spec: &OptionSpec, current: &[u8]) -> bool {
    !spec.is_global || current.starts_with(b"--")
}

/// The options that the command accepts and that are not on the line yet.
fn options(line: &Line, current: &[u8]) -> Vec<Candidate> {
    let options = spec::options().filter(|spec| takes(line, spec) && is_asked_for(spec, current));
    options
        .map(|spec| named(Spec::Option(spec), current))
        .collect()
}

/// A command or an option that matches the typed text, by its letter if it has one.
fn named(spec: Spec, current: &[u8]) -> Candidate {
    let text = match spec.letters().first() {
        Some(&letter) if !current.starts_with(b"--") => vec![b'-', letter],
        _ => [b"--", spec.long().as_bytes()].concat(),
    };
    Candidate::new(text, spec.help())
}

fn takes(line: &Line, spec: &OptionSpec) -> bool {
    let Needs { must, may, one_of } = Needs::of(line.verb);
    let slot = spec.slot;
    if line.given.or(line.free).has(slot) || !(spec.is_useful)(line) {
        return false;
    }
    if one_of.has(slot) {
        let subjects = competing(line.given.with(slot)).and(one_of);
        return subjects
            .first()
            .is_none_or(|first| subjects == Slots::NONE.with(first));
    }
    must.or(may).has(slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::parse_table;

    const TABLE: &str = "\
TCP  0A000001:0050 rr
  -> 0A010001:1F90      Masq    1      0          0
  -> 0A010002:1F90      Route   0      0          0
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 wlc
  -> [2001:0db8:0001:0000:0000:0000:0000:0002]:0050 Route   1      0          0
UDP  0A000001:0035 sh
FWM  00000007 rr
FWM  00000007 wrr
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000 Tunnel  1      0          0
";

    fn surroundings() -> Surroundings {
        Surroundings {
            services: parse_table(TABLE),
            namespaces: ["blue", "green", "$(reboot)"].map(Into::into).to_vec(),
            ..Surroundings::default()
        }
    }

    fn answer_to(line: &str) -> Answer {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        answer(&words, &surroundings())
    }

    fn candidates(line: &str) -> Vec<Candidate> {
        match answer_to(line) {
            Answer::Words(candidates) => candidates,
            Answer::File => panic!("a file after {line:?}"),
        }
    }

    /// The candidates for the last word of a line, without descriptions.
    fn texts(line: &str) -> Vec<String> {
        let texts = candidates(line)
            .into_iter()
            .map(|c| String::from_utf8(c.text));
        texts.map(Result::unwrap).collect()
    }

    #[test]
    fn a_command_comes_first() {
        let commands = texts("");
        assert!(commands.contains(&"-A".to_owned()) && commands.contains(&"--set".to_owned()));
        assert!(!commands.contains(&"-t".to_owned()));
        assert_eq!(texts("--li"), ["--list"]);
        assert_eq!(texts("--st"), ["--start-daemon", "--stop-daemon"]);
    }

    #[test]
    fn options_are_those_of_the_command_that_are_not_there_yet() {
        assert_eq!(
            texts("-D "),
            ["-t", "-u", "--sctp-service", "-f", "--exist", "--wait"]
        );
        assert_eq!(texts("-d -t x "), ["-r", "--exist", "--wait"]);
        assert_eq!(texts("-S "), ["-n", "--output", "--all"]);
        assert_eq!(texts("-Sn --output x "), ["--all"]);
        assert_eq!(texts("-D -f 7 "), ["-6", "--exist", "--wait"]);
        assert_eq!(
            texts("-E -f 7 -p "),
            ["-6", "-s", "-b", "-M", "--pe", "-o", "--keep"]
        );
        assert_eq!(texts("-E -f 7 -p -s m"), ["mh"]);
        assert_eq!(texts("-L --da"), ["--daemon"]);
        assert_eq!(texts("-L --timeout --da"), [""; 0]);
        assert_eq!(texts("-L -j --fo"), [""; 0]);
        assert_eq!(texts("-L --format table --js"), [""; 0]);
    }

    #[test]
    fn services_are_those_that_there_are() {
        assert_eq!(texts("-D -t "), ["10.0.0.1:80", "[2001:db8::1]:80"]);
        assert_eq!(texts("-Dt1"), ["-Dt10.0.0.1:80"]);
        assert_eq!(
            texts("-D --tcp-service=[2"),
            ["--tcp-service=[2001:db8::1]:80"]
        );
        assert_eq!(texts("-D -u "), ["10.0.0.1:53"]);
        assert_eq!(texts("-E -f "), ["7"]);
        assert_eq!(texts("-A -t "), [""; 0]);
    }

    #[test]
    fn servers_are_those_of_the_service_on_the_line() {
        assert_eq!(
            texts("-d -t 10.0.0.1:80 -r "),
            ["10.1.0.1:8080", "10.1.0.2:8080"]
        );
        assert_eq!(
            texts("-d -t [2001:DB8:0::1]:80 -r "),
            ["[2001:db8:1::2]:80"]
        );
        assert_eq!(texts("-d -u 10.0.0.1:80 -r "), [""; 0]);
        assert_eq!(texts("-e -f 7 -6 -r "), ["[2001:db8:1::1]:0"]);
        assert_eq!(texts("-e -f 7 -r "), [""; 0]);
        assert_eq!(texts("-a -t 10.0.0.1:80 -r "), [""; 0]);
        assert_eq!(texts("-d -r "), [""; 0]);
        assert_eq!(
            texts("--drain -r "),
            ["10.1.0.1", "10.1.0.2", "[2001:db8:1::1]", "[2001:db8:1::2]"]
        );
        assert_eq!(texts("-L -r 10"), ["10.1.0.1", "10.1.0.2"]);
        assert_eq!(texts("--doctor -r 10"), [""; 0]);
    }

    #[test]
    fn values_with_names_are_offered() {
        assert_eq!(texts("-A -s w"), ["wrr", "wlc"]);
        assert_eq!(texts("-A -s sh -b "), ["sh-fallback", "sh-port"]);
        assert_eq!(texts("-A -s sh -b sh-port,"), ["sh-port,sh-fallback"]);
        assert_eq!(
            texts("-A -s rr -b flag-1,flag-2,"),
            ["flag-1,flag-2,flag-3"]
        );
        // A flag that another may follow is never the only candidate.
        assert_eq!(
            texts("-A -s sh -b sh-p"),
            ["sh-port", "sh-port,sh-fallback"]
        );
        assert_eq!(
            texts("-A -b flag-2,flag-1"),
            ["flag-2,flag-1", "flag-2,flag-1,flag-3"]
        );
        assert_eq!(texts("--stop-daemon b"), ["backup"]);
        assert_eq!(texts("-a --tun-type g"), ["gue", "gre"]);
        assert_eq!(texts("-A --pe "), ["sip"]);
        assert_eq!(texts("-a -w "), [""; 0]);
    }

    #[test]
    fn what_goes_with_every_command_is_offered_by_its_long_name() {
        assert_eq!(texts("--ne"), ["--netns"]);
        assert_eq!(texts("-C --n"), ["--netns"]);
        assert_eq!(texts("--netns x -C --n"), ["--netns"]);
        assert_eq!(texts("-C --netns x --n"), [""; 0]);
        assert_eq!(texts("--netns x -D -u "), ["10.0.0.1:53"]);
        assert_eq!(texts("-L --netns "), ["blue", "green"]);
    }

    #[test]
    fn files_are_left_to_the_shell() {
        for line in [
            "--apply ",
            "--diff ru",
            "--check --strict ",
            "-R ru",
            "-Ln --output ",
            "-S --output=ru",
            "-S --output -ru",
        ] {
            assert_eq!(answer_to(line), Answer::File, "{line}");
        }
        assert_eq!(texts("--check -"), ["--strict", "-j"]);
        assert_eq!(texts("--check rules "), ["--strict", "-j"]);
        assert_eq!(texts("--check rules ru"), [""; 0]);
        assert_eq!(texts("-S ru"), [""; 0]);
    }

    #[test]
    fn candidates_say_what_they_are() {
        let about = |line: &str| candidates(line).swap_remove(0).about;
        assert_eq!(about("-D -t 10"), "rr, 2 servers");
        assert_eq!(about("-d -t 10.0.0.1:80 -r 10.1.0.2"), "Route, weight 0");
        assert_eq!(about("-Z"), "zero the counters of one service or all");
    }
}
