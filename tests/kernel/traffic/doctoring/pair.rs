//! Two directors; one sends its connections to the other.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Diagnosis, FAR, Fault, Patient};
use crate::lab::world::{Namespace, World};
use crate::traffic::lan::{self, Lan, eventually, ip, set, sh};

const SERVICE: &str = "198.51.100.1:80";

pub fn pair(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let backup = lan.host(world, "backup", "addr add 172.16.0.2/24 dev eth0\n")?;
    set(&backup, &[("ipv4/ip_forward", "1")])?;
    // A separate cable.
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
    deaf(&second).context("another sync id")?;
    balanced_twice(&lan, &second).context("balanced twice")?;
    two_masters(&master, &second).context("two masters")
}

/// Requests while a probe listens.
fn go_on(lan: &Lan, service: &str) -> Result<()> {
    for _ in 0..6 {
        lan.ask(service)?;
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn deaf(backup: &Patient) -> Result<()> {
    let lan = backup.lan;
    sh(
        backup.host,
        "ipvsadm --stop-daemon backup\n\
         ipvsadm --start-daemon backup --mcast-interface sync0 --syncid 8",
    )?;
    learns_nothing(backup)?;
    let probing = Patient {
        words: "--doctor --probe",
        ..*backup
    };
    let diagnosis = probing.examine_during(|| go_on(lan, SERVICE))?;
    let names = &diagnosis.names;
    ensure!(
        names == &["sync-differs", "vip-not-local"],
        "it finds {names:?}"
    );
    let commands = diagnosis.commands.iter();
    let mut fix = commands.filter(|command| command.contains("-daemon backup"));
    fix.try_for_each(|command| sh(backup.host, command))?;
    learns(backup)
}

/// The backup has become a master, and does not know of the other.
fn two_masters(master: &Patient, backup: &Patient) -> Result<()> {
    const OTHER: &str = "192.0.2.1:80";
    let lan = master.lan;
    ip(
        &lan.client,
        "route add 192.0.2.1 via 172.16.0.2 dev eth0 onlink\n",
    )?;
    sh(
        backup.host,
        "ip route add local 192.0.2.1 dev lo\n\
         ipvsadm -C\n\
         ipvsadm -A -t 192.0.2.1:80 -s rr\n\
         ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.2 -g\n\
         ipvsadm --stop-daemon backup\n\
         ipvsadm --start-daemon master --mcast-interface sync0 --syncid 7",
    )?;
    let probing = Patient {
        words: "--doctor --probe",
        ..*master
    };
    let finds = |expected: &[&str]| {
        let Diagnosis { names, .. } = probing.examine_during(|| go_on(lan, OTHER))?;
        ensure!(names == expected, "it finds {names:?}");
        Ok(())
    };
    finds(&["two-masters"])?;
    sh(backup.host, "ipvsadm --stop-daemon master")?;
    finds(&[])
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
    // Known connections are sent after two seconds.
    thread::sleep(Duration::from_secs(3));
    let known = lan::ipvsadm(backup.host, "-Lnc")?;
    let client = held.answer.client.to_string();
    ensure!(!known.contains(&client), "it knows {client}:\n{known}");
    held.end().map(drop)
}

fn told(master: &Patient, backup: &Patient) -> Result<()> {
    // The master has the virtual address.
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

/// Each director is also a server of the other.
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
        fixed: "",
        undone: "",
    })
}
