//! Addresses are read and written the same way as by the C library.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipvsadm::cli::values::host_port;
use ipvsadm::command::{Columns, Format, View};
use ipvsadm::model::Daemon;
use ipvsadm::model::DaemonRole;
use ipvsadm::names::Names;
use ipvsadm::render::{self, Out, Screen};
use proptest::prelude::*;

unsafe extern "C" {
    fn inet_aton(text: *const libc::c_char, address: *mut libc::in_addr) -> libc::c_int;
    fn inet_pton(
        family: libc::c_int,
        text: *const libc::c_char,
        address: *mut libc::c_void,
    ) -> libc::c_int;
    fn inet_ntop(
        family: libc::c_int,
        address: *const libc::c_void,
        text: *mut libc::c_char,
        size: libc::socklen_t,
    ) -> *const libc::c_char;
}

fn library_ipv4(text: &str) -> Option<IpAddr> {
    let text = CString::new(text).unwrap();
    let mut address = libc::in_addr { s_addr: 0 };
    // SAFETY: a C string, and room for the address.
    let read = unsafe { inet_aton(text.as_ptr(), &mut address) };
    (read != 0).then(|| Ipv4Addr::from(address.s_addr.to_ne_bytes()).into())
}

fn library_ipv6(text: &str) -> Option<IpAddr> {
    let text = CString::new(text).unwrap();
    let mut address = [0u8; 16];
    // SAFETY: a C string, and room for an IPv6 address.
    let read = unsafe { inet_pton(libc::AF_INET6, text.as_ptr(), address.as_mut_ptr().cast()) };
    (read == 1).then(|| Ipv6Addr::from(address).into())
}

fn library_text(address: Ipv6Addr) -> String {
    let mut text = [0; 64];
    // SAFETY: the address has sixteen bytes, and the room for its text is as long as said.
    let written = unsafe {
        inet_ntop(
            libc::AF_INET6,
            address.octets().as_ptr().cast(),
            text.as_mut_ptr(),
            text.len() as libc::socklen_t,
        )
    };
    assert!(!written.is_null());
    let bytes = text.map(|c| c as u8);
    let text = CStr::from_bytes_until_nul(&bytes).unwrap();
    text.to_str().unwrap().to_owned()
}

/// Addresses are only written inside rows; this one shows any.
fn our_text(address: Ipv6Addr) -> String {
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    let daemon = Daemon {
        group: Some(address.into()),
        ..Daemon::new(DaemonRole::Master, "lo".parse().unwrap(), 0)
    };
    let view = View {
        columns: Columns::Plain,
        exact: false,
        sorted: true,
    };
    let screen = Screen {
        width: None,
        colour: false,
    };
    let mut classic = render::format(Format::Classic, view, screen);
    classic.daemons(&mut out, &[daemon]).unwrap();
    out.flush().unwrap();
    let row = String::from_utf8(bytes).unwrap();
    let (_, group) = row.split_once("group=").unwrap();
    group.trim_end_matches(")\n").to_owned()
}

fn our_address(text: &str) -> Option<IpAddr> {
    host_port(text.as_bytes(), &Names::numeric()).map(|read| read.address)
}

fn group() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(0), 1 => Just(0xffff), 2 => any::<u16>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn ipv4(text in "(0x|0X|0)?[0-9a-f]{0,4}(\\.(0x|0)?[0-9a-f]{0,5}){0,4}[ \t]?[0-9x]?") {
        let with_port = format!("{text}:80");
        prop_assert_eq!(our_address(&with_port), library_ipv4(&text), "{:?}", text);
    }

    #[test]
    fn ipv6(text in "([0-9a-f]{0,5}|1|0|:)(:[0-9a-f]{0,4}){1,9}(:1\\.2\\.3\\.4)?") {
        prop_assert_eq!(
            our_address(&format!("[{text}]:80")).filter(IpAddr::is_ipv6),
            library_ipv6(&text)
        );
    }

    #[test]
    fn ipv6_text(groups in prop::array::uniform8(group())) {
        let address = Ipv6Addr::from(groups);
        prop_assert_eq!(our_text(address), library_text(address));
    }
}
