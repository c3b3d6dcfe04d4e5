//! What may stand next on a line: completion for shells, from the table of options and the table
//! of services as the kernel shows it to everyone.
//!
//! It speaks to no kernel and loads nothing. Where there is no IPVS the live values are missing.

use std::fs;
use std::io;

use super::live::{self, LiveService};
use super::options::{Needs, Opt, OptionRow, Row, Slots, Value, Verb};
use super::table::{COMMANDS, OPTIONS};
use super::words::{Event, Words};
use crate::model::Protocol;
use crate::render::Out;

const SERVICES: &str = "/proc/net/ip_vs";
const INTERFACES: &str = "/sys/class/net";

/// The schedulers, and what they go by.
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

/// Something that may stand on the line, and a few words about it.
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

/// Prints `value TAB description` for each candidate that the last word may become.
pub fn print(out: &mut Out, words: &[&[u8]]) -> io::Result<()> {
    // Whoever may not read it, or has no IPVS, sees no services.
    let services = fs::read(SERVICES).unwrap_or_default();
    for candidate in candidates(words, &services) {
        out.text(candidate.text).text("\t").text(candidate.about);
        out.end_row()?;
    }
    out.flush()
}

/// What the last of these words may become. `services` is what `/proc/net/ip_vs` holds.
pub fn candidates(words: &[&[u8]], services: &[u8]) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last() else {
        return Vec::new();
    };
    let line = Line::read(before);
    let last = last_event(words);
    let candidates = match last {
        Some(Event::Given {
            row,
            value: Some(value),
            ..
        }) => {
            let attached = &current[..current.len() - value.len()];
            let values = line.values(row, value, services);
            values.into_iter().map(|c| prefixed(attached, c)).collect()
        }
        _ => line.options(current),
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

/// What the words so far say.
#[derive(Default)]
struct Line<'a> {
    verb: Option<Verb>,
    given: Slots,
    service: Option<(Opt, &'a [u8])>,
    ipv6: bool,
    sort: bool,
    scheduler: &'a [u8],
}

impl<'a> Line<'a> {
    fn read(words: &[&'a [u8]]) -> Self {
        let mut line = Self::default();
        for event in Words::new(words.iter().copied()) {
            match event {
                Ok(Event::Given {
                    row: Row::Command(row),
                    ..
                }) => line.verb = line.verb.or(Some(row.verb)),
                Ok(Event::Given {
                    row: Row::Option(row),
                    value,
                    ..
                }) => line.take(row, value.unwrap_or_default()),
                _ => {}
            }
        }
        line
    }

    fn take(&mut self, row: &OptionRow, value: &'a [u8]) {
        self.given = row.slot.map_or(self.given, |slot| self.given.with(slot));
        match row.option {
            Opt::TcpService | Opt::UdpService | Opt::SctpService | Opt::MarkService => {
                self.service = Some((row.option, value));
            }
            Opt::Ipv6 => self.ipv6 = true,
            Opt::Sort => self.sort = true,
            Opt::Scheduler => self.scheduler = value,
            _ => {}
        }
    }

    /// Commands if there is none yet, or else the options that it takes and has not got.
    fn options(&self, current: &[u8]) -> Vec<Candidate> {
        let long = current.starts_with(b"--");
        let spelled = |short: Option<u8>, name: &str| match short {
            Some(letter) if !long => vec![b'-', letter],
            _ => [b"--", name.as_bytes()].concat(),
        };
        let Some(verb) = self.verb else {
            let commands = COMMANDS.iter();
            return commands
                .map(|row| Candidate::new(spelled(row.short.first().copied(), row.long), row.help))
                .collect();
        };
        let options = OPTIONS.iter().filter(|row| self.takes(verb, row));
        options
            .map(|row| Candidate::new(spelled(row.short, row.long), row.help))
            .collect()
    }

    fn takes(&self, verb: Verb, row: &OptionRow) -> bool {
        let Needs { must, may, one_of } = Needs::of(verb);
        match row.slot {
            None => match row.option {
                Opt::Ipv6 => !self.ipv6 && matches!(self.service, Some((Opt::MarkService, _))),
                Opt::Sort => !self.sort && verb == Verb::List,
                _ => false,
            },
            Some(slot) if self.given.has(slot) => false,
            Some(slot) if one_of.has(slot) => self.given.and(one_of) == Slots::NONE,
            Some(slot) => must.or(may).has(slot),
        }
    }

    fn values(&self, row: Row, value: &[u8], services: &[u8]) -> Vec<Candidate> {
        match row {
            Row::Command(row) if row.value != Value::Nothing => {
                words(&[("master", "sends connections"), ("backup", "receives them")])
            }
            Row::Command(_) => Vec::new(),
            Row::Option(row) => self.option_values(row.option, value, services),
        }
    }

    fn option_values(&self, option: Opt, value: &[u8], services: &[u8]) -> Vec<Candidate> {
        match option {
            Opt::TcpService | Opt::UdpService | Opt::SctpService | Opt::MarkService => {
                self.services(option, services)
            }
            Opt::RealServer => self.servers(services),
            Opt::Scheduler => words(SCHEDULERS),
            Opt::SchedulerFlags => self.scheduler_flags(value),
            Opt::Engine => words(&[("sip", "by the Call-ID")]),
            Opt::TunnelType => words(&[
                ("ipip", "IP in IP"),
                ("gue", "generic UDP encapsulation"),
                ("gre", "generic routing encapsulation"),
            ]),
            Opt::Interface => interfaces(),
            Opt::Format => words(&[
                ("classic", "as ever"),
                ("json", "for programs"),
                ("table", "for people"),
            ]),
            _ => Vec::new(),
        }
    }

    /// The services that there are, except for a command that adds one.
    fn services(&self, option: Opt, services: &[u8]) -> Vec<Candidate> {
        if self.verb == Some(Verb::AddService) {
            return Vec::new();
        }
        let services = live::services(services);
        let services = services
            .iter()
            .filter(|service| kind(service) == Some(option));
        services
            .map(|service| {
                let about = match service.servers.len() {
                    1 => format!("{}, 1 server", service.scheduler),
                    count => format!("{}, {count} servers", service.scheduler),
                };
                Candidate::new(&service.name, about)
            })
            .collect()
    }

    /// The servers of the service on the line, except for a command that adds one.
    fn servers(&self, services: &[u8]) -> Vec<Candidate> {
        let Some((option, name)) = self.service else {
            return Vec::new();
        };
        if self.verb == Some(Verb::AddServer) {
            return Vec::new();
        }
        let services = live::services(services);
        let service = services.iter().find(|service| {
            let is_family = option != Opt::MarkService || service.ipv6 == self.ipv6;
            kind(service) == Some(option) && service.name.as_bytes() == name && is_family
        });
        let servers = service.into_iter().flat_map(|service| &service.servers);
        servers
            .map(|server| Candidate::new(&server.name, server.about.clone()))
            .collect()
    }

    /// Flags that fit the scheduler and are not in the list yet.
    fn scheduler_flags(&self, value: &[u8]) -> Vec<Candidate> {
        let own: &[(&str, &str)] = match self.scheduler {
            b"sh" => &[
                ("sh-fallback", "pass over servers of weight 0"),
                ("sh-port", "hash the port too"),
            ],
            b"mh" => &[
                ("mh-fallback", "pass over servers of weight 0"),
                ("mh-port", "hash the port too"),
            ],
            _ => &[("flag-1", ""), ("flag-2", ""), ("flag-3", "")],
        };
        let end = value.iter().rposition(|&byte| byte == b',');
        let before = &value[..end.map_or(0, |comma| comma + 1)];
        let listed = |flag: &str| {
            before
                .split(|&b| b == b',')
                .any(|word| word == flag.as_bytes())
        };
        let free = own.iter().filter(|(flag, _)| !listed(flag));
        free.map(|(flag, about)| prefixed(before, Candidate::new(flag, *about)))
            .collect()
    }
}

/// The option that names such a service.
fn kind(service: &LiveService) -> Option<Opt> {
    Some(match service.protocol {
        None => Opt::MarkService,
        Some(Protocol::TCP) => Opt::TcpService,
        Some(Protocol::UDP) => Opt::UdpService,
        Some(Protocol::SCTP) => Opt::SctpService,
        Some(_) => return None,
    })
}

fn words(words: &[(&str, &str)]) -> Vec<Candidate> {
    let candidates = words.iter();
    candidates
        .map(|(word, about)| Candidate::new(word, *about))
        .collect()
}

fn interfaces() -> Vec<Candidate> {
    let entries = fs::read_dir(INTERFACES).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    names
        .iter()
        .map(|name| Candidate::new(name.as_encoded_bytes(), ""))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
TCP  0A000001:0050 rr
  -> 0A010001:1F90      Masq    1      0          0
  -> 0A010002:1F90      Route   0      0          0
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 wlc
UDP  0A000001:0035 sh
FWM  00000007 rr
FWM  00000007 IPv6 wrr
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000 Tunnel  1      0          0
";

    /// The candidates for the last word of a line, without what is said about them.
    fn texts(line: &str) -> Vec<String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let candidates = candidates(&words, TABLE);
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
        assert_eq!(texts("-D "), ["-t", "-u", "--sctp-service", "-f"]);
        assert_eq!(texts("-d -t x "), ["-r"]);
        assert_eq!(texts("-S "), ["-n"]);
        assert_eq!(texts("-Sn "), [""; 0]);
        assert_eq!(texts("-D -f 7 "), ["-6"]);
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
        assert_eq!(texts("-E -f "), ["7", "7"]);
        assert_eq!(texts("-A -t "), [""; 0]);
    }

    #[test]
    fn servers_are_those_of_the_service_on_the_line() {
        assert_eq!(
            texts("-d -t 10.0.0.1:80 -r "),
            ["10.1.0.1:8080", "10.1.0.2:8080"]
        );
        assert_eq!(texts("-e -f 7 -6 -r "), ["[2001:db8:1::1]:0"]);
        assert_eq!(texts("-e -f 7 -r "), [""; 0]);
        assert_eq!(texts("-a -t 10.0.0.1:80 -r "), [""; 0]);
        assert_eq!(texts("-d -r "), [""; 0]);
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
        assert_eq!(texts("--stop-daemon b"), ["backup"]);
        assert_eq!(texts("-a --tun-type g"), ["gue", "gre"]);
        assert_eq!(texts("-A --pe "), ["sip"]);
        assert_eq!(texts("-a -w "), [""; 0]);
    }

    #[test]
    fn candidates_say_what_they_are() {
        let about = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            candidates(&words, TABLE).swap_remove(0).about
        };
        assert_eq!(about("-D -t 10"), "rr, 2 servers");
        assert_eq!(about("-d -t 10.0.0.1:80 -r 10.1.0.2"), "Route, weight 0");
        assert_eq!(about("-Z"), "zero the counters of one service or all");
    }
}
