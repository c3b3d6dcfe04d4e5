//! Text that cannot control a terminal.

/// Lines with each control character replaced by a question mark. Names come from name servers, and
/// call ids from any caller.
pub fn harmless(lines: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(lines.len());
    for chunk in lines.utf8_chunks() {
        let is_control = |c: char| c.is_control() && c != '\n';
        let valid = chunk.valid().replace(is_control, "?");
        clean.extend_from_slice(valid.as_bytes());
        // Terminals that do not know UTF-8 have control characters here.
        let invalid = chunk.invalid().iter();
        clean.extend(invalid.map(|byte| match byte {
            0x80..=0x9f => b'?',
            byte => *byte,
        }));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn control_characters_become_question_marks() {
        let lines = b"one\ttwo\x1b[2J\nz\xc3\xbcrich\xc2\x9b\x7f \xff\x9b\n";
        let clean = b"one?two?[2J\nz\xc3\xbcrich?? \xff?\n";
        assert_eq!(harmless(lines), clean);
    }
}
