//! Filtered and counted listings are derived from the reference's: the wanted lines of each of its
//! listings, and the numbers computed from them. `LAB_SEED` chooses other tables and connections.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};
use crate::network::eventually;
use crate::sessions;
use crate::sessions::random::Random;
use crate::synced::{self, Synced, TEMPLATE};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("filters::of_services", services),
        KernelTest::new("filters::of_connections", connections),
    ]
}

/// A format of a listing: its words, the compared part of its text, and the expected value.
struct Form<W: 'static> {
    words: &'static str,
    compared: fn(&str) -> Result<String>,
    expected: fn(&W) -> String,
}

/// Compares each wanted listing in each form; returns their number.
fn compare<W>(here: &Namespace, wanted: &[(String, W)], forms: &[Form<W>]) -> Result<usize> {
    let pairs = || {
        let wanted = wanted.iter();
        wanted.flat_map(|wanted| forms.iter().map(move |form| (wanted, form)))
    };
    let lines = pairs().map(|((line, _), form)| format!("{line} {}", form.words));
    let lines: Vec<String> = lines.collect();
    let texts = listed(here, Side::Ours, &lines)?;
    for ((((_, wanted), form), line), text) in pairs().zip(&lines).zip(texts) {
        let found = (form.compared)(&text).with_context(|| format!("{line}\n{text}"))?;
        let expected = (form.expected)(wanted);
        ensure!(found == expected, "{line}\n{found}instead of\n{expected}");
    }
    Ok(lines.len())
}

/// The forms whose lines differ: the first two have columns, the first four have names.
fn forms<'a, W>(forms: &'a [Form<W>], line: &str) -> &'a [Form<W>] {
    let has_columns = VIEWS[1..].iter().any(|view| line.contains(view));
    match (has_columns, line.contains("-Ln")) {
        (true, _) => &forms[..2],
        (false, false) => &forms[..4],
        (false, true) => forms,
    }
}

/// The separator between two listings.
const BETWEEN: &str = "Timeout (tcp tcpfin udp): 900 120 300\n";

/// The listings of some lines, from one file, because starting a program takes longer than a
/// listing.
fn listed(here: &Namespace, side: Side, lines: &[String]) -> Result<Vec<String>> {
    let file = lines.iter().map(|line| format!("{line}\n-L --timeout\n"));
    let restore = Program::ipvsadm(side).args(["-R"]);
    let restore = restore.stdin(file.collect::<String>());
    let output = here.run(&restore.limit(Duration::from_secs(100)))?;
    let text = String::from_utf8(output.success()?)?;
    let listings: Vec<String> = text.split_terminator(BETWEEN).map(str::to_owned).collect();
    ensure!(listings.len() == lines.len(), "{text}");
    Ok(listings)
}

fn restore(here: &Namespace, rules: &str) -> Result<()> {
    let restore = Program::ipvsadm(Side::Reference).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    Ok(())
}

/// Collapses blanks; drops ruled lines and remarks.
fn squeezed(text: &str) -> Result<String> {
    let lines = text.lines().filter(|line| !line.starts_with(['-', '#']));
    Ok(lines.map(|line| one_blank(line) + "\n").collect())
}

fn one_blank(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Some cells of the table for people, without the ruled line.
fn cells(text: &str, count: usize) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('-'));
    let rows = lines.map(|line| line.split('|').take(count).map(one_blank));
    rows.map(|cells| cells.collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

const VIEWS: [&str; 6] = [
    "",
    "--thresholds",
    "--persistent-conn",
    "--tun-info",
    "--rate",
    "--stats",
];

/// The service with traffic, which is in every table.
const USED: &str = "-u 10.0.0.1:80";

/// Services as a line names them, and as a listing shows them.
const SERVICES: [(&str, &str); 8] = [
    ("-t 10.0.0.1:80", "TCP 10.0.0.1:80"),
    ("-t 10.0.0.1:0", "TCP 10.0.0.1:0"),
    (USED, "UDP 10.0.0.1:80"),
    ("--sctp-service 10.0.0.1:80", "SCTP 10.0.0.1:80"),
    ("-t [2001:db8::8]:80", "TCP [2001:db8::8]:80"),
    ("-u [2001:db8::8]:0", "UDP [2001:db8::8]:0"),
    ("-f 7", "FWM 7"),
    ("-f 7 -6", "FWM 7 IPv6"),
];

/// The servers that a line asks for: as the line names them, and as a listing shows them.
const SERVERS: [Option<(&str, &str)>; 9] = [
    None,
    Some(("10.1.1.1", "10.1.1.1")),
    Some(("web2.example.net", "10.1.1.2")),
    Some(("10.1.1.2:80", "10.1.1.2:80")),
    Some(("web1:81", "10.1.1.1:81")),
    Some(("10.1.1.1:0", "10.1.1.1:0")),
    Some(("2001:db8::1", "[2001:db8::1]")),
    Some(("[2001:db8::2]:81", "[2001:db8::2]:81")),
    Some(("10.1.1.9", "10.1.1.9")),
];

/// The reference's listings of services, whose lines correspond.
struct Services {
    numeric: Vec<String>,
    connections: Vec<String>,
    shown: Vec<String>,
}

/// The lines that a listing should show: services and servers.
struct OfServices {
    all: Rc<Services>,
    titles: Range<usize>,
    kept: Vec<usize>,
}

const FORMS_OF_SERVICES: [Form<OfServices>; 8] = [
    Form {
        words: "",
        compared: |text| Ok(text.to_owned()),
        expected: |wanted| {
            wanted.all.shown[wanted.titles.clone()].concat()
                + &wanted.lines(&wanted.all.shown).concat()
        },
    },
    Form {
        words: "--format table",
        compared: |text| Ok(cells(text, 1)),
        expected: |wanted| format!("Service\n{}", wanted.names(&wanted.all.shown)),
    },
    Form {
        words: "--count",
        compared: squeezed,
        expected: |wanted| {
            let [services, servers, active, inactive, persistent] = wanted.counts();
            format!(
                "Services {services}\nServers {servers}\n\
                 ActiveConn {active}\nInActConn {inactive}\nPersistConn {persistent}\n"
            )
        },
    },
    Form {
        words: "--count --format table",
        compared: |text| Ok(cells(text, 5)),
        expected: |wanted| {
            let numbers = wanted.counts().map(|number| number.to_string());
            format!(
                "Services Servers Active Inactive Persistent\n{}\n",
                numbers.join(" ")
            )
        },
    },
    Form {
        words: "-j",
        compared: names_in_json,
        expected: |wanted| wanted.names(&wanted.all.numeric),
    },
    Form {
        words: "--format prometheus",
        compared: names_in_metrics,
        expected: |wanted| wanted.names(&wanted.all.numeric),
    },
    Form {
        words: "--count -j",
        compared: squeezed,
        expected: |wanted| {
            let [services, servers, active, inactive, persistent] = wanted.counts();
            format!(
                "{{\"services\":{services},\"servers\":{servers},\
                 \"active\":{active},\"inactive\":{inactive},\"persistent\":{persistent}}}\n"
            )
        },
    },
    Form {
        words: "--count --format prometheus",
        compared: squeezed,
        expected: |wanted| {
            let [services, servers, active, inactive, persistent] = wanted.counts();
            format!(
                "ipvs_services {services}\nipvs_backends {servers}\n\
                 ipvs_connections_active {active}\nipvs_connections_inactive {inactive}\n\
                 ipvs_connections_persistent {persistent}\n"
            )
        },
    },
];

impl Services {
    fn new(listings: &[String]) -> Self {
        let mut listings = listings.iter().map(|listing| {
            let lines = listing.split_inclusive('\n');
            lines.map(str::to_owned).collect()
        });
        let mut next = || listings.next().unwrap_or_default();
        Self {
            numeric: next(),
            connections: next(),
            shown: next(),
        }
    }

    /// The titles, and the services (or the one asked for) that have the server asked for, if any,
    /// with only such servers.
    fn of(self: &Rc<Self>, service: Option<&str>, server: Option<&str>) -> OfServices {
        let (mut kept, mut is_of_service, mut above) = (Vec::new(), false, None);
        for (number, line) in self.numeric.iter().enumerate().skip(3) {
            match line.strip_prefix("  -> ") {
                None => {
                    is_of_service = service.is_none_or(|service| name(line) == service);
                    above = Some(number);
                }
                Some(row) if is_of_service && server.is_some_and(|server| is_at(row, server)) => {
                    kept.extend(above.take());
                    kept.push(number);
                    continue;
                }
                Some(_) => {}
            }
            if is_of_service && server.is_none() {
                kept.push(number);
            }
        }
        // The version line comes only above all services.
        let titles = usize::from(service.is_some());
        OfServices {
            all: self.clone(),
            titles: titles..3,
            kept,
        }
    }
}

impl OfServices {
    fn lines<'a>(&self, listing: &'a [String]) -> Vec<&'a str> {
        let lines = self.kept.iter().map(|number| &listing[*number][..]);
        lines.collect()
    }

    fn names(&self, listing: &[String]) -> String {
        let lines = self.lines(listing).into_iter();
        lines.map(|line| name(line) + "\n").collect()
    }

    /// The numbers of services, servers, and active, inactive and persistent connections.
    fn counts(&self) -> [u64; 5] {
        let mut counts = [0; 5];
        for line in self.lines(&self.all.connections) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["->", _, _, persistent, active, inactive] => {
                    counts[1] += 1;
                    for (count, number) in
                        counts[2..].iter_mut().zip([active, inactive, persistent])
                    {
                        *count += number.parse::<u64>().expect("a number of connections");
                    }
                }
                _ => counts[0] += 1,
            }
        }
        counts
    }
}

/// Whether the row of a server begins with an address, or with a host.
fn is_at(row: &str, server: &str) -> bool {
    let address = row.split_whitespace().next().unwrap_or_default();
    let host = address.rsplit_once(':').map(|(host, _)| host);
    address == server || host == Some(server)
}

/// The start of a line: `TCP 10.0.0.1:80`, `FWM 7 IPv6` or `-> 10.1.1.1:80`.
fn name(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let count = if words.get(2) == Some(&"IPv6") { 3 } else { 2 };
    words[..count].join(" ")
}

fn names_in_json(text: &str) -> Result<String> {
    let document: Value = serde_json::from_str(text)?;
    let list = |of: &Value, name: &str| of[name].as_array().cloned().context("no list");
    let mut names = String::new();
    for service in list(&document, "services")? {
        let protocol = service["protocol"].as_str().map(str::to_uppercase);
        let name = match (service["fwmark"].as_u64(), service["family"].as_str()) {
            (None, _) => protocol.context("no protocol")? + " " + &place(&service)?,
            (Some(mark), Some("ipv6")) => format!("FWM {mark} IPv6"),
            (Some(mark), _) => format!("FWM {mark}"),
        };
        names += &(name + "\n");
        for server in list(&service, "servers")? {
            names += &format!("-> {}\n", place(&server)?);
        }
    }
    Ok(names)
}

/// The address and the port of a JSON object that has them.
fn place(item: &Value) -> Result<String> {
    let address: IpAddr = item["address"].as_str().context("no address")?.parse()?;
    let port = item["port"].as_u64().context("no port")?;
    Ok(SocketAddr::new(address, port.try_into()?).to_string())
}

fn names_in_metrics(text: &str) -> Result<String> {
    let samples = |metric: &'static str| {
        let samples = text
            .lines()
            .filter_map(move |line| line.strip_prefix(metric));
        samples.filter_map(|sample| Some(sample.split_once('}')?.0))
    };
    let mut names = String::new();
    for service in samples("ipvs_service_connections_total{") {
        let name = match label(service, "proto")? {
            "FWM" => {
                let mark = u32::from_str_radix(label(service, "local_mark")?, 16)?;
                let is_ipv6 = label(service, "family").is_ok();
                format!("FWM {mark}{}", if is_ipv6 { " IPv6" } else { "" })
            }
            protocol => format!("{protocol} {}", labelled(service, "local")?),
        };
        names += &(name + "\n");
        let of_service = format!("{service},remote_address=");
        for server in
            samples("ipvs_backend_weight{").filter(|server| server.starts_with(&of_service))
        {
            names += &format!("-> {}\n", labelled(server, "remote")?);
        }
    }
    Ok(names)
}

fn labelled(labels: &str, side: &str) -> Result<SocketAddr> {
    let address = label(labels, &format!("{side}_address"))?.parse()?;
    let port = label(labels, &format!("{side}_port"))?.parse()?;
    Ok(SocketAddr::new(address, port))
}

fn label<'a>(labels: &'a str, name: &str) -> Result<&'a str> {
    let mut labels = labels.split(',').filter_map(|label| label.split_once('='));
    let found = labels.find(|(other, _)| *other == name);
    Ok(found
        .with_context(|| format!("no {name}"))?
        .1
        .trim_matches('"'))
}

/// The number of tables.
const ROUNDS: usize = 2;

/// Services with random servers, some of which belong to several.
fn services(world: &mut World) -> Result<()> {
    let mut random = Random::new(sessions::seed(), 1);
    for round in 0..ROUNDS {
        let here = world.namespace(&format!("here{round}"))?;
        let services = table(&mut random, &here)?;
        for view in VIEWS {
            if view == "--stats" {
                eventually(|| traffic_is_counted(&here))?;
            }
            for list in ["-L", "-Ln"] {
                let exact = random.pick(&["", "-X"]);
                let order = random.pick(&["", "--nosort"]);
                let shown = format!("{list} {view} {exact} {order}");
                world.comparisons += compare_services(&here, &shown, order, &services)?;
            }
        }
    }
    Ok(())
}

/// The service and at least one server count it: persistence sends all of it to one.
fn traffic_is_counted(here: &Namespace) -> Result<()> {
    let listing = listed(here, Side::Reference, &[format!("-Ln --stats {USED}")])?;
    let lines = listing[0].lines().skip(2);
    let counted = lines.filter(|line| line.split_whitespace().nth(2) != Some("0"));
    ensure!(counted.count() >= 2, "{listing:?}");
    Ok(())
}

/// Tries again if the reference's listing changed meanwhile: the kernel updates counters every two
/// seconds.
fn compare_services(
    here: &Namespace,
    shown: &str,
    order: &str,
    services: &[(&'static str, &'static str)],
) -> Result<usize> {
    let lines = [
        format!("-Ln {order}"),
        format!("-Ln --persistent-conn {order}"),
        shown.to_owned(),
    ];
    let reference = || listed(here, Side::Reference, &lines);
    let one = services.iter().map(|service| Some(*service));
    let subjects = [None].into_iter().chain(one);
    let pairs = subjects.flat_map(|service| SERVERS.map(|server| (service, server)));
    let pairs: Vec<_> = pairs.collect();
    for _ in 0..20 {
        let listings = reference()?;
        let all = Rc::new(Services::new(&listings));
        let wanted = pairs.iter().map(|(service, server)| {
            let mut line = shown.to_owned();
            line.extend(service.map(|(words, _)| format!(" {words}")));
            line.extend(server.map(|(words, _)| format!(" -r {words}")));
            let (service, server) = (service.map(|it| it.1), server.map(|it| it.1));
            (line, all.of(service, server))
        });
        let forms = forms(&FORMS_OF_SERVICES, shown);
        let compared = compare(here, &wanted.collect::<Vec<_>>(), forms);
        if reference()? == listings {
            return compared;
        }
    }
    bail!("{shown}: the counters do not rest")
}

/// Creates a table with connections and counters; returns its services.
fn table(random: &mut Random, here: &Namespace) -> Result<Vec<(&'static str, &'static str)>> {
    let mut services = SERVICES.to_vec();
    services.retain(|(service, _)| *service == USED || random.chance(80));
    let (mut rules, mut connections) = (String::new(), Vec::new());
    for (service, name) in &services {
        let options = if service.ends_with(":0") || random.chance(20) {
            " -p 60"
        } else {
            ""
        };
        rules += &format!("-A {service} -s rr{options}\n");
        let is_ipv6 = service.contains('[') || service.ends_with("-6");
        let hosts = if is_ipv6 {
            ["[2001:db8::1]", "[2001:db8::2]", "[2001:db8::9]"]
        } else {
            ["10.1.1.1", "10.1.1.2", "10.1.1.6"]
        };
        let vip: Option<SocketAddr> = name.split(' ').nth(1).and_then(|at| at.parse().ok());
        for host in hosts {
            if *service != USED && random.chance(30) {
                continue;
            }
            let port = 80 + random.below(2);
            let forwarding = random.pick(&["-m", "-m", "-g", "-i"]);
            let (weight, upper) = (1 + random.below(3), 100 * random.below(3));
            rules += &format!(
                "-a {service} -r {host}:{port} {forwarding} -w {weight} -x {upper} -y {}\n",
                upper / 2
            );
            if let (Some(vip), "-m") = (vip, *forwarding) {
                let server = at(&format!("{host}:{port}"));
                let count = random.below(4);
                connections.extend((0..count).map(|_| to_server(random, vip, server)));
            }
        }
    }
    restore(here, &rules)?;
    here.enter()?;
    synced::listen()?;
    synced::send(connections.into_iter())?;
    let vip = Program::new("ip").args(["addr", "add", "10.0.0.1", "dev", "lo"]);
    here.run(&vip)?.success()?;
    for _ in 0..5 {
        // There is no route to the servers.
        let _ = UdpSocket::bind("10.0.0.1:0")?.send_to(b"packet", "10.0.0.1:80");
    }
    Ok(services)
}

/// A connection, or the persistence template of a client.
fn to_server(random: &mut Random, virtual_service: SocketAddr, server: SocketAddr) -> Synced {
    const INACTIVE: u32 = 0x100;
    let protocol = *random.pick(&[6, 17, 132]);
    let port = 1024 + random.below(9000) as u16;
    let client = if server.is_ipv6() {
        ip("2001:db8:9::7")
    } else {
        ip("10.8.0.7")
    };
    Synced {
        protocol,
        flags: *random.pick(&[0, INACTIVE, TEMPLATE]),
        state: 1,
        client: (client, port).into(),
        virtual_service,
        server,
    }
}

/// Some of them exist, which matters only for port 0.
const RULES: [&str; 6] = [
    "-A -t 10.9.0.1:80 -s rr\n",
    "-A -t 10.9.0.1:0 -s rr -p 60\n",
    "-A -u 10.9.0.1:443 -s rr\n",
    "-A -t [2001:db8:9::1]:443 -s rr\n",
    "-A -t [2001:db8:9::1]:0 -s rr -p 60\n",
    "-A -f 7 -s rr\n",
];

/// A row of the reference.
struct Row {
    protocol: String,
    state: String,
    client: SocketAddr,
    virtual_service: SocketAddr,
    server: SocketAddr,
    /// Whether the address and port have their own service.
    has_service: bool,
    /// The line without its time, and its client, virtual service and server.
    line: String,
    shown: [String; 3],
}

/// The rows of two listings of the same connections.
fn rows(numeric: &str, shown: &str, services: &str) -> Result<Vec<Rc<Row>>> {
    let lines = numeric.lines().zip(shown.lines()).skip(2);
    let rows = lines.map(|(numeric, shown)| {
        let [protocol, _, state, client, virtual_service, server] = fields(numeric)?;
        let [.., shown_client, shown_service, shown_server] = fields(shown)?;
        Ok(Rc::new(Row {
            protocol: protocol.to_owned(),
            state: state.to_owned(),
            client: client.parse()?,
            virtual_service: virtual_service.parse()?,
            server: server.parse()?,
            has_service: services.contains(&format!("\n{protocol:4} {virtual_service} rr")),
            line: without_time(shown),
            shown: [shown_client, shown_service, shown_server].map(str::to_owned),
        }))
    });
    rows.collect()
}

fn fields(line: &str) -> Result<[&str; 6]> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    fields.try_into().map_err(|_| anyhow::anyhow!("{line}"))
}

fn without_time(row: &str) -> String {
    format!("{}{}\n", &row[..4], &row[10..])
}

fn connections(world: &mut World) -> Result<()> {
    let mut random = Random::new(sessions::seed(), 2);
    let shown = [
        "-Lnc",
        "-Lc",
        "-Lnc --persistent-conn",
        "-Lc --persistent-conn",
    ];
    for (round, shown) in shown.into_iter().enumerate() {
        let here = world.namespace(&format!("here{round}"))?;
        let rules = RULES.iter().filter(|_| random.chance(70)).copied();
        restore(&here, &rules.collect::<String>())?;
        here.enter()?;
        synced::listen()?;
        let connections: Vec<_> = (0..120).map(|_| connection(&mut random)).collect();
        synced::send(connections.into_iter())?;
        world.comparisons += compare_connections(&here, shown)?;
    }
    Ok(())
}

fn compare_connections(here: &Namespace, shown: &str) -> Result<usize> {
    let lines = ["-Ln", "-Lnc", shown].map(str::to_owned);
    let listings = listed(here, Side::Reference, &lines)?;
    let all = rows(&listings[1], &listings[2], &listings[0])?;
    ensure!(all.len() > 90, "only {} connections", all.len());
    let titles: String = listings[2].split_inclusive('\n').take(2).collect();
    let wanted = combinations().into_iter().map(|parts| {
        let mut line = shown.to_owned();
        line.extend(parts.iter().map(|(words, _)| format!(" {words}")));
        let mut rows = all.clone();
        rows.retain(|row| parts.iter().all(|(_, has)| has(row)));
        let titles = titles.clone();
        (line, OfConnections { titles, rows })
    });
    let forms = forms(&FORMS_OF_CONNECTIONS, shown);
    compare(here, &wanted.collect::<Vec<_>>(), forms)
}

/// The connections that a listing should show.
struct OfConnections {
    titles: String,
    rows: Vec<Rc<Row>>,
}

const FORMS_OF_CONNECTIONS: [Form<OfConnections>; 8] = [
    Form {
        words: "",
        compared: |text| {
            let mut lines = text.split_inclusive('\n');
            let titles: String = lines.by_ref().take(2).collect();
            Ok(titles + &sorted(lines.map(|line| without_time(line.trim_end_matches('\n')))))
        },
        expected: |wanted| {
            let lines = wanted.rows.iter().map(|row| row.line.clone());
            wanted.titles.clone() + &sorted(lines)
        },
    },
    Form {
        words: "--format table",
        compared: |text| {
            let rows = cells(text, 5);
            Ok(sorted(rows.split_inclusive('\n').map(str::to_owned)))
        },
        expected: |wanted| {
            let title = "Protocol State Client Virtual Server\n".to_owned();
            let rows = wanted.rows.iter().map(|row| {
                let ends = row.shown.join(" ");
                format!("{} {} {ends}\n", row.protocol, row.state)
            });
            sorted([title].into_iter().chain(rows))
        },
    },
    Form {
        words: "--count",
        compared: squeezed,
        expected: |wanted| {
            let mut text = "IPVS connection counts\nconnections pro state destination\n".to_owned();
            for (row, count) in wanted.by_server() {
                let [_, _, server] = &row.shown;
                text += &format!("{count} {} {} {server}\n", row.protocol, row.state);
            }
            text += &format!("{} in all\n", wanted.rows.len());
            let clients = wanted.by_client();
            text += &format!("connections source ({} in all)\n", clients.len());
            for (row, count) in clients.iter().take(10) {
                text += &format!("{count} {}\n", row.shown_client());
            }
            text
        },
    },
    Form {
        words: "--count --format table",
        compared: squeezed,
        expected: |wanted| {
            let mut text = "Server | Protocol | State | Connections\n".to_owned();
            for (row, count) in wanted.by_server() {
                let [_, _, server] = &row.shown;
                text += &format!("{server} | {} | {} | {count}\n", row.protocol, row.state);
            }
            let clients = wanted.by_client();
            text += &format!("All | | | {}\n\n", wanted.rows.len());
            text += &format!("Client (of {}) | Connections\n", clients.len());
            for (row, count) in clients.iter().take(10) {
                text += &format!("{} | {count}\n", row.shown_client());
            }
            text
        },
    },
    Form {
        words: "-j",
        compared: |text| {
            let document: Value = serde_json::from_str(text)?;
            let list = document["connections"].as_array().context("no list")?;
            let rows = list.iter().map(|connection| {
                let text = |name: &str| connection[name].as_str().context("no text");
                let [client, virtual_service, server] =
                    ["client", "virtual", "server"].map(|end| place(&connection[end]));
                Ok(format!(
                    "{} {} {} {} {}\n",
                    text("protocol")?.to_uppercase(),
                    text("state")?,
                    client?,
                    virtual_service?,
                    server?
                ))
            });
            Ok(sorted(rows.collect::<Result<Vec<_>>>()?.into_iter()))
        },
        expected: |wanted| {
            sorted(wanted.rows.iter().map(|row| {
                format!(
                    "{} {} {} {} {}\n",
                    row.protocol, row.state, row.client, row.virtual_service, row.server
                )
            }))
        },
    },
    Form {
        words: "--format prometheus",
        // A series for each connection would be too many.
        compared: squeezed,
        expected: metrics,
    },
    Form {
        words: "--count -j",
        compared: |text| Ok(serde_json::from_str::<Value>(text)?.to_string()),
        expected: |wanted| {
            let by_server = wanted.by_server().into_iter().map(|(row, count)| {
                json!({
                    "protocol": row.protocol.to_lowercase(), "state": row.state, "connections": count,
                    "server": {"address": row.server.ip(), "port": row.server.port()},
                })
            });
            let clients = wanted.by_client();
            let by_client = clients.iter().take(10).map(|(row, count)| {
                json!({"address": row.client.ip(), "at_least": count, "at_most": count})
            });
            let counts = json!({
                "total": wanted.rows.len(), "client_count": clients.len(),
                "by_server": by_server.collect::<Vec<_>>(),
                "by_client": by_client.collect::<Vec<_>>(),
            });
            counts.to_string()
        },
    },
    Form {
        words: "--count --format prometheus",
        compared: squeezed,
        expected: metrics,
    },
];

fn metrics(wanted: &OfConnections) -> String {
    let samples = wanted.by_server().into_iter().map(|(row, count)| {
        format!(
            "ipvs_connection_entries{{proto=\"{}\",remote_address=\"{}\",remote_port=\"{}\",state=\"{}\"}} {count}\n",
            row.protocol,
            row.server.ip(),
            row.server.port(),
            row.state
        )
    });
    samples.collect()
}

fn sorted(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.concat()
}

impl OfConnections {
    /// Each pair of server and state once, with its number of connections.
    fn by_server(&self) -> Vec<(&Row, usize)> {
        self.counted(|row| (row.protocol.clone(), row.server, row.state.clone()))
    }

    /// Each client once, with its number of connections, the largest first.
    fn by_client(&self) -> Vec<(&Row, usize)> {
        let mut clients = self.counted(|row| row.client.ip());
        clients.sort_by_key(|(_, count)| Reverse(*count));
        clients
    }

    fn counted<K: Ord>(&self, key: fn(&Row) -> K) -> Vec<(&Row, usize)> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            counts.entry(key(row)).or_insert((&**row, 0)).1 += 1;
        }
        counts.into_values().collect()
    }
}

/// Words of a filter, and whether it matches a row.
type Part = (&'static str, fn(&Row) -> bool);

const NOTHING: Part = ("", |_| true);

const PARTS: [&[Part]; 4] = [
    &[
        NOTHING,
        ("-t 10.9.0.1:80", |row| row.is_of("TCP", "10.9.0.1:80")),
        ("-t 10.9.0.1:0", |row| row.is_left_to("TCP", "10.9.0.1")),
        ("-u 10.9.0.1:443", |row| row.is_of("UDP", "10.9.0.1:443")),
        ("--sctp-service 10.9.0.1:81", |row| {
            row.is_of("SCTP", "10.9.0.1:81")
        }),
        ("-t [2001:db8:9::1]:443", |row| {
            row.is_of("TCP", "[2001:db8:9::1]:443")
        }),
        ("-t [2001:db8:9::1]:0", |row| {
            row.is_left_to("TCP", "2001:db8:9::1")
        }),
        ("-u 10.9.0.1:0", |row| row.is_left_to("UDP", "10.9.0.1")),
        ("-f 7", |row| row.is_of("IP", "0.0.0.7:0")),
        ("-f 7 -6", |row| row.is_of("IP", "[0:7::]:0")),
    ],
    &[
        NOTHING,
        ("-r web2", |row| row.server.ip() == ip("10.1.1.2")),
        ("-r [2001:db8::1]:8080", |row| {
            row.server == at("[2001:db8::1]:8080")
        }),
    ],
    &[
        NOTHING,
        ("--client 10.8.1.7/23", |row| {
            let client = row.client.to_string();
            client.starts_with("10.8.0.") || client.starts_with("10.8.1.")
        }),
        ("--client 2001:db8:9::81/126", |row| {
            let hosts = ["80", "81", "82", "83"];
            let mut hosts = hosts
                .map(|host| ip(&format!("2001:db8:9::{host}")))
                .into_iter();
            hosts.any(|host| row.client.ip() == host)
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

    /// Whether it belongs to a service with port 0.
    fn is_left_to(&self, protocol: &str, address: &str) -> bool {
        let is_there = self.virtual_service.ip() == ip(address);
        self.protocol == protocol && is_there && !self.has_service
    }

    fn shown_client(&self) -> &str {
        let host = self.shown[0].rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_matches(['[', ']'])
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address of the test")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address of the test")
}

/// All combinations of one of each kind.
fn combinations() -> Vec<Vec<Part>> {
    PARTS.iter().fold(vec![Vec::new()], |lines, parts| {
        let longer = |line: &Vec<Part>| {
            let line = line.clone();
            parts.iter().map(move |part| [&line[..], &[*part]].concat())
        };
        lines.iter().flat_map(longer).collect()
    })
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
    // Some of these have names.
    let servers: &[&str] = if is_ipv6 {
        &["2001:db8::1", "2001:db8::9"]
    } else {
        &["10.1.1.1", "10.1.1.2", "10.1.1.6"]
    };
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
            ip(servers[random.below(servers.len())]),
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
