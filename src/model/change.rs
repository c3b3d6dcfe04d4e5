//! Changes to the virtual server table.

use super::{Daemon, DaemonRole, Server, ServerId, Service, ServiceId, Timeouts};

/// One change, as the kernel carries it out: whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Change {
    /// Adds a service.
    AddService(Service),
    /// Replaces all settings of a service.
    EditService(Service),
    /// Deletes a service and its servers. Connections remain until they time out.
    DeleteService(ServiceId),
    /// Adds a server to a service.
    AddServer(ServiceId, Server),
    /// Replaces all settings of a server.
    EditServer(ServiceId, Server),
    /// Deletes a server of a service.
    DeleteServer(ServiceId, ServerId),
    /// Deletes all services.
    Flush,
    /// Zeroes the counters of one service and its servers, or all of them.
    Zero(Option<ServiceId>),
    /// Sets the timeouts of connections.
    SetTimeouts(Timeouts),
    /// Starts a synchronisation daemon.
    StartDaemon(Daemon),
    /// Stops a synchronisation daemon.
    StopDaemon(DaemonRole),
}

impl Change {
    /// The service that it concerns, if it concerns a single one.
    pub fn service(&self) -> Option<ServiceId> {
        match self {
            Self::AddService(service) | Self::EditService(service) => Some(service.id),
            Self::DeleteService(id)
            | Self::AddServer(id, _)
            | Self::EditServer(id, _)
            | Self::DeleteServer(id, _) => Some(*id),
            Self::Zero(id) => *id,
            Self::Flush | Self::SetTimeouts(_) | Self::StartDaemon(_) | Self::StopDaemon(_) => None,
        }
    }

    /// The object that it deletes: a server of a service, or a service with all its servers.
    pub fn deletes(&self) -> Option<(ServiceId, Option<ServerId>)> {
        match self {
            Self::DeleteService(id) => Some((*id, None)),
            Self::DeleteServer(id, server) => Some((*id, Some(*server))),
            Self::AddService(_)
            | Self::EditService(_)
            | Self::AddServer(..)
            | Self::EditServer(..)
            | Self::Flush
            | Self::Zero(_)
            | Self::SetTimeouts(_)
            | Self::StartDaemon(_)
            | Self::StopDaemon(_) => None,
        }
    }
}
