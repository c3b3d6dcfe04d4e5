//! Sums over all services, and the load of the kernel's tables.

use std::io;

use super::services::{counters, rates, totals};
use crate::command::View;
use crate::model::{HashTable, Limits, Status, Totals};
use crate::render::Out;

pub fn all(out: &mut Out, view: View, all: &Totals) -> io::Result<()> {
    out.text("IPVS totals").end_row()?;
    out.text("    Conns   InPkts  OutPkts  InBytes OutBytes")
        .end_row()?;
    counters(out, view, totals(&all.stats));
    out.end_row()?;
    out.text("      CPS    InPPS   OutPPS    InBPS   OutBPS")
        .end_row()?;
    counters(out, view, rates(&all.stats));
    out.end_row()?;
    if let Some(status) = &all.status {
        tables(out, status)?;
    }
    limits(out, &all.limits)
}

fn tables(out: &mut Out, status: &Status) -> io::Result<()> {
    out.text("Table           Entries    Buckets      Empty    Longest")
        .end_row()?;
    let tables = [
        ("Connections", &status.connections),
        ("Services", &status.services),
    ];
    for (name, table) in tables {
        out.left(name, 12);
        for number in [table.entries, table.buckets, table.empty_buckets] {
            out.text(" ").right_number(number, 10);
        }
        out.text(" ").right(longest_chain(table), 10);
        out.end_row()?;
    }
    let estimators = &status.estimators;
    out.text("Estimators   ").number(estimators.threads);
    out.text(" of ").number(estimators.most_threads).end_row()
}

/// The number of entries in the fullest bucket.
pub(in crate::render) fn longest_chain(table: &HashTable) -> &'static str {
    let lengths = ["1", "2", "3", "4", "5", "6", "7+"];
    let mut longest = lengths.iter().zip(table.chains).rev();
    longest
        .find(|(_, buckets)| *buckets > 0)
        .map_or("0", |(length, _)| length)
}

fn limits(out: &mut Out, limits: &Limits) -> io::Result<()> {
    for (name, value) in sysctls(limits) {
        if let Some(value) = value {
            out.left(name, 12).text(" ").number(value).end_row()?;
        }
    }
    Ok(())
}

/// The sysctls by their names.
pub(in crate::render) fn sysctls(limits: &Limits) -> [(&'static str, Option<i64>); 3] {
    [
        ("conn_max", limits.most_connections),
        ("conn_lfactor", limits.connection_load_factor),
        ("svc_lfactor", limits.service_load_factor),
    ]
}
