//! The raw system calls of the lab.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("a path has no NUL byte")
}

/// Mounts `source` on `target`; `flags` are the `MS_` constants.
pub fn mount(
    source: &Path,
    target: &Path,
    kind: &str,
    flags: libc::c_ulong,
    data: &str,
) -> Result<()> {
    let (from, to) = (c_path(source), c_path(target));
    let kind_text = CString::new(kind)?;
    let data_text = CString::new(data)?;
    // SAFETY: all four texts end in a NUL byte and outlive the call.
    let result = unsafe {
        libc::mount(
            from.as_ptr(),
            to.as_ptr(),
            kind_text.as_ptr(),
            flags,
            data_text.as_ptr().cast(),
        )
    };
    check(result.into()).with_context(|| format!("mounting {kind} on {}", target.display()))?;
    Ok(())
}

/// Makes the mount on `target`, and all mounts below it, read-only.
pub fn forbid_writing(target: &Path) -> io::Result<()> {
    let target = c_path(target);
    let wanted = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path ends in a NUL byte, the size is that of the structure, and both outlive
    // the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::AT_RECURSIVE,
            &wanted,
            size_of_val(&wanted),
        )
    })?;
    Ok(())
}

/// Unmounts `target`, at once or when its last user is gone.
pub fn unmount(target: &Path) -> io::Result<()> {
    let target = c_path(target);
    // SAFETY: the path ends in a NUL byte and outlives the call.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }.into())?;
    Ok(())
}

/// Makes `new` the root of every process with the current root, which moves to `old`.
pub fn pivot_root(new: &Path, old: &Path) -> io::Result<()> {
    let (new, old) = (c_path(new), c_path(old));
    // SAFETY: both paths end in a NUL byte and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) })?;
    Ok(())
}

/// Moves the calling thread to new namespaces; `kinds` are `CLONE_NEW` constants.
pub fn unshare(kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: takes a number and touches no memory of ours.
    check(unsafe { libc::unshare(kinds) }.into())?;
    Ok(())
}

/// Moves the calling thread into the network namespace of the file `namespace`.
pub fn enter_network(namespace: &impl AsFd) -> io::Result<()> {
    let fd = namespace.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the whole call.
    check(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }.into())?;
    Ok(())
}

/// Brings up the loopback device of the calling thread's network namespace.
pub fn loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: an all-zero `ifreq` is a valid value of that C structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which lives on this stack frame.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) }.into())?;
    Ok(())
}

/// A new pseudo-terminal: the user's side and the programs' side.
pub fn open_terminal(rows: u16, columns: u16) -> Result<(File, File)> {
    let (mut screen, mut programs) = (-1, -1);
    let size = window(rows, columns);
    let (no_name, no_settings) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: the three pointers that are not null are to values that outlive the call.
    let result = unsafe { libc::openpty(&mut screen, &mut programs, no_name, no_settings, &size) };
    check(result.into()).context("opening a terminal")?;
    // SAFETY: the call succeeded, so both descriptors are open and ours alone.
    let both = unsafe { [OwnedFd::from_raw_fd(screen), OwnedFd::from_raw_fd(programs)] };
    // Unlike these, copies are not inherited: with both sides, a program would never lose its
    // terminal.
    let [screen, programs] = both.each_ref().map(OwnedFd::try_clone);
    Ok((screen?.into(), programs?.into()))
}

/// Resizes a terminal and notifies its programs.
pub fn resize_terminal(screen: &File, rows: u16, columns: u16) -> io::Result<()> {
    let size = window(rows, columns);
    // SAFETY: TIOCSWINSZ reads one `winsize`, which outlives the call.
    check(unsafe { libc::ioctl(screen.as_raw_fd(), libc::TIOCSWINSZ, &size) }.into())?;
    Ok(())
}

fn window(rows: u16, columns: u16) -> libc::winsize {
    libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// A file that becomes readable whenever this process's terminal is resized. Threads started before
/// would take the signal.
pub fn terminal_resizes() -> io::Result<File> {
    // SAFETY: an all-zero set is a valid value of that C structure.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set outlives the calls.
    let result = unsafe {
        libc::sigaddset(&mut signals, libc::SIGWINCH);
        libc::sigprocmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut());
        libc::signalfd(-1, &signals, libc::SFD_CLOEXEC)
    };
    let file = check(result.into())?;
    // SAFETY: the call succeeded, so the descriptor is open and ours alone.
    Ok(unsafe { File::from_raw_fd(file as libc::c_int) })
}

/// Starts a program as a session leader, with its standard input as the controlling terminal.
pub fn start_session(command: &mut Command) -> io::Result<Child> {
    let lead = || {
        // SAFETY: both take numbers only.
        unsafe {
            check(libc::setsid().into())?;
            check(libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0).into())?;
        }
        Ok(())
    };
    // SAFETY: what the child does before its program begins are two system calls.
    unsafe { command.pre_exec(lead) }.spawn()
}

/// Loads one kernel module from its file, which is compressed for the newest kernels.
pub fn load_module(path: &Path) -> io::Result<()> {
    const COMPRESSED: libc::c_int = 4;
    let flags = match path.extension() {
        Some(extension) if extension == "xz" => COMPRESSED,
        _ => 0,
    };
    let file = File::open(path)?;
    // SAFETY: the descriptor is open and the parameter text is a literal with its NUL byte.
    check(unsafe {
        libc::syscall(
            libc::SYS_finit_module,
            file.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    })?;
    Ok(())
}

/// Powers off the kernel; this process is its process 1.
pub fn power_off() -> io::Error {
    assert_eq!(
        std::process::id(),
        1,
        "only a guest's process 1 may power off"
    );
    // SAFETY: takes a number; on success it does not return.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
    io::Error::last_os_error()
}

/// Makes the kernel kill this process when the thread that started it ends.
pub fn die_with_parent() {
    // SAFETY: takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Makes this process adopt every descendant whose parent ends.
pub fn adopt_orphans() {
    // SAFETY: takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}

/// Waits for any child to end, unless no child is left.
pub fn wait_any_child() -> Option<i32> {
    // SAFETY: a null status pointer is allowed and asks for no status.
    let pid = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
    (pid > 0).then_some(pid)
}

/// The resource usage of an ended program.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub status: ExitStatus,
    pub time: Duration,
    /// Its peak memory. The lowest measurable value is that of this process.
    pub peak_kib: u64,
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Result<Usage> {
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid value of that C structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call.
    let result = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    let time = start.elapsed();
    check(result.into())?;
    Ok(Usage {
        status: ExitStatus::from_raw(status),
        time,
        peak_kib: usage.ru_maxrss as u64,
    })
}

/// Starts a program that stops at its first instruction, for [`run_until`].
pub fn start_traced(command: &mut Command) -> io::Result<Child> {
    let traced = || trace(libc::PTRACE_TRACEME, 0, 0);
    // SAFETY: what the child does before its program begins is one system call.
    unsafe { command.pre_exec(traced) }.spawn()
}

/// Runs a traced program until it has made this many system calls. False if it ended before.
pub fn run_until(pid: u32, calls: usize) -> Result<bool> {
    /// A stop of this kind is the start or the end of a system call.
    const CALL: libc::c_int = libc::SIGTRAP | 0x80;
    let mut left = 2 * calls;
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a number that outlives the call.
        check(unsafe { libc::waitpid(pid as libc::pid_t, &mut status, 0) }.into())?;
        if !libc::WIFSTOPPED(status) {
            return Ok(false);
        }
        let signal = match libc::WSTOPSIG(status) {
            CALL => {
                left -= 1;
                0
            }
            // The program starts.
            libc::SIGTRAP => {
                trace(libc::PTRACE_SETOPTIONS, pid, libc::PTRACE_O_TRACESYSGOOD)?;
                0
            }
            signal => signal,
        };
        if left == 0 {
            return Ok(true);
        }
        trace(libc::PTRACE_SYSCALL, pid, signal)?;
    }
}

/// Lets a traced program continue by itself.
pub fn let_go(pid: u32) -> io::Result<()> {
    trace(libc::PTRACE_DETACH, pid, 0)
}

fn trace(request: libc::c_uint, pid: u32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: these requests take numbers only.
    check(unsafe { libc::ptrace(request, pid, 0, libc::c_long::from(value)) })?;
    Ok(())
}

/// The user time of this process so far.
pub fn user_time() -> Duration {
    // SAFETY: an all-zero `rusage` is a valid value of that C structure, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    Duration::new(
        usage.ru_utime.tv_sec as u64,
        usage.ru_utime.tv_usec as u32 * 1000,
    )
}

/// True while this process has a child, ended or not.
pub fn has_children() -> bool {
    // SAFETY: `info` is a plain C structure for the call to fill in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &mut info, flags) == 0
    }
}

/// Kills one process; one that has just ended is no error.
pub fn kill(pid: i32) {
    assert!(pid > 1, "only single processes are killed");
    // SAFETY: takes numbers only.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// A descriptor that becomes readable when the process `pid` ends.
pub fn process_descriptor(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the call succeeded, so the descriptor is open and ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// The netlink sockets of another process.
pub fn netlink_sockets(pid: u32) -> Result<Vec<OwnedFd>> {
    let process = process_descriptor(pid)?;
    let mut sockets = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let number: libc::c_int = entry?.file_name().to_string_lossy().parse()?;
        // SAFETY: takes numbers only.
        let copy =
            check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?;
        // SAFETY: the call succeeded, so the descriptor is open and ours alone.
        sockets.push(unsafe { OwnedFd::from_raw_fd(copy as libc::c_int) });
    }
    sockets.retain(is_netlink);
    Ok(sockets)
}

fn is_netlink(descriptor: &OwnedFd) -> bool {
    let mut domain: libc::c_int = 0;
    let mut length = size_of_val(&domain) as libc::socklen_t;
    // SAFETY: the pointers are to a number and to its size, which outlive the call.
    let result = unsafe {
        libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            (&raw mut domain).cast(),
            &mut length,
        )
    };
    result == 0 && domain == libc::AF_NETLINK
}

/// Gives a socket a filter that drops everything.
pub fn let_nothing_in(socket: &OwnedFd) -> io::Result<()> {
    // The one instruction: return nothing of it.
    let mut filter = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &mut filter,
    };
    set_option(socket, libc::SO_ATTACH_FILTER, &program)
}

/// Sets a socket's receive buffer to the minimum that the kernel allows.
pub fn let_hardly_anything_in(socket: &OwnedFd) -> io::Result<()> {
    let least: libc::c_int = 1;
    set_option(socket, libc::SO_RCVBUF, &least)
}

fn set_option<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let (pointer, length) = (std::ptr::from_ref(value), size_of_val(value));
    // SAFETY: the pointer and the length are those of one value, which outlives the call, and so
    // does what that may point to.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            pointer.cast(),
            length as libc::socklen_t,
        )
    };
    check(result.into())?;
    Ok(())
}

/// An event of a descriptor.
#[derive(Clone, Copy)]
pub enum Event {
    /// There is data to read, or the end of file.
    Readable,
    /// The other side has closed.
    HungUp,
}

/// Waits for one of the events and returns its index; `None` if `limit` passes first.
pub fn wait_first(
    wanted: &[(BorrowedFd, Event)],
    limit: Option<Duration>,
) -> io::Result<Option<usize>> {
    let mut fds: Vec<libc::pollfd> = wanted
        .iter()
        .map(|(fd, event)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: match event {
                Event::Readable => libc::POLLIN,
                Event::HungUp => 0,
            },
            revents: 0,
        })
        .collect();
    let limit = limit.map_or(-1, |limit| limit.as_millis() as libc::c_int);
    // SAFETY: the pointer and the count describe one vector that outlives the call.
    let result = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, limit) };
    check(result.into())?;
    Ok(fds.iter().position(|fd| fd.revents != 0))
}

/// The free space for this user in `folder` in bytes, if programs can run from there.
pub fn space_for_programs(folder: &Path) -> io::Result<u64> {
    let path = c_path(folder);
    // SAFETY: an all-zero `statvfs` is a valid value of that C structure.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in a NUL byte, and both outlive the call.
    unsafe {
        check(libc::access(path.as_ptr(), libc::W_OK).into())?;
        check(libc::statvfs(path.as_ptr(), &mut found).into())?;
    }
    if found.f_flag & libc::ST_NOEXEC != 0 {
        return Ok(0);
    }
    Ok(found.f_bavail * found.f_frsize)
}

/// Waits until no other process holds the lock on `file`, and takes it; closing the file frees it.
pub fn lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call.
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }.into())?;
    Ok(())
}

/// A C socket address, and its length.
struct Address {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Address {
    fn new(address: SocketAddr) -> Self {
        // SAFETY: an all-zero `sockaddr_storage` is a valid value of that C structure.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let place = std::ptr::from_mut(&mut storage);
        let length = match address {
            SocketAddr::V4(address) => {
                let address = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from(*address.ip()).to_be(),
                    },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage is large enough and aligned for every kind of address.
                unsafe { place.cast::<libc::sockaddr_in>().write(address) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(address) => {
                let address = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr {
                        s6_addr: address.ip().octets(),
                    },
                    sin6_scope_id: address.scope_id(),
                };
                // SAFETY: as above.
                unsafe { place.cast::<libc::sockaddr_in6>().write(address) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        Address {
            storage,
            length: length as libc::socklen_t,
        }
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        std::ptr::from_ref(&self.storage).cast()
    }
}

/// A stream socket of any protocol, bound to an address.
fn bound(protocol: libc::c_int, address: SocketAddr) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    let is_again = address.port() != 0;
    let address = Address::new(address);
    let family = libc::c_int::from(address.storage.ss_family);
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::socket(family, kind, protocol) }.into())?;
    // SAFETY: the call succeeded, so the descriptor is open and ours alone.
    let socket = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
    if is_again {
        // The kernel may still remember the last connection.
        use_again(&socket)?;
    }
    // SAFETY: pointer and length describe an address that outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.length) }.into())?;
    Ok(socket)
}

/// Lets a socket bind to a recently used port.
fn use_again(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: pointer and length describe a number that outlives the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    check(set.into())?;
    Ok(())
}

/// Connects with any stream protocol from a given address, which the standard library cannot do.
pub fn connect(
    protocol: libc::c_int,
    from: SocketAddr,
    to: SocketAddr,
    limit: Duration,
) -> io::Result<TcpStream> {
    let stream = TcpStream::from(bound(protocol, from)?);
    stream.set_write_timeout(Some(limit))?;
    let to = Address::new(to);
    // SAFETY: pointer and length describe an address that outlives the call.
    check(unsafe { libc::connect(stream.as_raw_fd(), to.as_ptr(), to.length) }.into())?;
    Ok(stream)
}

/// Listens with any stream protocol.
pub fn listen(protocol: libc::c_int, at: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(protocol, at)?;
    // SAFETY: takes numbers only.
    check(unsafe { libc::listen(socket.as_raw_fd(), 128) }.into())?;
    Ok(TcpListener::from(socket))
}
