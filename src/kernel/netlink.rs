//! The conversation with the kernel over netlink: sends requests, and matches answers to them.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};
use netlink_packet_generic::constants::GENL_ID_CTRL;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd, nlas::GenlCtrlAttrs};

use super::error::{Error, Malformed, Result};
use super::info;
use super::message::{self, Body, Message};
use super::request::{FAMILY, Payload, Query};
use super::sockopt::SocketOptions;
use super::transport::{Datagram, Inbox, Room, Transport, uninterrupted};
use crate::model::Change;

/// How long an answer may take from its first datagram to its last. A list of 100,000 services
/// takes about six seconds, and longer on slow machines.
const TIME_LIMIT: Duration = Duration::from_secs(60);

const OTHER_ANSWER: Malformed = Malformed("it answers another question");

/// The netlink port of the kernel.
const KERNEL: u32 = 0;

/// The answers to a question that may have many.
pub struct List<T> {
    pub items: Vec<T>,
    /// Whether they are a snapshot. A list in several parts may lack some items (see `table.rs`).
    pub at_once: bool,
}

/// What arrived while listening.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    datagrams: usize,
    /// The kernel sent more than the socket could hold.
    lost: bool,
}

pub struct Netlink {
    transport: Box<dyn Transport>,
    /// The number of the family in this kernel.
    family: u16,
    /// The number of the last request.
    sequence: u32,
    outbox: Vec<u8>,
    inbox: Inbox,
    time_limit: Duration,
    /// The size of the socket's buffers, once they are enlarged.
    room: Option<Room>,
}

impl Netlink {
    /// Looks up the family. This is `Error::Absent` if the kernel does not have it.
    pub fn new(transport: Box<dyn Transport>) -> Result<Self> {
        let mut netlink = Self {
            transport,
            family: 0,
            sequence: 0,
            outbox: Vec::new(),
            inbox: Inbox::default(),
            time_limit: TIME_LIMIT,
            room: None,
        };
        let sequence = netlink.next_sequence();
        let request = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(FAMILY.to_owned())],
        };
        netlink.outbox.clear();
        message::write(&mut netlink.outbox, GENL_ID_CTRL, 0, sequence, request);
        netlink.send()?;
        netlink.family = netlink.answer(sequence, |_, family| message::family_id(family))?;
        Ok(netlink)
    }

    pub fn set_time_limit(&mut self, limit: Duration) {
        self.time_limit = limit;
    }

    pub fn release(&mut self) {
        self.transport.release();
    }

    /// Makes one change and waits for the acknowledgement.
    pub fn change(&mut self, change: &Change) -> Result<()> {
        let sequence = self.request(NLM_F_ACK, Payload::Change(change))?;
        let mut verdict = 0;
        self.listen(|message| match message? {
            Message {
                sequence: about,
                body: Body::Verdict(errno),
            } if about == sequence => {
                verdict = errno;
                Ok(ControlFlow::Break(()))
            }
            _ => Ok(ControlFlow::Continue(())),
        })?;
        match verdict {
            0 => Ok(()),
            libc::ENOENT if self.is_gone() => Err(Error::Absent),
            errno => Err(Error::refused(errno)),
        }
    }

    /// Whether the module was unloaded since the family was found.
    fn is_gone(&mut self) -> bool {
        matches!(self.get(Query::Info, info::read), Err(Error::Absent))
    }

    /// Asks a question that has one answer.
    pub fn get<T>(
        &mut self,
        query: Query,
        read: impl Fn(&[u8]) -> std::result::Result<T, Malformed>,
    ) -> Result<T> {
        let sequence = self.request(0, Payload::Query(query))?;
        let expected = query.answer();
        self.answer(sequence, |command, attributes| {
            if command != expected {
                return Err(OTHER_ANSWER);
            }
            read(attributes)
        })
    }

    /// Asks questions with one answer each, as many at once as the socket has room for. The answers
    /// come in the same order.
    pub fn get_each<'q, T>(
        &mut self,
        mut queries: impl ExactSizeIterator<Item = Query<'q>>,
        read: impl Fn(&[u8]) -> std::result::Result<T, Malformed>,
    ) -> Result<Vec<Result<T>>> {
        let mut answers = Vec::with_capacity(queries.len());
        while queries.len() > 0 {
            let most = self.room()?.most_answers();
            self.outbox.clear();
            let first = self.sequence.wrapping_add(1);
            let mut expected = Vec::with_capacity(most.min(queries.len()));
            for query in queries.by_ref().take(most) {
                expected.push(query.answer());
                let sequence = self.next_sequence();
                let request = Payload::Query(query);
                message::write(&mut self.outbox, self.family, 0, sequence, request);
            }
            self.send()?;
            let mut next = 0;
            let heard = self.listen(|message| {
                let message = message?;
                if message.sequence != first.wrapping_add(next as u32) {
                    return Ok(ControlFlow::Continue(()));
                }
                let answer = match message.body {
                    Body::Data {
                        command,
                        attributes,
                    } if command == expected[next] => read(attributes).map_err(Error::from),
                    Body::Data { .. } => Err(OTHER_ANSWER.into()),
                    Body::Verdict(errno) if errno != 0 => Err(no_answer(errno)),
                    _ => return Ok(ControlFlow::Continue(())),
                };
                answers.push(answer);
                next += 1;
                Ok(if next == expected.len() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            if heard.lost {
                return Err(Error::Lost);
            }
        }
        Ok(answers)
    }

    /// Asks a question that may have many answers.
    pub fn list<T>(
        &mut self,
        query: Query,
        read: impl Fn(&[u8]) -> std::result::Result<T, Malformed>,
    ) -> Result<List<T>> {
        let sequence = self.request(NLM_F_DUMP, Payload::Query(query))?;
        let expected = query.answer();
        let mut items = Vec::new();
        let mut outcome = Ok(());
        // Read to the end even if it is malformed: the kernel starts no other list before that.
        let heard = self.listen(|message| {
            let item = match message {
                Ok(message) if message.sequence != sequence => {
                    return Ok(ControlFlow::Continue(()));
                }
                Ok(message) => match message.body {
                    Body::Data {
                        command,
                        attributes,
                    } if command == expected => read(attributes),
                    Body::Data { .. } => Err(OTHER_ANSWER),
                    Body::Verdict(0) | Body::Nothing => return Ok(ControlFlow::Continue(())),
                    Body::Done(0) => return Ok(ControlFlow::Break(())),
                    Body::Verdict(errno) | Body::Done(errno) => return Err(no_answer(errno)),
                },
                Err(malformed) => Err(malformed),
            };
            match item {
                Ok(item) => items.push(item),
                Err(malformed) => outcome = Err(malformed),
            }
            Ok(ControlFlow::Continue(()))
        });
        outcome?;
        let heard = heard?;
        if heard.lost {
            return Err(Error::Lost);
        }
        Ok(List {
            items,
            at_once: heard.datagrams <= 2,
        })
    }

    /// Begins a queue of changes that will be sent together.
    pub fn begin(&mut self) {
        self.outbox.clear();
    }

    /// Adds to the queue. A change without `NLM_F_ACK` is answered only if it is refused.
    pub fn queue(&mut self, flags: u16, change: &Change) {
        let sequence = self.next_sequence();
        let request = Payload::Change(change);
        message::write(&mut self.outbox, self.family, flags, sequence, request);
    }

    /// The length of the queue in bytes.
    pub fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Sends the queue of `count` changes and waits until all are done. `verdict` gets each answer
    /// with its place in the queue, from 0, in this order. Changes without an answer succeeded.
    pub fn send_queue(&mut self, count: usize, mut verdict: impl FnMut(usize, i32)) -> Result<()> {
        // A question after the changes: the kernel works in order, so once it has answered this
        // one, all changes are done, and their answers were received before.
        let barrier = self.next_sequence();
        let question = Payload::Query(Query::Info);
        message::write(&mut self.outbox, self.family, 0, barrier, question);
        self.send()?;
        let first = barrier.wrapping_sub(count as u32);
        let mut verdicts = Vec::new();
        // Answers come in the order of the queue. One that comes again is ignored.
        let mut next = 0;
        let heard = self.listen(|message| {
            let message = message?;
            let place = message.sequence.wrapping_sub(first) as usize;
            match message.body {
                // The family no longer exists, so nothing was done.
                Body::Verdict(libc::ENOENT) if message.sequence == barrier => {
                    verdicts.clear();
                    return Err(Error::Absent);
                }
                _ if message.sequence == barrier => return Ok(ControlFlow::Break(())),
                Body::Verdict(errno) if (next..count).contains(&place) => {
                    next = place + 1;
                    verdicts.push((place, errno));
                }
                _ => {}
            }
            Ok(ControlFlow::Continue(()))
        });
        for (place, errno) in verdicts {
            verdict(place, errno);
        }
        match heard {
            Ok(Heard { lost: false, .. }) => Ok(()),
            Ok(_) => Err(Error::Lost),
            // The answer to the barrier may be lost too, so check that the kernel still has IPVS.
            Err(Error::Lost) => self.get(Query::Info, info::read).and(Err(Error::Lost)),
            Err(error) => Err(error),
        }
    }

    /// Enlarges the socket's buffers for many answers at once, and returns their size.
    pub fn room(&mut self) -> Result<Room> {
        match self.room {
            Some(room) => Ok(room),
            None => {
                let room = uninterrupted(|| self.transport.enlarge())?;
                Ok(*self.room.insert(room))
            }
        }
    }

    /// The number of services and daemons on the whole machine, if it is known.
    pub fn uses(&mut self) -> Option<usize> {
        self.transport.uses()
    }

    /// The old socket options, through the same transport.
    pub fn socket_options(&mut self) -> SocketOptions<'_> {
        SocketOptions::new(&mut *self.transport, &mut self.outbox)
    }

    /// Sends one request and returns its number.
    fn request(&mut self, flags: u16, request: Payload) -> Result<u32> {
        let sequence = self.next_sequence();
        self.outbox.clear();
        message::write(&mut self.outbox, self.family, flags, sequence, request);
        self.send()?;
        Ok(sequence)
    }

    /// The one answer to a request.
    fn answer<T>(
        &mut self,
        sequence: u32,
        read: impl Fn(u8, &[u8]) -> std::result::Result<T, Malformed>,
    ) -> Result<T> {
        let mut answer = None;
        self.listen(|message| {
            let message = message?;
            answer = match message.body {
                _ if message.sequence != sequence => return Ok(ControlFlow::Continue(())),
                Body::Data {
                    command,
                    attributes,
                } => Some(read(command, attributes)?),
                Body::Verdict(errno) if errno != 0 => return Err(no_answer(errno)),
                _ => return Ok(ControlFlow::Continue(())),
            };
            Ok(ControlFlow::Break(()))
        })?;
        answer.ok_or(Error::NoAnswer)
    }

    /// Passes each message to `hear` until it returns `Break`. This includes late answers to
    /// earlier requests.
    fn listen(
        &mut self,
        mut hear: impl FnMut(std::result::Result<Message<'_>, Malformed>) -> Result<ControlFlow<()>>,
    ) -> Result<Heard> {
        let mut heard = Heard::default();
        let mut first = None;
        loop {
            match self.receive() {
                Ok(()) => {}
                // The socket still holds earlier answers, and takes no new ones until they
                // are read.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => heard.lost = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(if heard.lost {
                        Error::Lost
                    } else {
                        Error::NoAnswer
                    });
                }
                Err(error) => return Err(error.into()),
            }
            let from_kernel = |datagram: &Datagram<'_>| datagram.sender == KERNEL;
            for datagram in self.inbox.datagrams().filter(from_kernel) {
                heard.datagrams += 1;
                heard.lost |= datagram.is_cut || datagram.bytes.is_empty();
                for message in message::messages(datagram.bytes) {
                    if hear(message)?.is_break() {
                        return Ok(heard);
                    }
                }
            }
            if first.get_or_insert_with(Instant::now).elapsed() > self.time_limit {
                return Err(Error::NoAnswer);
            }
        }
    }

    fn send(&mut self) -> Result<()> {
        uninterrupted(|| self.transport.send(&self.outbox)).map_err(Error::Io)
    }

    fn receive(&mut self) -> io::Result<()> {
        self.inbox.clear();
        uninterrupted(|| self.transport.receive(&mut self.inbox))
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

/// The error for a refused question. `ENOENT` means that the family does not exist: the kernel
/// refuses no question with it.
fn no_answer(errno: i32) -> Error {
    match errno {
        libc::ENOENT => Error::Absent,
        errno => Error::refused(errno),
    }
}
