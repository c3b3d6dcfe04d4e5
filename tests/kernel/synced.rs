//! Connections as another director sends them: messages of the synchronisation protocol, sent to
//! a backup daemon on the loopback device.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipvsadm::kernel::Client;
use ipvsadm::model::{Daemon, DaemonRole};

/// How many connections fit one message, whatever their family.
const TOGETHER: usize = 19;

/// The flag of a template, the connection that stores persistence.
pub const TEMPLATE: u32 = 0x1000;

/// A connection whose addresses are all of one family.
#[derive(Clone, Copy)]
pub struct Synced {
    pub protocol: u8,
    pub flags: u32,
    pub state: u16,
    pub client: SocketAddr,
    pub virtual_service: SocketAddr,
    pub server: SocketAddr,
}

/// Starts a backup daemon in the network namespace of this thread.
pub fn listen() -> Result<()> {
    for words in ["link set lo multicast on", "route add 224.0.0.0/4 dev lo"] {
        let status = Command::new("/bin/ip")
            .args(words.split(' '))
            .stdin(Stdio::null())
            .status()
            .context("running ip")?;
        ensure!(status.success(), "ip {words}: {status}");
    }
    let daemon = Daemon::new(DaemonRole::Backup, "lo".parse()?, 0);
    Ok(Client::open()?.start_daemon(&daemon)?)
}

/// Sends connections to the daemon.
pub fn send(connections: impl Iterator<Item = Synced>) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut connections = connections.peekable();
    for turn in 0.. {
        if connections.peek().is_none() {
            break;
        }
        let together: Vec<Synced> = connections.by_ref().take(TOGETHER).collect();
        socket.send_to(&message(&together), (Ipv4Addr::new(224, 0, 0, 81), 8848))?;
        // The daemon must keep up.
        if turn % 64 == 63 {
            thread::sleep(Duration::from_millis(10));
        }
    }
    thread::sleep(Duration::from_millis(200));
    Ok(())
}

/// One message of the synchronisation protocol, version 1.
fn message(connections: &[Synced]) -> Vec<u8> {
    let entries: Vec<u8> = connections.iter().flat_map(entry).collect();
    let size = 8 + entries.len() as u16;
    let mut message = vec![0, 0];
    message.extend(size.to_be_bytes());
    message.extend([connections.len() as u8, 1, 0, 0]);
    message.extend(entries);
    message
}

fn entry(connection: &Synced) -> Vec<u8> {
    let ends = [
        connection.client,
        connection.virtual_service,
        connection.server,
    ];
    let is_ipv6 = connection.client.is_ipv6();
    let size: u16 = if is_ipv6 { 72 } else { 36 };
    let mut entry = vec![u8::from(is_ipv6), connection.protocol];
    entry.extend(size.to_be_bytes());
    entry.extend(connection.flags.to_be_bytes());
    entry.extend(connection.state.to_be_bytes());
    for end in ends {
        entry.extend(end.port().to_be_bytes());
    }
    let (mark, timeout) = (0_u32, 3600_u32);
    entry.extend(mark.to_be_bytes());
    entry.extend(timeout.to_be_bytes());
    for end in ends {
        match end.ip() {
            IpAddr::V4(address) => entry.extend(address.octets()),
            IpAddr::V6(address) => entry.extend(address.octets()),
        }
    }
    entry
}
