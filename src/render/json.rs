//! Listings for programs, as `ipvsadm-json.5` describes them. Every key is always present; one
//! without a value is null.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::flags::names_of_flags;
use super::format::{Extent, Renderer, TOP_CLIENTS};
use super::out::Out;
use crate::model::terms::Vocabulary;
use crate::model::{self, Checksum, Family, Flags, Forwarding, Mask, ServiceId};
use crate::names::Names;

/// A document is a list with a line for each item, so that it can be written while it is read. A
/// truncated document is not valid JSON, so it cannot be mistaken for a whole one.
#[derive(Default)]
pub struct Json {
    /// The text before the services.
    head: String,
    separator: &'static str,
}

impl Json {
    /// `head` is the text before the list: other keys of the document.
    pub(crate) fn begin(&mut self, out: &mut Out, head: &str, name: &str) {
        out.text("{").text(head);
        out.text("\"").text(name).text("\":[");
        self.separator = "";
    }

    pub(crate) fn add(&mut self, out: &mut Out, item: &impl Serialize) -> io::Result<()> {
        out.text(self.separator).end_row()?;
        out.text(serde_json::to_vec(item)?);
        self.separator = ",";
        Ok(())
    }

    /// Ends the list and begins another one.
    pub(crate) fn next_list(&mut self, out: &mut Out, name: &str) -> io::Result<()> {
        out.end_row()?;
        out.text("],\"").text(name).text("\":[");
        self.separator = "";
        Ok(())
    }

    pub(crate) fn end(&mut self, out: &mut Out) -> io::Result<()> {
        out.end_row()?;
        out.text("]}").end_row()
    }
}

impl Renderer for Json {
    fn begin_services(&mut self, _: &mut Out, info: &model::Info, _: Extent) -> io::Result<()> {
        let [_, major, minor, patch] = info.version.to_be_bytes();
        let size = info.connection_table_size;
        self.head =
            format!("\"version\":\"{major}.{minor}.{patch}\",\"connection_table_size\":{size},");
        Ok(())
    }

    fn services(&mut self, out: &mut Out, _: &mut Names, table: &[model::Entry]) -> io::Result<()> {
        let head = mem::take(&mut self.head);
        self.begin(out, &head, "services");
        for entry in table {
            self.add(out, &Service::from(entry))?;
        }
        self.end(out)
    }

    fn service_counts(&mut self, out: &mut Out, counts: &model::ServiceCounts) -> io::Result<()> {
        let counts = ServiceCounts {
            services: counts.services,
            servers: counts.servers,
            active: counts.active,
            inactive: counts.inactive,
            persistent: counts.persistent,
        };
        out.text(serde_json::to_vec(&counts)?).end_row()
    }

    fn begin_connections(&mut self, out: &mut Out) -> io::Result<()> {
        self.begin(out, "", "connections");
        Ok(())
    }

    fn connection(
        &mut self,
        out: &mut Out,
        _: &mut Names,
        connection: &model::Connection,
    ) -> io::Result<()> {
        self.add(out, &Connection::from(connection))
    }

    fn end_connections(&mut self, out: &mut Out) -> io::Result<()> {
        self.end(out)
    }

    fn connection_counts(
        &mut self,
        out: &mut Out,
        _: &mut Names,
        counts: &model::ConnectionCounts,
    ) -> io::Result<()> {
        let clients = serde_json::to_string(&counts.distinct_clients())?;
        let head = format!("\"total\":{},\"client_count\":{clients},", counts.total);
        self.begin(out, &head, "by_server");
        for count in counts.by_server() {
            self.add(out, &StateCount::from(count))?;
        }
        self.next_list(out, "by_client")?;
        for client in counts.top_clients(TOP_CLIENTS) {
            self.add(out, &ClientCount::from(client))?;
        }
        self.end(out)
    }

    fn timeouts(&mut self, out: &mut Out, timeouts: &model::Timeouts) -> io::Result<()> {
        let timeouts = Timeouts {
            tcp: timeouts.tcp,
            tcpfin: timeouts.tcp_fin,
            udp: timeouts.udp,
        };
        out.text(serde_json::to_vec(&timeouts)?).end_row()
    }

    fn daemons(&mut self, out: &mut Out, daemons: &[model::Daemon]) -> io::Result<()> {
        self.begin(out, "", "daemons");
        for daemon in daemons {
            self.add(out, &Daemon::from(daemon))?;
        }
        self.end(out)
    }

    fn totals(&mut self, out: &mut Out, totals: &model::Totals) -> io::Result<()> {
        out.text(serde_json::to_vec(&Totals::from(totals))?)
            .end_row()
    }
}

#[derive(Serialize)]
struct Service<'a> {
    protocol: Option<Cow<'static, str>>,
    address: Option<IpAddr>,
    port: Option<u16>,
    fwmark: Option<u32>,
    family: &'static str,
    scheduler: Cow<'a, str>,
    sched_flags: Vec<&'static str>,
    persistent: Option<u32>,
    netmask: String,
    pe: Option<Cow<'a, str>>,
    ops: bool,
    stats: Counters,
    rate: Counters,
    servers: Vec<Server>,
}

impl<'a> From<&'a model::Entry> for Service<'a> {
    fn from(entry: &'a model::Entry) -> Self {
        let service = &entry.service.service;
        let (protocol, address, port, fwmark) = match service.id {
            ServiceId::Address {
                protocol,
                address,
                port,
            } => (Some(word(protocol)), Some(address), Some(port), None),
            ServiceId::Mark { mark, .. } => (None, None, None, Some(mark.get())),
        };
        Self {
            protocol,
            address,
            port,
            fwmark,
            family: match service.id.family() {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            },
            scheduler: text(service.scheduler.as_bytes()),
            sched_flags: names_of_flags(service).collect(),
            persistent: service.persistence,
            netmask: match service.mask {
                Mask::V4(mask) => mask.to_string(),
                Mask::V6(length) => length.to_string(),
            },
            pe: service
                .engine
                .as_ref()
                .map(|engine| text(engine.as_bytes())),
            ops: service.flags.has(Flags::ONE_PACKET),
            stats: Counters::totals(&entry.service.stats),
            rate: Counters::rates(&entry.service.stats),
            servers: entry.servers.iter().map(Server::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct Server {
    address: IpAddr,
    port: u16,
    forward: Cow<'static, str>,
    tunnel: Option<Tunnel>,
    weight: i32,
    u_threshold: u32,
    l_threshold: u32,
    active: u32,
    inactive: u32,
    persistent: u32,
    stats: Counters,
    rate: Counters,
}

impl From<&model::ServerState> for Server {
    fn from(state: &model::ServerState) -> Self {
        let server = &state.server;
        let is_tunnel = server.forwarding == Forwarding::Tunnel;
        Self {
            address: server.id.address,
            port: server.id.port,
            forward: word(server.forwarding),
            tunnel: is_tunnel.then(|| Tunnel::from(&server.tunnel)),
            weight: server.weight,
            u_threshold: server.upper_threshold,
            l_threshold: server.lower_threshold,
            active: state.active,
            inactive: state.inactive,
            persistent: state.persistent,
            stats: Counters::totals(&state.stats),
            rate: Counters::rates(&state.stats),
        }
    }
}

#[derive(Serialize)]
struct Tunnel {
    r#type: Cow<'static, str>,
    port: u16,
    csum: bool,
    remcsum: bool,
}

impl From<&model::Tunnel> for Tunnel {
    fn from(tunnel: &model::Tunnel) -> Self {
        Self {
            r#type: word(tunnel.kind),
            port: tunnel.port,
            csum: tunnel.checksum.has(Checksum::PLAIN),
            remcsum: tunnel.checksum.has(Checksum::REMOTE),
        }
    }
}

#[derive(Serialize)]
struct Counters {
    connections: u64,
    in_packets: u64,
    out_packets: u64,
    in_bytes: u64,
    out_bytes: u64,
}

impl Counters {
    fn totals(stats: &model::Stats) -> Self {
        Self {
            connections: stats.connections,
            in_packets: stats.in_packets,
            out_packets: stats.out_packets,
            in_bytes: stats.in_bytes,
            out_bytes: stats.out_bytes,
        }
    }

    fn rates(stats: &model::Stats) -> Self {
        Self {
            connections: stats.connection_rate,
            in_packets: stats.in_packet_rate,
            out_packets: stats.out_packet_rate,
            in_bytes: stats.in_byte_rate,
            out_bytes: stats.out_byte_rate,
        }
    }
}

#[derive(Serialize)]
struct Connection<'a> {
    protocol: String,
    state: Cow<'a, str>,
    expires: u32,
    client: Endpoint,
    r#virtual: Endpoint,
    server: Endpoint,
    pe: Option<Cow<'a, str>>,
    pe_data: Option<Cow<'a, str>>,
}

impl<'a> From<&model::Connection<'a>> for Connection<'a> {
    fn from(connection: &model::Connection<'a>) -> Self {
        Self {
            protocol: text(connection.protocol).to_lowercase(),
            state: text(connection.state),
            expires: connection.expires,
            client: connection.client.into(),
            r#virtual: connection.virtual_service.into(),
            server: connection.server.into(),
            pe: connection.engine.map(|(name, _)| text(name)),
            pe_data: connection.engine.map(|(_, data)| text(data)),
        }
    }
}

#[derive(Serialize)]
struct ServiceCounts {
    services: usize,
    servers: usize,
    active: u64,
    inactive: u64,
    persistent: u64,
}

#[derive(Serialize)]
struct StateCount {
    protocol: String,
    server: Endpoint,
    state: String,
    connections: u64,
}

impl From<model::StateCount> for StateCount {
    fn from(count: model::StateCount) -> Self {
        Self {
            protocol: text(count.protocol.as_bytes()).to_lowercase(),
            server: count.server.into(),
            state: text(count.state.as_bytes()).into_owned(),
            connections: count.connections,
        }
    }
}

#[derive(Serialize)]
struct ClientCount {
    address: IpAddr,
    at_least: u64,
    at_most: u64,
}

impl From<model::ClientCount> for ClientCount {
    fn from(count: model::ClientCount) -> Self {
        Self {
            address: count.address,
            at_least: count.at_least,
            at_most: count.at_most,
        }
    }
}

#[derive(Serialize)]
struct Endpoint {
    address: IpAddr,
    port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            address: address.ip(),
            port: address.port(),
        }
    }
}

#[derive(Serialize)]
struct Timeouts {
    tcp: u32,
    tcpfin: u32,
    udp: u32,
}

#[derive(Serialize)]
struct Daemon<'a> {
    role: &'static str,
    mcast_interface: Cow<'a, str>,
    syncid: u32,
    sync_maxlen: Option<u16>,
    mcast_group: Option<IpAddr>,
    mcast_port: Option<u16>,
    mcast_ttl: Option<u8>,
}

impl<'a> From<&'a model::Daemon> for Daemon<'a> {
    fn from(daemon: &'a model::Daemon) -> Self {
        Self {
            role: daemon.role.word().unwrap_or_default(),
            mcast_interface: text(daemon.interface.as_bytes()),
            syncid: daemon.sync_id,
            sync_maxlen: daemon.max_length,
            mcast_group: daemon.group,
            mcast_port: daemon.port,
            mcast_ttl: daemon.ttl,
        }
    }
}

#[derive(Serialize)]
struct Totals {
    stats: Counters,
    rate: Counters,
    connection_table: Option<HashTable>,
    service_table: Option<HashTable>,
    estimator_threads: Option<u64>,
    estimator_threads_max: Option<u64>,
    conn_max: Option<i64>,
    conn_lfactor: Option<i64>,
    svc_lfactor: Option<i64>,
}

impl From<&model::Totals> for Totals {
    fn from(totals: &model::Totals) -> Self {
        let status = totals.status.as_ref();
        Self {
            stats: Counters::totals(&totals.stats),
            rate: Counters::rates(&totals.stats),
            connection_table: status.map(|status| HashTable::from(&status.connections)),
            service_table: status.map(|status| HashTable::from(&status.services)),
            estimator_threads: status.map(|status| status.estimators.threads),
            estimator_threads_max: status.map(|status| status.estimators.most_threads),
            conn_max: totals.limits.most_connections,
            conn_lfactor: totals.limits.connection_load_factor,
            svc_lfactor: totals.limits.service_load_factor,
        }
    }
}

#[derive(Serialize)]
struct HashTable {
    entries: u64,
    buckets: u64,
    empty_buckets: u64,
    chains: [u64; 7],
}

impl From<&model::HashTable> for HashTable {
    fn from(table: &model::HashTable) -> Self {
        Self {
            entries: table.entries,
            buckets: table.buckets,
            empty_buckets: table.empty_buckets,
            chains: table.chains,
        }
    }
}

/// The word for a value, or its number.
fn word(value: impl Vocabulary + Display) -> Cow<'static, str> {
    let word = value.word().map(Cow::Borrowed);
    word.unwrap_or_else(|| value.to_string().into())
}

/// JSON cannot contain bytes that are not UTF-8.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
