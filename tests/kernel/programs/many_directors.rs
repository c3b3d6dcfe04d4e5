//! The README's script for many directors, one of which has drifted and one also runs keepalived.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::debian::Debian;
use super::keepalived;
use super::site::{beside, expect_table};
use crate::lab::ours::project;
use crate::lab::world::{Namespace, Program, Side, Status, World};
use crate::network::eventually;

const RULES: &str = "\
# The shop.
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 1
";

const TABLE: [&str; 3] = [
    "TCP 192.0.2.1:80 rr",
    "-> 10.0.0.1:8080 Masq 1",
    "-> 10.0.0.2:8080 Masq 1",
];

/// A service without checks, which exists from the start.
const KEEPALIVED: &str = "
virtual_server 198.51.100.1 443 {
    lb_algo wrr
    lb_kind NAT
    protocol TCP
    real_server 10.0.0.9 443 {
        weight 5
    }
}
";

const KEEPALIVED_TABLE: [&str; 2] = ["TCP 198.51.100.1:443 wrr", "-> 10.0.0.9:443 Masq 5"];

pub fn check_and_roll_out(world: &mut World) -> Result<()> {
    let directors = ["lb1", "lb2", "lb3"].map(|name| world.namespace(name));
    let [first, drifted, shared] = directors;
    let (first, drifted, shared) = (first?, drifted?, shared?);
    let debian = Debian::new("lb3")?;
    let keepalived = keepalived::start(&debian, &shared, KEEPALIVED)?;
    beside(keepalived, || {
        eventually(|| expect_table(world, &shared, &KEEPALIVED_TABLE))?;
        for director in [&first, &drifted, &shared] {
            let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(RULES);
            director.run(&restore)?.success()?;
        }
        let edit = "-e -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 0".split(' ');
        drifted
            .run(&Program::ipvsadm(Side::Ours).args(edit))?
            .success()?;
        watch_and_roll_out(&first)?;
        for director in [&first, &drifted] {
            expect_table(world, director, &TABLE)?;
        }
        expect_table(world, &shared, &[&TABLE[..], &KEEPALIVED_TABLE].concat())
    })
}

fn watch_and_roll_out(here: &Namespace) -> Result<()> {
    let folder = Path::new("/tmp/many-directors");
    fs::create_dir(folder)?;
    fs::write(folder.join("rules"), RULES)?;
    fs::write(folder.join("no-servers"), "-A -t 192.0.2.1:80\n")?;
    let script = project("examples/many-directors.sh").display().to_string();
    let expect = |words: &str, status: i32, stdout: &str| -> Result<()> {
        let line = format!(
            "cd {} && RUN='ip netns exec' {script} {words}",
            folder.display()
        );
        let output = here.run(&Program::shell(Side::Ours, &line))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_expected = output.status == Status::Exit(status) && said == stdout;
        ensure!(
            is_expected,
            "{words}: {output}instead of {status} and {stdout}"
        );
        Ok(())
    };
    let drift = "lb2: -e -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 1\n";
    expect("check rules", 0, "")?;
    expect("check no-servers", 1, "")?;
    expect("drift rules lb1 lb2 lb3", 1, drift)?;
    // After an unreachable director the script continues with the next.
    expect("drift rules lb1 nobody lb2", 255, drift)?;
    expect("roll-out no-servers lb1", 1, "")?;
    expect("roll-out rules lb1 lb2 lb3", 0, "lb1:\nlb2:\nlb3:\n")?;
    expect("drift rules lb1 lb2 lb3", 0, "")?;
    expect("metrics ipvs.prom lb1", 0, "")?;
    let metrics = fs::read_to_string(folder.join("ipvs.prom"))?;
    ensure!(metrics.contains("192.0.2.1"), "{metrics}");
    Ok(())
}
