//! Listings for programs show the settings that the kernel was given, and its counters.

use std::net::UdpSocket;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("formats::json_of_what_was_counted", counters),
        KernelTest::new("formats::json_of_totals", totals),
        KernelTest::new("formats::json_of_connections", connections),
    ]
}

pub const RULES: &str = "\
    -A -t 10.0.0.1:80 -s sh -b sh-port,flag-3 -p 300 -M 255.255.255.0\n\
    -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 2147483647 -x 100 -y 50\n\
    -a -t 10.0.0.1:80 -r 10.1.0.2:80 -i --tun-type gue --tun-port 6080 --tun-remcsum\n\
    -A -u 10.0.0.1:5060 -s rr -o -p 60 --pe sip\n\
    -A -f 4294967295 -6 -s wlc -p 9 -M 64\n\
    -a -f 4294967295 -6 -r 2001:db8::1 -w 0\n";

fn ipvsadm(here: &Namespace, line: &str) -> Result<Vec<u8>> {
    let program = Program::ipvsadm(Side::Ours).args(line.split(' '));
    here.run(&program)?.success()
}

pub fn document(here: &Namespace, line: &str) -> Result<Value> {
    let text = ipvsadm(here, line)?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{line}: {}", String::from_utf8_lossy(&text)))
}

fn restore(here: &Namespace, rules: &str) -> Result<()> {
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    Ok(())
}

fn same(found: &Value, expected: &Value) -> Result<()> {
    ensure!(found == expected, "{found:#}\ninstead of\n{expected:#}");
    Ok(())
}

/// A service that receives one packet from each of some ports.
pub fn with_traffic(world: &mut World) -> Result<Namespace> {
    let here = world.namespace("here")?;
    let network = "addr add 10.9.0.1/24 dev lo\naddr add 10.0.0.1/32 dev lo\n";
    let network = Program::new("ip").args(["-batch", "-"]).stdin(network);
    here.run(&network)?.success()?;
    restore(
        &here,
        "-A -u 10.0.0.1:53 -s rr\n-a -u 10.0.0.1:53 -r 10.9.0.1:5353 -m\n",
    )?;
    here.enter()?;
    // A socket listens until all have arrived, so that no error is sent back.
    let listener = UdpSocket::bind(("10.9.0.1", 5353))?;
    listener.set_read_timeout(Some(Duration::from_secs(10)))?;
    for port in [40_000, 40_001, 40_002] {
        let socket = UdpSocket::bind(("10.9.0.1", port))?;
        socket.send_to(b"packet", "10.0.0.1:53")?;
        listener.recv(&mut [0; 6]).context("no packet came")?;
    }
    Ok(here)
}

/// The kernel updates counters every two seconds; then both formats show the same.
fn counters(world: &mut World) -> Result<()> {
    let here = with_traffic(world)?;
    for _ in 0..100 {
        let document = document(&here, "-L --format json")?;
        let service = &document["services"][0];
        let counted = &service["stats"];
        if counted["connections"] != 3 {
            thread::sleep(Duration::from_millis(100));
            continue;
        }
        let expected = json!({
            "connections": 3, "in_packets": 3, "out_packets": 0,
            "in_bytes": 3 * (20 + 8 + 6), "out_bytes": 0,
        });
        same(counted, &expected)?;
        let server = &service["servers"][0];
        same(&server["stats"], &expected)?;
        ensure!(server["inactive"] == 3, "{server:#}");
        return Ok(());
    }
    bail!("three connections were not counted in ten seconds")
}

/// Totals cover all services, and remain when these are deleted. Values that the kernel does not
/// report are null.
fn totals(world: &mut World) -> Result<()> {
    let here = with_traffic(world)?;
    let mut found = document(&here, "-L --totals -j")?;
    for _ in 0..100 {
        if found["stats"]["connections"] == 3 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        found = document(&here, "-L --totals -j")?;
    }
    let expected = json!({
        "connections": 3, "in_packets": 3, "out_packets": 0,
        "in_bytes": 3 * (20 + 8 + 6), "out_bytes": 0,
    });
    same(&found["stats"], &expected)?;
    let limits = [
        "estimator_threads",
        "estimator_threads_max",
        "conn_max",
        "conn_lfactor",
        "svc_lfactor",
    ]
    .map(|limit| &found[limit]);
    if Path::new("/proc/net/ip_vs_status").exists() {
        has_entries(&found, [3, 1])?;
        ensure!(limits.iter().all(|limit| limit.is_i64()), "{found:#}");
    } else {
        let tables = [&found["connection_table"], &found["service_table"]];
        let mut all = tables.iter().chain(&limits);
        ensure!(all.all(|value| value.is_null()), "{found:#}");
    }
    ipvsadm(&here, "-C")?;
    let found = document(&here, "-L --totals -j")?;
    same(&found["stats"], &expected)?;
    if found["service_table"].is_null() {
        return Ok(());
    }
    let quiet = world.namespace("quiet")?;
    ipvsadm(&quiet, "-A -f 1")?;
    has_entries(&document(&quiet, "-L --totals -j")?, [0, 1])
}

/// An error unless the tables of connections and services hold so many, each in its own bucket.
fn has_entries(totals: &Value, entries: [u64; 2]) -> Result<()> {
    for (table, entries) in ["connection_table", "service_table"]
        .into_iter()
        .zip(entries)
    {
        let table = &totals[table];
        ensure!(table["entries"] == entries, "{totals:#}");
        let chains = table["chains"].as_array().context("no chains")?;
        let numbers = chains.iter().chain([&table["empty_buckets"]]);
        let buckets: Option<u64> = numbers.map(Value::as_u64).sum();
        ensure!(buckets == table["buckets"].as_u64(), "{totals:#}");
    }
    Ok(())
}

fn connections(world: &mut World) -> Result<()> {
    let here = with_traffic(world)?;
    let document = document(&here, "-L -c --format json")?;
    let list = document["connections"].as_array().context("no list")?;
    ensure!(list.len() == 3, "{document:#}");
    for port in [40_000, 40_001, 40_002] {
        let found = list.iter().find(|found| found["client"]["port"] == port);
        let mut found = found.with_context(|| format!("no port {port}"))?.clone();
        let left = found["expires"].take();
        ensure!(left.as_u64().is_some_and(|left| left <= 300), "{left}");
        let expected = json!({
            "protocol": "udp", "state": "UDP", "expires": null,
            "client": {"address": "10.9.0.1", "port": port},
            "virtual": {"address": "10.0.0.1", "port": 53},
            "server": {"address": "10.9.0.1", "port": 5353},
            "pe": null, "pe_data": null,
        });
        same(&found, &expected)?;
    }
    Ok(())
}
