//! The tables that are loaded and listed.

use std::io::{self, Write};
use std::net::Ipv4Addr;

/// A number of services with a number of servers each.
#[derive(Clone, Copy)]
pub struct Set {
    pub services: u32,
    pub servers: u32,
    pub scheduler: &'static str,
    pub name: &'static str,
}

/// The port of every service, and that of every server.
pub const SERVICE_PORT: u16 = 80;
pub const SERVER_PORT: u16 = 8080;

pub const SETS: [Set; 3] = [
    Set {
        services: 1_000,
        servers: 10,
        scheduler: "rr",
        name: "1000x10",
    },
    Set {
        services: 10,
        servers: 1_000,
        scheduler: "wrr",
        name: "10x1000",
    },
    Set {
        services: 10_000,
        servers: 0,
        scheduler: "rr",
        name: "10000x0",
    },
];

pub const HUGE: Set = Set {
    services: 100_000,
    servers: 0,
    scheduler: "rr",
    name: "100000x0",
};

/// The set of the live screen.
pub const WATCHED: Set = Set {
    services: 1_000,
    servers: 2,
    scheduler: "rr",
    name: "1000x2",
};

pub const LARGE: Set = Set {
    services: 10_000,
    servers: 10,
    scheduler: "rr",
    name: "10000x10",
};

/// As a file it has a million lines.
pub const LINES: Set = Set {
    services: 90_909,
    servers: 10,
    scheduler: "rr",
    name: "90909x10",
};

impl Set {
    /// The set of this name, one of those above.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = SETS.into_iter().chain([HUGE]);
        all.find(|set| set.name == name)
    }

    /// The total number of services and servers.
    pub fn entries(&self) -> usize {
        (self.services * (1 + self.servers)) as usize
    }

    pub fn services(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        (1..=self.services).map(|number| Ipv4Addr::from_bits(0x0a00_0000 + number))
    }

    pub fn servers(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        (1..=self.servers).map(|number| Ipv4Addr::from_bits(0xac10_0000 + number))
    }

    /// The lines that restore it.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for service in self.services() {
            let scheduler = self.scheduler;
            writeln!(out, "-A -t {service}:{SERVICE_PORT} -s {scheduler}")?;
            for server in self.servers() {
                write!(out, "-a -t {service}:{SERVICE_PORT} ")?;
                writeln!(out, "-r {server}:{SERVER_PORT} -m -w 1")?;
            }
        }
        Ok(())
    }
}
