//! Values that the kernel would misinterpret are not sent.

use ipvsadm::cli;
use ipvsadm::kernel::{Batch, Client, Error};
use ipvsadm::model::*;
use ipvsadm::names::Names;

use crate::script::{Script, Step};
use crate::values::*;
use crate::wire;

fn added(change: impl FnOnce(&mut Service), id: ServiceId) -> Change {
    let mut service = service(id);
    change(&mut service);
    Change::AddService(service)
}

fn added_server(change: impl FnOnce(&mut Server)) -> Change {
    let mut server = server("10.1.2.3");
    change(&mut server);
    Change::EditServer(tcp(), server)
}

fn started(change: impl FnOnce(&mut Daemon)) -> Change {
    let mut daemon = daemon("224.0.0.81");
    change(&mut daemon);
    Change::StartDaemon(daemon)
}

fn wrong() -> Vec<(Change, &'static str)> {
    let whole = Mask::whole;
    let ipv4 = "the mask of an IPv4 service is an IPv4 address";
    let ipv6 = "the mask of an IPv6 service is a prefix of 1 to 128 bits";
    let mut wrong = vec![
        (added(|it| it.mask = whole(Family::V6), tcp()), ipv4),
        (added(|it| it.mask = whole(Family::V4), udp6()), ipv6),
        (
            added(|it| it.mask = whole(Family::V4), mark(Family::V6)),
            ipv6,
        ),
        (added(|it| it.mask = Mask::V6(0), udp6()), ipv6),
        (added(|it| it.mask = Mask::V6(129), udp6()), ipv6),
        (
            started(|it| it.sync_id = 256),
            "the syncid of a daemon is at most 255",
        ),
        (
            started(|it| it.max_length = Some(0)),
            "the longest message of a daemon has at least 1 byte",
        ),
        (
            started(|it| it.port = Some(0)),
            "the port of a daemon is not 0",
        ),
        (
            started(|it| it.ttl = Some(0)),
            "the time to live of a daemon's packets is not 0",
        ),
    ];
    for seconds in [4_294_968, u32::MAX] {
        let mut service = service(tcp());
        service.persistence = Some(seconds);
        let message = "persistence is at most 4294967 seconds";
        wrong.push((Change::AddService(service), message));
        wrong.push((Change::EditService(service), message));
    }
    let at_once = added(|it| it.persistence = Some(0), tcp());
    wrong.push((at_once, "persistence is at least 1 second"));
    for number in [0, 47, 65535] {
        let address = "192.0.2.1:80".parse().unwrap();
        let id = ServiceId::address(Protocol(number), address);
        wrong.push((
            Change::AddService(service(id)),
            "IPVS balances TCP, UDP and SCTP only",
        ));
    }
    let every_port = Service::new(every_port());
    let message = "a service for every port must be persistent";
    wrong.push((Change::AddService(every_port), message));
    wrong.push((Change::EditService(every_port), message));
    for method in [0, 1, 2, 3, 4, 8, 255] {
        let change = added_server(|it| it.forwarding = Forwarding::Unknown(method));
        wrong.push((
            change,
            "the number of an unknown forwarding method is 5, 6 or 7",
        ));
    }
    for kind in 0..=2 {
        let change = added_server(|it| it.tunnel.kind = TunnelKind::Unknown(kind));
        wrong.push((
            change,
            "the number of an unknown kind of tunnel is 3 to 255",
        ));
    }
    let methods = [
        Forwarding::DirectRouting,
        Forwarding::Tunnel,
        Forwarding::Local,
        Forwarding::Bypass,
    ];
    for forwarding in methods {
        wrong.push((
            Change::AddServer(tcp(), elsewhere(forwarding)),
            "without masquerading, a server has the port of its service",
        ));
    }
    wrong
}

fn every_port() -> ServiceId {
    tcp().for_all_ports().expect("a service for one port")
}

/// A server at a port that its service does not have.
fn elsewhere(forwarding: Forwarding) -> Server {
    let ServiceId::Address { port, .. } = tcp() else {
        unreachable!()
    };
    let mut server = server("10.1.2.3");
    server.id.port = port + 1;
    server.forwarding = forwarding;
    server
}

#[test]
fn what_the_kernel_showed_is_put_back() {
    let mut daemon = daemon("224.0.0.81");
    daemon.sync_id = 256;
    let changes = [
        Change::AddService(Service::new(every_port())),
        Change::AddServer(tcp(), elsewhere(Forwarding::DirectRouting)),
        Change::StartDaemon(daemon),
    ];
    for change in changes {
        client().put_back(&change).unwrap();
    }
}

#[test]
fn values_that_the_kernel_would_misread_are_not_sent() {
    for (change, message) in wrong() {
        let error = Script::new([]).client().apply(&change).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{change:?}: {error}");
        assert_eq!(error.to_string(), message, "{change:?}");
        assert_eq!(error.errno(), Some(libc::EINVAL));
        let mut batch = Batch::new(Script::new([]).client()).unwrap();
        let error = batch.push((), &change, |_, _| unreachable!()).unwrap_err();
        assert_eq!(error.to_string(), message, "{change:?}");
        batch.send(|_, _| unreachable!()).unwrap();
    }
}

/// A client of a kernel that makes one change.
fn client() -> Client {
    Script::new([Step::Sent, Step::Received(vec![wire::verdict(0, 0)])]).client()
}

#[test]
fn the_limits_themselves_are_sent() {
    let changes = [
        added(|it| it.persistence = Some(4_294_967), tcp()),
        // Other programs can set it.
        Change::EditService(Service {
            persistence: Some(0),
            ..service(tcp())
        }),
        added(|it| it.persistence = Some(1), every_port()),
        added(|it| it.mask = Mask::V6(1), udp6()),
        added(|it| it.mask = Mask::V6(128), mark(Family::V6)),
        added_server(|it| it.forwarding = Forwarding::Unknown(5)),
        added_server(|it| it.tunnel.kind = TunnelKind::Unknown(3)),
        started(|it| it.sync_id = 255),
        Change::StartDaemon(plain_daemon()),
        Change::AddServer(tcp(), elsewhere(Forwarding::Masquerade)),
        Change::AddServer(mark(Family::V4), elsewhere(Forwarding::DirectRouting)),
        // It may be changed where it is.
        Change::EditServer(tcp(), elsewhere(Forwarding::DirectRouting)),
    ];
    for change in changes {
        client().apply(&change).unwrap();
    }
}

/// The command line has narrower limits, and its masks have the family of their service.
#[test]
fn what_the_command_line_takes_is_sent() {
    let lines = "\
-A -t 192.0.2.1:80 -p 2678400 -M 0.0.0.0
-A -M 64 -t [2001:db8::1]:80 -p 1
-A -M 129 -t [2001:db8::1]:80 -p
-A -M 255.255.255.0 -t [2001:db8::1]:80 -p
-A -6 -M 128 -f 1 -p
-A -f 1 -M 10.0.0.0 -6 -p
-A -f 1 -M 255.255.255.255 -6 -p
-E -M 1 -f 1 -6 -p
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gre
--start-daemon=master --syncid 255 --sync-maxlen 1 --mcast-port 1 --mcast-ttl 1
--start-daemon=backup --syncid 0 --sync-maxlen 65507";
    for line in lines.lines() {
        let words = line.split(' ').map(str::as_bytes);
        let request = cli::read(b"ipvsadm", words, &Names::numeric()).expect(line);
        let change = request.command.plain_change().expect(line);
        client().apply(change).expect(line);
    }
    for line in [
        "-A -6 -M 64 -t 192.0.2.1:80 -p",
        "-A -t [2001:db8::1]:80 -M 129 -p",
        "-A -t 192.0.2.1:80 -p 2678401",
    ] {
        let words = line.split(' ').map(str::as_bytes);
        let request = cli::read(b"ipvsadm", words, &Names::numeric());
        assert!(request.is_err(), "{line}");
    }
}
