//! Splits words into commands, options and values, by the rules of the popt library.
//!
//! Words are borrowed bytes; nothing is allocated or interpreted.

use super::spec::{Spec, Value};

/// The meaning of the next words of a line.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    Given {
        spec: Spec,
        value: Option<&'a [u8]>,
        /// The last word it used: the whole bundle, or the value after it.
        word: &'a [u8],
    },
    /// A word that belongs to no option.
    LeftOver(&'a [u8]),
}

impl Event<'_> {
    /// Whether every command accepts it.
    pub fn is_global(&self) -> bool {
        matches!(self, Self::Given { spec, .. } if spec.is_global())
    }
}

/// Why a word cannot be read. Each names the whole word, as messages do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault<'a> {
    UnknownOption(&'a [u8]),
    MissingValue(&'a [u8]),
    UnwantedValue(&'a [u8]),
}

/// Reads the words of one line.
#[derive(Clone, Debug)]
pub struct Words<'a, I: Iterator<Item = &'a [u8]>> {
    words: I,
    /// A bundle of short options, and how much of it has been read.
    bundle: Option<(&'a [u8], usize)>,
    /// After `--` all further words are operands.
    ended: bool,
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Words<'a, I> {
    pub fn new(words: impl IntoIterator<IntoIter = I>) -> Self {
        Self {
            words: words.into_iter(),
            bundle: None,
            ended: false,
        }
    }

    fn long(&mut self, word: &'a [u8]) -> Result<Event<'a>, Fault<'a>> {
        let text = &word[2..];
        let (name, attached) = match text.iter().position(|&byte| byte == b'=') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let spec = Spec::by_long(name).ok_or(Fault::UnknownOption(word))?;
        self.valued(spec, word, attached)
    }

    /// The option at `at` in a bundle. The rest of the word is its value, if it has one.
    #[inline(always)]
    fn short(&mut self, word: &'a [u8], at: usize) -> Result<Event<'a>, Fault<'a>> {
        let spec = Spec::by_short(word[at]).ok_or(Fault::UnknownOption(word))?;
        let rest = &word[at + 1..];
        let attached = match rest {
            [] => None,
            [b'=', value @ ..] => Some(value),
            _ if matches!(spec.value(), Value::Nothing) => {
                self.bundle = Some((word, at + 1));
                None
            }
            _ => Some(rest),
        };
        self.valued(spec, word, attached)
    }

    #[inline(always)]
    fn valued(
        &mut self,
        spec: Spec,
        word: &'a [u8],
        attached: Option<&'a [u8]>,
    ) -> Result<Event<'a>, Fault<'a>> {
        let (value, word) = match (spec.value(), attached) {
            (Value::Nothing, Some(_)) => return Err(Fault::UnwantedValue(word)),
            (Value::Nothing, None) => (None, word),
            (_, Some(value)) => (Some(value), word),
            (Value::Required(_), None) => {
                let next = self.words.next().ok_or(Fault::MissingValue(word))?;
                (Some(next), next)
            }
            (Value::Optional(_), None) => {
                let mut words = self.words.clone();
                match words.next().filter(|next| !next.starts_with(b"-")) {
                    Some(next) => {
                        self.words = words;
                        (Some(next), next)
                    }
                    None => (None, word),
                }
            }
        };
        Ok(Event::Given { spec, value, word })
    }
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Iterator for Words<'a, I> {
    type Item = Result<Event<'a>, Fault<'a>>;

    /// Inlined with everything for short options: the calls would take a tenth of the time of a
    /// restore.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((word, at)) = self.bundle.take() {
            return Some(self.short(word, at));
        }
        let word = self.words.next()?;
        Some(match word {
            _ if self.ended => Ok(Event::LeftOver(word)),
            b"--" => {
                self.ended = true;
                return self.next();
            }
            [b'-', b'-', ..] => self.long(word),
            [b'-', _, ..] => self.short(word, 1),
            _ => Ok(Event::LeftOver(word)),
        })
    }
}
