//! The counters over all services, and the load of the kernel's tables.

use super::Stats;

/// The sums over all services, and what the kernel reports about its tables.
///
/// Fields may be added: start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Totals {
    /// Counters and rates over all services, deleted ones included.
    pub stats: Stats,
    /// The load of the tables, if the kernel reports it: since Linux 7.2.
    pub status: Option<Status>,
    /// How large the tables may become.
    pub limits: Limits,
}

/// The load of the tables.
///
/// Fields may be added: start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Status {
    /// The table of connections.
    pub connections: HashTable,
    /// The table of services.
    pub services: HashTable,
    /// The threads that add counters up.
    pub estimators: Estimators,
}

/// The load of a hash table.
///
/// Fields may be added: start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct HashTable {
    /// The number of entries.
    pub entries: u64,
    /// The number of buckets.
    pub buckets: u64,
    /// Buckets with nothing in them.
    pub empty_buckets: u64,
    /// Buckets with one entry, with two, and so on; the last number is of those with more than
    /// six.
    pub chains: [u64; 7],
}

/// The threads that add counters up.
///
/// Fields may be added: start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Estimators {
    /// The number of running threads.
    pub threads: u64,
    /// The maximum number of threads.
    pub most_threads: u64,
}

/// The sysctls that size the tables, where the kernel has them: since Linux 7.2.
///
/// Fields may be added: start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Limits {
    /// `conn_max`: the most connections.
    pub most_connections: Option<i64>,
    /// `conn_lfactor`: the table of connections grows when it has more entries than two to the
    /// power of this for each bucket.
    pub connection_load_factor: Option<i64>,
    /// `svc_lfactor`: the same for the table of services.
    pub service_load_factor: Option<i64>,
}
