//! Looks up the names of hosts and services, in both directions, through the C library.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{CStr, CString, c_char, c_int};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::later::Later;
use crate::model::Protocol;
use crate::model::terms::Vocabulary;

/// How long all lookups of a listing may take together.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long lookups of names on lines may wait in total for name servers that do not answer. After
/// that no name is looked up. The C library has its own limit for each lookup.
const PATIENCE_WITHOUT_ANSWER: Duration = Duration::from_secs(15);

/// Reads an address with a port of a protocol.
pub type Reader = fn(&[u8], Protocol, &Names) -> Option<(IpAddr, u16)>;

/// The names shown in place of numbers. Each is looked up once.
#[derive(Debug)]
pub struct Names {
    hosts: HashMap<IpAddr, Option<Vec<u8>>>,
    ports: HashMap<(u16, Protocol), Option<Vec<u8>>>,
    numeric: bool,
    /// If set, names that this reader reads as something else are not used.
    reader: Option<Reader>,
    waited: Duration,
    /// How long lookups without an answer took.
    in_vain: Cell<Duration>,
    /// Whether the last of them is still to be reported.
    is_news: Cell<bool>,
}

impl Names {
    /// Names from the C library: files, DNS, or whatever this machine is configured for.
    pub fn system() -> Self {
        #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
        look_in_files_and_dns_alone();
        Self {
            hosts: HashMap::new(),
            ports: HashMap::new(),
            numeric: false,
            reader: None,
            waited: Duration::ZERO,
            in_vain: Cell::default(),
            is_news: Cell::default(),
        }
    }

    /// No names at all.
    pub fn numeric() -> Self {
        Self {
            numeric: true,
            ..Self::system()
        }
    }

    /// Only names that the reader reads as the address or port they stand for.
    pub fn readable_by(self, reader: Reader) -> Self {
        Self {
            reader: Some(reader),
            ..self
        }
    }

    /// Inlined, so that it costs nothing in numeric listings, which are the most common.
    #[inline]
    pub fn host(&mut self, address: IpAddr) -> Option<&[u8]> {
        if self.numeric {
            return None;
        }
        self.name_of_host(address)
    }

    fn name_of_host(&mut self, address: IpAddr) -> Option<&[u8]> {
        let name = match self.hosts.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let patience = PATIENCE.checked_sub(self.waited)?;
                let (reader, start) = (self.reader, Instant::now());
                // The C library cannot be interrupted.
                let name = Later::begin(move || {
                    name_of_address(address).filter(|name| is_host_read(reader, name, address))
                });
                let name = name.ok().and_then(|name| name.within(patience));
                self.waited += start.elapsed();
                new.insert(name.flatten())
            }
        };
        name.as_deref()
    }

    pub fn port(&mut self, port: u16, protocol: Protocol) -> Option<&[u8]> {
        if self.numeric {
            return None;
        }
        let reader = self.reader;
        let name = self.ports.entry((port, protocol)).or_insert_with(|| {
            name_of_port(port, protocol).filter(|name| is_port_read(reader, name, port, protocol))
        });
        name.as_deref()
    }

    /// The first address of a host, IPv4 where it has one.
    pub fn address_of(&self, name: &[u8]) -> Option<IpAddr> {
        if self.numeric || self.in_vain.get() > PATIENCE_WITHOUT_ANSWER {
            return None;
        }
        let c_name = CString::new(name).ok()?;
        let start = Instant::now();
        let v4 = || first_address::<4>(&c_name, libc::AF_INET).map(|a| Ipv4Addr::from(a).into());
        let v6 = || first_address::<16>(&c_name, libc::AF_INET6).map(|a| Ipv6Addr::from(a).into());
        let address = v4().or_else(v6);
        if address.is_none() && was_unanswered() {
            self.in_vain.set(self.in_vain.get() + start.elapsed());
            self.is_news.set(looks_like_name(name));
        }
        address
    }

    /// The port with this name in a protocol.
    pub fn port_of(&self, name: &[u8], protocol: Protocol) -> Option<u16> {
        if self.numeric {
            return None;
        }
        port_of_name(name, protocol)
    }

    /// Whether, since the last call, a name was not found because no name server answered.
    pub fn unanswered(&self) -> bool {
        self.is_news.take()
    }

    /// Whether some names were given up because lookups took too long.
    pub fn gave_up(&self) -> bool {
        self.waited >= PATIENCE
    }
}

/// Other sources are libraries, which a static program cannot load safely: they need the C library
/// that they were built with, and it would be a second one in the same process.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
fn look_in_files_and_dns_alone() {
    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, sources: *const c_char) -> c_int;
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for (database, sources) in [
            (c"hosts", c"files dns"),
            (c"services", c"files"),
            (c"protocols", c"files"),
        ] {
            // SAFETY: both are C strings that live forever.
            unsafe { __nss_configure_lookup(database.as_ptr(), sources.as_ptr()) };
        }
    });
}

/// Whether the reader, if any, reads a name as this address.
fn is_host_read(reader: Option<Reader>, name: &[u8], address: IpAddr) -> bool {
    let text = match address {
        IpAddr::V4(_) => [name, b":1"].concat(),
        IpAddr::V6(_) => [b"[", name, b"]:1"].concat(),
    };
    let read = |reader: Reader| reader(&text, Protocol::TCP, &Names::system());
    reader.is_none_or(|reader| read(reader) == Some((address, 1)))
}

/// The same for the name of a port.
fn is_port_read(reader: Option<Reader>, name: &[u8], port: u16, protocol: Protocol) -> bool {
    let address = Ipv4Addr::LOCALHOST;
    let text = [address.to_string().as_bytes(), b":", name].concat();
    let read = |reader: Reader| reader(&text, protocol, &Names::system());
    reader.is_none_or(|reader| read(reader) == Some((address.into(), port)))
}

/// Whether a text is more likely a host name than a mistyped address: `10.0.0.1x` and `::1%lo` are
/// not names, although the C library asks name servers about them.
fn looks_like_name(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let is_of_name = |byte: &u8| is_letter(byte) || byte.is_ascii_digit() || b"-_.".contains(byte);
    let mut labels = text.rsplit(|&byte| byte == b'.');
    let last_label = labels.find(|label| !label.is_empty());
    let begins_with_letter = last_label.and_then(<[u8]>::first).is_some_and(is_letter);
    text.iter().all(is_of_name) && begins_with_letter
}

unsafe extern "C" {
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut libc::hostent;
    fn getservbyport(port: c_int, protocol: *const c_char) -> *mut libc::servent;
    fn __h_errno_location() -> *mut c_int;
}

/// Whether a host was not found because no name server answered.
fn was_unanswered() -> bool {
    const TRY_AGAIN: c_int = 2;
    // SAFETY: the C library keeps the error of the last lookup of this thread there.
    unsafe { *__h_errno_location() == TRY_AGAIN }
}

/// The C library returns a host or a service in static memory that all threads share.
static HOST: Mutex<()> = Mutex::new(());
static SERVICE: Mutex<()> = Mutex::new(());

fn alone_with(place: &Mutex<()>) -> MutexGuard<'_, ()> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn first_address<const N: usize>(name: &CStr, family: c_int) -> Option<[u8; N]> {
    let _alone = alone_with(&HOST);
    // SAFETY: the name is a C string. The answer is static memory of the C library, read before
    // anything else is asked. The length of an entry is checked before it is read.
    unsafe {
        let host = gethostbyname2(name.as_ptr(), family).as_ref()?;
        let first = host.h_addr_list.as_ref()?;
        let fits = host.h_addrtype == family && host.h_length == N as c_int;
        if !fits || first.is_null() {
            return None;
        }
        Some(first.cast::<[u8; N]>().read_unaligned())
    }
}

fn port_of_name(name: &[u8], protocol: Protocol) -> Option<u16> {
    let (name, protocol) = (CString::new(name).ok()?, protocol_name(protocol)?);
    let _alone = alone_with(&SERVICE);
    // SAFETY: both arguments are C strings; the answer is read at once, as above.
    unsafe {
        let service = libc::getservbyname(name.as_ptr(), protocol.as_ptr());
        Some(u16::from_be(service.as_ref()?.s_port as u16))
    }
}

fn name_of_port(port: u16, protocol: Protocol) -> Option<Vec<u8>> {
    let protocol = protocol_name(protocol)?;
    let _alone = alone_with(&SERVICE);
    // SAFETY: the name is a C string; the answer is copied at once, as above.
    unsafe {
        let service = getservbyport(port.to_be().into(), protocol.as_ptr());
        Some(CStr::from_ptr(service.as_ref()?.s_name).to_bytes().to_vec())
    }
}

fn protocol_name(protocol: Protocol) -> Option<CString> {
    CString::new(protocol.word()?).ok()
}

fn name_of_address(address: IpAddr) -> Option<Vec<u8>> {
    let mut name = [0; libc::NI_MAXHOST as usize];
    let (v4, v6);
    let (socket_address, length) = match SocketAddr::new(address, 0) {
        SocketAddr::V4(address) => {
            v4 = sockaddr_v4(address);
            ((&raw const v4).cast(), size_of_val(&v4))
        }
        SocketAddr::V6(address) => {
            v6 = sockaddr_v6(address);
            ((&raw const v6).cast(), size_of_val(&v6))
        }
    };
    // SAFETY: the address and its length belong together and outlive the call, the buffer is as
    // long as said, and no name of a port is asked for.
    let status = unsafe {
        libc::getnameinfo(
            socket_address,
            length as libc::socklen_t,
            name.as_mut_ptr(),
            name.len() as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if status != 0 {
        return None;
    }
    let bytes = name.map(|c| c as u8);
    Some(CStr::from_bytes_until_nul(&bytes).ok()?.to_bytes().to_vec())
}

fn sockaddr_v4(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}

fn sockaddr_v6(address: SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr {
            s6_addr: address.ip().octets(),
        },
        sin6_scope_id: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen may run for weeks and see many clients, so the memory for names must not grow.
    #[test]
    fn what_is_not_looked_up_is_not_remembered() {
        let mut names = Names {
            waited: PATIENCE + Duration::from_millis(1),
            ..Names::system()
        };
        for client in 0..1000 {
            assert_eq!(names.host(Ipv4Addr::from_bits(client).into()), None);
        }
        assert!(names.gave_up() && names.hosts.is_empty());
    }
}
