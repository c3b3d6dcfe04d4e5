//! The network of the scenarios, as drawn in tutorials, and operations on it.
//!
//! A client, a director and three real servers, each with one cable to the same switch. Client
//! and director share 198.51.100.0/24 (2001:db8:1::/64). The director's address there is virtual,
//! and so are all of 192.0.2.0/24. Director and servers share 172.16.0.0/24 (fd00::/64), and the
//! servers' only route out is through the director.

use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::ask::{self, Answer, Held};
use super::web::Open;
use crate::lab::guest;
use crate::lab::sys;
use crate::lab::world::{Namespace, Program, Side, World};
use crate::network::Switch;
pub use crate::network::{eventually, ip, is_well, set};

const NAMES: [&str; 3] = ["web1", "web2", "web3"];

pub struct Lan {
    pub client: Namespace,
    pub director: Namespace,
    pub servers: Vec<Namespace>,
    switch: Switch,
    pub open: Open,
    services: Cell<u8>,
}

impl Lan {
    /// The network, with the servers `web1`, `web2` and `web3` open.
    pub fn new(world: &mut World) -> Result<Self> {
        let client = world.namespace("client")?;
        let director = world.namespace("director")?;
        let servers = NAMES.map(|name| world.namespace(name));
        let servers: Vec<_> = servers.into_iter().collect::<Result<_>>()?;

        for namespace in [&client, &director].into_iter().chain(&servers) {
            prepare(namespace)?;
        }
        let hosts: Vec<_> = ["client", "director"].into_iter().chain(NAMES).collect();
        let switch = Switch::new(world, &hosts)?;
        // All numbered clients share a namespace: all of 203.0.113.0/24.
        ip(
            &client,
            "link set eth0 up\n\
             addr add 198.51.100.2/24 dev eth0\n\
             addr add 2001:db8:1::2/64 dev eth0\n\
             route add local 203.0.113.0/24 dev lo\n\
             route add 192.0.2.0/24 via 198.51.100.1\n",
        )?;
        ip(
            &director,
            "link set eth0 up\n\
             addr add 198.51.100.1/24 dev eth0\n\
             addr add 172.16.0.1/24 dev eth0\n\
             addr add 2001:db8:1::1/64 dev eth0\n\
             addr add fd00::1/64 dev eth0\n\
             route add 203.0.113.0/24 via 198.51.100.2\n\
             route add local 192.0.2.0/24 dev lo\n",
        )?;
        set(
            &director,
            &[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")],
        )?;
        let open = Open::new()?;
        for (number, (name, server)) in (1..).zip(NAMES.iter().zip(&servers)) {
            let addresses = format!(
                "link set eth0 up\n\
                 addr add 172.16.0.1{number}/24 dev eth0\n\
                 addr add fd00::1{number}/64 dev eth0\n\
                 route add default via 172.16.0.1\n\
                 route add default via fd00::1\n"
            );
            ip(server, &addresses)?;
            open.serve_tcp(name, server)?;
            open.serve_udp(name, server, Ipv4Addr::new(172, 16, 0, 10 + number).into())?;
        }
        Ok(Lan {
            client,
            director,
            servers,
            switch,
            open,
            services: Cell::new(0),
        })
    }

    /// One more host at the switch, with lines for `ip` to set up its device `eth0`.
    pub fn host(&self, world: &mut World, name: &str, lines: &str) -> Result<Namespace> {
        let host = world.namespace(name)?;
        prepare(&host)?;
        self.switch.plug(name)?;
        ip(&host, &format!("link set eth0 up\n{lines}"))?;
        Ok(host)
    }

    /// The servers reply to clients directly, bypassing the director.
    pub fn answer_directly(&self) -> Result<()> {
        self.routes("add")
    }

    /// The servers reply to clients through the director again.
    pub fn answer_through_director(&self) -> Result<()> {
        self.routes("del")
    }

    fn routes(&self, how: &str) -> Result<()> {
        let routes = [
            "198.51.100.0/24 dev eth0",
            "203.0.113.0/24 via 198.51.100.2 dev eth0 onlink",
            "2001:db8:1::/64 dev eth0",
        ];
        let lines: String = routes
            .map(|route| format!("route {how} {route}\n"))
            .concat();
        self.servers
            .iter()
            .try_for_each(|server| ip(server, &lines))
    }

    /// The servers also have the virtual address, but do not announce it.
    pub fn take_vip_on_lo(&self) -> Result<()> {
        for (name, server) in NAMES.iter().zip(&self.servers) {
            set(
                server,
                &[
                    ("ipv4/conf/all/arp_ignore", "1"),
                    ("ipv4/conf/all/arp_announce", "2"),
                ],
            )?;
            ip(
                server,
                "addr add 198.51.100.1/32 dev lo\n\
                 addr add 2001:db8:1::1/128 dev lo\n",
            )?;
            let vip = Ipv4Addr::new(198, 51, 100, 1);
            self.open.serve_udp(name, server, vip.into())?;
        }
        self.answer_directly()
    }

    /// The director marks packets for ports of addresses.
    pub fn mark(&self, mark: u32, destinations: &[(&str, u16)]) -> Result<()> {
        let iptables = has_iptables()?;
        let mut lines = String::new();
        if !iptables {
            lines += "tc qdisc add dev eth0 clsact\n";
        }
        for (address, port) in destinations {
            lines += &if iptables {
                format!(
                    "iptables -t mangle -A PREROUTING -d {address} -p tcp --dport {port} \
                     -j MARK --set-mark {mark}\n"
                )
            } else {
                format!(
                    "tc filter add dev eth0 ingress protocol ip flower dst_ip {address} \
                     ip_proto tcp dst_port {port} action skbedit mark {mark}\n"
                )
            };
        }
        sh(&self.director, &lines)
    }

    /// The same with nft, which user-mode kernels do not support.
    pub fn mark_by_nft(&self, mark: u32, destinations: &[(&str, u16)]) -> Result<()> {
        let mut rules = "\
add table ip mangle
add chain ip mangle prerouting { type filter hook prerouting priority mangle; }
"
        .to_owned();
        for (address, port) in destinations {
            rules += &format!(
                "add rule ip mangle prerouting ip daddr {address} tcp dport {port} \
                 meta mark set {mark}\n"
            );
        }
        let nft = Program::new("nft").args(["-f", "-"]).stdin(rules);
        self.director.run(&nft)?.success()?;
        Ok(())
    }

    /// A command on the director.
    pub fn ipvsadm(&self, line: &str) -> Result<String> {
        ipvsadm(&self.director, line)
    }

    /// Restores rules on the director, one per line.
    pub fn rules(&self, rules: &str) -> Result<()> {
        let program = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
        self.director.run(&program)?.success()?;
        Ok(())
    }

    /// A new service, by its address, with NAT servers that have these further options.
    ///
    /// The kernel remembers deleted servers with their connections, so no address is used twice.
    pub fn service(&self, scheduler: &str, servers: &[&str]) -> Result<String> {
        self.services.set(self.services.get() + 1);
        let service = format!("192.0.2.{}:80", self.services.get());
        let mut rules = format!("-A -t {service} -s {scheduler}\n");
        for (number, options) in (1..).zip(servers) {
            rules += &format!("-a -t {service} -r 172.16.0.1{number} -m {options}\n");
        }
        self.rules(&rules)?;
        Ok(service)
    }

    /// An error unless a listing eventually has lines like these.
    pub fn shows(&self, listing: &str, lines: &str) -> Result<()> {
        shows(&self.director, listing, lines)
    }

    /// One request by TCP, from the client's own address.
    pub fn ask(&self, service: &str) -> Result<Answer> {
        self.hold(service)?.end()
    }

    /// Requests by TCP, one after the other.
    pub fn ask_often(&self, count: usize, service: &str) -> Result<Vec<Answer>> {
        (0..count).map(|_| self.ask(service)).collect()
    }

    /// One request by TCP from client `number`; each client has its own address.
    pub fn ask_as(&self, number: u8, service: &str) -> Result<Answer> {
        self.connect(libc::IPPROTO_TCP, Some(number), service)?
            .end()
    }

    /// Whether a client fails to connect by TCP within a second.
    pub fn fails(&self, client: Option<u8>, service: &str) -> Result<bool> {
        self.client.enter()?;
        let service: SocketAddr = service.parse()?;
        let from = address_of(client, service);
        Ok(sys::connect(libc::IPPROTO_TCP, from, service, Duration::from_secs(1)).is_err())
    }

    /// One request by TCP from any host.
    pub fn ask_from(&self, host: &Namespace, service: &str) -> Result<Answer> {
        host.enter()?;
        let service: SocketAddr = service.parse()?;
        ask::hold(libc::IPPROTO_TCP, address_of(None, service), service)?.end()
    }

    /// Whether a host fails to connect by TCP within half a second.
    pub fn fails_from(&self, host: &Namespace, service: &str) -> Result<bool> {
        host.enter()?;
        let service: SocketAddr = service.parse()?;
        let (from, patience) = (address_of(None, service), Duration::from_millis(500));
        Ok(sys::connect(libc::IPPROTO_TCP, from, service, patience).is_err())
    }

    /// A TCP connection that stays open.
    pub fn hold(&self, service: &str) -> Result<Held> {
        self.connect(libc::IPPROTO_TCP, None, service)
    }

    /// A connection that stays open, by any stream protocol.
    pub fn connect(&self, protocol: i32, client: Option<u8>, service: &str) -> Result<Held> {
        self.client.enter()?;
        let service: SocketAddr = service.parse()?;
        ask::hold(protocol, address_of(client, service), service)
            .with_context(|| format!("asking {service}"))
    }

    /// Requests by UDP from client `number`, one after the other, all from one port.
    pub fn send(&self, number: u8, service: &str, texts: &[&str]) -> Result<Vec<Answer>> {
        self.client.enter()?;
        let service: SocketAddr = service.parse()?;
        ask::send(address_of(Some(number), service), service, texts)
            .with_context(|| format!("sending to {service}"))
    }

    /// An error if the doctor finds anything that keeps traffic from the director.
    pub fn is_well(&self) -> Result<()> {
        is_well(&self.director, "--doctor")
    }

    /// An error unless a request by TCP is refused.
    pub fn refuses(&self, service: &str) -> Result<()> {
        match self.hold(service) {
            Ok(held) => bail!("{service} answers: {:?}", held.answer),
            Err(error) if ask::is_refused(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Initial settings of devices.
fn prepare(host: &Namespace) -> Result<()> {
    // Addresses work at once, and there are no ICMP redirects: they would bypass the director,
    // since all hosts are on one switch.
    let settings = [
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/default/accept_redirects", "0"),
        ("ipv4/conf/all/send_redirects", "0"),
        ("ipv4/conf/default/send_redirects", "0"),
    ];
    set(host, &settings)
}

/// The source address of client `number` for `service`; without a number, or for IPv6, the routing
/// table decides.
fn address_of(client: Option<u8>, service: SocketAddr) -> SocketAddr {
    match (client, service) {
        (Some(number), SocketAddr::V4(_)) => (Ipv4Addr::new(203, 0, 113, number), 0).into(),
        (None, SocketAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        (_, SocketAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The output of a command in a namespace.
pub fn ipvsadm(namespace: &Namespace, line: &str) -> Result<String> {
    let program = Program::ipvsadm(Side::Ours).args(line.split_whitespace());
    let output = namespace.run(&program)?.success();
    let output = output.with_context(|| format!("ipvsadm {line}"))?;
    Ok(String::from_utf8(output)?)
}

/// An error unless a listing eventually has lines of these words, where `*` matches any word.
pub fn shows(namespace: &Namespace, listing: &str, lines: &str) -> Result<()> {
    eventually(|| {
        let text = ipvsadm(namespace, listing)?;
        for line in lines.lines() {
            let shown = text.lines().any(|shown| fits(shown, line));
            ensure!(shown, "ipvsadm {listing} shows no {line:?}:\n{text}");
        }
        Ok(())
    })
}

fn fits(line: &str, pattern: &str) -> bool {
    let (words, wanted) = (line.split_whitespace(), pattern.split_whitespace());
    words.clone().count() == wanted.clone().count()
        && words
            .zip(wanted)
            .all(|(word, wanted)| wanted == "*" || word == wanted)
}

/// Runs lines in a shell in a namespace; none may fail.
pub fn sh(namespace: &Namespace, lines: &str) -> Result<()> {
    let program = Program::shell(Side::Ours, &format!("set -e\n{lines}"));
    namespace.run(&program)?.success()?;
    Ok(())
}

/// True if iptables can mark and rewrite packets; otherwise tc does it.
pub fn has_iptables() -> Result<bool> {
    Ok(!guest::release()?.starts_with("7."))
}
