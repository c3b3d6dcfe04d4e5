//! Sums over all services in `/proc/net/ip_vs_stats`; the load of the tables in `ip_vs_status` and
//! three sysctls, which newer kernels have.

use std::fmt::Display;
use std::fs;
use std::io;
use std::str::FromStr;

use super::SYSCTLS;
use crate::kernel::error::plain;
use crate::kernel::netns::Home;
use crate::kernel::{self, Error};
use crate::model::{Estimators, HashTable, Limits, Stats, Status, Totals};

const STATS: &str = "ip_vs_stats";
const STATUS: &str = "ip_vs_status";

pub fn read(home: &Home) -> kernel::Result<Totals> {
    home.run(|| read_from(home.proc()))?.map_err(Error::File)
}

pub fn of_net(proc: &str, name: &str) -> io::Result<String> {
    super::open(proc, name).and_then(io::read_to_string)
}

fn read_from(proc: &str) -> io::Result<Totals> {
    let sysctl = |name| {
        let path = format!("{proc}/{SYSCTLS}/{name}");
        let number = |text: &str| text.trim().parse().ok();
        if_there_is(parsed(name, fs::read_to_string(path), number))
    };
    Ok(Totals {
        stats: parsed(STATS, of_net(proc, STATS), parse_stats)?,
        status: if_there_is(parsed(STATUS, of_net(proc, STATUS), parse_status))?,
        limits: Limits {
            most_connections: sysctl("conn_max")?,
            connection_load_factor: sysctl("conn_lfactor")?,
            service_load_factor: sysctl("svc_lfactor")?,
        },
    })
}

pub fn parsed<T>(
    file: &str,
    text: io::Result<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> io::Result<T> {
    let text = text.map_err(|error| match error.raw_os_error() {
        // The client checks for this error number.
        Some(libc::EMFILE) => error,
        _ => about(file, error.kind(), &error),
    })?;
    parse(&text).ok_or_else(|| about(file, io::ErrorKind::InvalidData, &"unexpected input"))
}

fn about(file: &str, kind: io::ErrorKind, what: &impl Display) -> io::Error {
    io::Error::new(kind, format!("{file}: {}", plain(what)))
}

/// `None` if this kernel has no such file, or does not show it to us.
fn if_there_is<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error),
        },
    }
}

pub fn hexadecimal(fields: &str) -> Option<[u64; 5]> {
    let fields = fields.split_ascii_whitespace();
    let numbers = fields.map(|field| u64::from_str_radix(field, 16).ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Two lines of titles and one of hexadecimal numbers, a blank line, and the same of rates.
pub fn parse_stats(text: &str) -> Option<Stats> {
    let mut lines = text.lines();
    let mut row = |skip| hexadecimal(lines.nth(skip)?);
    let [connections, in_packets, out_packets, in_bytes, out_bytes] = row(2)?;
    let [
        connection_rate,
        in_packet_rate,
        out_packet_rate,
        in_byte_rate,
        out_byte_rate,
    ] = row(2)?;
    Some(Stats {
        connections,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
        connection_rate,
        in_packet_rate,
        out_packet_rate,
        in_byte_rate,
        out_byte_rate,
    })
}

/// A line for each number, such as `Conn buckets:\t512 (9 bits, lfactor -4)`. Chain lengths without
/// buckets are left out, and for a table without entries the empty buckets too.
pub fn parse_status(text: &str) -> Option<Status> {
    let values: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .collect();
    let value = |name: &str| {
        let mut values = values.iter();
        values.find(|(of, _)| *of == name).map(|(_, value)| *value)
    };
    let table = |entries: &str, buckets: &str| {
        let of =
            |what: &str, unsaid| value(&format!("{buckets} {what}")).map_or(Some(unsaid), first);
        let mut chains = [0; 7];
        for (chain, length) in chains.iter_mut().zip(1..) {
            *chain = of(&format!("len-{length}"), 0)?;
        }
        let buckets = first(value(buckets)?)?;
        let unsaid = if chains == [0; 7] { buckets } else { 0 };
        Some(HashTable {
            entries: first(value(entries)?)?,
            buckets,
            empty_buckets: of("empty", unsaid)?,
            chains,
        })
    };
    let slots = value("Stats thread slots")?;
    Some(Status {
        connections: table("Conns", "Conn buckets")?,
        services: table("Services", "Service buckets")?,
        estimators: Estimators {
            threads: first(slots)?,
            most_threads: behind(slots, "max ")?,
        },
    })
}

fn first<T: FromStr>(text: &str) -> Option<T> {
    text.split(' ').next()?.parse().ok()
}

/// The number after a word.
fn behind<T: FromStr>(text: &str, word: &str) -> Option<T> {
    let (_, rest) = text.split_once(word)?;
    rest.trim_end_matches(')').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_hexadecimal() {
        let text = "\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       F       19        1              7E2               3C

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       2        3        0               FC                7
";
        let stats = parse_stats(text).unwrap();
        assert_eq!(
            (stats.connections, stats.in_bytes, stats.out_bytes),
            (15, 2018, 60)
        );
        assert_eq!(
            (
                stats.connection_rate,
                stats.in_byte_rate,
                stats.out_byte_rate
            ),
            (2, 252, 7)
        );
        for cut in [0, 60, 120, 180, 240, 300] {
            assert_eq!(parse_stats(&text[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn the_status_leaves_out_what_is_zero() {
        let text = "\
Conns:\t21
Conn buckets:\t512 (9 bits, lfactor -4)
Conn buckets empty:\t488 (95%)
Conn buckets len-1:\t23 (95%)
Conn buckets len-7:\t1 (4%)
Services:\t0
Service buckets:\t16 (4 bits, lfactor -3)
Stats thread slots:\t1 (max 4)
Stats chain max len:\t2968
Stats thread ests:\t7123200
";
        let status = parse_status(text).unwrap();
        let connections = HashTable {
            entries: 21,
            buckets: 512,
            empty_buckets: 488,
            chains: [23, 0, 0, 0, 0, 0, 1],
        };
        assert_eq!(status.connections, connections);
        let services = HashTable {
            buckets: 16,
            empty_buckets: 16,
            ..HashTable::default()
        };
        assert_eq!(status.services, services);
        assert_eq!(
            (status.estimators.threads, status.estimators.most_threads),
            (1, 4)
        );
        assert_eq!(parse_status(&text.replace("Services:", "Others:")), None);
    }
}
