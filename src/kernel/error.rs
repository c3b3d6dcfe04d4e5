//! The errors of the client.

use std::fmt;
use std::io;

use super::netns::Netns;
use crate::model::Change;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The kernel has no IPVS: the module `ip_vs` is not loaded, or was unloaded.
    #[error("the kernel has no IPVS")]
    Absent,
    /// A change with a value that the kernel would silently misread. Nothing was sent.
    #[error("{0}")]
    Invalid(&'static str),
    /// The kernel did not answer in time.
    #[error("the kernel did not answer in time")]
    NoAnswer,
    /// The kernel sent more than the socket could hold. The request was carried out, but what
    /// was lost is unknown.
    #[error("answers of the kernel were lost")]
    Lost,
    /// The kernel's answer cannot be read.
    #[error("the kernel's answer makes no sense: {0}")]
    Malformed(&'static str),
    /// A network namespace cannot be entered.
    #[error("network namespace {netns}: {}", reason_of(.reason))]
    Netns {
        /// The namespace.
        netns: Netns,
        /// Why it cannot be entered.
        reason: io::Error,
    },
    /// A file in which the kernel shows connections or counters cannot be read.
    #[error("cannot read: {}", plain(.0))]
    File(io::Error),
    /// A system call failed.
    #[error("talking to the kernel failed: {}", plain(.0))]
    Io(io::Error),
}

/// The message already contains the cause, so it is not a source as well.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The outcome of a request.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error number, as in the `errno` of C programs.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(refusal) => Some(refusal.errno),
            Self::Absent => Some(libc::ENOPROTOOPT),
            Self::Invalid(_) => Some(libc::EINVAL),
            Self::NoAnswer => Some(libc::ETIMEDOUT),
            Self::Lost => Some(libc::ENOBUFS),
            Self::Malformed(_) => Some(libc::EBADMSG),
            Self::Netns { reason, .. } | Self::File(reason) | Self::Io(reason) => {
                reason.raw_os_error()
            }
        }
    }

    /// The error for a refused question.
    pub(super) fn refused(errno: i32) -> Self {
        let action = Action::Read;
        Self::Refused(Refusal { action, errno })
    }

    /// The same error; a refusal now names this action.
    pub(super) fn about(self, action: Action) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(Refusal { action, ..refusal }),
            error => error,
        }
    }
}

/// A request that the kernel refused. `Display` says why, in the words of `ipvsadm`.
///
/// No fields will be added.
///
/// ```
/// use ipvsadm::kernel::{Action, Refusal};
///
/// let refusal = Refusal { action: Action::AddService, errno: libc::EEXIST };
/// assert_eq!(refusal.to_string(), "Service already exists");
/// assert!(refusal.already_exists());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The requested action.
    pub action: Action,
    /// The kernel's error number. Its meaning depends on the action.
    pub errno: i32,
}

impl Refusal {
    /// Whether the service or server already exists, or the daemon already runs.
    pub fn already_exists(&self) -> bool {
        self.errno == libc::EEXIST
    }

    /// Whether there is no such service, server or daemon, or no such scheduler or engine.
    pub fn not_found(&self) -> bool {
        matches!(self.errno, libc::ESRCH | libc::ENOENT)
    }

    /// Whether this process lacks the required right: root, or `CAP_NET_ADMIN` in the initial user
    /// namespace.
    pub fn not_permitted(&self) -> bool {
        self.errno == libc::EPERM
    }
}

impl std::error::Error for Refusal {}

/// The original's text for an error number, which depends on the action.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.action, self.errno) {
            (Action::AddService, libc::EEXIST) => "Service already exists",
            (Action::AddService | Action::EditService, libc::ENOENT) => {
                "Scheduler or persistence engine not found"
            }
            (
                Action::EditService | Action::DeleteService | Action::Zero | Action::Read,
                libc::ESRCH,
            ) => "No such service",
            (Action::AddServer | Action::EditServer | Action::DeleteServer, libc::ESRCH) => {
                "Service not defined"
            }
            (Action::AddServer, libc::EEXIST) => "Destination already exists",
            (Action::EditServer | Action::DeleteServer, libc::ENOENT) => "No such destination",
            (Action::StartDaemon, libc::EEXIST) => "Daemon has already run",
            (Action::StopDaemon, libc::ESRCH) => "No daemon is running",
            (_, libc::EPERM) => "Permission denied (you must be root)",
            (_, libc::EINVAL) => {
                "Invalid operation.  Possibly wrong module version, address not unicast, ..."
            }
            (_, libc::ENOMEM) => "Memory allocation problem",
            (_, libc::ENOPROTOOPT) => "Protocol not available",
            (_, libc::EOPNOTSUPP) => "Operation not supported with IPv6",
            (_, libc::EAFNOSUPPORT) => "Operation not supported with specified address family",
            (_, libc::EMSGSIZE) => "Module is wrong version",
            (_, errno) => return f.write_str(&plain(&io::Error::from_raw_os_error(errno))),
        })
    }
}

/// An action requested from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// [`Change::AddService`]
    AddService,
    /// [`Change::EditService`]
    EditService,
    /// [`Change::DeleteService`]
    DeleteService,
    /// [`Change::AddServer`]
    AddServer,
    /// [`Change::EditServer`]
    EditServer,
    /// [`Change::DeleteServer`]
    DeleteServer,
    /// [`Change::Flush`]
    Flush,
    /// [`Change::Zero`]
    Zero,
    /// [`Change::SetTimeouts`]
    SetTimeouts,
    /// [`Change::StartDaemon`]
    StartDaemon,
    /// [`Change::StopDaemon`]
    StopDaemon,
    /// A question, which changes nothing.
    Read,
}

impl From<&Change> for Action {
    fn from(change: &Change) -> Self {
        match change {
            Change::AddService(_) => Self::AddService,
            Change::EditService(_) => Self::EditService,
            Change::DeleteService(_) => Self::DeleteService,
            Change::AddServer(..) => Self::AddServer,
            Change::EditServer(..) => Self::EditServer,
            Change::DeleteServer(..) => Self::DeleteServer,
            Change::Flush => Self::Flush,
            Change::Zero(_) => Self::Zero,
            Change::SetTimeouts(_) => Self::SetTimeouts,
            Change::StartDaemon(_) => Self::StartDaemon,
            Change::StopDaemon(_) => Self::StopDaemon,
        }
    }
}

/// Why a network namespace cannot be entered.
fn reason_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EINVAL) => "this file is not a network namespace".to_owned(),
        _ => plain(error),
    }
}

/// The text of an error, without the number that Rust adds to those of the system.
pub(crate) fn plain(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The defect of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl From<Malformed> for Error {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}
