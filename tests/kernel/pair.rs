//! Two identical network namespaces: the reference works in one, ours in the other.

use anyhow::{Context, Result, bail};
use ipvsadm::kernel::Client;
use ipvsadm::model::{self, Daemon, Entry, Server, Service, Timeouts};

use crate::cases::same;
use crate::lab::world::{Namespace, Output, Program, Side, World};

/// An interface and a route for the daemons, and for packets to services.
const NETWORK: &str = "\
    link add eth0 type dummy\n\
    addr add 10.9.0.1/24 dev eth0\n\
    addr add 2001:db8:9::1/64 dev eth0 nodad\n\
    link set eth0 up multicast on\n\
    link set lo multicast on\n\
    route add 224.0.0.0/4 dev eth0\n\
    route add default dev eth0\n";

/// The listings that the reference prints at the end, in one run.
const QUESTIONS: &str = "-S -n\n-L -n --thresholds\n-L --daemon\n-L --timeout\n";

/// How often to retry a listing that keeps changing.
const PATIENCE: usize = 5;

pub struct Pair {
    reference: Half,
    ours: Half,
}

struct Half {
    namespace: Namespace,
    client: Client,
}

/// Everything that commands can change.
#[derive(Debug, PartialEq)]
pub struct Tables {
    services: Vec<(Service, Vec<Server>)>,
    daemons: Vec<Daemon>,
    timeouts: Timeouts,
}

impl Pair {
    pub fn new(world: &mut World) -> Result<Self> {
        Ok(Pair {
            reference: Half::new(world.namespace("reference")?)?,
            ours: Half::new(world.namespace("ours")?)?,
        })
    }

    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Reference => &mut self.reference,
            Side::Ours => &mut self.ours,
        }
    }

    /// Runs a program in the namespace of `side`.
    pub fn run(&mut self, side: Side, program: &Program) -> Result<Output> {
        self.half(side).namespace.run(program)
    }

    /// Moves the calling thread into the namespace of `side`.
    pub fn enter(&mut self, side: Side) -> Result<()> {
        self.half(side).namespace.enter()
    }

    /// The contents of both tables; an error if they differ.
    pub fn tables(&mut self) -> Result<Tables> {
        let (theirs, ours) = (self.reference.tables()?, self.ours.tables()?);
        if theirs != ours {
            self.same_to_the_reference()?;
            bail!("the tables differ:\n- {theirs:?}\n+ {ours:?}");
        }
        Ok(ours)
    }

    /// An error if the reference sees a difference between the two tables.
    pub fn same_to_the_reference(&mut self) -> Result<()> {
        let questions = Program::ipvsadm(Side::Reference)
            .args(["-R"])
            .stdin(QUESTIONS);
        let theirs = self.run(Side::Reference, &questions)?;
        let ours = self.run(Side::Ours, &questions)?;
        same("the reference's table", &theirs, "our table", &ours)
    }

    /// Has the reference run a file of commands on both sides.
    pub fn restore(&mut self, commands: &str) -> Result<()> {
        let restore = Program::ipvsadm(Side::Reference)
            .args(["-R"])
            .stdin(commands);
        for side in [Side::Reference, Side::Ours] {
            let output = self.run(side, &restore)?;
            output.success().context("making the world")?;
        }
        Ok(())
    }
}

/// The listings of the reference and ours. If they differ, the reference printed the same before
/// and after ours, so nothing has changed meanwhile: no connection has aged, and the kernel has
/// not reordered its table.
pub fn list_at_rest(mut list: impl FnMut(Side) -> Result<Output>) -> Result<[Output; 2]> {
    let mut theirs = list(Side::Reference)?;
    for _ in 0..PATIENCE {
        let ours = list(Side::Ours)?;
        if theirs == ours {
            return Ok([theirs, ours]);
        }
        let again = list(Side::Reference)?;
        if theirs == again {
            return Ok([theirs, ours]);
        }
        theirs = again;
    }
    bail!("the reference lists something else each time")
}

impl Half {
    fn new(namespace: Namespace) -> Result<Self> {
        let network = Program::new("ip").args(["-batch", "-"]).stdin(NETWORK);
        let output = namespace.run(&network)?;
        output.success().context("making the network")?;
        let client = Client::open()?;
        Ok(Half { namespace, client })
    }

    fn tables(&mut self) -> Result<Tables> {
        let mut entries = Vec::new();
        for service in self.client.services()? {
            let servers = self.client.servers(&service.service.id)?;
            entries.push(Entry { service, servers });
        }
        model::sort_table(&mut entries);
        let services = entries.into_iter().map(|entry| {
            let servers = entry.servers.into_iter().map(|state| state.server);
            (entry.service.service, servers.collect())
        });
        Ok(Tables {
            services: services.collect(),
            daemons: self.client.daemons()?,
            timeouts: self.client.timeouts()?,
        })
    }
}
