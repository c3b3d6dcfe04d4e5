//! The client: one method for each IPVS command.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use netlink_packet_core::NLM_F_ACK;

use super::error::{Error, Result};
use super::netlink::Netlink;
use super::proc::Connections;
use super::request::Query;
use super::socket::Socket;
use super::transport::Transport;
use super::{daemon, info, module, service};
use crate::model::{
    Change, Daemon, DaemonRole, Info, Server, ServerId, Service, ServiceId, ServiceState, Timeouts,
};

/// Which of the kernel's two interfaces the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Netlink,
    /// Where netlink is refused, as in user namespaces: IPv4 only, and without some settings.
    Options,
}

/// A connection to the kernel's IPVS, in the network namespace in which it was opened.
///
/// ```no_run
/// use ipvsadm::kernel::{Batch, Client};
/// use ipvsadm::model::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let web = Service::tcp("192.0.2.1:80".parse()?);
/// let mut client = Client::open()?;
/// client.add_service(&web)?;
///
/// // Many things at once: whatever is refused comes back with the tag it was given.
/// let mut batch = Batch::new(client)?;
/// let mut refused = |number, errno| eprintln!("server {number}: error {errno}");
/// for number in 1..=200 {
///     let server = Server {
///         forwarding: Forwarding::Masquerade,
///         ..Server::new(([10, 0, 0, number], 80))
///     };
///     batch.push(number, &Change::AddServer(web.id, server), &mut refused)?;
/// }
/// batch.flush(&mut refused)?;
/// # Ok(())
/// # }
/// ```
pub struct Client {
    pub(super) netlink: Netlink,
    pub(super) way: Way,
}

impl Client {
    /// Connects to the kernel's IPVS. Where the kernel has none, its module is loaded, once.
    ///
    /// That one has no right to it is `Error::Refused` with `EPERM`, at once. Without a right
    /// to IPVS over netlink, as in a user namespace, the client does what the old socket options
    /// can: IPv4 without engines, tunnels and the settings of daemons.
    pub fn open() -> Result<Self> {
        match Self::over(Box::new(Socket::open()?)) {
            Err(Error::Absent) => {
                module::load();
                Self::over(Box::new(Socket::open()?))
            }
            client => client,
        }
    }

    /// A client over another transport than the usual sockets, for tests.
    pub fn over(transport: Box<dyn Transport>) -> Result<Self> {
        let mut client = Self {
            netlink: Netlink::new(transport)?,
            way: Way::Netlink,
        };
        match client.info() {
            Err(denied @ Error::Refused(libc::EPERM)) => {
                client.way = Way::Options;
                client.info().map_err(|_| denied)?;
            }
            info => drop(info?),
        }
        Ok(client)
    }

    /// Sets how long one answer may take in all. The default is a minute.
    pub fn set_time_limit(&mut self, limit: Duration) {
        self.netlink.set_time_limit(limit);
    }

    pub fn info(&mut self) -> Result<Info> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Info, info::read),
            Way::Options => self.netlink.options().info(),
        }
    }

    pub fn add_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::AddService(*service))
    }

    /// Replaces the settings of a service, all of them.
    pub fn edit_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::EditService(*service))
    }

    pub fn delete_service(&mut self, id: &ServiceId) -> Result<()> {
        self.apply(&Change::DeleteService(*id))
    }

    pub fn service(&mut self, id: &ServiceId) -> Result<ServiceState> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Service(id), service::read),
            Way::Options => Ok(self.netlink.options().service(id)?.0),
        }
    }

    pub fn add_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::AddServer(*id, *server))
    }

    /// Replaces the settings of a server, all of them.
    pub fn edit_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::EditServer(*id, *server))
    }

    pub fn delete_server(&mut self, id: &ServiceId, server: &ServerId) -> Result<()> {
        self.apply(&Change::DeleteServer(*id, *server))
    }

    /// Deletes all services.
    pub fn flush(&mut self) -> Result<()> {
        self.apply(&Change::Flush)
    }

    /// Zeroes the counters of a service and its servers, or of all.
    pub fn zero(&mut self, id: Option<&ServiceId>) -> Result<()> {
        self.apply(&Change::Zero(id.copied()))
    }

    pub fn timeouts(&mut self) -> Result<Timeouts> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Timeouts, info::read_timeouts),
            Way::Options => self.netlink.options().timeouts(),
        }
    }

    pub fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<()> {
        self.apply(&Change::SetTimeouts(*timeouts))
    }

    pub fn daemons(&mut self) -> Result<Vec<Daemon>> {
        match self.way {
            Way::Netlink => {
                let mut daemons = self.netlink.list(Query::Daemons, daemon::read)?.items;
                // There is at most one of each role, but the kernel may send one twice if a daemon
                // starts or stops meanwhile.
                let mut roles = HashSet::new();
                daemons.retain(|daemon| roles.insert(daemon.role));
                Ok(daemons)
            }
            Way::Options => self.netlink.options().daemons(),
        }
    }

    pub fn start_daemon(&mut self, daemon: &Daemon) -> Result<()> {
        self.apply(&Change::StartDaemon(*daemon))
    }

    pub fn stop_daemon(&mut self, role: DaemonRole) -> Result<()> {
        self.apply(&Change::StopDaemon(role))
    }

    /// The kernel does not answer if the thread of the daemon has not run yet: then the list of
    /// daemons shows whether it stopped.
    fn stop_and_see(&mut self, role: DaemonRole) -> Result<()> {
        let mut verdict = None;
        self.netlink.begin();
        self.netlink.queue(NLM_F_ACK, &Change::StopDaemon(role));
        self.netlink
            .send_queue(1, |_, errno| verdict = Some(errno))?;
        match verdict {
            Some(0) => Ok(()),
            Some(errno) => Err(Error::Refused(errno)),
            None if self.daemons()?.iter().any(|daemon| daemon.role == role) => {
                Err(Error::NoAnswer)
            }
            None => Ok(()),
        }
    }

    /// The connection table; `None` if it has no title.
    ///
    /// It is a file: if no descriptor is left for it, the sockets are closed until they are
    /// needed again.
    pub fn connections(&mut self) -> io::Result<Option<Connections>> {
        match Connections::open() {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                self.netlink.release();
                Connections::open()
            }
            table => table,
        }
    }

    /// Makes one change.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        match (self.way, *change) {
            (Way::Options, _) => self.netlink.options().apply(change),
            (Way::Netlink, Change::StopDaemon(role)) => self.stop_and_see(role),
            (Way::Netlink, _) => self.netlink.change(change),
        }
    }
}
