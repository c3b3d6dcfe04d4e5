//! The client itself: every setting written and read back, batches, daemons, and changing tables.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipvsadm::kernel::{self, Batch, Client, Detail, Error, Netns, Refusal};
use ipvsadm::model::*;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use crate::lab::runner::KernelTest;
use crate::lab::sys;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("client::services_come_back_as_they_went", services),
        KernelTest::new("client::servers_come_back_as_they_went", servers),
        KernelTest::new("client::refusals_have_their_number", refusals),
        KernelTest::new("client::timeouts_counters_and_flush", the_rest),
        KernelTest::new("client::daemons_start_and_stop", daemons),
        KernelTest::new("client::five_thousand_refusals", many_refusals),
        KernelTest::new("client::tables_agree_whatever_their_detail", tables),
        KernelTest::new("client::a_table_that_changes", changing_table),
        KernelTest::new("client::a_user_namespace", user_namespace),
        KernelTest::new("client::another_namespace", another_namespace),
        KernelTest::new("client::forged_answers_are_kept_out", forged_answers),
    ]
}

/// A client in a network namespace of its own.
fn director(world: &mut World) -> Result<(Namespace, Client)> {
    let namespace = world.namespace("director")?;
    namespace.enter()?;
    Ok((namespace, Client::open()?))
}

/// The port of the services.
const PORT: u16 = 80;

fn tcp(address: impl Into<IpAddr>) -> ServiceId {
    ServiceId::address(Protocol::TCP, (address, PORT).into())
}

fn v4(number: u32) -> ServiceId {
    tcp(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn v6(number: u32) -> ServiceId {
    tcp(Ipv6Addr::from_bits((0xfd_u128 << 120) + u128::from(number)))
}

fn plain(id: ServiceId) -> Service {
    Service {
        scheduler: Name::new(b"rr").unwrap_or(Service::SCHEDULER),
        ..Service::new(id)
    }
}

fn real(address: impl Into<IpAddr>) -> Server {
    Server {
        forwarding: Forwarding::Masquerade,
        ..Server::new((address.into(), 8080))
    }
}

fn numbered(number: u32) -> Server {
    real(Ipv4Addr::from_bits(0x0b00_0000 + number))
}

fn refused<T>(outcome: kernel::Result<T>, errno: i32) -> Result<()> {
    match outcome {
        Err(Error::Refused(refusal)) if refusal.errno == errno => Ok(()),
        Err(error) => Err(anyhow::anyhow!("{error:?} instead of error {errno}")),
        Ok(_) => Err(anyhow::anyhow!("no error instead of error {errno}")),
    }
}

fn services(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let family = |id: ServiceId| match id.family() {
        Family::V4 => Mask::V4(Ipv4Addr::new(255, 255, 240, 0)),
        Family::V6 => Mask::V6(56),
    };
    let udp = |address: IpAddr| ServiceId::Address {
        protocol: Protocol::UDP,
        address,
        port: 5060,
    };
    let mark = |family| ServiceId::Mark {
        mark: NonZeroU32::MAX,
        family,
    };
    let sctp = ServiceId::Address {
        protocol: Protocol::SCTP,
        address: Ipv4Addr::new(10, 0, 0, 3).into(),
        port: 65535,
    };
    let ids = [
        v4(1),
        v6(1),
        udp(Ipv4Addr::new(10, 0, 0, 2).into()),
        udp("2001:db8::2".parse()?),
        sctp,
        mark(Family::V4),
        mark(Family::V6),
    ];
    for id in ids {
        let added = Service {
            scheduler: "sh".parse()?,
            flags: Flags::SCHEDULER_1 | Flags::SCHEDULER_3,
            persistence: Some(1234),
            mask: family(id),
            engine: Name::new(b"sip"),
            ..plain(id)
        };
        client.add_service(&added)?;
        ensure!(client.service(&id)?.service == added);
        // An edit replaces everything.
        client.edit_service(&plain(id))?;
        ensure!(client.service(&id)?.service == plain(id));
        // What was read can be written back.
        client.edit_service(&added)?;
        let read = client.service(&id)?.service;
        client.delete_service(&id)?;
        client.add_service(&read)?;
        ensure!(client.service(&id)?.service == added);
    }
    let all: HashSet<_> = client
        .services()?
        .iter()
        .map(|state| state.service.id)
        .collect();
    ensure!(all == HashSet::from(ids));
    Ok(())
}

fn servers(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let gue = Tunnel {
        kind: TunnelKind::Gue,
        port: 6080,
        checksum: Checksum::REMOTE,
    };
    let gre = Tunnel {
        kind: TunnelKind::Gre,
        port: 0,
        checksum: Checksum::PLAIN,
    };
    for id in [v4(1), v6(1)] {
        client.add_service(&plain(id))?;
        let tunnels = [
            Server {
                forwarding: Forwarding::Tunnel,
                tunnel: gue,
                weight: i32::MAX,
                upper_threshold: 100_000,
                lower_threshold: 99_999,
                ..Server::new((Ipv4Addr::new(10, 1, 0, 1), PORT))
            },
            Server {
                forwarding: Forwarding::Tunnel,
                tunnel: gre,
                weight: 0,
                ..Server::new(("2001:db8::1".parse::<Ipv6Addr>()?, PORT))
            },
        ];
        let reals = || client_servers(&mut Client::open()?, &id);
        for server in tunnels {
            client.add_server(&id, &server)?;
            ensure!(reals()? == [server]);
            for forwarding in [
                Forwarding::Tunnel,
                Forwarding::DirectRouting,
                Forwarding::Masquerade,
                Forwarding::Local,
                Forwarding::Bypass,
            ] {
                if server.id.family() == id.family() {
                    let edited = Server {
                        forwarding,
                        ..Server::new((server.id.address, PORT))
                    };
                    client.edit_server(&id, &edited)?;
                    ensure!(reals()? == [edited]);
                }
            }
            client.delete_server(&id, &server.id)?;
            ensure!(reals()? == []);
        }
    }
    Ok(())
}

fn client_servers(client: &mut Client, id: &ServiceId) -> Result<Vec<Server>> {
    let servers = client.servers(id)?;
    Ok(servers.into_iter().map(|state| state.server).collect())
}

fn refusals(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let (id, server) = (v4(1), numbered(1));
    refused(client.edit_service(&plain(id)), libc::ESRCH)?;
    refused(client.delete_service(&id), libc::ESRCH)?;
    refused(client.service(&id), libc::ESRCH)?;
    refused(client.servers(&id), libc::ESRCH)?;
    refused(client.servers(&v6(1)), libc::ESRCH)?;
    refused(client.zero(Some(&id)), libc::ESRCH)?;
    refused(client.add_server(&id, &server), libc::ESRCH)?;
    client.add_service(&plain(id))?;
    refused(client.add_service(&plain(id)), libc::EEXIST)?;
    let unscheduled = Service {
        scheduler: "none-such".parse()?,
        ..plain(v4(2))
    };
    refused(client.add_service(&unscheduled), libc::ENOENT)?;
    refused(client.edit_server(&id, &server), libc::ENOENT)?;
    refused(client.delete_server(&id, &server.id), libc::ENOENT)?;
    client.add_server(&id, &server)?;
    refused(client.add_server(&id, &server), libc::EEXIST)?;
    let negative = Server {
        weight: -1,
        ..numbered(2)
    };
    refused(client.add_server(&id, &negative), libc::ERANGE)?;
    let broadcast = real(Ipv4Addr::BROADCAST);
    refused(client.add_server(&id, &broadcast), libc::EINVAL)?;
    refused(client.stop_daemon(DaemonRole::Master), libc::ESRCH)
}

fn the_rest(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    ensure!(client.info()?.version == 0x01_02_01);
    let timeouts = Timeouts {
        tcp: 1000,
        tcp_fin: 0,
        udp: 30,
    };
    client.set_timeouts(&timeouts)?;
    let kept = Timeouts {
        tcp_fin: 120,
        ..timeouts
    };
    ensure!(client.timeouts()? == kept);
    client.add_service(&plain(v4(1)))?;
    client.zero(Some(&v4(1)))?;
    client.zero(None)?;
    client.flush()?;
    ensure!(client.services()?.is_empty());
    Ok(())
}

fn daemons(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let daemon = |role, group: &str| -> Result<Daemon> {
        Ok(Daemon {
            max_length: Some(1400),
            group: Some(group.parse()?),
            port: Some(9000),
            ttl: Some(7),
            ..Daemon::new(role, "lo".parse()?, 77)
        })
    };
    let backup = daemon(DaemonRole::Backup, "224.0.0.99")?;
    let backup6 = daemon(DaemonRole::Backup, "ff02::99")?;
    for backup in [backup, backup6] {
        client.start_daemon(&backup)?;
        refused(client.start_daemon(&backup), libc::EEXIST)?;
        ensure!(client.daemons()? == [backup]);
        client.stop_daemon(DaemonRole::Backup)?;
        refused(client.stop_daemon(DaemonRole::Backup), libc::ESRCH)?;
    }
    // A daemon that has not run yet stops without a reply.
    for _ in 0..20 {
        client.start_daemon(&backup)?;
        client.stop_daemon(DaemonRole::Backup)?;
        ensure!(client.daemons()?.is_empty());
    }
    let mut batch = Batch::new(client)?;
    let mut refused = Vec::new();
    let mut note = |tag, refusal: Refusal| refused.push((tag, refusal.errno));
    for _ in 0..20 {
        batch.push("start", &Change::StartDaemon(backup), &mut note)?;
        batch.push("stop", &Change::StopDaemon(DaemonRole::Backup), &mut note)?;
    }
    batch.push("again", &Change::StopDaemon(DaemonRole::Backup), &mut note)?;
    batch.send(&mut note)?;
    ensure!(refused == [("again", libc::ESRCH)], "{refused:?}");
    Ok(())
}

fn many_refusals(world: &mut World) -> Result<()> {
    let (_namespace, client) = director(world)?;
    let mut batch = Batch::new(client)?;
    let mut refused = Vec::new();
    let mut note = |tag, refusal: Refusal| refused.push((tag, refusal.errno));
    // Each service twice: the second one is refused.
    for tag in 0..10_000 {
        let service = plain(v4(tag / 2));
        batch.push(tag, &Change::AddService(service), &mut note)?;
    }
    let client = batch.client(&mut note)?;
    ensure!(client.services()?.len() == 5000);
    let second = (0..5000).map(|number| (2 * number + 1, libc::EEXIST));
    ensure!(refused == second.collect::<Vec<_>>());
    Ok(())
}

/// Makes all changes; none may be refused.
fn all(client: Client, changes: impl IntoIterator<Item = Change>) -> Result<()> {
    let mut batch = Batch::new(client)?;
    let mut refused = 0;
    for change in changes {
        batch.push((), &change, |(), _| refused += 1)?;
    }
    batch.send(|(), _| refused += 1)?;
    ensure!(refused == 0, "{refused} changes were refused");
    Ok(())
}

fn tables(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let servers: Vec<Server> = (1..=300).map(numbered).collect();
    for (ipv4, ipv6) in [(3, 0), (3, 3), (300, 0), (300, 3)] {
        client.flush()?;
        let ids: Vec<ServiceId> = (0..ipv4).map(v4).chain((0..ipv6).map(v6)).collect();
        for (number, id) in ids.iter().enumerate() {
            let persistent = number % 5 == 0;
            client.add_service(&Service {
                persistence: persistent.then_some(300),
                engine: Name::new(b"sip").filter(|_| persistent),
                ..plain(*id)
            })?;
        }
        let add = |&server| Change::AddServer(ids[1], server);
        all(Client::open()?, servers.iter().map(add))?;
        client.add_server(&ids[2], &servers[0])?;
        let ipv6_server = Server {
            forwarding: Forwarding::Tunnel,
            ..Server::new(("2001:db8::1".parse::<Ipv6Addr>()?, PORT))
        };
        client.add_server(&ids[2], &ipv6_server)?;

        let full = client.table(Detail::Full)?;
        let same = |one: &Entry, other: &Entry| {
            let servers =
                |entry: &Entry| entry.servers.iter().map(|s| s.server).collect::<Vec<_>>();
            one.service.service == other.service.service && servers(one) == servers(other)
        };
        let find = |id| full.iter().find(|entry| entry.service.service.id == id);
        ensure!(full.len() == ids.len());
        for detail in [Detail::Brief, Detail::Counters, Detail::Settings] {
            let table = client.table(detail)?;
            ensure!(table.len() == ids.len());
            for entry in &table {
                let other = find(entry.service.service.id);
                ensure!(
                    other.is_some_and(|other| same(entry, other)),
                    "{detail:?}: {entry:?} {other:?}"
                );
            }
        }
        let counts = |id| find(id).map(|entry| entry.servers.len());
        ensure!(counts(ids[1]) == Some(300) && counts(ids[2]) == Some(2));
    }
    Ok(())
}

fn changing_table(world: &mut World) -> Result<()> {
    let (_namespace, client) = director(world)?;
    let staying: Vec<Service> = (0..300)
        .map(|number| plain(v4(2 * number)))
        .chain((0..100).map(|number| plain(v6(2 * number))))
        .collect();
    let servers: Vec<Server> = (0..300).map(|number| numbered(2 * number)).collect();
    let services = staying.iter().copied().map(Change::AddService);
    let busy = staying[0].id;
    let servers = servers
        .iter()
        .map(|&server| Change::AddServer(busy, server));
    all(client, services.chain(servers))?;

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| change(v4, 300, busy, &done));
        scope.spawn(|| change(v6, 100, busy, &done));
        let outcome = list_for(Duration::from_secs(5), &staying, busy);
        done.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Keeps adding and deleting services and servers between the others.
fn change(
    id: impl Fn(u32) -> ServiceId,
    count: u32,
    busy: ServiceId,
    done: &AtomicBool,
) -> Result<()> {
    let mut client = Client::open()?;
    let mut number = 1;
    while !done.load(Ordering::Relaxed) {
        number = ((number + 14) % (2 * count)) | 1;
        let service = plain(id(number));
        if client.add_service(&service).is_err() {
            client.delete_service(&service.id)?;
        }
        let server = numbered(number);
        if client.add_server(&busy, &server).is_err() {
            // The other thread may have deleted it.
            let _ = client.delete_server(&busy, &server.id);
        }
    }
    Ok(())
}

fn list_for(time: Duration, staying: &[Service], busy: ServiceId) -> Result<()> {
    let mut client = Client::open()?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        for detail in [Detail::Brief, Detail::Full] {
            let table = client.table(detail)?;
            let ids = table.iter().map(|entry| entry.service.service.id);
            let ids: HashSet<_> = ids.collect();
            ensure!(ids.len() == table.len(), "a service came twice");
            let missing = staying.iter().filter(|service| !ids.contains(&service.id));
            ensure!(missing.count() == 0, "services are missing: {detail:?}");
            let entry = table.iter().find(|entry| entry.service.service.id == busy);
            let servers = entry.into_iter().flat_map(|entry| &entry.servers);
            let servers: HashSet<_> = servers.map(|state| state.server.id).collect();
            let missing = (0..300).filter(|number| !servers.contains(&numbered(2 * number).id));
            ensure!(missing.count() == 0, "servers are missing: {detail:?}");
        }
    }
    Ok(())
}

/// There, netlink is refused but the old socket options work.
fn user_namespace(world: &mut World) -> Result<()> {
    let namespace = world.namespace("director")?;
    let script = "\
ip link set lo up &&
ipvsadm -A -t 10.0.0.1:80 -s rr -p 60 &&
ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 3 -x 20 -y 10 &&
ipvsadm -A -f 7 -s wlc &&
ipvsadm -a -f 7 -r 10.1.0.2 -g &&
ipvsadm -e -f 7 -r 10.1.0.2 -i -w 5 &&
ipvsadm --set 100 0 0 &&
ipvsadm -L --timeout &&
printf '%s\\n' '-A -u 10.0.0.2:53' '-A -u 10.0.0.2:53' '-D -u 10.0.0.2:53' | ipvsadm -R
ipvsadm -Sn &&
ipvsadm -A -t '[2001:db8::1]:80'
ipvsadm -Ln -t 10.0.0.1:80
ipvsadm -C && ipvsadm -Sn";
    let line = format!("exec unshare --user --map-root-user --net sh -c \"{script}\"");
    let output = namespace.run(&Program::shell(Side::Ours, &line))?;
    let stdout = "\
Timeout (tcp tcpfin udp): 100 120 300
-A -t 10.0.0.1:80 -s rr -p 60
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 3 -x 20 -y 10
-A -f 7 -s wlc
-a -f 7 -r 10.1.0.2:0 -i -w 5 --tun-type ipip
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 rr persistent 60
  -> 10.1.0.1:8080                Masq    3      0          0         
";
    let stderr = "\
line 2: Service already exists
Can't initialize ipvs: Permission denied (you must be root)
Are you sure that IP Virtual Server is built in the kernel or as module?
";
    let expected = Output {
        stdout: stdout.into(),
        stderr: stderr.into(),
        status: Status::Exit(0),
    };
    ensure!(
        output == expected,
        "it gave\n{output}instead of\n{expected}"
    );
    Ok(())
}

/// A client stays in the namespace it was opened in, whichever thread uses it.
fn another_namespace(world: &mut World) -> Result<()> {
    let namespace = world.namespace("blue")?;
    let (_here, mut client) = director(world)?;
    let mut blue = Client::open_in(&Netns::new("blue"))?;
    let echo = Service::udp("127.0.0.1:7".parse()?);
    let server = Server {
        forwarding: Forwarding::Masquerade,
        ..Server::new(([127, 0, 0, 1], 8007))
    };
    thread::scope(|scope| -> Result<()> {
        let datagram = || -> Result<usize> {
            namespace.enter()?;
            sys::loopback_up()?;
            blue.add_service(&echo)?;
            blue.add_server(&echo.id, &server)?;
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            Ok(socket.send_to(b"hello", "127.0.0.1:7")?)
        };
        let sent = scope.spawn(datagram).join();
        sent.map_err(|_| anyhow::anyhow!("the thread panicked"))??;
        Ok(())
    })?;
    ensure!(client_servers(&mut blue, &echo.id)? == [server]);
    ensure!(client.services()?.is_empty());
    let count = |client: &mut Client| -> Result<usize> {
        let mut connections = client.connections()?;
        let mut count = 0;
        while connections.read()?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    ensure!(count(&mut blue)? == 1);
    ensure!(count(&mut client)? == 0);
    ensure!(Client::open_in(&Netns::new("none-such")).is_err());
    Ok(())
}

/// Root may send netlink messages to any process; the client accepts only the kernel's.
fn forged_answers(world: &mut World) -> Result<()> {
    let (_namespace, mut client) = director(world)?;
    let mut forger = Socket::new(NETLINK_GENERIC)?;
    let mut victim = Socket::new(NETLINK_GENERIC)?;
    let others = [forger.bind_auto()?, victim.bind_auto()?];
    let sockets = fs::read_to_string("/proc/thread-self/net/netlink")?;
    let ports = sockets.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_generic = fields.next()? == NETLINK_GENERIC.to_string();
        fields.next()?.parse().ok().filter(|_| is_generic)
    });
    let of_others = |port: &u32| others.iter().any(|other| other.port_number() == *port);
    let ports: Vec<u32> = ports
        .filter(|port| *port != 0 && !of_others(port))
        .collect();
    ensure!(ports.len() == 1, "the client has the ports {ports:?}");

    // An acknowledgement for every request that the client may send soon.
    for sequence in 1..100_u32 {
        let mut answer = [36_u32, 2, sequence, 0, 0].map(u32::to_ne_bytes).concat();
        answer.resize(36, 0);
        forger.send_to(&answer, &SocketAddr::new(others[1].port_number(), 0), 0)?;
        let outcome = forger.send_to(&answer, &SocketAddr::new(ports[0], 0), 0);
        let errno = outcome.err().and_then(|error| error.raw_os_error());
        ensure!(errno == Some(libc::ECONNREFUSED), "{errno:?}");
    }
    refused(client.delete_service(&v4(1)), libc::ESRCH)?;
    ensure!(client.services()?.is_empty());
    Ok(())
}
