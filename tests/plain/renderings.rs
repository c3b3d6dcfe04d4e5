//! Each format over one small table that has everything in it.

use std::net::SocketAddr;

use ipvsadm::command::{Columns, View};
use ipvsadm::kernel::parse_connection;
use ipvsadm::model::{
    Checksum, Daemon, DaemonRole, Entry, Family, Flags, Forwarding, Info, Mask, Name, Protocol,
    Server, ServerId, ServerState, Service, ServiceId, ServiceState, Stats, Timeouts, Tunnel,
    TunnelKind, sort_table,
};
use ipvsadm::names::Names;
use ipvsadm::render::{Out, connections, listing, save, settings};

fn rendered(write: impl FnOnce(&mut Out, &mut Names) -> std::io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    write(&mut out, &mut Names::numeric()).unwrap();
    out.flush().unwrap();
    bytes
}

fn service(id: ServiceId, scheduler: &str) -> Service {
    Service {
        id,
        scheduler: Name::new(scheduler.as_bytes()),
        flags: Flags::HASHED,
        persistence: 0,
        mask: Mask::whole(id.family()),
        engine: Name::EMPTY,
    }
}

fn address(protocol: Protocol, address: &str) -> ServiceId {
    let address: SocketAddr = address.parse().unwrap();
    ServiceId::Address {
        protocol,
        address: address.ip(),
        port: address.port(),
    }
}

fn server(address: &str, forwarding: Forwarding) -> Server {
    let address: SocketAddr = address.parse().unwrap();
    Server {
        id: ServerId {
            address: address.ip(),
            port: address.port(),
        },
        forwarding,
        tunnel: Tunnel::IPIP,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

/// Counters on every side of each limit between units.
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

fn table() -> Vec<Entry> {
    let web = service(address(Protocol::TCP, "10.0.0.1:80"), "wlc");
    let sip = Service {
        flags: Flags::HASHED | Flags::PERSISTENT | Flags::ONE_PACKET,
        persistence: 360,
        mask: Mask::V4([255, 255, 255, 0].into()),
        engine: Name::new(b"sip"),
        ..service(address(Protocol::UDP, "10.0.0.1:5060"), "rr")
    };
    let hashed = Service {
        flags: Flags::SCHEDULER_1 | Flags::SCHEDULER_2,
        ..service(address(Protocol::SCTP, "[2001:db8::1]:99"), "sh")
    };
    let marked = Service {
        flags: Flags::PERSISTENT | Flags::SCHEDULER_3,
        persistence: 60,
        mask: Mask::V6(64),
        ..service(
            ServiceId::Mark {
                mark: u32::MAX,
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
    let views = [
        ("plain", Columns::Plain, false),
        ("stats", Columns::Stats, false),
        ("stats-exact", Columns::Stats, true),
        ("rates", Columns::Rates, false),
        ("rates-exact", Columns::Rates, true),
        ("thresholds", Columns::Thresholds, false),
        (
            "persistent-connections",
            Columns::PersistentConnections,
            false,
        ),
        ("tunnels", Columns::Tunnels, false),
    ];
    for (name, columns, exact) in views {
        let view = View {
            columns,
            exact,
            sorted: true,
        };
        let bytes = rendered(|out, names| {
            let info = Info {
                version: 0x010201,
                connection_table_size: 4096,
            };
            listing::version(out, &info)?;
            listing::titles(out, columns)?;
            table
                .iter()
                .try_for_each(|entry| listing::entry(out, names, view, entry))
        });
        insta::assert_binary_snapshot!(&format!("listing-{name}.txt"), bytes);
    }
}

#[test]
fn saves() {
    let bytes = rendered(|out, names| {
        table()
            .iter()
            .try_for_each(|entry| save::entry(out, names, entry))
    });
    insta::assert_binary_snapshot!("save.txt", bytes);
}

#[test]
fn connection_listings() {
    let call_id = "c".repeat(255);
    let lines = [
        "TCP 0A010001 BBC6 0A010001 0050 0A010001 1F90 ESTABLISHED     899".to_owned(),
        "SCTP 0A010001 04D2 0A010001 0063 0A020001 0063 INIT1             3".to_owned(),
        "IP  0A010001 0000 00000007 0000 0A020007 0000 NONE             49".to_owned(),
        format!("UDP 0A010001 0000 0A010001 13C4 0A020001 13C4 NONE         999999 sip {call_id}"),
        "TCP 2001:0db8:0001:0000:0000:0000:0000:0001 88B0 2001:0db8:0000:0000:0000:0000:0000:0001 \
         005A 2001:0db8:0002:1111:2222:3333:4444:5555 005A SYN_RECV         59"
            .to_owned(),
    ];
    for engines in [false, true] {
        let bytes = rendered(|out, names| {
            connections::titles(out, engines)?;
            lines.iter().try_for_each(|line| {
                let connection = parse_connection(line.as_bytes()).unwrap();
                connections::entry(out, names, engines, &connection)
            })
        });
        let name = if engines {
            "connections-engines.txt"
        } else {
            "connections.txt"
        };
        insta::assert_binary_snapshot!(name, bytes);
    }
}

#[test]
fn timeouts_and_daemons() {
    let bytes = rendered(|out, _| {
        settings::timeouts(
            out,
            &Timeouts {
                tcp: 900,
                tcp_fin: 120,
                udp: 300,
            },
        )?;
        let plain = Daemon {
            role: DaemonRole::Master,
            interface: Name::new(b"eth0"),
            sync_id: 5,
            max_length: None,
            group: None,
            port: None,
            ttl: None,
        };
        settings::daemon(out, &plain)?;
        let whole = Daemon {
            role: DaemonRole::Backup,
            max_length: Some(1472),
            group: Some([224, 0, 0, 81].into()),
            port: Some(8848),
            ttl: Some(1),
            ..plain
        };
        settings::daemon(out, &whole)
    });
    insta::assert_binary_snapshot!("settings.txt", bytes);
}
