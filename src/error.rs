//! Everything that can go wrong, with the messages and exit statuses that scripts rely on.

use std::fmt;
use std::io;

pub use crate::kernel::Action;
use crate::kernel::{self, Refusal, plain};
use crate::model::Family;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Words that cannot be read.
    #[error("Try `{program} -h' or '{program} --help' for more information.")]
    NoCommand {
        program: Word,
        /// An unknown option where the command should be.
        instead: Option<Word>,
    },
    #[error("{0}: unknown option")]
    UnknownOption(Word),
    #[error("{0}: missing argument")]
    MissingValue(Word),
    #[error("{0}: option does not take an argument")]
    UnwantedValue(Word),
    #[error("invalid option `{0}'")]
    SecondCommand(Word),
    #[error("unexpected argument {0}")]
    LeftOver(Word),
    #[error("multiple '{0}' options specified")]
    Repeated(&'static str),

    // Values.
    #[error("{0}")]
    Value(Box<BadValue>),
    #[error("-6 used before -f\n")]
    Ipv6BeforeMark,
    #[error("--set option requires 3 timeout values")]
    TooFewTimeouts,

    // Options that do not go together.
    #[error("You need to supply the '{option}' option for the '{command}' command")]
    Needed {
        option: &'static str,
        command: &'static str,
    },
    #[error("Illegal '{option}' option with the '{command}' command")]
    Illegal {
        option: &'static str,
        command: &'static str,
    },
    #[error("The option '{option}' conflicts with the '{other}' option in the '{command}' command")]
    Conflict {
        option: &'static str,
        other: &'static str,
        command: &'static str,
    },
    #[error("Zero port specified for non-persistent service")]
    ZeroPort(Family),
    #[error("One-Packet Scheduling is only for UDP virtual services")]
    OnePacket,
    #[error("Different address family is allowed only for tunneling servers")]
    MixedFamilies,
    #[error("Tunnel options conflict with forward method")]
    NoTunnel,
    #[error("You need to supply the '{option}' option for the '{tunnel}' tunnel type")]
    TunnelNeeds {
        option: &'static str,
        tunnel: &'static str,
    },
    #[error("Illegal '{option}' option with the '{tunnel}' tunnel type")]
    TunnelIllegal {
        option: &'static str,
        tunnel: &'static str,
    },
    #[error(
        "The option '{option}' conflicts with the '{other}' option in the '{tunnel}' tunnel type"
    )]
    TunnelConflict {
        option: &'static str,
        other: &'static str,
        tunnel: &'static str,
    },
    #[error("options conflicts in the list command")]
    ListConflict,

    // The kernel, and this machine.
    #[error("{}", Refusal { action: *action, errno: *errno })]
    Refused { action: Action, errno: i32 },
    #[error(
        "Can't initialize ipvs: {}\n\
         Are you sure that IP Virtual Server is built in the kernel or as module?",
        Refusal { action: Action::Read, errno: *errno }
    )]
    NoIpvs { errno: i32 },
    /// The network namespace cannot be entered.
    #[error("{0}")]
    Netns(#[source] kernel::Error),
    #[error("{}", plain(source))]
    Kernel {
        action: Action,
        source: kernel::Error,
    },
    #[error("the kernel has no IPVS; waiting until its module is loaded")]
    Unloaded,
    #[error("cannot open file /proc/net/ip_vs_conn")]
    NoConnections(#[source] kernel::Error),
    #[error("unexpected input from /proc/net/ip_vs_conn")]
    EmptyConnections,
    #[error("unexpected line in /proc/net/ip_vs_conn: {0}")]
    Connection(Word),
    #[error("cannot write: {}", plain(.0))]
    Write(#[from] io::Error),
    #[error("cannot read: {}", plain(.0))]
    Read(#[source] io::Error),
    #[error("cannot read {file}: {}", plain(source))]
    ReadFile { file: Word, source: io::Error },
    #[error("cannot write {file}: {}", plain(source))]
    WriteFile { file: Word, source: io::Error },
    #[error("not saved, because no restore would bring it back:\n{0}")]
    Unsaid(Word),
    #[error("--confirm needs a terminal to ask on: {}", plain(.0))]
    NoTerminal(#[source] io::Error),
    #[error("no service has such a server")]
    NoSuchServer,
    #[error("not drained, because no line would put it back:\n{0}")]
    NoUndo(Word),
    // A file that describes a table.
    #[error("the same service as on line {0}")]
    SameService(usize),
    #[error("the same server as on line {0}")]
    SameServer(usize),
    #[error("only -A, -a, --set, --start-daemon and a leading -C describe a table")]
    NotOfATable,
    #[error(
        "the file has no service and would empty the table; if that is meant, begin it with -C"
    )]
    WouldEmpty,
    /// Any error of a command whose errors all have status 2.
    #[error("{0}")]
    Trouble(Box<Error>),
    #[error("{holder} has not finished replacing the table: {path} is still locked")]
    Locked { holder: String, path: String },
    #[error("the first option must be a command")]
    NoCommandOnLine,
    #[error("this command is not allowed in a file")]
    NotInAFile,
    #[error("the option '{0}' is not allowed in a file")]
    OptionInAFile(&'static str),
    #[error("a NUL byte in the line")]
    NulByte,
    #[error("more than {0} lines")]
    TooManyLines(usize),
}

impl Error {
    /// The error for a connection table that cannot be read.
    pub fn of_connections(error: kernel::Error) -> Self {
        match error {
            kernel::Error::Malformed(_) => Self::EmptyConnections,
            error => Self::NoConnections(error),
        }
    }

    /// The error for an action that failed in the kernel.
    pub fn from_kernel(action: Action, error: kernel::Error) -> Self {
        match error {
            kernel::Error::Refused(Refusal { errno, .. }) => match errno {
                libc::EPERM => Self::NoIpvs { errno },
                errno => Self::Refused { action, errno },
            },
            kernel::Error::Absent => Self::NoIpvs {
                errno: libc::ENOPROTOOPT,
            },
            source @ kernel::Error::Netns { .. } => Self::Netns(source),
            kernel::Error::File(reason) => Self::Read(reason),
            source => Self::Kernel { action, source },
        }
    }

    pub fn status(&self) -> u8 {
        match self {
            Self::NoCommand { .. }
            | Self::NoCommandOnLine
            | Self::NotInAFile
            | Self::UnknownOption(_)
            | Self::MissingValue(_)
            | Self::UnwantedValue(_) => 255,
            Self::Refused { action, .. } | Self::Kernel { action, .. } => match action {
                Action::Read => 1,
                _ => 255,
            },
            Self::NoConnections(_)
            | Self::EmptyConnections
            | Self::Connection(_)
            | Self::Unsaid(_)
            | Self::Write(_)
            | Self::Read(_)
            | Self::ReadFile { .. }
            | Self::WriteFile { .. } => 1,
            _ => 2,
        }
    }

    /// Whether a file of commands ends with this error, or goes on with its next line.
    pub fn ends_restore(&self) -> bool {
        match self {
            Self::UnknownOption(_) | Self::MissingValue(_) | Self::UnwantedValue(_) => false,
            Self::Refused { action, .. } => *action == Action::Read,
            _ => true,
        }
    }

    /// Whether the kernel can no longer be asked anything.
    pub fn kernel_is_gone(&self) -> bool {
        match self {
            Self::NoIpvs { .. } | Self::Netns(_) => true,
            Self::Kernel { source, .. } => {
                !matches!(source, kernel::Error::Lost | kernel::Error::Malformed(_))
            }
            _ => false,
        }
    }

    /// The message with its words exactly as given, whatever their bytes.
    pub fn message(&self) -> Vec<u8> {
        Word::unescape(&self.to_string())
    }
}

/// A value that its option does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// The message; `{}` stands for the value.
    pub message: &'static str,
    /// The long name of the option or command.
    pub option: &'static str,
    pub value: Word,
    /// What is allowed, if a few words can say it.
    pub allowed: String,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.split_once("{}") {
            Some((before, behind)) => write!(f, "{before}{}{behind}", self.value),
            None => f.write_str(self.message),
        }
    }
}

/// A word as it was given. Messages repeat its bytes unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(Box<[u8]>);

impl From<&[u8]> for Word {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The private characters from here on stand for bytes that are not UTF-8.
const ESCAPE: u32 = 0x10ff00;

fn escape(byte: u8) -> char {
    char::from_u32(ESCAPE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Text that is UTF-8 is shown as it is. Any other byte becomes a private character, and so do
/// the bytes of those characters themselves, so that `unescape` can always restore them.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if u32::from(c) < ESCAPE {
                    f.write_char(c)?;
                } else {
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).bytes();
                    bytes.map(escape).try_for_each(|c| f.write_char(c))?;
                }
            }
            let invalid = chunk.invalid().iter().copied();
            invalid.map(escape).try_for_each(|c| f.write_char(c))?;
        }
        Ok(())
    }
}

impl Word {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            match u32::from(c).checked_sub(ESCAPE) {
                Some(byte) => bytes.push(byte as u8),
                None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_bytes_come_back() {
        let private = "\u{10ff41}\u{10ffff}".as_bytes();
        for word in [&b"plain"[..], b"\xff\x80", "zürich".as_bytes(), private] {
            let message = Error::UnknownOption(word.into()).message();
            assert_eq!(message, [word, b": unknown option"].concat());
        }
    }
}
