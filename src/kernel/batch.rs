//! Many changes with few system calls.

use std::mem;

use super::client::{Client, Way};
use super::error::{Error, Result};
use crate::model::Change;

/// More than any change takes of a send, and than the question behind the last one.
const CHANGE_SIZE: usize = 256;

/// Changes on their way to the kernel, in their order, each with a tag to know it by.
///
/// They are sent together: when there are enough of them, and by [`flush`](Self::flush). Nothing
/// else is kept, so a batch may be of any length. What was pushed and never flushed is not done.
///
/// The kernel answers only what it refuses. A refused change stops none of those after it.
#[must_use]
pub struct Batch<T> {
    client: Client,
    tags: Vec<T>,
    unknown: Vec<T>,
    /// So many changes may be refused at once without a word being lost.
    most_changes: usize,
    most_bytes: usize,
}

impl<T: Copy> Batch<T> {
    /// Begins to do many things at once.
    pub fn new(mut client: Client) -> Result<Self> {
        let room = client.netlink.room()?;
        Ok(Self {
            client,
            tags: Vec::new(),
            unknown: Vec::new(),
            most_changes: room.most_answers(),
            most_bytes: room.send.saturating_sub(2 * CHANGE_SIZE),
        })
    }

    /// Adds a change. Should that make the batch full it is flushed, and `refused` is told the
    /// tags of the refused changes with the kernel's error numbers.
    pub fn push(&mut self, tag: T, change: &Change, mut refused: impl FnMut(T, i32)) -> Result<()> {
        if self.client.way == Way::Options {
            return match self.client.apply(change) {
                Err(Error::Refused(errno)) => {
                    refused(tag, errno);
                    Ok(())
                }
                outcome => outcome,
            };
        }
        if self.tags.is_empty() {
            self.client.netlink.begin();
        }
        self.client.netlink.queue(0, change);
        self.tags.push(tag);
        if self.is_full() {
            self.flush(refused)?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.tags.len() >= self.most_changes || self.client.netlink.queued() > self.most_bytes
    }

    /// Has the kernel do everything pushed so far, and waits until it is done.
    ///
    /// With [`Error::Lost`] it is done too, but the kernel's word on some of it did not arrive.
    pub fn flush(&mut self, mut refused: impl FnMut(T, i32)) -> Result<()> {
        if self.tags.is_empty() {
            return Ok(());
        }
        let tags = &self.tags;
        let mut known = 0;
        let outcome = self.client.netlink.send_queue(tags.len(), |place, errno| {
            known = place + 1;
            if errno != 0 {
                refused(tags[place], errno);
            }
        });
        let unknown = self.tags.drain(..).skip(known);
        if outcome.is_err() {
            self.unknown.extend(unknown);
        }
        outcome
    }

    /// Takes the tags of the changes of which errors have left it open whether they were done. The
    /// kernel goes through them in their order: its last word tells that all before it were.
    pub fn take_unknown(&mut self) -> Vec<T> {
        mem::take(&mut self.unknown)
    }

    /// The client, once everything pushed so far is done.
    pub fn client(&mut self, refused: impl FnMut(T, i32)) -> Result<&mut Client> {
        self.flush(refused)?;
        Ok(&mut self.client)
    }
}
