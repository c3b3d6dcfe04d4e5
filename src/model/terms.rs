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

    /// The value with this title in listings.
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

/// The options that name services of a protocol.
const SERVICE_OPTIONS: &[(Protocol, &str)] = &[
    (Protocol::TCP, "-t"),
    (Protocol::UDP, "-u"),
    (Protocol::SCTP, "--sctp-service"),
];

/// The option that names services of this protocol. `None` for protocols whose services only other
/// programs add.
pub fn service_option(protocol: Protocol) -> Option<&'static str> {
    let mut options = SERVICE_OPTIONS.iter();
    options.find_map(|&(of, option)| (of == protocol).then_some(option))
}

/// The protocol of the services that this option names.
pub fn protocol_of(service_option: &str) -> Option<Protocol> {
    let mut options = SERVICE_OPTIONS.iter();
    options.find_map(|&(of, option)| (option == service_option).then_some(of))
}

/// The kernel's word for a service with a firewall mark, in place of a protocol.
pub const MARK: &str = "FWM";

/// The scheduler that maps each destination address to one server.
pub const DESTINATION_HASH: &str = "dh";

/// The kernel's word for a service without a scheduler.
pub const NO_SCHEDULER: &str = "none";

/// The schedulers of the kernel, and how each chooses.
pub const SCHEDULERS: &[(&str, &str)] = &[
    ("rr", "one after the other"),
    ("wrr", "one after the other, by weight"),
    ("lc", "fewest connections"),
    ("wlc", "fewest connections, by weight"),
    ("lblc", "by destination, fewest connections"),
    ("lblcr", "by destination, sets of servers"),
    (DESTINATION_HASH, "hash of the destination"),
    ("sh", "hash of the client"),
    ("mh", "hash of the client, stable"),
    ("sed", "shortest expected delay"),
    ("nq", "idle first, shortest expected delay"),
    ("fo", "highest weight"),
    ("ovf", "highest weight, overflowing to the next"),
];

/// The persistence engines of the kernel.
pub const ENGINES: &[(&str, &str)] = &[("sip", "by the Call-ID")];

/// A state of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionState {
    /// The kernel's word.
    pub word: &'static str,
    /// A few words of explanation.
    pub about: &'static str,
    /// How far a connection in this state is.
    pub stage: Stage,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The kernel counts it as active: it is established, or a handshake of TCP.
    Active,
    /// It has not ended, although the kernel does not count it as active: TCP on which the client
    /// has sent everything and waits for the rest of the answer, UDP, which has no end of a
    /// connection, and handshakes of SCTP.
    Unfinished,
    /// It has ended, or the entry is not a connection.
    Over,
}

/// The state of established connections.
pub const ESTABLISHED: &str = "ESTABLISHED";
/// The state of TCP handshakes that the client has not finished.
pub const SYN_RECV: &str = "SYN_RECV";
/// A state at the end of TCP connections.
pub const FIN_WAIT: &str = "FIN_WAIT";
/// A state at the end of TCP connections.
pub const TIME_WAIT: &str = "TIME_WAIT";
/// The state of every UDP connection.
pub const OF_UDP: &str = "UDP";

const fn state(word: &'static str, stage: Stage, about: &'static str) -> ConnectionState {
    ConnectionState { word, about, stage }
}

/// The states of connections as the kernel names them: of TCP, UDP and SCTP, and of what
/// persistence remembers.
pub const STATES: &[ConnectionState] = &[
    state(
        "NONE",
        Stage::Over,
        "not seen yet, or remembered by persistence",
    ),
    state(ESTABLISHED, Stage::Active, ""),
    state("SYN_SENT", Stage::Active, "TCP"),
    state(SYN_RECV, Stage::Active, "TCP"),
    state(FIN_WAIT, Stage::Over, "TCP"),
    state(TIME_WAIT, Stage::Over, "TCP"),
    state("CLOSE", Stage::Over, "TCP"),
    state("CLOSE_WAIT", Stage::Unfinished, "TCP"),
    state("LAST_ACK", Stage::Over, "TCP"),
    state("LISTEN", Stage::Over, "TCP"),
    state("SYNACK", Stage::Active, "TCP"),
    state(OF_UDP, Stage::Unfinished, "UDP"),
    state("INIT1", Stage::Unfinished, "SCTP"),
    state("INIT", Stage::Unfinished, "SCTP"),
    state("C-SENT", Stage::Unfinished, "SCTP"),
    state("C-REPLIED", Stage::Unfinished, "SCTP"),
    state("C-WAIT", Stage::Unfinished, "SCTP"),
    state("COOKIE", Stage::Unfinished, "SCTP"),
    state("C-ECHOED", Stage::Unfinished, "SCTP"),
    state("S-SENT", Stage::Over, "SCTP"),
    state("S-RECEIVED", Stage::Over, "SCTP"),
    state("S-ACK-SENT", Stage::Over, "SCTP"),
    state("REJECTED", Stage::Over, "SCTP"),
    state("CLOSED", Stage::Over, "SCTP"),
    state("ASSURED", Stage::Over, "remembered by persistence"),
];

/// The state of this name.
pub fn state_by_name(name: &[u8]) -> Option<&'static ConnectionState> {
    let mut states = STATES.iter();
    states.find(|state| state.word.as_bytes() == name)
}

/// A flag of a scheduler. Only `sh` and `mh` give theirs a meaning and a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The flag of `sh` and `mh` with which they pass over servers of weight 0.
const FALLBACK: Flags = Flags::SCHEDULER_1;
const FALLBACK_MEANS: &str = "pass over servers of weight 0";
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
            flag(FALLBACK, "sh-fallback", FALLBACK_MEANS),
            flag(Flags::SCHEDULER_2, "sh-port", PORT),
        ],
    ),
    (
        "mh",
        &[
            flag(FALLBACK, "mh-fallback", FALLBACK_MEANS),
            flag(Flags::SCHEDULER_2, "mh-port", PORT),
        ],
    ),
];

fn own_flags(scheduler: &[u8]) -> Option<&'static [SchedulerFlag]> {
    let mut own = OWN_FLAGS.iter();
    own.find_map(|(name, flags)| (name.as_bytes() == scheduler).then_some(*flags))
}

/// The flags of a scheduler, by the scheduler's own names if it has some.
pub fn flags_of(scheduler: &[u8]) -> &'static [SchedulerFlag] {
    own_flags(scheduler).unwrap_or(PLAIN_FLAGS)
}

/// The flag with which a scheduler passes over servers of weight 0, if it has one.
pub fn fallback_of(scheduler: &[u8]) -> Option<&'static SchedulerFlag> {
    let mut own = own_flags(scheduler)?.iter();
    own.find(|own| own.flag == FALLBACK)
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
        let is_unknown = |number: &u8| Self::UNKNOWN.contains(number);
        let unknown = || text.parse().ok().filter(is_unknown).map(Self::Unknown);
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
        let is_unknown = |number: &u8| Self::UNKNOWN.contains(number);
        let unknown = || text.parse().ok().filter(is_unknown).map(Self::Unknown);
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
    fn refusals_name_all_words() {
        fn check<T: Vocabulary + FromStr<Err = Invalid> + fmt::Debug>() {
            let refusal = "?".parse::<T>().unwrap_err().to_string();
            for term in T::TERMS {
                assert!(refusal.contains(term.word), "{refusal}");
            }
        }
        check::<Protocol>();
        check::<Forwarding>();
        check::<TunnelKind>();
        check::<DaemonRole>();
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
