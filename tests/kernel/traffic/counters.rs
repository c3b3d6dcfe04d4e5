//! Exact counters.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::lan::{self, Lan};
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest::new(format!("traffic::counters::{name}"), run);
    vec![
        named("exact", exact as fn(&mut World) -> Result<()>),
        KernelTest {
            // The kernel counts bytes, ours adds the unit: one kernel that moves 1 GB is enough.
            kernels: vec![Kernel::V6_1, Kernel::V7_2],
            ..named("large", large)
        },
        named("timeouts", timeouts),
    ]
}

/// The size of the headers of a datagram.
const HEADERS: usize = 20 + 8;

/// Connections, packets and bytes match the requests, and add up to the kernel's totals.
fn exact(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -u 198.51.100.1:53 -s rr\n\
         -a -u 198.51.100.1:53 -r 172.16.0.11 -m\n\
         -a -u 198.51.100.1:53 -r 172.16.0.12 -m\n\
         -A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -m\n",
    )?;
    let request = "72 bytes, which headers make 100".repeat(3);
    let request = &request[..100 - HEADERS];
    let mut answered = [0, 0];
    // Each client has its own address: a reused port would reuse a connection.
    for client in 1..=10 {
        let answers = lan.send(client, "198.51.100.1:53", &[request, request])?;
        let bytes = answers
            .iter()
            .map(|answer| HEADERS + answer.to_string().len());
        let web2 = answers[0].server == "web2";
        answered[usize::from(web2)] += bytes.sum::<usize>();
        if client % 2 == 0 {
            lan.ask("198.51.100.1:80")?;
        }
    }
    let [web1, web2] = answered;
    let both = web1 + web2;
    lan.shows(
        "-Ln --stats",
        &format!(
            "UDP 198.51.100.1:53 10 20 20 2000 {both}\n\
             -> 172.16.0.11:53 5 10 10 1000 {web1}\n\
             -> 172.16.0.12:53 5 10 10 1000 {web2}\n\
             TCP 198.51.100.1:80 5 * * * *\n"
        ),
    )?;
    lan::eventually(|| {
        let (sum, totals) = (sum_of_services(&lan)?, totals_of_kernel(&lan)?);
        ensure!(
            sum == totals,
            "services have {sum:?}, the kernel {totals:?}"
        );
        Ok(())
    })?;

    lan.ipvsadm("-Z -u 198.51.100.1:53")?;
    lan.shows(
        "-Ln --stats",
        "UDP 198.51.100.1:53 0 0 0 0 0\n\
         -> 172.16.0.11:53 0 0 0 0 0\n\
         TCP 198.51.100.1:80 5 * * * *\n",
    )?;
    lan.ipvsadm("-Z")?;
    lan.shows("-Ln --stats", "TCP 198.51.100.1:80 0 0 0 0 0")?;
    lan.send(11, "198.51.100.1:53", &[request])?;
    lan.shows("-Ln --stats", "UDP 198.51.100.1:53 1 1 1 100 *")
}

/// Connections, packets and bytes.
type Counters = [u64; 5];

fn sum_of_services(lan: &Lan) -> Result<Counters> {
    let listing = lan.ipvsadm("-Ln --stats --exact")?;
    let mut sum = Counters::default();
    for line in listing.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [protocol, _, counters @ ..] = words.as_slice() else {
            continue;
        };
        if ["TCP", "UDP"].contains(protocol) {
            for (sum, counter) in sum.iter_mut().zip(counters) {
                *sum += counter.parse::<u64>()?;
            }
        }
    }
    Ok(sum)
}

/// The totals of the namespace, which the kernel counts separately from the services.
fn totals_of_kernel(lan: &Lan) -> Result<Counters> {
    lan.director.enter()?;
    let text = fs::read_to_string("/proc/thread-self/net/ip_vs_stats")?;
    let line = text.lines().nth(2).context("no totals")?;
    let mut totals = Counters::default();
    for (total, word) in totals.iter_mut().zip(line.split_whitespace()) {
        *total = u64::from_str_radix(word, 16)?;
    }
    Ok(totals)
}

/// From 100 MB the unit is K, from 1 GB it is M; numbers are rounded down.
fn large(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr", &[""])?;
    let mut held = lan.hold(&service)?;
    for (sent, unit, letter) in [(100_000_000, 1_000, 'K'), (1_000_000_000, 1_000_000, 'M')] {
        let [_, _, _, before, _] = totals_of_kernel(&lan)?;
        held.send(sent - before)?;
        lan::eventually(|| {
            let [_, _, _, bytes, _] = totals_of_kernel(&lan)?;
            ensure!(bytes >= sent, "only {bytes} bytes");
            let shown = format!("TCP {service} 1 * * {}{letter} *", bytes / unit);
            lan.shows("-Ln --stats", &shown)?;
            let whole = format!("TCP {service} 1 * * {bytes} *");
            lan.shows("-Ln --stats --exact", &whole)
        })?;
    }
    Ok(())
}

/// A connection that has ended is listed until it expires, with the timeout that was set when it
/// ended.
fn timeouts(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -g\n\
         -A -u 198.51.100.1:53 -s rr\n\
         -a -u 198.51.100.1:53 -r 172.16.0.11 -g\n",
    )?;
    let held = lan.hold("198.51.100.1:80")?;
    let ask = || -> Result<()> {
        lan.ask_often(3, "198.51.100.1:80")?;
        lan.send(1, "198.51.100.1:53", &["who?"])?;
        Ok(())
    };
    let (none, some) = (
        "-> 172.16.0.11:80 Route 1 1 0\n-> 172.16.0.11:53 Route 1 0 0",
        "-> 172.16.0.11:80 Route 1 1 3\n-> 172.16.0.11:53 Route 1 0 1",
    );
    lan.ipvsadm("--set 0 1 1")?;
    lan.shows("-L --timeout", "Timeout (tcp tcpfin udp): 900 1 1")?;
    ask()?;
    lan.shows("-Ln", none)?;

    lan.ipvsadm("--set 0 120 300")?;
    ask()?;
    lan.shows("-Ln", some)?;
    held.end()?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Route 1 0 4")
}
