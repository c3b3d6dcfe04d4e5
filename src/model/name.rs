//! Short names in the kernel, of schedulers, persistence engines and interfaces.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use super::Invalid;

/// A name of 1 to `N` bytes, stored without an allocation. `N` is at most 255:
///
/// ```compile_fail,E0080
/// let name = ipvsadm::model::Name::<256>::new(b"eth0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<const N: usize> {
    length: NonZeroU8,
    bytes: [u8; N],
}

/// The name of a scheduler, such as `wlc`.
pub type Scheduler = Name<15>;

/// The name of a persistence engine, such as `sip`. It may be a byte longer than the other names,
/// whose 16 bytes in the kernel include a NUL.
pub type Engine = Name<16>;

/// The name of a network interface, such as `eth0`.
pub type Interface = Name<15>;

impl<const N: usize> Name<N> {
    /// The maximum number of bytes.
    pub(crate) const LONGEST: usize = N;

    /// The length is kept in a byte.
    const LENGTH_FITS: () = assert!(N <= u8::MAX as usize);

    /// The name; `None` if it is empty, longer than `N` bytes, or has a NUL byte in it.
    pub const fn new(text: &[u8]) -> Option<Self> {
        const { Self::LENGTH_FITS };
        let (mut bytes, mut at) = ([0; N], 0);
        while at < text.len() {
            if at == N || text[at] == 0 {
                return None;
            }
            bytes[at] = text[at];
            at += 1;
        }
        match NonZeroU8::new(at as u8) {
            Some(length) => Some(Self { length, bytes }),
            None => None,
        }
    }

    /// The name up to its first NUL byte, and no more than `N` bytes of it; `None` if nothing
    /// is left.
    pub(crate) fn cut(text: &[u8]) -> Option<Self> {
        const { Self::LENGTH_FITS };
        let text = &text[..text.len().min(N)];
        let end = text.iter().position(|&byte| byte == 0);
        let text = &text[..end.unwrap_or(text.len())];
        let length = NonZeroU8::new(text.len() as u8)?;
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { length, bytes })
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length.get())]
    }
}

/// Compares the bytes.
impl<const N: usize> Ord for Name<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl<const N: usize> PartialOrd for Name<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> FromStr for Name<N> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(text.as_bytes()).ok_or(Invalid("a name is empty, too long, or has a NUL byte"))
    }
}

/// In a name that is not UTF-8, each invalid byte becomes U+FFFD.
impl<const N: usize> fmt::Display for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for bad in [&b""[..], b"sixteen-bytes-ok", b"a\0b"] {
            assert_eq!(Scheduler::new(bad), None);
        }
        let longest = b"fifteen-bytes-k";
        assert_eq!(Scheduler::new(longest).unwrap().as_bytes(), longest);
        let longest = [b'a'; 255];
        assert_eq!(Name::<255>::new(&longest).unwrap().as_bytes(), longest);
        assert_eq!(Name::<255>::new(&[b'a'; 257]), None);
    }

    #[test]
    fn names_are_cut_where_that_is_asked_for() {
        let cut = |text: &[u8]| Scheduler::cut(text).map(|name| name.to_string());
        assert_eq!(cut(b"sixteen-bytes-ok").unwrap(), "sixteen-bytes-o");
        assert_eq!(cut(b"rr\0rubbish").unwrap(), "rr");
        assert_eq!(cut(b""), None);
        assert_eq!(cut(b"\0rr"), None);
    }
}
