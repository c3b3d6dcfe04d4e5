//! Arbitrary answers from the kernel, by netlink and old socket options: nothing breaks, and no
//! verdict is invented.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use ipvsadm::command::{Columns, Format, View};
use ipvsadm::kernel::{Batch, Client, Detail, Error, Inbox, Room, Transport};
use ipvsadm::model::{Change, DaemonRole, Entry, Info, Protocol, ServiceId, sort_table};
use ipvsadm::names::Names;
use ipvsadm::render::{self, Extent, Out, Screen, save};

use crate::drive::{Reader, Surface};
use crate::mill::Mill;
use crate::random::Random;

pub const SURFACE: Surface = Surface {
    name: "replies",
    quick: 5_000,
    mill,
    open,
};

const SERVICE: ServiceId = ServiceId::Address {
    protocol: Protocol::TCP,
    address: std::net::IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)),
    port: 443,
};

/// The offsets of length, type and sequence number in messages, and of the error in verdicts.
const HEADER: usize = 16;
const ERROR: u16 = 2;

/// Old options that report a count.
const INFO: i32 = 1153;
const ONE_SERVICE: i32 = 1155;

fn mill() -> Mill {
    let examples = examples();
    // Whole attributes, whole messages, and what separates them.
    let mut pieces: Vec<Vec<u8>> = (0..16)
        .map(|kind| vec![8, 0, kind, 0, 1, 0, 0, 0])
        .collect();
    pieces.extend((0..16).map(|kind| vec![4, 0, kind, 0x80]));
    pieces.extend(examples.iter().cloned());
    Mill::new(examples, pieces)
}

/// The first two start every conversation.
fn examples() -> Vec<Vec<u8>> {
    let byte = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).expect("text");
        u8::from_str_radix(digits, 16).expect("two digits a byte")
    };
    let lines = include_str!("corpus/replies").lines();
    let lines = lines.map(|line| line.as_bytes().chunks(2).map(byte).collect());
    lines.collect()
}

fn open() -> anyhow::Result<Reader> {
    let [netlink, options] = [false, true].map(|refuses_netlink| {
        let kernel = Kernel::new(refuses_netlink);
        let client = Client::over(Box::new(kernel.clone())).expect("it was told what it needs");
        (kernel, Batch::new(client).expect("there is room"))
    });
    let (mut netlink, mut options) = (netlink, options);
    Ok(Box::new(move |input, random| {
        let (kernel, batch) = if random.chance(70) {
            &mut netlink
        } else {
            &mut options
        };
        kernel.prepare(input, random);
        ask(kernel, batch, random);
    }))
}

fn ask(kernel: &Kernel, batch: &mut Batch<Client, u32>, random: &mut Random) {
    let ignore = |_, _| {};
    if random.chance(15) {
        let changes = 1 + random.below(3) as u32;
        for tag in 0..changes {
            // An error here occurs again at the flush.
            let _ = batch.push(tag, &Change::Flush, |tag, refusal| {
                assert!(tag < changes && refusal.errno != 0);
            });
        }
        let _ = batch.send(|tag, refusal| assert!(tag < changes && refusal.errno != 0));
        let unknown = batch.take_unknown();
        assert!(unknown.len() <= changes as usize && unknown.is_sorted());
        return;
    }
    let client = batch.client(ignore).expect("nothing is waiting");
    match random.below(9) {
        0 => drop(client.service(&SERVICE)),
        1 => drop(client.services()),
        2 => drop(client.servers(&SERVICE)),
        3 => drop(client.daemons()),
        4 => drop(client.timeouts()),
        5 => show(client.table(Detail::Brief), random),
        6 => show(client.table(Detail::Full), random),
        7 => drop(client.stop_daemon(DaemonRole::Master)),
        _ => kernel.judge(&client.apply(&Change::Zero(None))),
    }
}

/// Any table can be shown in every format.
fn show(table: Result<Vec<Entry>, Error>, random: &mut Random) {
    let Ok(mut table) = table else { return };
    sort_table(&mut table);
    let mut names = Names::numeric();
    let columns = *random.pick(&[
        Columns::Plain,
        Columns::Stats,
        Columns::Rates,
        Columns::Thresholds,
        Columns::PersistentConnections,
        Columns::Tunnels,
    ]);
    let view = View {
        columns,
        exact: random.chance(50),
        sorted: true,
    };
    let mut sink = io::sink();
    let mut out = Out::new(&mut sink);
    for entry in &table {
        save::entry(&mut out, &mut names, entry, &mut Vec::new()).expect("room");
    }
    let info = Info {
        version: 0x01_02_01,
        connection_table_size: 4096,
    };
    let screen = Screen {
        colour: random.chance(50),
        width: Some(random.below(200)),
    };
    // Tables for people are slow.
    let people = random.chance(1).then_some(Format::Table);
    for name in [Format::Classic, Format::Json].into_iter().chain(people) {
        let mut format = render::format(name, view, screen);
        format
            .begin_services(&mut out, &info, Extent::ALL)
            .expect("room");
        format.services(&mut out, &mut names, &table).expect("room");
    }
}

/// A kernel that sends given answers, and records them.
#[derive(Clone)]
struct Kernel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    refuses_netlink: bool,
    datagrams: VecDeque<(Vec<u8>, u32)>,
    last_sequence: u32,
    /// Whether sequence numbers are relative to the last request.
    numbered: bool,
    /// The socket's error when there are no more datagrams.
    end: i32,
    /// The old options answer with this, from a different offset each time.
    options: Vec<u8>,
    calls: usize,
    counts_wildly: bool,
    option_error: i32,
    uses: Option<usize>,
    /// The kernel's own verdicts on the last request.
    verdicts: Vec<i32>,
}

impl Kernel {
    fn new(refuses_netlink: bool) -> Self {
        let mut examples = examples().into_iter();
        let state = State {
            refuses_netlink,
            numbered: true,
            datagrams: examples.by_ref().take(2).map(|bytes| (bytes, 0)).collect(),
            options: vec![1; 12],
            ..State::default()
        };
        let kernel = Self(Arc::new(Mutex::new(state)));
        if refuses_netlink {
            let denied = verdict(libc::EPERM);
            kernel.state().datagrams[1] = (denied, 0);
        }
        kernel
    }

    fn prepare(&self, input: &[u8], random: &mut Random) {
        let mut state = self.state();
        state.datagrams.clear();
        state.verdicts.clear();
        let mut rest = input;
        for _ in 0..random.below(4) {
            let sender = u32::from(random.chance(5)) * 4711;
            let (datagram, behind) = rest.split_at(random.below(rest.len() + 1));
            state.datagrams.push_back((datagram.to_vec(), sender));
            rest = behind;
        }
        state.datagrams.push_back((rest.to_vec(), 0));
        state.numbered = random.chance(90);
        state.end = *random.pick(&[libc::EAGAIN, libc::ENOBUFS, libc::ENOMEM]);
        state.options = input.to_vec();
        state.option_error = random.weighted(&[(6, 0), (1, libc::EAFNOSUPPORT), (1, libc::ESRCH)]);
        state.uses = random.chance(80).then(|| random.below(100));
        state.calls = 0;
        state.counts_wildly = random.below(1000) == 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no other thread")
    }

    /// A verdict must come from the kernel.
    fn judge(&self, outcome: &Result<(), Error>) {
        let state = self.state();
        let errno = match outcome {
            Ok(()) => 0,
            Err(Error::Refused(refusal)) => refusal.errno,
            Err(_) => return,
        };
        let given = state.verdicts.contains(&errno);
        assert!(given || state.refuses_netlink, "nobody said {outcome:?}");
    }
}

impl Transport for Kernel {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for message in split(messages) {
            state.last_sequence = field(&messages[message..], 8);
        }
        Ok(())
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let state = &mut *self.state();
        let Some((mut datagram, sender)) = state.datagrams.pop_front() else {
            // A loss is reported once, and nothing follows.
            let end = std::mem::replace(&mut state.end, libc::EAGAIN);
            return Err(io::Error::from_raw_os_error(end));
        };
        for start in split(&datagram) {
            let message = &mut datagram[start..];
            let mut sequence = field(message, 8);
            if state.numbered {
                sequence = sequence.wrapping_add(state.last_sequence);
                message[8..12].copy_from_slice(&sequence.to_ne_bytes());
            }
            let kind = u16::from_ne_bytes([message[4], message[5]]);
            if kind == ERROR
                && sequence == state.last_sequence
                && sender == 0
                && message.len() >= 20
            {
                let errno = field(message, HEADER);
                state.verdicts.push((errno as i32).wrapping_neg());
            }
        }
        inbox.empty_slots()[0][..datagram.len()].copy_from_slice(&datagram);
        inbox.filled(datagram.len(), sender);
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        Ok(Room {
            send: 212_992,
            receive: 8 << 20,
        })
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        let state = &mut *self.state();
        if state.option_error != 0 {
            return Err(io::Error::from_raw_os_error(state.option_error));
        }
        // A small part of it changes each time.
        let start = (state.calls * 4) % (state.options.len() + 1);
        let answer = &state.options[start..];
        state.calls += 1;
        let length = answer.len().min(value.len());
        value[..length].copy_from_slice(&answer[..length]);
        // Allocating for a wrong number of entries takes time, so it is rare.
        let count = match option {
            INFO => 8,
            ONE_SERVICE => 44,
            _ => return Ok(()),
        };
        if !state.counts_wildly {
            value[count + 1..count + 4].fill(0);
        }
        Ok(())
    }

    fn set_option(&mut self, _: i32, _: &[u8]) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }

    fn uses(&mut self) -> Option<usize> {
        self.state().uses
    }
}

/// The offsets of messages with at least a header, from their lengths.
fn split(datagram: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut start = 0;
    while datagram.len() >= start + HEADER {
        starts.push(start);
        let length = field(&datagram[start..], 0) as usize;
        start += length.max(HEADER).next_multiple_of(4);
    }
    starts
}

fn field(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(field)
}

/// How the kernel refuses the last question.
fn verdict(errno: i32) -> Vec<u8> {
    let mut message = [20_u32.to_ne_bytes(), [2, 0, 0, 0], [0; 4], [0; 4]].concat();
    message.extend((-errno).to_ne_bytes());
    message
}
