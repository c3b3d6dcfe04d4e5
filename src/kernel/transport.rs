//! The boundary between the client and the kernel: only bytes cross it.

use std::io;

#[cfg(feature = "cli")]
use super::netns::PROC;

/// Datagrams that one call can receive: many answers, or two for a short list and its end.
const SLOTS: usize = 16;

/// The size of the largest datagram in a dump. The kernel remembers the largest buffer that a
/// socket has offered: once it has received with this one, all further datagrams may be this long.
pub const SLOT_SIZE: usize = 32 * 1024;

/// What the client needs from an operating system. Each method is one or two system calls, and
/// none of them waits forever.
pub trait Transport: Send {
    /// Sends netlink messages; the kernel has executed them when this returns.
    fn send(&mut self, messages: &[u8]) -> io::Result<()>;

    /// Waits for netlink datagrams and receives all that have arrived: at least one.
    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()>;

    /// Makes room for many messages at once.
    fn enlarge(&mut self) -> io::Result<Room>;

    /// Gives back the descriptors that it holds, until it needs them again.
    fn release(&mut self) {}

    /// Reads one of the old socket options into `value`, which contains the request.
    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()>;

    /// Sets one of the old socket options.
    fn set_option(&mut self, option: i32, value: &[u8]) -> io::Result<()>;

    /// The number of services and daemons of both families in all network namespaces, or a larger
    /// number; `None` if unknown.
    fn uses(&mut self) -> Option<usize>;

    /// Where procfs is mounted.
    #[cfg(feature = "cli")]
    fn proc(&self) -> &'static str {
        PROC
    }
}

/// What the buffers of a netlink socket hold, in bytes as the kernel counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For requests.
    pub send: usize,
    /// For answers.
    pub receive: usize,
}

impl Room {
    /// More than an answer takes in the socket's buffer, as the kernel counts.
    const ANSWER: usize = 2048;

    /// How many answers can wait in the socket at once.
    pub fn most_answers(&self) -> usize {
        (self.receive / Self::ANSWER).max(1)
    }
}

/// The metadata of a datagram.
#[derive(Clone, Copy, Debug, Default)]
struct Label {
    /// Its length, even if that is more than there was room for.
    length: usize,
    /// The port of the sender; the kernel's is 0.
    sender: u32,
}

/// A datagram as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    /// The datagram was longer.
    pub is_cut: bool,
    pub sender: u32,
}

/// Where received datagrams are kept until the next are received.
pub struct Inbox {
    bytes: Box<[u8]>,
    labels: [Label; SLOTS],
    count: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            bytes: vec![0; SLOTS * SLOT_SIZE].into(),
            labels: [Label::default(); SLOTS],
            count: 0,
        }
    }
}

impl Inbox {
    /// What was received last.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.bytes.chunks_exact(SLOT_SIZE).zip(&self.labels);
        slots.take(self.count).map(|(slot, label)| Datagram {
            bytes: &slot[..label.length.min(SLOT_SIZE)],
            is_cut: label.length > SLOT_SIZE,
            sender: label.sender,
        })
    }

    /// Forgets what was received.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// The empty slots, in the order of the calls of `filled`.
    pub fn empty_slots(&mut self) -> [&mut [u8]; SLOTS] {
        self.clear();
        let mut slots = self.bytes.chunks_exact_mut(SLOT_SIZE);
        [(); SLOTS].map(|()| slots.next().unwrap_or_default())
    }

    /// Records the datagram in the next empty slot: its length and its sender.
    pub fn filled(&mut self, length: usize, sender: u32) {
        if let Some(label) = self.labels.get_mut(self.count) {
            *label = Label { length, sender };
            self.count += 1;
        }
    }
}

/// Repeats a system call that a signal interrupts.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
