//! The client: one method for each IPVS command.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::time::Duration;

use netlink_packet_core::NLM_F_ACK;

use super::error::{Error, Refusal, Result};
use super::limits;
use super::netlink::Netlink;
#[cfg(feature = "cli")]
use super::netns::run_apart;
use super::netns::{Home, Netns};
use super::proc::{self, Connections};
use super::request::Query;
use super::socket::Socket;
use super::transport::Transport;
use super::{daemon, info, service};
use crate::model::{
    Change, Daemon, DaemonRole, Info, Server, ServerId, Service, ServiceId, ServiceState, Timeouts,
    Totals,
};
#[cfg(feature = "cli")]
use crate::model::{drain::Tuning, rates::Counted};

/// Which of the kernel's two interfaces the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Netlink,
    /// Used if netlink is refused, as in user namespaces: IPv4 only, and without some settings.
    SocketOptions,
}

/// A connection to the kernel's IPVS in one network namespace.
///
/// Each call waits for the kernel's answer. The client keeps no copy of the table.
///
/// ```no_run
/// use ipvsadm::kernel::Client;
/// use ipvsadm::model::{Server, Service};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::open()?;
/// let web = Service::tcp("192.0.2.1:80".parse()?);
/// client.add_service(&web)?;
/// client.add_server(&web.id, &Server::new(([10, 0, 0, 1], 80)))?;
/// # Ok(())
/// # }
/// ```
pub struct Client {
    pub(super) netlink: Netlink,
    pub(super) way: Way,
    home: Home,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the kernel's IPVS in the network namespace of this thread, and stays there.
    /// [`connections`](Self::connections) and [`totals`](Self::totals) fail in a thread of another
    /// namespace.
    ///
    /// No program is started: without the module this is [`Error::Absent`], and the caller may
    /// [load it](super::load_module). (Kernels since 6.1 load it themselves.)
    ///
    /// Without `CAP_NET_ADMIN` in the initial user namespace the kernel refuses netlink. Root of
    /// another user namespace may still use the older socket options of IPVS, so the client uses
    /// them then: for IPv4 only, without engines, tunnels and most settings of daemons. Without
    /// such a right, the error is a [`Refusal`](super::Refusal) that is
    /// [`not_permitted`](super::Refusal::not_permitted).
    pub fn open() -> Result<Self> {
        Self::with(Socket::open(None)?)
    }

    /// Connects to the kernel's IPVS in another network namespace, and stays there. This thread
    /// stays where it is. It needs `CAP_SYS_ADMIN`; so do [`connections`](Self::connections) and
    /// [`totals`](Self::totals) later, which enter the namespace again.
    pub fn open_in(namespace: &Netns) -> Result<Self> {
        let socket = Socket::open(Some(namespace.clone()));
        Self::with(socket.map_err(|reason| namespace.error(reason))?)
    }

    fn with(socket: Socket) -> Result<Self> {
        Self::at(socket.home().clone(), Box::new(socket))
    }

    /// A client over another transport than the usual sockets, for tests.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    pub fn over(transport: Box<dyn Transport>) -> Result<Self> {
        let home = Home::here().with_proc(transport.proc());
        Self::at(home, transport)
    }

    fn at(home: Home, transport: Box<dyn Transport>) -> Result<Self> {
        let mut client = Self {
            netlink: Netlink::new(transport)?,
            way: Way::Netlink,
            home,
        };
        match client.info() {
            Err(
                denied @ Error::Refused(Refusal {
                    errno: libc::EPERM, ..
                }),
            ) => {
                client.way = Way::SocketOptions;
                client.info().map_err(|_| denied)?;
            }
            info => drop(info?),
        }
        Ok(client)
    }

    /// Whether the kernel allows this process only the older socket options (see [`Client::open`]).
    /// They do not show engines and tunnels, and editing a server with a tunnel turns the tunnel
    /// into plain IPIP.
    pub fn is_restricted(&self) -> bool {
        self.way == Way::SocketOptions
    }

    /// Sets how long an answer may take after its first part has arrived; the default is a minute.
    /// If nothing arrives for five seconds, the call fails.
    pub fn set_time_limit(&mut self, limit: Duration) {
        self.netlink.set_time_limit(limit);
    }

    /// The version of IPVS and the size of its connection table.
    pub fn info(&mut self) -> Result<Info> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Info, info::read),
            Way::SocketOptions => self.netlink.socket_options().info(),
        }
    }

    /// Adds a service. The refusal is [`already_exists`](Refusal::already_exists) if the service
    /// exists, and [`not_found`](Refusal::not_found) if the kernel has no such scheduler or engine.
    /// The kernel loads the modules of both if it can.
    pub fn add_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::AddService(*service))
    }

    /// Replaces all settings of a service: one without an engine loses its engine. Connections
    /// stay. If a new scheduler cannot start, the old one stays; on Linux 5.10 the service then has
    /// no scheduler.
    pub fn edit_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::EditService(*service))
    }

    /// Deletes a service and its servers. Connections remain until they time out, unless the sysctl
    /// `net.ipv4.vs.expire_nodest_conn` is 1; their packets are dropped.
    pub fn delete_service(&mut self, id: &ServiceId) -> Result<()> {
        self.apply(&Change::DeleteService(*id))
    }

    /// One service, with its counters.
    pub fn service(&mut self, id: &ServiceId) -> Result<ServiceState> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Service(id), service::read),
            Way::SocketOptions => Ok(self.netlink.socket_options().service(id)?.0),
        }
    }

    /// Adds a server to a service.
    ///
    /// The kernel refuses addresses that are not unicast. It refuses a server of another family
    /// than its service, except in a tunnel and as long as no daemon runs.
    ///
    /// It remembers deleted servers for about three minutes: one that comes back has its
    /// connections, and in the same service its counters.
    pub fn add_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::AddServer(*id, *server))
    }

    /// Replaces all settings of a server. Its counters and connections stay.
    pub fn edit_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::EditServer(*id, *server))
    }

    /// Deletes a server. Its connections end like those of
    /// [a deleted service](Self::delete_service). To let them end normally, first set
    /// [its weight](Server::weight) to 0 and wait.
    pub fn delete_server(&mut self, id: &ServiceId, server: &ServerId) -> Result<()> {
        self.apply(&Change::DeleteServer(*id, *server))
    }

    /// Deletes all services and servers. Their connections end like those of
    /// [a deleted service](Self::delete_service).
    pub fn flush(&mut self) -> Result<()> {
        self.apply(&Change::Flush)
    }

    /// Zeroes the counters of a service and its servers, or of all services. The kernel updates
    /// counters every two seconds, so traffic since the last update shows up afterwards.
    pub fn zero(&mut self, id: Option<&ServiceId>) -> Result<()> {
        self.apply(&Change::Zero(id.copied()))
    }

    /// The timeouts of connections.
    pub fn timeouts(&mut self) -> Result<Timeouts> {
        match self.way {
            Way::Netlink => self.netlink.get(Query::Timeouts, info::read_timeouts),
            Way::SocketOptions => self.netlink.socket_options().timeouts(),
        }
    }

    /// Sets the timeouts of connections. A timeout of 0 leaves the current value. Kernels with a
    /// thousand ticks a second refuse timeouts above 2,147,483 seconds (24 days); the limit is
    /// higher with fewer ticks.
    pub fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<()> {
        self.apply(&Change::SetTimeouts(*timeouts))
    }

    /// The synchronisation daemons that run.
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
            Way::SocketOptions => self.netlink.socket_options().daemons(),
        }
    }

    /// Starts a synchronisation daemon. The kernel refuses a second one of the same role, an
    /// unknown interface, a master on an interface that is down, and any daemon while a server is
    /// of another family than its service.
    pub fn start_daemon(&mut self, daemon: &Daemon) -> Result<()> {
        self.apply(&Change::StartDaemon(*daemon))
    }

    /// Stops a synchronisation daemon. The refusal is [`not_found`](Refusal::not_found) if no
    /// daemon of this role runs.
    pub fn stop_daemon(&mut self, role: DaemonRole) -> Result<()> {
        self.apply(&Change::StopDaemon(role))
    }

    fn send(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::StopDaemon(role) => self.stop_and_see(*role),
            Change::AddService(_)
            | Change::EditService(_)
            | Change::DeleteService(_)
            | Change::AddServer(..)
            | Change::EditServer(..)
            | Change::DeleteServer(..)
            | Change::Flush
            | Change::Zero(_)
            | Change::SetTimeouts(_)
            | Change::StartDaemon(_) => self.netlink.change(change),
        }
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
            Some(errno) => Err(Error::refused(errno)),
            None if self.daemons()?.iter().any(|daemon| daemon.role == role) => {
                Err(Error::NoAnswer)
            }
            None => Ok(()),
        }
    }

    /// The connection table.
    ///
    /// It is a file in the client's network namespace. If the process has no free descriptor for
    /// it, the client closes its sockets until it needs them again.
    ///
    /// ```no_run
    /// use ipvsadm::kernel::Client;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut connections = Client::open()?.connections()?;
    /// while let Some(line) = connections.read()? {
    ///     match line {
    ///         Ok(connection) => println!("{} is at {}", connection.client, connection.server),
    ///         Err(line) => eprintln!("unknown: {}", line.escape_ascii()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn connections(&mut self) -> Result<Connections> {
        self.read_file(Connections::open)
    }

    /// The sums over all services, and how full the kernel's tables are. It reads files, as
    /// [`connections`](Self::connections) does.
    pub fn totals(&mut self) -> Result<Totals> {
        self.read_file(proc::read_totals)
    }

    /// Reads a file of IPVS. If it does not exist, this asks the kernel whether IPVS is gone.
    fn read_file<T>(&mut self, read: impl Fn(&Home) -> Result<T>) -> Result<T> {
        let outcome = match read(&self.home) {
            Err(error) if error.errno() == Some(libc::EMFILE) => {
                self.netlink.release();
                read(&self.home)
            }
            outcome => outcome,
        };
        match outcome {
            Err(Error::File(reason)) if reason.kind() == io::ErrorKind::NotFound => {
                match self.info() {
                    Err(Error::Absent) => Err(Error::Absent),
                    _ => Err(Error::File(reason)),
                }
            }
            outcome => outcome,
        }
    }

    /// Makes one change. With [`Error::Invalid`] nothing was sent.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        limits::check(change)?;
        self.make(change)
    }

    fn make(&mut self, change: &Change) -> Result<()> {
        let outcome = match self.way {
            Way::SocketOptions => self.netlink.socket_options().apply(change),
            Way::Netlink => self.send(change),
        };
        outcome.map_err(|error| error.about(change.into()))
    }
}

/// Requests that only the program needs.
#[cfg(feature = "cli")]
impl Client {
    /// Calls a function with a client in a new network namespace. Its table is empty, and is gone
    /// afterwards. This needs `CAP_SYS_ADMIN`.
    #[doc(hidden)]
    pub fn apart<T: Send>(act: impl FnOnce(&mut Self) -> Result<T> + Send) -> Result<T> {
        run_apart(|| Ok(Self::open().and_then(|mut client| act(&mut client))))?
    }

    /// Makes a change that restores a state that the kernel reported, even if another program set
    /// it. The values come from the kernel, so they are not checked.
    #[doc(hidden)]
    pub fn put_back(&mut self, change: &Change) -> Result<()> {
        self.make(change)
    }

    /// The counters over all services. All other counters lag behind by up to two seconds.
    #[doc(hidden)]
    pub fn counted(&self) -> Result<Counted> {
        proc::read_counted(&self.home)
    }

    /// The settings that drains depend on.
    #[doc(hidden)]
    pub fn tuning(&self) -> Tuning {
        proc::tuning(&self.home)
    }
}
