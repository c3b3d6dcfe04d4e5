//! Generates whole sessions.

use std::collections::BTreeSet;

use ipvsadm::cli::{Spec, Verb};

use super::lines::LineMaker;
use super::random::Random;
use super::script::{InputLine, Line, Piece, Session, Step};
use super::values::{self, Sample};
use crate::differences::Difference;

/// Commands on the command line, with their weights.
const COMMANDS: &[(usize, Verb)] = &[
    (15, Verb::AddService),
    (7, Verb::EditService),
    (4, Verb::DeleteService),
    (1, Verb::Flush),
    (24, Verb::List),
    (16, Verb::AddServer),
    (9, Verb::EditServer),
    (6, Verb::DeleteServer),
    (4, Verb::SetTimeouts),
    (5, Verb::StartDaemon),
    (4, Verb::StopDaemon),
    (9, Verb::Save),
    (4, Verb::Zero),
    (1, Verb::Help),
    (1, Verb::Version),
    (1, Verb::Restore),
];

/// Commands for situations that chance alone would rarely produce.
const RARE: &[&[&str]] = &[
    &["--set 100 200"],
    &["-A -t 10.0.0.1:80 -6"],
    &["-L --timeout --daemon"],
    &["-L --daemon --stats"],
    &["-A -f 7 -s sh -b mh-port"],
    &["-A -f 7 -s mh -b flag-3", "-L", "-S"],
    &["-A -f 4294967290", "-Ln --rate", "-S"],
    &["-A -t 10.1.1.5:8080", "-L", "-S"],
    &["-A -f 7", "-a -f 7 -r 224.0.0.1"],
    &["-a -f 7 -r 10.1.1.1 -g --tun-csum"],
    &["-a -f 7 -r 10.1.1.1 -i --tun-type gre --tun-csum --tun-nocsum"],
];

/// Generates one session. Any `enough` consecutive sessions contain every shape of every value, and
/// all rare situations.
pub fn session(seed: u64, index: u64, enough: u64) -> Session {
    let mut random = Random::new(seed, index);
    let length = 10 + random.below(17).min(random.below(17));
    let samples: Vec<Sample> = of_session(values::samples(), index, enough).collect();
    let mut lines = LineMaker::new(&mut random, &samples);
    let steps = (0..length).map(|number| step(&mut lines, number));
    let mut steps: Vec<Step> = steps.collect();
    for sample in samples {
        let line = lines.line_with(sample);
        let place = lines.random.below(steps.len() + 1);
        steps.insert(place, Step::Command(line));
    }
    for commands in of_session(RARE.iter(), index, enough) {
        let place = lines.random.below(steps.len() + 1);
        for command in commands.iter().rev() {
            steps.insert(place, Step::Command(plain_line(command)));
        }
    }
    Session { steps }
}

/// The share of one session in `enough` of these items.
fn of_session<T>(
    items: impl IntoIterator<Item = T>,
    index: u64,
    enough: u64,
) -> impl Iterator<Item = T> {
    let items = items.into_iter().skip((index % enough) as usize);
    items.step_by(enough as usize)
}

fn plain_line(text: &str) -> Line {
    let words: Vec<&str> = text.split(' ').collect();
    let letter = words[0].as_bytes()[1];
    let verb = match Spec::by_short(letter) {
        Some(Spec::Command(row)) => row.verb,
        _ => Verb::SetTimeouts,
    };
    Line {
        verb,
        pieces: vec![Piece::words(words)],
        notes: BTreeSet::new(),
    }
}

fn step(lines: &mut LineMaker, number: usize) -> Step {
    let begins_with = [Verb::AddService, Verb::AddService, Verb::AddServer];
    if let Some(verb) = begins_with.get(number) {
        return command(lines, *verb);
    }
    if lines.has_packets && lines.random.chance(15) {
        let count = 1 + lines.random.below(3);
        return Step::Packets { count };
    }
    if lines.random.chance(8) {
        return restore(lines);
    }
    if lines.random.chance(1) {
        return no_arguments();
    }
    let verb = verb(lines);
    command(lines, verb)
}

fn verb(lines: &mut LineMaker) -> Verb {
    loop {
        let verb = lines.random.weighted(COMMANDS);
        // A daemon sends connections, which changes even more.
        if verb != Verb::StartDaemon || !lines.has_packets {
            return verb;
        }
    }
}

fn command(lines: &mut LineMaker, verb: Verb) -> Step {
    lines.in_file = false;
    let line = lines.line(verb);
    Step::Command(line)
}

fn no_arguments() -> Step {
    Step::Command(Line {
        verb: Verb::List,
        pieces: Vec::new(),
        notes: BTreeSet::from(["command: none".to_owned()]),
    })
}

fn restore(lines: &mut LineMaker) -> Step {
    lines.in_file = true;
    let spelling = *lines.random.pick(&["-R", "--restore"]);
    let mut input = Vec::new();
    let mut may_have_daemon = true;
    for _ in 0..1 + lines.random.below(7) {
        let line = input_line(lines, &mut may_have_daemon);
        input.push(lay_out(lines, line));
    }
    let unended = lines.random.chance(25);
    if let Some(last) = input.last_mut().filter(|_| unended) {
        last.newline = false;
        last.line
            .notes
            .insert("file: no newline at the end".to_owned());
    }
    Step::Restore {
        line: Line {
            verb: Verb::Restore,
            pieces: vec![Piece::words([spelling])],
            notes: BTreeSet::from(["command: a file".to_owned()]),
        },
        input,
    }
}

/// A line of a file before its words are laid out. The reference hangs when it stops a daemon that
/// it has just started, so a file has at most one daemon command.
fn input_line(lines: &mut LineMaker, may_have_daemon: &mut bool) -> Line {
    if let Some(line) = unusual_line(lines) {
        return line;
    }
    let verb = loop {
        let verb = verb(lines);
        let is_daemon = matches!(verb, Verb::StartDaemon | Verb::StopDaemon);
        // The rewriting of a save depends on the thresholds at that moment.
        let is_possible = match verb {
            Verb::Save => !lines.has_thresholds,
            Verb::Help | Verb::Version => false,
            _ => !is_daemon || *may_have_daemon,
        };
        if is_possible {
            *may_have_daemon &= !is_daemon;
            break verb;
        }
    };
    let mut line = lines.line(verb);
    if lines.random.chance(15) {
        insert_own_name(lines, &mut line);
    }
    if lines.random.chance(8) {
        line.pieces.push(comment());
    }
    line
}

/// A line that is not a command, or not allowed in a file.
fn unusual_line(lines: &mut LineMaker) -> Option<Line> {
    let (note, verb, piece) = lines.random.weighted(&[
        (80, ("", Verb::List, "")),
        (4, ("file: line without words", Verb::Flush, "")),
        (3, ("file: only a comment", Verb::Flush, "#")),
        (2, ("file: only our own name", Verb::Flush, "ipvsadm")),
        (4, ("file: NUL byte", Verb::List, "\0")),
        (4, ("file: help", Verb::Help, "-h")),
        (4, ("file: version", Verb::Version, "--version")),
    ]);
    let pieces = match piece {
        "" if note.is_empty() => return None,
        "" => Vec::new(),
        "#" => vec![comment()],
        "ipvsadm" => vec![Piece::words([piece])],
        "\0" => vec![nul_byte()],
        "-h" => vec![malformed(piece, Difference::HelpInAFile)],
        _ => vec![malformed(piece, Difference::VersionInAFile)],
    };
    Some(Line {
        verb,
        pieces,
        notes: BTreeSet::from([note.to_owned()]),
    })
}

fn comment() -> Piece {
    Piece {
        theirs: Vec::new(),
        differences: vec![Difference::CommentsInAFile],
        ..Piece::words(["#a", "comment"])
    }
}

fn nul_byte() -> Piece {
    Piece {
        theirs: vec![b"-L".to_vec(), b"nul-byte".to_vec()],
        differences: vec![Difference::NulByteInAFile],
        echo: Some(("unexpected argument nul-byte", "a NUL byte in the line")),
        ..Piece::words(["-L\0"])
    }
}

/// A line that the reference accepts as a command; it gets another malformed line instead.
fn malformed(word: &str, difference: Difference) -> Piece {
    Piece {
        theirs: vec![b"-n".to_vec()],
        differences: vec![difference],
        ..Piece::words([word])
    }
}

/// The name of the program has no meaning in a file, wherever it is.
fn insert_own_name(lines: &mut LineMaker, line: &mut Line) {
    let place = lines.random.below(line.pieces.len() + 1);
    line.pieces.insert(place, Piece::words(["ipvsadm"]));
    line.notes.insert("file: our own name in a line".to_owned());
}

fn lay_out(lines: &mut LineMaker, line: Line) -> InputLine {
    let usual = lines.random.chance(50);
    let mut one_of = |texts: &[&'static str]| {
        if usual {
            texts[0]
        } else {
            lines.random.pick(texts)
        }
    };
    InputLine {
        line,
        before: one_of(&["", " ", "\t", "   "]),
        between: one_of(&[" ", "  ", "\t", " \t\r "]),
        behind: one_of(&["", " ", "\t", "\r"]),
        newline: true,
    }
}
