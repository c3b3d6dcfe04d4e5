//! The scripts that Debian packages with `ipvsadm`.

use std::fs;

use anyhow::{Result, ensure};

use super::debian::Debian;
use crate::lab::world::{Namespace, Program, World};

const SETTINGS: &str = "\
AUTO=\"true\"
DAEMON=\"master\"
IFACE=\"lo\"
SYNCID=\"7\"
";

const RULES: &str = "\
# a comment
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 3
";

const TABLE: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 3
";

const EDITED: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 9
";

/// A director administered with the scripts.
struct Director {
    debian: Debian,
    namespace: Namespace,
}

impl Director {
    fn new(world: &mut World) -> Result<Self> {
        Ok(Director {
            debian: Debian::new("director")?,
            namespace: world.namespace("director")?,
        })
    }

    /// Runs a line with a program of Debian; an error unless it prints exactly this.
    fn expect(&self, line: &str, input: &str, expected: &str) -> Result<()> {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let program: Program = self.debian.program(name).args(words).stdin(input);
        let output = self.namespace.run(&program)?;
        ensure!(output.stderr.is_empty(), "{line} said\n{output}");
        let said = String::from_utf8(output.success()?)?;
        ensure!(
            said == expected,
            "{line} said\n{said}instead of\n{expected}"
        );
        Ok(())
    }
}

/// The init script starts, saves, reloads and stops, including the synchronization daemon.
pub fn init_script(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    let expect = |line, expected| director.expect(line, "", expected);
    let rules = director.debian.path("etc/ipvsadm.rules");
    fs::write(director.debian.path("etc/default/ipvsadm"), SETTINGS)?;
    fs::write(&rules, RULES)?;

    expect(
        "/etc/init.d/ipvsadm start",
        "Clearing the current IPVS table...done.\n\
         Loading IPVS configuration...done.\n\
         Starting IPVS Connection Synchronization Daemon: master.\n",
    )?;
    expect("ipvsadm -Sn", TABLE)?;
    expect(
        "ipvsadm -L --daemon",
        "master sync daemon (mcast=lo, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n",
    )?;

    expect("ipvsadm -e -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 9", "")?;
    expect(
        "/etc/init.d/ipvsadm save",
        "Saving IPVS configuration...done.\n",
    )?;
    let saved = fs::read_to_string(&rules)?;
    ensure!(saved.ends_with(EDITED), "this was saved:\n{saved}");

    expect("ipvsadm -C", "")?;
    expect(
        "/etc/init.d/ipvsadm reload",
        "Clearing the current IPVS table...done.\n\
         Loading IPVS configuration...done.\n",
    )?;
    expect("ipvsadm -Sn", EDITED)?;

    expect(
        "/etc/init.d/ipvsadm stop",
        "Stopping IPVS Connection Synchronization Daemon: master.\n\
         Clearing the current IPVS table...done.\n",
    )?;
    expect("ipvsadm -Sn", "")?;
    expect("ipvsadm -L --daemon", "")
}

/// `ipvsadm-restore` reads what `ipvsadm-save` writes.
pub fn wrappers(world: &mut World) -> Result<()> {
    let director = Director::new(world)?;
    director.expect("ipvsadm -A -f 1", "", "")?;
    director.expect("ipvsadm-restore", RULES, "")?;
    director.expect("ipvsadm-save -n", "", TABLE)?;
    director.expect("ipvsadm-save", "", &TABLE.replace(":80", ":http"))
}
