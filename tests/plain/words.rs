//! The word rules, as observed in the original.

use ipvsadm::cli::words::{Event, Fault, Words};

/// The events of a line in short: `-L`, `w=5` for an option and its value, `'x'` for a remaining
/// word, each with its name in messages.
fn events(line: &[&str]) -> Vec<String> {
    let words = Words::new(line.iter().map(|word| word.as_bytes()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    words
        .map(|event| match event {
            Ok(Event::LeftOver(word)) => format!("'{}'", text(word)),
            Ok(Event::Given { spec, value, word }) => {
                let name = spec.long();
                let value = value.map_or(String::new(), |value| format!("={}", text(value)));
                format!("{name}{value} ({})", text(word))
            }
            Err(Fault::UnknownOption(word)) => format!("{}: unknown", text(word)),
            Err(Fault::MissingValue(word)) => format!("{}: missing", text(word)),
            Err(Fault::UnwantedValue(word)) => format!("{}: unwanted", text(word)),
        })
        .collect()
}

#[track_caller]
fn reads(line: &[&str], expected: &[&str]) {
    assert_eq!(events(line), expected, "{line:?}");
}

#[test]
fn short_options_bundle() {
    reads(&["-Ln"], &["list (-Ln)", "numeric (-Ln)"]);
    reads(
        &["-At1.2.3.4:80"],
        &[
            "add-service (-At1.2.3.4:80)",
            "tcp-service=1.2.3.4:80 (-At1.2.3.4:80)",
        ],
    );
}

#[test]
fn values_are_attached_or_stand_in_the_next_word() {
    reads(&["-w5"], &["weight=5 (-w5)"]);
    reads(&["-w=5"], &["weight=5 (-w=5)"]);
    reads(&["-w=="], &["weight== (-w==)"]);
    reads(&["-w="], &["weight= (-w=)"]);
    reads(&["-w", "-5"], &["weight=-5 (-5)"]);
    reads(&["-w", "--"], &["weight=-- (--)"]);
    reads(&["--weight", "5"], &["weight=5 (5)"]);
    reads(&["--weight=5"], &["weight=5 (--weight=5)"]);
    reads(&["--weight="], &["weight= (--weight=)"]);
    reads(&["-w"], &["-w: missing"]);
    reads(&["-nw"], &["numeric (-nw)", "-nw: missing"]);
}

#[test]
fn long_names_are_exact() {
    reads(&["--weigh", "5"], &["--weigh: unknown", "'5'"]);
    reads(&["--foo=bar"], &["--foo=bar: unknown"]);
}

#[test]
fn persistence_has_a_value_only_where_one_is_at_hand() {
    reads(&["-p5"], &["persistent=5 (-p5)"]);
    reads(&["-p=5"], &["persistent=5 (-p=5)"]);
    reads(&["-p", "5"], &["persistent=5 (5)"]);
    reads(&["-p"], &["persistent (-p)"]);
    reads(&["-ps", "rr"], &["persistent=s (-ps)", "'rr'"]);
    reads(
        &["-p", "-s", "rr"],
        &["persistent (-p)", "scheduler=rr (rr)"],
    );
    reads(&["-p", "-"], &["persistent (-p)", "'-'"]);
    reads(&["-p", "--", "-n"], &["persistent (-p)", "'-n'"]);
    reads(&["-p", "-5"], &["persistent (-p)", "-5: unknown"]);
    reads(&["--persistent=5"], &["persistent=5 (--persistent=5)"]);
    reads(&["--persistent", "5"], &["persistent=5 (5)"]);
}

#[test]
fn options_without_a_value_refuse_one() {
    for word in ["-n=3", "-n=", "--numeric=3", "--numeric="] {
        reads(&[word], &[&format!("{word}: unwanted")]);
    }
    reads(&["-Ln="], &["list (-Ln=)", "-Ln=: unwanted"]);
}

#[test]
fn an_unknown_letter_names_the_whole_word() {
    reads(&["-Lq"], &["list (-Lq)", "-Lq: unknown"]);
    reads(&["-1"], &["-1: unknown"]);
    reads(&["-\u{e4}"], &["-\u{e4}: unknown"]);
}

#[test]
fn other_words_are_left_over() {
    reads(&["x", "-", "", "-L"], &["'x'", "'-'", "''", "list (-L)"]);
    reads(&["-L", "--", "-n", "--"], &["list (-L)", "'-n'", "'--'"]);
}

#[test]
fn the_word_of_a_value_is_the_word_of_its_command() {
    reads(&["--start-daemon", "x"], &["start-daemon=x (x)"]);
    reads(
        &["--start-daemon=x"],
        &["start-daemon=x (--start-daemon=x)"],
    );
}
