//! Steps between random tables, run by a model that accepts and refuses the same as the kernel.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::LazyLock;

use ipvsadm::command::Command;
use ipvsadm::model::difference::{Configured, Difference, Phase, Step, Table, difference};
use ipvsadm::model::hash::Set;
use ipvsadm::model::{
    Change, Checksum, Daemon, DaemonRole, Family, Flags, Forwarding, Mask, Protocol, Server,
    Service, ServiceId, Timeouts, Tunnel, TunnelKind,
};
use ipvsadm::names::Names;
use ipvsadm::render::steps::{self, CutConnections};
use ipvsadm::render::{Out, save};
use ipvsadm::rules::{self, Meaning};
use proptest::prelude::*;
use proptest::sample::select;

use crate::any;

const CUT: CutConnections = CutConnections {
    connections: 3,
    fate: "cut",
};

/// Services of every kind, some of which share traffic.
const SERVICES: [&str; 8] = [
    "-t 192.0.2.1:80",
    "-t 192.0.2.1:443",
    "-t 192.0.2.1:0",
    "-u 192.0.2.1:53",
    "--sctp-service 192.0.2.1:9",
    "-t [2001:db8::1]:80",
    "-f 1",
    "-f 1 -6",
];

fn services() -> impl Strategy<Value = Vec<Configured>> {
    let each = SERVICES.map(|id| prop::option::of(configured(id.parse().unwrap())));
    Vec::from(each).prop_map(|services| services.into_iter().flatten().collect())
}

fn configured(id: ServiceId) -> impl Strategy<Value = Configured> {
    let servers = prop::collection::vec(prop::option::of(server(id)), 4);
    (service(id), servers).prop_map(|(service, servers)| {
        let (mut found, mut servers) = (
            HashSet::new(),
            Vec::from_iter(servers.into_iter().flatten()),
        );
        servers.retain(|server| found.insert(server.id));
        Configured { service, servers }
    })
}

/// A service that a line can express.
fn service(id: ServiceId) -> impl Strategy<Value = Service> {
    let scheduler = select(vec!["wlc", "rr", "sh"]);
    let flags = select(vec![Flags::NONE, Flags::SCHEDULER_1, Flags::ONE_PACKET]);
    let persistence = prop::option::of(1..3u32);
    (scheduler, flags, persistence, any::<bool>(), any::<bool>()).prop_map(
        move |(scheduler, flags, persistence, is_masked, has_engine)| {
            let persistence = match id {
                ServiceId::Address { port: 0, .. } => persistence.or(Some(9)),
                _ => persistence,
            };
            let mask = match id.family() {
                Family::V4 => Mask::V4([255, 255, 0, 0].into()),
                Family::V6 => Mask::V6(64),
            };
            let may_be_one_packet = id.protocol() == Protocol::UDP;
            Service {
                scheduler: scheduler.parse().unwrap(),
                flags: match flags {
                    Flags::ONE_PACKET if !may_be_one_packet => Flags::NONE,
                    flags => flags,
                },
                persistence,
                mask: if is_masked && persistence.is_some() {
                    mask
                } else {
                    Mask::whole(id.family())
                },
                engine: has_engine.then(|| "sip".parse().unwrap()),
                ..Service::new(id)
            }
        },
    )
}

/// A server that a line can express.
fn server(service: ServiceId) -> impl Strategy<Value = Server> {
    let gue = |checksum| tunnelled(TunnelKind::Gue, 6080, checksum);
    let ways = vec![
        (Forwarding::Masquerade, Tunnel::IPIP),
        (Forwarding::DirectRouting, Tunnel::IPIP),
        (Forwarding::Tunnel, Tunnel::IPIP),
        (Forwarding::Tunnel, gue(Checksum::NONE)),
        (Forwarding::Tunnel, gue(Checksum::REMOTE)),
        (
            Forwarding::Tunnel,
            tunnelled(TunnelKind::Gre, 0, Checksum::PLAIN),
        ),
    ];
    let limits = select(vec![(0, 0), (5, 0), (5, 3)]);
    (
        1..4u16,
        select(vec![80, 8080u16]),
        select(ways),
        0..3i32,
        limits,
    )
        .prop_map(
            move |(
                host,
                port,
                (forwarding, tunnel),
                weight,
                (upper_threshold, lower_threshold),
            )| {
                let address = match service.family() {
                    Family::V4 => SocketAddr::from(([10, 1, 0, host as u8], port)),
                    Family::V6 => SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, host], port)),
                };
                let mut server = Server {
                    forwarding,
                    tunnel,
                    weight,
                    upper_threshold,
                    lower_threshold,
                    ..Server::new(address)
                };
                server.id = server.placed_in(&service);
                server
            },
        )
}

fn tunnelled(kind: TunnelKind, port: u16, checksum: Checksum) -> Tunnel {
    Tunnel {
        kind,
        port,
        checksum,
    }
}

fn daemon(role: DaemonRole) -> impl Strategy<Value = Option<Daemon>> {
    let group = prop::option::of(select(vec!["224.0.0.81", "224.0.0.82", "ff05::81"]));
    // A backup may have chosen a greater length by itself.
    let lengths = match role {
        DaemonRole::Master => vec![1000, 65507],
        DaemonRole::Backup => vec![1000, 1400],
    };
    let length = prop::option::of(select(lengths));
    let daemon = (0..2u32, group, length, prop::option::of(1..3u8));
    let daemon = daemon.prop_map(move |(sync_id, group, max_length, ttl)| Daemon {
        group: group.map(|group| group.parse().unwrap()),
        max_length,
        ttl,
        ..Daemon::new(role, "eth0".parse().unwrap(), sync_id)
    });
    prop::option::of(daemon)
}

/// A table that a file can express.
fn wanted() -> impl Strategy<Value = Table> {
    let timeouts = (0..3u32, 0..3u32, 0..3u32);
    let timeouts = timeouts.prop_map(|(tcp, tcp_fin, udp)| Timeouts { tcp, tcp_fin, udp });
    let daemons = (daemon(DaemonRole::Master), daemon(DaemonRole::Backup));
    (services(), prop::option::of(timeouts), daemons).prop_map(|(services, timeouts, daemons)| {
        let daemons = daemons.0.into_iter().chain(daemons.1).collect();
        Table {
            services,
            timeouts,
            daemons,
        }
    })
}

/// Such a table as the kernel reports it.
fn current() -> impl Strategy<Value = Table> {
    wanted().prop_map(|table| Table {
        timeouts: Some(table.timeouts.unwrap_or_default().over(Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        })),
        daemons: table.daemons.iter().map(reported).collect(),
        ..table
    })
}

/// Two tables as any program may have created them, with many services and servers in both.
fn any_tables() -> impl Strategy<Value = (Table, Table)> {
    prop::collection::vec(any::service_id(), 0..5).prop_flat_map(|found| {
        // One service may take traffic from another.
        let all = found.iter().flat_map(|id| match *id {
            ServiceId::Address {
                protocol, address, ..
            } => {
                vec![*id, ServiceId::address(protocol, (address, 0).into())]
            }
            ServiceId::Mark { .. } => vec![*id],
        });
        let ids: Vec<ServiceId> = HashSet::<ServiceId>::from_iter(all).into_iter().collect();
        (any_table(&ids), any_table(&ids))
    })
}

fn any_table(ids: &[ServiceId]) -> impl Strategy<Value = Table> + use<> {
    let each = ids
        .iter()
        .map(|id| prop::option::weighted(0.75, any_configured(*id)));
    let services = each.collect::<Vec<_>>().prop_shuffle();
    (services, current()).prop_map(|(services, current)| Table {
        services: services.into_iter().flatten().collect(),
        ..current
    })
}

fn any_configured(id: ServiceId) -> impl Strategy<Value = Configured> {
    let server = (any::server(id), prop::bool::weighted(0.75));
    let servers = prop::collection::vec(server, 0..5);
    (any::service(id), servers).prop_map(|(service, servers)| {
        let servers = servers.into_iter().enumerate();
        let servers = servers.map(|(number, (mut server, is_shared))| {
            server.lower_threshold = server.lower_threshold.min(server.upper_threshold);
            if is_shared && server.id.family() == Family::V4 {
                server.id = Server::new(([10, 1, 0, number as u8], 80)).id;
            }
            server
        });
        let mut found = HashSet::new();
        let servers = servers.filter(|server| found.insert(server.id)).collect();
        Configured { service, servers }
    })
}

/// The object of a change; stopping and starting a daemon count as two.
fn object(change: &Change) -> Change {
    match *change {
        Change::AddService(service) | Change::EditService(service) => {
            Change::DeleteService(service.id)
        }
        Change::AddServer(id, server) | Change::EditServer(id, server) => {
            Change::DeleteServer(id, server.id)
        }
        change => change,
    }
}

/// The running daemon after this was requested.
fn reported(daemon: &Daemon) -> Daemon {
    let group = daemon.group.unwrap_or([224, 0, 0, 81].into());
    let headers = if group.is_ipv4() { 28 } else { 48 };
    let least = match daemon.role {
        DaemonRole::Master => 1,
        DaemonRole::Backup => 1024,
    };
    let length = daemon.max_length.unwrap_or(1500 - headers);
    Daemon {
        max_length: Some(length.clamp(least, u16::MAX - headers)),
        group: Some(group),
        port: Some(8848),
        ttl: daemon.ttl.or(Some(1)),
        ..*daemon
    }
}

/// The rest of the services of a table that another one does not name.
fn kept(current: &Table, wanted: &Table) -> Vec<Configured> {
    let is_named = |id| wanted.services.iter().any(|entry| entry.service.id == id);
    let services = current.services.iter();
    services
        .filter(|entry| !is_named(entry.service.id))
        .cloned()
        .collect()
}

/// A model of the kernel for changes.
struct Kernel(Table);

impl Kernel {
    fn apply(&mut self, change: &Change) -> Result<(), String> {
        let refuse_if = |refused, why: &str| {
            if refused {
                Err(format!("{why}: {change:?}"))
            } else {
                Ok(())
            }
        };
        let Table {
            services,
            timeouts,
            daemons,
        } = &mut self.0;
        let found = change
            .service()
            .map(|id| services.iter().position(|entry| entry.service.id == id));
        match (change, found) {
            (Change::AddService(service), Some(None)) => {
                services.push(Configured {
                    service: *service,
                    servers: Vec::new(),
                });
            }
            (Change::EditService(service), Some(Some(at))) => services[at].service = *service,
            (Change::DeleteService(_), Some(Some(at))) => drop(services.remove(at)),
            (Change::AddServer(id, server) | Change::EditServer(id, server), Some(Some(at))) => {
                let is_tunnel = server.forwarding == Forwarding::Tunnel;
                refuse_if(
                    server.id.family() != id.family() && !is_tunnel,
                    "mixed families",
                )?;
                refuse_if(
                    server.lower_threshold > server.upper_threshold,
                    "thresholds",
                )?;
                refuse_if(
                    server.tunnel.kind == TunnelKind::Gue && server.tunnel.port == 0,
                    "no port",
                )?;
                let servers = &mut services[at].servers;
                let place = servers.iter().position(|other| other.id == server.id);
                let is_edit = matches!(change, Change::EditServer(..));
                refuse_if(place.is_some() != is_edit, "exists or not")?;
                match place {
                    Some(place) => servers[place] = *server,
                    None => servers.push(*server),
                }
            }
            (Change::DeleteServer(_, server), Some(Some(at))) => {
                let servers = &mut services[at].servers;
                let before = servers.len();
                servers.retain(|other| other.id != *server);
                refuse_if(servers.len() == before, "no server")?;
            }
            (Change::SetTimeouts(new), None) => *timeouts = timeouts.map(|old| new.over(old)),
            (Change::StartDaemon(new), None) => {
                refuse_if(daemons.iter().any(|other| other.role == new.role), "runs")?;
                daemons.push(reported(new));
            }
            (Change::StopDaemon(role), None) => {
                let before = daemons.len();
                daemons.retain(|other| other.role != *role);
                refuse_if(daemons.len() == before, "does not run")?;
            }
            _ => return Err(format!("refused: {change:?}")),
        }
        Ok(())
    }
}

/// Kinds of packets, each with the services that may take it: the first one that exists does.
static PACKETS: LazyLock<Vec<Vec<ServiceId>>> = LazyLock::new(|| {
    let addresses = SERVICES.into_iter().filter(|id| !id.starts_with("-f"));
    let addresses = addresses.chain(["-t 192.0.2.1:9"]);
    let packets = addresses.flat_map(|exact| {
        let (address, _) = exact.rsplit_once(':').unwrap();
        let mark = ["-f 1", "-f 1 -6"][usize::from(exact.contains('['))];
        let unmarked = [exact.to_owned(), format!("{address}:0")];
        let marked = [vec![mark.to_owned()], unmarked.to_vec()].concat();
        [marked, unmarked.to_vec()]
    });
    let parsed = |ids: Vec<String>| ids.iter().map(|id| id.parse().unwrap()).collect();
    packets.map(parsed).collect()
});

/// The packets that find a usable server.
fn served(table: &Table) -> BTreeSet<usize> {
    let services = table.services.iter();
    let services: HashMap<_, _> = services.map(|entry| (entry.service.id, entry)).collect();
    let is_served = |packet: &Vec<ServiceId>| {
        let taker = packet.iter().find_map(|id| services.get(id));
        taker.is_some_and(|taker| taker.is_usable())
    };
    (0..PACKETS.len())
        .filter(|packet| is_served(&PACKETS[*packet]))
        .collect()
}

/// The running daemons.
fn roles(table: &Table) -> HashSet<DaemonRole> {
    table.daemons.iter().map(|daemon| daemon.role).collect()
}

/// The services that accept new connections.
fn usable(table: &Table) -> HashSet<ServiceId> {
    let usable = table.services.iter().filter(|entry| entry.is_usable());
    usable.map(|entry| entry.service.id).collect()
}

fn text(write: impl FnOnce(&mut Out)) -> String {
    let mut sink = std::io::sink();
    let mut out = Out::new(&mut sink);
    write(&mut out);
    String::from_utf8(out.unwritten().to_vec()).unwrap()
}

fn line_of(change: &Change) -> String {
    text(|out| save::change(out, &mut Names::numeric(), change))
}

/// The lines of a table by the object they add, together with the lines that edit it.
fn lines_of(services: &[Configured]) -> BTreeMap<String, [String; 2]> {
    let mut lines = BTreeMap::new();
    for Configured { service, servers } in services {
        let id = service.id;
        let both = [Change::AddService(*service), Change::EditService(*service)];
        lines.insert(
            line_of(&Change::DeleteService(id)),
            both.map(|change| line_of(&change)),
        );
        for server in servers {
            let both = [
                Change::AddServer(id, *server),
                Change::EditServer(id, *server),
            ];
            let delete = Change::DeleteServer(id, server.id);
            lines.insert(line_of(&delete), both.map(|change| line_of(&change)));
        }
    }
    lines
}

fn sorted(mut table: Table) -> Table {
    for entry in &mut table.services {
        entry.servers.sort_by_key(|server| server.id.to_string());
    }
    table
        .services
        .sort_by_key(|entry| entry.service.id.to_string());
    table.daemons.sort_by_key(|daemon| daemon.role.to_string());
    table
}

/// The same table with settings that have no effect.
fn with_idle_settings(table: &Table) -> Table {
    let mut table = table.clone();
    table.services.reverse();
    for Configured { service, servers } in &mut table.services {
        if let (None, Family::V4) = (service.persistence, service.id.family()) {
            service.mask = Mask::V4([255, 0, 0, 0].into());
        }
        servers.reverse();
        for Server {
            forwarding, tunnel, ..
        } in servers
        {
            match (*forwarding, tunnel.kind) {
                (Forwarding::Tunnel, TunnelKind::Ipip) => tunnel.port = 7,
                (Forwarding::Tunnel, TunnelKind::Gre) => tunnel.port = 8,
                (Forwarding::Tunnel, _) => tunnel.checksum.0 |= 8,
                _ => *tunnel = tunnelled(TunnelKind::Gue, 9, Checksum::PLAIN),
            }
        }
    }
    table
}

fn changes(difference: &Difference) -> Vec<Change> {
    difference.steps.iter().map(|step| step.change).collect()
}

/// Whether the next step adds a server to a service that was just added.
fn is_between(steps: &[Step], index: usize) -> bool {
    let next = steps.get(index + 1);
    next.is_some_and(|next| {
        next.phase == Phase::NewServices && matches!(next.change, Change::AddServer(..))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn steps_reach_the_target_without_a_gap(current in current(), wanted in wanted(), keep: bool) {
        let mut target = wanted.clone();
        target.services.extend(keep.then(|| kept(&current, &wanted)).into_iter().flatten());
        target.timeouts = Some(wanted.timeouts.unwrap_or_default().over(current.timeouts.unwrap()));
        target.daemons = wanted.daemons.iter().map(reported).collect();
        let is_named = |role| wanted.daemons.iter().any(|daemon| daemon.role == role);
        target.daemons.extend(current.daemons.iter().filter(|running| !is_named(running.role)));

        let always_usable = &usable(&current) & &usable(&target);
        let always_served = &served(&current) & &served(&target);
        let difference = difference(&current, &wanted, keep);
        let mut kernel = Kernel(current);
        for (index, step) in difference.steps.iter().enumerate() {
            prop_assert_eq!(kernel.apply(&step.change), Ok(()));
            prop_assert!(usable(&kernel.0).is_superset(&always_usable), "after {:?}", step.change);
            let is_served = served(&kernel.0).is_superset(&always_served);
            prop_assert!(is_served || is_between(&difference.steps, index), "after {:?}", step.change);
        }
        prop_assert_eq!(sorted(kernel.0.clone()), sorted(target));
        let again = self::difference(&kernel.0, &wanted, keep);
        prop_assert_eq!(changes(&again), []);
        let nothing = Set::default();
        prop_assert_eq!(difference.left_out(&nothing), Set::default());
        prop_assert_eq!(difference.withdrawn(&nothing), []);
    }

    #[test]
    fn each_object_that_differs_is_changed_once(current in current(), wanted in wanted(), keep: bool) {
        let (old, new) = (lines_of(&current.services), lines_of(&wanted.services));
        let mut expected = Vec::new();
        for (delete, [add, edit]) in &new {
            match old.get(delete) {
                None => expected.push(add.clone()),
                Some([_, old]) if old != edit => expected.push(edit.clone()),
                Some(_) => {}
            }
        }
        let unnamed = lines_of(&kept(&current, &wanted));
        let is_service = |delete: &&String| delete.starts_with("-D");
        let gone = old.keys().filter(|delete| !new.contains_key(*delete));
        expected.extend(gone.filter(|delete| !unnamed.contains_key(*delete)).cloned());
        expected.extend(unnamed.keys().filter(is_service).filter(|_| !keep).cloned());
        if let Some(timeouts) = wanted.timeouts.filter(|new| Some(new.over(current.timeouts.unwrap())) != current.timeouts) {
            expected.push(line_of(&Change::SetTimeouts(timeouts)));
        }
        for daemon in &wanted.daemons {
            let running = current.daemons.iter().find(|running| running.role == daemon.role);
            if running != Some(&reported(daemon)) {
                expected.extend(running.map(|running| line_of(&Change::StopDaemon(running.role))));
                expected.push(line_of(&Change::StartDaemon(*daemon)));
            }
        }
        let steps = difference(&current, &wanted, keep).steps;
        prop_assert!(steps.is_sorted_by_key(|step| step.phase));
        let mut lines: Vec<_> = steps.iter().map(|step| line_of(&step.change)).collect();
        lines.sort();
        expected.sort();
        prop_assert_eq!(lines, expected);
    }

    #[test]
    fn what_has_no_effect_makes_no_difference(current in current()) {
        let other = with_idle_settings(&current);
        prop_assert_eq!(changes(&difference(&current, &other, false)), []);
        prop_assert_eq!(changes(&difference(&other, &current, false)), []);
    }

    #[test]
    fn lines_match_the_steps(current in current(), wanted in wanted()) {
        let names = Names::numeric();
        for step in difference(&current, &wanted, false).steps {
            let line = text(|out| steps::step(out, &mut Names::numeric(), &step, CUT).unwrap());
            let read = match rules::read(line.trim_end().as_bytes(), &names) {
                Ok(Some(Command::Change(change))) => Some(change),
                Ok(Some(Command::Careful(careful))) => Some(careful.change),
                _ => None,
            };
            prop_assert_eq!(read, Some(step.change), "{}", line);
        }
        let empty = Table::default();
        let mut meaning = Meaning::new();
        for (number, step) in difference(&empty, &wanted, false).steps.iter().enumerate() {
            meaning.take(number, &Command::Change(step.change)).unwrap();
            prop_assert_eq!(meaning.line_of(&step.change), Some(number));
        }
        let timeouts = wanted.timeouts.filter(|new| *new != Timeouts::default());
        prop_assert_eq!(sorted(meaning.table), sorted(Table { timeouts, ..wanted }));
    }

    /// Whatever is refused, traffic with a server in both tables always has one.
    #[test]
    fn refused_replacements_keep_the_old_objects(
        current in current(),
        wanted in wanted(),
        keep: bool,
        unlucky in prop::collection::hash_set(0..24usize, 0..12),
    ) {
        let mut target = wanted.clone();
        target.services.extend(keep.then(|| kept(&current, &wanted)).into_iter().flatten());
        let always = &served(&current) & &served(&target);
        let running = roles(&current);
        let difference = difference(&current, &wanted, keep);
        let (mut kernel, mut refused) = (Kernel(current), Set::default());
        for phase in difference.steps.chunk_by(|one, other| one.phase == other.phase) {
            let phase = phase[0].phase;
            let left_out = difference.left_out(&refused);
            let steps = difference.steps.iter().enumerate();
            for (index, step) in steps.filter(|(index, step)| step.phase == phase && !left_out.contains(index)) {
                // It refuses only deletions of objects that do not exist.
                let is_delete = matches!(step.phase, Phase::DeleteServers | Phase::DeleteServices);
                if unlucky.contains(&index) && !is_delete {
                    refused.insert(index);
                } else if kernel.apply(&step.change).is_err() {
                    refused.insert(index);
                    let is_daemon = step.phase == Phase::Daemons;
                    prop_assert!(is_daemon || difference.is_consequence(index, &refused));
                }
                let is_served = served(&kernel.0).is_superset(&always);
                prop_assert!(is_served || phase == Phase::NewServices, "after {:?}", step.change);
            }
            if phase == Phase::NewServices {
                for id in difference.withdrawn(&refused) {
                    prop_assert_eq!(kernel.apply(&Change::DeleteService(id)), Ok(()));
                }
                prop_assert!(served(&kernel.0).is_superset(&always), "after new services");
            }
        }
        for daemon in difference.started_again(&refused) {
            prop_assert_eq!(kernel.apply(&Change::StartDaemon(daemon)), Ok(()));
        }
        prop_assert!(roles(&kernel.0).is_superset(&running));
        for step in self::difference(&kernel.0, &wanted, keep).steps {
            prop_assert_eq!(kernel.apply(&step.change), Ok(()));
        }
        prop_assert_eq!(changes(&self::difference(&kernel.0, &wanted, keep)), []);
    }
}

proptest! {
    #![proptest_config(any::cases(1_000))]

    #[test]
    fn any_table_is_reached_from_any(
        (current, wanted) in any_tables(),
        keep: bool,
        refused in prop::collection::hash_set(0..24usize, 0..6),
    ) {
        let always = &usable(&current) & &usable(&wanted);
        let difference = difference(&current, &wanted, keep);
        let (mut kernel, mut changed) = (Kernel(current.clone()), HashSet::new());
        for step in &difference.steps {
            prop_assert!(changed.insert(line_of(&object(&step.change))), "again: {:?}", step.change);
            prop_assert_eq!(kernel.apply(&step.change), Ok(()));
            prop_assert!(usable(&kernel.0).is_superset(&always), "after {:?}", step.change);
        }
        prop_assert_eq!(changes(&self::difference(&kernel.0, &wanted, keep)), []);
        prop_assert_eq!(changes(&self::difference(&current, &current, false)), []);
        if !keep {
            let [wanted, reached] = [&wanted, &kernel.0].map(|table| Table {
                services: table.services.clone(),
                ..Table::default()
            });
            prop_assert_eq!(changes(&self::difference(&wanted, &reached, false)), []);
        }

        let steps = difference.steps.len();
        let refused = refused.into_iter().filter(|step| *step < steps).collect();
        prop_assert!(difference.left_out(&refused).iter().all(|step| *step < steps));
        let is_new = |id: &ServiceId| current.services.iter().all(|entry| entry.service.id != *id);
        prop_assert!(difference.withdrawn(&refused).iter().all(is_new));
        for step in 0..steps {
            difference.is_consequence(step, &refused);
        }
    }
}

/// The lines of a difference between two files.
fn difference_of(current: &str, wanted: &str) -> String {
    let [current, wanted] = [current, wanted].map(|file| {
        let (names, mut meaning) = (Names::numeric(), Meaning::new());
        for (number, line) in file.lines().enumerate() {
            let command = rules::read(line.as_bytes(), &names).unwrap().unwrap();
            meaning.take(number, &command).unwrap();
        }
        meaning.table
    });
    let steps = difference(&current, &wanted, false).steps;
    let lines = steps
        .iter()
        .map(|step| text(|out| steps::step(out, &mut Names::numeric(), step, CUT).unwrap()));
    lines.collect()
}

#[test]
fn each_step_says_all_that_it_costs() {
    let current = "\
-A -t 192.0.2.1:0 -s rr -p 60
-a -t 192.0.2.1:0 -r 10.1.0.1 -m
-a -t 192.0.2.1:0 -r 10.1.0.2 -m
-A -t 192.0.2.2:80 -s rr
-a -t 192.0.2.2:80 -r 10.1.0.1
";
    let wanted = "\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.1.0.1 -m
-A -t 192.0.2.1:0 -s wrr -p 60 -M 255.255.255.0
-a -t 192.0.2.1:0 -r 10.1.0.1 -g -w 2
-A -f 1 -s rr
-a -f 1 -r 10.1.0.1
";
    let gap = "and refuses connections until its first server is added";
    let expected = format!(
        "\
-A -f 1 -s rr  # takes over every packet with this mark, {gap}
-a -f 1 -r 10.1.0.1:0 -g -w 1
-A -t 192.0.2.1:80 -s rr  # takes over from -t 192.0.2.1:0, {gap}
-a -t 192.0.2.1:80 -r 10.1.0.1:80 -m -w 1
-E -t 192.0.2.1:0 -s wrr -p 60 -M 255.255.255.0  \
# new connections are refused while the scheduler changes; some clients move to another server
-e -t 192.0.2.1:0 -r 10.1.0.1:0 -g -w 2  # connections that exist stay with the old method
-d -t 192.0.2.1:0 -r 10.1.0.2:0  # 3 connections: cut
-D -t 192.0.2.2:80  # 3 connections: cut
"
    );
    assert_eq!(difference_of(current, wanted), expected);
}
