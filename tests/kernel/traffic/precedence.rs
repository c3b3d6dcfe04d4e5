//! Which of several services gets a packet.

use anyhow::{Result, ensure};

use super::lan::Lan;
use crate::lab::runner::KernelTest;
use crate::lab::world::World;

pub fn tests() -> Vec<KernelTest> {
    let name = "traffic::precedence::mark_then_port_then_all_ports";
    vec![KernelTest::new(name, precedence)]
}

/// The service of a packet's mark gets it, then the one of its port, then the one of port 0. Even
/// without servers the first match decides.
fn precedence(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.mark(10, &[("192.0.2.1/32", 80)])?;
    lan.rules(
        "-A -t 192.0.2.1:0 -s rr -p 60\n\
         -a -t 192.0.2.1:0 -r 172.16.0.11 -m\n",
    )?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web1");
    lan.ipvsadm("-A -t 192.0.2.1:80 -s rr")?;
    lan.refuses("192.0.2.1:80")?;
    ensure!(lan.ask("192.0.2.1:443")?.server == "web1");
    lan.ipvsadm("-a -t 192.0.2.1:80 -r 172.16.0.12 -m")?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web2");
    lan.ipvsadm("-A -f 10 -s rr")?;
    lan.refuses("192.0.2.1:80")?;
    lan.ipvsadm("-a -f 10 -r 172.16.0.13 -m")?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web3");
    // The others get packets again when the first one is deleted.
    lan.ipvsadm("-D -f 10")?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web2");
    lan.ipvsadm("-D -t 192.0.2.1:80")?;
    ensure!(lan.ask("192.0.2.1:80")?.server == "web1");
    Ok(())
}
