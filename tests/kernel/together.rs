//! Concurrency: writers, listers and restores that do not know about each other.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use ipvsadm::kernel::{Batch, Client, Detail, Error, Refusal};
use ipvsadm::model::*;

use crate::lab::kernels;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Output, Program, Running, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest {
            // Only the stock kernels have several processors.
            kernels: [&kernels::USER_MODE[..], &kernels::STOCK].concat(),
            ..KernelTest::new("together::writers_and_listers", |world| {
                let namespace = world.namespace("director")?;
                namespace.enter()?;
                let tally = storm(Duration::from_secs(3))?;
                world.shown = format!("{} changes, {} lists", tally.changes, tally.lists);
                Ok(())
            })
        },
        KernelTest::new("together::the_same_lines_twice", same_lines),
        KernelTest::new("together::many_replace_the_table", replacements),
    ]
}

const WRITERS: u32 = 10;
const LISTERS: u32 = 5;

/// The numbers of the services that stay, and how many services each writer owns.
const STAYING: Range<u32> = 0..200;
const OWN: u32 = 30;

/// A service that stays, and the numbers of its servers that stay.
const BUSY: u32 = 0;
const SERVERS: Range<u32> = 0..100;

/// The newest kernels can resize these tables.
const LOADS: [&str; 2] = [
    "/proc/sys/net/ipv4/vs/svc_lfactor",
    "/proc/sys/net/ipv4/vs/conn_lfactor",
];

/// The amount of work done.
pub struct Tally {
    pub changes: usize,
    pub lists: usize,
}

/// Ten writers and five listers in this network namespace. No staying service is ever missing or
/// listed twice, and the final table is exactly what was acknowledged.
pub fn storm(time: Duration) -> Result<Tally> {
    let mut client = Client::open()?;
    client.flush()?;
    let staying: Vec<Service> = STAYING.map(service).collect();
    let servers: Vec<Server> = SERVERS.map(server).collect();
    let busy = service(BUSY).id;
    let services = staying.iter().copied().map(Change::AddService);
    let servers = servers
        .iter()
        .map(|&server| Change::AddServer(busy, server));
    all(&mut Batch::new(client)?, services.chain(servers))?;

    let over = &AtomicBool::new(false);
    let end = Instant::now() + time;
    let (changes, lists) = thread::scope(|scope| {
        let writers: Vec<_> = (1..=WRITERS)
            .map(|number| scope.spawn(move || write(STAYING.end + number * OWN, over)))
            .collect();
        let listers: Vec<_> = (0..LISTERS).map(|_| scope.spawn(|| list(over))).collect();
        scope.spawn(|| resize(over));
        let all_run = || {
            writers
                .iter()
                .chain(&listers)
                .all(|thread| !thread.is_finished())
        };
        while Instant::now() < end && all_run() {
            thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        let sum = |threads: Vec<thread::ScopedJoinHandle<Result<usize>>>| -> Result<usize> {
            let counts = threads.into_iter().map(|thread| {
                let outcome = thread.join();
                outcome.map_err(|_| anyhow!("a thread panicked"))?
            });
            counts.sum()
        };
        let (changes, lists) = (sum(writers), sum(listers));
        anyhow::Ok((changes?, lists?))
    })?;

    // Each writer finished with the first half of its services.
    let mut expected: HashSet<ServiceId> = STAYING.map(|number| service(number).id).collect();
    for writer in 1..=WRITERS {
        let first = STAYING.end + writer * OWN;
        expected.extend((first..first + OWN / 2).map(|number| service(number).id));
    }
    let table = Client::open()?.table(Detail::Full)?;
    let found: HashSet<_> = table.iter().map(|entry| entry.service.service.id).collect();
    ensure!(found == expected, "the final table is different");
    ensure!(changes > 0 && lists > 0, "too little was done");
    Ok(Tally { changes, lists })
}

/// Three of four use IPv4.
fn service(number: u32) -> Service {
    let address: IpAddr = match number % 4 {
        3 => Ipv6Addr::from_bits((0xfd_u128 << 120) + u128::from(number)).into(),
        _ => Ipv4Addr::from_bits(0x0a00_0000 + number).into(),
    };
    // The emulated kernels have this scheduler and no other.
    Service {
        scheduler: Scheduler::new(b"rr").expect("a short name"),
        ..Service::tcp((address, 80).into())
    }
}

fn server(number: u32) -> Server {
    Server {
        forwarding: Forwarding::Masquerade,
        ..Server::new((Ipv4Addr::from_bits(0x0b00_0000 + number), 8080))
    }
}

/// Makes all changes; none may be refused.
fn all(
    batch: &mut Batch<Client, usize>,
    changes: impl IntoIterator<Item = Change>,
) -> Result<usize> {
    let mut refused = Vec::new();
    let mut count = 0;
    for change in changes {
        batch.push(count, &change, |place, refusal: Refusal| {
            refused.push((place, refusal.errno))
        })?;
        count += 1;
    }
    batch.send(|place, refusal: Refusal| refused.push((place, refusal.errno)))?;
    ensure!(refused.is_empty(), "refused: {refused:?}");
    Ok(count)
}

/// Keeps adding and deleting its own services and servers, in batches and one by one.
fn write(first: u32, over: &AtomicBool) -> Result<usize> {
    let services: Vec<Service> = (first..first + OWN).map(service).collect();
    let servers: Vec<Server> = (first..first + OWN).map(server).collect();
    let (kept, extra) = services.split_at(OWN as usize / 2);
    let busy = service(BUSY).id;
    let mut batch = Batch::new(Client::open()?)?;
    let mut changes = all(&mut batch, kept.iter().copied().map(Change::AddService))?;
    while !over.load(Ordering::Relaxed) {
        let added = extra.iter().copied().map(Change::AddService);
        let busier = servers
            .iter()
            .map(|&server| Change::AddServer(busy, server));
        changes += all(&mut batch, added.chain(busier))?;
        let client = batch.client(|_, _| {})?;
        for service in services.iter().step_by(7) {
            client.service(&service.id).context("it was added")?;
        }
        for service in kept {
            client.edit_service(service)?;
            changes += 1;
        }
        for service in extra.iter().step_by(2) {
            client.delete_service(&service.id)?;
            let gone = client.service(&service.id);
            let is_gone = matches!(
                gone,
                Err(Error::Refused(Refusal {
                    errno: libc::ESRCH,
                    ..
                }))
            );
            ensure!(is_gone, "it was deleted: {gone:?}");
            changes += 1;
        }
        let deleted = extra.iter().skip(1).step_by(2);
        let deleted = deleted.map(|service| Change::DeleteService(service.id));
        let idler = servers
            .iter()
            .map(|server| Change::DeleteServer(busy, server.id));
        changes += all(&mut batch, deleted.chain(idler))?;
    }
    Ok(changes)
}

/// Lists in every possible way.
fn list(over: &AtomicBool) -> Result<usize> {
    let staying: HashSet<ServiceId> = STAYING.map(|number| service(number).id).collect();
    let known: HashSet<ServiceId> = (0..STAYING.end + (WRITERS + 1) * OWN)
        .map(|number| service(number).id)
        .collect();
    let servers: HashSet<ServerId> = SERVERS.map(|number| server(number).id).collect();
    let busy = service(BUSY).id;
    let mut client = Client::open()?;
    let mut lists = 0;
    while !over.load(Ordering::Relaxed) {
        for detail in [Detail::Brief, Detail::Full] {
            let table = client.table(detail)?;
            let found = distinct(table.iter().map(|entry| entry.service.service.id))?;
            let missing = staying.difference(&found).count();
            ensure!(missing == 0, "{missing} services are missing: {detail:?}");
            ensure!(
                found.is_subset(&known),
                "it lists services that never existed"
            );
            for entry in &table {
                let found = distinct(entry.servers.iter().map(|state| state.server.id))?;
                let expected = entry.service.service.id == busy;
                let missing = servers.difference(&found).filter(|_| expected).count();
                ensure!(missing == 0, "{missing} servers are missing: {detail:?}");
            }
            lists += 1;
        }
        let found = distinct(client.services()?.iter().map(|state| state.service.id))?;
        ensure!(found.is_superset(&staying), "services are missing");
        let found = distinct(client.servers(&busy)?.iter().map(|state| state.server.id))?;
        ensure!(found.is_superset(&servers), "servers are missing");
        lists += 2;
    }
    Ok(lists)
}

fn distinct<T: Eq + std::hash::Hash>(
    items: impl ExactSizeIterator<Item = T>,
) -> Result<HashSet<T>> {
    let count = items.len();
    let items: HashSet<T> = items.collect();
    ensure!(items.len() == count, "something came twice");
    Ok(items)
}

/// Makes tables grow and shrink, where the kernel supports it.
fn resize(over: &AtomicBool) -> Result<()> {
    let loads = LOADS.map(Path::new);
    let mut factors = (-8..=8).cycle();
    while !over.load(Ordering::Relaxed) && loads[0].exists() {
        let factor = factors.next().unwrap_or_default().to_string();
        for load in loads {
            fs::write(load, &factor)?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

const LINES: u32 = 400;

fn rules(network: u32) -> String {
    let lines = (1..=LINES).map(|number| {
        let (high, low) = (number / 250, number % 250);
        format!("-A -t 10.{network}.{high}.{low}:80 -s rr\n")
    });
    lines.collect()
}

fn sorted(table: &[u8]) -> HashSet<String> {
    let table = String::from_utf8_lossy(table);
    table.lines().map(|line| format!("{line}\n")).collect()
}

/// Each line succeeds in one of two restores and is refused in the other.
fn same_lines(world: &mut World) -> Result<()> {
    let director = world.namespace("director")?;
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules(1));
    let mut running = [director.start(&restore)?, director.start(&restore)?];
    let mut refused = 0;
    for restore in &mut running {
        let output = restore.finish(Duration::from_secs(20))?;
        let refusals = String::from_utf8_lossy(&output.stderr).lines().count();
        let status = if refusals == 0 { 0 } else { 255 };
        ensure!(output.status == Status::Exit(status), "{output}");
        refused += refusals;
    }
    ensure!(refused == LINES as usize, "{refused} lines were refused");
    let list = Program::ipvsadm(Side::Ours).args(["-Sn"]);
    let table = director.run(&list)?.success()?;
    ensure!(table.iter().filter(|&&byte| byte == b'\n').count() == LINES as usize);
    ensure!(sorted(&table) == sorted(rules(1).as_bytes()), "other lines");
    Ok(())
}

/// When two or ten programs replace the table, the result is exactly the last one's.
fn replacements(world: &mut World) -> Result<()> {
    let director = world.namespace("director")?;
    let programs = (1..=10).map(|network| {
        let program = Program::ipvsadm(Side::Ours).stdin(whole_table(network));
        match network % 2 {
            0 => program.args(["--apply"]),
            _ => program.argv0("ipvsadm-restore"),
        }
    });
    let programs: Vec<Program> = programs.collect();
    let files: Vec<_> = (1..=10)
        .map(|network| sorted(whole_table(network).as_bytes()))
        .collect();
    for together in [&programs[..2], &programs[2..4], &programs[4..6], &programs] {
        let running = together.iter().map(|program| director.start(program));
        let running: Vec<Running> = running.collect::<Result<_>>()?;
        for mut program in running {
            let output = program.finish(Duration::from_secs(60))?;
            let is_alone = output.status == Status::Exit(0) && !said_more(&output);
            ensure!(is_alone, "{output}");
        }
        let list = Program::ipvsadm(Side::Ours).args(["-Sn"]);
        let table = sorted(&director.run(&list)?.success()?);
        ensure!(files.contains(&table), "the files are mixed");
    }
    Ok(())
}

/// Its own services, and some shared with others, with the same server at another weight and with
/// a server of its own.
fn whole_table(network: u32) -> String {
    let shared = (1..=20).map(|number| {
        let service = format!("-t 192.0.2.{number}:80");
        format!(
            "-A {service} -s rr\n\
             -a {service} -r 172.16.0.1:80 -g -w {network}\n\
             -a {service} -r 172.16.1.{network}:80 -g -w 1\n"
        )
    });
    shared.chain([rules(network)]).collect()
}

/// Whether a program printed anything but that it waited for another one.
fn said_more(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .any(|line| !line.starts_with("waiting for process "))
}
