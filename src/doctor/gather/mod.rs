//! Gathers facts about this host. What cannot be read is noted as unseen.
//!
//! Reading takes a moment, and probing a few seconds. Only the programs that list the firewall's
//! rules may hang, so they have a time limit.

mod netstat;
mod probe;
mod programs;
mod rules;
mod sockets;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::facts::{Facts, far, of_device, path, service_address};
use crate::kernel::{Rtnetlink, plain, read_table};
use crate::model::Family;

/// Reads the facts. Sends packets and listens for others only if `may_probe` is set.
pub fn gather(facts: &mut Facts, may_probe: bool) {
    let listings = rules::Listings::start();
    if facts.has_ipvs && facts.table.is_none() && facts.real_server.is_none() {
        facts.is_brief = true;
        match read_table(None) {
            Ok(table) => facts.table = Some(table),
            Err(error) => facts.unseen.push(format!("the table ({})", plain(&error))),
        }
    }
    if let Err(error) = read_network(facts, may_probe) {
        facts
            .unseen
            .push(format!("addresses and routes ({})", plain(&error)));
    }
    read_sysctls(facts);
    facts.filtered_packets = netstat::filtered_packets();
    if facts.has_vip_elsewhere() {
        facts.programs = programs();
    }
    if facts.real_server.is_some() {
        facts.listening = sockets::listening();
    }
    facts.firewall = listings.finish(&mut facts.unseen);
}

fn read_network(facts: &mut Facts, may_probe: bool) -> io::Result<()> {
    let network = Rtnetlink::open()?;
    facts.links = network.links()?;
    let devices = facts.links.iter().map(|link| link.name.clone());
    facts.merging = devices
        .filter(|device| network.merges_packets(device))
        .collect();
    facts.addresses = network.addresses()?;
    facts.has_ingress = network.has_ingress()?;
    for address in addresses(facts) {
        facts.routes.insert(address, network.route(address)?);
    }
    if may_probe {
        probe(&network, facts);
    }
    facts.neighbours = network.neighbours()?;
    Ok(())
}

fn probe(network: &Rtnetlink, facts: &mut Facts) {
    if let Err(error) = probe::ask_neighbours(network, facts) {
        facts
            .unseen
            .push(format!("whether servers answer ({})", plain(&error)));
    }
    let mut heard = Vec::new();
    if let Err(error) = probe::listen(facts, &mut heard) {
        let text = format!("what other directors send ({})", plain(&error));
        facts.unseen.push(text);
    }
    facts.heard = heard;
    match probe::ask_for_owners(facts) {
        Ok(owners) => facts.owners = owners,
        Err(error) => {
            let text = format!("who has the virtual address ({})", plain(&error));
            facts.unseen.push(text);
        }
    }
}

/// The number of connections whose clients' routes are looked up.
const CLIENTS: usize = 1000;

/// The addresses whose routes matter: those of services, servers, some clients and hosts far away.
fn addresses(facts: &Facts) -> HashSet<IpAddr> {
    let of_services = facts.table.iter().flatten().flat_map(|entry| {
        let servers = entry.servers.iter().map(|state| state.server.id.address);
        service_address(entry).into_iter().chain(servers)
    });
    let vip = facts.real_server.map(|real| real.vip.address);
    let clients = facts.connections.iter().take(CLIENTS);
    let clients = clients.map(|passing| passing.client.ip());
    let far = [Family::V4, Family::V6].map(far);
    of_services.chain(vip).chain(clients).chain(far).collect()
}

/// Settings of the whole host.
const SETTINGS: &[&str] = &[
    "kernel.osrelease",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.vs.backup_only",
    "net.ipv4.vs.conn_lfactor",
    "net.ipv4.vs.conn_reuse_mode",
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.drop_entry",
    "net.ipv4.vs.drop_packet",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.expire_quiescent_template",
    "net.ipv4.vs.run_estimation",
    "net.ipv4.vs.sync_threshold",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
];

/// Settings of each device, and of all.
const OF_DEVICES: &[&str] = &[
    "forwarding",
    "rp_filter",
    "send_redirects",
    "arp_ignore",
    "arp_announce",
];

fn read_sysctls(facts: &mut Facts) {
    let mut names: Vec<String> = SETTINGS.iter().map(|&name| name.to_owned()).collect();
    let devices = facts.links.iter().map(|link| link.name.as_str());
    for device in ["all"].into_iter().chain(devices) {
        let settings = OF_DEVICES.iter();
        names.extend(settings.map(|setting| of_device(device, setting)));
    }
    let mut sysctls = BTreeMap::new();
    for name in names {
        match fs::read_to_string(path(&name)) {
            Ok(value) => drop(sysctls.insert(name, value.trim().to_owned())),
            // A kernel without IPv6 has no IPv6 settings.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => facts.unseen.push(format!("{name} ({})", plain(&error))),
        }
    }
    facts.sysctls = sysctls;
}

/// The names of the programs that run.
fn programs() -> HashSet<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.map(|process| fs::read_to_string(Path::join(&process.path(), "comm")));
    names
        .flatten()
        .map(|name| name.trim_end().to_owned())
        .collect()
}
