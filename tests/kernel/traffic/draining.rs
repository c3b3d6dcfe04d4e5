//! Draining servers under traffic: no client is refused, no connection is cut that could be waited
//! for, and reports about the others are correct.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::ask;
use super::clients::{Client, Tally};
use super::lan::{self, Lan, eventually, sh};
use crate::lab::runner::KernelTest;
use crate::lab::world::{Output, Program, Running, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run| KernelTest::new(format!("traffic::draining::{name}"), run);
    vec![
        named("new_clients", new_clients as fn(&mut World) -> Result<()>),
        named("no_request_fails", no_request_fails),
        named("waits", waits),
        named("ipv6_and_sctp", ipv6_and_sctp),
        named("applied", applied),
        named("remaining_connections", remaining_connections),
        named("gone_servers", gone_servers),
        named("persistence", persistence),
        named("wider_services", wider_services),
        named("another_program_or_a_signal", another_program_or_a_signal),
    ]
}

/// The time limit for a wait that ends by itself.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a command on the director, whatever its status.
fn run(lan: &Lan, line: &str) -> Result<Output> {
    start(lan, line)?.finish(LIMIT)
}

fn start(lan: &Lan, line: &str) -> Result<Running> {
    let program = Program::ipvsadm(Side::Ours).args(line.split_whitespace());
    lan.director.start(&program)
}

/// An error unless it ended with this status, and printed all of this.
fn says(output: &Output, status: i32, texts: &[&str]) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status == Status::Exit(status), "{output}");
    for text in texts {
        ensure!(said.contains(text), "{text:?} is not in\n{output}");
    }
    Ok(())
}

const CLIENTS: std::ops::RangeInclusive<u8> = 1..=16;

/// With any scheduler, all new clients get the other server, and the undo restores the old state.
fn new_clients(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for scheduler in [
        "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "sh", "mh", "sed", "nq",
    ] {
        let service = lan.service(scheduler, &["-w 3", ""])?;
        let before = lan.ipvsadm("-Sn")?;
        let drained = run(&lan, &format!("--drain -t {service} -r 172.16.0.11"))?;
        says(&drained, 0, &[]).context(scheduler)?;
        for number in CLIENTS {
            let answer = lan.ask_as(number, &service).context(scheduler)?;
            ensure!(answer.server == "web2", "{scheduler}: {answer:?}");
        }
        lan.rules(&String::from_utf8(drained.stdout)?)?;
        let after = lan.ipvsadm("-Sn")?;
        ensure!(after == before, "{scheduler}:\n{before}became\n{after}");
    }
    // dh ties an address to one server, so clients of a drained one are refused; a note says so.
    let service = lan.service("dh", &["", ""])?;
    let name = lan.ask(&service)?.server;
    let number = name.trim_start_matches("web");
    let server = format!("-t {service} -r 172.16.0.1{number}");
    let drained = run(&lan, &format!("--drain {server}"))?;
    says(&drained, 0, &["dh refuses connections"])?;
    lan.refuses(&service)?;
    lan.rules(&String::from_utf8(drained.stdout)?)?;
    let held = lan.hold(&service)?;
    let deleted = run(&lan, &format!("-d {server} --wait 60"))?;
    says(&deleted, 0, &["deleted without waiting, since dh", "cut"])?;
    ensure!(lan.ask(&service)?.server != name);
    drop(held);
    Ok(())
}

/// Clients send requests without pause while servers are drained, restored and deleted: by NAT, by
/// direct routing and through a tunnel.
fn no_request_fails(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let nat = lan.service("sh", &["-w 2", ""])?;
    under_requests(&lan, &nat, "-m")?;
    lan.take_vip_on_lo()?;
    for (number, server) in (1..).zip(&lan.servers) {
        let lines = format!(
            "addr add 192.0.2.0/24 dev lo\n\
             tunnel add end mode ipip local 172.16.0.1{number}\nlink set end up\n"
        );
        lan::ip(server, &lines)?;
    }
    for method in ["-g", "-i"] {
        let service = lan.service("wrr", &["-w 2", ""])?;
        lan.rules(&format!(
            "-e -t {service} -r 172.16.0.11 {method} -w 2\n\
             -e -t {service} -r 172.16.0.12 {method}\n"
        ))?;
        under_requests(&lan, &service, method).context(method)?;
    }
    Ok(())
}

fn under_requests(lan: &Lan, service: &str, method: &str) -> Result<()> {
    let before = lan.ipvsadm("-Sn")?;
    let client = Client::start(lan, libc::IPPROTO_TCP, service)?;
    let lines = format!(
        "set -e
        for round in 1 2; do
            ipvsadm --drain -r 172.16.0.11 --wait 60 >/tmp/undo 2>/dev/null
            sleep 0.3
            ipvsadm -R </tmp/undo
            ipvsadm -d -t {service} -r 172.16.0.11 --wait 60 2>/dev/null
            sleep 0.3
            ipvsadm -a -t {service} -r 172.16.0.11 {method} -w 2
        done"
    );
    let program = Program::shell(Side::Ours, &lines).limit(LIMIT);
    lan.director.run(&program)?.success()?;
    let Tally { asked, failed, .. } = client.stop()?;
    ensure!(asked > 10, "only {asked} requests");
    ensure!(failed.is_empty(), "of {asked} requests failed {failed:?}");
    let after = lan.ipvsadm("-Sn")?;
    ensure!(after == before, "{before}became\n{after}");
    Ok(())
}

/// A wait ends when all connections have ended, including unfinished handshakes; the last servers
/// of a service stay until then.
fn waits(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    // The server does not receive the client's packets for a while, and the director goes on asking
    // for its address: after three seconds it would answer the client itself.
    let service = lan.service("rr", &[""])?;
    let patient =
        "for limit in /proc/sys/net/ipv4/neigh/*/mcast_solicit; do echo 60 > $limit; done";
    sh(&lan.director, patient)?;
    lan::ip(&lan.servers[0], "link set eth0 down\n")?;
    let (address, port) = service.split_once(':').context("a port")?;
    let ask = "read -r answer 3<>/dev/tcp/$0/$1 <&3";
    let client = Program::new("bash").args(["-c", ask, address, port]);
    let mut client = lan.client.start(&client)?;
    eventually(|| {
        let listing = lan.ipvsadm("-Lnc")?;
        ensure!(listing.contains("SYN_RECV"), "{listing}");
        Ok(())
    })?;
    let mut deletion = start(&lan, &format!("-d -t {service} -r 172.16.0.11 --wait 60"))?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Masq 0 * *")?;
    thread::sleep(Duration::from_secs(1));
    lan::ip(
        &lan.servers[0],
        "link set eth0 up\nroute add default via 172.16.0.1\n",
    )?;
    client.finish(LIMIT)?.success()?;
    says(
        &deletion.finish(LIMIT)?,
        0,
        &["1 connection (1 SYN_RECV) left; waiting"],
    )?;
    let listing = lan.ipvsadm("-Ln")?;
    ensure!(!listing.contains("172.16.0.11"), "{listing}");

    // The last server of the only service.
    let service = lan.service("sh", &["", ""])?;
    let mut held = lan.hold(&service)?;
    let mut deletion = start(&lan, &format!("-D -t {service} --wait 60"))?;
    let drained = "-> 172.16.0.11:80 Masq 0 * *\n-> 172.16.0.12:80 Masq 0 * *";
    lan.shows("-Ln", drained)?;
    // It looks for connections right after that.
    thread::sleep(Duration::from_secs(1));
    held.send(1000)?;
    held.end()?;
    // On a busy machine reading states takes too long.
    says(&deletion.finish(LIMIT)?, 0, &["1 connection (1 "])?;
    let listing = lan.ipvsadm("-Ln")?;
    ensure!(!listing.contains(&service), "{listing}");
    Ok(())
}

/// Servers that are no longer in the file are drained, then deleted; the service then matches the
/// file.
fn applied(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("sh", &["", ""])?;
    let held = lan.hold(&service)?;
    let number = held.answer.server.trim_start_matches("web").to_owned();
    let server = format!("172.16.0.1{number}:80");
    let saved = lan.ipvsadm("-Sn")?;
    let lines = saved.lines().filter(|line| !line.contains(&server));
    let wanted: String = lines.map(|line| format!("{line}\n")).collect();
    let apply = ["--apply", "--wait", "60", "--verbose"];
    let apply = Program::ipvsadm(Side::Ours).args(apply).stdin(&wanted);

    let mut applying = lan.director.start(&apply)?;
    let drained = format!("TCP {service} sh (sh-fallback)\n-> {server} Masq 0 1 0");
    lan.shows("-Ln", &drained)?;
    for number in CLIENTS {
        lan.ask_as(number, &service)?;
    }
    held.end()?;
    let left = "1 connection (1 ";
    says(&applying.finish(LIMIT)?, 0, &[left, "1 deleted"])?;
    let after = lan.ipvsadm("-Sn")?;
    ensure!(after == wanted, "{wanted}became\n{after}");

    // If the user stops the wait, nothing is deleted and the rest is reported.
    let _held = lan.hold(&service)?;
    let mut applying = lan.director.start(&apply.stdin("-C\n-A -f 1 -s rr\n"))?;
    lan.shows("-Ln", "-> * Masq 0 1 *")?;
    // It looks for connections right after that.
    thread::sleep(Duration::from_secs(1));
    sh(&lan.director, &format!("kill -INT {}", applying.id()))?;
    let stopped = applying.finish(LIMIT)?;
    let connections = "stopped: 1 connection (1 ESTABLISHED) left; nothing more is deleted\n";
    let left = format!("not done:\n-D -t {service}\n1 service added\n");
    says(&stopped, 1, &[connections, "undo the drain", &left])?;
    lan.shows("-Ln", "-> * Masq 0 1 *")
}

/// IPv6 and SCTP connections are waited for in the same way.
fn ipv6_and_sctp(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for (name, server) in ["web1", "web2"].iter().zip(&lan.servers) {
        lan.open.serve_sctp(name, server)?;
    }
    for (protocol, option, service, network) in [
        (libc::IPPROTO_TCP, "-t", "[2001:db8:1::1]:80", "fd00::1"),
        (
            libc::IPPROTO_SCTP,
            "--sctp-service",
            "198.51.100.1:80",
            "172.16.0.1",
        ),
    ] {
        let server = |number: &str| match protocol {
            libc::IPPROTO_TCP => format!("[{network}{number}]:80"),
            _ => format!("{network}{number}:80"),
        };
        let [one, other] = ["1", "2"].map(server);
        lan.rules(&format!(
            "-A {option} {service} -s sh\n\
             -a {option} {service} -r {one} -m\n\
             -a {option} {service} -r {other} -m\n"
        ))?;
        let before = lan.ipvsadm("-Sn")?;
        for command in ["--drain", "-d"] {
            let held = lan.connect(protocol, None, service)?;
            let name = held.answer.server.clone();
            let drained = server(name.trim_start_matches("web"));
            let line = format!("{command} {option} {service} -r {drained} --wait 60");
            let mut waiting = start(&lan, &line)?;
            lan.shows("-Ln", &format!("-> {drained} Masq 0 1 *"))?;
            let answer = lan.connect(protocol, None, service)?.end()?;
            ensure!(answer.server != name, "{line}: {answer:?}");
            // It looks for connections right after that.
            thread::sleep(Duration::from_secs(1));
            held.end()?;
            let output = waiting.finish(LIMIT)?;
            says(&output, 0, &["1 connection (1 ESTABLISHED) left"]).context(line)?;
            lan.rules(&String::from_utf8(output.stdout)?)?;
            let listing = lan.ipvsadm("-Ln")?;
            ensure!(
                listing.contains(&drained) == (command == "--drain"),
                "{listing}"
            );
            ensure!(command == "-d" || lan.ipvsadm("-Sn")? == before);
        }
    }
    Ok(())
}

/// Connections that may be left when the time is up, and why.
fn remaining_connections(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    // A silent client at a dead server; clients reuse their ports.
    lan::set(&lan.director, &[("ipv4/vs/conn_reuse_mode", "0")])?;
    let service = lan.service("rr", &["", ""])?;
    let held = lan.hold(&service)?;
    let number = held.answer.server.trim_start_matches("web").to_owned();
    let drain = format!("--drain -t {service} -r 172.16.0.1{number} --wait 2");
    let left = "after 2 s: 1 connection (1 ESTABLISHED) left; the weight stays 0";
    says(&run(&lan, &drain)?, 1, &[left, "conn_reuse_mode is 0"])?;
    lan::set(&lan.director, &[("ipv4/vs/conn_reuse_mode", "1")])?;
    let again = run(&lan, &drain)?;
    says(&again, 1, &["the weight is 0 already", left])?;
    ensure!(again.stdout.is_empty(), "{again}");
    let said = String::from_utf8_lossy(&again.stderr);
    ensure!(!said.contains("conn_reuse_mode"), "{again}");
    let delete = format!("-d -t {service} -r 172.16.0.1{number} --wait 1");
    let dropped = "after 1 s: 1 connection (1 ESTABLISHED) left: their packets are dropped";
    says(&run(&lan, &delete)?, 0, &[dropped])?;
    lan.shows("-Lnc", &format!("TCP * ESTABLISHED * {service} *"))?;

    // A client that reuses a port may or may not keep its server.
    lan::set(&lan.client, &[("ipv4/tcp_tw_reuse", "1")])?;
    for (mode, comes_back) in [("0", true), ("1", false)] {
        lan::set(&lan.director, &[("ipv4/vs/conn_reuse_mode", mode)])?;
        let service = lan.service("rr", &["", ""])?;
        let ask = || {
            lan.client.enter()?;
            let from = ([203, 0, 113, 9], 4000).into();
            ask::hold(libc::IPPROTO_TCP, from, service.parse()?)?.end()
        };
        let name = ask()?.server;
        let number = name.trim_start_matches("web");
        run(&lan, &format!("--drain -t {service} -r 172.16.0.1{number}"))?;
        thread::sleep(Duration::from_millis(1200));
        let again = ask()?.server;
        ensure!(
            (again == name) == comes_back,
            "mode {mode}: {name}, {again}"
        );
    }

    // UDP connections have no end.
    lan.rules(
        "-A -u 192.0.2.9:53 -s rr\n\
         -a -u 192.0.2.9:53 -r 172.16.0.11 -m\n",
    )?;
    lan.send(1, "192.0.2.9:53", &["hello"])?;
    lan::set(&lan.director, &[("ipv4/vs/expire_nodest_conn", "1")])?;
    let cut = "after 1 s: 1 connection (1 UDP) left: cut, since";
    let deletion = run(&lan, "-D -u 192.0.2.9:53 --wait 1")?;
    says(&deletion, 0, &[cut, "UDP has no end"])?;
    drop(held);
    Ok(())
}

/// The connections of a deleted server, of a dead one, and of one that a restarted controller has
/// left at weight 0.
fn gone_servers(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    for (service, expire, left, is_answered) in [
        (
            "192.0.2.8:53",
            "0",
            "1 connection (1 UDP) left: their packets are dropped",
            false,
        ),
        (
            "192.0.2.9:53",
            "1",
            "1 connection (1 UDP) left: cut, since",
            true,
        ),
    ] {
        lan::set(&lan.director, &[("ipv4/vs/expire_nodest_conn", expire)])?;
        lan.rules(&format!(
            "-A -u {service} -s rr\n-a -u {service} -r 172.16.0.11 -m\n"
        ))?;
        let ask = || {
            lan.client.enter()?;
            let from = ([203, 0, 113, 9], 4000).into();
            ask::send(from, service.parse()?, &["hello"])
        };
        ask()?;
        lan.rules(&format!("-a -u {service} -r 172.16.0.12 -m\n"))?;
        let deletion = run(&lan, &format!("-d -u {service} -r 172.16.0.11 --wait 1"))?;
        says(&deletion, 0, &[left])?;
        // The first packet may only make the director drop the old connection.
        let answers = [ask(), ask()];
        let answer = answers.iter().flatten().next();
        let names = answer.map(|answers| ask::names(answers));
        let expected = is_answered.then(|| vec!["web2"]);
        ensure!(names == expected, "{expire}: {answers:?}");
    }

    lan::set(&lan.director, &[("ipv4/vs/expire_nodest_conn", "0")])?;
    let service = lan.service("rr", &["", ""])?;
    let held = lan.hold(&service)?;
    let number: usize = held.answer.server.trim_start_matches("web").parse()?;
    sh(&lan.servers[number - 1], "ip link set eth0 down")?;
    let server = format!("-t {service} -r 172.16.0.1{number}");
    let kept = "after 2 s: 1 connection (1 ESTABLISHED) left; the weight stays 0";
    says(
        &run(&lan, &format!("--drain {server} --wait 2"))?,
        1,
        &[kept],
    )?;
    let dropped = "after 1 s: 1 connection (1 ESTABLISHED) left: their packets are dropped";
    says(&run(&lan, &format!("-d {server} --wait 1"))?, 0, &[dropped])?;
    drop(held);

    let alive = if number == 1 { 2 } else { 1 };
    let service = "192.0.2.7:80";
    let rules = |weight| {
        format!("-A -t {service} -s rr\n-a -t {service} -r 172.16.0.1{alive} -m -w {weight}\n")
    };
    lan.rules(&rules(0))?;
    lan.refuses(service)?;
    let hint = lan.ipvsadm(&format!("--doctor -t {service}"))?;
    ensure!(hint.contains("no-live-server"), "{hint}");
    let apply = Program::ipvsadm(Side::Ours).args(["--apply", "--keep"]);
    lan.director.run(&apply.stdin(rules(1)))?.success()?;
    lan.ask(service)?;
    Ok(())
}

/// Persistence sends clients back to a drained server, unless the kernel is set to release them.
/// Both are reported.
fn persistence(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let note = "it is persistent, so known clients come back";
    for (expire, comes_back) in [("0", true), ("1", false)] {
        lan::set(
            &lan.director,
            &[("ipv4/vs/expire_quiescent_template", expire)],
        )?;
        let service = lan.service("rr -p 60", &["", ""])?;
        let name = lan.ask(&service)?.server;
        let number = name.trim_start_matches("web");
        let drained = run(&lan, &format!("--drain -t {service} -r 172.16.0.1{number}"))?;
        let said = String::from_utf8_lossy(&drained.stderr);
        ensure!(said.contains(note) == comes_back, "{drained}");
        let answer = lan.ask(&service)?;
        ensure!((answer.server == name) == comes_back, "{answer:?}");
    }
    Ok(())
}

/// A service that hides a service for all ports is deleted at once: with its servers drained it
/// would refuse connections that the other accepts. A mark is looked up before addresses, so
/// nothing hides it.
fn wider_services(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -t 192.0.2.1:0 -s rr -p 60\n\
         -a -t 192.0.2.1:0 -r 172.16.0.12:0 -m\n\
         -A -t 192.0.2.1:80 -s rr\n\
         -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n",
    )?;
    let held = lan.hold("192.0.2.1:80")?;
    ensure!(held.answer.server == "web1", "{:?}", held.answer);
    let drained = run(&lan, "--drain -t 192.0.2.1:80 -r 172.16.0.11")?;
    says(&drained, 0, &["no server is left for new connections"])?;
    lan.refuses("192.0.2.1:80")?;
    let deletion = run(&lan, "-D -t 192.0.2.1:80 --wait 60")?;
    let at_once = "-D -t 192.0.2.1:80: deleted without waiting, since -t 192.0.2.1:0 takes its \
                   traffic but would not meanwhile; 1 connection is cut";
    says(&deletion, 0, &[at_once])?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web2");
    drop(held);

    lan.mark(7, &[("192.0.2.2", 80)])?;
    lan.rules(
        "-A -f 7 -s rr\n\
         -a -f 7 -r 172.16.0.12 -m\n\
         -A -t 192.0.2.2:80 -s rr\n\
         -a -t 192.0.2.2:80 -r 172.16.0.11 -m\n",
    )?;
    ensure!(lan.ask("192.0.2.2:80")?.server == "web2");
    let held = lan.hold("192.0.2.2:80")?;
    let deletion = run(&lan, "-D -f 7 --wait 1")?;
    says(
        &deletion,
        0,
        &["after 1 s: 1 connection (1 ESTABLISHED) left"],
    )?;
    drop(held);
    ensure!(lan.ask("192.0.2.2:80")?.server == "web1");
    Ok(())
}

/// Another program raises the weight, or the user stops the wait.
fn another_program_or_a_signal(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = lan.service("rr", &["-w 5"])?;
    let held = lan.hold(&service)?;
    let server = format!("-t {service} -r 172.16.0.11");
    let is_drained = || lan.shows("-Ln", "-> 172.16.0.11:80 Masq 0 1 0");

    for command in ["--drain", "-d"] {
        let mut waiting = start(&lan, &format!("{command} {server} --wait 60"))?;
        is_drained()?;
        lan.ipvsadm(&format!("-e {server} -m -w 5"))?;
        let raised = "another program has set the weight to 5";
        says(&waiting.finish(LIMIT)?, 1, &[raised])?;
    }

    for (command, signal) in [("--drain", "INT"), ("-d", "TERM"), ("-d", "HUP")] {
        lan.ipvsadm(&format!("-e {server} -m -w 5"))?;
        let mut waiting = start(&lan, &format!("{command} {server} --wait 60"))?;
        is_drained()?;
        sh(&lan.director, &format!("kill -{signal} {}", waiting.id()))?;
        let output = waiting.finish(LIMIT)?;
        says(&output, 1, &["stopped: 1 connection (1 ESTABLISHED) left"])?;
        is_drained()?;
        let back = format!("-e {server}:80 -m -w 5\n");
        let undo = [&output.stdout[..], &output.stderr].concat();
        ensure!(String::from_utf8_lossy(&undo).contains(&back), "{output}");
    }

    // These connections can no longer be waited for.
    let mut waiting = start(&lan, &format!("-d {server} --wait 60"))?;
    lan.ipvsadm(&format!("-D -t {service}"))?;
    says(&waiting.finish(LIMIT)?, 255, &["Service not defined"])?;
    drop(held);

    // If a server is deleted meanwhile, the wait has nothing to undo for it.
    let service = lan.service("rr", &["-w 5"])?;
    let held = lan.hold(&service)?;
    let server = format!("-t {service} -r 172.16.0.11");
    lan.ipvsadm(&format!("-E -t {service} -s sh"))?;
    lan.ipvsadm(&format!("-a -t {service} -r 172.16.0.12 -m"))?;
    let mut waiting = start(&lan, &format!("-d {server} --wait 60"))?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Masq 0 1 0")?;
    lan.shows("-Ln", &format!("TCP {service} sh (sh-fallback)"))?;
    lan.ipvsadm(&format!("-d {server}"))?;
    says(&waiting.finish(LIMIT)?, 255, &["No such destination"])?;
    lan.shows("-Ln", &format!("TCP {service} sh"))?;
    drop(held);

    // At a terminal the wait shows one line, which is erased at the end.
    let service = lan.service("rr", &[""])?;
    let held = lan.hold(&service)?;
    let drain = format!("--drain -t {service} -r 172.16.0.11 --wait 60");
    let program = Program::ipvsadm(Side::Ours).args(drain.split_whitespace());
    let mut terminal = lan.director.start_at_terminal(&program)?;
    let progress = "1 connection (1 ESTABLISHED) left; idle ones end within 900 s; waiting";
    let shown = terminal.wait(|screen| screen.contains(progress));
    shown.map_err(|screen| anyhow!("it shows\n{screen}"))?;
    held.end()?;
    let end = terminal.end()?;
    ensure!(
        end.contains("no connections left") && !end.contains("ESTABLISHED"),
        "it shows\n{end}"
    );
    Ok(())
}
