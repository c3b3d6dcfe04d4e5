//! Findings about a real server that does not answer.

use std::net::IpAddr;

use super::{Check, Found, Level, setting};
use crate::doctor::facts::{Facts, RealServer, far, of_device};
use crate::kernel::{Address, Link};
use crate::model::{Checksum, Family, Forwarding, Network, Tunnel, TunnelKind};

pub const CHECKS: &[Check] = &[
    Check {
        name: "vip-missing",
        why: "\
            With direct routing and tunnels packets keep the virtual address, so a real server \
            that does not have it drops them.",
        judge: vip_missing,
    },
    Check {
        name: "vip-too-wide",
        why: "\
            On lo, an address with a prefix makes its whole network local: the host reaches no \
            other host in it. Give a virtual address the prefix of a single host.",
        judge: vip_too_wide,
    },
    Check {
        name: "vip-announced",
        why: "\
            A device that answers ARP tells other hosts that the virtual address is here, even if \
            arp_ignore covers addresses of other devices. The address belongs on lo or a dummy \
            device.",
        judge: vip_announced,
    },
    Check {
        name: "no-tunnel",
        why: "Without a tunnel device that is up, nothing unwraps packets from the tunnel.",
        judge: no_tunnel,
    },
    Check {
        name: "no-gue",
        why: "\
            Packets in a gue tunnel arrive at a UDP port, and go no further if nothing unwraps \
            them there.",
        judge: no_gue,
    },
    Check {
        name: "gre-checksum",
        why: "\
            A gre device accepts packets either with or without checksums, and the director sends \
            the other kind.",
        judge: gre_checksum,
    },
    Check {
        name: "nobody-listens",
        why: "No program listens on the virtual or the wildcard address, so clients are refused.",
        judge: nobody_listens,
    },
    Check {
        name: "arp",
        why: "\
            A real server that answers ARP for the virtual address takes it away from the \
            director.",
        judge: arp,
    },
    Check {
        name: "rp-filter",
        why: "\
            With rp_filter 1 packets from a tunnel are dropped, because no route leads to their \
            clients through it; with 2 this also happens if the device has no address. The larger \
            of the values of all and of the device counts.",
        judge: rp_filter,
    },
    Check {
        name: "no-way-back",
        why: "\
            A server must reach clients anywhere: a masqueraded server through the director, which \
            must be its default route, any other server without it.",
        judge: no_way_back,
    },
    Check {
        name: "wrong-way-back",
        why: "\
            Answers of a masqueraded server must pass the director, which puts the virtual address \
            back. Answers of other servers must not: the director drops packets from its own \
            address. Without --probe this host may not know which host has the virtual address.",
        judge: wrong_way_back,
    },
];

/// This host, if it is a real server that needs the virtual address: any but a masqueraded one.
fn with_vip(facts: &Facts) -> Option<RealServer> {
    facts
        .real_server
        .filter(|real| real.forwarding != Forwarding::Masquerade)
}

fn vip_missing(facts: &Facts) -> Vec<Found> {
    let Some(vip) = with_vip(facts).map(|real| real.vip.address) else {
        return Vec::new();
    };
    match facts.route(vip) {
        None => Vec::new(),
        Some(Some(route)) if route.is_local => Vec::new(),
        Some(_) => {
            let mut found = Found {
                level: Level::Certain,
                what: format!("this host does not have {vip}"),
                evidence: vec![(format!("ip route get {vip}"), "not local".to_owned())],
                fix: Vec::new(),
            };
            // Other hosts must not learn of the address when it is added.
            for told in tells_of(facts, vip) {
                found.evidence.extend(told.evidence);
                found.fix.extend(told.fix);
            }
            let bits = Network::bits_of(vip);
            found.fix.push(format!("ip addr add {vip}/{bits} dev lo"));
            vec![found]
        }
    }
}

/// The virtual address on this host, with each device that has it.
fn places(facts: &Facts) -> impl Iterator<Item = (&Address, &Link)> {
    let vip = with_vip(facts).map(|real| real.vip.address);
    let places = facts.addresses.iter();
    places
        .filter(move |at| Some(at.address) == vip)
        .filter_map(|at| {
            let mut links = facts.links.iter();
            Some((at, links.find(|link| link.index == at.device)?))
        })
}

fn vip_too_wide(facts: &Facts) -> Vec<Found> {
    let wide = places(facts)
        .filter(|(at, link)| link.is_loopback && u32::from(at.bits) < Network::bits_of(at.address));
    wide.map(|(at, link)| {
        moved(
            at,
            link,
            format!("lo has the whole network of {}", at.address),
        )
    })
    .collect()
}

fn vip_announced(facts: &Facts) -> Vec<Found> {
    let told = places(facts).filter(|(at, link)| at.address.is_ipv4() && answers(link));
    told.map(|(at, link)| {
        let what = format!("{} answers ARP requests for {}", link.name, at.address);
        moved(at, link, what)
    })
    .collect()
}

/// Reports an address that should move to lo, with the prefix of a single host.
fn moved(at: &Address, link: &Link, what: String) -> Found {
    let (address, device) = (at.address, &link.name);
    let here = format!("{address}/{}", at.bits);
    Found {
        level: Level::Likely,
        what,
        evidence: vec![(format!("ip addr show dev {device}"), here.clone())],
        fix: vec![
            format!("ip addr del {here} dev {device}"),
            format!("ip addr add {address}/{} dev lo", Network::bits_of(address)),
        ],
    }
}

fn is_tunnel(link: &Link) -> bool {
    let kinds = ["ipip", "gre", "sit", "ip6tnl", "ip6gre"];
    kinds.contains(&link.kind.as_str())
}

fn no_tunnel(facts: &Facts) -> Vec<Found> {
    let mut ends = facts.links.iter().filter(|link| is_tunnel(link));
    let is_needed = facts
        .real_server
        .is_some_and(|real| real.forwarding == Forwarding::Tunnel);
    if !is_needed || ends.clone().any(|link| link.is_up) {
        return Vec::new();
    }
    let last = ends.next_back();
    vec![Found {
        level: Level::Certain,
        what: "no tunnel device is up".to_owned(),
        evidence: vec![(
            "ip -d link show".to_owned(),
            "no tunnel that is up".to_owned(),
        )],
        fix: match last {
            Some(link) => vec![format!("ip link set {} up", link.name)],
            None => vec![
                "modprobe ipip".to_owned(),
                "ip link set tunl0 up".to_owned(),
            ],
        },
    }]
}

/// The director's tunnel to this host, if it is of this kind.
fn tunnel(facts: &Facts, kind: TunnelKind) -> Option<Tunnel> {
    let is_tunnelled = |real: &RealServer| real.forwarding == Forwarding::Tunnel;
    let tunnel = facts.real_server.filter(is_tunnelled)?.tunnel;
    (tunnel.kind == kind).then_some(tunnel)
}

fn no_gue(facts: &Facts) -> Vec<Found> {
    let Some(port) = tunnel(facts, TunnelKind::Gue).map(|tunnel| tunnel.port) else {
        return Vec::new();
    };
    if facts.listening.iter().any(|(_, at)| *at == port) {
        return Vec::new();
    }
    vec![Found {
        level: Level::Certain,
        what: format!("nothing takes packets out of their tunnel at port {port}"),
        evidence: vec![("ip fou show".to_owned(), format!("no port {port}"))],
        fix: vec![
            "modprobe fou".to_owned(),
            format!("ip fou add port {port} gue"),
        ],
    }]
}

fn gre_checksum(facts: &Facts) -> Vec<Found> {
    let Some(tunnel) = tunnel(facts, TunnelKind::Gre) else {
        return Vec::new();
    };
    let is_sent = tunnel.checksum != Checksum::NONE;
    let mut ends = facts
        .links
        .iter()
        .filter(|link| link.is_up && link.kind.ends_with("gre"));
    let takes_it = |link: &Link| link.wants_checksums == is_sent;
    if ends.clone().any(takes_it) {
        return Vec::new();
    }
    let (word, state) = if is_sent {
        ("icsum", "takes only packets without checksums")
    } else {
        ("noicsum", "takes only packets with checksums")
    };
    let refusing = ends.next().map(|link| Found {
        level: Level::Certain,
        what: format!("the tunnel device {} {state}", link.name),
        evidence: vec![(
            format!("ip -d link show {}", link.name),
            format!("not {word}"),
        )],
        fix: vec![format!(
            "ip link set {} type {} {word}",
            link.name, link.kind
        )],
    });
    refusing.into_iter().collect()
}

fn nobody_listens(facts: &Facts) -> Vec<Found> {
    let Some(real) = with_vip(facts) else {
        return Vec::new();
    };
    let Some(port) = real.vip.port else {
        return Vec::new();
    };
    let mut at = facts.listening.iter();
    let takes_vip = |at: &IpAddr| *at == real.vip.address || at.is_unspecified();
    if at.any(|(at, on)| *on == port && takes_vip(at)) {
        return Vec::new();
    }
    vec![Found {
        level: Level::Certain,
        what: format!("no program listens at {} port {port}", real.vip.address),
        evidence: vec![("ss -lntu".to_owned(), format!("nothing at port {port}"))],
        fix: Vec::new(),
    }]
}

fn arp(facts: &Facts) -> Vec<Found> {
    match with_vip(facts).map(|real| real.vip.address) {
        Some(vip) if vip_missing(facts).is_empty() => tells_of(facts, vip),
        Some(_) | None => Vec::new(),
    }
}

/// The settings that make devices tell others that this host has an address.
fn tells_of(facts: &Facts, vip: IpAddr) -> Vec<Found> {
    if !vip.is_ipv4() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, least) in [("arp_ignore", 1), ("arp_announce", 2)] {
        let tells = |link: &&Link| {
            let value = facts.larger(&link.name, name);
            answers(link) && value.is_some_and(|value| value < least)
        };
        let Some(link) = facts.links.iter().find(tells) else {
            continue;
        };
        let all = format!("net.ipv4.conf.all.{name}");
        let own = of_device(&link.name, name);
        found.push(Found {
            level: Level::Likely,
            what: format!("ARP on {} tells other hosts that {vip} is here", link.name),
            evidence: vec![setting(facts, &all), setting(facts, &own)],
            fix: vec![format!("sysctl -w {all}={least}")],
        });
    }
    found
}

/// Whether the device answers other hosts that ask for link-layer addresses.
fn answers(link: &Link) -> bool {
    link.is_up && link.has_neighbours && link.kind != "dummy"
}

fn rp_filter(facts: &Facts) -> Vec<Found> {
    let is_in_tunnel = |real: RealServer| real.forwarding == Forwarding::Tunnel;
    if !facts.real_server.is_some_and(is_in_tunnel) {
        return Vec::new();
    }
    let ends = facts
        .links
        .iter()
        .filter(|link| link.is_up && is_tunnel(link));
    ends.filter_map(|link| filtered(facts, link)).collect()
}

fn filtered(facts: &Facts, link: &Link) -> Option<Found> {
    const ALL: &str = "net.ipv4.conf.all.rp_filter";
    let mut addresses = facts.addresses.iter();
    let has_address = addresses.any(|at| at.device == link.index && at.address.is_ipv4());
    let largest_harmless = if has_address { 2 } else { 0 };
    let drops = match facts.larger(&link.name, "rp_filter")? {
        1 => true,
        value => value > largest_harmless,
    };
    let own = of_device(&link.name, "rp_filter");
    let fix = if has_address {
        // The larger value counts, so 2 for the device overrides 1 for `all`.
        vec![format!("sysctl -w {own}=2")]
    } else {
        let on = [ALL, &own].into_iter();
        let on = on.filter(|name| facts.sysctl(name).is_some_and(|value| value > 0));
        on.map(|name| format!("sysctl -w {name}=0")).collect()
    };
    drops.then(|| Found {
        level: Level::Certain,
        what: format!("rp_filter drops packets that arrive through {}", link.name),
        evidence: [ALL, &own].map(|name| setting(facts, name)).into(),
        fix,
    })
}

fn no_way_back(facts: &Facts) -> Vec<Found> {
    let Some(real) = facts.real_server else {
        return Vec::new();
    };
    let family = Family::of(real.vip.address);
    if facts.far_route(family) != Some(None) {
        return Vec::new();
    }
    let is_masqueraded = real.forwarding == Forwarding::Masquerade;
    vec![Found {
        level: if is_masqueraded {
            Level::Likely
        } else {
            // All clients may be in this host's own networks.
            Level::Hint
        },
        what: "no route leads to clients in other networks".to_owned(),
        evidence: vec![(
            format!("ip route get {}", far(family)),
            "unreachable".to_owned(),
        )],
        fix: Vec::new(),
    }]
}

fn wrong_way_back(facts: &Facts) -> Vec<Found> {
    let Some(real) = facts.real_server else {
        return Vec::new();
    };
    let vip = real.vip.address;
    let Some(Some(route)) = facts.far_route(Family::of(vip)) else {
        return Vec::new();
    };
    let Some(gateway) = route.gateway else {
        return Vec::new();
    };
    let known = |address| {
        let neighbours = facts.neighbours.iter();
        let at = neighbours.filter(move |at| at.address == address && at.device == route.device);
        at.filter_map(|at| at.ethernet)
    };
    let directors: Vec<[u8; 6]> = facts.owners.iter().copied().chain(known(vip)).collect();
    let Some(next) = known(gateway).next() else {
        return Vec::new();
    };
    let is_through_director = directors.contains(&next);
    let is_masqueraded = real.forwarding == Forwarding::Masquerade;
    if directors.is_empty() || is_through_director == is_masqueraded {
        return Vec::new();
    }
    let what = if is_masqueraded {
        format!("answers go through {gateway}, which is not the director")
    } else {
        format!("answers go through {gateway}, which is the director")
    };
    let device = facts.device(route.device);
    let written = |ethernet: [u8; 6]| ethernet.map(|byte| format!("{byte:02x}")).join(":");
    let owners: Vec<String> = directors.into_iter().map(written).collect();
    vec![Found {
        level: Level::Likely,
        what,
        evidence: vec![
            (
                format!("ip neigh show {gateway} dev {device}"),
                written(next),
            ),
            (format!("who has {vip}"), owners.join(", ")),
        ],
        fix: Vec::new(),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{found, host};
    use crate::doctor::facts::{Facts, RealServer, far};
    use crate::kernel::{Address, Neighbour, NeighbourState, Route};
    use crate::model::{Checksum, Family, Forwarding, Host, Tunnel, TunnelKind};

    fn server(forwarding: Forwarding) -> Facts {
        let mut facts = host();
        let address = [192, 0, 2, 1].into();
        let vip = Host {
            address,
            port: Some(80),
        };
        facts.real_server = Some(RealServer {
            vip,
            forwarding,
            tunnel: Tunnel::IPIP,
        });
        let here = Route {
            is_local: true,
            gateway: None,
            device: 1,
            mtu: None,
        };
        facts.routes.insert(address, Some(here));
        facts.listening.insert(([0; 4].into(), 80));
        facts
    }

    #[test]
    fn the_virtual_address_must_be_there() {
        let mut facts = server(Forwarding::DirectRouting);
        assert_eq!(found(&facts), "");
        facts.routes.insert([192, 0, 2, 1].into(), None);
        assert_eq!(
            found(&facts),
            "certain vip-missing: ip addr add 192.0.2.1/32 dev lo"
        );
        let ignore = "net.ipv4.conf.all.arp_ignore";
        facts.sysctls.insert(ignore.to_owned(), "0".to_owned());
        assert_eq!(
            found(&facts),
            format!("certain vip-missing: sysctl -w {ignore}=1: ip addr add 192.0.2.1/32 dev lo")
        );
        let mut facts = server(Forwarding::Masquerade);
        facts.routes.insert([192, 0, 2, 1].into(), None);
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn the_virtual_address_on_lo_has_no_network() {
        let mut facts = server(Forwarding::DirectRouting);
        let at = |device, bits| Address {
            address: [192, 0, 2, 1].into(),
            bits,
            device,
            is_duplicate: false,
        };
        let fix = |bits: u8, device: &str| {
            format!("ip addr del 192.0.2.1/{bits} dev {device}: ip addr add 192.0.2.1/32 dev lo")
        };
        facts.addresses = vec![at(1, 32)];
        assert_eq!(found(&facts), "");
        facts.addresses = vec![at(1, 24)];
        let expected = format!("likely vip-too-wide: {}", fix(24, "lo"));
        assert_eq!(found(&facts), expected);
        facts.addresses = vec![at(2, 32)];
        let expected = format!("likely vip-announced: {}", fix(32, "eth0"));
        assert_eq!(found(&facts), expected);
        facts.links[1].kind = "dummy".to_owned();
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn tunnels_end_at_a_device() {
        let mut facts = server(Forwarding::Tunnel);
        let expected = "certain no-tunnel: modprobe ipip: ip link set tunl0 up";
        assert_eq!(found(&facts), expected);
        let mut end = facts.links[1].clone();
        (end.kind, end.name, end.is_up) = ("ipip".into(), "tunl0".into(), false);
        end.has_neighbours = false;
        facts.links.push(end);
        assert_eq!(found(&facts), "certain no-tunnel: ip link set tunl0 up");
        facts.links[2].is_up = true;
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn a_program_must_listen() {
        let mut facts = server(Forwarding::DirectRouting);
        facts.listening = [([10, 0, 0, 1].into(), 80)].into();
        assert_eq!(found(&facts), "certain nobody-listens");
        facts.listening = [([192, 0, 2, 1].into(), 80)].into();
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn the_address_must_not_be_announced() {
        for (name, value) in [("arp_ignore", 1), ("arp_announce", 2)] {
            let mut facts = server(Forwarding::DirectRouting);
            let all = format!("net.ipv4.conf.all.{name}");
            facts.sysctls.insert(all.clone(), "0".to_owned());
            assert_eq!(
                found(&facts),
                format!("likely arp: sysctl -w {all}={value}")
            );
            let own = format!("net.ipv4.conf.eth0.{name}");
            facts.sysctls.insert(own, value.to_string());
            assert_eq!(found(&facts), "");
        }
    }

    #[test]
    fn strict_filters_drop_packets_from_tunnels() {
        let mut facts = server(Forwarding::Tunnel);
        let mut end = facts.links[1].clone();
        (end.index, end.name, end.kind) = (3, "tunl0".into(), "ipip".into());
        end.has_neighbours = false;
        facts.links.push(end);
        let set = |facts: &mut Facts, name: &str, value: &str| {
            let name = format!("net.ipv4.conf.{name}.rp_filter");
            facts.sysctls.insert(name, value.to_owned());
            found(facts)
        };
        let all = "certain rp-filter: sysctl -w net.ipv4.conf.all.rp_filter=0";
        let own = "sysctl -w net.ipv4.conf.tunl0.rp_filter";
        assert_eq!(set(&mut facts, "all", "1"), all);
        assert_eq!(set(&mut facts, "tunl0", "2"), format!("{all}: {own}=0"));
        facts.addresses.push(Address {
            address: [192, 0, 2, 1].into(),
            bits: 32,
            device: 3,
            is_duplicate: false,
        });
        assert_eq!(found(&facts), "");
        let expected = format!("certain rp-filter: {own}=2");
        assert_eq!(set(&mut facts, "tunl0", "0"), expected);
    }

    #[test]
    fn answers_need_a_way_back() {
        for (forwarding, expected) in [
            (Forwarding::Masquerade, "likely no-way-back"),
            (Forwarding::DirectRouting, "hint no-way-back"),
        ] {
            let mut facts = server(forwarding);
            facts.routes.insert(far(Family::V4), None);
            assert_eq!(found(&facts), expected);
        }
    }

    #[test]
    fn ends_of_tunnels_match_the_director() {
        let mut facts = server(Forwarding::Tunnel);
        let mut end = facts.links[1].clone();
        (end.index, end.kind, end.name) = (3, "gre".into(), "end".into());
        end.has_neighbours = false;
        facts.links.push(end);
        let tunnel = |kind, port, checksum| Tunnel {
            kind,
            port,
            checksum,
        };
        let real = facts.real_server.as_mut().unwrap();
        real.tunnel = tunnel(TunnelKind::Gre, 0, Checksum::PLAIN);
        let expected = "certain gre-checksum: ip link set end type gre icsum";
        assert_eq!(found(&facts), expected);
        facts.links[2].wants_checksums = true;
        assert_eq!(found(&facts), "");
        let real = facts.real_server.as_mut().unwrap();
        real.tunnel.checksum = Checksum::NONE;
        let expected = "certain gre-checksum: ip link set end type gre noicsum";
        assert_eq!(found(&facts), expected);

        let real = facts.real_server.as_mut().unwrap();
        real.tunnel = tunnel(TunnelKind::Gue, 6080, Checksum::NONE);
        let expected = "certain no-gue: modprobe fou: ip fou add port 6080 gue";
        assert_eq!(found(&facts), expected);
        facts.listening.insert(([0; 4].into(), 6080));
        assert_eq!(found(&facts), "");
    }

    #[test]
    fn answers_take_the_right_way() {
        let (director, router) = ([1; 6], [2; 6]);
        for (forwarding, next, expected) in [
            (Forwarding::Masquerade, director, ""),
            (Forwarding::Masquerade, router, "likely wrong-way-back"),
            (Forwarding::DirectRouting, director, "likely wrong-way-back"),
            (Forwarding::DirectRouting, router, ""),
        ] {
            let mut facts = server(forwarding);
            let gateway = [10, 0, 0, 254].into();
            let route = Route {
                is_local: false,
                gateway: Some(gateway),
                device: 2,
                mtu: None,
            };
            facts.routes.insert(far(Family::V4), Some(route));
            facts.neighbours.push(Neighbour {
                address: gateway,
                device: 2,
                state: NeighbourState::Other,
                ethernet: Some(next),
            });
            assert_eq!(found(&facts), "", "who the director is is not known");
            facts.owners = vec![director];
            assert_eq!(found(&facts), expected);
        }
    }
}
