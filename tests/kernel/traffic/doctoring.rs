//! Faults that stop traffic, and their diagnosis by the doctor: it is silent while all is well;
//! then something breaks, requests fail, and it names exactly that; the test runs the commands as
//! printed, requests succeed again, and it is silent again.

mod callers;
mod lifetimes;
mod pair;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::lan::{self, Lan, eventually, ip, sh};
use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    let on = |kernels: &[Kernel], name: &str, run: fn(&mut World) -> Result<()>| KernelTest {
        kernels: kernels.to_vec(),
        // Each fault is caused, diagnosed, fixed and undone; on a quiet machine many take a minute.
        limit: Duration::from_secs(300),
        ..KernelTest::new(format!("traffic::doctoring::{name}"), run)
    };
    let both = [Kernel::V6_1, Kernel::V7_2];
    // The findings are the same on both; together the tests take minutes.
    let newest = [Kernel::V7_2];
    let mut tests = vec![
        on(&both, "director", director),
        on(&both, "ipv6", ipv6),
        on(&both, "real_servers", real_servers),
        on(&both, "many_services", many_services),
        on(&newest, "callers", callers::callers),
        on(&newest, "lifetimes", lifetimes::lifetimes),
        on(&newest, "pair", pair::pair),
    ];
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

/// A fault.
struct Fault {
    /// The doctor's names for it and for its consequences.
    names: &'static [&'static str],
    /// The lines that cause it, on the host that the doctor examines.
    made: &'static str,
    /// The lines that fix it, if the doctor has no command for it.
    fixed: &'static str,
    /// The lines that restore the previous state.
    undone: &'static str,
}

/// Enough clients to reach every server, each with its own address.
const FAR: &[Option<u8>] = &[
    Some(1),
    Some(2),
    Some(3),
    Some(4),
    Some(5),
    Some(6),
    Some(7),
    Some(8),
];

/// The host of the clients, with its own address.
const NEAR: &[Option<u8>] = &[None];

/// A host that the doctor examines, called with these words, and the service under test.
struct Patient<'a> {
    lan: &'a Lan,
    host: &'a Namespace,
    words: &'a str,
    service: &'a str,
    clients: &'static [Option<u8>],
}

struct Diagnosis {
    said: String,
    names: Vec<String>,
    commands: Vec<String>,
    status: Status,
    /// Whether there are only hints.
    is_hint: bool,
}

impl Diagnosis {
    fn read(said: &str, status: Status) -> Self {
        let name = |line: &str| Some(line.strip_suffix(')')?.rsplit_once(" (")?.1.to_owned());
        let heads = said.lines().filter(|line| !line.starts_with(' '));
        let commands = said
            .lines()
            .filter_map(|line| line.strip_prefix("  fix:  "));
        Self {
            said: said.to_owned(),
            is_hint: heads
                .clone()
                .all(|head| head.is_empty() || head.starts_with("hint: ")),
            names: heads.filter_map(name).collect(),
            commands: commands.map(str::to_owned).collect(),
            status,
        }
    }
}

impl Patient<'_> {
    fn examine(&self) -> Result<Diagnosis> {
        self.examine_during(|| Ok(()))
    }

    /// Its findings while something runs.
    fn examine_during(&self, act: impl FnOnce() -> Result<()>) -> Result<Diagnosis> {
        let program = Program::ipvsadm(Side::Ours).args(self.words.split_whitespace());
        let mut running = self.host.start(&program)?;
        act()?;
        let output = running.finish(Duration::from_secs(15))?;
        ensure!(output.stderr.is_empty(), "{}", output.stderr.escape_ascii());
        Ok(Diagnosis::read(
            &String::from_utf8(output.stdout)?,
            output.status,
        ))
    }

    fn is_well(&self) -> Result<()> {
        self.is_answered()?;
        let Diagnosis {
            said,
            names,
            status,
            ..
        } = self.examine()?;
        ensure!(names.is_empty(), "it finds {names:?}:\n{said}");
        ensure!(status == Status::Exit(0), "{status:?}");
        Ok(())
    }

    /// All clients get answers.
    fn is_answered(&self) -> Result<()> {
        self.clients.iter().try_for_each(|&client| {
            let tcp = libc::IPPROTO_TCP;
            self.lan.connect(tcp, client, self.service)?.end().map(drop)
        })
    }

    /// An error unless some clients cannot connect.
    fn requests_fail(&self) -> Result<()> {
        // State that servers keep after the first request may break the second.
        for &client in self.clients.iter().chain(self.clients) {
            if self.lan.fails(client, self.service)? {
                return Ok(());
            }
        }
        bail!("no request fails")
    }

    /// It eventually finds exactly this.
    fn is_found(&self, names: &[&str]) -> Result<Diagnosis> {
        eventually(|| {
            let diagnosis = self.examine()?;
            ensure!(
                diagnosis.names == names,
                "it finds {:?} and not {names:?}:\n{}",
                diagnosis.names,
                diagnosis.said
            );
            let expected = Status::Exit(i32::from(!diagnosis.is_hint));
            ensure!(diagnosis.status == expected, "{:?}", diagnosis.status);
            Ok(diagnosis)
        })
    }

    /// It eventually finds exactly this; its commands are run as printed.
    fn is_treated(&self, names: &[&str]) -> Result<()> {
        let Diagnosis { commands, .. } = self.is_found(names)?;
        ensure!(!commands.is_empty(), "{names:?} without a command");
        commands.iter().try_for_each(|line| do_all(self.host, line))
    }

    fn suffers(&self, fault: &Fault) -> Result<()> {
        let all = || -> Result<()> {
            eventually(|| self.is_well()).context("before")?;
            do_all(self.host, fault.made)?;
            self.requests_fail()?;
            let diagnosis = self.is_found(fault.names)?;
            ensure!(
                diagnosis.commands.is_empty() != fault.fixed.is_empty(),
                "it prints {:?}",
                diagnosis.commands
            );
            for command in &diagnosis.commands {
                do_all(self.host, command)?;
            }
            do_all(self.host, fault.fixed)?;
            eventually(|| self.is_well()).context("after the fix")?;
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
        clients: FAR,
    };
    for fault in FAULTS_OF_A_DIRECTOR {
        patient.suffers(fault)?;
    }
    let [first, ..] = &lan.servers[..] else {
        unreachable!("there are three");
    };
    // Without root it sees only a part of the table.
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
    // Its answers are lost.
    ip(first, "route del default\n")?;
    eventually(|| {
        for client in 1..=8 {
            // Every second request fails.
            lan.ask_as(client, patient.service).ok();
        }
        let names = patient.examine()?.names;
        ensure!(names == ["half-open"], "{names:?}");
        Ok(())
    })?;
    let server = Patient {
        host: first,
        words: "--doctor -r 192.0.2.1:80 -m",
        ..patient
    };
    server.is_found(&["no-way-back"])?;
    ip(first, "route add default via 172.16.0.1\n")?;
    let server = Patient {
        words: "--doctor -r 192.0.2.1:80 -m --probe",
        ..server
    };
    server.suffers(&Fault {
        names: &["wrong-way-back"],
        made: "ip route replace default via 172.16.0.12",
        fixed: "ip route replace default via 172.16.0.1",
        undone: "",
    })?;
    eventually(|| patient.is_well())?;
    asked_about(&lan)?;
    names_move(&lan)?;
    // The server exists, but has another address.
    ip(
        first,
        "addr del 172.16.0.11/24 dev eth0\naddr add 172.16.0.99/24 dev eth0\n",
    )?;
    eventually(|| {
        sh(&lan.director, "ip neigh flush dev eth0")?;
        patient.requests_fail()
    })?;
    let probing = Patient {
        words: "--doctor --probe",
        ..patient
    };
    sh(&lan.director, "ip neigh flush dev eth0")?;
    probing.is_treated(&["dead-neighbour"])?;
    eventually(|| patient.is_well())?;
    icmp_redirect(&lan)
}

/// Sets all counters to 0. The kernel subtracts the last sums, which it updates every two seconds.
fn zero(director: &Namespace) -> Result<()> {
    sh(director, "sleep 3\nipvsadm -Z")
}

/// Findings that are reported only if the line names the service.
fn asked_about(lan: &Lan) -> Result<()> {
    let patient = Patient {
        lan,
        host: &lan.director,
        words: "--doctor -t 192.0.2.1:80",
        service: "192.0.2.1:80",
        clients: FAR,
    };
    patient.suffers(&Fault {
        names: &["no-service", "empty-table"],
        made: "ipvsadm -Sn >/tmp/rules\nipvsadm -C",
        fixed: "ipvsadm -R /tmp/rules",
        undone: "rm /tmp/rules",
    })?;
    // Packets are lost before they arrive.
    ip(&lan.client, "route add unreachable 192.0.2.1\n")?;
    zero(patient.host)?;
    patient.requests_fail()?;
    patient.is_found(&["no-packets"])?;
    ip(&lan.client, "route del unreachable 192.0.2.1\n")?;
    eventually(|| patient.is_well())
}

/// A name in a file of commands resolves to another server than when the file was restored.
fn names_move(lan: &Lan) -> Result<()> {
    let patient = Patient {
        lan,
        host: &lan.director,
        words: "--doctor /tmp/rules",
        service: "192.0.2.3:80",
        clients: FAR,
    };
    // The C library reads names from this file.
    sh(
        patient.host,
        "cp /etc/hosts /tmp/hosts\n\
         echo 172.16.0.12 web >>/tmp/hosts\n\
         mount --bind /tmp/hosts /etc/hosts\n\
         ipvsadm -Sn >/tmp/rules\n\
         echo '-A -t 192.0.2.3:80 -s rr' >>/tmp/rules\n\
         echo '-a -t 192.0.2.3:80 -r web -m' >>/tmp/rules\n\
         ipvsadm --apply /tmp/rules",
    )?;
    let all = || -> Result<()> {
        eventually(|| patient.is_well())?;
        sh(
            patient.host,
            "sed 's/^172.16.0.12 web/172.16.0.13 web/' /etc/hosts >/tmp/moved\n\
             cat /tmp/moved >/tmp/hosts",
        )?;
        patient.is_treated(&["names-moved"])?;
        eventually(|| patient.is_well())?;
        ensure!(lan.ask(patient.service)?.server == "web3");
        lan.ipvsadm("-D -t 192.0.2.3:80").map(drop)
    };
    let outcome = all();
    sh(patient.host, "umount /etc/hosts")?;
    outcome
}

/// The director sends a server an ICMP redirect to a client on the same cable.
fn icmp_redirect(lan: &Lan) -> Result<()> {
    const SERVICE: &str = "192.0.2.2:53";
    lan.rules(
        "-A -u 192.0.2.2:53 -s rr\n\
         -a -u 192.0.2.2:53 -r 172.16.0.13:5060 -m\n",
    )?;
    let patient = Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.1:80",
        clients: FAR,
    };
    let is_answered = || lan.send(1, SERVICE, &["who?"]).map(drop);
    is_answered()?;
    eventually(|| patient.is_well())?;
    sh(patient.host, "sysctl -w net.ipv4.conf.all.send_redirects=1")?;
    eventually(|| match is_answered() {
        Ok(()) => bail!("it is answered all the same"),
        Err(_) => Ok(()),
    })?;
    patient.is_treated(&["redirects"])?;
    sh(&lan.servers[2], "ip route flush cache")?;
    is_answered()?;
    eventually(|| patient.is_well())
}

const FAULTS_OF_A_DIRECTOR: &[Fault] = &[
    Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv4.ip_forward=0",
        fixed: "",
        undone: "",
    },
    Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv4.conf.eth0.forwarding=0",
        fixed: "",
        undone: "",
    },
    Fault {
        names: &["vip-not-local"],
        made: "ip route del local 192.0.2.0/24 dev lo",
        fixed: "",
        undone: "ip route add local 192.0.2.0/24 dev lo",
    },
    Fault {
        names: &["hash-weight-0"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s sh\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0",
        fixed: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m",
    },
    Fault {
        names: &["no-scheduler"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s none",
        fixed: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr",
    },
    Fault {
        names: &["all-full"],
        made: "ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -x 1\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -x 1",
        fixed: "",
        undone: "",
    },
    Fault {
        names: &["hash-weight-0"],
        made: "ipvsadm -E -t 192.0.2.1:80 -s dh\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -w 0\n\
               ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.13 -m",
        fixed: "",
        undone: "ipvsadm -E -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.12 -m\n\
                 ipvsadm -d -t 192.0.2.1:80 -r 172.16.0.13",
    },
    Fault {
        names: &["no-route"],
        made: "ip route add unreachable 172.16.0.11",
        fixed: "ip route del unreachable 172.16.0.11",
        undone: "",
    },
    Fault {
        names: &["no-live-server"],
        made: "ipvsadm --drain -r 172.16.0.11 >/tmp/undo\n\
               ipvsadm --drain -r 172.16.0.12 >>/tmp/undo 2>&-",
        fixed: "grep ^-e /tmp/undo | ipvsadm -R",
        undone: "rm /tmp/undo",
    },
    Fault {
        names: &["defence"],
        made: "sysctl -w net.ipv4.vs.am_droprate=1\n\
               sysctl -w net.ipv4.vs.drop_packet=3\n\
               sleep 2",
        fixed: "",
        undone: "sysctl -w net.ipv4.vs.am_droprate=10",
    },
    Fault {
        names: &["shadowed", "no-live-server"],
        made: "ipvsadm -A -t 192.0.2.1:0 -p 60 -s rr\n\
               ipvsadm -a -t 192.0.2.1:0 -r 172.16.0.12:0 -m\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.11 -m -w 0\n\
               ipvsadm -e -t 192.0.2.1:80 -r 172.16.0.12 -m -w 0",
        fixed: "",
        undone: "ipvsadm -D -t 192.0.2.1:0\n\
                 ipvsadm -A -t 192.0.2.1:80 -s rr\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.11 -m\n\
                 ipvsadm -a -t 192.0.2.1:80 -r 172.16.0.12 -m",
    },
];

/// Addresses that director and servers have only for IPv6.
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
        clients: FAR,
    };
    patient.suffers(&Fault {
        names: &["forwarding-off"],
        made: "sysctl -w net.ipv6.conf.all.forwarding=0",
        fixed: "",
        undone: "",
    })?;
    patient.suffers(&Fault {
        names: &["vip-not-local"],
        made: "ip addr del 2001:db8:1::1/64 dev eth0",
        fixed: "",
        undone: "",
    })?;
    // Another host has taken the address before the director starts.
    let other = lan.host(world, "other", "")?;
    ip(&lan.director, "addr del 2001:db8:1::1/128 dev eth0\n")?;
    ip(&other, "addr add 2001:db8:1::1/64 dev eth0\n")?;
    lan::set(&lan.director, &[("ipv6/conf/eth0/accept_dad", "1")])?;
    ip(&lan.director, "addr add 2001:db8:1::1/64 dev eth0\n")?;
    let diagnosis = patient.is_found(&["duplicate-address"])?;
    patient.requests_fail()?;
    ip(&other, "addr del 2001:db8:1::1/64 dev eth0\n")?;
    for command in &diagnosis.commands {
        do_all(patient.host, command)?;
    }
    ip(&lan.client, "neigh flush dev eth0\n")?;
    eventually(|| patient.is_well())
}

/// As many services as on a cluster node, at addresses of a dummy device. Half of them have
/// servers.
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
    // The machine may be busy.
    eventually(|| {
        let start = Instant::now();
        lan.is_well()?;
        let taken = start.elapsed();
        ensure!(taken < Duration::from_secs(1), "it takes {taken:?}");
        Ok(())
    })
}

/// Runs lines in a shell, or directly if the host has no shell.
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
        clients: FAR,
    };
    faults.iter().try_for_each(|fault| patient.suffers(fault))?;
    if lan::has_iptables()? && Path::new("/usr/sbin/iptables").exists() {
        return marks(&lan).and_then(|()| translated(&lan));
    }
    Ok(())
}

/// A service of a mark, next to one of an address.
fn marks(lan: &Lan) -> Result<()> {
    const SET: &str = "iptables -t mangle -A PREROUTING -d 192.0.2.9/32 -p tcp --dport 80 -j MARK";
    sh(&lan.director, &format!("{SET} --set-mark 9"))?;
    lan.rules(
        "-A -f 9 -s rr\n\
         -a -f 9 -r 172.16.0.12 -m\n",
    )?;
    let marked = Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.9:80",
        clients: FAR,
    };
    marked.is_well()?;
    let flush = "iptables -t mangle -F";
    sh(marked.host, flush)?;
    zero(marked.host)?;
    marked.requests_fail()?;
    marked.is_found(&["mark-unset"])?;
    sh(marked.host, &format!("{SET} --set-mark 8"))?;
    marked.requests_fail()?;
    marked.is_found(&["mark-unset", "mark-unused"])?;
    sh(marked.host, &format!("{flush}\n{SET} --set-mark 9"))?;
    marked.is_well()?;
    // No program on the server listens there.
    lan.rules(
        "-a -f 9 -r 172.16.0.12:81 -m\n\
         -d -f 9 -r 172.16.0.12\n",
    )?;
    let hidden = Patient {
        service: "192.0.2.1:80",
        ..marked
    };
    hidden.suffers(&Fault {
        names: &["hidden-by-mark"],
        made: "iptables -t mangle -A PREROUTING -d 192.0.2.1/32 -p tcp --dport 80 -j MARK --set-mark 9",
        fixed: "",
        undone: "ipvsadm -D -f 9\niptables -t mangle -F",
    })
}

/// The director sends requests to servers from its own address: they have no route to clients.
fn translated(lan: &Lan) -> Result<()> {
    sh(
        &lan.director,
        "sysctl -w net.ipv4.vs.conntrack=1\n\
         iptables -t nat -A POSTROUTING -d 172.16.0.0/24 -j MASQUERADE",
    )?;
    ip(&lan.servers[0], "route del default\n")?;
    let patient = Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service: "192.0.2.1:80",
        clients: FAR,
    };
    patient.suffers(&Fault {
        names: &["snat-untracked"],
        made: "sysctl -w net.ipv4.vs.conntrack=0",
        fixed: "",
        undone: "",
    })
}

const FAULTS_OF_IPTABLES: &[Fault] = &[
    Fault {
        names: &["input-drops"],
        made: "iptables -P INPUT DROP\n\
               iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
        fixed: "",
        undone: "iptables -P INPUT ACCEPT\niptables -F",
    },
    Fault {
        names: &["input-drops"],
        made: "iptables -N ours\n\
               iptables -A INPUT -p tcp -j ours\n\
               iptables -A ours -d 192.0.2.0/24 -p tcp --dport 80 -j DROP",
        fixed: "",
        undone: "iptables -F\niptables -X",
    },
    Fault {
        names: &["forward-drops"],
        made: "iptables -P FORWARD DROP",
        fixed: "",
        undone: "iptables -P FORWARD ACCEPT\niptables -F",
    },
    Fault {
        names: &["invalid-drops"],
        made: "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP",
        fixed: "",
        undone: "sysctl -w net.ipv4.vs.conntrack=0\niptables -F",
    },
    Fault {
        names: &["output-drops"],
        made: "iptables -A OUTPUT -d 172.16.0.0/24 -j DROP",
        fixed: "",
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
        fixed: "",
        undone: "nft flush ruleset",
    },
    Fault {
        names: &["forward-drops"],
        made: "nft add table inet filter\n\
               nft add chain inet filter forward { type filter hook forward priority 0 ; \
               policy drop ; }",
        fixed: "",
        undone: "nft flush ruleset",
    },
];

/// Direct routing, then a tunnel.
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
        clients: FAR,
    };
    patient.suffers(&Fault {
        names: &["vip-missing"],
        made: "ip addr del 198.51.100.1/32 dev lo",
        fixed: "",
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
        fixed: "ip route del 172.16.0.11 via 198.51.100.2",
        undone: "",
    })?;
    let near = Patient {
        clients: NEAR,
        ..patient
    };
    near.suffers(&Fault {
        names: &["vip-too-wide"],
        made: "ip addr del 198.51.100.1/32 dev lo\nip addr add 198.51.100.1/24 dev lo",
        fixed: "",
        undone: "",
    })?;
    filtered_where_they_arrive(&lan)?;
    // The client is also a router.
    const ROUTER: &str = "ip route replace default via 198.51.100.2 dev eth0 onlink";
    do_all(patient.host, ROUTER)?;
    let probing = Patient {
        words: "--doctor -r 198.51.100.1:80 -g --probe",
        ..patient
    };
    probing.suffers(&Fault {
        names: &["wrong-way-back"],
        made: "ip route replace default via 172.16.0.1\nip route del 203.0.113.0/24",
        fixed: ROUTER,
        undone: "ip route add 203.0.113.0/24 via 198.51.100.2 dev eth0 onlink",
    })?;
    // The right host may reply to ARP first, so traffic need not fail.
    for (names, made) in [
        (["arp"], "sysctl -w net.ipv4.conf.all.arp_ignore=0"),
        (
            ["vip-announced"],
            "ip addr del 198.51.100.1/32 dev lo\nip addr add 198.51.100.1/32 dev eth0",
        ),
    ] {
        sh(patient.host, made)?;
        patient.is_treated(&names)?;
        patient.is_well()?;
    }
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
        names: &["no-tunnel"],
        made: "ip link set end down",
        fixed: "",
        undone: "",
    })?;
    at_the_end.suffers(&Fault {
        names: &["rp-filter"],
        made: "sysctl -w net.ipv4.conf.all.rp_filter=1",
        fixed: "",
        undone: "",
    })?;
    other_tunnels(&patient)
}

fn other_tunnels(patient: &Patient) -> Result<()> {
    let (lan, host) = (patient.lan, patient.host);
    sh(&lan.director, "modprobe fou")?;
    sh(host, "ip fou add port 6080 gue")?;
    lan.rules(
        "-e -t 198.51.100.1:80 -r 172.16.0.11 -i --tun-type gue --tun-port 6080\n\
         -d -t 198.51.100.1:80 -r 172.16.0.12\n",
    )?;
    let gue = Patient {
        words: "--doctor -r 198.51.100.1:80 -i --tun-type gue --tun-port 6080",
        ..*patient
    };
    gue.suffers(&Fault {
        names: &["no-gue"],
        made: "ip fou del port 6080",
        fixed: "",
        undone: "ip link del end",
    })?;
    ip(
        host,
        "link add end type gre local 172.16.0.11\nlink set end up\n",
    )?;
    lan.rules("-e -t 198.51.100.1:80 -r 172.16.0.11 -i --tun-type gre\n")?;
    let gre = Patient {
        words: "--doctor -r 198.51.100.1:80 -i --tun-type gre",
        ..*patient
    };
    gre.suffers(&Fault {
        names: &["gre-checksum"],
        made: "ip link set end type gre icsum",
        fixed: "",
        undone: "",
    })?;
    ip(
        host,
        "link add end6 type ip6tnl local fd00::11 mode ip6ip6\nlink set end6 up\n",
    )?;
    lan.ipvsadm("-C")?;
    lan.rules(
        "-A -t [2001:db8:1::1]:80 -s rr\n\
         -a -t [2001:db8:1::1]:80 -r [fd00::11]:80 -i\n",
    )?;
    ip(&lan.director, "link set eth0 mtu 1600\n")?;
    let director = Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service: "[2001:db8:1::1]:80",
        clients: NEAR,
    };
    director.suffers(&Fault {
        names: &["tunnel-mtu"],
        made: "ip link set dev eth0 mtu 1300",
        fixed: "",
        undone: "",
    })
}

/// Packets of clients reach the director through one device, and it would answer through another.
fn filtered_where_they_arrive(lan: &Lan) -> Result<()> {
    let patient = Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service: "198.51.100.1:80",
        clients: FAR,
    };
    ip(
        &lan.director,
        "link add out0 type dummy\nlink set out0 up\naddr add 100.64.0.1/24 dev out0\n\
         route add default via 100.64.0.2\nroute del 203.0.113.0/24\n",
    )?;
    patient.suffers(&Fault {
        names: &["strict-filter"],
        made: "sysctl -w net.ipv4.conf.all.rp_filter=1\nipvsadm -C\n\
               ipvsadm -A -t 198.51.100.1:80 -s rr\n\
               ipvsadm -a -t 198.51.100.1:80 -r 172.16.0.11 -g\n\
               ipvsadm -a -t 198.51.100.1:80 -r 172.16.0.12 -g",
        fixed: "",
        undone: "sysctl -w net.ipv4.conf.all.rp_filter=0\n\
                 ip link del out0\n\
                 ip route add 203.0.113.0/24 via 198.51.100.2",
    })
}
