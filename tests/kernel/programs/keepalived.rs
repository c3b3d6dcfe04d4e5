//! keepalived, which checks servers, and takes over from a director that is gone.

use anyhow::{Result, ensure};

use super::debian::Debian;
use super::network::{Site, WebServer, ask, beside, eventually, expect_table};
use crate::lab::world::{Program, World};

/// A real server that is asked for a page twice a second.
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

/// Two services for the same servers. One takes away a server that fails a check, the other
/// leaves it there without any weight.
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

fn keepalived(debian: &Debian, configuration: &str) -> Result<Program> {
    debian.write("etc/keepalived/keepalived.conf", configuration)?;
    Ok(debian.program("keepalived").args(["-n", "-l"]))
}

/// Our listing shows what keepalived has set, when a server stops, and when it is back.
pub fn checks(world: &mut World) -> Result<()> {
    let debian = Debian::new()?;
    let site = Site::new(world)?;
    let program = keepalived(&debian, &two_services())?;
    beside(&site.director, &program, || {
        follow_the_servers(world, &site)
    })
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
    let ask_twice = || -> Result<Vec<String>> {
        let names = ["10.0.0.1:80", "10.0.0.1:80"].map(|address| ask(&site.client, address));
        let mut names = names.into_iter().collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    let _first = WebServer::start(&site.web1, "web1")?;
    let second = WebServer::start(&site.web2, "web2")?;
    eventually(|| expect_table(world, &site.director, &whole))?;
    let names = ask_twice()?;
    ensure!(names == ["web1", "web2"], "{names:?} answered");

    drop(second);
    eventually(|| expect_table(world, &site.director, &without_the_second))?;
    let names = ask_twice()?;
    ensure!(names == ["web1", "web1"], "{names:?} answered");

    let _second = WebServer::start(&site.web2, "web2")?;
    eventually(|| expect_table(world, &site.director, &whole))
}
