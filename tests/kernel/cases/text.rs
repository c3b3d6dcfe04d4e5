//! The text of case files.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::kernels::{self, Kernel};
use crate::lab::world::{Output, Status};

/// A title and its steps.
pub struct Case {
    pub title: String,
    /// The kernels it runs on, if not all.
    pub kernels: Option<Vec<Kernel>>,
    /// The kernel has no IPVS at the start.
    pub without_ipvs: bool,
    pub steps: Vec<Step>,
}

/// One command or shell line.
pub struct Step {
    pub line: usize,
    pub text: String,
    pub what: What,
    pub stdin: Vec<u8>,
    pub expected: Expected,
}

pub enum What {
    /// The arguments of `ipvsadm`.
    Command(Vec<OsString>),
    /// A line for the shell.
    Shell,
}

/// The expected result of a step.
pub enum Expected {
    /// The same on both sides.
    Same,
    /// This on both sides.
    Both(Output),
    /// One for each side.
    Each { theirs: Output, ours: Output },
}

impl Step {
    /// True for a command that changes nothing.
    pub fn lists(&self) -> bool {
        let What::Command(words) = &self.what else {
            return false;
        };
        let Some(first) = words.get(1) else {
            return true;
        };
        match first.as_bytes() {
            [b'-', b'-', name @ ..] => name == b"list" || name == b"save",
            [b'-', letter, ..] => b"LlS".contains(letter),
            _ => false,
        }
    }
}

/// The cases of a file.
pub fn parse(text: &str) -> Result<Vec<Case>> {
    let mut file = CaseFile::default();
    for (index, line) in text.lines().enumerate() {
        file.parse_line(index + 1, line)
            .with_context(|| format!("line {}: {line}", index + 1))?;
    }
    Ok(file.cases)
}

/// The part of a file read so far.
#[derive(Default)]
struct CaseFile {
    cases: Vec<Case>,
    /// The kernels of a case that names none.
    kernels: Option<Vec<Kernel>>,
}

impl CaseFile {
    fn parse_line(&mut self, number: usize, line: &str) -> Result<()> {
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(title) = line.strip_prefix("== ") {
            let is_new = self.cases.iter().all(|case| case.title != title);
            ensure!(is_new, "this title is already used");
            self.cases.push(Case {
                title: title.to_owned(),
                kernels: self.kernels.clone(),
                without_ipvs: false,
                steps: Vec::new(),
            });
            return Ok(());
        }
        if let Some(names) = line.strip_prefix("kernels:") {
            let kernels = Some(kernels::parse(names)?);
            match self.cases.last_mut() {
                Some(case) => case.kernels = kernels,
                None => self.kernels = kernels,
            }
            return Ok(());
        }
        let case = self.cases.last_mut();
        let case = case.context("a case starts with `== ` and its title")?;
        if line == "without: ip_vs" {
            case.without_ipvs = true;
            return Ok(());
        }
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "$" => {
                let words = split_words(rest)?;
                let named = words
                    .first()
                    .is_some_and(|word| word.as_bytes().ends_with(b"ipvsadm"));
                ensure!(named, "`$` is only for ipvsadm, `%` for the shell");
                case.steps
                    .push(Step::new(number, rest, What::Command(words)));
            }
            "%" => case.steps.push(Step::new(number, rest, What::Shell)),
            _ => {
                let step = case
                    .steps
                    .last_mut()
                    .context("this line comes before any step")?;
                step.add(mark, rest)?;
            }
        }
        Ok(())
    }
}

impl Step {
    fn new(line: usize, text: &str, what: What) -> Self {
        Step {
            line,
            text: text.to_owned(),
            what,
            stdin: Vec::new(),
            expected: Expected::Same,
        }
    }

    /// Adds a line of input or of expected output.
    fn add(&mut self, mark: &str, rest: &str) -> Result<()> {
        if mark == "<" {
            self.stdin.extend_from_slice(rest.as_bytes());
            self.stdin.push(b'\n');
            return Ok(());
        }
        if let Some(kind) = mark.strip_prefix("theirs") {
            return expect(self.expected.each()?.0, kind, rest);
        }
        if let Some(kind) = mark.strip_prefix("ours") {
            return expect(self.expected.each()?.1, kind, rest);
        }
        expect(self.expected.both()?, mark, rest)
    }
}

impl Expected {
    fn both(&mut self) -> Result<&mut Output> {
        if let Expected::Same = self {
            *self = Expected::Both(nothing());
        }
        match self {
            Expected::Both(output) => Ok(output),
            _ => bail!("the expected output of each side is already given"),
        }
    }

    fn each(&mut self) -> Result<(&mut Output, &mut Output)> {
        if let Expected::Same = self {
            *self = Expected::Each {
                theirs: nothing(),
                ours: nothing(),
            };
        }
        match self {
            Expected::Each { theirs, ours } => Ok((theirs, ours)),
            _ => bail!("the expected output of both sides is already given"),
        }
    }
}

fn nothing() -> Output {
    Output {
        stdout: Vec::new(),
        stderr: Vec::new(),
        status: Status::Exit(0),
    }
}

fn expect(output: &mut Output, kind: &str, rest: &str) -> Result<()> {
    let stream = match kind {
        "|" => &mut output.stdout,
        "!" => &mut output.stderr,
        "=" => {
            output.status = Status::Exit(rest.parse()?);
            return Ok(());
        }
        _ => bail!("lines begin with one of: == # kernels: without: $ % < | ! = theirs| ours! …"),
    };
    stream.extend_from_slice(rest.as_bytes());
    stream.push(b'\n');
    Ok(())
}

/// Splits a line into words as the shell does, with '…', "…", $'…' and backslashes.
fn split_words(line: &str) -> Result<Vec<OsString>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b' ' {
            words.extend(word.take().map(OsString::from_vec));
            continue;
        }
        let word = word.get_or_insert_default();
        match byte {
            b'\'' => quoted(&mut bytes, word, b'\'', |_, _| None)?,
            b'"' => quoted(&mut bytes, word, b'"', |letter, _| {
                b"\"\\".contains(&letter).then_some(letter)
            })?,
            b'$' if bytes.peek() == Some(&b'\'') => {
                bytes.next();
                quoted(&mut bytes, word, b'\'', escaped)?;
            }
            b'\\' => word.push(bytes.next().context("a backslash at the end")?),
            _ => word.push(byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    Ok(words)
}

type Bytes<'a> = std::iter::Peekable<std::str::Bytes<'a>>;

/// Adds the text before the closing quote `end`; `escape` interprets a backslash and a letter,
/// where escapes are allowed.
fn quoted(
    bytes: &mut Bytes,
    word: &mut Vec<u8>,
    end: u8,
    escape: fn(u8, &mut Bytes) -> Option<u8>,
) -> Result<()> {
    loop {
        let byte = bytes.next().context("a quote without its end")?;
        if byte == end {
            return Ok(());
        }
        let letter = bytes.peek().copied().unwrap_or(end);
        let escaped = (byte == b'\\').then(|| {
            let mut rest = bytes.clone();
            rest.next();
            let meaning = escape(letter, &mut rest)?;
            *bytes = rest;
            Some(meaning)
        });
        word.push(escaped.flatten().unwrap_or(byte));
    }
}

/// What a backslash and `letter` mean in $'…'.
fn escaped(letter: u8, rest: &mut Bytes) -> Option<u8> {
    let mut digit = || char::from(rest.next()?).to_digit(16);
    match letter {
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'x' => Some((digit()? * 16 + digit()?) as u8),
        b'\\' | b'\'' => Some(letter),
        _ => None,
    }
}
