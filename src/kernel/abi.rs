//! The numbers of the kernel's IPVS interface.

/// The name of the generic netlink family, and its version.
pub const FAMILY: &str = "IPVS";
pub const VERSION: u8 = 1;

/// What `AF` and `ADDR_FAMILY` hold.
pub const AF_INET: u16 = libc::AF_INET as u16;
pub const AF_INET6: u16 = libc::AF_INET6 as u16;

/// Commands. A reply carries the number of the command that would set what it reports.
pub mod command {
    pub const NEW_SERVICE: u8 = 1;
    pub const SET_SERVICE: u8 = 2;
    pub const DEL_SERVICE: u8 = 3;
    pub const GET_SERVICE: u8 = 4;
    pub const NEW_DEST: u8 = 5;
    pub const SET_DEST: u8 = 6;
    pub const DEL_DEST: u8 = 7;
    pub const GET_DEST: u8 = 8;
    pub const NEW_DAEMON: u8 = 9;
    pub const DEL_DAEMON: u8 = 10;
    pub const GET_DAEMON: u8 = 11;
    pub const SET_CONFIG: u8 = 12;
    pub const GET_CONFIG: u8 = 13;
    pub const SET_INFO: u8 = 14;
    pub const GET_INFO: u8 = 15;
    pub const ZERO: u8 = 16;
    pub const FLUSH: u8 = 17;
}

/// Attributes at the top of every message but the answer to `GET_INFO`.
pub mod top {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const DAEMON: u16 = 3;
    pub const TIMEOUT_TCP: u16 = 4;
    pub const TIMEOUT_TCP_FIN: u16 = 5;
    pub const TIMEOUT_UDP: u16 = 6;
}

/// Attributes at the top of the answer to `GET_INFO`.
pub mod info {
    pub const VERSION: u16 = 1;
    pub const CONN_TAB_SIZE: u16 = 2;
}

/// Attributes of a service.
pub mod service {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ADDR: u16 = 3;
    pub const PORT: u16 = 4;
    pub const FWMARK: u16 = 5;
    pub const SCHED_NAME: u16 = 6;
    pub const FLAGS: u16 = 7;
    pub const TIMEOUT: u16 = 8;
    pub const NETMASK: u16 = 9;
    pub const STATS: u16 = 10;
    pub const PE_NAME: u16 = 11;
    pub const STATS64: u16 = 12;
}

/// Bits of `FLAGS` that are more than flags.
pub mod flag {
    pub const PERSISTENT: u32 = 0x01;
}

/// Attributes of a server.
pub mod dest {
    pub const ADDR: u16 = 1;
    pub const PORT: u16 = 2;
    pub const FWD_METHOD: u16 = 3;
    pub const WEIGHT: u16 = 4;
    pub const U_THRESH: u16 = 5;
    pub const L_THRESH: u16 = 6;
    pub const ACTIVE_CONNS: u16 = 7;
    pub const INACT_CONNS: u16 = 8;
    pub const PERSIST_CONNS: u16 = 9;
    pub const STATS: u16 = 10;
    pub const ADDR_FAMILY: u16 = 11;
    pub const STATS64: u16 = 12;
    pub const TUN_TYPE: u16 = 13;
    pub const TUN_PORT: u16 = 14;
    pub const TUN_FLAGS: u16 = 15;
}

/// Attributes of a synchronisation daemon, and the values of its `STATE`.
pub mod daemon {
    pub const STATE: u16 = 1;
    pub const MCAST_IFN: u16 = 2;
    pub const SYNC_ID: u16 = 3;
    pub const SYNC_MAXLEN: u16 = 4;
    pub const MCAST_GROUP: u16 = 5;
    pub const MCAST_GROUP6: u16 = 6;
    pub const MCAST_PORT: u16 = 7;
    pub const MCAST_TTL: u16 = 8;

    pub const MASTER: u32 = 1;
    pub const BACKUP: u32 = 2;
}

/// Attributes of both kinds of counters, the narrow and the wide.
pub mod stats {
    pub const CONNS: u16 = 1;
    pub const INPKTS: u16 = 2;
    pub const OUTPKTS: u16 = 3;
    pub const INBYTES: u16 = 4;
    pub const OUTBYTES: u16 = 5;
    pub const CPS: u16 = 6;
    pub const INPPS: u16 = 7;
    pub const OUTPPS: u16 = 8;
    pub const INBPS: u16 = 9;
    pub const OUTBPS: u16 = 10;
}

/// The bits of `FWD_METHOD` that say how packets are forwarded, and what they say.
pub mod forward {
    pub const METHOD: u32 = 0x7;

    pub const MASQUERADE: u32 = 0;
    pub const LOCAL: u32 = 1;
    pub const TUNNEL: u32 = 2;
    pub const DIRECT_ROUTING: u32 = 3;
    pub const BYPASS: u32 = 4;
}

/// The values of `TUN_TYPE`.
pub mod tunnel {
    pub const IPIP: u8 = 0;
    pub const GUE: u8 = 1;
    pub const GRE: u8 = 2;
}

/// The old socket options, at the level of IP. Numbers for getting and for setting overlap.
pub mod option {
    pub const GET_INFO: i32 = 1153;
    pub const GET_SERVICES: i32 = 1154;
    pub const GET_SERVICE: i32 = 1155;
    pub const GET_DESTS: i32 = 1156;
    pub const GET_TIMEOUT: i32 = 1158;
    pub const GET_DAEMON: i32 = 1159;

    pub const SET_ADD: i32 = 1154;
    pub const SET_EDIT: i32 = 1155;
    pub const SET_DEL: i32 = 1156;
    pub const SET_FLUSH: i32 = 1157;
    pub const SET_ADDDEST: i32 = 1159;
    pub const SET_DELDEST: i32 = 1160;
    pub const SET_EDITDEST: i32 = 1161;
    pub const SET_TIMEOUT: i32 = 1162;
    pub const SET_STARTDAEMON: i32 = 1163;
    pub const SET_STOPDAEMON: i32 = 1164;
    pub const SET_ZERO: i32 = 1167;

    /// The bytes of a name and its NUL.
    pub const NAME: usize = 16;
}
