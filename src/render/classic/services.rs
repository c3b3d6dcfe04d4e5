//! The listing of services and servers, in each of its formats.

use std::io;

use crate::command::{Columns, View};
use crate::model::terms::Vocabulary;
use crate::model::{
    Entry, Flags, Forwarding, Info, Mask, Server, ServerState, Service, ServiceState, Stats,
    TunnelKind,
};
use crate::names::Names;
use crate::render::Out;
use crate::render::endpoint::{self, Cut};
use crate::render::flags::scheduler_flags;

/// The first line of a listing of all services.
pub fn version(out: &mut Out, info: &Info) -> io::Result<()> {
    let [_, major, minor, patch] = info.version.to_be_bytes();
    out.text("IP Virtual Server version ");
    out.number(major)
        .text(".")
        .number(minor)
        .text(".")
        .number(patch);
    out.text(" (size=")
        .number(info.connection_table_size)
        .text(")");
    out.end_row()
}

/// The two lines that name the columns.
pub fn titles(out: &mut Out, columns: Columns) -> io::Result<()> {
    out.text(match columns {
        Columns::Plain | Columns::Tunnels => "Prot LocalAddress:Port Scheduler Flags",
        Columns::Stats => {
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes"
        }
        Columns::Rates => {
            "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS"
        }
        Columns::Thresholds => {
            "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn "
        }
        Columns::PersistentConnections => {
            "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn "
        }
    });
    out.end_row()?;
    out.text(match columns {
        Columns::Plain => "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
        Columns::Tunnels => {
            "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn"
        }
        _ => "  -> RemoteAddress:Port",
    });
    out.end_row()
}

/// A service and its servers.
pub fn entry(out: &mut Out, names: &mut Names, view: View, entry: &Entry) -> io::Result<()> {
    service(out, names, view, &entry.service)?;
    let id = &entry.service.service.id;
    for state in &entry.servers {
        endpoint::server(out, names, id, &state.server.id);
        server(out, view, state)?;
    }
    Ok(())
}

fn service(out: &mut Out, names: &mut Names, view: View, state: &ServiceState) -> io::Result<()> {
    let mark = out.mark();
    endpoint::service(out, names, &state.service.id, Cut::AsOriginal);
    match view.columns {
        Columns::Stats => {
            out.pad(mark, 33);
            counters(out, view, totals(&state.stats));
        }
        Columns::Rates => {
            out.pad(mark, 33);
            counters(out, view, rates(&state.stats));
        }
        _ => {
            out.text(" ").text(state.service.scheduler.as_bytes());
            settings(out, &state.service);
        }
    }
    out.end_row()
}

pub(in crate::render) fn settings(out: &mut Out, service: &Service) {
    if service.flags.has(Flags::SCHEDULER) {
        out.text(" (");
        scheduler_flags(out, service);
        out.text(")");
    }
    if let Some(seconds) = service.persistence {
        out.text(" persistent ").number(seconds);
        if service.mask != Mask::whole(service.id.family()) {
            out.text(" mask ");
            crate::render::mask(out, service.mask);
        }
        if let Some(engine) = &service.engine {
            out.text(" pe ").text(engine.as_bytes());
        }
    }
    if service.flags.has(Flags::ONE_PACKET) {
        out.text(" ops");
    }
}

/// A server's row after its name.
fn server(out: &mut Out, view: View, state: &ServerState) -> io::Result<()> {
    let server = &state.server;
    match view.columns {
        Columns::Plain => {
            out.text(" ").left(forwarding(server.forwarding), 7);
            load(out, state);
        }
        Columns::Tunnels => {
            out.text(" ")
                .left(forwarding(server.forwarding), 7)
                .text(" ");
            let mark = out.mark();
            tunnel(out, server);
            out.pad(mark, 13);
            load(out, state);
        }
        Columns::Stats => counters(out, view, totals(&state.stats)),
        Columns::Rates => {
            let [connections, in_packets, out_packets, in_bytes, out_bytes] = rates(&state.stats);
            for rate in [connections, in_packets, out_packets] {
                out.text(" ").right_number(rate, 8);
            }
            counters(out, view, [in_bytes, out_bytes]);
        }
        Columns::Thresholds => {
            out.text(" ").left_number(server.upper_threshold, 10);
            out.text(" ").left_number(server.lower_threshold, 10);
            connections(out, state);
        }
        Columns::PersistentConnections => {
            out.text(" ").left_number(server.weight, 9);
            out.text(" ").left_number(state.persistent, 11);
            connections(out, state);
        }
    }
    out.end_row()
}

fn load(out: &mut Out, state: &ServerState) {
    out.text(" ").left_number(state.server.weight, 6);
    connections(out, state);
}

fn connections(out: &mut Out, state: &ServerState) {
    out.text(" ").left_number(state.active, 10);
    out.text(" ").left_number(state.inactive, 10);
}

pub(in crate::render) fn totals(stats: &Stats) -> [u64; 5] {
    [
        stats.connections,
        stats.in_packets,
        stats.out_packets,
        stats.in_bytes,
        stats.out_bytes,
    ]
}

pub(in crate::render) fn rates(stats: &Stats) -> [u64; 5] {
    [
        stats.connection_rate,
        stats.in_packet_rate,
        stats.out_packet_rate,
        stats.in_byte_rate,
        stats.out_byte_rate,
    ]
}

pub(super) fn counters<const N: usize>(out: &mut Out, view: View, values: [u64; N]) {
    for value in values {
        counter(out, view.exact, value);
    }
}

/// Nine characters wide after a blank; large numbers in thousands, millions, 10^9 or 10^12.
fn counter(out: &mut Out, exact: bool, value: u64) {
    let (divisor, unit) = match value {
        _ if exact => (1, ""),
        0..100_000_000 => (1, ""),
        100_000_000..1_000_000_000 => (1_000, "K"),
        1_000_000_000..100_000_000_000 => (1_000_000, "M"),
        100_000_000_000..100_000_000_000_000 => (1_000_000_000, "G"),
        _ => (1_000_000_000_000, "T"),
    };
    out.text(" ");
    out.right_number(value / divisor, 8 - unit.len()).text(unit);
}

fn forwarding(method: Forwarding) -> &'static str {
    method.title().unwrap_or("Unknown")
}

pub(in crate::render) fn tunnel(out: &mut Out, server: &Server) {
    if server.forwarding != Forwarding::Tunnel {
        out.text("n/a");
        return;
    }
    let tunnel = &server.tunnel;
    let checksum = tunnel.checksum.mode().title().unwrap_or_default();
    out.text(tunnel.kind.title().unwrap_or("n/a"));
    match tunnel.kind {
        TunnelKind::Gue => out.text(":").number(tunnel.port).text(":").text(checksum),
        TunnelKind::Gre => out.text(":").text(checksum),
        TunnelKind::Ipip | TunnelKind::Unknown(_) => out,
    };
}
