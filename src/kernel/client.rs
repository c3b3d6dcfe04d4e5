//! The client: one method for each IPVS command.

use std::time::Duration;

use super::error::{Error, Result};
use super::module;
use super::netlink::Netlink;
use super::reply;
use super::request::{Change, Query};
use super::socket::Socket;
use super::transport::Transport;
use crate::model::{
    Daemon, DaemonRole, Info, Server, ServerId, ServerState, Service, ServiceId, ServiceState,
    Timeouts,
};

pub struct Client {
    netlink: Netlink,
}

impl Client {
    /// Connects to the kernel's IPVS. Where the kernel has none, its module is loaded, once.
    pub fn open() -> Result<Self> {
        match Self::over(Box::new(Socket::open()?)) {
            Err(Error::Absent) => {
                module::load();
                Self::over(Box::new(Socket::open()?))
            }
            client => client,
        }
    }

    /// Connects by other means than the usual sockets.
    pub fn over(transport: Box<dyn Transport>) -> Result<Self> {
        let mut client = Self {
            netlink: Netlink::new(transport)?,
        };
        // Says early whether one has the right to anything at all.
        client.info()?;
        Ok(client)
    }

    /// How long an answer may take in all.
    pub fn set_time_limit(&mut self, limit: Duration) {
        self.netlink.set_time_limit(limit);
    }

    pub fn info(&mut self) -> Result<Info> {
        self.netlink.get(Query::Info, reply::info)
    }

    pub fn add_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::AddService(service))
    }

    pub fn edit_service(&mut self, service: &Service) -> Result<()> {
        self.apply(&Change::EditService(service))
    }

    pub fn delete_service(&mut self, id: &ServiceId) -> Result<()> {
        self.apply(&Change::DeleteService(id))
    }

    pub fn service(&mut self, id: &ServiceId) -> Result<ServiceState> {
        self.netlink.get(Query::Service(id), reply::service)
    }

    pub fn services(&mut self) -> Result<Vec<ServiceState>> {
        self.netlink.list(Query::Services, reply::service)
    }

    pub fn add_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::AddServer(id, server))
    }

    pub fn edit_server(&mut self, id: &ServiceId, server: &Server) -> Result<()> {
        self.apply(&Change::EditServer(id, server))
    }

    pub fn delete_server(&mut self, id: &ServiceId, server: &ServerId) -> Result<()> {
        self.apply(&Change::DeleteServer(id, server))
    }

    /// The servers of a service; that there is no such service is an error.
    pub fn servers(&mut self, id: &ServiceId) -> Result<Vec<ServerState>> {
        let family = id.family();
        let servers = self.netlink.list(Query::Servers(id), |attributes| {
            reply::server(attributes, family)
        })?;
        // To this query the kernel gives a service that is missing no servers and no error.
        if servers.is_empty() {
            self.service(id)?;
        }
        Ok(servers)
    }

    /// Deletes all services.
    pub fn flush(&mut self) -> Result<()> {
        self.apply(&Change::Flush)
    }

    /// Zeroes the counters of a service and its servers, or of all.
    pub fn zero(&mut self, id: Option<&ServiceId>) -> Result<()> {
        self.apply(&Change::Zero(id))
    }

    pub fn timeouts(&mut self) -> Result<Timeouts> {
        self.netlink.get(Query::Timeouts, reply::timeouts)
    }

    pub fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<()> {
        self.apply(&Change::SetTimeouts(timeouts))
    }

    pub fn daemons(&mut self) -> Result<Vec<Daemon>> {
        self.netlink.list(Query::Daemons, reply::daemon)
    }

    pub fn start_daemon(&mut self, daemon: &Daemon) -> Result<()> {
        self.apply(&Change::StartDaemon(daemon))
    }

    pub fn stop_daemon(&mut self, role: DaemonRole) -> Result<()> {
        self.apply(&Change::StopDaemon(role))
    }

    /// Does one thing that changes something.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        self.netlink.change(change)
    }
}
