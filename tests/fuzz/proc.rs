//! The kernel's text tables: of connections and, for completion, of services.

use std::io::{self, Read};

use anyhow::Result;
use ipvsadm::cli::complete::{self, Answer};
use ipvsadm::cli::surroundings::Surroundings;
use ipvsadm::command::{Columns, Format, View};
use ipvsadm::kernel::{parse_connection, parse_table};
use ipvsadm::lines::Lines;
use ipvsadm::names::Names;
use ipvsadm::render::{self, Out, Screen};

use crate::drive::{Reader, Surface};
use crate::mill::{self, Mill};
use crate::random::Random;

pub const SURFACE: Surface = Surface {
    name: "proc",
    quick: 10_000,
    mill,
    open,
};

fn mill() -> Mill {
    let pieces = mill::pieces(&[
        "\n",
        " ",
        "  -> ",
        "TCP ",
        "UDP ",
        "SCTP ",
        "FWM ",
        "IPv6 ",
        "0A000001",
        ":",
        "0050",
        "[2001:0db8:0000:0000:0000:0000:0000:0001]",
        " persistent 360 FFFFFFFF",
        " rr",
        "\r",
        "4294967296",
        "-1",
        "\u{e4}",
        "\u{1b}[2J",
    ]);
    Mill::new(mill::texts(include_str!("corpus/proc")), pieces)
}

/// Lines whose last word is completed from the table.
const LINES: [&[&[u8]]; 4] = [
    &[b"-D", b"-t", b""],
    &[b"-d", b"-t", b"10.0.0.1:80", b"-r", b""],
    &[b"-E", b"-f", b""],
    &[b"-a", b"-u["],
];

const VIEW: View = View {
    columns: Columns::PersistentConnections,
    exact: false,
    sorted: true,
};

const PAPER: Screen = Screen {
    width: None,
    colour: false,
};

fn open() -> Result<Reader> {
    let mut names = Names::numeric();
    Ok(Box::new(move |text, random| {
        let mut sink = io::sink();
        let mut out = Out::new(&mut sink);
        for name in [Format::Classic, Format::Json] {
            let mut format = render::format(name, VIEW, PAPER);
            format.begin_connections(&mut out).expect("room");
            for line in text.split(|&byte| byte == b'\n') {
                if let Some(connection) = parse_connection(line) {
                    let shown = format.connection(&mut out, &mut names, &connection);
                    shown.expect("room");
                }
            }
        }
        // Reading takes much longer than parsing.
        if random.chance(2) {
            read_in_pieces(text, random);
        }
        let live = Surroundings {
            services: parse_table(&String::from_utf8_lossy(text)),
            interfaces: text.to_vec(),
            ..Surroundings::default()
        };
        for line in LINES {
            let (last, _) = line
                .split_last()
                .map(|(last, rest)| (*last, rest))
                .expect("words");
            if let Answer::Words(candidates) = complete::answer(line, &live) {
                let mut candidates = candidates.iter();
                assert!(candidates.all(|candidate| candidate.text.starts_with(last)));
            }
        }
    }))
}

fn read_in_pieces(text: &[u8], random: &mut Random) {
    let whole = text.strip_suffix(b"\n").unwrap_or(text);
    let count = if text.is_empty() { 0 } else { usize::MAX };
    let mut expected = whole.split(|&byte| byte == b'\n').take(count);
    let mut lines = Lines::new(Pieces { text, random });
    while let Some(line) = lines.read().expect("nothing fails") {
        assert_eq!(Some(line), expected.next());
    }
    assert_eq!(expected.next(), None);
}

/// A text that arrives in pieces of random size.
struct Pieces<'a> {
    text: &'a [u8],
    random: &'a mut Random,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.random.chance(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.text.len().min(buffer.len());
        let length = match most {
            0 => 0,
            most => 1 + self.random.below(most),
        };
        self.text.read(&mut buffer[..length])
    }
}
