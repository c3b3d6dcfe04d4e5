//! The synchronisation daemons, and the timeouts of connections.

use std::net::{IpAddr, Ipv4Addr};

use super::Interface;

/// Which of the two daemons: the one that sends the connection table or the one that receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DaemonRole {
    /// It sends the connections of this director.
    Master,
    /// It receives those of another director.
    Backup,
}

/// A synchronisation daemon. A field that is `None` has the kernel's default, or was not reported.
///
/// Fields may be added: start from [`Daemon::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Daemon {
    /// Master or backup.
    pub role: DaemonRole,
    /// The interface that it sends or listens on.
    pub interface: Interface,
    /// A number that both directors must use, from 0 to 255. A kernel may report other numbers if
    /// another program has set them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub sync_id: u32,
    /// The longest message, in bytes; not 0. By default it fits a packet of 1500 bytes or, on a
    /// backup, a longer one if the interface allows it. On a backup it is at least 1024.
    pub max_length: Option<u16>,
    /// The multicast group: 224.0.0.81 by default. The kernel refuses other addresses.
    pub group: Option<IpAddr>,
    /// The UDP port: 8848 by default; not 0.
    pub port: Option<u16>,
    /// The time to live of its packets: 1 by default.
    pub ttl: Option<u8>,
}

impl Daemon {
    /// The default multicast group.
    pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    /// The default port.
    pub const PORT: u16 = 8848;
    /// The default time to live.
    pub const TTL: u8 = 1;

    /// A daemon with the kernel's defaults.
    pub fn new(role: DaemonRole, interface: Interface, sync_id: u32) -> Self {
        Self {
            role,
            interface,
            sync_id,
            max_length: None,
            group: None,
            port: None,
            ttl: None,
        }
    }
}

/// The timeouts of idle connections, in seconds. Setting 0 keeps a timeout, so the default here
/// keeps all of them. The kernel starts with 900, 120 and 300.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

impl Timeouts {
    /// The timeouts after these are set. A timeout of 0 leaves the current one unchanged.
    pub fn over(self, current: Self) -> Self {
        let kept = |new, current| if new == 0 { current } else { new };
        Self {
            tcp: kept(self.tcp, current.tcp),
            tcp_fin: kept(self.tcp_fin, current.tcp_fin),
            udp: kept(self.udp, current.udp),
        }
    }
}
