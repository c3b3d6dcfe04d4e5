//! Filtered and counted listings are what the reference lists, less what is not wanted.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};
use crate::sessions::random::Random;
use crate::synced::{self, Synced, TEMPLATE};

const SEED: u64 = 1;

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("filters::of_services", services),
        KernelTest::new("filters::of_connections", connections),
    ]
}

fn listed(here: &Namespace, side: Side, words: &[String]) -> Result<String> {
    let program = Program::ipvsadm(side).args(words);
    Ok(String::from_utf8(here.run(&program)?.success()?)?)
}

fn restore(here: &Namespace, rules: &str) -> Result<()> {
    let restore = Program::ipvsadm(Side::Reference).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    Ok(())
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Services among which any server may stand, and some stand in several.
fn services(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let mut random = Random::new(SEED, 1);
    let hosts = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "[2001:db8::1]"];
    for _ in 0..10 {
        let mut rules = "-C\n".to_owned();
        for service in [
            "-t 10.0.0.1:80",
            "-u 10.0.0.1:80",
            "-f 7",
            "-t [2001:db8::9]:80",
            "-f 7 -6",
        ] {
            rules += &format!("-A {service} -s rr\n");
            for host in hosts {
                let is_same_family =
                    host.starts_with('[') == (service.contains('[') || service.contains('6'));
                let port = 80 + random.below(2);
                if is_same_family && random.chance(60) {
                    rules += &format!("-a {service} -r {host}:{port} -m\n");
                }
            }
        }
        restore(&here, &rules)?;
        let all = listed(&here, Side::Reference, &words("-Ln"))?;
        for host in hosts {
            for port in ["", ":80", ":81"] {
                let server = format!("{host}{port}");
                let line = words(&format!("-Ln -r {server}"));
                let found = listed(&here, Side::Ours, &line)?;
                let expected = with_server(&all, &server);
                ensure!(
                    found == expected,
                    "-r {server}\n{found}instead of\n{expected}of\n{all}"
                );
                world.comparisons += 1;
            }
        }
    }
    Ok(())
}

/// The titles, and of the rest the services that have the server.
fn with_server(listing: &str, server: &str) -> String {
    let (mut kept, mut service) = (String::new(), "");
    for (number, line) in listing.split_inclusive('\n').enumerate() {
        let address = line.split_whitespace().nth(1).unwrap_or_default();
        let is_it = address == server
            || address
                .rsplit_once(':')
                .is_some_and(|(host, _)| host == server);
        if number < 3 {
            kept += line;
        } else if !line.starts_with("  -> ") {
            service = line;
        } else if is_it {
            kept = kept + service + line;
            service = "";
        }
    }
    kept
}

const SERVICES: &str = "\
-A -t 10.9.0.1:80 -s rr
-A -t 10.9.0.1:0 -s rr -p 60
-A -u 10.9.0.1:443 -s rr
-A -t [2001:db8:9::1]:443 -s rr
-A -t [2001:db8:9::1]:0 -s rr -p 60
-A -f 7 -s rr
";

/// A row of the reference: what its columns hold, but for the time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    protocol: String,
    state: String,
    client: SocketAddr,
    virtual_service: SocketAddr,
    server: SocketAddr,
}

fn rows(listing: &str) -> Result<Vec<Row>> {
    let rows = listing.lines().skip(2).map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [protocol, _, state, client, virtual_service, server] = fields[..] else {
            anyhow::bail!("{line}");
        };
        Ok(Row {
            protocol: protocol.to_owned(),
            state: state.to_owned(),
            client: client.parse()?,
            virtual_service: virtual_service.parse()?,
            server: server.parse()?,
        })
    });
    let mut rows: Vec<Row> = rows.collect::<Result<_>>()?;
    rows.sort();
    Ok(rows)
}

fn connections(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    restore(&here, SERVICES)?;
    here.enter()?;
    synced::listen()?;
    let mut random = Random::new(SEED, 2);
    let connections: Vec<_> = (0..400).map(|_| connection(&mut random)).collect();
    synced::send(connections.into_iter())?;
    let all = listed(&here, Side::Reference, &words("-Lnc"))?;
    let count = rows(&all)?.len();
    ensure!(count > 200, "only {count} connections");

    // In one file, for starting a program takes longer than a listing.
    let lines = combinations();
    let found = listed_together(&here, "-Lnc", &lines)?;
    let listings: Vec<&str> = found.split(TITLE).skip(1).collect();
    let found = listed_together(&here, "-Lc --count -j", &lines)?;
    let counts = serde_json::Deserializer::from_str(&found).into_iter();
    let counts: Vec<Value> = counts.collect::<Result<_, _>>()?;
    ensure!(lines.len() == listings.len() && lines.len() == counts.len());
    for ((line, listing), counts) in lines.iter().zip(listings).zip(counts) {
        let filters = filters(line);
        let mut expected = rows(&all)?;
        expected.retain(|row| line.iter().all(|(_, has)| has(row)));
        let found = rows(&format!("{TITLE}{listing}"))?;
        ensure!(
            found == expected,
            "{filters}\n{found:#?}\ninstead of\n{expected:#?}"
        );
        check_counts(&counts, &expected).context(filters)?;
        world.comparisons += 2;
    }
    Ok(())
}

const TITLE: &str = "IPVS connection entries\n";

fn listed_together(here: &Namespace, command: &str, lines: &[Vec<Part>]) -> Result<String> {
    let lines = lines
        .iter()
        .map(|line| format!("{command}{}\n", filters(line)));
    let program = Program::ipvsadm(Side::Ours).args(["-R"]);
    let program = program
        .stdin(lines.collect::<String>())
        .limit(Duration::from_secs(100));
    Ok(String::from_utf8(here.run(&program)?.success()?)?)
}

fn filters(line: &[Part]) -> String {
    line.iter().map(|(words, _)| format!(" {words}")).collect()
}

/// Words that filter, and whether they take a row.
type Part = (&'static str, fn(&Row) -> bool);

const NOTHING: Part = ("", |_| true);

const PARTS: [&[Part]; 4] = [
    &[
        NOTHING,
        ("-t 10.9.0.1:80", |row| row.is_of("TCP", "10.9.0.1:80")),
        ("-t 10.9.0.1:0", |row| {
            let is_there = row.virtual_service.ip() == ip("10.9.0.1");
            row.protocol == "TCP" && is_there && row.virtual_service.port() != 80
        }),
        ("-u 10.9.0.1:443", |row| row.is_of("UDP", "10.9.0.1:443")),
        ("--sctp-service 10.9.0.1:81", |row| {
            row.is_of("SCTP", "10.9.0.1:81")
        }),
        ("-t [2001:db8:9::1]:0", |row| {
            let is_there = row.virtual_service.ip() == ip("2001:db8:9::1");
            row.protocol == "TCP" && is_there && row.virtual_service.port() != 443
        }),
        ("-f 7", |row| row.is_of("IP", "0.0.0.7:0")),
        ("-f 7 -6", |row| row.is_of("IP", "[0:7::]:0")),
    ],
    &[
        NOTHING,
        ("-r 10.10.0.1", |row| row.server.ip() == ip("10.10.0.1")),
        ("-r [2001:db8:9::10]:8080", |row| {
            row.server == at("[2001:db8:9::10]:8080")
        }),
    ],
    &[
        NOTHING,
        ("--client 10.8.1.7/24", |row| {
            row.client.to_string().starts_with("10.8.1.")
        }),
        ("--client 2001:db8:9::82", |row| {
            row.client.ip() == ip("2001:db8:9::82")
        }),
    ],
    &[
        NOTHING,
        ("--state ESTABLISHED", |row| row.state == "ESTABLISHED"),
        ("--state udp,NONE,C-SENT", |row| {
            ["UDP", "NONE", "C-SENT"].contains(&row.state.as_str())
        }),
    ],
];

impl Row {
    fn is_of(&self, protocol: &str, virtual_service: &str) -> bool {
        self.protocol == protocol && self.virtual_service == at(virtual_service)
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address of the test")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address of the test")
}

/// Each way to take one of each kind.
fn combinations() -> Vec<Vec<Part>> {
    PARTS.iter().fold(vec![Vec::new()], |lines, parts| {
        let longer = |line: &Vec<Part>| {
            let line = line.clone();
            parts.iter().map(move |part| [&line[..], &[*part]].concat())
        };
        lines.iter().flat_map(longer).collect()
    })
}

/// The numbers are those of the rows.
fn check_counts(counts: &Value, rows: &[Row]) -> Result<()> {
    let mut servers = BTreeMap::new();
    let mut clients = BTreeMap::new();
    for row in rows {
        let protocol = row.protocol.to_lowercase();
        *servers
            .entry((protocol, row.server, row.state.clone()))
            .or_insert(0) += 1;
        *clients.entry(row.client.ip()).or_insert(0) += 1;
    }
    let by_server = servers.iter().map(|((protocol, server, state), count)| {
        json!({
            "protocol": protocol, "state": state, "connections": count,
            "server": {"address": server.ip(), "port": server.port()},
        })
    });
    let mut top: Vec<_> = clients.iter().collect();
    top.sort_by_key(|(_, count)| Reverse(**count));
    let by_client = top
        .iter()
        .take(10)
        .map(|(client, count)| json!({"address": client, "at_least": count, "at_most": count}));
    let expected = json!({
        "total": rows.len(), "client_count": clients.len(),
        "by_server": by_server.collect::<Vec<_>>(), "by_client": by_client.collect::<Vec<_>>(),
    });
    ensure!(*counts == expected, "{counts:#}\ninstead of\n{expected:#}");
    Ok(())
}

fn connection(random: &mut Random) -> Synced {
    let is_ipv6 = random.chance(30);
    let address = |v4: [u8; 4], v6: u16| -> IpAddr {
        if is_ipv6 {
            return [0x2001, 0xdb8, 9, 0, 0, 0, 0, v6].into();
        }
        v4.into()
    };
    let protocol = random.weighted(&[(60, 6), (25, 17), (15, 132)]);
    let states = match protocol {
        6 => 11,
        17 => 1,
        _ => 14,
    };
    let (net, host) = (random.below(3) as u8, random.below(6) as u8);
    let mut connection = Synced {
        protocol,
        flags: 0,
        state: random.below(states) as u16,
        client: (
            address([10, 8, net, host], 0x80 + u16::from(host)),
            1024 + random.below(9000) as u16,
        )
            .into(),
        virtual_service: (address([10, 9, 0, 1], 1), *random.pick(&[80, 81, 443])).into(),
        server: (
            address(
                [10, 10, 0, random.below(3) as u8],
                0x10 + random.below(2) as u16,
            ),
            *random.pick(&[8080, 8081]),
        )
            .into(),
    };
    if random.chance(15) {
        connection.flags = TEMPLATE;
        connection.state = random.below(2) as u16;
        connection.client.set_port(0);
        if random.chance(50) {
            let mark = 7 + random.below(2) as u8;
            connection.protocol = 0;
            let v6: IpAddr = [0, u16::from(mark), 0, 0, 0, 0, 0, 0].into();
            connection.virtual_service =
                (if is_ipv6 { v6 } else { [0, 0, 0, mark].into() }, 0).into();
        }
    }
    connection
}
