//! Generates inputs from examples: truncated, duplicated, spliced, and with garbage.

use crate::random::Random;

/// Edge cases of lengths and counters.
const EDGES: [u32; 12] = [
    0,
    1,
    3,
    4,
    16,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// The longest input, which limits duplication.
const LONGEST: usize = 4096;

pub struct Mill {
    examples: Vec<Vec<u8>>,
    /// The material for inputs.
    pieces: Vec<Vec<u8>>,
}

impl Mill {
    pub fn new(examples: Vec<Vec<u8>>, pieces: Vec<Vec<u8>>) -> Self {
        Self { examples, pieces }
    }

    /// The next input.
    pub fn grind(&self, random: &mut Random, input: &mut Vec<u8>) {
        input.clear();
        if random.chance(15) {
            for _ in 0..random.below(12) {
                input.extend(random.pick(&self.pieces));
            }
        } else {
            input.extend(random.pick(&self.examples));
        }
        // Sometimes unchanged.
        let changes = random.weighted(&[(1, 0), (4, 1), (4, 2), (3, 4), (2, 8)]);
        for _ in 0..changes {
            self.change(random, input);
        }
        input.truncate(LONGEST);
    }

    fn change(&self, random: &mut Random, input: &mut Vec<u8>) {
        let (start, end) = range(random, input.len());
        match random.below(9) {
            0 => insert(input, start, random.pick::<Vec<u8>>(&self.pieces)),
            1 => insert(input, start, &[random.below(256) as u8]),
            2 => drop(input.drain(start..end)),
            3 => {
                let copy = input[start..end].to_vec();
                let place = random.below(input.len() + 1);
                insert(input, place, &copy);
            }
            4 => {
                let other = random.pick(&self.examples);
                input.truncate(start);
                input.extend(&other[random.below(other.len() + 1)..]);
            }
            5 => input.truncate(end),
            6 => {
                let number = random.pick(&EDGES).to_ne_bytes();
                let width = *random.pick(&[1, 2, 4]);
                overwrite(input, start, &number[..width]);
            }
            7 => overwrite(input, start, &[random.below(256) as u8]),
            _ => {
                if let Some(byte) = input.get_mut(start) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

/// A range within this length, rarely a long one.
fn range(random: &mut Random, length: usize) -> (usize, usize) {
    let start = random.below(length + 1);
    let longest = if random.chance(20) { length } else { 8 };
    (start, (start + random.below(longest + 1)).min(length))
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    if input.len() + bytes.len() <= LONGEST {
        input.splice(place..place, bytes.iter().copied());
    }
}

fn overwrite(input: &mut [u8], start: usize, bytes: &[u8]) {
    for (byte, new) in input[start..].iter_mut().zip(bytes) {
        *byte = *new;
    }
}

/// The lines of a file of examples.
pub fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// The examples of a file, separated by `%%` lines.
pub fn texts(text: &str) -> Vec<Vec<u8>> {
    let examples = text.split("%%\n");
    examples.map(|text| text.as_bytes().to_vec()).collect()
}

pub fn pieces(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
