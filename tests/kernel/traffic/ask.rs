//! Clients: their requests, and the answers.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::sys;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server's answer to its client.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The server's name.
    pub server: String,
    /// The client's address, as the server sees it.
    pub client: SocketAddr,
    /// The address that the request was sent to, as the server sees it.
    pub here: SocketAddr,
}

/// Parses the server's text.
impl Display for Answer {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "{} {} {}", self.server, self.client, self.here)
    }
}

impl Answer {
    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let mut word = || {
            words
                .next()
                .with_context(|| format!("an answer of {text:?}"))
        };
        Ok(Answer {
            server: word()?.to_owned(),
            client: word()?.parse()?,
            here: word()?.parse()?,
        })
    }
}

/// A connection that its client keeps open.
#[derive(Debug)]
pub struct Held {
    pub answer: Answer,
    stream: TcpStream,
}

impl Held {
    /// Sends so many bytes, which the server discards.
    pub fn send(&mut self, bytes: u64) -> Result<()> {
        let chunk = [0; 1 << 18];
        let mut left = bytes as usize;
        while left > 0 {
            left -= self.stream.write(&chunk[..left.min(chunk.len())])?;
        }
        Ok(())
    }

    /// Closes it from both sides.
    pub fn end(mut self) -> Result<Answer> {
        self.stream.shutdown(Shutdown::Write)?;
        match self.stream.read_to_end(&mut Vec::new()) {
            // With SCTP the connection no longer exists; with TCP it has ended.
            Err(error) if error.kind() != ErrorKind::NotConnected => {
                Err(error).context("waiting for the server's end")
            }
            _ => Ok(self.answer),
        }
    }
}

/// Connects from one address to another, and waits for the answer.
pub fn hold(protocol: i32, from: SocketAddr, to: SocketAddr) -> Result<Held> {
    hold_within(PATIENCE, protocol, from, to)
}

/// The same with a shorter time limit.
pub fn hold_within(
    patience: Duration,
    protocol: i32,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<Held> {
    let stream = sys::connect(protocol, from, to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let mut text = String::new();
    BufReader::new(&stream)
        .read_line(&mut text)
        .context("waiting for an answer")?;
    let answer = Answer::parse(&text)?;
    Ok(Held { answer, stream })
}

/// Sends datagrams from one address to another, and waits for the answer to each.
pub fn send(from: SocketAddr, to: SocketAddr, texts: &[&str]) -> Result<Vec<Answer>> {
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let answers = texts.iter().map(|text| {
        socket.send(text.as_bytes())?;
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).context("waiting for an answer")?;
        Answer::parse(&String::from_utf8_lossy(&buffer[..length]))
    });
    answers.collect()
}

/// The error of a refused connection.
pub fn is_refused(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The names of the servers that answered, in order.
pub fn names(answers: &[Answer]) -> Vec<&str> {
    answers
        .iter()
        .map(|answer| answer.server.as_str())
        .collect()
}

/// An error unless these come from the same server.
pub fn same_server<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Result<&'a str> {
    let mut answers = answers.into_iter();
    let first = answers.next().context("no answers")?;
    for answer in answers {
        ensure!(answer.server == first.server, "{answer:?}, and {first:?}");
    }
    Ok(&first.server)
}

/// The answers, if each server gave the expected number.
pub fn shared(answers: Vec<Answer>, expected: &[(&str, usize)]) -> Result<Vec<Answer>> {
    let mut counts = BTreeMap::new();
    for answer in &answers {
        *counts.entry(answer.server.as_str()).or_default() += 1;
    }
    let expected = expected.iter().copied().collect();
    ensure!(
        counts == expected,
        "{counts:?} answered instead of {expected:?}"
    );
    Ok(answers)
}
