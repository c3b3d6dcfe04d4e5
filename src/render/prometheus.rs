//! Metrics for Prometheus, in its text format. Names and labels are those of node_exporter, behind
//! a prefix of their own: the same series must not be there twice.

use std::borrow::Cow;
use std::io;
use std::iter;
use std::net::IpAddr;

use super::address::ipv4;
use super::classic::totals;
use super::format::Format;
use super::out::Out;
use crate::model::terms::Vocabulary;
use crate::model::{
    Connection, ConnectionCounts, Daemon, Entry, Family, HashTable, Info, ServerState, Service,
    ServiceCounts, ServiceId, Stats, Timeouts, Totals,
};
use crate::names::Names;

#[derive(Default)]
pub struct Prometheus {
    /// Connections are counted: one series for each would be too many.
    connections: ConnectionCounts,
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// The counters of servers, of services, and of all.
const COUNTERS: [(&str, &str); 5] = [
    ("connections_total", "Connections made"),
    ("incoming_packets_total", "Packets from clients"),
    (
        "outgoing_packets_total",
        "Packets to clients that passed here",
    ),
    ("incoming_bytes_total", "Bytes from clients"),
    ("outgoing_bytes_total", "Bytes to clients that passed here"),
];

/// Other metrics of a server. One that does not apply to a server has no sample for it.
type OfServer = (
    &'static str,
    &'static str,
    fn(&Service, &ServerState) -> Option<i64>,
);

const OF_SERVER: [OfServer; 6] = [
    ("backend_weight", "Weight of a server.", |_, state| {
        Some(state.server.weight.into())
    }),
    (
        "backend_connections_active",
        "Active connections of a server.",
        |_, state| Some(state.active.into()),
    ),
    (
        "backend_connections_inactive",
        "Inactive connections of a server.",
        |_, state| Some(state.inactive.into()),
    ),
    (
        "backend_connections_persistent",
        "Clients that persistence keeps on a server.",
        |service, state| service.persistence.map(|_| state.persistent.into()),
    ),
    (
        "backend_upper_threshold",
        "Connections at which a server gets no new ones.",
        |_, state| limit(state.server.upper_threshold),
    ),
    (
        "backend_lower_threshold",
        "Connections below which a server gets new ones again.",
        |_, state| limit(state.server.lower_threshold),
    ),
];

fn limit(threshold: u32) -> Option<i64> {
    (threshold != 0).then_some(threshold.into())
}

impl Format for Prometheus {
    fn begin_services(&mut self, out: &mut Out, info: &Info, is_whole: bool) -> io::Result<()> {
        if !is_whole {
            return Ok(());
        }
        let [_, major, minor, patch] = info.version.to_be_bytes();
        let version = format!("{major}.{minor}.{patch}");
        let labels = Labels::new().with("version", version);
        family(
            out,
            "info",
            GAUGE,
            "IPVS of the running kernel.",
            [(labels.end(), 1)],
        )?;
        let size = u64::from(info.connection_table_size);
        let about = "Hash buckets of the connection table.";
        family(
            out,
            "connection_table_size",
            GAUGE,
            about,
            [(NO_LABELS, size)],
        )
    }

    fn services(&mut self, out: &mut Out, _: &mut Names, table: &[Entry]) -> io::Result<()> {
        let labels: Vec<_> = table
            .iter()
            .map(|entry| Labels::of_service(&entry.service.service.id).end())
            .collect();
        let services = || labels.iter().zip(table);
        let live = |entry: &Entry| {
            let servers = entry.servers.iter();
            servers.filter(|state| state.server.weight != 0).count() as u64
        };
        let all = services().map(|(labels, entry)| (labels, entry.servers.len() as u64));
        family(out, "service_backends", GAUGE, "Servers of a service.", all)?;
        let live = services().map(|(labels, entry)| (labels, live(entry)));
        let about = "Servers of a service whose weight is not 0.";
        family(out, "service_backends_live", GAUGE, about, live)?;
        let stats = services().map(|(labels, entry)| (labels, &entry.service.stats));
        counters(out, "service_", "of a service", stats)?;
        servers(out, &labels, table)
    }

    fn service_counts(&mut self, out: &mut Out, counts: &ServiceCounts) -> io::Result<()> {
        let numbers = [
            ("services", "Virtual services.", counts.services as u64),
            (
                "backends",
                "Servers of all services.",
                counts.servers as u64,
            ),
            ("connections_active", "Active connections.", counts.active),
            (
                "connections_inactive",
                "Inactive connections.",
                counts.inactive,
            ),
            (
                "connections_persistent",
                "Clients that persistence keeps.",
                counts.persistent,
            ),
        ];
        gauges(out, numbers)
    }

    fn begin_connections(&mut self, _: &mut Out) -> io::Result<()> {
        self.connections = ConnectionCounts::default();
        Ok(())
    }

    fn connection(
        &mut self,
        _: &mut Out,
        _: &mut Names,
        connection: &Connection,
    ) -> io::Result<()> {
        self.connections.add(connection);
        Ok(())
    }

    fn end_connections(&mut self, out: &mut Out) -> io::Result<()> {
        entries(out, &self.connections)
    }

    fn connection_counts(
        &mut self,
        out: &mut Out,
        _: &mut Names,
        counts: &ConnectionCounts,
    ) -> io::Result<()> {
        entries(out, counts)
    }

    fn totals(&mut self, out: &mut Out, totals: &Totals) -> io::Result<()> {
        counters(out, "", "in all", [(NO_LABELS, &totals.stats)].into_iter())?;
        if let Some(status) = &totals.status {
            fill(out, "connection", &status.connections)?;
            fill(out, "service", &status.services)?;
            let estimators = &status.estimators;
            gauges(
                out,
                [
                    (
                        "estimator_threads",
                        "Threads that add counters up.",
                        estimators.threads,
                    ),
                    (
                        "estimator_threads_max",
                        "Threads that may add counters up.",
                        estimators.most_threads,
                    ),
                ],
            )?;
        }
        let limits = &totals.limits;
        let limits = [
            (
                "connection_max",
                "Connections that there may be.",
                limits.most_connections,
            ),
            (
                "connection_table_load_factor",
                "Power of two of entries by bucket above which the connection table grows.",
                limits.connection_load_factor,
            ),
            (
                "service_table_load_factor",
                "Power of two of entries by bucket above which the service table grows.",
                limits.service_load_factor,
            ),
        ];
        for (name, about, value) in limits {
            family(
                out,
                name,
                GAUGE,
                about,
                value.map(|value| (NO_LABELS, value)),
            )?;
        }
        Ok(())
    }

    fn timeouts(&mut self, out: &mut Out, timeouts: &Timeouts) -> io::Result<()> {
        let timeouts = [
            ("tcp", timeouts.tcp),
            ("tcpfin", timeouts.tcp_fin),
            ("udp", timeouts.udp),
        ];
        let timeouts =
            timeouts.map(|(of, seconds)| (Labels::new().with("type", of).end(), seconds));
        let about = "After how long an idle connection is forgotten.";
        family(out, "timeout_seconds", GAUGE, about, timeouts)
    }

    fn daemons(&mut self, out: &mut Out, daemons: &[Daemon]) -> io::Result<()> {
        let daemons = daemons.iter().map(|daemon| {
            let labels = Labels::new()
                .with("role", daemon.role.word().unwrap_or_default())
                .with("mcast_interface", text(daemon.interface.as_bytes()))
                .with("syncid", daemon.sync_id.to_string());
            (labels.end(), 1)
        });
        let about = "Synchronisation daemons that run.";
        family(out, "sync_daemon_info", GAUGE, about, daemons)
    }
}

/// A metric and its samples: nothing where it has none.
fn family<L: AsRef<[u8]>, N: itoa::Integer>(
    out: &mut Out,
    name: &str,
    kind: &str,
    about: &str,
    samples: impl IntoIterator<Item = (L, N)>,
) -> io::Result<()> {
    let mut samples = samples.into_iter().peekable();
    if samples.peek().is_none() {
        return Ok(());
    }
    let name = format!("ipvs_{name}");
    out.text(format!("# HELP {name} {about}\n# TYPE {name} {kind}"));
    out.end_row()?;
    for (labels, value) in samples {
        out.text(&name).text(labels).number(value);
        out.end_row()?;
    }
    Ok(())
}

fn gauges<const N: usize>(out: &mut Out, gauges: [(&str, &str, u64); N]) -> io::Result<()> {
    let mut gauges = gauges.into_iter();
    gauges
        .try_for_each(|(name, about, value)| family(out, name, GAUGE, about, [(NO_LABELS, value)]))
}

/// The counters of something, whose names begin alike.
fn counters<'a, L: AsRef<[u8]>>(
    out: &mut Out,
    prefix: &str,
    of: &str,
    stats: impl Iterator<Item = (L, &'a Stats)> + Clone,
) -> io::Result<()> {
    for (index, (name, about)) in COUNTERS.into_iter().enumerate() {
        let (name, about) = (format!("{prefix}{name}"), format!("{about}, {of}."));
        let samples = stats
            .clone()
            .map(|(labels, stats)| (labels, totals(stats)[index]));
        family(out, &name, COUNTER, &about, samples)?;
    }
    Ok(())
}

fn servers(out: &mut Out, services: &[String], table: &[Entry]) -> io::Result<()> {
    let labels = LabelsOfServers::new(services, table);
    let servers = table.iter().flat_map(|entry| {
        let servers = entry.servers.iter();
        servers.map(|state| (&entry.service.service, state))
    });
    let servers: Vec<_> = servers.collect();
    let servers = labels.each().zip(servers.iter().copied());
    for (name, about, value) in OF_SERVER {
        let samples = servers
            .clone()
            .filter_map(|(labels, (service, state))| Some((labels, value(service, state)?)));
        family(out, name, GAUGE, about, samples)?;
    }
    let stats = servers.map(|(labels, (_, state))| (labels, &state.stats));
    counters(out, "backend_", "of a server", stats)
}

fn entries(out: &mut Out, counts: &ConnectionCounts) -> io::Result<()> {
    let counts = counts.by_server().into_iter().map(|count| {
        let labels = Labels::new()
            .with("proto", text(count.protocol.as_bytes()))
            .with("remote_address", count.server.ip().to_string())
            .with("remote_port", count.server.port().to_string())
            .with("state", text(count.state.as_bytes()));
        (labels.end(), count.connections)
    });
    let about = "Entries of the connection table.";
    family(out, "connection_entries", GAUGE, about, counts)
}

/// How full a hash table is.
fn fill(out: &mut Out, of: &str, table: &HashTable) -> io::Result<()> {
    let numbers = [
        ("entries", "Entries of the table", table.entries),
        ("buckets", "Hash buckets of the table", table.buckets),
        (
            "buckets_empty",
            "Hash buckets without entries",
            table.empty_buckets,
        ),
    ];
    for (name, about, value) in numbers {
        let (name, about) = (format!("{of}_table_{name}"), format!("{about} of {of}s."));
        family(out, &name, GAUGE, &about, [(NO_LABELS, value)])?;
    }
    let chains = (1..).zip(table.chains).map(|(length, buckets)| {
        let length = if length == 7 {
            "7+".to_owned()
        } else {
            length.to_string()
        };
        (Labels::new().with("entries", &length).end(), buckets)
    });
    let about = format!("Hash buckets of the table of {of}s by their number of entries.");
    family(out, &format!("{of}_table_chains"), GAUGE, &about, chains)
}

/// The labels of all servers, one behind the other. They are most of the text, and written once
/// for all metrics.
struct LabelsOfServers {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl LabelsOfServers {
    fn new(services: &[String], table: &[Entry]) -> Self {
        let (mut nowhere, mut ends) = (io::sink(), Vec::new());
        let mut text = Out::new(&mut nowhere);
        for (service, entry) in services.iter().zip(table) {
            let service = service.trim_end_matches(END);
            for ServerState { server, .. } in &entry.servers {
                text.text(service).text(",remote_address=\"");
                match server.id.address {
                    IpAddr::V4(address) => ipv4(&mut text, address),
                    // Not as the C library writes it, but as node_exporter does.
                    IpAddr::V6(address) => drop(text.text(address.to_string())),
                }
                text.text("\",remote_port=\"").number(server.id.port);
                text.text("\"").text(END);
                ends.push(text.mark());
            }
        }
        Self {
            text: text.take(0),
            ends,
        }
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, &end)| &self.text[start..end])
    }
}

/// What stands behind labels, before the value.
const END: &str = "} ";
const NO_LABELS: &str = " ";

/// Longer are but few labels.
const ROOM: usize = 128;

/// The labels of a sample, as they are written.
struct Labels(String);

impl Labels {
    fn new() -> Self {
        Self(String::with_capacity(ROOM))
    }

    /// What node_exporter calls a service by. It does not tell the families of a mark apart.
    fn of_service(id: &ServiceId) -> Self {
        match *id {
            ServiceId::Address {
                protocol,
                address,
                port,
            } => Self::new()
                .with("local_address", address.to_string())
                .with("local_mark", "")
                .with("local_port", port.to_string())
                .with(
                    "proto",
                    protocol
                        .title()
                        .map_or(protocol.0.to_string(), str::to_owned),
                ),
            ServiceId::Mark { mark, family } => {
                let labels = Self::new()
                    .with("local_address", "")
                    .with("local_mark", format!("{mark:08X}"))
                    .with("local_port", "0")
                    .with("proto", "FWM");
                match family {
                    Family::V4 => labels,
                    Family::V6 => labels.with("family", "ipv6"),
                }
            }
        }
    }

    fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0 += name;
        self.0 += "=\"";
        for part in value.as_ref().split_inclusive(['\n', '\\', '"']) {
            let plain = part.trim_end_matches(['\n', '\\', '"']);
            self.0 += plain;
            self.0 += match &part[plain.len()..] {
                "\n" => "\\n",
                "\\" => "\\\\",
                "\"" => "\\\"",
                _ => "",
            };
        }
        self.0.push('"');
        self
    }

    fn end(self) -> String {
        self.0 + END
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let labels = Labels::new()
            .with("plain", "eth0")
            .with("odd", "\"a\\\nb\"c");
        assert_eq!(labels.end(), r#"{plain="eth0",odd="\"a\\\nb\"c"} "#);
    }
}
