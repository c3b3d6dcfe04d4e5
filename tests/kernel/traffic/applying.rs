//! Changes to a table under traffic: with `--apply` and `ipvsadm-restore` no request fails, with
//! clear and restore some do.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::ask::Held;
use super::clients::{Client, Failure, Tally};
use super::lan::{Lan, eventually, ip};
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, Status, World};
use crate::sessions::number;

pub fn tests() -> Vec<KernelTest> {
    let named = |name: &str, run: fn(&mut World) -> Result<()>| {
        let name = format!("traffic::applying::{name}");
        let mut test = KernelTest::new(name, run);
        test.kernels = vec![Kernel::V6_1, Kernel::V7_2];
        test.limit = Duration::from_secs(120 + changes());
        test
    };
    vec![
        named("by_nat", by_nat),
        named("past_the_director", past_the_director),
        KernelTest {
            kernels: vec![Kernel::V7_2, Kernel::Stock6_1],
            ..named("what_the_kernel_does_not_allow", exceptions)
        },
        KernelTest {
            // Only emulated kernels have several processors.
            kernels: vec![Kernel::Stock6_1],
            ..named("on_several_processors", on_several_processors)
        },
    ]
}

/// The number of changes to each table, unless `LAB_CHANGES` asks for more.
const CHANGES: u64 = 10;

fn changes() -> u64 {
    number("LAB_CHANGES", CHANGES)
}

/// A service that clients send requests to, and how it reaches its servers.
struct Service {
    id: &'static str,
    settings: &'static str,
    /// The address and port for clients.
    asked: (i32, &'static str),
    /// The servers' addresses without the last digit.
    servers: &'static str,
    /// The rest of a server's line.
    options: &'static str,
}

use libc::{IPPROTO_TCP as TCP, IPPROTO_UDP as UDP};

const BY_NAT: [Service; 5] = [
    Service {
        id: "-t 192.0.2.1:80",
        settings: "-s wrr",
        asked: (TCP, "192.0.2.1:80"),
        servers: "172.16.0.1",
        options: ":8080 -m",
    },
    Service {
        id: "-t [2001:db8:1::1]:80",
        settings: "-s wrr",
        asked: (TCP, "[2001:db8:1::1]:80"),
        servers: "[fd00::1",
        options: "]:8080 -m",
    },
    Service {
        id: "-u 192.0.2.1:53",
        settings: "-s rr",
        asked: (UDP, "192.0.2.1:53"),
        servers: "172.16.0.1",
        options: ":5060 -m",
    },
    Service {
        id: "-t 192.0.2.2:80",
        settings: "-s rr -p 60",
        asked: (TCP, "192.0.2.2:80"),
        servers: "172.16.0.1",
        options: " -m",
    },
    Service {
        id: "-f 5",
        settings: "-s rr",
        asked: (TCP, "192.0.2.3:80"),
        servers: "172.16.0.1",
        options: " -m",
    },
];

const PAST_THE_DIRECTOR: [Service; 4] = [
    Service {
        id: "-t 198.51.100.1:80",
        settings: "-s wrr",
        asked: (TCP, "198.51.100.1:80"),
        servers: "172.16.0.1",
        options: " -g",
    },
    Service {
        id: "-t [2001:db8:1::1]:80",
        settings: "-s rr -p 60",
        asked: (TCP, "[2001:db8:1::1]:80"),
        servers: "[fd00::1",
        options: "] -g",
    },
    Service {
        id: "-u 198.51.100.1:53",
        settings: "-s wrr",
        asked: (UDP, "198.51.100.1:53"),
        servers: "172.16.0.1",
        options: " -g",
    },
    Service {
        id: "-t 198.51.100.1:443",
        settings: "-s wrr",
        asked: (TCP, "198.51.100.1:443"),
        servers: "172.16.0.1",
        options: " -i",
    },
];

impl Service {
    /// Its lines in file `number`. The second server stays, the others come and go, and weights
    /// rise and fall.
    fn lines(&self, number: u64) -> String {
        let mut lines = format!("-A {} {}\n", self.id, self.settings);
        let mut server = |name: u64, weight: u64| {
            let Self {
                id,
                servers,
                options,
                ..
            } = self;
            writeln!(lines, "-a {id} -r {servers}{name}{options} -w {weight}")
                .expect("writing to a string succeeds");
        };
        match number % 4 {
            0 => server(1, 2),
            1 => server(1, 0),
            2 => server(3, 1),
            _ => {}
        }
        server(2, 1 + number % 3);
        if number % 4 == 3 {
            server(1, 1);
            server(3, 5);
        }
        lines
    }

    /// A table with only the server that stays.
    fn alone(&self) -> String {
        let Self {
            id,
            settings,
            servers,
            options,
            ..
        } = self;
        format!("-A {id} {settings}\n-a {id} -r {servers}2{options} -w 1\n")
    }
}

/// File `number`: these services, and one without clients.
fn file(services: &[Service], number: u64) -> String {
    let lines = services.iter().map(|service| service.lines(number));
    let other = format!("-A -t 10.9.0.{}:80 -s rr\n", number % 5);
    lines.chain([other]).collect()
}

/// How to apply a file.
type Way = fn(&Lan, &str) -> Result<()>;

const FILE: &str = "/tmp/table";

fn run(lan: &Lan, program: Program) -> Result<()> {
    let output = lan.director.run(&program.limit(Duration::from_secs(60)))?;
    let is_silent = output.status == Status::Exit(0) && output.stderr.is_empty();
    ensure!(is_silent, "{output}");
    Ok(())
}

fn apply(lan: &Lan, file: &str) -> Result<()> {
    fs::write(FILE, file)?;
    run(lan, Program::ipvsadm(Side::Ours).args(["--apply", FILE]))
}

fn restore(lan: &Lan, file: &str) -> Result<()> {
    let program = Program::ipvsadm(Side::Ours).argv0("ipvsadm-restore");
    run(lan, program.stdin(file))
}

fn clear_and_restore(lan: &Lan, file: &str) -> Result<()> {
    let program = |command| Program::ipvsadm(Side::Ours).args([command]);
    run(lan, program("-C"))?;
    run(lan, program("-R").stdin(file))
}

/// Sends requests to all services without pause while their table changes.
fn under_traffic(lan: &Lan, services: &[Service], changes: u64, way: Way) -> Result<Vec<Tally>> {
    let clients = services.iter().map(|service| {
        let (protocol, address) = service.asked;
        Client::start(lan, protocol, address)
    });
    let clients: Vec<Client> = clients.collect::<Result<_>>()?;
    let changed = (1..=changes).try_for_each(|number| {
        // However busy the machine is, each client sends requests between two changes.
        let mut clients = clients.iter();
        clients.try_for_each(|client| client.has_asked_beyond(number))?;
        way(lan, &file(services, number))
    });
    let tallies = clients.into_iter().map(Client::stop).collect();
    changed?;
    tallies
}

/// The numbers of failed requests that were at a deleted server, and of others.
fn sorted_out<'a>(lan: &Lan, tallies: &'a [Tally]) -> Result<(usize, Vec<&'a Failure>)> {
    let failures: Vec<&Failure> = tallies.iter().flat_map(|tally| &tally.failed).collect();
    if failures.is_empty() {
        return Ok((0, failures));
    }
    // The director still has their connections; there may be very many.
    let list = Program::ipvsadm(Side::Ours).args(["-Lnc"]);
    let list = lan.director.run(&list.limit(Duration::from_secs(120)))?;
    let list = String::from_utf8(list.success()?)?;
    let went = |line: &&str| {
        let server = line.split_whitespace().nth(5);
        let address = server.and_then(|server| server.rsplit_once(':'));
        address.is_some_and(|(address, _)| !address.trim_end_matches(']').ends_with('2'))
    };
    let cut: HashSet<&str> = list
        .lines()
        .filter(went)
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    let was_cut = |failure: &&Failure| cut.contains(&*failure.from.to_string());
    let (cut, holes): (Vec<_>, Vec<_>) = failures.into_iter().partition(was_cut);
    Ok((cut.len(), holes))
}

/// Changes a table under traffic: objects that stay keep their connections and counters, and only
/// requests at deleted servers fail.
fn no_request_fails(
    world: &mut World,
    lan: &Lan,
    services: &[Service],
    changes: u64,
    ways: &[Way],
) -> Result<()> {
    let alone: String = services.iter().map(Service::alone).collect();
    apply(lan, &alone)?;
    let mut held: Vec<Held> = Vec::new();
    for (protocol, address) in services.iter().map(|service| service.asked) {
        if protocol == TCP {
            held.push(lan.hold(address)?);
        }
    }
    let mut asked = vec![0; services.len()];
    for way in ways {
        let tallies = under_traffic(lan, services, changes, *way)?;
        let (cut, holes) = sorted_out(lan, &tallies)?;
        let slow: usize = tallies.iter().map(|tally| tally.slow).sum();
        let counts: Vec<usize> = tallies.iter().map(|tally| tally.asked).collect();
        writeln!(
            world.shown,
            "{changes} changes, {counts:?} requests: {cut} cut, {slow} slow"
        )?;
        ensure!(holes.is_empty(), "of {counts:?} requests failed {holes:#?}");
        for (sum, count) in asked.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    for mut held in held {
        ensure!(held.answer.server == "web2", "{:?}", held.answer);
        held.send(1000)?;
        held.end()?;
    }
    // The kernel updates the counters late.
    eventually(|| {
        let stats = lan.ipvsadm("-Ln --stats --exact")?;
        for (service, asked) in services.iter().zip(&asked) {
            let (_, id) = service.id.split_once(' ').context("an identity")?;
            let mut lines = stats
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>());
            let line = lines
                .find(|words| words.get(1) == Some(&id))
                .context("no service")?;
            let count: usize = line[2].parse()?;
            ensure!(count >= *asked, "{id}: {count} counted of {asked}");
        }
        Ok(())
    })
}

fn by_nat(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.mark(5, &[("192.0.2.3", 80)])?;
    no_request_fails(world, &lan, &BY_NAT, changes(), &[apply, restore])?;

    // The control: the same with clear and restore.
    let tallies = under_traffic(&lan, &BY_NAT, changes(), clear_and_restore)?;
    let failed: usize = tallies.iter().map(|tally| tally.failed.len()).sum();
    writeln!(world.shown, "{failed} failed by clear and restore")?;
    ensure!(failed > 0, "no request failed by clear and restore");
    Ok(())
}

fn past_the_director(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    for (number, server) in (1..).zip(&lan.servers) {
        let end = format!("tunnel add end mode ipip local 172.16.0.1{number}\nlink set end up\n");
        ip(server, &end)?;
    }
    no_request_fails(world, &lan, &PAST_THE_DIRECTOR, changes(), &[apply])
}

/// Races that only appear if the director really does two things at the same time.
fn on_several_processors(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.mark_by_nft(5, &[("192.0.2.3", 80)])?;
    no_request_fails(world, &lan, &BY_NAT, changes(), &[apply])
}

/// Two kinds of change leave a gap in any order of steps: `--diff` says so.
fn exceptions(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    let service = &BY_NAT[..1];
    let scheduler: Way = |lan, file| {
        let other = file.replace("wrr", "rr");
        marked(
            lan,
            &other,
            "new connections are refused while the scheduler changes",
        )?;
        apply(lan, &other)?;
        apply(lan, file)
    };
    let takeover: Way = |lan, file| {
        let lines = file.split_inclusive('\n');
        let exact: String = lines.filter(|line| line.contains("192.0.2.1")).collect();
        let wider = exact.replace(":8080", "").replace(":80 ", ":0 ");
        let wider = wider.replace("-s wrr", "-s wrr -p 60");
        apply(lan, &wider)?;
        let both = wider + &exact;
        marked(lan, &both, "takes over from -t 192.0.2.1:0")?;
        apply(lan, &both)
    };
    for (name, way) in [("scheduler", scheduler), ("takeover", takeover)] {
        apply(&lan, &file(service, 0))?;
        let tallies = under_traffic(&lan, service, changes(), way)?;
        let Tally {
            asked,
            slow,
            failed,
        } = &tallies[0];
        writeln!(
            world.shown,
            "{name}: {} of {asked} failed, {slow} slow",
            failed.len()
        )?;
        ensure!(failed.len() as u64 <= 2 * changes(), "{failed:?}");
    }
    Ok(())
}

/// An error unless `--diff` says this about what a file changes.
fn marked(lan: &Lan, file: &str, mark: &str) -> Result<()> {
    let diff = Program::ipvsadm(Side::Ours).args(["--diff"]).stdin(file);
    let output = lan.director.run(&diff)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.contains(mark), "no {mark:?} in\n{output}");
    Ok(())
}
