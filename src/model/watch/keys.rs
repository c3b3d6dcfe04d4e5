//! Keys, as terminals send them.

/// A key that means something to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    /// Ctrl-U: clears what was typed.
    Erase,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The keys in the terminal's input. Unknown ones are skipped.
pub fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        let length = match (first, behind) {
            (b'\x1b', [b'[' | b'O', sequence @ ..]) => {
                let end = sequence.iter().position(|byte| (0x40..0x7f).contains(byte));
                let length = end.map_or(sequence.len(), |end| end + 1);
                keys.extend(named(&sequence[..length]));
                2 + length
            }
            (byte, _) if byte < 0x80 => {
                keys.extend(single(byte));
                1
            }
            _ => {
                let chunk = rest.utf8_chunks().next();
                let letter = chunk.and_then(|chunk| chunk.valid().chars().next());
                keys.extend(letter.filter(|letter| !letter.is_control()).map(Key::Char));
                letter.map_or(1, char::len_utf8)
            }
        };
        rest = &rest[length..];
    }
    keys
}

fn single(byte: u8) -> Option<Key> {
    match byte {
        b'\r' | b'\n' => Some(Key::Enter),
        b'\x1b' => Some(Key::Escape),
        0x7f | 0x08 => Some(Key::Backspace),
        0x15 => Some(Key::Erase),
        b' '..=b'~' => Some(Key::Char(byte.into())),
        _ => None,
    }
}

/// A key by the bytes after `ESC [` or `ESC O`.
fn named(sequence: &[u8]) -> Option<Key> {
    match sequence {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        b"C" => Some(Key::Right),
        b"D" => Some(Key::Left),
        b"H" | b"1~" | b"7~" => Some(Key::Home),
        b"F" | b"4~" | b"8~" => Some(Key::End),
        b"5~" => Some(Key::PageUp),
        b"6~" => Some(Key::PageDown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let cases: [(&[u8], &[Key]); 8] = [
            (b"q/", &[Key::Char('q'), Key::Char('/')]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1b[A\x1bOB\x1b[5~", &[Key::Up, Key::Down, Key::PageUp]),
            (b"\x1b[1;5Cx", &[Key::Char('x')]),
            (b"\r\x7f\x15", &[Key::Enter, Key::Backspace, Key::Erase]),
            ("ü\u{1}é".as_bytes(), &[Key::Char('ü'), Key::Char('é')]),
            // A control character would act on the terminal that shows it.
            ("\u{9b}2J".as_bytes(), &[Key::Char('2'), Key::Char('J')]),
            (b"\xc3\xffa", &[Key::Char('a')]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            keys(&bytes);
        }
    }
}
