//! Intended differences from the reference. Each is a rule that rewrites the input or the output of
//! the reference, so that ours must then print the same.

use anyhow::{Result, ensure};
use ipvsadm::cli::help;
use ipvsadm::cli::{Spec, specs};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Output, Program, Side, World};

/// The intended differences that generated tests meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    HelpText,
    VersionText,
    UnsignedMarks,
    SavedThresholds,
    ThirdFlagIsListed,
    ThirdFlagIsSaved,
    WholeNamesInSave,
    NameOfIpv6Host,
    RestoreSaysWhere,
    RestoreFailsIfALineDid,
    HelpInAFile,
    VersionInAFile,
    CommentsInAFile,
    NulByteInAFile,
    BracketsWithoutPort,
    PortBehindBrackets,
    EarlyIpv6,
    EarlyMask,
    EarlyServer,
    HexadecimalMark,
    OnlyCommas,
    MacroOfPopt,
    Format,
}

impl Difference {
    pub const ALL: [Self; 23] = [
        Self::HelpText,
        Self::VersionText,
        Self::UnsignedMarks,
        Self::SavedThresholds,
        Self::ThirdFlagIsListed,
        Self::ThirdFlagIsSaved,
        Self::WholeNamesInSave,
        Self::NameOfIpv6Host,
        Self::RestoreSaysWhere,
        Self::RestoreFailsIfALineDid,
        Self::HelpInAFile,
        Self::VersionInAFile,
        Self::CommentsInAFile,
        Self::NulByteInAFile,
        Self::BracketsWithoutPort,
        Self::PortBehindBrackets,
        Self::EarlyIpv6,
        Self::EarlyMask,
        Self::EarlyServer,
        Self::HexadecimalMark,
        Self::OnlyCommas,
        Self::MacroOfPopt,
        Self::Format,
    ];
}

const PAGE: &str = include_str!("../../DIFFERENCES.md");

/// The options that the reference does not know.
const OURS_ALONE: &[&str] = &[
    "format", "json", "all", "exist", "keep", "client", "state", "count", "totals", "output",
    "strict", "verbose", "apply", "diff", "check", "drain", "doctor", "probe", "wait", "confirm",
    "watch", "sort-by", "netns",
];

/// One of them, with a value that changes nothing: the reference, without it, does the same.
pub const NEUTRAL: (&str, &str) = ("format", "classic");

pub fn is_ours_alone(long: &str) -> bool {
    OURS_ALONE.contains(&long)
}

pub fn tests() -> Vec<KernelTest> {
    let mut test = KernelTest::new(
        "differences::the_reference_knows_all_but_ours_alone",
        the_reference_knows_all_but_ours_alone,
    );
    // The reference reads words the same way on every kernel.
    test.kernels = vec![Kernel::V7_2];
    vec![test]
}

fn the_reference_knows_all_but_ours_alone(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    for row in specs().filter(|row| matches!(row, Spec::Option(_))) {
        let mut words = vec!["--zero".to_owned(), format!("--{}", row.long())];
        if row.value().form().is_some() {
            words.push("1".to_owned());
        }
        let output = here.run(&Program::ipvsadm(Side::Reference).args(&words))?;
        let said = String::from_utf8(output.stderr)?;
        let is_unknown = said == format!("{}: unknown option\n", words[1]);
        ensure!(is_unknown == is_ours_alone(row.long()), "{words:?}: {said}");
        let is_listed = PAGE.contains(&format!("`{}`", words[1]));
        ensure!(is_listed || !is_unknown, "{words:?} is not listed");
    }
    Ok(())
}

/// The first line of the reference's help, and its whole version text.
const THEIR_VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

/// Service names that are too long for the reference's column of hosts and ports; in tests the host
/// is always this one.
const LONG_NAMES: [&str; 2] = [
    "a-name-beyond-all-limits.with-a-very-long-domain-behind-it.example.net:http-alt",
    "[a-name-beyond-all-limits.with-a-very-long-domain-behind-it.v6.example.net]:http-alt",
];
const ROOM_FOR_NAMES: usize = 59;

/// Rewrites the reference's output into what ours must print, as far as the text allows; returns
/// the differences too.
pub fn rewrite(theirs: &mut Output) -> Vec<Difference> {
    let Ok(text) = String::from_utf8(theirs.stdout.clone()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let lines = text.split_inclusive('\n');
    let rewritten: String = match text.strip_prefix(THEIR_VERSION) {
        Some("") => {
            found.push(Difference::VersionText);
            help::VERSION.to_owned()
        }
        Some(_) => {
            found.push(Difference::HelpText);
            help::help(b"ipvsadm")
        }
        None => lines.map(|line| rewrite_line(line, &mut found)).collect(),
    };
    theirs.stdout = rewritten.into_bytes();
    found
}

fn rewrite_line(line: &str, found: &mut Vec<Difference>) -> String {
    let mut line = line.to_owned();
    let is_saved = line.starts_with("-A ") || line.starts_with("-a ");
    let mark = if is_saved { " -f -" } else { "FWM  -" };
    if let Some(at) = line.find(mark) {
        found.push(Difference::UnsignedMarks);
        line = with_unsigned_mark(&line, at + mark.len() - 1);
    }
    if !is_saved && line.contains(" ()") {
        found.push(Difference::ThirdFlagIsListed);
        line = line.replace(" ()", " (flag-3)");
    }
    if is_saved && line.ends_with(" -b \n") {
        found.push(Difference::ThirdFlagIsSaved);
        line.insert_str(line.len() - 1, "flag-3");
    }
    for name in LONG_NAMES.iter().filter(|_| is_saved) {
        let cut = &name[..ROOM_FOR_NAMES];
        if line.contains(cut) {
            found.push(Difference::WholeNamesInSave);
            line = line.replace(cut, name);
        }
    }
    line
}

/// The line with the negative mark at `at` written as unsigned. Padding after it is adjusted, so
/// columns stay aligned.
fn with_unsigned_mark(line: &str, at: usize) -> String {
    let length = line[at + 1..]
        .find(|c: char| !c.is_ascii_digit())
        .map_or(line.len() - at, |length| length + 1);
    let (before, rest) = line.split_at(at);
    let (negative, behind) = rest.split_at(length);
    let mark = (negative.parse::<i32>().unwrap_or_default() as u32).to_string();
    let behind = match behind.find("  ") {
        Some(end) => {
            let (name, column) = behind.split_at(end);
            let numbers = column.trim_start();
            let width = (negative.len() + column.len()) - (mark.len() + numbers.len());
            format!("{name}{:width$}{numbers}", "")
        }
        None => behind.to_owned(),
    };
    format!("{before}{mark}{behind}")
}

/// Gives listings in the reference's restore the table sizes that ours prints. Some kernels create
/// the connection table with the first service; the reference keeps printing the size it read at
/// the start.
pub fn take_sizes(theirs: &mut Output, ours: &Output) {
    let Ok(text) = String::from_utf8(theirs.stdout.clone()) else {
        return;
    };
    let ours = String::from_utf8_lossy(&ours.stdout);
    let mut titles = ours.split_inclusive('\n').filter(|line| is_title(line));
    let lines = text.split_inclusive('\n');
    let rewritten: String = lines
        .map(
            |line| match is_title(line).then(|| titles.next()).flatten() {
                Some(title) if line.ends_with("(size=0)\n") => title,
                _ => line,
            },
        )
        .collect();
    theirs.stdout = rewritten.into_bytes();
}

fn is_title(line: &str) -> bool {
    let size = line.strip_prefix("IP Virtual Server version 1.2.1 (size=");
    size.and_then(|rest| rest.strip_suffix(")\n"))
        .is_some_and(|size| size.parse::<u32>().is_ok())
}

/// Adds the thresholds, which the reference drops in saves, from its listing of thresholds.
pub fn add_thresholds(saved: &mut Output, listing: &[u8]) -> Vec<Difference> {
    let saved_text = String::from_utf8_lossy(&saved.stdout);
    let listing = String::from_utf8_lossy(listing);
    let mut found = Vec::new();
    let mut text = String::new();
    for (line, listed) in saved_text.lines().zip(listing.lines().skip(3)) {
        text += line;
        let fields: Vec<&str> = listed.split_whitespace().collect();
        if let ["->", _, upper, lower, ..] = fields[..] {
            for (option, threshold) in [(" -x ", upper), (" -y ", lower)] {
                if threshold != "0" {
                    found.push(Difference::SavedThresholds);
                    text = text + option + threshold;
                }
            }
        }
        text.push('\n');
    }
    saved.stdout = text.into_bytes();
    found
}
