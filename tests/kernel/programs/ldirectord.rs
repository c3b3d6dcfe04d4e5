//! ldirectord, which does everything through `ipvsadm`.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::debian::Debian;
use super::site::{Site, WebServer, expect_table};
use crate::lab::world::World;
use crate::network::{eventually, is_well};

const CONFIGURATION: &str = "/etc/ha.d/ldirectord.cf";

const LOG: &str = "/var/log/ldirectord.log";

/// Two services. When a server fails a check, one sets its weight to 0, and the other deletes it.
const TWO_SERVICES: &str = "\
checktimeout=1
checkinterval=1
autoreload=yes
quiescent=yes

virtual=10.0.0.1:80
        real=172.16.0.2:80 masq 5
        real=172.16.0.3:80 masq 7
        scheduler=wrr
        persistent=600
        netmask=255.255.255.0
        protocol=tcp
        checktype=connect

virtual=10.0.0.1:8080
        real=172.16.0.2:80 masq
        real=172.16.0.3:80 masq
        quiescent=no
        scheduler=rr
        protocol=tcp
        checktype=connect
";

/// Another scheduler and other weights for the first service; the second is removed.
const ONE_SERVICE: &str = "\
checktimeout=1
checkinterval=1
autoreload=yes
quiescent=yes

virtual=10.0.0.1:80
        real=172.16.0.2:80 masq 2
        scheduler=wlc
        protocol=tcp
        checktype=connect
";

/// It adds, edits and removes services and servers without an error.
pub fn adds_edits_removes(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    fs::create_dir_all(debian.path("etc/ha.d"))?;
    let site = Site::new(world)?;
    let outcome = follow_the_configuration(world, &debian, &site);
    let log = fs::read_to_string(debian.path(LOG))?;
    outcome.with_context(|| format!("it wrote:\n{log}"))?;
    ensure!(!log.contains("failed"), "something failed:\n{log}");
    Ok(())
}

fn follow_the_configuration(world: &mut World, debian: &Debian, site: &Site) -> Result<()> {
    let director = &site.director;
    let ldirectord = |word| {
        director
            .run(&debian.program("ldirectord").args([word]))?
            .success()
    };
    let mut becomes = |table: &[&str]| {
        eventually(|| expect_table(world, director, table))?;
        is_well(director, "--doctor")
    };
    let _first = WebServer::start(&site.web1, "web1")?;
    let second = WebServer::start(&site.web2, "web2")?;

    fs::write(debian.path(CONFIGURATION), TWO_SERVICES)?;
    ldirectord("start")?;
    becomes(&[
        "TCP 10.0.0.1:80 wrr persistent 600 mask 255.255.255.0",
        "-> 172.16.0.2:80 Masq 5",
        "-> 172.16.0.3:80 Masq 7",
        "TCP 10.0.0.1:8080 rr",
        "-> 172.16.0.2:80 Masq 1",
        "-> 172.16.0.3:80 Masq 1",
    ])?;

    drop(second);
    becomes(&[
        "TCP 10.0.0.1:80 wrr persistent 600 mask 255.255.255.0",
        "-> 172.16.0.2:80 Masq 5",
        "-> 172.16.0.3:80 Masq 0",
        "TCP 10.0.0.1:8080 rr",
        "-> 172.16.0.2:80 Masq 1",
    ])?;

    fs::write(debian.path(CONFIGURATION), ONE_SERVICE)?;
    becomes(&["TCP 10.0.0.1:80 wlc", "-> 172.16.0.2:80 Masq 2"])?;

    ldirectord("stop")?;
    becomes(&[])
}
