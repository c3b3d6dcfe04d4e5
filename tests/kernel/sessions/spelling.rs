//! Turns options and their values into words, in every spelling that the programs know.

use std::collections::BTreeSet;

use ipvsadm::cli::Spec;

use super::random::Random;
use super::script::Piece;
use super::values::Value;
use crate::differences::Difference;

/// An item on a line before it is spelled.
#[derive(Clone, Debug)]
pub enum Item {
    /// A command or an option, by its long name.
    Option {
        name: &'static str,
        value: Option<Value>,
    },
    /// Literal words.
    Words(Piece),
}

impl Item {
    pub fn flag(name: &'static str) -> Self {
        Item::Option { name, value: None }
    }

    pub fn valued(name: &'static str, value: Value) -> Self {
        let value = Some(value);
        Item::Option { name, value }
    }

    pub fn words(words: &[&[u8]]) -> Self {
        Item::Words(Piece::words(words.iter().copied()))
    }

    pub fn has_value(&self) -> bool {
        matches!(self, Item::Option { value: Some(_), .. })
    }

    /// As separate words.
    fn plainly(&self) -> Piece {
        match self {
            Item::Words(piece) => piece.clone(),
            Item::Option { name, value } => {
                let name = match letters(name)[..] {
                    [letter, ..] => vec![b'-', letter],
                    [] => [b"--", name.as_bytes()].concat(),
                };
                let mut piece = Piece::words([name]);
                if let Some(value) = value {
                    add_value(&mut piece, value, Attachment::NextWord);
                }
                piece
            }
        }
    }
}

/// Items that the reference accepts only in another order.
pub fn reordered(difference: Difference, ours: &[Item], theirs: &[Item]) -> Item {
    let [ours, theirs] = [ours, theirs].map(|items| items.iter().map(Item::plainly));
    let mut piece = Piece {
        differences: vec![difference],
        ..Piece::default()
    };
    for item in ours {
        piece.ours.extend(item.ours);
        piece.differences.extend(item.differences);
    }
    piece.theirs = theirs.flat_map(|item| item.theirs).collect();
    Item::Words(piece)
}

fn letters(name: &str) -> Vec<u8> {
    match Spec::by_long(name.as_bytes()) {
        Some(Spec::Command(row)) => row.short.to_vec(),
        Some(Spec::Option(row)) => row.short.into_iter().collect(),
        None => Vec::new(),
    }
}

/// How options are spelled.
pub const SPELLINGS: [&str; 11] = [
    "short",
    "short, value attached",
    "short, value behind =",
    "short, value in the next word",
    "in a bundle",
    "in a bundle, value attached",
    "in a bundle, value behind =",
    "in a bundle, value in the next word",
    "long",
    "long, value behind =",
    "long, value in the next word",
];

/// How a value follows its option.
#[derive(Clone, Copy)]
enum Attachment {
    Direct,
    Equals,
    NextWord,
}

fn add_value(piece: &mut Piece, value: &Value, attachment: Attachment) {
    for (words, text) in [
        (&mut piece.ours, &value.ours),
        (&mut piece.theirs, &value.theirs),
    ] {
        let attached = match attachment {
            Attachment::Direct => &[][..],
            Attachment::Equals => b"=",
            Attachment::NextWord => {
                words.push(text.clone());
                continue;
            }
        };
        if let Some(word) = words.last_mut() {
            word.extend_from_slice(attached);
            word.extend_from_slice(text);
        }
    }
    piece.differences.extend(value.difference);
    piece.echo = piece.echo.or(value.echo);
}

/// Spells items; adds the spellings used to `notes`.
pub fn spell(items: &[Item], random: &mut Random, notes: &mut BTreeSet<String>) -> Vec<Piece> {
    let mut speller = Speller {
        random,
        notes,
        pieces: Vec::new(),
        bundle_is_open: false,
    };
    for item in items {
        match item {
            Item::Words(piece) => {
                speller.pieces.push(piece.clone());
                speller.bundle_is_open = false;
            }
            Item::Option { name, value } => speller.option(name, value.as_ref()),
        }
    }
    speller.pieces
}

struct Speller<'a> {
    random: &'a mut Random,
    notes: &'a mut BTreeSet<String>,
    pieces: Vec<Piece>,
    /// The last piece is a bundle of letters that more letters can follow.
    bundle_is_open: bool,
}

impl Speller<'_> {
    fn option(&mut self, name: &'static str, value: Option<&Value>) {
        self.notes.insert(format!("option: --{name}"));
        let letters = letters(name);
        if letters.is_empty() || self.random.chance(30) {
            self.long(name, value);
        } else {
            let letter = *self.random.pick(&letters);
            self.short(letter, name, value);
        }
    }

    fn long(&mut self, name: &str, value: Option<&Value>) {
        let mut piece = Piece::words([[b"--", name.as_bytes()].concat()]);
        match value {
            None => self.note("long"),
            Some(value) => {
                let attachment = if self.random.chance(40) {
                    Attachment::Equals
                } else {
                    Attachment::NextWord
                };
                self.note(match attachment {
                    Attachment::Equals => "long, value behind =",
                    _ => "long, value in the next word",
                });
                add_value(&mut piece, value, attachment);
            }
        }
        self.pieces.push(piece);
        self.bundle_is_open = false;
    }

    fn short(&mut self, letter: u8, name: &str, value: Option<&Value>) {
        let in_bundle = self.bundle_is_open && self.random.chance(50);
        if !in_bundle {
            self.pieces.push(Piece::words([[b'-']]));
        }
        let attachment = self.attachment(value);
        self.note(match (value, attachment, in_bundle) {
            (None, _, false) => "short",
            (None, _, true) => "in a bundle",
            (Some(_), Attachment::Direct, false) => "short, value attached",
            (Some(_), Attachment::Direct, true) => "in a bundle, value attached",
            (Some(_), Attachment::Equals, false) => "short, value behind =",
            (Some(_), Attachment::Equals, true) => "in a bundle, value behind =",
            (Some(_), Attachment::NextWord, false) => "short, value in the next word",
            (Some(_), Attachment::NextWord, true) => "in a bundle, value in the next word",
        });
        if let Some(piece) = self.pieces.last_mut() {
            for words in [&mut piece.ours, &mut piece.theirs] {
                words.iter_mut().for_each(|word| word.push(letter));
            }
            if let Some(value) = value {
                add_value(piece, value, attachment);
            }
        }
        // Anything that follows in the same word would be read as the optional value.
        self.bundle_is_open = value.is_none() && name != "persistent";
    }

    fn attachment(&mut self, value: Option<&Value>) -> Attachment {
        let choices = [
            (50, Attachment::NextWord),
            (15, Attachment::Equals),
            (35, Attachment::Direct),
        ];
        match value {
            // An empty value cannot be attached.
            Some(value) if value.ours.is_empty() => self.random.weighted(&choices[..2]),
            _ => self.random.weighted(&choices),
        }
    }

    fn note(&mut self, spelling: &str) {
        self.notes.insert(format!("spelling: {spelling}"));
    }
}
