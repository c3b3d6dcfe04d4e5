//! Servers made by other programs, which break the reference's listings and saves.

use std::num::NonZeroU32;

use anyhow::{Result, ensure};
use ipvsadm::kernel::Client;
use ipvsadm::model::*;

use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("defects::servers_that_nobody_knows", strange_servers),
        KernelTest::new("defects::services_that_nobody_knows", strange_service),
    ]
}

/// A server that only another program can have created, and how the two programs show it in a
/// listing of tunnels and in a save.
struct Strange {
    forwarding: Forwarding,
    kind: TunnelKind,
    checksum: u16,
    listed: [&'static str; 2],
    saved: [Saved; 2],
}

/// The saved line of such a server, with its options.
enum Saved {
    Line(&'static str),
    /// Ours reports on standard error that no line can express it: the line of the reference is
    /// refused by a restore, or becomes another server.
    Unsaid(&'static str),
    Crash,
}

use Saved::{Crash, Line, Unsaid};

const STRANGE: &[Strange] = &[
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gue,
        checksum: 3,
        listed: ["Tunnel  gue:7:(null)", "Tunnel  gue:7:r+c"],
        saved: [
            Crash,
            Unsaid("-i -w 1 --tun-type gue --tun-port 7 --tun-remcsum"),
        ],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gre,
        checksum: 3,
        listed: ["Tunnel  gre:(null)", "Tunnel  gre:r+c"],
        saved: [Crash, Unsaid("-i -w 1 --tun-type gre --tun-remcsum")],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Gre,
        checksum: 2,
        listed: ["Tunnel  gre:r+c"; 2],
        saved: [
            Line("-i -w 1 --tun-type gre --tun-remcsum"),
            Unsaid("-i -w 1 --tun-type gre --tun-remcsum"),
        ],
    },
    Strange {
        forwarding: Forwarding::Tunnel,
        kind: TunnelKind::Unknown(9),
        checksum: 0,
        listed: ["Tunnel  n/a"; 2],
        saved: [Line("-i -w 1"), Unsaid("-i -w 1")],
    },
    Strange {
        forwarding: Forwarding::Bypass,
        kind: TunnelKind::Ipip,
        checksum: 0,
        listed: ["(null)  n/a", "Bypass  n/a"],
        saved: [Line("(null) -w 1"), Unsaid("-w 1")],
    },
    Strange {
        forwarding: Forwarding::Unknown(5),
        kind: TunnelKind::Ipip,
        checksum: 0,
        listed: ["(null)  n/a", "Unknown n/a"],
        saved: [Line("(null) -w 1"), Unsaid("-w 1")],
    },
    Strange {
        forwarding: Forwarding::Local,
        kind: TunnelKind::Gre,
        checksum: 1,
        listed: ["Local   n/a"; 2],
        saved: [Line("-g -w 1"), Line("-g -w 1")],
    },
];

/// Each comes before another server, which must not be lost.
fn strange_servers(world: &mut World) -> Result<()> {
    let director = world.namespace("director")?;
    director.enter()?;
    let mut client = Client::open()?;
    let service = Service {
        scheduler: "rr".parse()?,
        ..Service::mark(NonZeroU32::MIN, Family::V4)
    };
    let id = service.id;
    client.add_service(&service)?;
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
            let words = ["-Ln", "--tun-info", "-f", "1"];
            expect(&director, side, &words, Some(printed(listed)))?;
            expect(&director, side, &["-Sn"], strange.saved[index].output())?;
        }
        world.comparisons += 2;
        client.delete_server(&id, &made.id)?;
    }
    Ok(())
}

/// Services with a protocol that IPVS does not balance or a persistence timeout of 0, and servers
/// with a port that their forwarding ignores: the kernel accepts them all.
fn strange_service(world: &mut World) -> Result<()> {
    let director = world.namespace("director")?;
    director.enter()?;
    let mut client = Client::open()?;
    let services = [(47, 1, None), (6, 2, None), (6, 3, Some(0))];
    for (protocol, address, persistence) in services {
        let id = ServiceId::Address {
            protocol: Protocol(protocol),
            address: [10, 0, 0, address].into(),
            port: 80,
        };
        client.put_back(&Change::AddService(Service {
            scheduler: "rr".parse()?,
            persistence,
            ..Service::new(id)
        }))?;
        client.add_server(&id, &server(9, Forwarding::Masquerade, Tunnel::IPIP))?;
        if address == 2 {
            // A restore would give these the service's port.
            for (number, forwarding) in [(7, Forwarding::DirectRouting), (8, Forwarding::Tunnel)] {
                let misplaced = server(number, forwarding, Tunnel::IPIP);
                client.put_back(&Change::AddServer(id, misplaced))?;
            }
        }
    }
    let stderr = "\
not saved, because no restore would bring it back:
-a -t 10.0.0.2:80 -r 10.0.0.7:0 -g -w 1
-a -t 10.0.0.2:80 -r 10.0.0.8:0 -i -w 1 --tun-type ipip
-A -t 10.0.0.3:80 -s rr -p 0
-a -t 10.0.0.3:80 -r 10.0.0.9:0 -m -w 1
-A protocol 47 10.0.0.1:80 -s rr
-a protocol 47 10.0.0.1:80 -r 10.0.0.9:0 -m -w 1
";
    let saved = "-A -t 10.0.0.2:80 -s rr\n-a -t 10.0.0.2:80 -r 10.0.0.9:0 -m -w 1\n";
    let expected = Output {
        stderr: stderr.into(),
        status: Status::Exit(1),
        ..printed(saved.to_owned())
    };
    expect(&director, Side::Ours, &["-Sn"], Some(expected))?;
    let full = director.run(&Program::shell(Side::Ours, "ipvsadm -Sn >/dev/full"))?;
    let expected = Output {
        stderr: "cannot write: No space left on device\n".into(),
        status: Status::Exit(1),
        ..printed(String::new())
    };
    ensure!(full == expected, "{full}");
    Ok(())
}

/// The weight and connections of a server.
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

impl Saved {
    /// The output of a save, with the other server; `None` if it never ends.
    fn output(&self) -> Option<Output> {
        const SERVICE: &str = "-A -f 1 -s rr\n";
        const OTHER: &str = "-a -f 1 -r 10.0.0.2:0 -g -w 1\n";
        let server = |options| format!("-a -f 1 -r 10.0.0.1:0 {options}\n");
        match self {
            Line(options) => Some(printed(format!("{SERVICE}{}{OTHER}", server(options)))),
            Unsaid(options) => {
                let stderr = format!(
                    "not saved, because no restore would bring it back:\n{}",
                    server(options)
                );
                Some(Output {
                    stderr: stderr.into(),
                    status: Status::Exit(1),
                    ..printed(format!("{SERVICE}{OTHER}"))
                })
            }
            Crash => None,
        }
    }
}

/// Runs one program and compares its output; `None` means that it crashes or is killed.
fn expect(
    director: &Namespace,
    side: Side,
    words: &[&str],
    expected: Option<Output>,
) -> Result<()> {
    let output = director.run(&Program::ipvsadm(side).args(words))?;
    match expected {
        Some(expected) => ensure!(
            output == expected,
            "{side:?} {words:?} gave\n{output}instead of\n{expected}"
        ),
        None => ensure!(
            matches!(output.status, Status::Signal(_)),
            "{side:?} {words:?} did not crash:\n{output}"
        ),
    }
    Ok(())
}

fn printed(text: String) -> Output {
    Output {
        stdout: text.into(),
        stderr: Vec::new(),
        status: Status::Exit(0),
    }
}
