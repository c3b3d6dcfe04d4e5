//! Every fault of a system call, at each call in turn: the outcome must be the same as without the
//! fault, or an error that is not attributed to the kernel's verdict.

use std::collections::HashSet;
use std::io;

use ipvsadm::kernel::{Batch, Client, Detail, Error, Inbox, Refusal, Result, Room, Transport};
use ipvsadm::model::*;

use crate::shared::Shared;
use crate::wire;
use crate::world::{Visitor, World, entry, v4, v6};

/// A fault of a call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It fails, and does nothing.
    Fails(i32),
    /// A received datagram is lost, and the kernel reports it.
    Overflow,
    /// Nothing more arrives.
    Silence,
    /// A datagram arrives twice.
    Twice,
    /// Something else arrives before the expected datagram.
    Before(Other),
    /// So many bytes are missing at the end of a datagram.
    Short(usize),
}

#[derive(Clone, Copy, Debug)]
enum Other {
    /// From another process, with the sequence number of our request.
    ForgedVerdict,
    ForgedEnd,
    ForgedNonsense,
    /// From the kernel, about a much earlier request.
    EarlierVerdict,
    EarlierEnd,
    EarlierAnswer,
}

const ERRORS: [i32; 6] = [
    libc::EINTR,
    libc::EAGAIN,
    libc::ENOBUFS,
    libc::EPERM,
    libc::ENOMEM,
    libc::EBADF,
];

const OTHERS: [Other; 6] = [
    Other::ForgedVerdict,
    Other::ForgedEnd,
    Other::ForgedNonsense,
    Other::EarlierVerdict,
    Other::EarlierEnd,
    Other::EarlierAnswer,
];

/// A request to a client; its outcome contains what faults must not change.
type Question = fn(Client) -> Result<String>;

const QUESTIONS: [Question; 12] = [
    |mut client| client.info().map(|info| format!("{info:?}")),
    |mut client| client.table(Detail::Brief).map(names),
    |mut client| client.table(Detail::Full).map(names),
    |mut client| client.service(&id(v4(7))).map(|state| format!("{state:?}")),
    |mut client| {
        client
            .service(&id(v4(9999)))
            .map(|state| format!("{state:?}"))
    },
    |mut client| {
        client
            .servers(&id(v4(1)))
            .map(|servers| format!("{} servers", servers.len()))
    },
    |mut client| {
        client
            .servers(&id(v6(1)))
            .map(|servers| format!("{} servers", servers.len()))
    },
    |mut client| client.daemons().map(|daemons| format!("{daemons:?}")),
    |mut client| {
        client
            .stop_daemon(DaemonRole::Master)
            .map(|()| "stopped".into())
    },
    |mut client| client.add_service(&new(10_000)).map(|()| "added".into()),
    |mut client| client.add_service(&new(7)).map(|()| "added".into()),
    |client| {
        let mut refused = Vec::new();
        let mut batch = Batch::new(client)?;
        for number in [7, 10_000, 10_000, 10_001] {
            let service = new(number);
            batch.push(
                number,
                &Change::AddService(service),
                |tag, refusal: Refusal| refused.push((tag, refusal.errno)),
            )?;
        }
        batch.send(|tag, refusal: Refusal| refused.push((tag, refusal.errno)))?;
        Ok(format!("{refused:?}"))
    },
];

fn id(address: std::net::IpAddr) -> ServiceId {
    ServiceId::Address {
        protocol: Protocol::TCP,
        address,
        port: 80,
    }
}

fn new(number: u32) -> Service {
    entry(v4(number), 0).service.service
}

/// Counters may be 32 or 64 bits wide, depending on how they were read.
fn names(table: Vec<Entry>) -> String {
    let names = table.iter().map(|entry| {
        let servers: Vec<_> = entry.servers.iter().map(|state| state.server).collect();
        format!("{:?} {servers:?}\n", entry.service.service)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.concat()
}

/// A table with everything, sent in several parts, with or without the old socket options.
fn world(old_options: bool) -> World {
    let mut table: Vec<Entry> = (1..=8).map(|number| entry(v4(number), 0)).collect();
    table.extend((1..=2).map(|number| entry(v6(number), 2)));
    table[0] = entry(v4(1), 5);
    let daemon = |role, sync_id| Daemon {
        role,
        interface: "lo".parse().unwrap(),
        sync_id,
        max_length: None,
        group: None,
        port: None,
        ttl: None,
    };
    World {
        table,
        daemons: vec![daemon(DaemonRole::Master, 1), daemon(DaemonRole::Backup, 2)],
        chunk: 4,
        old_options,
        uses: true,
        ..World::default()
    }
}

/// A connection to a world on which one call goes wrong.
struct Faulty {
    inner: Visitor,
    fault: Fault,
    /// The number of the call.
    at: usize,
    calls: Shared<usize>,
    last_sequence: u32,
    /// Datagrams still to arrive, before those of the world.
    waiting: Vec<(Vec<u8>, u32)>,
    is_silent: bool,
    /// Whether the failed call was an old socket option, whose error is the kernel's verdict.
    failed_option: Shared<bool>,
}

impl Faulty {
    /// Whether this call has the fault.
    fn is_here(&mut self) -> bool {
        let mut calls = self.calls.lock();
        *calls += 1;
        *calls == self.at + 1
    }

    fn call(&mut self) -> io::Result<()> {
        match (self.is_here(), self.fault) {
            (true, Fault::Fails(errno)) => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }

    fn option(&mut self) -> io::Result<()> {
        let outcome = self.call();
        *self.failed_option.lock() |= outcome.is_err();
        outcome
    }

    fn other(&self, other: Other) -> (Vec<u8>, u32) {
        let (now, earlier) = (self.last_sequence, self.last_sequence.wrapping_sub(1000));
        match other {
            Other::ForgedVerdict => (wire::verdict(now, 0), 4711),
            Other::ForgedEnd => (wire::done(now), 4711),
            Other::ForgedNonsense => (vec![1, 2, 3], 4711),
            Other::EarlierVerdict => (wire::verdict(earlier, libc::EEXIST), 0),
            Other::EarlierEnd => (wire::done(earlier), 0),
            Other::EarlierAnswer => (wire::info(earlier), 0),
        }
    }

    /// The next datagram of this world.
    fn next(&mut self) -> io::Result<(Vec<u8>, u32)> {
        let mut inbox = Inbox::default();
        self.inner.receive(&mut inbox)?;
        let datagram = inbox.datagrams().next().expect("one at a time");
        Ok((datagram.bytes.to_vec(), datagram.sender))
    }

    fn wrong(&mut self) -> io::Result<(Vec<u8>, u32)> {
        let failing = |errno| Err(io::Error::from_raw_os_error(errno));
        match self.fault {
            Fault::Fails(errno) => failing(errno),
            Fault::Overflow => {
                self.next()?;
                failing(libc::ENOBUFS)
            }
            Fault::Silence => {
                self.is_silent = true;
                failing(libc::EAGAIN)
            }
            Fault::Twice => {
                let datagram = self.next()?;
                self.waiting.push(datagram.clone());
                Ok(datagram)
            }
            Fault::Before(other) => Ok(self.other(other)),
            Fault::Short(missing) => {
                let (mut bytes, sender) = self.next()?;
                bytes.truncate(bytes.len().saturating_sub(missing));
                Ok((bytes, sender))
            }
        }
    }
}

impl Transport for Faulty {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.call()?;
        self.last_sequence = wire::last_sequence(messages);
        self.inner.send(messages)
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let is_here = self.is_here();
        let (bytes, sender) = match self.waiting.pop() {
            _ if self.is_silent => return Err(io::Error::from_raw_os_error(libc::EAGAIN)),
            _ if is_here => self.wrong()?,
            Some(datagram) => datagram,
            None => self.next()?,
        };
        inbox.empty_slots()[0][..bytes.len()].copy_from_slice(&bytes);
        inbox.filled(bytes.len(), sender);
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        self.call()?;
        Ok(Room {
            send: 212_992,
            receive: 8 << 20,
        })
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        self.option()?;
        self.inner.get_option(option, value)
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> io::Result<()> {
        self.option()?;
        self.inner.set_option(option, value)
    }

    fn uses(&mut self) -> Option<usize> {
        self.inner.uses()
    }
}

/// One request with one fault.
struct Trial {
    outcome: Result<String>,
    table: String,
    calls: usize,
    failed_option: bool,
}

fn attempt(question: Question, old_options: bool, fault: Fault, at: usize) -> Trial {
    let world = Shared::new(world(old_options));
    let (calls, failed_option) = (Shared::default(), Shared::default());
    let faulty = Faulty {
        inner: Visitor(world.clone()),
        fault,
        at,
        calls: calls.clone(),
        last_sequence: 0,
        waiting: Vec::new(),
        is_silent: false,
        failed_option: failed_option.clone(),
    };
    let outcome = Client::over(Box::new(faulty)).and_then(question);
    let table = names(world.lock().table.clone());
    Trial {
        outcome,
        table,
        calls: *calls.lock(),
        failed_option: *failed_option.lock(),
    }
}

/// Tries a fault at every call of every request, and passes on the outcome together with the one
/// without a fault.
fn everywhere(fault: Fault, judge: impl Fn(&Trial, &Trial, &str)) {
    for (number, question) in QUESTIONS.into_iter().enumerate() {
        for old_options in [false, true] {
            let sound = attempt(question, old_options, fault, usize::MAX - 1);
            for at in 0..sound.calls {
                let trial = attempt(question, old_options, fault, at);
                let place =
                    format!("question {number}, old options {old_options}, {fault:?} at call {at}");
                judge(&trial, &sound, &place);
            }
        }
    }
}

fn told(outcome: &Result<String>) -> String {
    match outcome {
        Ok(answer) => answer.clone(),
        Err(error) => format!("{error:?}"),
    }
}

/// The same answer as without a fault, or an error that did not come from the kernel.
fn nothing_invented(trial: &Trial, sound: &Trial, place: &str) {
    if told(&trial.outcome) == told(&sound.outcome) {
        return;
    }
    match &trial.outcome {
        Err(Error::NoAnswer | Error::Lost | Error::Malformed(_) | Error::Io(_)) => {}
        Err(Error::Refused(_)) if trial.failed_option => {}
        outcome => panic!("{place}: {outcome:?}"),
    }
}

#[test]
fn failing_calls() {
    for errno in ERRORS {
        everywhere(Fault::Fails(errno), |trial, sound, place| {
            nothing_invented(trial, sound, place);
            if errno == libc::EINTR {
                assert_eq!(told(&trial.outcome), told(&sound.outcome), "{place}");
                assert_eq!(trial.table, sound.table, "{place}");
            }
        });
    }
}

#[test]
fn lost_answers() {
    everywhere(Fault::Overflow, nothing_invented);
    everywhere(Fault::Silence, nothing_invented);
}

#[test]
fn other_messages() {
    for other in OTHERS {
        everywhere(Fault::Before(other), |trial, sound, place| {
            assert_eq!(told(&trial.outcome), told(&sound.outcome), "{place}");
        });
    }
}

#[test]
fn doubled_answers() {
    everywhere(Fault::Twice, |trial, sound, place| {
        assert_eq!(told(&trial.outcome), told(&sound.outcome), "{place}");
    });
}

#[test]
fn short_datagrams() {
    for missing in [1, 2, 4, 8, 16, 100] {
        everywhere(Fault::Short(missing), nothing_invented);
    }
}

/// The requests make calls of every kind; otherwise these tests would prove little.
#[test]
fn requests_make_calls_of_all_kinds() {
    let mut counts = HashSet::new();
    for question in QUESTIONS {
        for old_options in [false, true] {
            let trial = attempt(question, old_options, Fault::Silence, usize::MAX - 1);
            counts.insert(trial.calls);
        }
    }
    assert!(counts.iter().max() > Some(&15), "{counts:?}");
}
