//! Clients that get no answer because of their location.

use anyhow::{Context, Result, ensure};

use super::{Diagnosis, NEAR, Patient, do_all};
use crate::lab::world::{Namespace, World};
use crate::traffic::lan::{Lan, eventually, ip, sh};

/// This many failed requests are no coincidence.
const SEVERAL: usize = 4;

/// A host that calls a service.
struct Caller<'a> {
    patient: Patient<'a>,
    host: &'a Namespace,
}

impl Caller<'_> {
    fn is_answered(&self) -> Result<()> {
        let Patient { lan, service, .. } = self.patient;
        lan.ask_from(self.host, service)?;
        let names = self.patient.examine()?.names;
        ensure!(names.is_empty(), "it finds {names:?}");
        Ok(())
    }

    /// Its requests fail, and the doctor knows why.
    fn gets_no_answer(&self, name: &str) -> Result<Diagnosis> {
        let Patient { lan, service, .. } = self.patient;
        let all = || {
            for _ in 0..SEVERAL {
                ensure!(lan.fails_from(self.host, service)?, "{service} answers");
            }
            self.patient.is_found(&[name])
        };
        all().context(name.to_owned())
    }
}

pub fn callers(world: &mut World) -> Result<()> {
    let lan = Lan::new(world)?;
    beside_the_servers(&lan)?;
    lan.ipvsadm("-C")?;
    on_the_director(&lan)?;
    lan.ipvsadm("-C")?;
    on_a_bridge(world, &lan)
}

fn patient<'a>(lan: &'a Lan, service: &'a str) -> Patient<'a> {
    Patient {
        lan,
        host: &lan.director,
        words: "--doctor",
        service,
        clients: NEAR,
    }
}

/// Servers as clients.
fn beside_the_servers(lan: &Lan) -> Result<()> {
    lan.rules(
        "-A -t 192.0.2.3:80 -s rr\n\
         -a -t 192.0.2.3:80 -r 172.16.0.11 -m\n\
         -A -t 192.0.2.4:80 -s rr\n\
         -a -t 192.0.2.4:80 -r 172.16.0.12 -m\n",
    )?;
    let [first, second, third] = &lan.servers[..] else {
        unreachable!("there are three");
    };
    // They reply to each other through the director.
    ip(first, "route add 172.16.0.13 via 172.16.0.1\n")?;
    ip(second, "route add 172.16.0.11 via 172.16.0.1\n")?;
    let neighbour = Caller {
        patient: patient(lan, "192.0.2.3:80"),
        host: third,
    };
    neighbour.is_answered()?;
    ip(first, "route del 172.16.0.13 via 172.16.0.1\n")?;
    neighbour.gets_no_answer("same-network")?;
    ip(first, "route add 172.16.0.13 via 172.16.0.1\n")?;
    eventually(|| neighbour.is_answered())?;

    let itself = Caller {
        patient: patient(lan, "192.0.2.4:80"),
        host: first,
    };
    itself.is_answered()?;
    lan.rules(
        "-a -t 192.0.2.4:80 -r 172.16.0.11 -m\n\
         -d -t 192.0.2.4:80 -r 172.16.0.12\n",
    )?;
    itself.gets_no_answer("calls-itself")?;
    lan.rules(
        "-a -t 192.0.2.4:80 -r 172.16.0.12 -m\n\
         -d -t 192.0.2.4:80 -r 172.16.0.11\n",
    )?;
    eventually(|| itself.is_answered())
}

/// With direct routing only other hosts get answers.
fn on_the_director(lan: &Lan) -> Result<()> {
    lan.take_vip_on_lo()?;
    lan.rules(
        "-A -t 198.51.100.1:80 -s rr\n\
         -a -t 198.51.100.1:80 -r 172.16.0.11 -g\n",
    )?;
    let director = Caller {
        patient: patient(lan, "198.51.100.1:80"),
        host: &lan.director,
    };
    director.gets_no_answer("from-director")?;
    director.patient.is_answered()
}

/// Client and server are on a bridge of the director, like containers.
fn on_a_bridge(world: &mut World, lan: &Lan) -> Result<()> {
    let boxes = [world.namespace("box1")?, world.namespace("box2")?];
    ip(
        &lan.director,
        "link add boxes type bridge\nlink set boxes up\naddr add 10.9.0.1/24 dev boxes\n",
    )?;
    for (number, host) in (1..).zip(&boxes) {
        ip(
            &lan.director,
            &format!(
                "link add box{number} type veth peer name eth0 netns box{number}\n\
                 link set box{number} master boxes up\n"
            ),
        )?;
        ip(
            host,
            &format!(
                "link set eth0 up\naddr add 10.9.0.1{number}/24 dev eth0\n\
                 route add default via 10.9.0.1\n"
            ),
        )?;
    }
    let [client, server] = &boxes;
    lan.open.serve_tcp("box2", server)?;
    lan.rules(
        "-A -t 192.0.2.5:80 -s rr\n\
         -a -t 192.0.2.5:80 -r 10.9.0.12 -m\n",
    )?;
    let caller = Caller {
        patient: patient(lan, "192.0.2.5:80"),
        host: client,
    };
    let Diagnosis { commands, .. } = caller.gets_no_answer("unseen-on-bridge")?;
    for command in &commands {
        do_all(&lan.director, command)?;
    }
    eventually(|| caller.is_answered())?;
    sh(&lan.director, "modprobe -r br_netfilter")
}
