//! The sockets: netlink, the plain one for the old options, and one for whole packets.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};
use netlink_sys::{SocketAddr, protocols::NETLINK_GENERIC};

use super::netns::{Home, Netns};
use super::only_ipv4;
#[cfg(feature = "cli")]
use super::transport::uninterrupted;
use super::transport::{Inbox, Room, Transport};

/// How long to wait for an answer. The kernel has answered before a send returns, so this
/// passes only when an answer was lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Buffer sizes for many messages at once; the kernel doubles them.
const SEND_BUFFER: c_int = 128 * 1024;
const RECEIVE_BUFFER: c_int = 4 * 1024 * 1024;

pub struct Socket {
    home: Home,
    /// Closed by `release`, and opened again when it is next used.
    netlink: Option<netlink_sys::Socket>,
    is_large: bool,
    /// The same, but opening it may have failed for lack of descriptors.
    plain: Option<OwnedFd>,
}

impl Socket {
    pub fn open(namespace: Option<Netns>) -> io::Result<Self> {
        let both = || Ok((open_netlink()?, open_plain().ok()));
        let (netlink, plain) = match &namespace {
            Some(namespace) => namespace.run(both)?,
            None => both()?,
        };
        let home = Home::of(netlink.as_raw_fd(), namespace);
        Ok(Self {
            home,
            netlink: Some(netlink),
            is_large: false,
            plain,
        })
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    fn netlink(&mut self) -> io::Result<&netlink_sys::Socket> {
        let socket = match self.netlink.take() {
            Some(socket) => socket,
            None => {
                let socket = self.home.run(open_netlink)??;
                if self.is_large {
                    enlarge(socket.as_raw_fd())?;
                }
                socket
            }
        };
        Ok(self.netlink.insert(socket))
    }

    fn plain(&mut self) -> io::Result<RawFd> {
        let socket = match self.plain.take() {
            Some(socket) => socket,
            None => self.home.run(open_plain)??,
        };
        Ok(self.plain.insert(socket).as_raw_fd())
    }
}

impl Transport for Socket {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.netlink()?.send(messages, 0).map(drop)
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let socket = self.netlink()?.as_raw_fd();
        // SAFETY: zeros are a valid address and a valid header, one that points to nothing.
        let (nobody, empty): (libc::sockaddr_nl, libc::mmsghdr) = unsafe { mem::zeroed() };
        let mut parts = inbox.empty_slots().map(|slot| libc::iovec {
            iov_base: slot.as_mut_ptr().cast(),
            iov_len: slot.len(),
        });
        let mut senders = parts.each_ref().map(|_| nobody);
        let mut headers = parts.each_ref().map(|_| empty);
        for ((header, part), sender) in headers.iter_mut().zip(&mut parts).zip(&mut senders) {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_namelen = size_of_val(sender) as socklen_t;
            header.msg_hdr.msg_name = ptr::from_mut(sender).cast();
        }
        // SAFETY: each header points to a slot and an address of its own, which outlive the call
        // and are not accessed during it.
        let count = unsafe {
            libc::recvmmsg(
                socket,
                headers.as_mut_ptr(),
                headers.len() as u32,
                // The length of a datagram is wanted even where the slot is shorter.
                (libc::MSG_WAITFORONE | libc::MSG_TRUNC) as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (header, sender) in headers.iter().zip(&senders).take(count) {
            inbox.filled(header.msg_len as usize, sender.nl_pid);
        }
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        self.is_large = true;
        let socket = self.netlink()?.as_raw_fd();
        enlarge(socket)?;
        Ok(Room {
            send: size(socket, libc::SO_SNDBUF)?,
            receive: size(socket, libc::SO_RCVBUF)?,
        })
    }

    fn release(&mut self) {
        self.netlink = None;
        self.plain = None;
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        get(self.plain()?, libc::IPPROTO_IP, option, value)
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> io::Result<()> {
        set(self.plain()?, libc::IPPROTO_IP, option, value)
    }

    fn uses(&mut self) -> Option<usize> {
        only_ipv4::uses()
    }
}

/// All packets of one protocol that arrive on a device, whatever their destination.
#[cfg(feature = "cli")]
pub struct Wire {
    socket: OwnedFd,
    device: libc::sockaddr_ll,
}

#[cfg(feature = "cli")]
impl Wire {
    /// Listens for packets of an Ethernet protocol, including multicast groups that this host has
    /// not joined. Receiving takes no longer than `patience`.
    pub fn open(device: u32, protocol: u16, patience: Duration) -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        // SAFETY: zeros are a valid address and a valid membership.
        let (mut address, mut all): (libc::sockaddr_ll, libc::packet_mreq) =
            unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = device as _;
        all.mr_ifindex = device as _;
        all.mr_type = libc::PACKET_MR_ALLMULTI as _;
        // It receives nothing until it is bound to a protocol and a device.
        // SAFETY: the call takes numbers only.
        let socket = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened, and nothing else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let wire = Self {
            socket,
            device: address,
        };
        let (address, length) = wire.address();
        // SAFETY: pointer and length describe an address that outlives the call.
        match unsafe { libc::bind(wire.socket.as_raw_fd(), address, length) } {
            0 => {}
            _ => return Err(io::Error::last_os_error()),
        }
        let socket = wire.socket.as_raw_fd();
        set(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &all)?;
        set_patience(socket, patience)?;
        Ok(wire)
    }

    fn address(&self) -> (*const libc::sockaddr, socklen_t) {
        let address = ptr::from_ref(&self.device).cast();
        (address, size_of_val(&self.device) as socklen_t)
    }

    /// Sends a packet to all hosts of the network.
    pub fn broadcast(&mut self, packet: &[u8]) -> io::Result<()> {
        self.device.sll_halen = 6;
        self.device.sll_addr = [u8::MAX; 8];
        let (address, length) = self.address();
        let (bytes, count) = (packet.as_ptr().cast(), packet.len());
        let socket = self.socket.as_raw_fd();
        // SAFETY: the pointers and lengths describe a packet and an address that outlive the call.
        match unsafe { libc::sendto(socket, bytes, count, 0, address, length) } {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The next packet without its frame header; `None` if none arrived in time.
    pub fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; 1 << 16];
        let (bytes, count) = (packet.as_mut_ptr().cast(), packet.len());
        let received = uninterrupted(|| {
            // SAFETY: pointer and length are those of one slice, and the kernel writes no more.
            let length = unsafe { libc::recv(self.socket.as_raw_fd(), bytes, count, 0) };
            usize::try_from(length).map_err(|_| io::Error::last_os_error())
        });
        match received {
            Ok(length) => {
                packet.truncate(length);
                Ok(Some(packet))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Makes a command inherit only its standard files, and nothing else that this process has open.
pub fn keep_descriptors_from(command: &mut Command) {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    let open: Vec<RawFd> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .filter(|&descriptor| descriptor > libc::STDERR_FILENO)
        .collect();
    let close_by_exec = move || {
        for &descriptor in &open {
            // SAFETY: the call takes numbers only.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec this makes system calls and nothing else.
    unsafe { command.pre_exec(close_by_exec) };
}

fn open_plain() -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn open_netlink() -> io::Result<netlink_sys::Socket> {
    let netlink = netlink_sys::Socket::new(NETLINK_GENERIC)?;
    // Connected to the kernel, so that messages of other senders are dropped.
    netlink.connect(&SocketAddr::new(0, 0))?;
    netlink.set_cap_ack(true)?;
    set_patience(netlink.as_raw_fd(), PATIENCE)?;
    Ok(netlink)
}

/// Whether a device merges incoming packets. False if its driver does not support the question.
#[cfg(feature = "cli")]
pub fn merges_packets(socket: RawFd, device: &str) -> bool {
    // The command that asks a driver for its flags, and the flag for merging packets.
    const ETHTOOL_GFLAGS: u32 = 0x25;
    const ETH_FLAG_LRO: u32 = 1 << 15;
    let mut asked = [ETHTOOL_GFLAGS, 0];
    // SAFETY: zeros are a valid request, one with an empty name.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let name = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
    name.zip(device.bytes())
        .for_each(|(to, from)| *to = from as _);
    request.ifr_ifru.ifru_data = asked.as_mut_ptr().cast();
    // SAFETY: the name ends with a zero, and the two numbers outlive the call, which reads the
    // first and writes the second.
    let answer = unsafe { libc::ioctl(socket, libc::SIOCETHTOOL as _, &raw mut request) };
    answer == 0 && asked[1] & ETH_FLAG_LRO != 0
}

/// Sets how long receiving may take.
pub fn set_patience(socket: RawFd, patience: Duration) -> io::Result<()> {
    let patience = libc::timeval {
        tv_sec: patience.as_secs() as _,
        tv_usec: patience.subsec_micros() as _,
    };
    set(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)
}

fn enlarge(socket: RawFd) -> io::Result<()> {
    resize(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
    resize(
        socket,
        libc::SO_RCVBUFFORCE,
        libc::SO_RCVBUF,
        RECEIVE_BUFFER,
    )
}

/// Sets the size of a buffer: beyond the limit for users, or within it if that is refused.
fn resize(socket: RawFd, beyond: c_int, within: c_int, size: c_int) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, beyond, &size)
        .or_else(|_| set(socket, libc::SOL_SOCKET, within, &size))
}

fn size(socket: RawFd, option: c_int) -> io::Result<usize> {
    let mut size = [0; size_of::<c_int>()];
    get(socket, libc::SOL_SOCKET, option, &mut size)?;
    Ok(usize::try_from(c_int::from_ne_bytes(size)).unwrap_or(0))
}

fn set<T: ?Sized>(socket: RawFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as socklen_t;
    let value = ptr::from_ref(value).cast::<c_void>();
    // SAFETY: the pointer and the length are those of one value, which the call only reads.
    match unsafe { libc::setsockopt(socket, level, option, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn get(socket: RawFd, level: c_int, option: c_int, value: &mut [u8]) -> io::Result<()> {
    let mut length = value.len() as socklen_t;
    let value = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: the pointer and the length are those of one slice, and the kernel writes no more.
    match unsafe { libc::getsockopt(socket, level, option, value, &raw mut length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
