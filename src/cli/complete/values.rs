//! The candidates for the value of an option, from fixed words and world-readable kernel files.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::{Candidate, Completes, prefixed};
use crate::cli::line::Line;
use crate::cli::options::{REAL_SERVER, SERVICE_ADDRESS};
use crate::cli::spec::ServerWord;
use crate::cli::surroundings::{self, Surroundings};
use crate::model::terms::{self, Vocabulary};
use crate::model::{Entry, Name, Protocol, ServiceId};

/// The candidates for the value of an option on this line.
pub fn values(
    line: Option<&Line>,
    completes: Completes,
    value: &[u8],
    surroundings: &Surroundings,
) -> Vec<Candidate> {
    let services = &surroundings.services;
    match completes {
        // The shell completes files.
        Completes::Nothing | Completes::Files => Vec::new(),
        Completes::Words(words) => explained(words()),
        Completes::Services(protocol) => services_of(line, protocol, services),
        Completes::Servers => line.map_or(Vec::new(), |line| servers(line, services)),
        Completes::SchedulerFlags => {
            let scheduler = line.and_then(|line| line.scheduler.as_ref());
            let flags = terms::flags_of(scheduler.map_or(b"", Name::as_bytes)).iter();
            let flags: Vec<_> = flags.map(|flag| (flag.word, flag.about)).collect();
            list_of(&flags, value)
        }
        Completes::States => {
            let states = terms::STATES.iter();
            let states: Vec<_> = states.map(|state| (state.word, state.about)).collect();
            list_of(&states, value)
        }
        Completes::Interfaces => interfaces(&surroundings.interfaces),
        Completes::Namespaces => namespaces(&surroundings.namespaces),
    }
}

/// The services that exist, except for a command that adds one.
fn services_of(
    line: Option<&Line>,
    protocol: Option<Protocol>,
    services: &[Entry],
) -> Vec<Candidate> {
    if line.is_some_and(|line| line.adds(SERVICE_ADDRESS)) {
        return Vec::new();
    }
    let named = services.iter().filter_map(|entry| {
        let (text, of) = match entry.service.service.id {
            ServiceId::Address {
                protocol,
                address,
                port,
            } => (SocketAddr::new(address, port).to_string(), Some(protocol)),
            ServiceId::Mark { mark, .. } => (mark.to_string(), None),
        };
        (of == protocol).then_some((text, entry))
    });
    let mut candidates: Vec<Candidate> = named
        .map(|(text, entry)| {
            let scheduler = entry.service.service.scheduler;
            let about = match entry.servers.len() {
                1 => format!("{scheduler}, 1 server"),
                count => format!("{scheduler}, {count} servers"),
            };
            Candidate::new(text, about)
        })
        .collect();
    // A mark may occur once for each family.
    candidates.dedup_by(|one, other| one.text == other.text);
    candidates
}

/// The servers of the service on the line, except for a command that adds one. If the command needs
/// no service, the hosts of all servers.
fn servers(line: &Line, services: &[Entry]) -> Vec<Candidate> {
    if line.adds(REAL_SERVER) {
        return Vec::new();
    }
    let Some(id) = line.service else {
        return match line.verb.spec().server {
            Some(ServerWord::OfAny) => hosts(services),
            Some(ServerWord::OfService | ServerWord::ThisHost) | None => Vec::new(),
        };
    };
    let mut services = services.iter();
    let entry = services.find(|entry| entry.service.service.id == id);
    let servers = entry.into_iter().flat_map(|entry| &entry.servers);
    servers
        .map(|state| {
            let server = &state.server;
            let forwarding = server.forwarding.title().unwrap_or_default();
            let about = format!("{forwarding}, weight {}", server.weight);
            Candidate::new(server.id.to_string(), about)
        })
        .collect()
}

/// The hosts of all servers, each with the number of services that have it.
fn hosts(services: &[Entry]) -> Vec<Candidate> {
    let hosts = surroundings::hosts(services).into_iter();
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
    // Shells add a blank after the only candidate, which would end a list too early.
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

fn namespaces(names: &[OsString]) -> Vec<Candidate> {
    let names = names.iter().filter_map(|name| name.to_str());
    names.filter_map(plain).collect()
}

/// A name, if none of its bytes is special to shells or terminals. Names may contain nearly any
/// byte.
fn plain(name: &str) -> Option<Candidate> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    let all_are = name.bytes().all(is_plain);
    all_are.then(|| Candidate::new(name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
