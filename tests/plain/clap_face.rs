//! A `clap::Command` made from the declarations reads every line that the word reader accepts in
//! the same way.

use std::collections::BTreeMap;

use ipvsadm::cli::words::{Event, Words};
use ipvsadm::cli::{Spec, Value, specs};
use proptest::prelude::*;

use crate::face::face;

/// One option or command with its value, in one of its spellings.
fn given() -> impl Strategy<Value = Vec<String>> {
    let rows: Vec<Spec> = specs().collect();
    let value = prop::sample::select(vec!["5", "x", "10.0.0.1:80", "-5", "", "a=b", "--", "-n"]);
    (prop::sample::select(rows), any::<(bool, bool, u8)>(), value).prop_map(
        |(row, (short, attached, letter), value)| {
            let (letters, long) = match row {
                Spec::Command(row) => (row.short.to_vec(), row.long),
                Spec::Option(row) => (row.short.into_iter().collect(), row.long),
            };
            let name = match letters.as_slice() {
                [] => format!("--{long}"),
                _ if !short => format!("--{long}"),
                letters => format!(
                    "-{}",
                    char::from(letters[usize::from(letter) % letters.len()])
                ),
            };
            match row.value() {
                Value::Nothing => vec![name],
                // Without a value it is read differently, depending on what follows; see below.
                Value::Optional(_) => vec![format!("{name}=5")],
                Value::Required(_) if attached => vec![format!("{name}={value}")],
                Value::Required(_) => vec![name, value.to_owned()],
            }
        },
    )
}

fn line() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["x", "5", "-", "1.2.3.4"]);
    let part = prop_oneof![8 => given(), 1 => word.prop_map(|word| vec![word.to_owned()])];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.concat())
}

/// How often each option was given, and its values.
type Given = BTreeMap<&'static str, (usize, Vec<String>)>;

/// A line as the word reader reads it: options with their values, and the other words.
fn by_our_reader(line: &[String]) -> Option<(Given, Vec<String>)> {
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let (mut given, mut others) = (Given::new(), Vec::new());
    for event in Words::new(line.iter().map(|word| word.as_bytes())) {
        match event.ok()? {
            Event::LeftOver(word) => others.push(text(word)),
            Event::Given { spec, value, .. } => {
                let (count, values) = given.entry(spec.long()).or_default();
                // Clap counts a flag once.
                *count = match spec.value() {
                    Value::Nothing => 1,
                    Value::Required(_) | Value::Optional(_) => *count + 1,
                };
                values.extend(value.map(text));
            }
        }
    }
    Some((given, others))
}

/// The same as clap reads it.
fn by_clap(line: &[String]) -> Result<(Given, Vec<String>), clap::Error> {
    let matches = face().no_binary_name(true).try_get_matches_from(line)?;
    let values = |name: &str| -> Vec<String> {
        let values = matches.get_many::<String>(name).into_iter().flatten();
        values.cloned().collect()
    };
    let mut given = Given::new();
    for spec in specs() {
        let name = spec.long();
        let (count, values) = match spec.value() {
            Value::Nothing => (usize::from(matches.get_flag(name)), Vec::new()),
            Value::Required(_) | Value::Optional(_) => {
                let occurrences = matches.get_occurrences::<String>(name);
                (occurrences.map_or(0, Iterator::count), values(name))
            }
        };
        if count > 0 {
            given.insert(name, (count, values));
        }
    }
    Ok((given, values("words")))
}

proptest! {
    #[test]
    fn clap_reads_what_the_word_reader_reads(line in line()) {
        if let Some(expected) = by_our_reader(&line) {
            let read = by_clap(&line).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(read, expected);
        }
    }
}

#[test]
fn a_bare_persistence_at_the_end_is_accepted() {
    for line in [["-A", "-p"], ["-A", "--persistent"], ["-A", "-p5"]] {
        assert!(
            face()
                .no_binary_name(true)
                .try_get_matches_from(line)
                .is_ok(),
            "{line:?}"
        );
    }
}
