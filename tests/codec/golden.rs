//! Requests byte for byte, in the byte order of the machine that this runs on.

use ipvsadm::model::Change;
use ipvsadm::model::*;

use crate::script::{Script, Step};
use crate::values::*;
use crate::wire;

/// The bytes of a golden file, written in hexadecimal, one attribute per line.
fn golden(little: &str, big: &str) -> Vec<u8> {
    let text = if cfg!(target_endian = "little") {
        little
    } else {
        big
    };
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().bytes())
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

macro_rules! golden {
    ($name:literal) => {
        golden(
            include_str!(concat!("golden/", $name, ".little")),
            include_str!(concat!("golden/", $name, ".big")),
        )
    };
}

fn sent_for(change: &Change) -> Vec<u8> {
    let script = Script::new([Step::Sent, Step::Received(vec![wire::verdict(0, 0)])]);
    script.client().put_back(change).unwrap();
    script.sent()
}

#[test]
fn add_service() {
    let sent = sent_for(&Change::AddService(service(tcp())));
    assert_eq!(sent, golden!("add-service"));
}

#[test]
fn edit_service_of_a_mark() {
    let sent = sent_for(&Change::EditService(service(mark(Family::V6))));
    assert_eq!(sent, golden!("edit-mark"));
}

#[test]
fn add_server() {
    let sent = sent_for(&Change::AddServer(udp6(), server("fd00::3")));
    assert_eq!(sent, golden!("add-server"));
}

#[test]
fn start_daemon() {
    let sent = sent_for(&Change::StartDaemon(daemon("224.0.0.99")));
    assert_eq!(sent, golden!("start-daemon"));
}

#[test]
fn set_timeouts() {
    let sent = sent_for(&Change::SetTimeouts(TIMEOUTS));
    assert_eq!(sent, golden!("set-timeouts"));
}
