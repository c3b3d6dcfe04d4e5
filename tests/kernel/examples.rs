//! The examples in the manual pages and the README work as described.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::lab::director::Network;
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, World};
use crate::own_words;
use crate::traffic::lan::{self, Lan};

const README: &str = include_str!("../../README.md");

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest {
            cost: 10,
            ..KernelTest::new("examples::manual", manual)
        },
        KernelTest {
            // The kernel of the director shown in the README.
            kernels: vec![Kernel::V6_12],
            ..KernelTest::new("examples::readme", readme)
        },
    ]
}

/// Where node_exporter reads metrics.
const METRICS: &str = "/var/lib/prometheus/node-exporter";

/// Runs all examples of the manual, first those in EXAMPLES, then sends requests to their services.
fn manual(world: &mut World) -> Result<()> {
    let mut site = Site::new(world)?;
    // It comes with node_exporter. Where the guest cannot write, its example is skipped.
    match fs::create_dir_all(METRICS) {
        Err(error) if error.kind() != ErrorKind::ReadOnlyFilesystem => return Err(error.into()),
        _ => {}
    }
    let (section, others) = pages()?;
    ensure!(section.len() > 20 && others.len() > 4, "where are they?");
    for example in section {
        site.play(example)?;
    }
    site.every_service_answers()?;
    for example in others {
        site.play(example)?;
    }
    Ok(())
}

/// The examples in the EXAMPLES section of the first page, and all others.
fn pages() -> Result<(Vec<Example>, Vec<Example>)> {
    let [(_, first), pages @ ..] = own_words::PAGES;
    let (before, rest) = first.split_once(".SH EXAMPLES\n").context("no examples")?;
    let (section, after) = rest.split_once("\n.SH ").context("no end")?;
    let others = [before, after]
        .into_iter()
        .chain(pages.map(|(_, page)| page));
    let others: Vec<_> = others.map(examples).collect::<Result<_>>()?;
    Ok((examples(section)?, others.into_iter().flatten().collect()))
}

/// Lines for a shell, with the text right before them on the page.
struct Example {
    introduction: String,
    lines: String,
}

/// The examples of a page, which are between `.RS` and `.RE`.
fn examples(page: &str) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    let mut paragraph = String::new();
    let mut is_over = true;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == ".RS" {
            let inside = lines.by_ref().take_while(|line| *line != ".RE");
            let text: Vec<_> = inside.map(plain).collect::<Result<_>>()?;
            examples.push(Example {
                introduction: paragraph.clone(),
                lines: text.join("\n"),
            });
        } else if line.starts_with(".PP") || line.starts_with(".S") {
            is_over = true;
        } else if !line.starts_with('.') {
            if std::mem::take(&mut is_over) {
                paragraph.clear();
            }
            paragraph += line;
        }
    }
    Ok(examples)
}

/// A line of a page without roff escapes.
fn plain(line: &str) -> Result<String> {
    let mut text = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('-') => text.push('-'),
                Some('e') => text.push('\\'),
                other => bail!("what is \\{other:?} in {line:?}?"),
            },
            _ => text.push(letter),
        }
    }
    Ok(text)
}

/// The director of the examples, its servers, and another director.
struct Site {
    lan: Lan,
    other: Namespace,
    /// Examples that need something the kernel lacks.
    left_out: String,
}

impl Site {
    fn new(world: &mut World) -> Result<Self> {
        let lan = Lan::new(world)?;
        lan.open.serve_tcp("director", &lan.director)?;
        let other = lan.host(world, "other", "addr add 172.16.0.2/24 dev eth0\n")?;
        for director in [&lan.director, &other] {
            lan::ip(director, "route add default dev eth0\n")?;
        }
        Ok(Site {
            lan,
            other,
            left_out: String::new(),
        })
    }

    /// Runs an example on the host that the page names.
    fn play(&mut self, example: Example) -> Result<()> {
        let lacks_iptables = example.lines.contains("iptables") && !lan::has_iptables()?;
        let lacks_folder = example.lines.contains(METRICS) && !Path::new(METRICS).exists();
        if lacks_iptables || lacks_folder {
            self.left_out += &example.lines;
            return Ok(());
        }
        let servers = &self.lan.servers;
        let said = &example.introduction;
        let hosts = match said.strip_prefix("On ") {
            Some(rest) if rest.starts_with("each server") => servers.iter().collect(),
            Some(rest) if rest.starts_with("the other director") => vec![&self.other],
            Some(rest) if rest.starts_with("172.16.0.11") => vec![&servers[0]],
            Some(rest) if rest.starts_with("172.16.0.12") => vec![&servers[1]],
            Some(rest) if rest.starts_with("172.16.0.13") => vec![&servers[2]],
            Some(_) => bail!("where is that: {said}"),
            None => vec![&self.lan.director],
        };
        for host in hosts {
            run(host, &example.lines).with_context(|| format!("the example of: {said}"))?;
        }
        Ok(())
    }

    /// Sends requests to every TCP service: first those by NAT, whose servers answer through the
    /// director.
    fn every_service_answers(&self) -> Result<()> {
        let table = self.lan.ipvsadm("-Sn")?;
        let services = table.split("-A -t ").skip(1);
        let services = services.filter(|service| !self.left_out.contains(address(service)));
        let (nat, direct): (Vec<_>, Vec<_>) =
            services.partition(|service| service.contains(" -m "));
        ensure!(nat.len() > 4 && !direct.is_empty(), "only\n{table}");
        for service in nat {
            self.ask(service)?;
        }
        self.lan.answer_directly()?;
        direct.into_iter().try_for_each(|service| self.ask(service))
    }

    fn ask(&self, service: &str) -> Result<()> {
        let (address, _) = service
            .split_once(' ')
            .context("a service without options")?;
        // A service for all ports has no port to send to.
        self.lan.ask(&address.replace(":0", ":80"))?;
        Ok(())
    }
}

/// The address of a saved service, without its port.
fn address(service: &str) -> &str {
    let end = service.find([']', ' ']).unwrap_or_default();
    let port = service[..end]
        .find(':')
        .filter(|_| !service.starts_with('['));
    &service[..port.unwrap_or(end)]
}

/// Lines as people paste them: each must succeed without any message.
fn run(host: &Namespace, lines: &str) -> Result<String> {
    let program = Program::new("/bin/bash").args(["-e", "-o", "pipefail", "-c", lines]);
    let output = host.run(&program)?;
    ensure!(output.stderr.is_empty(), "{lines}\n{output}");
    let output = output.success().with_context(|| lines.to_owned())?;
    Ok(String::from_utf8(output)?)
}

/// The director prints what the README shows.
fn readme(world: &mut World) -> Result<()> {
    let network = Network::new(world)?;
    let blocks = README.split("```");
    let blocks: Vec<&str> = blocks
        .filter_map(|block| block.strip_prefix("text\n"))
        .filter(|block| block.starts_with("director# "))
        .map(str::trim_end)
        .collect();
    ensure!(
        blocks.len() == 2,
        "{} directors in the README",
        blocks.len()
    );
    for shown in blocks {
        let mut seen = String::new();
        let lines = shown.lines();
        for line in lines.filter_map(|line| line.strip_prefix("director# ")) {
            // A difference has its own exit status.
            let program = Program::shell(Side::Ours, &format!("cd /tmp; exec 2>&1; {line}\n:"));
            let output = String::from_utf8(network.director.run(&program)?.success()?)?;
            seen += &format!("director# {line}\n{output}\n");
        }
        ensure!(seen.trim_end() == shown, "the director says\n{seen}");
    }
    Ok(())
}
