//! What can be changed in the virtual server table.

use super::{Daemon, DaemonRole, Server, ServerId, Service, ServiceId, Timeouts};

/// One change, as the kernel carries it out: whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    AddService(Service),
    /// Replaces the settings of a service, all of them.
    EditService(Service),
    DeleteService(ServiceId),
    AddServer(ServiceId, Server),
    /// Replaces the settings of a server, all of them.
    EditServer(ServiceId, Server),
    DeleteServer(ServiceId, ServerId),
    /// Deletes all services.
    Flush,
    /// Zeroes the counters of one service and its servers, or all of them.
    Zero(Option<ServiceId>),
    SetTimeouts(Timeouts),
    StartDaemon(Daemon),
    StopDaemon(DaemonRole),
}
