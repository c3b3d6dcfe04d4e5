//! Netlink messages: writing a request, and reading the messages of a datagram in place.

use netlink_packet_core::{
    DoneBuffer, Emitable, ErrorBuffer, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NetlinkBuffer, NetlinkHeader,
};
use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    constants::{CTRL_ATTR_FAMILY_ID, GENL_HDRLEN},
};

use super::attribute::{find, number};
use super::error::Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// Appends a request for this netlink family to `buffer`.
pub fn write<R>(buffer: &mut Vec<u8>, family: u16, flags: u16, sequence: u32, request: R)
where
    R: GenlFamily + Emitable + std::fmt::Debug,
{
    let message = GenlMessage::from_payload(request);
    let mut header = NetlinkHeader::default();
    let length = header.buffer_len() + message.buffer_len();
    header.length = length as u32;
    header.message_type = family;
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let start = buffer.len();
    buffer.resize(start + length, 0);
    let (head, body) = buffer[start..].split_at_mut(header.buffer_len());
    header.emit(head);
    message.emit(body);
}

/// A message from the kernel, with the sequence number of the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub sequence: u32,
    pub body: Body<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    Data {
        command: u8,
        attributes: &'a [u8],
    },
    /// How a request ended: an error number, or 0.
    Verdict(i32),
    /// The end of a dump: an error number, or 0.
    Done(i32),
    Nothing,
}

/// The messages of one datagram, up to the first malformed one.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let (message, rest) = match message(datagram) {
            Ok((message, rest)) => (Ok(message), rest),
            Err(malformed) => (Err(malformed), &[][..]),
        };
        datagram = rest;
        Some(message)
    })
}

fn message(datagram: &[u8]) -> Result<(Message<'_>, &[u8])> {
    let header = NetlinkBuffer::new_checked(datagram)
        .map_err(|_| Malformed("the length of a message is wrong"))?;
    let length = header.length() as usize;
    let payload = header.payload();
    let message = Message {
        sequence: header.sequence_number(),
        body: match header.message_type() {
            NLMSG_NOOP => Body::Nothing,
            NLMSG_ERROR => Body::Verdict(verdict(payload)?),
            NLMSG_DONE => Body::Done(done(payload)?),
            _ => data(payload)?,
        },
    };
    let rest = length.next_multiple_of(4).min(datagram.len());
    Ok((message, &datagram[rest..]))
}

fn verdict(payload: &[u8]) -> Result<i32> {
    let error =
        ErrorBuffer::new_checked(payload).map_err(|_| Malformed("an error without its number"))?;
    Ok(error.code().map_or(0, |code| code.get().wrapping_neg()))
}

fn done(payload: &[u8]) -> Result<i32> {
    if payload.is_empty() {
        return Ok(0);
    }
    let done = DoneBuffer::new_checked(payload)
        .map_err(|_| Malformed("the end of a list without its number"))?;
    Ok(done.code().wrapping_neg())
}

fn data(payload: &[u8]) -> Result<Body<'_>> {
    let header = GenlHeader::parse(payload).map_err(|_| Malformed("a message without a header"))?;
    Ok(Body::Data {
        command: header.cmd,
        attributes: &payload[GENL_HDRLEN..],
    })
}

/// The number of a generic netlink family, from the answer to `GETFAMILY`.
pub fn family_id(attributes: &[u8]) -> Result<u16> {
    number(find(attributes, CTRL_ATTR_FAMILY_ID)?)
}
