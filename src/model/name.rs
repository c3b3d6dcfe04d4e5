//! Short names that the kernel knows things by: schedulers, persistence engines, interfaces.

use std::fmt;

/// A name of at most `N` bytes, kept in place. Longer ones are cut, as the kernel's fields are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Name<N> {
    pub const EMPTY: Self = Self {
        length: 0,
        bytes: [0; N],
    };

    pub fn new(text: &[u8]) -> Self {
        let length = text.len().min(N);
        let mut bytes = [0; N];
        bytes[..length].copy_from_slice(&text[..length]);
        Self {
            length: length as u8,
            bytes,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}
