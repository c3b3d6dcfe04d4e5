//! The declarations as a `clap::Command` accept every line that the word reader accepts.

use ipvsadm::cli::words::Words;
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
                // A bare one is read differently, depending on what follows; see below.
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

proptest! {
    #[test]
    fn what_the_word_reader_accepts_clap_accepts(line in line()) {
        let words = Words::new(line.iter().map(|word| word.as_bytes()));
        let accepted = words.into_iter().all(|event| event.is_ok());
        let matches = face().no_binary_name(true).try_get_matches_from(&line);
        prop_assert!(!accepted || matches.is_ok(), "{}", matches.unwrap_err());
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
