use proptest::prelude::*;

use super::*;

#[test]
fn lines_of_every_shape_are_read() {
    let line = b"TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899";
    let connection = parse(line).unwrap();
    assert_eq!(connection.protocol, b"TCP");
    assert_eq!(connection.client.to_string(), "10.1.0.1:48070");
    assert_eq!(connection.server.to_string(), "10.1.0.1:8080");
    assert_eq!(
        (connection.state, connection.expires),
        (&b"ESTABLISHED"[..], 899)
    );
    assert_eq!(connection.engine, None);

    let line = b"UDP 0A010001 0000 0A010001 13C4 20010db8:: 13C4 NONE            119";
    assert_eq!(parse(line), None);
    let line = b"UDP 0A010001 0000 0A010001 13C4 \
        2001:0db8:0002:0000:0000:0000:0000:0001 13C4 NONE            119 sip short-id@host";
    let connection = parse(line).unwrap();
    assert_eq!(connection.server.to_string(), "[2001:db8:2::1]:5060");
    assert_eq!(
        connection.engine,
        Some((&b"sip"[..], &b"short-id@host"[..]))
    );
}

#[test]
fn eight_digits_are_read_at_once() {
    assert_eq!(eight_digits(*b"0A0100FF"), Some(0x0a01_00ff));
    assert_eq!(eight_digits(*b"FEDCBA98"), Some(0xfedc_ba98));
    assert_eq!(eight_digits(*b"76543210"), Some(0x7654_3210));
    for byte in 0..=255_u8 {
        // Lowercase digits are left to the parser that reads word by word.
        let value = char::from(byte).to_digit(16);
        let value = value.filter(|_| !byte.is_ascii_lowercase());
        for place in 0..8 {
            let mut text = *b"00000000";
            text[place] = byte;
            let value = value.map(|value| value << (4 * (7 - place)));
            assert_eq!(eight_digits(text), value, "{byte} {place}");
        }
    }
}

/// A line as the kernel writes it.
fn written(protocol: &str, state: &str, [client, server]: [u32; 2], expires: u32) -> String {
    format!("{protocol:3} {client:08X} BBC6 0A010002 0050 {server:08X} 1F90 {state:11} {expires:7}")
}

proptest! {
    #[test]
    fn columns_and_words_say_the_same(
        protocol in prop::sample::select(vec!["TCP", "UDP", "SCTP", "IP"]),
        state in prop::sample::select(vec!["ESTABLISHED", "NONE", "S-ACK-SENT", "?"]),
        ends: [u32; 2],
        expires in 0..10_000_000_u32,
    ) {
        let text = written(protocol, state, ends, expires);
        let line = ConnectionLine::new(text.as_bytes());
        let words = in_words(text.as_bytes()).unwrap();
        prop_assert!(line.columns.is_some());
        prop_assert_eq!(line.columns.as_ref().unwrap().connection(), Some(words));
        prop_assert_eq!(line.protocol(), Some(words.protocol));
        prop_assert_eq!(line.client(), words.client());
        prop_assert_eq!(line.virtual_service(), words.virtual_service());
        prop_assert_eq!(line.server(), words.server());
        prop_assert_eq!(line.state(), Some(words.state));
    }
}

#[test]
fn a_group_has_one_protocol_server_and_state() {
    let group = |text: String| ConnectionLine::new(text.as_bytes()).group().unwrap();
    let one = group(written("TCP", "ESTABLISHED", [1, 2], 3));
    assert_eq!(group(written("TCP", "ESTABLISHED", [4, 2], 5)), one);
    assert_ne!(group(written("UDP", "ESTABLISHED", [1, 2], 3)), one);
    assert_ne!(group(written("TCP", "ESTABLISHE", [1, 2], 3)), one);
    assert_ne!(group(written("TCP", "ESTABLISHED", [1, 3], 3)), one);
}

#[test]
fn numbers_have_limits() {
    assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
    assert_eq!([&b"4294967296"[..], b"1a", b"-1"].map(decimal), [None; 3]);
}

#[test]
fn decimals_are_read_at_once() {
    assert_eq!(eight_decimals(*b"     899"), Some(899));
    assert_eq!(eight_decimals(*b"12345678"), Some(12_345_678));
    assert_eq!(eight_decimals(*b"       0"), Some(0));
    for bad in [
        b"        ",
        b"    8 99",
        b"     89 ",
        b"     -89",
        b"     !89",
    ] {
        assert_eq!(eight_decimals(*bad), None);
    }
    for byte in 0..=255_u8 {
        let value = char::from(byte).to_digit(10);
        for place in 0..8 {
            let mut text = *b"       7";
            text[place..7].fill(b'0');
            text[place] = byte;
            let value = value.or((byte == b' ' && place < 7).then_some(0));
            let unit = if place < 7 { 7 } else { 0 };
            let value = value.map(|value| value * 10_u32.pow(7 - place as u32) + unit);
            assert_eq!(eight_decimals(text), value, "{byte} {place}");
        }
    }
}

#[test]
fn a_state_is_the_word_before_blanks() {
    assert_eq!(first_word(b"ESTABLISHED     "), Some(&b"ESTABLISHED"[..]));
    assert_eq!(first_word(b"NONE           1"), Some(&b"NONE"[..]));
    for bad in [
        b" NONE           ",
        b"SYN RECV        ",
        b"LONGERTHANTHAT  ",
    ] {
        assert_eq!(first_word(bad), None);
    }
}

#[test]
fn digits_are_hexadecimal() {
    assert_eq!(hexadecimal(b"0A0100fF"), Some(0x0a01_00ff));
    for byte in 0..=255 {
        let value = char::from(byte).to_digit(16);
        assert_eq!(hexadecimal(&[b'0', byte]), value, "{byte}");
    }
    assert_eq!(hexadecimal(b""), None);
    assert_eq!(hexadecimal(b"000000001"), None);
}

#[test]
fn half_a_line_is_not_a_connection() {
    let line = b"TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899";
    for length in 0..60 {
        assert_eq!(parse(&line[..length]), None, "{length}");
    }
}
