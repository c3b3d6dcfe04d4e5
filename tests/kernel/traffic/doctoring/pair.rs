//! Two directors, of which one tells the other of its connections.

use anyhow::{Context, Result, ensure};

use super::{FAR, Fault, Patient};
use crate::lab::world::{Namespace, World};
use crate::traffic::lan::{self, Lan, eventually, ip, set, sh};

const SERVICE: &str = "198.51.100.1:80";

pub fn pair(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let backup = lan.host(world, "backup", "addr add 172.16.0.2/24 dev eth0\n")?;
    set(&backup, &[("ipv4/ip_forward", "1")])?;
    // A cable of their own.
    ip(
        &lan.director,
        "link add sync0 type veth peer name sync0 netns backup\n\
         link set sync0 up\naddr add 10.8.0.1/24 dev sync0\n",
    )?;
    ip(
        &backup,
        "link set sync0 up\naddr add 10.8.0.2/24 dev sync0\n",
    )?;
    for (director, role) in [(&lan.director, "master"), (&backup, "backup")] {
        lan::ipvsadm(director, &format!("-A -t {SERVICE} -s rr"))?;
        lan::ipvsadm(director, &format!("-a -t {SERVICE} -r 172.16.0.11 -m"))?;
        let start = format!("--start-daemon {role} --mcast-interface sync0 --syncid 7");
        lan::ipvsadm(director, &start)?;
    }
    let master = Patient {
        lan: &lan,
        host: &lan.director,
        words: "--doctor",
        service: SERVICE,
        clients: FAR,
    };
    let second = Patient {
        host: &backup,
        ..master
    };
    told(&master, &second).context("what the master tells")?;
    balanced_twice(&lan, &second).context("balanced twice")
}

/// The backup learns of a new connection.
fn learns(backup: &Patient) -> Result<()> {
    let held = backup.lan.hold(SERVICE)?;
    let connection = format!(
        "TCP * ESTABLISHED {} {SERVICE} 172.16.0.11:80",
        held.answer.client
    );
    lan::shows(backup.host, "-Lnc", &connection)?;
    held.end().map(drop)
}

/// The backup does not know of a new connection.
fn learns_nothing(backup: &Patient) -> Result<()> {
    let held = backup.lan.hold(SERVICE)?;
    // What is known is sent after two seconds.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let known = lan::ipvsadm(backup.host, "-Lnc")?;
    let client = held.answer.client.to_string();
    ensure!(!known.contains(&client), "it knows {client}:\n{known}");
    held.end().map(drop)
}

fn told(master: &Patient, backup: &Patient) -> Result<()> {
    // The virtual address is with the master.
    backup.is_found(&["vip-not-local", "sync-late"])?;
    master.is_well()?;
    learns(backup)?;
    backup.is_found(&["vip-not-local"])?;

    sh(master.host, "ip link set sync0 down")?;
    learns_nothing(backup)?;
    master.is_treated(&["sync-interface"])?;
    learns(backup)?;
    master.is_well()?;

    sh(
        master.host,
        "sysctl -w \"net.ipv4.vs.sync_threshold=40 50\"",
    )?;
    learns_nothing(backup)?;
    master.is_treated(&["sync-threshold"])?;
    learns(backup)?;
    master.is_well()
}

/// Both directors are servers of each other, too.
fn balanced_twice(lan: &Lan, backup: &Patient) -> Result<()> {
    set(
        backup.host,
        &[
            ("ipv4/conf/all/arp_ignore", "1"),
            ("ipv4/conf/all/arp_announce", "2"),
            ("ipv4/vs/backup_only", "1"),
        ],
    )?;
    ip(
        backup.host,
        "addr add 198.51.100.1/32 dev lo\n\
         route add 198.51.100.0/24 dev eth0\n\
         route add 203.0.113.0/24 via 198.51.100.2 dev eth0 onlink\n",
    )?;
    let both: [(&str, &Namespace); 2] = [("master", &lan.director), ("backup", backup.host)];
    for (name, director) in both {
        lan.open.serve_tcp(name, director)?;
        let table = "ipvsadm -C\nipvsadm -A -t 198.51.100.1:80 -s rr\n\
                     ipvsadm -a -t 198.51.100.1:80 -r 172.16.0.1 -g\n\
                     ipvsadm -a -t 198.51.100.1:80 -r 172.16.0.2 -g";
        sh(director, table)?;
    }
    eventually(|| backup.is_answered())?;
    backup.suffers(&Fault {
        names: &["balanced-twice"],
        made: "sysctl -w net.ipv4.vs.backup_only=0",
        mended: "",
        undone: "",
    })
}
