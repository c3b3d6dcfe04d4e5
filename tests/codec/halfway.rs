//! An apply whose kernel fails halfway.

use std::fs::File;
use std::io;
use std::mem;

use ipvsadm::kernel::{Client, Inbox, Room, Transport};
use ipvsadm::model::Entry;

use crate::common::{Ran, run};
use crate::shared::Shared;
use crate::world::{Visitor, World, entry, v4};

/// A connection to a world that makes changes, but whose answer to the first is lost.
struct Failing {
    world: Visitor,
    fails: bool,
}

/// The command that adds a service, and the offset of the command in a message.
const NEW_SERVICE: u8 = 1;
const COMMAND: usize = 16;

impl Transport for Failing {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.fails |= messages[COMMAND] == NEW_SERVICE;
        self.world.send(messages)
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        if mem::take(&mut self.fails) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.world.receive(inbox)
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        self.world.enlarge()
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        self.world.get_option(option, value)
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> io::Result<()> {
        self.world.set_option(option, value)
    }

    fn uses(&mut self) -> Option<usize> {
        self.world.uses()
    }
}

/// Applies a file with this line to a table of one service; returns the result and the new table.
fn apply(line: &str) -> (Ran, Vec<Entry>) {
    let world = Shared::new(World {
        table: vec![entry(v4(1), 0)],
        chunk: 10,
        ..World::default()
    });
    let inside = world.clone();
    let ran = run(line, |env| {
        env.stdin.source = Box::new(&b"-A -t 10.0.0.2:80\n"[..]);
        env.terminal = || File::open("/dev/null");
        env.open = Box::new(move |_| {
            Client::over(Box::new(Failing {
                world: Visitor(inside.clone()),
                fails: false,
            }))
        });
    });
    let table = world.lock().table.clone();
    (ran, table)
}

#[test]
fn remaining_changes_are_reported() {
    let (ran, table) = apply("ipvsadm --apply --verbose");
    let expected = "! talking to the kernel failed: Input/output error\n\
                    ! not done:\n! -D -t 10.0.0.1:80\n= 1\n";
    assert_eq!(ran.to_string(), expected);
    assert_eq!(table.len(), 2);
}

#[test]
fn unconfirmed_changes_are_undone() {
    let (ran, table) = apply("ipvsadm --apply --confirm 9");
    let expected = "! talking to the kernel failed: Input/output error\n\
                    ! the changes are undone\n= 1\n";
    assert_eq!(ran.to_string(), expected);
    assert_eq!(table, [entry(v4(1), 0)]);
}
