//! The vocabulary of IPVS. Parsing, printing, JSON, completion and advice share these words.

use std::fmt;
use std::str::FromStr;

use super::{Checksum, DaemonRole, Flags, Forwarding, Invalid, Protocol, TunnelKind};

/// A value and the words for it.
#[derive(Clone, Copy, Debug)]
pub struct Term<T: 'static> {
    /// The value.
    pub value: T,
    /// The word on command lines, in saves and in JSON.
    pub word: &'static str,
    /// The word of the kernel and the classic listings.
    pub title: &'static str,
    /// A few words of explanation.
    pub about: &'static str,
}

/// A value with its word, its title and an explanation.
pub const fn term<T>(
    value: T,
    word: &'static str,
    title: &'static str,
    about: &'static str,
) -> Term<T> {
    Term {
        value,
        word,
        title,
        about,
    }
}

/// A type whose values have words. Values that only other programs or newer kernels can set have
/// no word.
pub trait Vocabulary: Copy + PartialEq + 'static {
    /// All values that have words.
    const TERMS: &'static [Term<Self>];

    /// The words for this value.
    fn term(self) -> Option<&'static Term<Self>> {
        Self::TERMS.iter().find(|term| term.value == self)
    }

    /// The word for this value.
    fn word(self) -> Option<&'static str> {
        self.term().map(|term| term.word)
    }

    /// The word for this value in listings.
    fn title(self) -> Option<&'static str> {
        self.term().map(|term| term.title)
    }

    /// The value of a word.
    fn from_word(word: &[u8]) -> Option<Self> {
        let mut terms = Self::TERMS.iter();
        let term = terms.find(|term| term.word.as_bytes() == word)?;
        Some(term.value)
    }

    /// The value that listings call by this title.
    fn from_title(title: &[u8]) -> Option<Self> {
        let mut terms = Self::TERMS.iter();
        let term = terms.find(|term| term.title.as_bytes() == title)?;
        Some(term.value)
    }
}

/// The words of a vocabulary, each with what it means.
pub fn choices<T: Vocabulary>() -> Vec<(&'static str, &'static str)> {
    T::TERMS
        .iter()
        .map(|term| (term.word, term.about))
        .collect()
}

impl Vocabulary for Protocol {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::TCP, "tcp", "TCP", ""),
        term(Self::UDP, "udp", "UDP", ""),
        term(Self::SCTP, "sctp", "SCTP", ""),
    ];
}

impl Vocabulary for Forwarding {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Masquerade, "masq", "Masq", "NAT"),
        term(Self::Local, "local", "Local", "this machine"),
        term(Self::Tunnel, "tunnel", "Tunnel", "in a tunnel"),
        term(Self::DirectRouting, "route", "Route", "direct routing"),
        term(
            Self::Bypass,
            "bypass",
            "Bypass",
            "to the original destination",
        ),
    ];
}

impl Vocabulary for TunnelKind {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Ipip, "ipip", "ipip", "IP in IP"),
        term(Self::Gue, "gue", "gue", "generic UDP encapsulation"),
        term(Self::Gre, "gre", "gre", "generic routing encapsulation"),
    ];
}

impl Vocabulary for Checksum {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::NONE, "nocsum", "-c", "no checksum"),
        term(Self::PLAIN, "csum", "+c", "with a checksum"),
        term(
            Self::REMOTE,
            "remcsum",
            "r+c",
            "with remote checksum offload",
        ),
    ];
}

impl Vocabulary for DaemonRole {
    const TERMS: &'static [Term<Self>] = &[
        term(Self::Master, "master", "master", "sends connections"),
        term(Self::Backup, "backup", "backup", "receives them"),
    ];
}

/// The schedulers of the kernel, and how each chooses.
pub const SCHEDULERS: &[(&str, &str)] = &[
    ("rr", "one after the other"),
    ("wrr", "one after the other, by weight"),
    ("lc", "fewest connections"),
    ("wlc", "fewest connections, by weight"),
    ("lblc", "by destination, fewest connections"),
    ("lblcr", "by destination, sets of servers"),
    ("dh", "hash of the destination"),
    ("sh", "hash of the client"),
    ("mh", "hash of the client, stable"),
    ("sed", "shortest expected delay"),
    ("nq", "idle first, shortest expected delay"),
    ("fo", "highest weight"),
    ("ovf", "highest weight, overflowing to the next"),
];

/// The persistence engines of the kernel.
pub const ENGINES: &[(&str, &str)] = &[("sip", "by the Call-ID")];

/// The states of connections as the kernel names them: of TCP, UDP and SCTP, and of what
/// persistence remembers.
pub const STATES: &[(&str, &str)] = &[
    ("NONE", "not seen yet, or remembered by persistence"),
    ("ESTABLISHED", ""),
    ("SYN_SENT", "TCP"),
    ("SYN_RECV", "TCP"),
    ("FIN_WAIT", "TCP"),
    ("TIME_WAIT", "TCP"),
    ("CLOSE", "TCP"),
    ("CLOSE_WAIT", "TCP"),
    ("LAST_ACK", "TCP"),
    ("LISTEN", "TCP"),
    ("SYNACK", "TCP"),
    ("UDP", "UDP"),
    ("INIT1", "SCTP"),
    ("INIT", "SCTP"),
    ("C-SENT", "SCTP"),
    ("C-REPLIED", "SCTP"),
    ("C-WAIT", "SCTP"),
    ("COOKIE", "SCTP"),
    ("C-ECHOED", "SCTP"),
    ("S-SENT", "SCTP"),
    ("S-RECEIVED", "SCTP"),
    ("S-ACK-SENT", "SCTP"),
    ("REJECTED", "SCTP"),
    ("CLOSED", "SCTP"),
    ("ASSURED", "remembered by persistence"),
];

/// A flag of a scheduler. Only `sh` and `mh` give theirs a meaning and a name.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerFlag {
    /// The flag.
    pub flag: Flags,
    /// Its name.
    pub word: &'static str,
    /// A few words of explanation.
    pub about: &'static str,
}

const fn flag(flag: Flags, word: &'static str, about: &'static str) -> SchedulerFlag {
    SchedulerFlag { flag, word, about }
}

const FALLBACK: &str = "pass over servers of weight 0";
const PORT: &str = "hash the port too";

/// The names that fit every scheduler.
const PLAIN_FLAGS: &[SchedulerFlag] = &[
    flag(Flags::SCHEDULER_1, "flag-1", ""),
    flag(Flags::SCHEDULER_2, "flag-2", ""),
    flag(Flags::SCHEDULER_3, "flag-3", ""),
];

const OWN_FLAGS: &[(&str, &[SchedulerFlag])] = &[
    (
        "sh",
        &[
            flag(Flags::SCHEDULER_1, "sh-fallback", FALLBACK),
            flag(Flags::SCHEDULER_2, "sh-port", PORT),
        ],
    ),
    (
        "mh",
        &[
            flag(Flags::SCHEDULER_1, "mh-fallback", FALLBACK),
            flag(Flags::SCHEDULER_2, "mh-port", PORT),
        ],
    ),
];

/// The flags of a scheduler by their best names.
pub fn flags_of(scheduler: &[u8]) -> &'static [SchedulerFlag] {
    let own = OWN_FLAGS
        .iter()
        .find(|(name, _)| name.as_bytes() == scheduler);
    own.map_or(PLAIN_FLAGS, |(_, flags)| flags)
}

/// The names of the flags that are set.
pub fn names_of_flags(scheduler: &[u8], set: Flags) -> impl Iterator<Item = &'static str> {
    let own = flags_of(scheduler);
    PLAIN_FLAGS
        .iter()
        .filter(move |plain| set.has(plain.flag))
        .map(|plain| {
            let own = own.iter().find(|own| own.flag == plain.flag);
            own.unwrap_or(plain).word
        })
}

/// The names of all flags.
pub fn flag_words() -> impl Iterator<Item = &'static str> {
    let own = OWN_FLAGS.iter().map(|(_, flags)| *flags);
    let all = own.chain([PLAIN_FLAGS]).flatten();
    all.map(|flag| flag.word)
}

/// The flag of this name, and the scheduler it belongs to if it is not for all.
pub fn flag_by_name(word: &[u8]) -> Option<(Flags, Option<&'static str>)> {
    let own = OWN_FLAGS.iter().map(|(name, flags)| (Some(*name), *flags));
    let mut all = own.chain([(None, PLAIN_FLAGS)]);
    all.find_map(|(owner, flags)| {
        let flag = flags.iter().find(|flag| flag.word.as_bytes() == word)?;
        Some((flag.flag, owner))
    })
}

/// Its word, or its number.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.pad(word),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for Protocol {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = || text.parse().ok().map(Self);
        let protocol = Self::from_word(text.as_bytes()).or_else(number);
        protocol.ok_or(Invalid("a protocol is tcp, udp, sctp or a number"))
    }
}

/// Its word, or its number.
impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unknown(number) => number.fmt(f),
            method => f.pad(method.word().unwrap_or_default()),
        }
    }
}

impl FromStr for Forwarding {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let unknown = || match text.parse() {
            Ok(number @ 5..=7) => Some(Self::Unknown(number)),
            _ => None,
        };
        let method = Self::from_word(text.as_bytes()).or_else(unknown);
        method.ok_or(Invalid(
            "forwarding is masq, local, tunnel, route, bypass or a number from 5 to 7",
        ))
    }
}

/// Its word, or its number.
impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unknown(number) => number.fmt(f),
            kind => f.pad(kind.word().unwrap_or_default()),
        }
    }
}

impl FromStr for TunnelKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let unknown = || match text.parse() {
            Ok(number @ 3..) => Some(Self::Unknown(number)),
            _ => None,
        };
        let kind = Self::from_word(text.as_bytes()).or_else(unknown);
        kind.ok_or(Invalid(
            "a tunnel is ipip, gue, gre or a number from 3 to 255",
        ))
    }
}

impl fmt::Display for DaemonRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word().unwrap_or_default())
    }
}

impl FromStr for DaemonRole {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::from_word(text.as_bytes()).ok_or(Invalid("a daemon is master or backup"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        fn check<T: Vocabulary + fmt::Debug>() {
            for term in T::TERMS {
                assert_eq!(T::from_word(term.word.as_bytes()), Some(term.value));
                assert_eq!(T::from_title(term.title.as_bytes()), Some(term.value));
            }
        }
        check::<Protocol>();
        check::<Forwarding>();
        check::<TunnelKind>();
        check::<Checksum>();
        check::<DaemonRole>();
        assert_eq!(Forwarding::DirectRouting.to_string(), "route");
        assert_eq!(Forwarding::Unknown(7).to_string(), "7");
        "TCP".parse::<Protocol>().unwrap_err();
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in 0..=u16::MAX {
            let protocol = Protocol(number);
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        for number in 0..=u8::MAX {
            let forwarding = Forwarding::Unknown(number).to_string().parse();
            let is_known = (5..=7).contains(&number);
            assert_eq!(
                forwarding.ok(),
                is_known.then_some(Forwarding::Unknown(number))
            );
            let kind = TunnelKind::Unknown(number).to_string().parse();
            assert_eq!(
                kind.ok(),
                (number > 2).then_some(TunnelKind::Unknown(number))
            );
        }
        "65536".parse::<Protocol>().unwrap_err();
    }

    #[test]
    fn schedulers_name_their_flags() {
        let all = Flags::SCHEDULER_1 | Flags::SCHEDULER_2 | Flags::SCHEDULER_3;
        let names = |scheduler: &str, set| -> Vec<_> {
            names_of_flags(scheduler.as_bytes(), set).collect()
        };
        assert_eq!(names("sh", all), ["sh-fallback", "sh-port", "flag-3"]);
        assert_eq!(names("mh", Flags::SCHEDULER_2), ["mh-port"]);
        assert_eq!(names("rr", all), ["flag-1", "flag-2", "flag-3"]);
        assert_eq!(
            flag_by_name(b"mh-port"),
            Some((Flags::SCHEDULER_2, Some("mh")))
        );
        assert_eq!(flag_by_name(b"flag-3"), Some((Flags::SCHEDULER_3, None)));
        assert_eq!(flag_by_name(b"sh-"), None);
    }
}
