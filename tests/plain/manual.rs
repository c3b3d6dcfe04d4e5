//! The manual says what the table says, and misses nothing.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use clap_mangen::Man;
use ipvsadm::cli::specs;

use crate::face::face;

const BEGIN: &str = ".\\\" What follows is made of the option table.\n";
const END: &str = ".\\\" Here ends what is made of the option table.\n";

fn page() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/ipvsadm.8");
    let text = fs::read_to_string(&path).expect("the page is there");
    (path, text)
}

/// Commands and options as the page has them, in lines of a decent length.
fn made_of_the_table() -> String {
    let mut roff = Vec::new();
    let man = Man::new(face());
    man.render_options_section(&mut roff)
        .expect("memory takes all");
    let roff = String::from_utf8(roff).expect("roff is text");
    let roff = roff.replace("\\*(Aq", "'");
    let mut wrapped = String::new();
    for line in roff
        .lines()
        .filter(|line| !line.starts_with(".ie") && !line.starts_with(".el"))
    {
        let mut length = 0;
        for word in line.split(' ') {
            if length > 0 && length + word.len() >= 79 {
                wrapped.push('\n');
                length = 0;
            }
            let blank = if length > 0 { " " } else { "" };
            write!(wrapped, "{blank}{word}").expect("memory takes all");
            length += blank.len() + word.len();
        }
        wrapped.push('\n');
    }
    wrapped
}

#[test]
fn the_options_are_those_of_the_table() {
    let (path, page) = page();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the page says where they begin");
    let (options, after) = rest.split_once(END).expect("the page says where they end");
    let expected = made_of_the_table();
    if env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(path, [before, BEGIN, &expected, END, after].concat()).expect("it is ours");
        return;
    }
    assert!(
        options == expected,
        "the table has changed: UPDATE_MANUAL=1 cargo test --test plain manual"
    );
}

#[test]
fn every_row_of_the_table_is_on_the_page() {
    let (_, page) = page();
    for row in specs() {
        let name = row.long().replace('-', "\\-");
        assert!(page.contains(&format!("\\-\\-{name}\\fR")), "--{name}");
    }
}
