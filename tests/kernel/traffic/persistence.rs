//! Clients that stay with their server, and packets that do not.

use anyhow::{Result, ensure};

use super::ask::{same_server, shared};
use super::lan::Lan;
use crate::lab::kernels;
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest::new(format!("traffic::persistence::{name}"), run);
    vec![
        named("per_port", per_port as fn(&mut World) -> Result<()>),
        named("per_client", per_client),
        named("per_mark", |world| per_mark(world, Lan::mark)),
        KernelTest {
            kernels: kernels::STOCK.to_vec(),
            ..named("per_mark_of_nft", |world| per_mark(world, Lan::mark_by_nft))
        },
        named("per_network", per_network),
        named("one_packet", one_packet),
        named("per_call", per_call),
    ]
}

/// A client stays with its server; its persistence template is listed as a connection.
fn per_port(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr -p 60", &["", ""])?;
    let one = [lan.ask_as(1, &service)?, lan.ask_as(1, &service)?];
    let two = [lan.ask_as(2, &service)?, lan.ask_as(2, &service)?];
    let (one, two) = (same_server(&one)?, same_server(&two)?);
    ensure!(one != two, "{one} serves both");
    lan.shows("-Ln", &format!("TCP {service} rr persistent 60"))?;
    lan.shows(
        "-Ln --persistent-conn",
        "-> 172.16.0.11:80 1 1 0 2\n\
         -> 172.16.0.12:80 1 1 0 2",
    )?;
    let template = |client: u8, server: &str| {
        let address = match server {
            "web1" => "172.16.0.11",
            _ => "172.16.0.12",
        };
        format!("TCP * * 203.0.113.{client}:0 {service} {address}:80\n")
    };
    lan.shows("-Lnc", &(template(1, one) + &template(2, two)))
}

/// A service for all ports: the client gets the same server on each.
fn per_client(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -t 198.51.100.1:0 -s rr -p 60\n\
         -a -t 198.51.100.1:0 -r 172.16.0.11 -m\n\
         -a -t 198.51.100.1:0 -r 172.16.0.12 -m\n",
    )?;
    let mut servers = Vec::new();
    for client in 1..=2 {
        let at = |port| lan.ask_as(client, &format!("198.51.100.1:{port}"));
        let answers = [at(80)?, at(443)?, at(8080)?];
        same_server(&answers)?;
        ensure!(answers[1].here.port() == 443, "{answers:?}");
        servers.extend(answers);
    }
    shared(servers, &[("web1", 3), ("web2", 3)])?;
    lan.shows("-Lnc", "TCP * * 203.0.113.1:0 198.51.100.1:0 *")
}

/// How the director marks packets.
type Marking = fn(&Lan, u32, &[(&str, u16)]) -> Result<()>;

/// One mark joins two ports of any address.
fn per_mark(world: &mut World, mark: Marking) -> Result<()> {
    let lan = Lan::new(world)?;
    mark(&lan, 10, &[("192.0.2.0/24", 80), ("192.0.2.0/24", 443)])?;
    lan.rules(
        "-A -f 10 -s rr -p 300\n\
         -a -f 10 -r 172.16.0.11 -m\n\
         -a -f 10 -r 172.16.0.12 -m\n",
    )?;
    let mut servers = Vec::new();
    for client in 1..=2 {
        let at = |service| lan.ask_as(client, service);
        let answers = [
            at("192.0.2.1:80")?,
            at("192.0.2.1:443")?,
            at("192.0.2.9:80")?,
        ];
        same_server(&answers)?;
        servers.extend(answers);
    }
    shared(servers, &[("web1", 3), ("web2", 3)])?;
    lan.shows("-Ln", "FWM 10 rr persistent 300")?;
    lan.shows("-Lnc", "IP * * 203.0.113.1:0 0.0.0.10:0 *")?;
    lan.is_well()?;
    lan.refuses("192.0.2.1:8080")
}

/// With a mask, a network counts as one client.
fn per_network(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr -p 60 -M 255.255.255.240", &["", ""])?;
    let low = [lan.ask_as(1, &service)?, lan.ask_as(14, &service)?];
    let high = [lan.ask_as(17, &service)?, lan.ask_as(30, &service)?];
    ensure!(
        same_server(&low)? != same_server(&high)?,
        "{low:?}, {high:?}"
    );
    lan.shows(
        "-Lnc",
        &format!(
            "TCP * * 203.0.113.0:0 {service} *\n\
             TCP * * 203.0.113.16:0 {service} *"
        ),
    )
}

/// With `-o` each datagram is scheduled; without it, the datagrams of a port are a connection.
fn one_packet(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    lan.rules(
        "-A -u 198.51.100.1:53 -s rr\n\
         -a -u 198.51.100.1:53 -r 172.16.0.11 -g\n\
         -a -u 198.51.100.1:53 -r 172.16.0.12 -g\n",
    )?;
    let requests = ["one", "two", "three", "four"];
    let answers = lan.send(1, "198.51.100.1:53", &requests)?;
    same_server(&answers)?;
    lan.ipvsadm("-E -u 198.51.100.1:53 -s rr -o")?;
    let answers = lan.send(2, "198.51.100.1:53", &requests)?;
    shared(answers, &[("web1", 2), ("web2", 2)])?;
    lan.shows("-Ln", "UDP 198.51.100.1:53 rr ops")?;
    let connections = lan.ipvsadm("-Lnc")?;
    ensure!(!connections.contains("203.0.113.2:"), "{connections}");
    lan.is_well()
}

/// The SIP engine keeps each call of a client at its server, whatever its port.
fn per_call(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -u 198.51.100.1:5060 -s rr -p 60 --pe sip\n\
         -a -u 198.51.100.1:5060 -r 172.16.0.11 -m\n\
         -a -u 198.51.100.1:5060 -r 172.16.0.12 -m\n",
    )?;
    let short = "f81d4fae7dec11d0@pc33.example.com".to_owned();
    let long = "0123456789".repeat(24) + "@sip.examp";
    ensure!(long.len() == 250, "{} characters", long.len());
    let mut servers = Vec::new();
    for call in [&short, &long] {
        let mut answers = Vec::new();
        for method in ["INVITE", "INVITE", "BYE"] {
            let request = request(method, call);
            answers.extend(lan.send(1, "198.51.100.1:5060", &[&request])?);
        }
        same_server(&answers)?;
        servers.extend(answers);
    }
    shared(servers, &[("web1", 3), ("web2", 3)])?;
    lan.shows("-Ln", "UDP 198.51.100.1:5060 rr persistent 60 pe sip")?;
    let listed = |call| format!("UDP * * 203.0.113.1:0 198.51.100.1:5060 * sip {call}\n");
    lan.shows("-Lnc --persistent-conn", &(listed(&short) + &listed(&long)))
}

fn request(method: &str, call: &str) -> String {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds\r\n\
         To: Bob <sip:bob@example.com>\r\n\
         From: Alice <sip:alice@example.com>;tag=1928301774\r\n\
         Call-ID: {call}\r\n\
         CSeq: 314159 {method}\r\n\
         Content-Length: 0\r\n\
         \r\n"
    )
}
