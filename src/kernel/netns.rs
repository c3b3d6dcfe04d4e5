//! Network namespaces: each has its own services, daemons, timeouts and connections.

#![allow(unsafe_code)]

#[cfg(feature = "cli")]
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use super::error::Error;
#[cfg(feature = "cli")]
use crate::model::sort_by_key;

/// Where `ip netns` keeps namespaces by name.
const NAMED: &str = "/run/netns";

/// Where procfs is mounted.
pub const PROC: &str = "/proc";

/// The network namespace of this thread.
pub const HERE: &str = "/proc/thread-self/ns/net";

/// A network namespace, by its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netns(PathBuf);

impl Netns {
    /// The namespace with a name from `ip netns`. A name with a slash is the path of a namespace
    /// file, such as `/proc/4711/ns/net`.
    pub fn new(name: impl AsRef<Path>) -> Self {
        let name = name.as_ref();
        if name.parent().is_none_or(|parent| parent == Path::new("")) {
            return Self(Path::new(NAMED).join(name));
        }
        Self(name.to_owned())
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The names of all namespaces that have one, sorted.
    #[cfg(feature = "cli")]
    pub(crate) fn names() -> Vec<OsString> {
        let files = fs::read_dir(NAMED).into_iter().flatten().flatten();
        let mut names: Vec<_> = files.map(|file| file.file_name()).collect();
        sort_by_key(&mut names, Clone::clone);
        names
    }

    /// Returns an error if the file does not exist.
    #[cfg(feature = "cli")]
    pub(crate) fn find(&self) -> Result<(), Error> {
        fs::metadata(&self.0).map_err(|reason| self.error(reason))?;
        Ok(())
    }

    /// Opens the file without blocking, because it may be a named pipe.
    fn open(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        options.open(&self.0)
    }

    pub(crate) fn error(&self, reason: io::Error) -> Error {
        let netns = self.clone();
        Error::Netns { netns, reason }
    }

    /// Runs a function in this namespace, in a new thread, so that the calling thread never leaves
    /// its own namespace. Files and sockets that the function opens stay in the namespace.
    pub(crate) fn run<T: Send>(&self, run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        run_inside(self.open()?, run)
    }
}

/// The namespace in which a client was opened. The client opens further sockets in this namespace
/// or not at all: by then its thread may be in another one, and the file may belong to another one.
#[derive(Clone)]
pub struct Home {
    /// `None` if the client was opened in the namespace of its thread.
    netns: Option<Netns>,
    /// `None` if the kernel does not report it.
    id: Option<Id>,
    /// Where procfs is mounted.
    proc: &'static str,
}

/// The identity of a network namespace: the device and inode number of its file.
type Id = (u64, u64);

impl Home {
    /// The namespace of this thread.
    #[cfg(feature = "cli")]
    pub fn here() -> Self {
        Self::there(None)
    }

    fn there(netns: Option<Netns>) -> Self {
        let id = id_by_name(netns.as_ref()).ok();
        let proc = PROC;
        Self { netns, id, proc }
    }

    /// The namespace of a socket, which was opened in `netns` or in the namespace of its thread.
    /// Asking the socket is faster than reading `/proc`, but needs a free descriptor.
    pub fn of(socket: RawFd, netns: Option<Netns>) -> Self {
        match namespace_of(socket).and_then(|namespace| namespace.metadata()) {
            Ok(namespace) => Self {
                netns,
                id: Some(id(&namespace)),
                proc: PROC,
            },
            Err(_) => Self::there(netns),
        }
    }

    /// The same with another folder instead of `/proc`, for tests.
    #[cfg(feature = "cli")]
    pub fn with_proc(self, proc: &'static str) -> Self {
        Self { proc, ..self }
    }

    pub fn proc(&self) -> &'static str {
        self.proc
    }

    /// Runs a function in this namespace.
    pub fn run<T: Send>(&self, run: impl FnOnce() -> T + Send) -> Result<T, Away> {
        let run_there = || match &self.netns {
            Some(netns) => {
                let namespace = netns.open()?;
                self.check(Some(id(&namespace.metadata()?)))?;
                run_inside(namespace, || Ok(run()))
            }
            None => {
                self.check(id_by_name(None).ok())?;
                Ok(run())
            }
        };
        run_there().map_err(|reason| Away {
            netns: self.netns.clone(),
            reason,
        })
    }

    /// Returns an error if `found` is another namespace. If `/proc` does not show the namespace of
    /// the thread, it is assumed to be the right one.
    fn check(&self, found: Option<Id>) -> io::Result<()> {
        if found.is_none() || found == self.id {
            return Ok(());
        }
        Err(io::Error::other(
            "the client was opened in a different network namespace",
        ))
    }
}

/// Why nothing can be opened in the namespace of a client.
pub struct Away {
    netns: Option<Netns>,
    reason: io::Error,
}

impl From<Away> for Error {
    fn from(Away { netns, reason }: Away) -> Self {
        match netns {
            Some(netns) => netns.error(reason),
            None => Self::File(reason),
        }
    }
}

impl From<Away> for io::Error {
    fn from(away: Away) -> Self {
        match away {
            Away {
                netns: None,
                reason,
            } => reason,
            away => Self::other(Error::from(away)),
        }
    }
}

fn id(namespace: &Metadata) -> Id {
    (namespace.dev(), namespace.ino())
}

/// The namespace of this file, or of this thread.
fn id_by_name(netns: Option<&Netns>) -> io::Result<Id> {
    let path = netns.map_or(Path::new(HERE), Netns::path);
    Ok(id(&fs::metadata(path)?))
}

fn run_inside<T: Send>(
    namespace: File,
    run: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    in_a_thread(|| {
        enter(&namespace)?;
        // The function may need this descriptor, if no other one is free.
        drop(namespace);
        run()
    })
}

/// Runs a function in a new network namespace, in a new thread. The namespace exists as long as
/// something is open in it.
#[cfg(feature = "cli")]
pub(super) fn run_apart<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    in_a_thread(|| {
        leave()?;
        run()
    })
}

fn in_a_thread<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, run)?;
        let gone = |_| Err(io::Error::other("a thread ended without a result"));
        thread.join().unwrap_or_else(gone)
    })
}

/// The path of its file.
impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: the call takes numbers only, and concerns this thread alone.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The network namespace of a socket.
fn namespace_of(socket: RawFd) -> io::Result<File> {
    /// Some C libraries do not define it for every processor.
    const SIOCGSKNS: u32 = 0x894c;
    // SAFETY: the call takes numbers only.
    let namespace = unsafe { libc::ioctl(socket, SIOCGSKNS as _) };
    if namespace < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(namespace) })
}

/// Moves this thread to a new network namespace.
#[cfg(feature = "cli")]
fn leave() -> io::Result<()> {
    // SAFETY: the call takes a number only, and concerns this thread alone.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_have_no_slash() {
        let path = |name| Netns::new(name).0;
        assert_eq!(path("blue"), Path::new("/run/netns/blue"));
        assert_eq!(path(""), Path::new("/run/netns/"));
        assert_eq!(path("./blue"), Path::new("./blue"));
        assert_eq!(path("/proc/1/ns/net"), Path::new("/proc/1/ns/net"));
    }

    #[test]
    #[cfg_attr(miri, ignore)] // Miri has no named pipes.
    fn a_pipe_is_no_namespace() {
        let path = std::env::temp_dir().join(format!("netns.{}", std::process::id()));
        let text = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a C string, which the call only reads.
        assert_eq!(unsafe { libc::mkfifo(text.as_ptr(), 0o600) }, 0);
        let error = Netns::new(&path).run(|| Ok(())).unwrap_err();
        fs::remove_file(path).unwrap();
        assert!(matches!(
            error.raw_os_error(),
            Some(libc::EINVAL | libc::EPERM)
        ));
    }

    #[test]
    fn a_missing_namespace_is_an_error() {
        let error = Netns::new("/none").run(|| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
