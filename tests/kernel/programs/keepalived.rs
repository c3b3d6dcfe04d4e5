//! keepalived, which checks servers and takes over from a failed director.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::debian::Debian;
use super::site::{self, Site, WebServer, ask, beside, expect_table, list};
use crate::lab::world::{Namespace, Program, Running, Side, Status, World};
use crate::network::{self, Switch, eventually, is_well};
use crate::round_trip::save;

/// An apply is paused after these system calls: it loads libraries first.
const CALLS: Range<usize> = 40..1000;

const NAMED: &str = "another program changed the table meanwhile; missing: -e -t 10.0.0.1:80 ";

/// How long a client may wait for an answer after a director has failed.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(5);

/// A real server, checked by a page request twice a second.
fn real_server(address: &str, settings: &str) -> String {
    format!(
        "
    real_server {address} 80 {{
        {settings}
        HTTP_GET {{
            url {{
                path /
                status_code 200
            }}
            connect_timeout 1
            retry 1
            delay_before_retry 0.5
        }}
    }}
"
    )
}

/// Two services for the same servers. One deletes a server that fails a check, the other sets its
/// weight to 0.
fn two_services() -> String {
    format!(
        "
virtual_server 10.0.0.1 80 {{
    delay_loop 0.5
    lb_algo rr
    lb_kind NAT
    protocol TCP
{}{}}}

virtual_server 10.0.0.1 8080 {{
    delay_loop 0.5
    lb_algo wrr
    lb_kind NAT
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    protocol TCP
{}{}}}
",
        real_server("172.16.0.2", "weight 1"),
        real_server("172.16.0.3", "weight 1"),
        real_server("172.16.0.2", "weight 3\ninhibit_on_failure"),
        real_server("172.16.0.3", "weight 5\ninhibit_on_failure"),
    )
}

/// Starts keepalived, with log messages on standard error.
pub fn start(debian: &Debian, host: &Namespace, configuration: &str) -> Result<Running> {
    fs::write(debian.path("etc/keepalived/keepalived.conf"), configuration)?;
    host.start(&debian.program("keepalived").args(["-n", "-l"]))
}

/// Our listing shows keepalived's settings, before and after a server stops, and after it returns.
pub fn checks(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    let site = Site::new(world)?;
    let keepalived = start(&debian, &site.director, &two_services())?;
    beside(keepalived, || follow_the_servers(world, &site))
}

fn follow_the_servers(world: &mut World, site: &Site) -> Result<()> {
    let whole = [
        "TCP 10.0.0.1:80 rr",
        "-> 172.16.0.2:80 Masq 1",
        "-> 172.16.0.3:80 Masq 1",
        "TCP 10.0.0.1:8080 wrr persistent 50 mask 255.255.255.0",
        "-> 172.16.0.2:80 Masq 3",
        "-> 172.16.0.3:80 Masq 5",
    ];
    let without_the_second = [
        "TCP 10.0.0.1:80 rr",
        "-> 172.16.0.2:80 Masq 1",
        "TCP 10.0.0.1:8080 wrr persistent 50 mask 255.255.255.0",
        "-> 172.16.0.2:80 Masq 3",
        "-> 172.16.0.3:80 Masq 0",
    ];
    let ask_twice = || -> Result<BTreeSet<String>> {
        let names = [(); 2].map(|()| Ok(ask(&site.client, "10.0.0.1:80")?.name));
        names.into_iter().collect()
    };
    let _first = WebServer::start(&site.web1, "web1")?;
    let second = WebServer::start(&site.web2, "web2")?;
    eventually(|| expect_table(world, &site.director, &whole))?;
    let names = ask_twice()?;
    ensure!(names.len() == 2, "{names:?} answered");
    is_well(&site.director, "--doctor")?;

    drop(second);
    eventually(|| expect_table(world, &site.director, &without_the_second))?;
    let names = ask_twice()?;
    ensure!(names == ["web1".into()].into(), "{names:?} answered");
    is_well(&site.director, "--doctor")?;

    let _second = WebServer::start(&site.web2, "web2")?;
    eventually(|| expect_table(world, &site.director, &whole))
}

/// Two services whose servers change weight ten times a second, as set by a check.
fn busy() -> String {
    let server = |address: &str| {
        format!(
            "
    real_server {address} 80 {{
        weight 10
        MISC_CHECK {{
            misc_path \"/bin/sh -c 'exit $((2 + $$ % 90))'\"
            misc_timeout 5
            misc_dynamic
            delay_loop 0.1
        }}
    }}
"
        )
    };
    let service = |port| {
        format!(
            "
virtual_server 10.0.0.1 {port} {{
    delay_loop 0.1
    lb_algo wrr
    lb_kind NAT
    protocol TCP
{}{}}}
",
            server("172.16.0.2"),
            server("172.16.0.3")
        )
    };
    format!(
        "
global_defs {{
    script_user root
}}
{}{}",
        service(80),
        service(8080)
    )
}

/// A file to apply: it drops one of keepalived's services, and adds one of its own.
fn file(weight: usize) -> String {
    format!(
        "\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 172.16.0.2 -m -w {weight}
-a -t 10.0.0.1:80 -r 172.16.0.3 -m -w {weight}
-A -t 10.0.0.9:80 -s rr
-a -t 10.0.0.9:80 -r 172.16.0.4 -m -w {weight}
"
    )
}

/// keepalived changes the same objects in the middle of an apply. Both continue, and the apply
/// reports what differs from its own changes.
pub fn beside_apply(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    let site = Site::new(world)?;
    // keepalived looks up the user that runs a check.
    fs::write(debian.path("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    let keepalived = start(&debian, &site.director, &busy())?;
    beside(keepalived, || {
        let is_busy = || -> Result<()> {
            let table = save(&site.director)?;
            let servers = table.matches("-a -t 10.0.0.1:80 ").count();
            ensure!(servers == 2 && !table.contains("-w 10\n"), "{table}");
            Ok(())
        };
        eventually(is_busy)?;
        let mut statuses = BTreeSet::new();
        for (weight, calls) in (101..).zip(CALLS.step_by(6)) {
            fs::write("/tmp/table", file(weight))?;
            let apply = Program::ipvsadm(Side::Ours).args(["--apply", "/tmp/table"]);
            let Some(mut apply) = site.director.stop_after(&apply, calls)? else {
                break;
            };
            let before = save(&site.director)?;
            eventually(|| {
                let changes = save(&site.director)? != before;
                ensure!(changes, "keepalived changes nothing");
                Ok(())
            })?;
            apply.go_on()?;
            let output = apply.finish(Duration::from_secs(20))?;
            let said = String::from_utf8_lossy(&output.stderr);
            let is_told = match output.status {
                Status::Exit(0) => said.is_empty(),
                Status::Exit(1) => said.contains(NAMED),
                Status::Exit(_) | Status::Signal(_) => false,
            };
            ensure!(is_told, "{output}");
            statuses.insert(output.status);
            let own = format!("-a -t 10.0.0.9:80 -r 172.16.0.4:80 -m -w {weight}\n");
            let table = save(&site.director)?;
            ensure!(table.contains(&own) && !table.contains(":8080"), "{table}");
        }
        ensure!(statuses.len() == 2, "always {statuses:?}");
        // It still runs.
        eventually(is_busy)
    })
}

/// One of two directors, for two servers that also have the service's address.
fn director(state: &str, priority: u8) -> String {
    format!(
        "
global_defs {{
    router_id LVS_{state}
    lvs_sync_daemon eth0 VI_1
}}

vrrp_instance VI_1 {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1111
    }}
    virtual_ipaddress {{
        192.168.0.100
    }}
}}

virtual_server 192.168.0.100 80 {{
    delay_loop 0.5
    lb_algo rr
    lb_kind DR
    protocol TCP
{}{}}}
",
        real_server("192.168.0.11", "weight 1"),
        real_server("192.168.0.12", "weight 1"),
    )
}

/// When the master fails the backup answers, and its listings show it.
pub fn takeover(world: &mut World) -> Result<()> {
    let switch = Switch::new(world, &[])?;
    let mut host = |name, number| {
        let address = format!("addr add 192.168.0.{number}/24 dev eth0\n");
        site::host(world, &switch, name, &address)
    };
    let (client, master, backup) = (host("client", 2)?, host("lvs1", 3)?, host("lvs2", 4)?);
    let (web1, web2) = (host("web1", 11)?, host("web2", 12)?);
    for web in [&web1, &web2] {
        have_service_address(web)?;
    }
    let _first = WebServer::start(&web1, "192.168.0.11:80")?;
    let _second = WebServer::start(&web2, "192.168.0.12:80")?;

    let debians = [Debian::new("lvs1")?, Debian::new("lvs2")?];
    let leader = start(&debians[0], &master, &director("MASTER", 250))?;
    let survivor = start(&debians[1], &backup, &director("BACKUP", 200))?;
    beside(survivor, || {
        let start = beside(leader, || {
            serves(world, &master, &client)?;
            expect_daemon(world, &backup, "backup")?;
            is_well(&master, "--doctor")?;
            is_well(&backup, "--doctor")?;
            is_well(&web1, &format!("--doctor -r {SERVICE} -g"))?;
            switch.unplug("lvs1")?;
            Ok(Instant::now())
        })?;
        eventually(|| ask(&client, SERVICE))?;
        let gone = start.elapsed();
        ensure!(gone < TAKEOVER_LIMIT, "the backup took over after {gone:?}");
        serves(world, &backup, &client)
    })
}

const SERVICE: &str = "192.168.0.100:80";

/// Adds the service's address, without ARP announcements.
fn have_service_address(host: &Namespace) -> Result<()> {
    network::ip(host, "addr add 192.168.0.100/32 dev lo\n")?;
    network::set(
        host,
        &[
            ("ipv4/conf/all/arp_ignore", "1"),
            ("ipv4/conf/all/arp_announce", "2"),
        ],
    )
}

/// A director lists the table, and the daemons that send and receive connections.
fn serves(world: &mut World, director: &Namespace, client: &Namespace) -> Result<()> {
    let table = [
        "TCP 192.168.0.100:80 rr",
        "-> 192.168.0.11:80 Route 1",
        "-> 192.168.0.12:80 Route 1",
    ];
    eventually(|| expect_table(world, director, &table))?;
    expect_daemon(world, director, "master")?;
    // The client may still send to a director that served before.
    eventually(|| {
        let answer = ask(client, SERVICE)?;
        let connections = list(world, director, &["-Lnc"])?;
        let expected = format!("{} {SERVICE} {}", answer.client, answer.name);
        let found = connections.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().skip(3).collect();
            words.join(" ") == expected
        });
        ensure!(found, "no {expected:?} in\n{connections}");
        Ok(())
    })
}

fn expect_daemon(world: &mut World, director: &Namespace, role: &str) -> Result<()> {
    let expected = format!("{role} sync daemon (mcast=eth0, syncid=51,");
    eventually(|| {
        let daemons = list(world, director, &["-L", "--daemon"])?;
        ensure!(
            daemons.starts_with(&expected),
            "no {expected:?} in\n{daemons}"
        );
        Ok(())
    })
}
