//! What can go wrong between the client and the kernel.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a command, with this error number.
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Refused(i32),
    /// The kernel has no IPVS.
    #[error("the kernel has no IPVS")]
    Absent,
    #[error("the kernel did not answer in time")]
    NoAnswer,
    /// The kernel sent more than the socket could hold, and what was lost is unknown.
    #[error("answers of the kernel were lost")]
    Lost,
    #[error("the kernel's answer makes no sense: {0}")]
    Malformed(&'static str),
    #[error("talking to the kernel failed: {0}")]
    Io(#[from] io::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error number for this, as C programs would have it.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(errno) => Some(*errno),
            Self::Absent => Some(libc::ENOPROTOOPT),
            Self::NoAnswer => Some(libc::ETIMEDOUT),
            Self::Lost => Some(libc::ENOBUFS),
            Self::Malformed(_) => Some(libc::EBADMSG),
            Self::Io(error) => error.raw_os_error(),
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl From<Malformed> for Error {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}
