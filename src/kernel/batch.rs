//! Many changes with few system calls.

use std::borrow::BorrowMut;
use std::mem;

use super::client::{Client, Way};
use super::error::{Action, Error, Refusal, Result};
use super::limits;
use crate::model::Change;

/// The most bytes that one change, or the question after the last change, can take.
const CHANGE_SIZE: usize = 256;

/// Changes that are sent to the kernel together, in order. Each has a tag that identifies it.
///
/// A batch is sent when it is full, and by [`send`](Self::send). It keeps nothing after that, so it
/// may be of any length. The last changes wait for `send`: a batch that is dropped without it, such
/// as by a `?` on an error, loses them.
///
/// There is no transaction: the kernel makes one change after another, and continues after one that
/// it refuses. A batch owns its client, or borrows it.
///
/// ```no_run
/// use ipvsadm::kernel::{Batch, Client};
/// use ipvsadm::model::{Change, Forwarding, Server, Service};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::open()?;
/// let web = Service::tcp("192.0.2.1:80".parse()?);
/// client.add_service(&web)?;
///
/// let mut refused = Vec::new();
/// let mut batch = Batch::new(&mut client)?;
/// for number in 1..=200 {
///     let server = Server {
///         forwarding: Forwarding::Masquerade,
///         ..Server::new(([10, 0, 0, number], 80))
///     };
///     let change = Change::AddServer(web.id, server);
///     batch.push(number, &change, |number, refusal| refused.push((number, refusal)))?;
/// }
/// batch.send(|number, refusal| refused.push((number, refusal)))?;
/// for (number, refusal) in refused {
///     eprintln!("server {number}: {refusal}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Batch<C, T> {
    client: C,
    sent: Vec<(T, Action)>,
    unknown: Vec<T>,
    /// How many answers fit in the socket.
    most_changes: usize,
    most_bytes: usize,
}

impl<C: BorrowMut<Client>, T> Batch<C, T> {
    /// An empty batch over a client or `&mut` client. It enlarges the buffers of the socket.
    pub fn new(mut client: C) -> Result<Self> {
        let room = client.borrow_mut().netlink.room()?;
        Ok(Self {
            client,
            sent: Vec::new(),
            unknown: Vec::new(),
            most_changes: room.most_answers(),
            most_bytes: room.send.saturating_sub(2 * CHANGE_SIZE),
        })
    }

    /// Adds a change. If that makes the batch full, it is sent, and `refused` is called with the
    /// tag of each change that was refused. A change that fails with [`Error::Invalid`] is not
    /// added.
    pub fn push(
        &mut self,
        tag: T,
        change: &Change,
        mut refused: impl FnMut(T, Refusal),
    ) -> Result<()> {
        let client = self.client.borrow_mut();
        if client.way == Way::SocketOptions {
            return match client.apply(change) {
                Err(Error::Refused(refusal)) => {
                    refused(tag, refusal);
                    Ok(())
                }
                outcome => outcome,
            };
        }
        limits::check(change)?;
        if self.sent.is_empty() {
            client.netlink.begin();
        }
        client.netlink.queue(0, change);
        self.sent.push((tag, change.into()));
        let queued = client.netlink.queued();
        if self.sent.len() >= self.most_changes || queued > self.most_bytes {
            self.send(refused)?;
        }
        Ok(())
    }

    /// Sends everything pushed so far, and waits until the kernel has done it.
    ///
    /// After [`Error::Lost`] it is done too, but some answers did not arrive.
    pub fn send(&mut self, mut refused: impl FnMut(T, Refusal)) -> Result<()> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let count = self.sent.len();
        let (mut sent, mut known) = (self.sent.drain(..), 0);
        let netlink = &mut self.client.borrow_mut().netlink;
        let outcome = netlink.send_queue(count, |place, errno| {
            let change = sent.nth(place - known);
            known = place + 1;
            match change {
                Some((tag, action)) if errno != 0 => refused(tag, Refusal { action, errno }),
                _ => {}
            }
        });
        if outcome.is_err() {
            self.unknown.extend(sent.map(|(tag, _)| tag));
        }
        outcome
    }

    /// Takes the tags of the changes that may or may not have been made, after errors. The kernel
    /// works in order, so its last answer shows that all changes before it were made or refused.
    pub fn take_unknown(&mut self) -> Vec<T> {
        mem::take(&mut self.unknown)
    }

    /// Sends everything pushed so far, waits until it is done, and returns the client.
    pub fn client(&mut self, refused: impl FnMut(T, Refusal)) -> Result<&mut Client> {
        self.send(refused)?;
        Ok(self.client.borrow_mut())
    }
}
