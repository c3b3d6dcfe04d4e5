//! Words are read as options the same way as by libpopt.

use std::collections::VecDeque;
use std::ffi::c_char;
use std::ptr;

use anyhow::Result;
use ipvsadm::cli::words::{Event, Fault, Words};
use ipvsadm::cli::{Spec, specs};

use crate::drive::{Reader, Surface};
use crate::library::{Popt, Step};
use crate::mill::{self, Mill};

pub const SURFACE: Surface = Surface {
    name: "words",
    quick: 100_000,
    mill,
    open,
};

/// The text that popt replaces with another word, which can make it loop.
const MACRO: &[u8] = b"!#:+";

fn mill() -> Mill {
    let mut pieces = mill::pieces(&[" ", " ", " ", "-", "--", "=", "5", "x", "\u{e4}", "\n"]);
    for row in specs() {
        pieces.push(format!(" --{}", row.long()).into_bytes());
        let letters = match row {
            Spec::Command(row) => row.short.to_vec(),
            Spec::Option(row) => row.short.into_iter().collect(),
        };
        for letter in letters {
            pieces.push(vec![letter]);
            pieces.push(vec![b' ', b'-', letter]);
        }
    }
    Mill::new(mill::lines(include_str!("corpus/words")), pieces)
}

fn open() -> Result<Reader> {
    let popt = Popt::load()?;
    let rows: Vec<&str> = specs().map(Spec::long).collect();
    Ok(Box::new(move |line, _| {
        if line.windows(MACRO.len()).any(|text| text == MACRO) {
            return;
        }
        // Words of a line contain no NUL.
        let line: Vec<u8> = line.iter().map(|&byte| byte.max(1)).collect();
        compare(&popt, &rows, &line);
    }))
}

/// The remaining words and the values of options, one by one.
fn compare(popt: &Popt, rows: &[&str], line: &[u8]) {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let mut bytes = line.to_vec();
    bytes.push(0);
    for byte in bytes.iter_mut().filter(|byte| **byte == b' ') {
        *byte = 0;
    }
    let mut pointers: Vec<*const c_char> = vec![c"ipvsadm".as_ptr()];
    let mut place = 0;
    for word in &words {
        pointers.push(bytes[place..].as_ptr().cast());
        place += word.len() + 1;
    }
    pointers.push(ptr::null());

    let mut ours = Words::new(words.iter().copied());
    let mut left_over = VecDeque::new();
    popt.read(&pointers, |step, word| {
        if step == Step::LeftOver {
            assert_eq!(left_over.pop_front(), Some(word), "left over");
            return;
        }
        let event = loop {
            match ours.next() {
                Some(Ok(Event::LeftOver(word))) => left_over.push_back(word),
                event => break event,
            }
        };
        match (step, event) {
            (
                Step::Option(number, their_value),
                Some(Ok(Event::Given {
                    spec,
                    value,
                    word: our_word,
                })),
            ) => {
                assert_eq!(spec.long(), rows[number]);
                assert_eq!((value, our_word), (their_value, word), "{}", rows[number]);
            }
            (Step::Error(error), Some(Err(fault))) => {
                assert_eq!(numbered(fault), (error, word));
                // The rest is not read.
                ours = Words::new([].iter().copied());
            }
            (Step::End, None) => {}
            (step, event) => panic!("{step:?} is {event:?} to us"),
        }
    });
    assert_eq!(left_over, [b""; 0], "left over");
}

fn numbered(fault: Fault<'_>) -> (i32, &[u8]) {
    match fault {
        Fault::MissingValue(word) => (-10, word),
        Fault::UnknownOption(word) => (-11, word),
        Fault::UnwantedValue(word) => (-12, word),
    }
}
