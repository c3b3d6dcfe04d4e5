//! A kernel with scripted answers.

use std::collections::VecDeque;
use std::io;

use ipvsadm::kernel::{Client, Inbox, Result, Room, Transport};

use crate::shared::Shared;
use crate::wire;

/// The number of the family in this kernel.
pub const FAMILY: u16 = 29;

/// The results of system calls, in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sending succeeds.
    Sent,
    /// Datagrams from the kernel. Sequence numbers are relative to the last message sent: 0 is an
    /// answer to it.
    Received(Vec<Vec<u8>>),
    /// A datagram from another sender.
    Forged(Vec<u8>),
    /// An old option is read; its value begins with these bytes.
    Option(Vec<u8>),
    /// An old option is set.
    OptionSet,
    Fails(i32),
}

/// A call made by the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Sent(Vec<u8>),
    Received,
    Get(i32, Vec<u8>),
    Set(i32, Vec<u8>),
}

/// A kernel with a script, and the calls made so far.
#[derive(Clone, Default)]
pub struct Script {
    steps: Shared<VecDeque<Step>>,
    asked: Shared<Vec<Asked>>,
    last_sequence: u32,
    /// The last step repeats forever.
    pub endless: bool,
    /// Without them only netlink is allowed.
    pub old_options: bool,
    pub uses: Option<usize>,
    pub room: Option<Room>,
}

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Self::default();
        script.then(steps);
        script
    }

    pub fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().extend(steps);
    }

    /// A client of this kernel, which first asks for the family and the version.
    pub fn client(&self) -> Client {
        for step in opening().into_iter().rev() {
            self.steps.lock().push_front(step);
        }
        let client = self.clone().open().expect("a family");
        self.asked.lock().clear();
        client
    }

    /// Puts back unused steps.
    pub fn unschedule(&self) {
        self.steps.lock().clear();
    }

    pub fn open(self) -> Result<Client> {
        Client::over(Box::new(self))
    }

    /// The calls since the client was opened.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// The only request sent.
    pub fn sent(&self) -> Vec<u8> {
        let asked = self.asked();
        let mut sent = asked.into_iter().filter_map(|asked| match asked {
            Asked::Sent(bytes) => Some(bytes),
            _ => None,
        });
        let only = sent.next().expect("something was sent");
        assert_eq!(sent.next(), None, "more was sent");
        only
    }

    /// Whether the whole script was used.
    pub fn is_over(&self) -> bool {
        self.steps.lock().is_empty()
    }

    fn step(&mut self, asked: Asked) -> io::Result<Step> {
        self.asked.lock().push(asked);
        let step = self.steps.lock().pop_front();
        let step = step.unwrap_or_else(|| panic!("no more: {:?}", self.asked.lock()));
        if self.endless && self.is_over() {
            self.then([step.clone()]);
        }
        match step {
            Step::Fails(errno) => Err(io::Error::from_raw_os_error(errno)),
            step => Ok(step),
        }
    }
}

/// The start of every conversation.
pub fn opening() -> Vec<Step> {
    let family = wire::data(0, 1, [wire::attribute(1, FAMILY)]);
    vec![
        Step::Sent,
        Step::Received(vec![family]),
        Step::Sent,
        Step::Received(vec![wire::info(0)]),
    ]
}

impl Transport for Script {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.last_sequence = wire::last_sequence(messages);
        match self.step(Asked::Sent(messages.to_vec()))? {
            Step::Sent => Ok(()),
            step => panic!("sending is not {step:?}"),
        }
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let (sender, mut datagrams) = match self.step(Asked::Received)? {
            Step::Received(datagrams) => (0, datagrams),
            Step::Forged(datagram) => (4711, vec![datagram]),
            step => panic!("receiving is not {step:?}"),
        };
        for datagram in &mut datagrams {
            wire::renumber(datagram, self.last_sequence);
        }
        for (slot, datagram) in inbox.empty_slots().into_iter().zip(&datagrams) {
            let length = slot.len().min(datagram.len());
            slot[..length].copy_from_slice(&datagram[..length]);
        }
        for datagram in &datagrams {
            inbox.filled(datagram.len(), sender);
        }
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        Ok(self.room.unwrap_or(Room {
            send: 212_992,
            receive: 8 << 20,
        }))
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        if !self.old_options {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        match self.step(Asked::Get(option, value.to_vec()))? {
            Step::Option(bytes) => {
                value[..bytes.len()].copy_from_slice(&bytes);
                Ok(())
            }
            step => panic!("getting an option is not {step:?}"),
        }
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> io::Result<()> {
        match self.step(Asked::Set(option, value.to_vec()))? {
            Step::OptionSet => Ok(()),
            step => panic!("setting an option is not {step:?}"),
        }
    }

    fn uses(&mut self) -> Option<usize> {
        self.uses
    }
}
