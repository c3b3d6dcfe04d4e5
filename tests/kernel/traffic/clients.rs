//! Clients that send requests without pause while something happens to the director.

use std::fmt::{self, Debug, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::ask;
use super::lan::{Lan, eventually};

/// A client that keeps sending requests, each from another address and port.
pub struct Client {
    over: Arc<AtomicBool>,
    /// The number of completed requests.
    asked: Arc<AtomicUsize>,
    thread: JoinHandle<Tally>,
}

/// The outcomes of its requests.
#[derive(Default)]
pub struct Tally {
    pub asked: usize,
    /// The number of late answers, which needed a retransmission.
    pub slow: usize,
    pub failed: Vec<Failure>,
}

/// A request without an answer.
pub struct Failure {
    pub from: SocketAddr,
    pub reason: anyhow::Error,
}

/// How long a client waits for an answer before its next request.
const PATIENCE: Duration = Duration::from_secs(3);

/// The retransmission time of a lost packet.
const SLOW: Duration = Duration::from_secs(1);

impl Client {
    /// Starts sending requests to a TCP or UDP service, by its address and port.
    pub fn start(lan: &Lan, protocol: i32, service: &str) -> Result<Self> {
        let service: SocketAddr = service.parse()?;
        let over = Arc::new(AtomicBool::new(false));
        // The thread inherits the network namespace of this one.
        lan.client.enter()?;
        let asked = Arc::new(AtomicUsize::new(0));
        let (is_over, count) = (over.clone(), asked.clone());
        let thread = thread::spawn(move || {
            let mut tally = Tally::default();
            while !is_over.load(Ordering::Relaxed) {
                tally.ask(protocol, service);
                count.fetch_add(1, Ordering::Relaxed);
            }
            tally
        });
        Ok(Self {
            over,
            asked,
            thread,
        })
    }

    /// Waits until this many requests and one more are complete.
    pub fn has_asked_beyond(&self, count: u64) -> Result<()> {
        eventually(|| {
            let asked = self.asked.load(Ordering::Relaxed);
            ensure!(asked as u64 > count, "only {asked} requests");
            Ok(())
        })
    }

    pub fn stop(self) -> Result<Tally> {
        self.over.store(true, Ordering::Relaxed);
        let tally = self.thread.join();
        tally.map_err(|_| anyhow!("a client panicked"))
    }
}

impl Debug for Failure {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}: {:#}", self.from, self.reason)
    }
}

impl Tally {
    fn ask(&mut self, protocol: i32, service: SocketAddr) {
        let from = never_used(service.ip());
        let start = Instant::now();
        let answered = match protocol {
            libc::IPPROTO_UDP => ask::send(from, service, &["who?"]).map(drop),
            _ => ask::hold_within(PATIENCE, protocol, from, service)
                .and_then(|held| held.end().map(drop)),
        };
        self.asked += 1;
        match answered {
            Ok(()) => self.slow += usize::from(start.elapsed() > SLOW),
            Err(reason) => self.failed.push(Failure { from, reason }),
        }
    }
}

/// An address and port not used before: the director remembers connections and their servers for a
/// while.
fn never_used(service: IpAddr) -> SocketAddr {
    const FIRST_PORT: usize = 1024;
    const PORTS: usize = 60_000;
    static USED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let number = USED[usize::from(service.is_ipv6())].fetch_add(1, Ordering::Relaxed);
    let (address, number) = match service {
        IpAddr::V4(_) => {
            let host = 1 + number % 250;
            let address = Ipv4Addr::new(203, 0, 113, host as u8);
            (IpAddr::from(address), number / 250)
        }
        IpAddr::V6(_) => {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
            (IpAddr::from(address), number)
        }
    };
    (address, (FIRST_PORT + number % PORTS) as u16).into()
}
