//! Prometheus scrapes node_exporter, which exports our metrics next to its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

use super::debian::Debian;
use super::site::beside;
use crate::formats::with_traffic;
use crate::lab::world::{Namespace, World};
use crate::network::eventually;

/// Next to a UDP service with traffic.
const RULES: &str = "\
-A -t 10.0.0.1:80 -s rr -p 300
-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 3 -x 100 -y 50
-a -t 10.0.0.1:80 -r 10.0.0.3:8080 -m -w 0
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -w 0
-A -f 10 -s rr
-a -f 10 -r 10.0.0.3:0 -g
-A -f 10 -6 -s rr
-a -f 10 -6 -r [2001:db8::3]:0 -g
-A --sctp-service 10.0.0.9:80 -s rr
";

const NODE_EXPORTER: &str = "--web.listen-address=127.0.0.1:9100 --collector.disable-defaults \
    --collector.ipvs --collector.textfile --collector.textfile.directory=/var/lib/metrics";
const METRICS: &str = "/var/lib/metrics/ipvs.prom";

const PROMETHEUS: &str = "--config.file=/etc/scrapes --storage.tsdb.path=/var/lib/tsdb \
    --web.listen-address=127.0.0.1:9090";
const SCRAPES: &str = "
scrape_configs:
  - job_name: node
    scrape_interval: 1s
    static_configs: [targets: ['127.0.0.1:9100']]
";

/// Queries, and their answers.
const QUESTIONS: [(&str, &str); 5] = [
    ("up", "1"),
    ("ipvs_connections_total", "3"),
    ("sum(ipvs_service_backends_live)", "4"),
    // No server has different weights in the two.
    (
        "count(ipvs_backend_weight{family=''} \
            != ignoring(family) node_ipvs_backend_weight) or vector(0)",
        "0",
    ),
    ("count(ipvs_backend_weight == 0)", "2"),
];

pub fn scraped(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    let here = with_traffic(world)?;
    here.run(&debian.program("ipvsadm").args(["-R"]).stdin(RULES))?
        .success()?;
    fs::create_dir(debian.path("var/lib/metrics"))?;
    fs::write(debian.path("etc/scrapes"), SCRAPES)?;
    let metrics = eventually(|| {
        write_metrics(&debian, &here)?;
        let metrics = fs::read_to_string(debian.path(METRICS))?;
        ensure!(
            metrics.contains("\nipvs_connections_total 3\n"),
            "{metrics}"
        );
        Ok(metrics)
    })?;
    check(&debian, &here, "-L")?;
    check(&debian, &here, "-L -c")?;
    check(&debian, &here, "-L --count")?;

    let start = |name, words: &str| here.start(&debian.program(name).args(words.split(' ')));
    let node_exporter = start("prometheus-node-exporter", NODE_EXPORTER)?;
    beside(node_exporter, || {
        let node = eventually(|| get(&here, "127.0.0.1:9100", "/metrics"))?;
        compare(&metrics, &node)?;
        let prometheus = start("prometheus", PROMETHEUS)?;
        beside(prometheus, || {
            QUESTIONS
                .iter()
                .try_for_each(|(question, answer)| ask(&debian, &here, question, answer))
        })
    })
}

fn write_metrics(debian: &Debian, here: &Namespace) -> Result<()> {
    let words = ["-L", "--format", "prometheus", "--output", METRICS];
    here.run(&debian.program("ipvsadm").args(words))?
        .success()?;
    Ok(())
}

/// Asserts that the checker of Prometheus accepts a listing.
fn check(debian: &Debian, here: &Namespace, listing: &str) -> Result<()> {
    let line = format!("ipvsadm {listing} --format prometheus | promtool check metrics 2>&1");
    let said = here
        .run(&debian.program("sh").args(["-c", &line]))?
        .success()?;
    ensure!(
        said.is_empty(),
        "{line}: {}",
        String::from_utf8_lossy(&said)
    );
    Ok(())
}

fn get(here: &Namespace, server: &str, path: &str) -> Result<String> {
    here.enter()?;
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    Ok(answer)
}

/// Samples by their names and labels, the labels in the order of their names.
fn samples(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| line.rsplit_once(' '));
    samples
        .map(|(series, value)| (sorted(series), value.to_owned()))
        .collect()
}

fn sorted(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else {
        return series.to_owned();
    };
    let mut labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
    // An empty label counts as missing.
    labels.retain(|label| !label.ends_with("=\"\""));
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

/// Ours has every IPVS metric of node_exporter, with the same labels and values. Both collectors
/// succeed.
fn compare(ours: &str, node: &str) -> Result<()> {
    let (ours, node) = (samples(ours), samples(node));
    for (series, value) in [
        ("node_scrape_collector_success{collector=\"ipvs\"}", "1"),
        ("node_scrape_collector_success{collector=\"textfile\"}", "1"),
        ("node_textfile_scrape_error", "0"),
        (
            "promhttp_metric_handler_errors_total{cause=\"gathering\"}",
            "0",
        ),
    ] {
        let found = node.get(series).with_context(|| format!("no {series}"))?;
        ensure!(found == value, "{series} {found}");
    }
    let mut compared = 0;
    for (series, value) in &node {
        let Some(same) = series.strip_prefix("node_") else {
            continue;
        };
        if !same.starts_with("ipvs_") {
            continue;
        }
        // node_exporter does not distinguish the address families of a mark.
        let of_ipv6 = same.replacen('{', "{family=\"ipv6\",", 1);
        let found = ours.get(same).or_else(|| ours.get(&of_ipv6));
        let found = found.with_context(|| format!("no {same} in {ours:#?}"))?;
        ensure!(found == value, "{same} {found} instead of {value}");
        compared += 1;
    }
    // Five counters, and three values of each server.
    ensure!(compared == 5 + 3 * 6, "{compared} compared");
    for (series, value) in &ours {
        let found = node.get(series).with_context(|| format!("no {series}"))?;
        ensure!(
            found.parse::<f64>()? == value.parse::<f64>()?,
            "{series} {found}"
        );
    }
    Ok(())
}

fn ask(debian: &Debian, here: &Namespace, question: &str, answer: &str) -> Result<()> {
    let words = ["query", "instant", "http://127.0.0.1:9090", question];
    eventually(|| {
        let said = here
            .run(&debian.program("promtool").args(words))?
            .success()?;
        let said = String::from_utf8(said)?;
        // A line has the series, an arrow, the value and the time.
        let (_, value) = said.split_once("=> ").with_context(|| said.clone())?;
        ensure!(
            value.starts_with(&format!("{answer} @")),
            "{question}: {said}"
        );
        Ok(())
    })
}
