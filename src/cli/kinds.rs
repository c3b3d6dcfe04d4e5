//! What the rows of the table are made of.

/// What the program is asked to do; exactly one stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    AddService,
    EditService,
    DeleteService,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
    Help,
    Version,
}

/// An option of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    TcpService,
    UdpService,
    SctpService,
    MarkService,
    Ipv6,
    Scheduler,
    SchedulerFlags,
    Persistent,
    Netmask,
    Engine,
    OnePacket,
    RealServer,
    DirectRouting,
    Tunnel,
    Masquerade,
    Weight,
    UpperThreshold,
    LowerThreshold,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    Connections,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConnections,
    TunnelInfo,
    Exact,
    NoSort,
    Sort,
    Numeric,
    Format,
    Interface,
    SyncId,
    SyncMaxLength,
    McastGroup,
    McastPort,
    McastTtl,
}

/// A place on the line that may be filled once. Several options may compete for one.
/// Messages name slots, and checks go through them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Numeric,
    Connections,
    ServiceAddress,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Forwarding,
    Weight,
    UpperThreshold,
    LowerThreshold,
    Interface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConnections,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxLength,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    Format,
}

const SLOTS: [(Slot, &str); 35] = [
    (Slot::Numeric, "numeric"),
    (Slot::Connections, "connection"),
    (Slot::ServiceAddress, "service-address"),
    (Slot::Scheduler, "scheduler"),
    (Slot::Persistent, "persistent"),
    (Slot::Netmask, "netmask"),
    (Slot::RealServer, "real-server"),
    (Slot::Forwarding, "forwarding-method"),
    (Slot::Weight, "weight"),
    (Slot::UpperThreshold, "u-threshold"),
    (Slot::LowerThreshold, "l-threshold"),
    (Slot::Interface, "mcast-interface"),
    (Slot::Timeout, "timeout"),
    (Slot::Daemon, "daemon"),
    (Slot::Stats, "stats"),
    (Slot::Rate, "rate"),
    (Slot::Thresholds, "thresholds"),
    (Slot::PersistentConnections, "persistent-conn"),
    (Slot::NoSort, "nosort"),
    (Slot::SyncId, "syncid"),
    (Slot::Exact, "exact"),
    (Slot::OnePacket, "ops"),
    (Slot::Engine, "pe"),
    (Slot::SchedulerFlags, "sched-flags"),
    (Slot::McastGroup, "mcast-group"),
    (Slot::McastPort, "mcast-port"),
    (Slot::McastTtl, "mcast-ttl"),
    (Slot::SyncMaxLength, "sync-maxlen"),
    (Slot::TunnelInfo, "tun-info"),
    (Slot::TunnelType, "tun-type"),
    (Slot::TunnelPort, "tun-port"),
    (Slot::TunnelNoChecksum, "tun-nocsum"),
    (Slot::TunnelChecksum, "tun-csum"),
    (Slot::TunnelRemoteChecksum, "tun-remcsum"),
    (Slot::Format, "format"),
];

impl Slot {
    /// The word for it in messages.
    pub fn name(self) -> &'static str {
        SLOTS[self as usize].1
    }
}

/// A set of slots: what is given on a line, or what a command takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots(u64);

impl Slots {
    pub const NONE: Self = Self(0);

    pub const fn with(self, slot: Slot) -> Self {
        Self(self.0 | 1 << slot as u32)
    }

    pub fn has(self, slot: Slot) -> bool {
        self.0 & Self::NONE.with(slot).0 != 0
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn except(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The first slot of the set in the order of checks.
    pub fn first(self) -> Option<Slot> {
        SLOTS
            .get(self.0.trailing_zeros() as usize)
            .map(|slot| slot.0)
    }
}

/// Whether a command or an option has a value, and what the help calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Nothing,
    Required(&'static str),
    Optional(&'static str),
}

#[derive(Debug)]
pub struct CommandRow {
    pub verb: Verb,
    pub short: &'static [u8],
    pub long: &'static str,
    pub value: Value,
    /// The word for it in messages.
    pub name: &'static str,
    pub help: &'static str,
    pub manual: &'static str,
}

#[derive(Debug)]
pub struct OptionRow {
    pub option: Opt,
    /// None for an option that may stand anywhere, any number of times.
    pub slot: Option<Slot>,
    pub short: Option<u8>,
    pub long: &'static str,
    pub value: Value,
    /// The commands that need it.
    pub must: &'static [Verb],
    /// The commands that take it.
    pub may: &'static [Verb],
    /// The commands that take just one of all options that name them here.
    pub one_of: &'static [Verb],
    pub help: &'static str,
    pub manual: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stand_in_their_order() {
        for (index, (slot, _)) in SLOTS.iter().enumerate() {
            assert_eq!(*slot as usize, index);
        }
    }
}
