//! The parts of a session, down to the pieces that can be left out, and its printed form.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use ipvsadm::cli::Verb;

use crate::differences::Difference;
use crate::lab::world::Side;

type Bytes = Vec<u8>;

#[derive(Clone, Debug)]
pub struct Session {
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// One command line.
    Command(Line),
    /// A file of commands.
    Restore { line: Line, input: Vec<InputLine> },
    /// Packets to the UDP service 10.0.0.1:53.
    Packets { count: usize },
}

/// The words of one line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The command at its start.
    pub verb: Verb,
    pub pieces: Vec<Piece>,
    /// The coverage items in it.
    pub notes: BTreeSet<String>,
}

/// Words that belong together, as passed to both programs.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub ours: Vec<Bytes>,
    pub theirs: Vec<Bytes>,
    pub differences: Vec<Difference>,
    /// The text in the reference's message, and the one in ours.
    pub echo: Option<(&'static str, &'static str)>,
}

/// A line of a file, and the text around its words.
#[derive(Clone, Debug)]
pub struct InputLine {
    pub line: Line,
    pub before: &'static str,
    pub between: &'static str,
    pub behind: &'static str,
    pub newline: bool,
}

impl Piece {
    /// The same words for both.
    pub fn words(words: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        let words: Vec<Bytes> = words.into_iter().map(Into::into).collect();
        Piece {
            ours: words.clone(),
            theirs: words,
            ..Piece::default()
        }
    }
}

impl Line {
    pub fn words(&self, side: Side) -> Vec<Bytes> {
        let words = self.pieces.iter().flat_map(|piece| match side {
            Side::Reference => &piece.theirs,
            Side::Ours => &piece.ours,
        });
        words.cloned().collect()
    }

    pub fn differences(&self) -> impl Iterator<Item = Difference> {
        let pieces = self.pieces.iter();
        pieces.flat_map(|piece| piece.differences.iter().copied())
    }

    /// True for steps that change nothing.
    pub fn lists(&self) -> bool {
        matches!(self.verb, Verb::List | Verb::Save)
    }
}

impl InputLine {
    pub fn text(&self, side: Side) -> Bytes {
        let words = self.line.words(side).join(self.between.as_bytes());
        let newline = if self.newline { "\n" } else { "" };
        let parts = [
            self.before.as_bytes(),
            &words,
            self.behind.as_bytes(),
            newline.as_bytes(),
        ];
        parts.concat()
    }
}

impl Step {
    pub fn lines(&self) -> Vec<&Line> {
        match self {
            Step::Command(line) => vec![line],
            Step::Restore { line, input } => {
                let input = input.iter().map(|input| &input.line);
                std::iter::once(line).chain(input).collect()
            }
            Step::Packets { .. } => Vec::new(),
        }
    }

    /// The lines that may be shortened.
    pub fn lines_mut(&mut self) -> Vec<&mut Line> {
        match self {
            Step::Command(line) => vec![line],
            Step::Restore { input, .. } => input.iter_mut().map(|input| &mut input.line).collect(),
            Step::Packets { .. } => Vec::new(),
        }
    }

    fn text(&self, side: Side) -> String {
        match self {
            Step::Command(line) => command(line, side),
            Step::Restore { line, input } => {
                let input = input.iter().map(|line| line.text(side)).collect::<Vec<_>>();
                format!(
                    "printf {} | {}",
                    format_of(&input.concat()),
                    command(line, side)
                )
            }
            Step::Packets { count } => format!("# {count} packets to the UDP service 10.0.0.1:53"),
        }
    }
}

/// As a line for the shell; if the reference's line is different, both.
impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (theirs, ours) = (self.text(Side::Reference), self.text(Side::Ours));
        if theirs == ours {
            write!(f, "{ours}")
        } else {
            write!(f, "{ours}\n#   the reference: {theirs}")
        }
    }
}

impl Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

fn command(line: &Line, side: Side) -> String {
    let words = line.words(side);
    let words = words.iter().map(|word| format!(" {}", quoted(word)));
    format!("ipvsadm{}", words.collect::<String>())
}

/// A word, quoted for the shell.
fn quoted(word: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=+.,:/@%[]".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    if word
        .iter()
        .all(|byte| (b' '..=b'~').contains(byte) && *byte != b'\'')
    {
        format!("'{}'", String::from_utf8_lossy(word))
    } else {
        format!("$'{}'", word.escape_ascii())
    }
}

/// Bytes as an argument of the shell's `printf`.
fn format_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            b'%' => text.push_str("%%"),
            b' '..=b'~' if !b"'\\".contains(byte) => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    format!("'{text}'")
}
