//! Values are read the same way as by the C library.

use std::ffi::CString;
use std::net::IpAddr;

use anyhow::Result;
use ipvsadm::cli::values;
use ipvsadm::model::Protocol;
use ipvsadm::names::Names;

use crate::drive::{Reader, Surface};
use crate::library;
use crate::mill::{self, Mill};

pub const SURFACE: Surface = Surface {
    name: "values",
    quick: 100_000,
    mill,
    open,
};

fn mill() -> Mill {
    let pieces = mill::pieces(&[
        "0",
        "1",
        "9",
        "80",
        "255",
        "256",
        "65535",
        "65536",
        "4294967295",
        "4294967296",
        "0x",
        "0X",
        "ff",
        ".",
        ".",
        ".",
        ":",
        "::",
        ":",
        "[",
        "]",
        "]:",
        "+",
        "-",
        " ",
        "\t",
        "\n",
        "fd00",
        "ffff",
        "224.0.0.1",
        "ff02::1",
        "%eth0",
        "9223372036854775807",
        "\u{663}",
    ]);
    Mill::new(mill::lines(include_str!("corpus/values")), pieces)
}

fn open() -> Result<Reader> {
    let names = Names::numeric();
    Ok(Box::new(move |text, _| {
        // Values contain no NUL.
        let text: Vec<u8> = text.iter().map(|&byte| byte.max(1)).collect();
        compare(&text, &names);
    }))
}

fn compare(text: &[u8], names: &Names) {
    let address = |text: &[u8]| values::host_port(text, names).map(|read| read.address);
    let c_text = CString::new(text).expect("a value without NUL");
    let ipv6 = library::ipv6(&c_text);

    let number =
        library::number(&c_text).filter(|number| (-100..=i64::from(i32::MAX)).contains(number));
    assert_eq!(values::number(text, -100..=i32::MAX.into()), number);

    let ipv4 = library::ipv4(&c_text).map(IpAddr::from);
    if !text.starts_with(b"[") {
        let with_port = address(&[text, b":80"].concat());
        assert_eq!(with_port.filter(IpAddr::is_ipv4), ipv4);
    }

    let bracketed = address(&[b"[", text, b"]:80"].concat());
    assert_eq!(bracketed.filter(IpAddr::is_ipv6), ipv6.map(IpAddr::from));
    if let Some(read) = values::host_port(text, names) {
        // It means the same in brackets with the port after them.
        if read.port.is_none() && text[0] != b'[' {
            assert_eq!(bracketed, Some(read.address));
        }
    }
    if let Some(mask) = values::ipv4_mask(text, names) {
        assert_eq!(Some(IpAddr::from(mask)), ipv4);
    }
    if let Some(group) = values::group(text) {
        assert!(group.is_multicast());
        assert_eq!(Some(group), ipv6.map(IpAddr::from).or(ipv4));
    }
    if let Some(port) = values::port(text, Protocol::TCP, names) {
        assert_eq!(number, Some(port.into()));
    }
    if let Some(prefix) = values::ipv6_mask(text) {
        assert!((1..=128).contains(&prefix));
    }
    values::mark(text);
}
