//! A table that is changed under traffic: by `--apply` and `ipvsadm-restore` no request fails, by
//! clear and restore some do.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::lan::{Lan, eventually, sh};
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Running, World};

pub fn tests() -> Vec<KernelTest> {
    vec![KernelTest::new("traffic::applying", no_request_fails)]
}

/// So often the table is changed.
const CHANGES: usize = 40;

/// The files take turns: web2 stays, the others come and go, weights rise and fall.
const FILES: &str = "\
printf '%s\\n' '-A -t 192.0.2.1:80 -s wrr' \\
    '-a -t 192.0.2.1:80 -r 172.16.0.11 -m -w 2' '-a -t 192.0.2.1:80 -r 172.16.0.12 -m' >/tmp/one
printf '%s\\n' '-A -t 192.0.2.1:80 -s wrr' \\
    '-a -t 192.0.2.1:80 -r 172.16.0.12 -m -w 3' '-a -t 192.0.2.1:80 -r 172.16.0.13 -m' >/tmp/two
";

fn no_request_fails(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    sh(&lan.director, FILES)?;
    sh(&lan.director, "ipvsadm --apply /tmp/one")?;
    // The weight decides where it goes: to the server that stays.
    sh(
        &lan.director,
        "ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0",
    )?;
    let held = lan.hold("192.0.2.1:80")?;
    ensure!(held.answer.server == "web2", "{:?}", held.answer);

    let (asked, failed) = under_traffic(&lan, "ipvsadm --apply")?;
    ensure!(asked > CHANGES, "only {asked} requests");
    ensure!(failed == 0, "{failed} of {asked} requests failed");
    let link = "ln -s $(command -v ipvsadm) /tmp/ipvsadm-restore";
    sh(&lan.director, link)?;
    let (more, failed) = under_traffic(&lan, "/tmp/ipvsadm-restore")?;
    ensure!(failed == 0, "{failed} of {more} requests failed");
    sh(&lan.director, "rm /tmp/ipvsadm-restore")?;
    // What stays keeps its connections and its counters, which the kernel adds up late.
    held.end()?;
    eventually(|| {
        let stats = lan.ipvsadm("-Ln --stats --exact")?;
        let service = stats.lines().find(|line| line.starts_with("TCP"));
        let count = service.and_then(|line| line.split_whitespace().nth(2));
        let count: usize = count.unwrap_or_default().parse()?;
        ensure!(count > asked / 2, "{asked} requests, {count} counted");
        Ok(())
    })?;

    // The control: the same by hand.
    let (asked, failed) = under_traffic(&lan, "ipvsadm -C; ipvsadm -R <")?;
    ensure!(
        failed > 0,
        "none of {asked} requests failed by clear and restore"
    );
    Ok(())
}

/// Asks an address and port without pause until there is a file, and counts requests and failures.
const CLIENT: &str = "\
until test -e /tmp/stop; do
    asked=$((asked + 1))
    { read -t 5 -r answer <&3; } 3<>/dev/tcp/$0/$1 || failed=$((failed + 1))
done 2>/dev/null
echo $asked ${failed:-0}
";

/// A client that asks without pause.
pub struct Client(Running);

impl Client {
    pub fn start(lan: &Lan, service: &str) -> Result<Self> {
        sh(&lan.client, "rm -f /tmp/stop")?;
        let (address, port) = service.split_once(':').context("a port")?;
        let client = Program::new("bash").args(["-c", CLIENT, address, port]);
        Ok(Self(lan.client.start(&client)?))
    }

    /// How many requests there were, and how many of them failed.
    pub fn stop(mut self, lan: &Lan) -> Result<(usize, usize)> {
        sh(&lan.client, ": >/tmp/stop")?;
        let output = self.0.finish(Duration::from_secs(60))?;
        let counts = String::from_utf8(output.success()?)?;
        let counts: Vec<usize> = counts
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match counts[..] {
            [asked, failed] => Ok((asked, failed)),
            _ => bail!("the client said {counts:?}"),
        }
    }
}

/// How many requests there were while the table was changed, and how many of them failed.
fn under_traffic(lan: &Lan, how: &str) -> Result<(usize, usize)> {
    let client = Client::start(lan, "192.0.2.1:80")?;
    for number in 0..CHANGES {
        let file = ["two", "one"][number % 2];
        sh(&lan.director, &format!("{how} /tmp/{file}"))?;
    }
    client.stop(lan)
}
