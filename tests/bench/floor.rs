//! The time that the kernel itself takes: prepared messages, and answers that are not parsed.

use std::io;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use super::sets::{SERVER_PORT, SERVICE_PORT, Set};

/// The size of one send.
const BATCH: usize = 128 * 1024;

/// The largest datagram from the kernel.
const DATAGRAM: usize = 32 * 1024;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const NESTED: u16 = 0x8000;

const CONTROL: u16 = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;

const NEW_SERVICE: u8 = 1;
const GET_SERVICE: u8 = 4;
const NEW_DEST: u8 = 5;
const GET_DEST: u8 = 8;
const GET_INFO: u8 = 15;

const SERVICE: u16 = 1;
const DEST: u16 = 2;

pub struct Floor {
    socket: Socket,
    family: u16,
    datagram: Vec<u8>,
}

/// The messages that list a table.
pub struct Questions {
    services: Vec<u8>,
    servers: Vec<Vec<u8>>,
}

impl Floor {
    pub fn open() -> Result<Self> {
        let socket = Socket::new(NETLINK_GENERIC)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let mut floor = Floor {
            socket,
            family: CONTROL,
            datagram: Vec::with_capacity(DATAGRAM),
        };
        let question = floor.message(3, 0, &attribute(2, b"IPVS\0"));
        floor.socket.send(&question, 0)?;
        floor.receive()?;
        floor.family = family(&floor.datagram).context("the kernel has no IPVS")?;
        Ok(floor)
    }

    /// The sends that load a set; each ends with a query.
    pub fn load_messages(&self, set: &Set) -> Vec<Vec<u8>> {
        let question = self.message(GET_INFO, 0, &[]);
        let mut sends = Vec::new();
        let mut send = Vec::new();
        let mut add = |message: Vec<u8>| {
            send.extend(message);
            if send.len() > BATCH {
                send.extend(&question);
                sends.push(std::mem::take(&mut send));
            }
        };
        for service in set.services() {
            let whole = attribute(SERVICE | NESTED, &whole_service(service, set.scheduler));
            add(self.message(NEW_SERVICE, 0, &whole));
            let key = attribute(SERVICE | NESTED, &service_key(service));
            for server in set.servers() {
                let server = attribute(DEST | NESTED, &whole_server(server));
                add(self.message(NEW_DEST, 0, &[&key[..], &server].concat()));
            }
        }
        send.extend(&question);
        sends.push(send);
        sends
    }

    /// Loads a set: the only answers must be those to the queries.
    pub fn load(&mut self, sends: &[Vec<u8>]) -> Result<()> {
        for send in sends {
            self.socket.send(send, 0)?;
            self.receive()?;
            let kind = kind(&self.datagram);
            ensure!(kind == self.family, "the kernel refused a part of the set");
        }
        Ok(())
    }

    pub fn questions(&self, set: &Set) -> Questions {
        let servers = set.services().map(|service| {
            let key = attribute(SERVICE | NESTED, &service_key(service));
            self.message(GET_DEST, DUMP, &key)
        });
        Questions {
            services: self.message(GET_SERVICE, DUMP, &[]),
            servers: servers.collect(),
        }
    }

    /// Lists a table; returns the number of services and servers.
    pub fn list(&mut self, questions: &Questions) -> Result<usize> {
        let mut count = self.dump(&questions.services)?;
        for question in &questions.servers {
            count += self.dump(question)?;
        }
        Ok(count)
    }

    /// Only the services.
    pub fn list_services(&mut self, questions: &Questions) -> Result<usize> {
        self.dump(&questions.services)
    }

    fn dump(&mut self, question: &[u8]) -> Result<usize> {
        self.socket.send(question, 0)?;
        let mut count = 0;
        loop {
            self.receive()?;
            match kind(&self.datagram) {
                DONE => return Ok(count),
                ERROR => bail!("the kernel refused to list"),
                _ => count += messages(&self.datagram),
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        self.datagram.clear();
        self.socket.recv(&mut self.datagram, 0)?;
        Ok(())
    }

    fn message(&self, command: u8, flags: u16, attributes: &[u8]) -> Vec<u8> {
        let length = 20 + attributes.len() as u32;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(self.family.to_ne_bytes());
        message.extend((REQUEST | flags).to_ne_bytes());
        message.extend([0; 8]);
        message.extend([command, 1, 0, 0]);
        message.extend(attributes);
        message
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = (4 + value.len() as u16).to_ne_bytes().to_vec();
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

fn service_key(address: Ipv4Addr) -> Vec<u8> {
    [
        attribute(1, &(libc::AF_INET as u16).to_ne_bytes()),
        attribute(2, &(libc::IPPROTO_TCP as u16).to_ne_bytes()),
        attribute(3, &sixteen(address)),
        attribute(4, &SERVICE_PORT.to_be_bytes()),
    ]
    .concat()
}

fn whole_service(address: Ipv4Addr, scheduler: &str) -> Vec<u8> {
    [
        service_key(address),
        attribute(6, &[scheduler.as_bytes(), b"\0"].concat()),
        attribute(7, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        attribute(8, &0_u32.to_ne_bytes()),
        attribute(9, &[0xff; 4]),
    ]
    .concat()
}

fn whole_server(address: Ipv4Addr) -> Vec<u8> {
    [
        attribute(1, &sixteen(address)),
        attribute(2, &SERVER_PORT.to_be_bytes()),
        attribute(3, &0_u32.to_ne_bytes()),
        attribute(4, &1_u32.to_ne_bytes()),
        attribute(5, &0_u32.to_ne_bytes()),
        attribute(6, &0_u32.to_ne_bytes()),
    ]
    .concat()
}

fn sixteen(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&address.octets());
    bytes
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The type of the first message in a datagram.
fn kind(datagram: &[u8]) -> u16 {
    number(datagram, 4).map_or(ERROR, u16::from_ne_bytes)
}

/// The number of messages in a datagram.
fn messages(mut datagram: &[u8]) -> usize {
    let mut count = 0;
    while let Some(length) = number(datagram, 0).map(u32::from_ne_bytes) {
        datagram = datagram.get(length as usize..).unwrap_or_default();
        count += 1;
    }
    count
}

/// The number of the family, an attribute of the answer.
fn family(datagram: &[u8]) -> Option<u16> {
    let mut attributes = datagram.get(20..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(number(attributes, 0)?));
        if number(attributes, 2)? == 1_u16.to_ne_bytes() {
            return number(attributes, 4).map(u16::from_ne_bytes);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}
