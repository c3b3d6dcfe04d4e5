//! What may stand next on a line: completion for shells, from the declarations of options
//! and what the kernel shows to everyone.
//!
//! It speaks to no kernel and loads nothing. Where there is no IPVS the live values are missing.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use super::commands::{COMMANDS, Verb};
use super::line::Line;
use super::live::{self, Live, LiveId, LiveService};
use super::options::NETNS;
use super::spec::{self, Needs, OptionSpec, Slots, Spec, Value};
use super::words::{Event, Words};
use crate::command::Globals;
use crate::model::{Family, Name, Protocol, ServiceId, terms};
use crate::names::Names;
use crate::render::Out;

/// Where `ip netns` keeps network namespaces by name.
const NAMESPACES: &str = "/run/netns";

/// What completes a value.
#[derive(Clone, Copy, Debug)]
pub enum Completes {
    Nothing,
    /// One of these words, each with what it means.
    Words(fn() -> Vec<(&'static str, &'static str)>),
    /// The services of this protocol, or those of firewall marks.
    Services(Option<Protocol>),
    /// The servers of the service on the line.
    Servers,
    /// A list of the scheduler's flags.
    SchedulerFlags,
    /// A list of states of connections.
    States,
    Interfaces,
    /// The names of network namespaces.
    Namespaces,
}

/// A word that may come next, and its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub text: Vec<u8>,
    pub about: String,
}

impl Candidate {
    fn new(text: impl AsRef<[u8]>, about: impl Into<String>) -> Self {
        Self {
            text: text.as_ref().to_vec(),
            about: about.into(),
        }
    }
}

/// The options on the line that go with every command.
pub fn globals(words: &[&[u8]]) -> Globals {
    let mut events = Words::new(words.iter().copied()).flatten();
    let netns = events.find_map(|event| match event {
        Event::Given {
            spec: Spec::Option(spec),
            value,
            ..
        } if spec.slot == NETNS => value,
        _ => None,
    });
    Globals {
        netns: netns.map(|name| OsStr::from_bytes(name).to_owned()),
    }
}

/// Prints `value TAB description` for each candidate that the last word may become.
pub fn print(out: &mut Out, words: &[&[u8]], live: &Live) -> io::Result<()> {
    for candidate in candidates(words, live) {
        out.text(candidate.text).text("\t").text(candidate.about);
        out.end_row()?;
    }
    out.flush()
}

/// What the last of these words may become.
pub fn candidates(words: &[&[u8]], live: &Live) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last() else {
        return Vec::new();
    };
    let names = Names::numeric();
    let line = line_before(before, &names);
    let candidates = match last_event(words) {
        Some(Event::Given {
            spec,
            value: Some(value),
            ..
        }) if !(current.is_empty() && matches!(spec.value(), Value::Optional(_))) => {
            let attached = &current[..current.len() - value.len()];
            let completes = spec.value().form().map(|form| form.completes);
            let values = completes.map(|completes| values(line.as_ref(), completes, value, live));
            let values = values.unwrap_or_default().into_iter();
            values.map(|value| prefixed(attached, value)).collect()
        }
        _ => match &line {
            Some(line) => options(line, current),
            None => commands(current),
        },
    };
    let fits = |candidate: &Candidate| candidate.text.starts_with(current);
    candidates.into_iter().filter(fits).collect()
}

fn prefixed(prefix: &[u8], candidate: Candidate) -> Candidate {
    Candidate {
        text: [prefix, &candidate.text].concat(),
        ..candidate
    }
}

/// What the last word is taken for, if it can be read.
fn last_event<'a>(words: &[&'a [u8]]) -> Option<Event<'a>> {
    Words::new(words.iter().copied()).last()?.ok()
}

/// What the words so far say, if there is a command among them. What cannot be taken in is left
/// out.
fn line_before<'a>(words: &[&'a [u8]], names: &'a Names) -> Option<Line<'a>> {
    let mut line = None;
    for event in Words::new(words.iter().copied()).flatten() {
        match (event, &mut line) {
            (
                Event::Given {
                    spec: Spec::Command(spec),
                    ..
                },
                None,
            ) => line = Some(Line::new(spec.verb, names)),
            (event, Some(line)) => drop(line.take(event)),
            (_, None) => {}
        }
    }
    line
}

fn commands(current: &[u8]) -> Vec<Candidate> {
    let commands = COMMANDS.iter().map(Spec::Command);
    let globals = spec::options().filter(|spec| spec.is_global && is_asked_for(spec, current));
    let all = commands.chain(globals.map(Spec::Option));
    all.map(|spec| named(spec, current)).collect()
}

/// Options that go with every command are offered once a long name has begun. Otherwise they would
/// be in every list.
fn is_asked_for(spec: &OptionSpec, current: &[u8]) -> bool {
    !spec.is_global || current.starts_with(b"--")
}

/// The options that the command takes and that are not on the line yet.
fn options(line: &Line, current: &[u8]) -> Vec<Candidate> {
    let options = spec::options().filter(|spec| takes(line, spec) && is_asked_for(spec, current));
    options
        .map(|spec| named(Spec::Option(spec), current))
        .collect()
}

/// A command or an option that continues what is typed, by its letter if it has one.
fn named(spec: Spec, current: &[u8]) -> Candidate {
    let text = match spec.letters().first() {
        Some(&letter) if !current.starts_with(b"--") => vec![b'-', letter],
        _ => [b"--", spec.long().as_bytes()].concat(),
    };
    Candidate::new(text, spec.help())
}

fn takes(line: &Line, spec: &OptionSpec) -> bool {
    let Needs { must, may, one_of } = Needs::of(line.verb);
    let slot = spec.slot;
    if line.given.or(line.free).has(slot) || !(spec.is_useful)(line) {
        return false;
    }
    if one_of.has(slot) {
        let subjects = line.competing(line.given.with(slot)).and(one_of);
        return subjects
            .first()
            .is_none_or(|first| subjects == Slots::NONE.with(first));
    }
    must.or(may).has(slot)
}

fn values(line: Option<&Line>, completes: Completes, value: &[u8], live: &Live) -> Vec<Candidate> {
    let services = &String::from_utf8_lossy(&live.services);
    match completes {
        Completes::Nothing => Vec::new(),
        Completes::Words(words) => explained(words()),
        Completes::Services(protocol) => services_of(line, protocol, services),
        Completes::Servers => line.map_or(Vec::new(), |line| servers(line, services)),
        Completes::SchedulerFlags => {
            let scheduler = line.and_then(|line| line.scheduler.as_ref());
            let flags = terms::flags_of(scheduler.map_or(b"", Name::as_bytes)).iter();
            let flags: Vec<_> = flags.map(|flag| (flag.word, flag.about)).collect();
            list_of(&flags, value)
        }
        Completes::States => list_of(terms::STATES, value),
        Completes::Interfaces => interfaces(&live.interfaces),
        Completes::Namespaces => namespaces(),
    }
}

/// The services that exist, except for a command that adds one.
fn services_of(line: Option<&Line>, protocol: Option<Protocol>, services: &str) -> Vec<Candidate> {
    if line.is_some_and(|line| line.verb == Verb::AddService) {
        return Vec::new();
    }
    let mut services = live::services(services);
    // A mark may stand there once for each family.
    services.dedup_by_key(|service| service.id);
    let is_wanted = |id: LiveId| match id {
        LiveId::Address(of, _) => protocol == Some(of),
        LiveId::Mark(_) => protocol.is_none(),
    };
    let services = services.iter().filter(|service| is_wanted(service.id));
    services
        .map(|service| {
            let about = match service.servers.len() {
                1 => format!("{}, 1 server", service.scheduler),
                count => format!("{}, {count} servers", service.scheduler),
            };
            Candidate::new(service.id.to_string(), about)
        })
        .collect()
}

/// The servers of the service on the line, except for a command that adds one. Without a service
/// a drain takes the hosts of all.
fn servers(line: &Line, services: &str) -> Vec<Candidate> {
    if line.verb == Verb::AddServer {
        return Vec::new();
    }
    let Some(id) = line.service else {
        return if line.verb == Verb::Drain {
            hosts(&live::services(services))
        } else {
            Vec::new()
        };
    };
    let services = live::services(services);
    let service = services.iter().find(|service| match (id, service.id) {
        (ServiceId::Mark { mark, family }, LiveId::Mark(live)) => {
            mark.get() == live && service.is_ipv6() == (family == Family::V6)
        }
        (
            ServiceId::Address {
                protocol,
                address,
                port,
            },
            LiveId::Address(live, at),
        ) => protocol == live && at == SocketAddr::new(address, port),
        _ => false,
    });
    let servers = service.into_iter().flat_map(|service| &service.servers);
    servers
        .map(|server| {
            let about = format!("{}, weight {}", server.forwarding, server.weight);
            Candidate::new(server.address.to_string(), about)
        })
        .collect()
}

/// The hosts of all servers, each with the number of services that have it.
fn hosts(services: &[LiveService]) -> Vec<Candidate> {
    let hosts = live::hosts(services).into_iter();
    hosts
        .map(|(host, count)| match count {
            1 => Candidate::new(host, "in 1 service"),
            count => Candidate::new(host, format!("in {count} services")),
        })
        .collect()
}

/// Words that are not in the list yet.
fn list_of(words: &[(&str, &str)], value: &[u8]) -> Vec<Candidate> {
    let typed = value.iter().rposition(|&byte| byte == b',');
    let (before, current) = value.split_at(typed.map_or(0, |comma| comma + 1));
    let is_listed = |word: &str| {
        let mut listed = before.split(|&byte| byte == b',');
        listed.any(|listed| listed == word.as_bytes())
    };
    let words = words.iter();
    let free: Vec<_> = words.filter(|(word, _)| !is_listed(word)).collect();
    let fits = |word: &str| word.as_bytes().starts_with(current);
    let mut lists = Vec::new();
    for (word, about) in free.iter().filter(|(word, _)| fits(word)) {
        lists.push(((*word).to_owned(), *about));
    }
    // Shells add a blank behind the only candidate, which would end a list too early.
    if let [(only, _)] = &lists[..] {
        let more = free.iter().filter(|(word, _)| word != only);
        let longer: Vec<_> = more
            .map(|(word, about)| (format!("{only},{word}"), *about))
            .collect();
        lists.extend(longer);
    }
    let candidates = lists.iter();
    candidates
        .map(|(list, about)| prefixed(before, Candidate::new(list, *about)))
        .collect()
}

fn explained(words: Vec<(&str, &str)>) -> Vec<Candidate> {
    let words = words.into_iter();
    words
        .map(|(word, about)| Candidate::new(word, about))
        .collect()
}

fn interfaces(text: &[u8]) -> Vec<Candidate> {
    let text = String::from_utf8_lossy(text);
    let names = text.lines().filter_map(|line| line.split_once(':'));
    let names = names.map(|(name, _)| name.trim_start());
    names.filter_map(plain).collect()
}

fn namespaces() -> Vec<Candidate> {
    let files = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    let mut names: Vec<_> = files.map(|file| file.file_name()).collect();
    names.sort();
    names
        .iter()
        .filter_map(|name| plain(name.to_str()?))
        .collect()
}

/// A name that means nothing to shells and terminals: nearly any byte may be in one.
fn plain(name: &str) -> Option<Candidate> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    let all_are = name.bytes().all(is_plain);
    all_are.then(|| Candidate::new(name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
TCP  0A000001:0050 rr
  -> 0A010001:1F90      Masq    1      0          0
  -> 0A010002:1F90      Route   0      0          0
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 wlc
  -> [2001:0db8:0001:0000:0000:0000:0000:0002]:0050 Route   1      0          0
UDP  0A000001:0035 sh
FWM  00000007 rr
FWM  00000007 wrr
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000 Tunnel  1      0          0
";

    fn live() -> Live {
        Live {
            services: TABLE.into(),
            ..Live::default()
        }
    }

    /// The candidates for the last word of a line, without what is said about them.
    fn texts(line: &str) -> Vec<String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let candidates = candidates(&words, &live());
        let texts = candidates.into_iter().map(|c| String::from_utf8(c.text));
        texts.map(Result::unwrap).collect()
    }

    #[test]
    fn a_command_comes_first() {
        let commands = texts("");
        assert!(commands.contains(&"-A".to_owned()) && commands.contains(&"--set".to_owned()));
        assert!(!commands.contains(&"-t".to_owned()));
        assert_eq!(texts("--li"), ["--list"]);
        assert_eq!(texts("--st"), ["--start-daemon", "--stop-daemon"]);
    }

    #[test]
    fn options_are_those_of_the_command_that_are_not_there_yet() {
        assert_eq!(
            texts("-D "),
            ["-t", "-u", "--sctp-service", "-f", "--exist", "--wait"]
        );
        assert_eq!(texts("-d -t x "), ["-r", "--exist", "--wait"]);
        assert_eq!(texts("-S "), ["-n", "--output", "--all"]);
        assert_eq!(texts("-Sn --output x "), ["--all"]);
        assert_eq!(texts("-D -f 7 "), ["-6", "--exist", "--wait"]);
        assert_eq!(
            texts("-E -f 7 -p "),
            ["-6", "-s", "-b", "-M", "--pe", "-o", "--keep"]
        );
        assert_eq!(texts("-E -f 7 -p -s m"), ["mh"]);
        assert_eq!(texts("-L --da"), ["--daemon"]);
        assert_eq!(texts("-L --timeout --da"), [""; 0]);
    }

    #[test]
    fn services_are_those_that_there_are() {
        assert_eq!(texts("-D -t "), ["10.0.0.1:80", "[2001:db8::1]:80"]);
        assert_eq!(texts("-Dt1"), ["-Dt10.0.0.1:80"]);
        assert_eq!(
            texts("-D --tcp-service=[2"),
            ["--tcp-service=[2001:db8::1]:80"]
        );
        assert_eq!(texts("-D -u "), ["10.0.0.1:53"]);
        assert_eq!(texts("-E -f "), ["7"]);
        assert_eq!(texts("-A -t "), [""; 0]);
    }

    #[test]
    fn servers_are_those_of_the_service_on_the_line() {
        assert_eq!(
            texts("-d -t 10.0.0.1:80 -r "),
            ["10.1.0.1:8080", "10.1.0.2:8080"]
        );
        assert_eq!(
            texts("-d -t [2001:DB8:0::1]:80 -r "),
            ["[2001:db8:1::2]:80"]
        );
        assert_eq!(texts("-d -u 10.0.0.1:80 -r "), [""; 0]);
        assert_eq!(texts("-e -f 7 -6 -r "), ["[2001:db8:1::1]:0"]);
        assert_eq!(texts("-e -f 7 -r "), [""; 0]);
        assert_eq!(texts("-a -t 10.0.0.1:80 -r "), [""; 0]);
        assert_eq!(texts("-d -r "), [""; 0]);
        assert_eq!(
            texts("--drain -r "),
            ["10.1.0.1", "10.1.0.2", "[2001:db8:1::1]", "[2001:db8:1::2]"]
        );
    }

    #[test]
    fn values_with_names_are_offered() {
        assert_eq!(texts("-A -s w"), ["wrr", "wlc"]);
        assert_eq!(texts("-A -s sh -b "), ["sh-fallback", "sh-port"]);
        assert_eq!(texts("-A -s sh -b sh-port,"), ["sh-port,sh-fallback"]);
        assert_eq!(
            texts("-A -s rr -b flag-1,flag-2,"),
            ["flag-1,flag-2,flag-3"]
        );
        // A flag that another may follow is never the only candidate.
        assert_eq!(
            texts("-A -s sh -b sh-p"),
            ["sh-port", "sh-port,sh-fallback"]
        );
        assert_eq!(
            texts("-A -b flag-2,flag-1"),
            ["flag-2,flag-1", "flag-2,flag-1,flag-3"]
        );
        assert_eq!(texts("--stop-daemon b"), ["backup"]);
        assert_eq!(texts("-a --tun-type g"), ["gue", "gre"]);
        assert_eq!(texts("-A --pe "), ["sip"]);
        assert_eq!(texts("-a -w "), [""; 0]);
    }

    #[test]
    fn what_goes_with_every_command_is_offered_by_its_long_name() {
        assert_eq!(texts("--ne"), ["--netns"]);
        assert_eq!(texts("-C --n"), ["--netns"]);
        assert_eq!(texts("--netns x -C --n"), ["--netns"]);
        assert_eq!(texts("-C --netns x --n"), [""; 0]);
        assert_eq!(texts("--netns x -D -u "), ["10.0.0.1:53"]);
    }

    #[test]
    fn interfaces_with_hostile_names_are_not_offered() {
        let text = b"\
Inter-|   Receive  |  Transmit
 face |bytes packets errs|bytes packets
    lo:     0       0    0    0     0
eth0.100@x-_+: 0    0    0    0     0
$(reboot): 0        0    0    0     0
e\x1b[2J:   0        0    0    0     0
\xff:        0        0    0    0     0
";
        let candidates = interfaces(text);
        let names: Vec<_> = candidates.iter().map(|c| c.text.as_slice()).collect();
        assert_eq!(names, [&b"lo"[..], b"eth0.100@x-_+"]);
    }

    #[test]
    fn candidates_say_what_they_are() {
        let about = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            candidates(&words, &live()).swap_remove(0).about
        };
        assert_eq!(about("-D -t 10"), "rr, 2 servers");
        assert_eq!(about("-d -t 10.0.0.1:80 -r 10.1.0.2"), "Route, weight 0");
        assert_eq!(about("-Z"), "zero the counters of one service or all");
    }
}
