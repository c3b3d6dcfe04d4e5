//! Metrics for Prometheus, in its text format. Names and labels are those of node_exporter, with a
//! different prefix: the same series must not exist twice.

mod labels;

use std::borrow::Cow;
use std::io;

use self::labels::{Labels, LabelsOfServices, NO_LABELS, OfServer, OfService, Sample};
use super::classic::totals;
use super::format::{Extent, Renderer};
use super::out::Out;
use crate::model::terms::Vocabulary;
use crate::model::{
    Connection, ConnectionCounts, Daemon, Entry, Estimators, HashTable, Info, Limits, ServerState,
    Service, ServiceCounts, Stats, Timeouts, Totals,
};
use crate::names::Names;

#[derive(Default)]
pub struct Prometheus {
    /// Connections are counted: one series for each would be too many.
    connections: ConnectionCounts,
    /// Whether all servers of a service are listed: only then is their number right.
    counts_servers: bool,
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
type MetricOfServer = (
    &'static str,
    &'static str,
    fn(&Service, &ServerState) -> Option<i64>,
);

const OF_SERVER: [MetricOfServer; 6] = [
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

impl Renderer for Prometheus {
    fn begin_services(&mut self, out: &mut Out, info: &Info, extent: Extent) -> io::Result<()> {
        self.counts_servers = extent.all_servers;
        if !extent.all_services {
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
        let labels = LabelsOfServices::new(table);
        let services = || labels.each().map(OfService).zip(table);
        if self.counts_servers {
            let all = services().map(|(labels, entry)| (labels, entry.servers.len()));
            family(out, "service_backends", GAUGE, "Servers of a service.", all)?;
            let live = services().map(|(labels, entry)| (labels, live_servers(entry)));
            let about = "Servers of a service whose weight is not 0.";
            family(out, "service_backends_live", GAUGE, about, live)?;
        }
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
            estimators(out, &status.estimators)?;
        }
        limits(out, &totals.limits)
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

/// A metric and its samples; nothing if it has none.
fn family<L: Sample, N: itoa::Integer>(
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
        labels.write(out.text(&name));
        out.number(value);
        out.end_row()?;
    }
    Ok(())
}

fn gauges<const N: usize>(out: &mut Out, gauges: [(&str, &str, u64); N]) -> io::Result<()> {
    let mut gauges = gauges.into_iter();
    gauges
        .try_for_each(|(name, about, value)| family(out, name, GAUGE, about, [(NO_LABELS, value)]))
}

/// A group of counters with a common prefix.
fn counters<'a, L: Sample>(
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

fn live_servers(entry: &Entry) -> usize {
    let servers = entry.servers.iter();
    servers.filter(|state| state.server.weight != 0).count()
}

fn servers(out: &mut Out, labels: &LabelsOfServices, table: &[Entry]) -> io::Result<()> {
    let servers = labels.each().zip(table).flat_map(|(labels, entry)| {
        let servers = entry.servers.iter();
        servers.map(move |state| {
            let labels = OfServer(labels, state.server.id);
            (labels, &entry.service.service, state)
        })
    });
    for (name, about, value) in OF_SERVER {
        let samples = servers
            .clone()
            .filter_map(|(labels, service, state)| Some((labels, value(service, state)?)));
        family(out, name, GAUGE, about, samples)?;
    }
    let stats = servers.map(|(labels, _, state)| (labels, &state.stats));
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

/// The load of a hash table.
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

fn estimators(out: &mut Out, estimators: &Estimators) -> io::Result<()> {
    let Estimators {
        threads,
        most_threads,
    } = *estimators;
    let running = "Threads that add counters up.";
    let most = "Threads that may add counters up.";
    let numbers = [
        ("estimator_threads", running, threads),
        ("estimator_threads_max", most, most_threads),
    ];
    gauges(out, numbers)
}

/// The sysctls that size the tables; nothing if the kernel has none.
fn limits(out: &mut Out, limits: &Limits) -> io::Result<()> {
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
    limits.into_iter().try_for_each(|(name, about, value)| {
        let sample = value.map(|value| (NO_LABELS, value));
        family(out, name, GAUGE, about, sample)
    })
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
