//! Servers that other programs made, which spoil the reference's listings and saves.

use anyhow::{Result, ensure};
use ipvsadm::kernel::Client;
use ipvsadm::model::*;

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![KernelTest::new(
        "defects::servers_that_nobody_knows",
        strange_servers,
    )]
}

/// A server that only another program can have made, and what the two programs say of it in a
/// listing of tunnels and in a save.
struct Strange {
    forwarding: Forwarding,
    kind: TunnelKind,
    checksum: u16,
    listed: [&'static str; 2],
    saved: [&'static str; 2],
}

/// Where the reference crashes.
const CRASH: &str = "crash";

const STRANGE: &[Strange] = &[
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gue,
        checksum: 3,
        listed: ["Tunnel  gue:7:(null)", "Tunnel  gue:7:r+c"],
        saved: [CRASH, "-i -w 1 --tun-type gue --tun-port 7 --tun-remcsum"],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gre,
        checksum: 3,
        listed: ["Tunnel  gre:(null)", "Tunnel  gre:r+c"],
        saved: [CRASH, "-i -w 1 --tun-type gre --tun-remcsum"],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gre,
        checksum: 2,
        listed: ["Tunnel  gre:r+c"; 2],
        saved: ["-i -w 1 --tun-type gre --tun-remcsum"; 2],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Unknown(9),
        checksum: 0,
        listed: ["Tunnel  n/a"; 2],
        saved: ["-i -w 1"; 2],
    },
    Strange {
        forwarding: Forwarding::Bypass,
        kind: TunnelKind::Ipip,
        checksum: 0,
        listed: ["(null)  n/a", "Bypass  n/a"],
        saved: ["(null) -w 1", "-g -w 1"],
    },
    Strange {
        forwarding: Forwarding::Unknown(5),
        kind: TunnelKind::Ipip,
        checksum: 0,
        listed: ["(null)  n/a", "Unknown n/a"],
        saved: ["(null) -w 1", "-g -w 1"],
    },
    Strange {
        forwarding: Forwarding::Local,
        kind: TunnelKind::Gre,
        checksum: 1,
        listed: ["Local   n/a"; 2],
        saved: ["-g -w 1"; 2],
    },
];

/// Each of them stands before another server, which must not be lost.
fn strange_servers(world: &mut World) -> Result<()> {
    let director = world.namespace("director")?;
    director.enter()?;
    let mut client = Client::open()?;
    let id = ServiceId::Mark {
        mark: 1,
        family: Family::V4,
    };
    client.add_service(&Service {
        id,
        scheduler: Name::new(b"rr"),
        flags: Flags::NONE,
        persistence: 0,
        mask: Mask::whole(Family::V4),
        engine: Name::EMPTY,
    })?;
    client.add_server(&id, &server(2, Forwarding::DirectRouting, Tunnel::IPIP))?;
    for strange in STRANGE {
        let tunnel = Tunnel {
            kind: strange.kind,
            port: 7,
            checksum: Checksum(strange.checksum),
        };
        let made = server(1, strange.forwarding, tunnel);
        client.add_server(&id, &made)?;
        for (index, side) in [Side::Reference, Side::Ours].into_iter().enumerate() {
            let title = "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn";
            let listed = format!(
                "Prot LocalAddress:Port Scheduler Flags\n{title}\nFWM  1 rr\n  -> 10.0.0.1:0                   {:<21} {LOAD}  -> 10.0.0.2:0                   {:<21} {LOAD}",
                strange.listed[index], "Route   n/a"
            );
            expect(
                &director,
                side,
                &["-Ln", "--tun-info", "-f", "1"],
                Some(listed),
            )?;
            let saved = format!(
                "-A -f 1 -s rr\n-a -f 1 -r 10.0.0.1:0 {}\n-a -f 1 -r 10.0.0.2:0 -g -w 1\n",
                strange.saved[index]
            );
            let saved = (strange.saved[index] != CRASH).then_some(saved);
            expect(&director, side, &["-Sn"], saved)?;
        }
        world.comparisons += 2;
        client.delete_server(&id, &made.id)?;
    }
    Ok(())
}

/// Weight and connections of a server.
const LOAD: &str = "1      0          0         \n";

fn server(number: u8, forwarding: Forwarding, tunnel: Tunnel) -> Server {
    Server {
        id: ServerId {
            address: [10, 0, 0, number].into(),
            port: 0,
        },
        forwarding,
        tunnel,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

/// That one program prints this, or is killed where nothing is expected.
fn expect(director: &Namespace, side: Side, words: &[&str], text: Option<String>) -> Result<()> {
    let output = director.run(&Program::ipvsadm(side).args(words))?;
    let is_expected = match &text {
        Some(text) => output == printed(text),
        None => matches!(output.status, Status::Signal(_)),
    };
    ensure!(
        is_expected,
        "{side:?} {words:?} gave\n{output}instead of\n{}",
        text.as_deref().unwrap_or(CRASH)
    );
    Ok(())
}

fn printed(text: &str) -> Output {
    Output {
        stdout: text.into(),
        stderr: Vec::new(),
        status: Status::Exit(0),
    }
}
