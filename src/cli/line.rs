//! Options are taken from left to right, and the first error wins. Checks of the whole line follow.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::time::Duration;

use super::commands::Verb;
use super::complete::Completes;
use super::options::{NETMASK, SERVER};
use super::slots::{Slot, Slots};
use super::spec::{Form, Operands, OptionSpec, Rejection, ServerWord, Spec};
use super::values::{self, HostPort};
use super::words::{Event, Fault, Words};
use crate::command::{Format, Globals, LONGEST_TIMEOUT, Request};
use crate::error::{Error, Word};
use crate::model::watch::Column;
use crate::model::{
    DaemonRole, Engine, Family, Filter, Flags, Forwarding, Interface, Mask, Protocol, Scheduler,
    ServerId, ServiceId, Settings, Timeouts, Tunnel,
};
use crate::names::Names;

const BAD_MASK: &str = "illegal virtual server persistent mask specified";
const BAD_SERVER: &str = "illegal real server address[:port] specified";
pub(super) const BAD_TIMEOUT: &str = "invalid timeout value `{}' specified";

/// The number of operands kept: the three of `--set`, and the first one too many.
pub(super) const MOST_OPERANDS: usize = 4;

/// Reads one line. `program` is the name of this program in messages.
pub fn read<'a>(
    program: &[u8],
    words: impl Iterator<Item = &'a [u8]> + Clone,
    names: &'a Names,
) -> Result<Request, Error> {
    let mut words = Words::new(words);
    let mut before = Vec::new();
    let (verb, value) = first_command(program, &mut words, &mut before)?;
    let mut line = Line::new(verb, names);
    if verb.spec().ignores_line {
        return Ok((verb.spec().build)(&line)?.into());
    }
    for event in before {
        line.take(event)?;
    }
    line.command(value)?;
    for event in words {
        let taken = event
            .map_err(Error::from)
            .and_then(|event| line.take(event));
        // The line ends here: anything that still needs a later option has an error.
        taken.map_err(|error| line.unjustified().unwrap_or(error))?;
    }
    if let Some(error) = line.unjustified() {
        return Err(error);
    }
    let globals = Globals {
        netns: line.netns.map(OsStr::to_owned),
    };
    let command = line.finish()?;
    Ok(Request { command, globals })
}

/// A command and its value.
type Given<'a> = (Verb, Option<&'a [u8]>);

/// The command, which is the first option on the line. Words and options that any command accepts
/// may come before it; such options alone list the services, like an empty line.
fn first_command<'a, I: Iterator<Item = &'a [u8]> + Clone>(
    program: &[u8],
    words: &mut Words<'a, I>,
    before: &mut Vec<Event<'a>>,
) -> Result<Given<'a>, Error> {
    let no_command = |instead: Option<&[u8]>| Error::NoCommand {
        program: program.into(),
        instead: instead.map(Word::from),
    };
    loop {
        match words.next() {
            Some(Ok(Event::Given {
                spec: Spec::Command(spec),
                value,
                ..
            })) => return Ok((spec.verb, value)),
            Some(Ok(event)) if event.is_global() || matches!(event, Event::LeftOver(_)) => {
                before.push(event);
            }
            None if !before.is_empty() && before.iter().all(Event::is_global) => {
                return Ok((Verb::List, None));
            }
            Some(Err(Fault::MissingValue(word))) if is_global(word) => {
                return Err(Error::MissingValue(word.into()));
            }
            Some(Err(Fault::UnknownOption(word))) => return Err(no_command(Some(word))),
            Some(_) | None => return Err(no_command(None)),
        }
    }
}

/// Whether this word is an option that any command accepts.
fn is_global(word: &[u8]) -> bool {
    let spec = word.strip_prefix(b"--").and_then(Spec::by_long);
    spec.is_some_and(Spec::is_global)
}

impl From<Fault<'_>> for Error {
    fn from(fault: Fault<'_>) -> Self {
        match fault {
            Fault::UnknownOption(word) => Self::UnknownOption(word.into()),
            Fault::MissingValue(word) => Self::MissingValue(word.into()),
            Fault::UnwantedValue(word) => Self::UnwantedValue(word.into()),
        }
    }
}

/// The words of a line that belong to no option.
#[derive(Default)]
pub(super) struct GivenOperands<'a>([Option<&'a [u8]>; MOST_OPERANDS]);

impl<'a> GivenOperands<'a> {
    fn push(&mut self, word: &'a [u8]) {
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(word);
        }
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.0[index]
    }

    /// An error if there are more than the command accepts.
    pub fn refuse_from(&self, first: usize) -> Result<(), Error> {
        self.0[first].map_or(Ok(()), |word| Err(Error::LeftOver(word.into())))
    }
}

/// A server as far as it is known: if it comes before its service on the line, a missing or named
/// port depends on that service.
#[derive(Clone, Copy)]
pub(super) enum ServerSoFar<'a> {
    Whole(ServerId),
    Portless(IpAddr),
    /// The address and the port's name, and the whole word.
    PortNamed(IpAddr, &'a [u8], &'a [u8]),
}

/// Something that is valid only if a certain option follows on the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Early<'a> {
    /// `-6`, which belongs to a mark.
    Ipv6,
    /// A mask that no IPv4 service can have.
    Mask(&'a [u8]),
    /// A server with a named port, which is looked up for the protocol of its service.
    NamedPort(&'a [u8]),
}

/// A line as far as it has been read.
pub struct Line<'a> {
    pub verb: Verb,
    names: &'a Names,
    /// The slots that are filled, except those of free options.
    pub given: Slots,
    /// The settings that are named.
    pub named: Settings,
    /// The free options on the line.
    pub free: Slots,
    pub(super) operands: GivenOperands<'a>,
    pub timeouts: Timeouts,
    pub service: Option<ServiceId>,
    /// Items that still need a later option, in the order of the line.
    early: Vec<Early<'a>>,
    pub scheduler: Option<Scheduler>,
    pub scheduler_flags: &'a [u8],
    /// The scheduler that kept flags must belong to.
    pub flags_of: Option<&'static str>,
    pub flags: Flags,
    pub persistence: Option<u32>,
    pub mask: Option<Mask>,
    mask_text: &'a [u8],
    pub engine: Option<Engine>,
    pub(super) server: Option<ServerSoFar<'a>>,
    pub forwarding: Forwarding,
    pub weight: i32,
    pub upper_threshold: u32,
    pub lower_threshold: u32,
    pub tunnel: Tunnel,
    pub daemon_role: DaemonRole,
    pub interface: Option<Interface>,
    pub sync_id: u32,
    pub sync_max_length: Option<u16>,
    pub mcast_group: Option<IpAddr>,
    pub mcast_port: Option<u16>,
    pub mcast_ttl: Option<u8>,
    pub format: Format,
    pub output: Option<&'a [u8]>,
    pub filter: Filter,
    pub netns: Option<&'a OsStr>,
    pub wait: Option<u32>,
    pub confirm: Option<u32>,
    pub watch: Option<Duration>,
    pub sort_by: Column,
}

impl<'a> Line<'a> {
    pub fn new(verb: Verb, names: &'a Names) -> Self {
        Self {
            verb,
            names,
            given: Slots::NONE,
            named: Settings::NONE,
            free: Slots::NONE,
            operands: GivenOperands::default(),
            timeouts: Timeouts {
                tcp: 0,
                tcp_fin: 0,
                udp: 0,
            },
            service: None,
            early: Vec::new(),
            scheduler: None,
            scheduler_flags: b"",
            flags_of: None,
            flags: Flags::NONE,
            persistence: None,
            mask: None,
            mask_text: b"",
            engine: None,
            server: None,
            forwarding: Forwarding::DirectRouting,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel::IPIP,
            daemon_role: DaemonRole::Master,
            interface: None,
            sync_id: 0,
            sync_max_length: None,
            mcast_group: None,
            mcast_port: None,
            mcast_ttl: None,
            format: Format::Classic,
            output: None,
            filter: Filter::ALL,
            netns: None,
            wait: None,
            confirm: None,
            watch: None,
            sort_by: Column::Name,
        }
    }

    /// Reads the value of the command itself.
    fn command(&mut self, value: Option<&'a [u8]>) -> Result<(), Error> {
        let spec = self.verb.spec();
        (spec.take)(self, value).map_err(|refusal| Spec::Command(spec).refused(refusal, value))
    }

    pub fn take(&mut self, event: Event<'a>) -> Result<(), Error> {
        match event {
            Event::LeftOver(word) => self.operands.push(word),
            Event::Given {
                spec: Spec::Command(_),
                word,
                ..
            } => return Err(Error::SecondCommand(word.into())),
            Event::Given {
                spec: Spec::Option(spec),
                value,
                ..
            } => {
                self.fill(spec)?;
                (spec.take)(self, value)
                    .map_err(|refusal| Spec::Option(spec).refused(refusal, value))?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, spec: &OptionSpec) -> Result<(), Error> {
        if spec.is_free {
            self.free = self.free.with(spec.slot);
            return Ok(());
        }
        if self.given.has(spec.slot) {
            return Err(Error::Repeated(spec.slot.name));
        }
        self.given = self.given.with(spec.slot);
        self.named = self.named | spec.names;
        Ok(())
    }

    pub fn address_service(&mut self, protocol: Protocol, text: &[u8]) -> Result<(), Rejection> {
        let service = self.read_service(protocol, text);
        self.service_known(service.ok_or("illegal virtual server address[:port] specified")?)
    }

    fn read_service(&self, protocol: Protocol, text: &[u8]) -> Option<ServiceId> {
        let HostPort { address, port } = values::host_port(text, self.names)?;
        let port = match port {
            Some(port) => values::port(port, protocol, self.names)?,
            None => 0,
        };
        Some(ServiceId::Address {
            protocol,
            address,
            port,
        })
    }

    pub fn mark_service(&mut self, text: &[u8]) -> Result<(), Rejection> {
        let mark = values::mark(text).ok_or("invalid fwmark value `{}' specified")?;
        let family = self.family();
        self.early.retain(|early| *early != Early::Ipv6);
        self.service_known(ServiceId::Mark { mark, family })
    }

    pub fn ipv6(&mut self) -> Result<(), Rejection> {
        match &mut self.service {
            Some(ServiceId::Mark { family, .. }) => *family = Family::V6,
            Some(_) => return Err(Error::Ipv6BeforeMark.into()),
            None => self.early.push(Early::Ipv6),
        }
        self.family_known(Family::V6);
        Ok(())
    }

    /// The error for the first thing that still needs a later option.
    fn unjustified(&self) -> Option<Error> {
        self.early.first().map(|early| match early {
            Early::Ipv6 => Error::Ipv6BeforeMark,
            Early::Mask(text) => Spec::Option(&NETMASK).illegal(BAD_MASK, text),
            Early::NamedPort(text) => Spec::Option(&SERVER).illegal(BAD_SERVER, text),
        })
    }

    fn service_known(&mut self, service: ServiceId) -> Result<(), Rejection> {
        self.service = Some(service);
        if let Some(server) = self.server.filter(|_| !self.is_host()) {
            self.server = Some(ServerSoFar::Whole(self.server_of(service, server)?));
        }
        self.early
            .retain(|early| !matches!(early, Early::NamedPort(_)));
        self.family_known(service.family());
        Ok(())
    }

    /// A mask before the service was read as an IPv4 mask. Values without a meaning for IPv6, such
    /// as 255.255.255.255, are dropped silently, since scripts may rely on that.
    fn family_known(&mut self, family: Family) {
        let is_ipv4 = !matches!(self.mask, Some(Mask::V6(_)));
        if family == Family::V6 && is_ipv4 {
            self.early.retain(|early| !matches!(early, Early::Mask(_)));
            self.mask = values::ipv6_mask(self.mask_text).map(Mask::V6);
        }
    }

    pub fn netmask(&mut self, text: &'a [u8]) -> Result<(), Rejection> {
        self.mask_text = text;
        let as_ipv6 = values::ipv6_mask(text).map(Mask::V6);
        self.mask = match self.family() {
            Family::V6 => Some(as_ipv6.ok_or("illegal ipv6 netmask specified")?),
            Family::V4 => match values::ipv4_mask(text, self.names) {
                Some(mask) => Some(Mask::V4(mask)),
                None if as_ipv6.is_none() => return Err(BAD_MASK.into()),
                None => {
                    // This was a number, so no name lookup is needed.
                    self.names.unanswered();
                    self.early.push(Early::Mask(text));
                    None
                }
            },
        };
        Ok(())
    }

    /// The family, as far as it is known from the line so far.
    fn family(&self) -> Family {
        match self.service {
            Some(service) => service.family(),
            None if self.early.contains(&Early::Ipv6) => Family::V6,
            None => Family::V4,
        }
    }

    pub fn client(&mut self, text: &[u8]) -> Result<(), Rejection> {
        let network = values::network(text, self.names);
        self.filter.client = Some(network.ok_or("illegal client address[/bits] specified")?);
        Ok(())
    }

    pub fn real_server(&mut self, text: &'a [u8]) -> Result<(), Rejection> {
        let HostPort { address, port } = values::host_port(text, self.names).ok_or(BAD_SERVER)?;
        let so_far = match port {
            None => ServerSoFar::Portless(address),
            Some(port) => match values::port_number(port) {
                Some(port) => ServerSoFar::Whole(ServerId { address, port }),
                None => ServerSoFar::PortNamed(address, port, text),
            },
        };
        self.server = Some(match self.service {
            // There, a missing port means any port.
            _ if self.is_host() => so_far,
            Some(service) => ServerSoFar::Whole(self.server_of(service, so_far)?),
            None => {
                if let ServerSoFar::PortNamed(..) = so_far {
                    self.early.push(Early::NamedPort(text));
                }
                so_far
            }
        });
        Ok(())
    }

    /// Whether a file may still be named.
    pub fn wants_file(&self) -> bool {
        self.verb.spec().operands == Operands::File && self.operands.get(0).is_none()
    }

    /// Whether a server without a port means every port of its host.
    fn is_host(&self) -> bool {
        match self.verb.spec().server {
            Some(ServerWord::OfAny | ServerWord::ThisHost) => true,
            Some(ServerWord::OfService) | None => false,
        }
    }

    /// Whether the command adds the object in this slot.
    pub fn adds(&self, slot: Slot) -> bool {
        self.verb.spec().adds == Some(slot)
    }

    pub(super) fn server_of(
        &self,
        service: ServiceId,
        server: ServerSoFar,
    ) -> Result<ServerId, Error> {
        Ok(match server {
            ServerSoFar::Whole(id) => id,
            ServerSoFar::Portless(address) => ServerId {
                address,
                port: service.port(),
            },
            ServerSoFar::PortNamed(address, name, word) => ServerId {
                address,
                port: values::port(name, service.protocol(), self.names)
                    .ok_or_else(|| Spec::Option(&SERVER).illegal(BAD_SERVER, word))?,
            },
        })
    }
}

/// A value that `timeout` reads.
pub const SECONDS: Form = Form {
    name: "seconds",
    allowed: "seconds, from 1 to 2678400 (31 days)",
    completes: Completes::Nothing,
};
const _: () = assert!(
    LONGEST_TIMEOUT == 2_678_400,
    "the texts of SECONDS, --set and --persistent name another number"
);

/// A timeout in seconds.
pub fn timeout(text: &[u8], least: i64) -> Result<u32, Rejection> {
    let seconds = values::number(text, least..=LONGEST_TIMEOUT.into());
    Ok(seconds.ok_or(BAD_TIMEOUT)? as u32)
}
