//! What keeps traffic from flowing, and whether the doctor names it: while all is well it is
//! silent; something breaks, requests fail, it names exactly that; the commands it prints are run
//! as printed, requests are answered again, and it is silent again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::lan::{self, Lan, eventually, ip, sh};
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    let mut tests = vec![
        KernelTest::new("traffic::doctoring::director", director),
        KernelTest::new("traffic::doctoring::ipv6", ipv6),
        KernelTest::new("traffic::doctoring::real_servers", real_servers),
        KernelTest::new("traffic::doctoring::many_services", many_services),
    ];
    for test in &mut tests {
        test.kernels = vec![Kernel::V6_1, Kernel::V7_2];
    }
    tests.push(KernelTest {
        // It has iptables.
        kernels: vec![Kernel::V6_1],
        ..KernelTest::new("traffic::doctoring::iptables", |world| {
            firewall(world, FAULTS_OF_IPTABLES)
        })
    });
    tests.push(KernelTest {
        kernels: vec![Kernel::Stock6_1],
        ..KernelTest::new("traffic::doctoring::nft", |world| {
            firewall(world, FAULTS_OF_NFT)
        })
    });
    tests
}

/// Something that goes wrong.
struct Fault {
    /// What the doctor calls it, and what follows from it.
    names: &'static [&'static str],
    /// How it is made, on the host that the doctor looks at.
    made: &'static str,
    /// What mends it where the doctor has no command for it.
    mended: &'static str,
    /// What makes all as it was before.
    undone: &'static str,
}

/// As many clients ask as it takes to meet every server.
const CLIENTS: u8 = 8;

/// A host that the doctor looks at, by these words, and the service whose traffic is watched.
struct Patient<'a> {
    lan: &'a Lan,
    host: &'a Namespace,
    words: &'a str,
    service: &'a str,
}

struct Diagnosis {
    names: Vec<String>,
    commands: Vec<String>,
    status: Status,
}

impl Patient<'_> {
    fn examine(&self) -> Result<Diagnosis> {
        let program = Program::ipvsadm(Side::Ours).args(self.words.split_whitespace());
        let output = self.host.run(&program)?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.stderr.is_empty(), "{}", output.stderr.escape_ascii());
        let name = |line: &str| Some(line.strip_suffix(')')?.rsplit_once(" (")?.1.to_owned());
        let heads = said.lines().filter(|line| !line.starts_with(' '));
        let commands = said
            .lines()
            .filter_map(|line| line.strip_prefix("  mend: "));
        Ok(Diagnosis {
            names: heads.filter_map(name).collect(),
            commands: commands.map(str::to_owned).collect(),
            status: output.status,
        })
    }

    fn is_well(&self) -> Result<()> {
        (1..=CLIENTS).try_for_each(|client| self.lan.ask_as(client, self.service).map(drop))?;
        let Diagnosis { names, status, .. } = self.examine()?;
        ensure!(names.is_empty(), "it finds {names:?}");
        ensure!(status == Status::Exit(0), "{status:?}");
        Ok(())
    }

    /// An error unless some of so many clients get no connection.
    fn requests_fail(&self, clients: u8) -> Result<()> {
        for client in 1..=clients {
            if self.lan.fails(client, self.service)? {
                return Ok(());
            }
        }
        bail!("no request fails")
    }

    fn suffers(&self, fault: &Fault) -> Result<()> {
        let all = || -> Result<()> {
            eventually(|| self.is_well()).context("before")?;
            do_all(self.host, fault.made)?;
            self.requests_fail(CLIENTS)?;
            let diagnosis = eventually(|| {
                let diagnosis = self.examine()?;
                let names = &diagnosis.names;
                ensure!(names == fault.names, "it finds {names:?}");
                Ok(diagnosis)
            })?;
            let is_hint = fault.names == ["no-live-server"];
            let expected = Status::Exit(i32::from(!is_hint));
            ensure!(diagnosis.status == expected, "{:?}", diagnosis.status);
            ensure!(
                diagnosis.commands.is_empty() != fault.mended.is_empty(),
                "it prints {:?}",
                diagnosis.commands
            );
            for command in &diagnosis.commands {
                do_all(self.host, command)?;
            }
            do_all(self.host, fault.mended)?;
            eventually(|| self.is_well()).context("when it is mended")?;
            do_all(self.host, fault.undone)
        };
        all().with_context(|| format!("{:?} by {}", fault.names, fault.made))
    }
}

/// Behind masquerading, by IPv4 and IPv6.
fn director(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -t 192.0.2.1:80 -s rr\n\
         -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
         -a -t 192.0.2.1:80 -r 172.16.0.12 -m\n",
    )?;
    let patient = Patient {
        lan: &lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.1:80",
    };
    for fault in FAULTS_OF_A_DIRECTOR {
        patient.suffers(fault)?;
    }
    let [first, ..] = &lan.servers[..] else {
        unreachable!("there are three");
    };
    // Without root it sees the table, and not all of it.
    let look = "setpriv --reuid 65534 --clear-groups ipvsadm --doctor 2>/tmp/unseen";
    sh(
        &lan.director,
        &format!(
            "{look}\n\
             grep -q 'not looked at: flags, limits, daemons' /tmp/unseen\n\
             sysctl -w net.ipv4.ip_forward=0\n\
             {look} | grep '(forwarding-off)'\n\
             sysctl -w net.ipv4.ip_forward=1"
        ),
    )?;
    // Its answers go nowhere.
    ip(first, "route del default\n")?;
    eventually(|| {
        for client in 1..=CLIENTS {
            // Every other one fails.
            lan.ask_as(client, patient.service).ok();
        }
        let names = patient.examine()?.names;
        ensure!(names == ["half-open"], "{names:?}");
        Ok(())
    })?;
    ip(first, "route add default via 172.16.0.1\n")?;
    eventually(|| patient.is_well())?;
    // The server is there, but has another address.
    ip(
        first,
        "addr del 172.16.0.11/24 dev eth0\naddr add 172.16.0.99/24 dev eth0\n",
    )?;
    let diagnosis = eventually(|| {
        sh(&lan.director, "ip neigh flush dev eth0")?;
        patient.requests_fail(2)?;
        let diagnosis = patient.examine()?;
        ensure!(
            diagnosis.names == ["dead-neighbour"],
            "{:?}",
            diagnosis.names
        );
        Ok(diagnosis)
    })?;
    for command in &diagnosis.commands {
        sh(&lan.director, command)?;
    }
    eventually(|| patient.is_well())
}

const FAULTS_OF_A_DIRECTOR: &[Fault] = &[
    Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv4.ip_forward=0",
        mended: "",
        undone: "",
    },
    Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv4.conf.eth0.forwarding=0",
        mended: "",
        undone: "",
    },
    Fault {
        names: &["vip-not-local"],
        made: "ip route del local 192.0.2.0/24 dev lo",
        mended: "",
        undone: "ip route add local 192.0.2.0/24 dev lo",
    },
    Fault {
        names: &["hash-weight-0"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s sh\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0",
        mended: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m",
    },
    Fault {
        names: &["no-scheduler"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s none",
        mended: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr",
    },
    Fault {
        names: &["all-full"],
        made: "ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -x 1\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -x 1",
        mended: "",
        undone: "",
    },
    Fault {
        names: &["hash-weight-0"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s dh\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -w 0\n\
               ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.13 -m",
        mended: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.12 -m\n\
                 ipvsadm -d -t 192.0.2.1:80 -r 172.16.0.13",
    },
    Fault {
        names: &["no-route"],
        made: "ip route add unreachable 172.16.0.11",
        mended: "ip route del unreachable 172.16.0.11",
        undone: "",
    },
    Fault {
        names: &["no-live-server"],
        made: "ipvsadm --drain -r 172.16.0.11 >/tmp/undo\n\
               ipvsadm --drain -r 172.16.0.12 >>/tmp/undo 2>&-",
        mended: "grep ^-e /tmp/undo | ipvsadm -R",
        undone: "rm /tmp/undo",
    },
    Fault {
        names: &["shadowed", "no-live-server"],
        made: "ipvsadm -A -t 192.0.2.1:0 -p 60 -s rr\n\
               ipvsadm -a -t 192.0.2.1:0 -r 172.16.0.12:0 -m\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -w 0",
        mended: "",
        undone: "ipvsadm -D -t 192.0.2.1:0\n\
                 ipvsadm -A -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.12 -m",
    },
];

/// Addresses that director and servers have for IPv6 only.
fn ipv6(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    ip(&lan.director, "addr add 2001:db8:1::9/64 dev eth0\n")?;
    lan.rules(
        "-A -t [2001:db8:1::1]:80 -s rr\n\
         -a -t [2001:db8:1::1]:80 -r [fd00::11]:80 -m\n",
    )?;
    let patient = Patient {
        lan: &lan,
        host: &lan.director,
        words: "--doctor",
        service: "[2001:db8:1::1]:80",
    };
    patient.suffers(&Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv6.conf.all.forwarding=0",
        mended: "",
        undone: "",
    })?;
    patient.suffers(&Fault {
        names: &["vip-not-local"],
        made: "ip addr del 2001:db8:1::1/64 dev eth0",
        mended: "",
        undone: "",
    })
}

/// As many services as a node of a cluster has, at addresses of a dummy device. Half of them
/// have servers.
fn many_services(world: &mut World) -> Result<()> {
    const HALF: usize = 500;
    let lan = Lan::new(world)?;
    let mut addresses = String::from("link add kube-ipvs0 type dummy\n");
    let mut rules = String::new();
    for number in 0..2 * HALF {
        let vip = format!("10.96.{}.{}", number / 250, 1 + number % 250);
        addresses += &format!("addr add {vip}/32 dev kube-ipvs0\n");
        rules += &format!("-A -t {vip}:80 -s rr\n");
        if number < HALF {
            for server in 11..14 {
                rules += &format!("-a -t {vip}:80 -r 172.16.0.{server}:8080 -m\n");
            }
        }
    }
    ip(&lan.director, &addresses)?;
    lan.rules(&rules)?;
    ip(&lan.client, "route add 10.96.0.0/16 via 198.51.100.1\n")?;
    lan.ask("10.96.0.1:80")?;
    let start = Instant::now();
    lan.is_well()?;
    let taken = start.elapsed();
    ensure!(taken < Duration::from_secs(2), "it takes {taken:?}");
    Ok(())
}

/// Runs lines: by a shell, or where there is none, word by word.
fn do_all(host: &Namespace, lines: &str) -> Result<()> {
    if Path::new("/bin/sh").exists() {
        return sh(host, lines);
    }
    lines.lines().try_for_each(|line| {
        let mut words = line.split_whitespace();
        let program = Program::new(words.next().context("an empty line")?);
        host.run(&program.args(words))?.success().map(drop)
    })
}

/// A firewall on the director.
fn firewall(world: &mut World, faults: &[Fault]) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.rules(
        "-A -t 192.0.2.1:80 -s rr\n\
         -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n",
    )?;
    let patient = Patient {
        lan: &lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.1:80",
    };
    faults.iter().try_for_each(|fault| patient.suffers(fault))
}

const FAULTS_OF_IPTABLES: &[Fault] = &[
    Fault {
        names: &["input-drops"],
        made: "iptables -P INPUT DROP\n\
               iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
        mended: "",
        undone: "iptables -P INPUT ACCEPT\niptables -F",
    },
    Fault {
        names: &["input-drops"],
        made: "iptables -N ours\n\
               iptables -A INPUT -p tcp -j ours\n\
               iptables -A ours -d 192.0.2.0/24 -p tcp --dport 80 -j DROP",
        mended: "",
        undone: "iptables -F\niptables -X",
    },
    Fault {
        names: &["forward-drops"],
        made: "iptables -P FORWARD DROP",
        mended: "",
        undone: "iptables -P FORWARD ACCEPT\niptables -F",
    },
    Fault {
        names: &["invalid-drops"],
        made: "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP",
        mended: "",
        undone: "sysctl -w net.ipv4.vs.conntrack=0\niptables -F",
    },
    Fault {
        names: &["output-drops"],
        made: "iptables -A OUTPUT -d 172.16.0.0/24 -j DROP",
        mended: "",
        undone: "iptables -F",
    },
];

const FAULTS_OF_NFT: &[Fault] = &[
    Fault {
        names: &["keepalived-drops"],
        made: "nft add table ip keepalived\n\
               nft add set ip keepalived vips { type ipv4_addr ; }\n\
               nft add element ip keepalived vips { 192.0.2.1 , 192.0.2.2 }\n\
               nft add chain ip keepalived in { type filter hook input priority -1 ; }\n\
               nft add rule ip keepalived in ip daddr @vips drop",
        mended: "",
        undone: "nft flush ruleset",
    },
    Fault {
        names: &["forward-drops"],
        made: "nft add table inet filter\n\
               nft add chain inet filter forward { type filter hook forward priority 0 ; \
               policy drop ; }",
        mended: "",
        undone: "nft flush ruleset",
    },
];

/// By direct routing, and then in a tunnel.
fn real_servers(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    lan.take_vip_on_lo()?;
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -g\n\
         -a -t 198.51.100.1:80 -r 172.16.0.12 -g\n",
    )?;
    let patient = Patient {
        lan: &lan,
        host: &lan.servers[0],
        words: "--doctor -r 198.51.100.1:80 -g",
        service: "198.51.100.1:80",
    };
    patient.suffers(&Fault {
        names: &["vip-missing"],
        made: "ip addr del 198.51.100.1/32 dev lo",
        mended: "",
        undone: "",
    })?;
    let director = Patient {
        host: &lan.director,
        words: "--doctor",
        ..patient
    };
    director.suffers(&Fault {
        names: &["behind-gateway"],
        made: "ip route add 172.16.0.11 via 198.51.100.2",
        mended: "ip route del 172.16.0.11 via 198.51.100.2",
        undone: "",
    })?;
    // Who is asked first may answer, so traffic need not fail.
    sh(patient.host, "sysctl -w net.ipv4.conf.all.arp_ignore=0")?;
    let diagnosis = patient.examine()?;
    ensure!(diagnosis.names == ["arp"], "{:?}", diagnosis.names);
    for command in &diagnosis.commands {
        sh(patient.host, command)?;
    }
    patient.is_well()?;
    let unheard = Patient {
        words: "--doctor -r 198.51.100.1:81 -g",
        ..patient
    };
    let names = unheard.examine()?.names;
    ensure!(names == ["nobody-listens"], "{names:?}");

    lan::ip(
        &lan.servers[0],
        "tunnel add end mode ipip local 172.16.0.11\nlink set end up\n",
    )?;
    lan.rules("-e -t 198.51.100.1:80 -r 172.16.0.11 -i\n")?;
    let at_the_end = Patient {
        words: "--doctor -r 198.51.100.1:80 -i",
        ..patient
    };
    at_the_end.suffers(&Fault {
        names: &["rp-filter"],
        made: "sysctl -w net.ipv4.conf.all.rp_filter=1",
        mended: "",
        undone: "",
    })
}
