//! Each format for one small table that contains everything.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use ipvsadm::command::{Columns, Format, View};
use ipvsadm::doctor::{self, Facts};
use ipvsadm::kernel::parse_connection;
use ipvsadm::model::difference::{Configured, Table, difference};
use ipvsadm::model::{
    Checksum, Connection, ConnectionCounts, Daemon, DaemonRole, Entry, Estimators, Family, Flags,
    Forwarding, HashTable, Info, Limits, Mask, Name, Protocol, Server, ServerState, Service,
    ServiceCounts, ServiceId, ServiceState, Stats, Status, Timeouts, Totals, Tunnel, TunnelKind,
    sort_table,
};
use ipvsadm::names::Names;
use ipvsadm::render::steps::CutConnections;
use ipvsadm::render::{self, Extent, Out, Screen, report, save};
use proptest::prelude::*;

fn rendered(write: impl FnOnce(&mut Out, &mut Names) -> std::io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    write(&mut out, &mut Names::numeric()).unwrap();
    out.flush().unwrap();
    bytes
}

/// The output of a format, not on a terminal.
fn shown(
    format: Format,
    columns: Columns,
    write: impl FnOnce(&mut dyn render::Renderer, &mut Out, &mut Names) -> std::io::Result<()>,
) -> Vec<u8> {
    let mut format = render::format(format, view(columns), PAPER);
    rendered(|out, names| write(&mut *format, out, names))
}

fn view(columns: Columns) -> View {
    View {
        columns,
        exact: false,
        sorted: true,
    }
}

const PAPER: Screen = Screen {
    width: None,
    colour: false,
};

fn services(format: &mut dyn render::Renderer, table: &[Entry]) -> Vec<u8> {
    rendered(|out, names| {
        format.begin_services(out, &INFO, Extent::ALL)?;
        format.services(out, names, table)
    })
}

fn connections(format: Format, columns: Columns, lines: &[String]) -> Vec<u8> {
    shown(format, columns, |format, out, names| {
        format.begin_connections(out)?;
        for line in lines {
            let connection = parse_connection(line.as_bytes()).unwrap();
            format.connection(out, names, &connection)?;
        }
        format.end_connections(out)
    })
}

fn service(id: ServiceId, scheduler: &str) -> Service {
    Service {
        scheduler: scheduler.parse().unwrap(),
        ..Service::new(id)
    }
}

fn address(protocol: Protocol, address: &str) -> ServiceId {
    ServiceId::address(protocol, address.parse().unwrap())
}

fn server(address: &str, forwarding: Forwarding) -> Server {
    let address: SocketAddr = address.parse().unwrap();
    Server {
        forwarding,
        ..Server::new(address)
    }
}

/// Counters on both sides of each limit between units.
fn stats(start: u64) -> Stats {
    Stats {
        connections: start,
        in_packets: 99_999_999,
        out_packets: 100_000_000,
        in_bytes: 999_999_999,
        out_bytes: 1_000_000_000,
        connection_rate: 99_999_999_999,
        in_packet_rate: 100_000_000_000,
        out_packet_rate: 99_999_999_999_999,
        in_byte_rate: 100_000_000_000_000,
        out_byte_rate: u64::MAX,
    }
}

fn tunnelled(address: &str, kind: TunnelKind, port: u16, checksum: Checksum) -> Server {
    Server {
        tunnel: Tunnel {
            kind,
            port,
            checksum,
        },
        ..server(address, Forwarding::Tunnel)
    }
}

const INFO: Info = Info {
    version: 0x010201,
    connection_table_size: 4096,
};

const TIMEOUTS: Timeouts = Timeouts {
    tcp: 900,
    tcp_fin: 120,
    udp: 300,
};

/// A daemon with few known settings, and one with all.
fn daemons() -> [Daemon; 2] {
    let plain = Daemon::new(DaemonRole::Master, "eth0".parse().unwrap(), 5);
    let whole = Daemon {
        role: DaemonRole::Backup,
        max_length: Some(1472),
        group: Some([224, 0, 0, 81].into()),
        port: Some(8848),
        ttl: Some(1),
        ..plain
    };
    [plain, whole]
}

/// Connections in the kernel's text format.
fn lines_of_connections() -> Vec<String> {
    let call_id = "c".repeat(255);
    vec![
        "TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899".to_owned(),
        "SCTP 0A010001 04D2 0A010001 0063 0A020001 0063 INIT1             3".to_owned(),
        "IP  0A010001 0000 00000007 0000 0A020007 0000 NONE             49".to_owned(),
        format!("UDP 0A010001 0000 0A010001 13C4 0A020001 13C4 NONE         999999 sip {call_id}"),
        "TCP 2001:0db8:0001:0000:0000:0000:0000:0001 88B0 2001:0db8:0000:0000:0000:0000:0000:0001 \
         005A 2001:0db8:0002:1111:2222:3333:4444:5555 005A SYN_RECV         59"
            .to_owned(),
    ]
}

const COLUMNS: [(&str, Columns); 6] = [
    ("plain", Columns::Plain),
    ("stats", Columns::Stats),
    ("rates", Columns::Rates),
    ("thresholds", Columns::Thresholds),
    ("persistent-connections", Columns::PersistentConnections),
    ("tunnels", Columns::Tunnels),
];

fn table() -> Vec<Entry> {
    let web = service(address(Protocol::TCP, "10.0.0.1:80"), "wlc");
    let sip = Service {
        flags: Flags::ONE_PACKET,
        persistence: Some(360),
        mask: Mask::V4([255, 255, 255, 0].into()),
        engine: Name::new(b"sip"),
        ..service(address(Protocol::UDP, "10.0.0.1:5060"), "rr")
    };
    let hashed = Service {
        flags: Flags::SCHEDULER_1 | Flags::SCHEDULER_2,
        ..service(address(Protocol::SCTP, "[2001:db8::1]:99"), "sh")
    };
    let marked = Service {
        flags: Flags::SCHEDULER_3,
        persistence: Some(60),
        mask: Mask::V6(64),
        ..service(
            ServiceId::Mark {
                mark: NonZeroU32::MAX,
                family: Family::V6,
            },
            "mh",
        )
    };
    let foreign = service(address(Protocol(47), "10.0.0.9:0"), "none");
    let gue = |address, checksum| tunnelled(address, TunnelKind::Gue, 6080, checksum);
    let with_limits = Server {
        weight: i32::MAX,
        upper_threshold: 100,
        lower_threshold: 50,
        ..server("192.168.100.200:65535", Forwarding::Masquerade)
    };
    let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
    [
        (
            web,
            vec![
                with_limits,
                server("10.1.0.1:80", Forwarding::DirectRouting),
                server("10.1.0.2:80", Forwarding::Local),
                server("10.1.0.3:80", Forwarding::Bypass),
                server("10.1.0.4:80", Forwarding::Unknown(7)),
                tunnelled("10.1.0.5:80", TunnelKind::Ipip, 0, Checksum::NONE),
                gue("10.1.0.6:80", Checksum::NONE),
                gue("10.1.0.7:80", Checksum::PLAIN),
                gue("10.1.0.8:80", Checksum::REMOTE),
                gue("10.1.0.9:80", Checksum(3)),
                tunnelled("10.1.0.10:80", TunnelKind::Gre, 0, Checksum::PLAIN),
                tunnelled("10.1.0.11:80", TunnelKind::Unknown(9), 0, Checksum::NONE),
            ],
        ),
        (sip, vec![]),
        (hashed, vec![server(long, Forwarding::DirectRouting)]),
        (marked, vec![server("[::1]:0", Forwarding::Masquerade)]),
        (foreign, vec![]),
    ]
    .map(|(service, servers)| Entry {
        service: ServiceState {
            service,
            stats: stats(0),
        },
        servers: servers
            .into_iter()
            .map(|server| ServerState {
                server,
                active: 12,
                inactive: u32::MAX,
                persistent: 3,
                stats: stats(1 << 33),
            })
            .collect(),
    })
    .into()
}

#[test]
fn listings() {
    let mut table = table();
    sort_table(&mut table);
    let views = COLUMNS.map(|(name, columns)| (name.to_owned(), columns, false));
    let exact = COLUMNS[1..3].iter();
    let exact = exact.map(|(name, columns)| (format!("{name}-exact"), *columns, true));
    for (name, columns, exact) in views.into_iter().chain(exact) {
        let view = View {
            exact,
            ..view(columns)
        };
        let bytes = services(&mut *render::format(Format::Classic, view, PAPER), &table);
        insta::assert_binary_snapshot!(&format!("listing-{name}.txt"), bytes);
    }
}

#[test]
fn saves() {
    let mut unsaid = Vec::new();
    let bytes = rendered(|out, names| {
        table()
            .iter()
            .try_for_each(|entry| save::entry(out, names, entry, &mut unsaid))
    });
    let unsaid = String::from_utf8(unsaid.join(&b"\n"[..])).unwrap();
    insta::assert_snapshot!("unsaid", unsaid);
    insta::assert_binary_snapshot!("save.txt", bytes);
}

#[test]
fn connection_listings() {
    let lines = lines_of_connections();
    let bytes = connections(Format::Classic, Columns::Plain, &lines);
    insta::assert_binary_snapshot!("connections.txt", bytes);
    let bytes = connections(Format::Classic, Columns::PersistentConnections, &lines);
    insta::assert_binary_snapshot!("connections-engines.txt", bytes);
}

/// A document, after checking that it is valid JSON.
#[track_caller]
fn document(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    text
}

fn document_of_services() -> String {
    let mut json = render::format(Format::Json, view(Columns::Plain), PAPER);
    document(services(&mut *json, &table()))
}

fn document_of_connections(lines: &[String]) -> String {
    document(connections(Format::Json, Columns::Plain, lines))
}

/// Two connections for each of eleven clients, but three for one.
fn counts() -> ConnectionCounts {
    let lines = lines_of_connections();
    let mut connection = parse_connection(lines[0].as_bytes()).unwrap();
    let mut counts = ConnectionCounts::default();
    for number in (1..12).chain(1..12).chain([7]) {
        connection.client.set_ip([10, 0, 0, number].into());
        counts.add(&connection);
    }
    counts
}

const SERVICE_COUNTS: ServiceCounts = ServiceCounts {
    services: 2,
    servers: 1200,
    active: 30,
    inactive: 4,
    persistent: 0,
};

fn counted(format: Format) -> String {
    let bytes = shown(format, Columns::Plain, |format, out, names| {
        format.service_counts(out, &SERVICE_COUNTS)?;
        format.connection_counts(out, names, &counts())
    });
    String::from_utf8(bytes).unwrap()
}

#[test]
fn how_many_there_are() {
    insta::assert_snapshot!("counts", counted(Format::Classic));
    insta::assert_snapshot!("table-counts", counted(Format::Table));
    insta::assert_snapshot!("json-counts", counted(Format::Json));
}

/// Both documents of numbers.
fn documents_of_counts() -> Vec<String> {
    let text = counted(Format::Json);
    let (services, connections) = text.split_once('\n').unwrap();
    [services, connections]
        .map(|text| document(text.as_bytes().to_vec()))
        .to_vec()
}

fn document_of_timeouts() -> String {
    document(shown(Format::Json, Columns::Plain, |json, out, _| {
        json.timeouts(out, &TIMEOUTS)
    }))
}

fn documents_of_reports() -> [String; 2] {
    let current = Table {
        services: vec![Configured {
            service: Service::new("-t 192.0.2.1:80".parse().unwrap()),
            servers: vec![Server::new(([10, 0, 0, 1], 80))],
        }],
        ..Table::default()
    };
    let steps = difference(&current, &Table::default(), false).steps;
    let fate = "";
    let connections = 3;
    let finding = [(7, "wrong".to_owned())];
    [
        document(rendered(|out, _| {
            report::steps(out, &steps, |_| CutConnections { connections, fate })
        })),
        document(rendered(|out, _| report::findings(out, &finding, &[]))),
    ]
}

fn document_of_daemons(daemons: &[Daemon]) -> String {
    document(shown(Format::Json, Columns::Plain, |json, out, _| {
        json.daemons(out, daemons)
    }))
}

fn document_of_totals(totals: &Totals) -> String {
    document(shown_totals(Format::Json, totals))
}

fn shown_totals(format: Format, totals: &Totals) -> Vec<u8> {
    shown(format, Columns::Plain, |format, out, _| {
        format.totals(out, totals)
    })
}

/// The values that kernels before 7.2 report.
fn old_totals() -> Totals {
    Totals {
        stats: stats(1_234_567_890_123),
        ..Totals::default()
    }
}

fn new_totals() -> Totals {
    let connections = HashTable {
        entries: 1_000_000,
        buckets: 1_048_576,
        empty_buckets: 403_500,
        chains: [385_000, 184_000, 58_000, 14_000, 2_600, 400, 76],
    };
    let status = Status {
        connections,
        services: HashTable::default(),
        estimators: Estimators {
            threads: 1,
            most_threads: 4,
        },
    };
    Totals {
        status: Some(status),
        limits: Limits {
            most_connections: Some(1 << 30),
            connection_load_factor: Some(-4),
            service_load_factor: Some(-3),
        },
        ..old_totals()
    }
}

#[test]
fn sums() {
    let texts = [Format::Classic, Format::Table, Format::Json].map(|format| {
        let totals = [old_totals(), new_totals()].map(|totals| shown_totals(format, &totals));
        String::from_utf8(totals.join(&b"\n"[..])).unwrap()
    });
    insta::assert_snapshot!("totals", texts.join("\n"));
}

#[test]
fn metrics() {
    let mut table = table();
    table.iter_mut().for_each(|entry| entry.servers.truncate(2));
    let bytes = shown(Format::Prometheus, Columns::Plain, |format, out, names| {
        format.begin_services(out, &INFO, Extent::ALL)?;
        format.services(out, names, &table)?;
        format.service_counts(out, &SERVICE_COUNTS)?;
        format.timeouts(out, &TIMEOUTS)?;
        format.daemons(out, &daemons())?;
        format.totals(out, &new_totals())?;
        format.connection_counts(out, names, &counts())
    });
    insta::assert_snapshot!("metrics", String::from_utf8(bytes).unwrap());
}

#[test]
fn some_servers_of_a_service_are_not_counted_as_all() {
    let names = |extent| {
        let bytes = shown(Format::Prometheus, Columns::Plain, |format, out, names| {
            format.begin_services(out, &INFO, extent)?;
            format.services(out, names, &table())
        });
        let text = String::from_utf8(bytes).unwrap();
        let names = text.lines().filter_map(|line| line.split_once('{'));
        let names: BTreeSet<_> = names.map(|(name, _)| name.to_owned()).collect();
        names
    };
    let some = names(Extent {
        all_servers: false,
        ..Extent::ALL
    });
    let missing: Vec<_> = names(Extent::ALL).difference(&some).cloned().collect();
    let numbers = ["ipvs_service_backends", "ipvs_service_backends_live"];
    assert_eq!(missing, numbers);
}

#[test]
fn documents_for_programs() {
    insta::assert_snapshot!("json-services", document_of_services());
    let connections = document_of_connections(&lines_of_connections());
    insta::assert_snapshot!("json-connections", connections);
}

/// The doctor's output when the kernel has no IPVS.
fn diagnosis() -> String {
    let findings = doctor::examine(&Facts::default());
    let unseen = ["daemons (no right)".to_owned()];
    let bytes = rendered(|out, _| doctor::json(out, &findings, &unseen));
    String::from_utf8(bytes).unwrap()
}

/// Collects the keys of all objects in a document.
fn add_keys(keys: &mut BTreeSet<String>, value: &serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| add_keys(keys, item)),
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                keys.insert(key.clone());
                add_keys(keys, value);
            }
        }
        _ => {}
    }
}

/// The bold words at the start of the entries of a page.
fn entries_of(page: &str) -> BTreeSet<String> {
    let lines = page.lines().zip(page.lines().skip(1));
    let headings = lines.filter_map(|(before, line)| (before == ".TP").then_some(line));
    let words = headings.flat_map(|line| line.split([' ', ',', '"']).skip(1));
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let documents = [
        document_of_services(),
        document_of_connections(&lines_of_connections()),
        document_of_timeouts(),
        document_of_daemons(&daemons()),
        document_of_totals(&new_totals()),
    ];
    let documents = documents.into_iter().chain(documents_of_counts());
    let documents = documents.chain(documents_of_reports());
    let documents = documents.chain([diagnosis()]);
    let mut keys = BTreeSet::new();
    for document in documents {
        add_keys(&mut keys, &serde_json::from_str(&document).unwrap());
    }
    // These are described in a sentence.
    for key in [
        "csum", "remcsum", "type", "tcp", "tcpfin", "udp", "place", "value",
    ] {
        assert!(keys.remove(key), "{key}");
    }
    let page = include_str!("../../man/ipvsadm-json.5");
    assert_eq!(entries_of(page), keys);
}

#[test]
fn empty_lists_are_documents() {
    assert_eq!(document_of_connections(&[]), "{\"connections\":[\n]}\n");
    assert_eq!(document_of_daemons(&[]), "{\"daemons\":[\n]}\n");
}

#[test]
fn a_truncated_document_is_invalid() {
    let whole = document_of_services();
    let whole = whole.trim_end();
    for length in (0..whole.len()).step_by(7) {
        let half = whole.get(..length).unwrap_or_default();
        assert!(
            serde_json::from_str::<serde_json::Value>(half).is_err(),
            "{half}"
        );
    }
}

#[test]
fn any_bytes_become_json() {
    let line = b"UDP 0A010001 0000 0A010001 13C4 0A020001 13C4 NONE 9 sip \xff\"\x1b[2J\\";
    let connection = parse_connection(line).unwrap();
    let text = document(shown(Format::Json, Columns::Plain, |json, out, names| {
        json.begin_connections(out)?;
        json.connection(out, names, &connection)?;
        json.end_connections(out)
    }));
    assert!(
        text.contains("\"pe_data\":\"\u{fffd}\\\"\\u001b[2J\\\\\""),
        "{text}"
    );
}

fn table_of_services(columns: Columns, screen: Screen, table: &[Entry]) -> String {
    let mut people = render::format(Format::Table, view(columns), screen);
    String::from_utf8(services(&mut *people, table)).unwrap()
}

#[test]
fn tables_for_people() {
    let mut entries = table();
    sort_table(&mut entries);
    for (name, columns) in COLUMNS {
        let text = table_of_services(columns, PAPER, &entries);
        insta::assert_snapshot!(format!("table-{name}"), text);
    }
    let lines = lines_of_connections();
    let engines = Columns::PersistentConnections;
    let tables = [
        (
            "connections",
            connections(Format::Table, Columns::Plain, &lines),
        ),
        (
            "connections-engines",
            connections(Format::Table, engines, &lines),
        ),
    ];
    for (name, bytes) in tables {
        insta::assert_snapshot!(format!("table-{name}"), String::from_utf8(bytes).unwrap());
    }
}

/// An address, often one of the maximum length.
fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from),
        prop::array::uniform8(0x1000u16..).prop_map(IpAddr::from),
    ]
}

/// Sets every counter to this value.
fn all(counter: u64) -> Stats {
    Stats {
        in_packets: counter,
        out_packets: counter,
        in_bytes: counter,
        out_bytes: counter,
        ..stats(counter)
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let counters = || prop_oneof![any::<u32>().prop_map(u64::from), 0..=999_999_999_999_999u64];
    let name = (any_address(), any::<u16>(), any::<bool>());
    (
        name,
        prop::collection::vec((any_address(), any::<u16>(), counters()), 0..3),
        counters(),
    )
        .prop_map(|((address, port, is_persistent), servers, counter)| {
            let mut service = service(
                ServiceId::Address {
                    protocol: Protocol::TCP,
                    address,
                    port,
                },
                "wlc",
            );
            service.persistence = is_persistent.then_some(2_678_400);
            Entry {
                service: ServiceState {
                    service,
                    stats: all(counter),
                },
                servers: servers
                    .into_iter()
                    .map(|(address, port, counter)| ServerState {
                        server: Server::new((address, port)),
                        active: u32::MAX,
                        inactive: u32::MAX,
                        persistent: u32::MAX,
                        stats: all(counter),
                    })
                    .collect(),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn tables_fit_their_screen_with_every_address_whole(
        table in prop::collection::vec(any_entry(), 0..3),
        (name, columns) in prop::sample::select(&COLUMNS[..]),
        width in 40usize..140,
    ) {
        let screen = Screen {
            width: Some(width),
            colour: false,
        };
        let text = table_of_services(columns, screen, &table);
        for line in text.lines() {
            prop_assert!(line.chars().count() <= width, "{name} {width}:\n{text}");
        }
        let services = table.iter().map(|entry| entry.service.service.id);
        let addresses = services.filter_map(|id| match id {
            ServiceId::Address { address, .. } => Some(address),
            ServiceId::Mark { .. } => None,
        });
        let servers = table.iter().flat_map(|entry| &entry.servers);
        for address in addresses.chain(servers.map(|state| state.server.id.address)) {
            prop_assert!(text.contains(&address.to_string()), "{address} {width}:\n{text}");
        }
    }

    #[test]
    fn connections_fit_their_screen_with_every_address_whole(
        ends in prop::array::uniform3((any_address(), any::<u16>())),
        data in "[ -~]{0,80}",
        width in 40usize..140,
    ) {
        let [client, virtual_service, server] = ends.map(SocketAddr::from);
        let connection = Connection {
            protocol: b"TCP",
            client,
            virtual_service,
            server,
            state: b"ESTABLISHED",
            expires: 899,
            engine: Some((b"sip", data.as_bytes())),
        };
        let screen = Screen {
            width: Some(width),
            colour: false,
        };
        let text = table_of_connections(screen, &connection);
        for line in text.lines() {
            prop_assert!(line.chars().count() <= width, "{width}:\n{text}");
        }
        for (address, _) in ends {
            prop_assert!(text.contains(&address.to_string()), "{address} {width}:\n{text}");
        }
    }
}

fn table_of_connections(screen: Screen, connection: &Connection) -> String {
    let engines = view(Columns::PersistentConnections);
    let mut people = render::format(Format::Table, engines, screen);
    let bytes = rendered(|out, names| {
        people.begin_connections(out)?;
        people.connection(out, names, connection)?;
        people.end_connections(out)
    });
    String::from_utf8(bytes).unwrap()
}

/// Call ids come from any caller, names from name servers: neither can be trusted.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![
        6 => "[ -~]".prop_map(String::into_bytes),
        3 => "[\\PC]".prop_map(String::into_bytes),
        2 => "[\u{300}\u{200d}\u{200b}\u{ad}\u{fe0f}\u{1f468}\u{1f3fd}\u{4e00}\u{ac00}\u{1100}\u{202e}]"
            .prop_map(String::into_bytes),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(letter, 0..80).prop_map(|letters| letters.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn tables_take_any_text(name in data(), data in data(), width in prop::option::of(0usize..120), colour: bool) {
        let lines = lines_of_connections();
        let mut connection = parse_connection(lines[0].as_bytes()).unwrap();
        connection.engine = Some((&name, &data));
        let text = table_of_connections(Screen { width, colour }, &connection);
        let is_clean = |c: char| !c.is_control() || c == '\n' || (colour && c == '\x1b');
        prop_assert!(text.chars().all(is_clean), "{:?}", text);
    }
}

#[test]
fn tables_have_colours_where_they_are_wanted() {
    let mut entries = table();
    entries[0].servers[1].server.weight = 0;
    entries.truncate(1);
    entries[0].servers.truncate(2);
    let screen = Screen {
        width: Some(80),
        colour: true,
    };
    let text = table_of_services(Columns::Plain, screen, &entries);
    insta::assert_snapshot!("table-coloured", text.replace('\x1b', "ESC"));
}

#[test]
fn the_table_in_the_readme() {
    let load = |address, weight, active, inactive| ServerState {
        server: Server {
            weight,
            ..server(address, Forwarding::Masquerade)
        },
        active,
        inactive,
        persistent: 0,
        stats: stats(0),
    };
    let entry = Entry {
        service: ServiceState {
            service: service(address(Protocol::TCP, "192.0.2.1:443"), "wlc"),
            stats: stats(0),
        },
        servers: vec![
            load("10.0.0.1:8443", 1, 1204, 17),
            load("10.0.0.2:8443", 0, 3, 12),
        ],
    };
    let expected = table_of_services(Columns::Plain, PAPER, &[entry]);
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&expected), "\n{expected}");
}
