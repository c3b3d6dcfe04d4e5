//! The known facts about a host: plain values, gathered elsewhere, so that tests can invent them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::firewall::Firewall;
use crate::kernel::{Address, Link, Neighbour, Route};
use crate::model::terms::{ESTABLISHED, FIN_WAIT, SYN_RECV, TIME_WAIT, Vocabulary, state_by_name};
use crate::model::{
    Connection, Daemon, DaemonRole, Entry, Family, Forwarding, Host, Network, Protocol, ServerId,
    ServerState, ServiceId, Timeouts, Tunnel,
};

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether the kernel has IPVS.
    pub has_ipvs: bool,
    /// All services, unless they cannot be seen. Not read on a real server.
    pub table: Option<Vec<Entry>>,
    /// Whether the table lacks flags, limits and counters.
    pub is_brief: bool,
    /// The only service to look at.
    pub service: Option<ServiceId>,
    /// For a real server: how clients reach it.
    pub real_server: Option<RealServer>,
    /// The services and servers that a file of commands names, with the addresses the names have
    /// now.
    pub named: Vec<Named>,
    /// Connections. If there are many, only those that the kernel lists first.
    pub connections: Vec<Passing>,
    /// The number of buckets of the connection table.
    pub table_size: Option<u32>,
    /// The timeouts of idle connections.
    pub timeouts: Option<Timeouts>,
    /// The synchronisation daemons that run.
    pub daemons: Vec<Daemon>,
    /// Messages from other masters to their backups.
    pub heard: Vec<Heard>,
    /// The link-layer addresses of the hosts that answer ARP requests for the virtual address.
    pub owners: Vec<[u8; 6]>,
    pub links: Vec<Link>,
    /// The devices that merge packets as they arrive, by name.
    pub merging: HashSet<String>,
    pub addresses: Vec<Address>,
    pub neighbours: Vec<Neighbour>,
    /// The route to each address of interest, if there is one.
    pub routes: HashMap<IpAddr, Option<Route>>,
    /// By name, as in `net.ipv4.ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    /// The number of packets that `rp_filter` has dropped since this host started.
    pub filtered_packets: u64,
    /// Whether a device has traffic control filters for arriving packets. They may set marks.
    pub has_ingress: bool,
    /// The firewall's rules.
    pub firewall: Firewall,
    /// The names of the running programs. Read only if a virtual address is not on this host.
    pub programs: HashSet<String>,
    /// The addresses and ports at which programs listen.
    pub listening: HashSet<(IpAddr, u16)>,
    /// Things that could not be examined.
    pub unseen: Vec<String>,
}

/// This host as a real server of a virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealServer {
    pub vip: Host,
    pub forwarding: Forwarding,
    /// The director's settings of the tunnel, if packets come through one.
    pub tunnel: Tunnel,
}

/// A message from a synchronisation daemon on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub device: String,
    pub source: IpAddr,
    pub group: IpAddr,
    pub port: u16,
    pub sync_id: u8,
}

/// A service or server whose line in a file has a name instead of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub file: String,
    pub line: usize,
    pub service: ServiceId,
    pub server: Option<ServerId>,
}

/// The parts of a connection that the checks look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passing {
    pub protocol: Protocol,
    pub client: SocketAddr,
    pub service: SocketAddr,
    pub server: SocketAddr,
    /// The state is SYN_RECV: the handshake is not complete.
    pub is_half_open: bool,
    /// The state is ESTABLISHED: the handshake is complete, and neither side has closed.
    pub is_established: bool,
    /// The seconds since its last packet, in the states SYN_RECV, FIN_WAIT and TIME_WAIT.
    pub age: Option<u32>,
    /// Seconds until it is forgotten.
    pub expires: u32,
}

impl Passing {
    /// Converts an entry of the connection table. `None` for persistence templates and for
    /// protocols other than TCP, UDP and SCTP.
    pub fn of(connection: &Connection) -> Option<Self> {
        let protocol = Protocol::from_title(connection.protocol)?;
        let state = state_by_name(connection.state).map_or("", |state| state.word);
        let timeout = match state {
            SYN_RECV => Some(60_u32),
            TIME_WAIT | FIN_WAIT => Some(120),
            _ => None,
        };
        (connection.client.port() != 0).then_some(Self {
            protocol,
            client: connection.client,
            service: connection.virtual_service,
            server: connection.server,
            is_half_open: state == SYN_RECV,
            is_established: state == ESTABLISHED,
            age: timeout.map(|timeout| timeout.saturating_sub(connection.expires)),
            expires: connection.expires,
        })
    }
}

impl Facts {
    /// The services to look at.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let table = self.table.iter().flatten();
        table.filter(|entry| {
            self.service
                .is_none_or(|wanted| wanted == entry.service.service.id)
        })
    }

    /// The servers of these services that get new connections.
    pub fn live_servers(&self) -> impl Iterator<Item = (ServiceId, &ServerState)> {
        self.entries().flat_map(|entry| {
            let servers = entry.servers.iter();
            let live = servers.filter(|state| state.server.weight > 0);
            live.map(|state| (entry.service.service.id, state))
        })
    }

    /// Whether packets to the address of some service are not delivered to this host.
    pub fn has_vip_elsewhere(&self) -> bool {
        let mut addresses = self.entries().filter_map(service_address);
        addresses.any(|address| {
            let route = self.route(address);
            route.is_some_and(|route| !route.is_some_and(|route| route.is_local))
        })
    }

    /// Whether this host may be one of several directors. Its virtual addresses may then be on
    /// another one.
    pub fn may_stand_by(&self) -> bool {
        const MOVE_ADDRESSES: [&str; 5] =
            ["keepalived", "pacemakerd", "corosync", "heartbeat", "ucarp"];
        self.has_daemon(DaemonRole::Backup)
            || MOVE_ADDRESSES
                .iter()
                .any(|&program| self.programs.contains(program))
    }

    pub fn sysctl(&self, name: &str) -> Option<i64> {
        self.sysctls.get(name)?.parse().ok()
    }

    /// The effective value of an IPv4 setting of a device: the larger of its own and that of `all`.
    pub fn larger(&self, device: &str, setting: &str) -> Option<i64> {
        let of = |device| self.sysctl(&of_device(device, setting));
        of("all").max(of(device))
    }

    /// The route to an address. `None` if it was not looked up, `Some(None)` if no route leads
    /// there.
    pub fn route(&self, to: IpAddr) -> Option<Option<Route>> {
        self.routes.get(&to).copied()
    }

    /// The route to clients in other networks, usually the default route. `None` as for `route`.
    pub fn far_route(&self, family: Family) -> Option<Option<Route>> {
        self.route(far(family))
    }

    pub fn has_daemon(&self, role: DaemonRole) -> bool {
        self.daemons.iter().any(|daemon| daemon.role == role)
    }

    /// Whether a backup daemon runs on this host, and no master.
    pub fn is_mere_backup(&self) -> bool {
        self.has_daemon(DaemonRole::Backup) && !self.has_daemon(DaemonRole::Master)
    }

    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|at| at.address == address)
    }

    pub fn device(&self, index: u32) -> &str {
        let link = self.links.iter().find(|link| link.index == index);
        link.map_or("?", |link| &link.name)
    }
}

/// A reserved address that no host has. Its route is the one to clients in other networks.
pub fn far(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 0, 8).into(),
        Family::V6 => Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1).into(),
    }
}

/// The address that clients of a service connect to; marks have none.
pub fn service_address(entry: &Entry) -> Option<IpAddr> {
    match entry.service.service.id {
        ServiceId::Address { address, .. } => Some(address),
        ServiceId::Mark { .. } => None,
    }
}

/// Whether an address is in the network of one of this host's addresses.
pub fn is_in_network(own: &Address, address: IpAddr) -> bool {
    let network = Network {
        address: own.address,
        bits: own.bits.into(),
    };
    network.has(address)
}

/// The name of an IPv4 setting of one device. A dot in the name of the device becomes a slash.
pub fn of_device(device: &str, setting: &str) -> String {
    format!("net.ipv4.conf.{}.{setting}", device.replace('.', "/"))
}

/// The file of a setting.
pub fn path(name: &str) -> String {
    let swapped = name.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    format!("/proc/sys/{}", swapped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_may_have_dots() {
        let name = of_device("eth0.7", "rp_filter");
        assert_eq!(name, "net.ipv4.conf.eth0/7.rp_filter");
        assert_eq!(path(&name), "/proc/sys/net/ipv4/conf/eth0.7/rp_filter");
    }
}
