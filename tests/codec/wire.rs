//! Netlink messages, written and read by the other codec.

use std::collections::BTreeMap;
use std::io::Cursor;

use neli::attr::Attribute;
use neli::consts::nl::NlmF;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder};
use neli::nl::{NlPayload, Nlmsghdr, NlmsghdrBuilder};
use neli::types::{Buffer, GenlBuffer};
use neli::{FromBytes, FromBytesWithInput, Size, ToBytes};

use crate::script::FAMILY;

pub type Attr = Nlattr<u16, Buffer>;
type Message = Nlmsghdr<u16, Genlmsghdr<u8, u16>>;

/// The flags of a message that is part of a list.
const MULTI: u16 = 2;
const ERROR: u16 = 2;
const DONE: u16 = 3;

pub fn attribute(kind: u16, value: impl Size + ToBytes) -> Attr {
    NlattrBuilder::default()
        .nla_type(AttrTypeBuilder::default().nla_type(kind).build().unwrap())
        .nla_payload(value)
        .build()
        .unwrap()
}

pub fn bytes(kind: u16, value: &[u8]) -> Attr {
    attribute(kind, Buffer::from(value))
}

/// A port, or another number in network byte order.
pub fn big(kind: u16, value: u16) -> Attr {
    bytes(kind, &value.to_be_bytes())
}

pub fn nest(kind: u16, attributes: impl IntoIterator<Item = Attr>) -> Attr {
    let mut nest = bytes(kind, &[]);
    for attribute in attributes {
        nest = nest.nest(&attribute).unwrap();
    }
    nest
}

/// A data message: one answer to the request with this sequence number.
pub fn data(sequence: u32, command: u8, attributes: impl IntoIterator<Item = Attr>) -> Vec<u8> {
    message(FAMILY, 0, sequence, command, attributes)
}

/// One message of a list.
pub fn item(sequence: u32, command: u8, attributes: impl IntoIterator<Item = Attr>) -> Vec<u8> {
    message(FAMILY, MULTI, sequence, command, attributes)
}

pub fn info(sequence: u32) -> Vec<u8> {
    data(
        sequence,
        14,
        [attribute(1, 0x01_02_01_u32), attribute(2, 4096_u32)],
    )
}

fn message(
    kind: u16,
    flags: u16,
    sequence: u32,
    command: u8,
    attributes: impl IntoIterator<Item = Attr>,
) -> Vec<u8> {
    let mut all = GenlBuffer::new();
    for attribute in attributes {
        all.push(attribute);
    }
    let payload = GenlmsghdrBuilder::default()
        .cmd(command)
        .version(1)
        .attrs(all)
        .build()
        .unwrap();
    let message: Message = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(NlmF::from_bits_retain(flags))
        .nl_seq(sequence)
        .nl_payload(NlPayload::Payload(payload))
        .build()
        .unwrap();
    written(&message)
}

/// The end of a list.
pub fn done(sequence: u32) -> Vec<u8> {
    bare(DONE, MULTI, sequence, &0_i32.to_ne_bytes())
}

/// The verdict on a request: an error number or 0.
pub fn verdict(sequence: u32, errno: i32) -> Vec<u8> {
    let mut payload = (-errno).to_ne_bytes().to_vec();
    payload.extend([0; 16]);
    bare(ERROR, 0x100, sequence, &payload)
}

/// A message that does not belong to a family.
pub fn bare(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let message: Nlmsghdr<u16, Buffer> = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(NlmF::from_bits_retain(flags))
        .nl_seq(sequence)
        .nl_payload(NlPayload::Payload(Buffer::from(payload)))
        .build()
        .unwrap();
    written(&message)
}

fn written(message: &impl ToBytes) -> Vec<u8> {
    let mut buffer = Cursor::new(Vec::new());
    message.to_bytes(&mut buffer).unwrap();
    buffer.into_inner()
}

/// A request as the other codec reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub family: u16,
    pub flags: u16,
    pub sequence: u32,
    pub command: u8,
    pub version: u8,
    pub attributes: Fields,
}

/// Attributes by kind, each at most once.
pub type Fields = BTreeMap<u16, Vec<u8>>;

/// The requests of one send.
pub fn requests(sent: &[u8]) -> Vec<Request> {
    let mut cursor = Cursor::new(sent);
    let mut requests = Vec::new();
    while (cursor.position() as usize) < sent.len() {
        let message = Message::from_bytes(&mut cursor).expect("a request");
        let payload = message.get_payload().expect("a payload");
        requests.push(Request {
            family: *message.nl_type(),
            flags: message.nl_flags().bits(),
            sequence: *message.nl_seq(),
            command: *payload.cmd(),
            version: *payload.version(),
            attributes: by_kind(payload.attrs()),
        });
    }
    requests
}

/// The attributes in a nest.
pub fn inside(nest: &[u8]) -> Fields {
    let attributes =
        GenlBuffer::<u16, Buffer>::from_bytes_with_input(&mut Cursor::new(nest), nest.len())
            .expect("attributes");
    by_kind(&attributes)
}

fn by_kind(attributes: &GenlBuffer<u16, Buffer>) -> Fields {
    let mut fields = Fields::new();
    for attribute in attributes.iter() {
        let kind = *attribute.nla_type().nla_type();
        let twice = fields.insert(kind, attribute.payload().as_ref().to_vec());
        assert_eq!(twice, None, "attribute {kind} came twice");
    }
    fields
}

const SEQUENCE: std::ops::Range<usize> = 8..12;

pub fn last_sequence(messages: &[u8]) -> u32 {
    let mut rest = messages;
    loop {
        let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
        if length >= rest.len() {
            return u32::from_ne_bytes(rest[SEQUENCE].try_into().unwrap());
        }
        rest = &rest[length..];
    }
}

/// Adds to the sequence numbers of the messages in a datagram, up to the last whole header.
pub fn renumber(datagram: &mut [u8], base: u32) {
    let mut start = 0;
    while datagram.len() >= start + 16 {
        let message = &mut datagram[start..];
        let length = u32::from_ne_bytes(message[..4].try_into().unwrap()) as usize;
        let number = u32::from_ne_bytes(message[SEQUENCE].try_into().unwrap());
        message[SEQUENCE].copy_from_slice(&number.wrapping_add(base).to_ne_bytes());
        start += length.max(16).next_multiple_of(4);
    }
}
