//! Connections of a master director, as its backup sees them.

use anyhow::Result;

use super::lan::{self, Lan};
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    vec![KernelTest::new("traffic::sync", sync)]
}

fn sync(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let backup = lan.host(world, "backup", "addr add 172.16.0.2/24 dev eth0\n")?;
    for director in [&lan.director, &backup] {
        lan::ip(director, "route add 224.0.0.0/4 dev eth0\n")?;
        // Every packet of an established connection is synchronized.
        lan::set(director, &[("ipv4/vs/sync_threshold", "0 1")])?;
        lan::ipvsadm(director, "-A -t 198.51.100.1:80 -s rr")?;
        lan::ipvsadm(director, "-a -t 198.51.100.1:80 -r 172.16.0.11 -m")?;
    }
    lan::ipvsadm(
        &backup,
        "--start-daemon backup --mcast-interface eth0 --syncid 7",
    )?;
    lan.ipvsadm("--start-daemon master --mcast-interface eth0 --syncid 7")?;
    let daemon = |role| {
        format!(
            "{role} sync daemon (mcast=eth0, syncid=7, maxlen=1472, group=224.0.0.81, \
             port=8848, ttl=1)"
        )
    };
    lan.shows("-L --daemon", &daemon("master"))?;
    lan::shows(&backup, "-L --daemon", &daemon("backup"))?;

    let held = lan.hold("198.51.100.1:80")?;
    let connection = format!(
        "TCP * ESTABLISHED {} 198.51.100.1:80 172.16.0.11:80",
        held.answer.client
    );
    lan.shows("-Lnc", &connection)?;
    lan::shows(&backup, "-Lnc", &connection)?;
    lan::shows(&backup, "-Ln", "-> 172.16.0.11:80 Masq 1 1 0")?;
    lan.is_well()?;
    lan::set(&backup, &[("ipv4/ip_forward", "1")])?;
    lan::is_well(&backup, "--doctor")?;

    // Services and servers are not sent: a drain on the master does not change the backup.
    lan.ipvsadm("--drain -r 172.16.0.11")?;
    lan.shows("-Ln", "-> 172.16.0.11:80 Masq 0 1 0")?;
    lan::shows(&backup, "-Ln", "-> 172.16.0.11:80 Masq 1 1 0")?;
    lan.ipvsadm("-d -t 198.51.100.1:80 -r 172.16.0.11 --wait 1")?;
    lan::shows(&backup, "-Ln", "-> 172.16.0.11:80 Masq 1 1 0")?;
    lan::shows(&backup, "-Lnc", &connection)?;

    lan.ipvsadm("--stop-daemon master")?;
    lan::ipvsadm(&backup, "--stop-daemon backup")?;
    Ok(())
}
