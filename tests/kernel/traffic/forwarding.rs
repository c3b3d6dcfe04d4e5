//! Every way for packets to get from the director to a server.

use anyhow::{Result, ensure};

use super::ask::{Answer, same_server, shared};
use super::lan::{self, Lan};
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("traffic::forwarding::nat", nat),
        KernelTest::new("traffic::forwarding::direct_routing", direct_routing),
        KernelTest::new("traffic::forwarding::tunnels", tunnels),
        KernelTest::new("traffic::forwarding::full_nat", full_nat),
        KernelTest::new(
            "traffic::forwarding::redirecting_servers",
            redirecting_servers,
        ),
        KernelTest::new("traffic::forwarding::local_server", local_server),
        KernelTest::new("traffic::forwarding::ipv6", ipv6),
        KernelTest::new("traffic::forwarding::udp", udp),
        KernelTest::new("traffic::forwarding::sctp", sctp),
    ]
}

/// A service with two servers, which may have their own port (`:8080`).
fn two_servers(lan: &Lan, service: &str, port: &str, method: &str) -> Result<()> {
    lan.rules(&format!(
        "-A {service} -s rr\n\
         -a {service} -r 172.16.0.11{port} {method}\n\
         -a {service} -r 172.16.0.12{port} {method}\n"
    ))
}

/// The answers to six requests, three from each of these servers.
fn six_answers(lan: &Lan) -> Result<Vec<Answer>> {
    let answers = lan.ask_often(6, "198.51.100.1:80")?;
    shared(answers, &[("web1", 3), ("web2", 3)])
}

/// The servers have their own port, and see the client's address.
fn nat(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    two_servers(&lan, "-t 198.51.100.1:80", ":8080", "-m")?;
    for answer in six_answers(&lan)? {
        ensure!(
            answer.client.ip().to_string() == "198.51.100.2",
            "{answer:?}"
        );
        ensure!(answer.here.port() == 8080, "{answer:?}");
    }
    lan.shows(
        "-Ln",
        "TCP 198.51.100.1:80 rr\n\
         -> 172.16.0.11:8080 Masq 1 0 3\n\
         -> 172.16.0.12:8080 Masq 1 0 3",
    )?;
    lan.is_well()?;
    lan::is_well(&lan.servers[0], "--doctor -r 198.51.100.1:80 -m")
}

/// The servers receive requests at the virtual address itself, and bypass the director in replies.
fn direct_routing(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    two_servers(&lan, "-t 198.51.100.1:80", "", "-g")?;
    for answer in six_answers(&lan)? {
        ensure!(answer.here.to_string() == "198.51.100.1:80", "{answer:?}");
    }
    lan.shows(
        "-Ln",
        "-> 172.16.0.11:80 Route 1 0 3\n\
         -> 172.16.0.12:80 Route 1 0 3",
    )?;
    lan.is_well()?;
    lan::is_well(&lan.servers[0], "--doctor -r 198.51.100.1:80 -g")
}

/// Each server accepts only one kind of tunnel.
fn tunnels(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    // Adding a device by name loads its module, but fou is not a device.
    lan::sh(&lan.director, "modprobe fou")?;
    let ends = [
        "tunnel add end mode ipip local 172.16.0.11\nlink set end up\n",
        "fou add port 6080 gue\n\
         tunnel add end mode ipip local 172.16.0.12\nlink set end up\n",
        "link add end type gre local 172.16.0.13\nlink set end up\n",
    ];
    for (server, end) in lan.servers.iter().zip(ends) {
        lan::ip(server, end)?;
    }
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -i\n\
         -a -t 198.51.100.1:80 -r 172.16.0.12 -i --tun-type gue --tun-port 6080\n\
         -a -t 198.51.100.1:80 -r 172.16.0.13 -i --tun-type gre\n",
    )?;
    let equal = [("web1", 2), ("web2", 2), ("web3", 2)];
    shared(lan.ask_often(6, "198.51.100.1:80")?, &equal)?;
    lan.shows(
        "-Ln --tun-info",
        "-> 172.16.0.11:80 Tunnel ipip 1 0 2\n\
         -> 172.16.0.12:80 Tunnel gue:6080:-c 1 0 2\n\
         -> 172.16.0.13:80 Tunnel gre:-c 1 0 2",
    )?;
    lan.is_well()?;
    for server in &lan.servers {
        lan::is_well(server, "--doctor -r 198.51.100.1:80 -i")?;
    }

    // A gre server accepts packets either with checksums or without.
    lan::ip(
        &lan.servers[2],
        "link del end\nlink add end type gre local 172.16.0.13 icsum\nlink set end up\n",
    )?;
    lan.rules(
        "-e -t 198.51.100.1:80 -r 172.16.0.12 -i --tun-type gue --tun-port 6080 --tun-csum\n\
         -e -t 198.51.100.1:80 -r 172.16.0.13 -i --tun-type gre --tun-csum\n",
    )?;
    shared(lan.ask_often(6, "198.51.100.1:80")?, &equal)?;
    lan.rules(
        "-e -t 198.51.100.1:80 -r 172.16.0.12 -i --tun-type gue --tun-port 6080 --tun-remcsum\n",
    )?;
    shared(lan.ask_often(6, "198.51.100.1:80")?, &equal)?;
    lan.shows(
        "-Ln --tun-info",
        "-> 172.16.0.12:80 Tunnel gue:6080:r+c 1 0 6\n\
         -> 172.16.0.13:80 Tunnel gre:+c 1 0 6",
    )
}

/// Servers without a route to the client get requests from the director's own address.
fn full_nat(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for server in &lan.servers {
        lan::ip(server, "route del default\n")?;
    }
    lan::set(&lan.director, &[("ipv4/vs/conntrack", "1")])?;
    two_servers(&lan, "-t 198.51.100.1:80", ":8080", "-m")?;
    if lan::has_iptables()? {
        lan::sh(
            &lan.director,
            "iptables -t nat -A POSTROUTING -m ipvs --vaddr 198.51.100.1 --vport 80 -j MASQUERADE",
        )?;
    } else {
        lan::sh(
            &lan.director,
            "tc qdisc add dev eth0 clsact
             tc filter add dev eth0 egress protocol ip flower dst_ip 172.16.0.0/24 ip_proto tcp \\
                action ct commit nat src addr 172.16.0.1 pipe
             tc filter add dev eth0 ingress protocol ip flower src_ip 172.16.0.0/24 ip_proto tcp \\
                action ct nat pipe",
        )?;
    }
    for answer in six_answers(&lan)? {
        ensure!(answer.client.ip().to_string() == "172.16.0.1", "{answer:?}");
    }
    lan.is_well()
}

/// Direct routing to servers without the virtual address, which translate it to their own.
fn redirecting_servers(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.answer_directly()?;
    for (number, server) in (1..).zip(&lan.servers) {
        if lan::has_iptables()? {
            lan::sh(
                server,
                "iptables -t nat -A PREROUTING -d 198.51.100.1 -p tcp --dport 80 \
                 -j REDIRECT --to-ports 8080",
            )?;
        } else {
            lan::sh(
                server,
                &format!(
                    "tc qdisc add dev eth0 clsact
                     tc filter add dev eth0 ingress protocol ip flower dst_ip 198.51.100.1 \\
                        ip_proto tcp dst_port 80 \\
                        action ct commit nat dst addr 172.16.0.1{number} port 8080 pipe
                     tc filter add dev eth0 egress protocol ip flower ip_proto tcp src_port 8080 \\
                        action ct nat pipe"
                ),
            )?;
        }
    }
    two_servers(&lan, "-t 198.51.100.1:80", "", "-g")?;
    for answer in six_answers(&lan)? {
        ensure!(answer.here.port() == 8080, "{answer:?}");
        ensure!(
            answer.client.ip().to_string() == "198.51.100.2",
            "{answer:?}"
        );
    }
    lan.is_well()
}

/// The director is one of the servers.
fn local_server(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.open.serve_tcp("director", &lan.director)?;
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 198.51.100.1\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -m\n\
         -A -t 198.51.100.1:443 -s rr\n\
         -a -t 198.51.100.1:443 -r 172.16.0.1:8080 -m\n",
    )?;
    let answers = lan.ask_often(4, "198.51.100.1:80")?;
    shared(answers, &[("director", 2), ("web1", 2)])?;
    let answer = lan.ask("198.51.100.1:443")?;
    ensure!(
        answer.server == "director" && answer.here.port() == 8080,
        "{answer:?}"
    );
    lan.shows(
        "-Ln",
        "-> 172.16.0.11:80 Masq 1 0 2\n\
         -> 198.51.100.1:80 Route 1 0 2\n\
         -> 172.16.0.1:8080 Masq 1 0 1",
    )?;
    lan.is_well()
}

/// NAT and direct routing.
fn ipv6(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    lan.rules(
        "-A -t [2001:db8:1::1]:80 -s rr\n\
         -a -t [2001:db8:1::1]:80 -r [fd00::11]:80 -g\n\
         -a -t [2001:db8:1::1]:80 -r [fd00::12]:80 -g\n",
    )?;
    let answers = lan.ask_often(4, "[2001:db8:1::1]:80")?;
    for answer in shared(answers, &[("web1", 2), ("web2", 2)])? {
        ensure!(
            answer.here.to_string() == "[2001:db8:1::1]:80",
            "{answer:?}"
        );
    }
    lan.answer_through_director()?;
    lan.rules(
        "-A -t [2001:db8:1::1]:443 -s rr\n\
         -a -t [2001:db8:1::1]:443 -r [fd00::11]:8080 -m\n\
         -a -t [2001:db8:1::1]:443 -r [fd00::12]:8080 -m\n",
    )?;
    let answers = lan.ask_often(4, "[2001:db8:1::1]:443")?;
    for answer in shared(answers, &[("web1", 2), ("web2", 2)])? {
        ensure!(
            answer.client.ip().to_string() == "2001:db8:1::2",
            "{answer:?}"
        );
        ensure!(answer.here.port() == 8080, "{answer:?}");
    }
    lan.shows(
        "-Ln",
        "-> [fd00::11]:80 Route 1 0 2\n\
         -> [fd00::11]:8080 Masq 1 0 2",
    )?;
    lan.is_well()?;
    lan::is_well(&lan.servers[0], "--doctor -r [2001:db8:1::1]:80 -g")
}

/// Each port of a client is a separate connection.
fn udp(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    two_servers(&lan, "-u 198.51.100.1:53", ":5060", "-m")?;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let both = lan.send(1, "198.51.100.1:53", &["who?", "and now?"])?;
        same_server(&both)?;
        answers.extend(both);
    }
    for answer in shared(answers, &[("web1", 4), ("web2", 4)])? {
        ensure!(answer.here.port() == 5060, "{answer:?}");
    }
    lan.shows(
        "-Ln",
        "UDP 198.51.100.1:53 rr\n\
         -> 172.16.0.11:5060 Masq 1 0 2\n\
         -> 172.16.0.12:5060 Masq 1 0 2",
    )?;
    lan.is_well()
}

/// SCTP by NAT and by direct routing.
fn sctp(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for (name, server) in ["web1", "web2"].iter().zip(&lan.servers) {
        lan.open.serve_sctp(name, server)?;
    }
    let ask = || {
        lan.connect(libc::IPPROTO_SCTP, None, "198.51.100.1:80")?
            .end()
    };
    two_servers(&lan, "--sctp-service 198.51.100.1:80", "", "-m")?;
    let answers = (0..4).map(|_| ask()).collect::<Result<_>>()?;
    shared(answers, &[("web1", 2), ("web2", 2)])?;
    lan.shows(
        "-Ln",
        "SCTP 198.51.100.1:80 rr\n\
         -> 172.16.0.11:80 Masq 1 0 2\n\
         -> 172.16.0.12:80 Masq 1 0 2",
    )?;
    lan.take_vip_on_lo()?;
    lan.rules(
        "-e --sctp-service 198.51.100.1:80 -r 172.16.0.11 -g\n\
         -e --sctp-service 198.51.100.1:80 -r 172.16.0.12 -g\n",
    )?;
    let answers = (0..4).map(|_| ask()).collect::<Result<_>>()?;
    shared(answers, &[("web1", 2), ("web2", 2)])?;
    lan.is_well()
}
