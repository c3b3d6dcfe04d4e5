//! What may stand next on a line: completion for shells, from the table of options and the table
//! of services as the kernel shows it to everyone.
//!
//! It speaks to no kernel and loads nothing. Where there is no IPVS the live values are missing.

use std::fs;
use std::io;

use super::live::{self, LiveId};
use super::options::{Needs, Opt, OptionRow, Row, Slots, Value, Verb};
use super::table::{COMMANDS, OPTIONS};
use super::words::{Event, Words};
use crate::model::{Protocol, terms};
use crate::render::Out;

/// Unlike `/sys/class/net` it always shows the network namespace of whoever reads it.
const INTERFACES: &str = "/proc/net/dev";

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
    for candidate in candidates(words, &live::read()) {
        out.text(candidate.text).text("\t").text(candidate.about);
        out.end_row()?;
    }
    out.flush()
}

/// What the last of these words may become. `services` is what `/proc/net/ip_vs` holds.
pub fn candidates(words: &[&[u8]], services: &[u8]) -> Vec<Candidate> {
    let services = &String::from_utf8_lossy(services);
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
        }) if !(current.is_empty() && matches!(row.value(), Value::Optional(_))) => {
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

    fn values(&self, row: Row, value: &[u8], services: &str) -> Vec<Candidate> {
        match row {
            Row::Command(row) if row.value != Value::Nothing => {
                words(&[("master", "sends connections"), ("backup", "receives them")])
            }
            Row::Command(_) => Vec::new(),
            Row::Option(row) => self.option_values(row.option, value, services),
        }
    }

    fn option_values(&self, option: Opt, value: &[u8], services: &str) -> Vec<Candidate> {
        match option {
            Opt::TcpService | Opt::UdpService | Opt::SctpService | Opt::MarkService => {
                self.services(option, services)
            }
            Opt::RealServer => self.servers(services),
            Opt::Scheduler => words(terms::SCHEDULERS),
            Opt::SchedulerFlags => self.scheduler_flags(value),
            Opt::Engine => words(&[("sip", "by the Call-ID")]),
            Opt::TunnelType => words(&[
                ("ipip", "IP in IP"),
                ("gue", "generic UDP encapsulation"),
                ("gre", "generic routing encapsulation"),
            ]),
            Opt::Interface => interfaces(&fs::read(INTERFACES).unwrap_or_default()),
            Opt::Format => words(&[
                ("classic", "as ever"),
                ("json", "for programs"),
                ("table", "for people"),
            ]),
            _ => Vec::new(),
        }
    }

    /// The services that there are, except for a command that adds one.
    fn services(&self, option: Opt, services: &str) -> Vec<Candidate> {
        if self.verb == Some(Verb::AddService) {
            return Vec::new();
        }
        let mut services = live::services(services);
        // A mark may stand there once for each family.
        services.dedup_by_key(|service| service.id);
        let services = services.iter();
        services
            .filter(|service| option_of(service.id) == Some(option))
            .map(|service| {
                let about = match service.servers.len() {
                    1 => format!("{}, 1 server", service.scheduler),
                    count => format!("{}, {count} servers", service.scheduler),
                };
                Candidate::new(service.id.to_string(), about)
            })
            .collect()
    }

    /// The servers of the service on the line, except for a command that adds one.
    fn servers(&self, services: &str) -> Vec<Candidate> {
        let Some((option, name)) = self.service else {
            return Vec::new();
        };
        if self.verb == Some(Verb::AddServer) {
            return Vec::new();
        }
        let id = live_id(option, name);
        let services = live::services(services);
        let service = services.iter().find(|service| {
            let is_family = option != Opt::MarkService || service.is_ipv6() == self.ipv6;
            Some(service.id) == id && is_family
        });
        let servers = service.into_iter().flat_map(|service| &service.servers);
        servers
            .map(|server| {
                let about = format!("{}, weight {}", server.forwarding, server.weight);
                Candidate::new(server.address.to_string(), about)
            })
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
        let typed = value.iter().rposition(|&byte| byte == b',');
        let (before, current) = value.split_at(typed.map_or(0, |comma| comma + 1));
        let is_listed = |flag: &str| {
            let mut listed = before.split(|&byte| byte == b',');
            listed.any(|word| word == flag.as_bytes())
        };
        let free: Vec<_> = own.iter().filter(|(flag, _)| !is_listed(flag)).collect();
        let fits = |flag: &str| flag.as_bytes().starts_with(current);
        let mut lists = Vec::new();
        for (flag, about) in free.iter().filter(|(flag, _)| fits(flag)) {
            lists.push((flag.to_string(), *about));
        }
        // Shells put a blank behind the only candidate; a list that may go on wants none.
        if let [(only, _)] = &lists[..] {
            let more = free.iter().filter(|(flag, _)| flag != only);
            let longer: Vec<_> = more
                .map(|(flag, about)| (format!("{only},{flag}"), *about))
                .collect();
            lists.extend(longer);
        }
        let candidates = lists.iter();
        candidates
            .map(|(list, about)| prefixed(before, Candidate::new(list, *about)))
            .collect()
    }
}

/// The option that names such a service.
fn option_of(id: LiveId) -> Option<Opt> {
    match id {
        LiveId::Mark(_) => Some(Opt::MarkService),
        LiveId::Address(Protocol::TCP, _) => Some(Opt::TcpService),
        LiveId::Address(Protocol::UDP, _) => Some(Opt::UdpService),
        LiveId::Address(Protocol::SCTP, _) => Some(Opt::SctpService),
        LiveId::Address(..) => None,
    }
}

/// The service that an option with this value names, if it is written in numbers.
fn live_id(option: Opt, value: &[u8]) -> Option<LiveId> {
    let value = std::str::from_utf8(value).ok()?;
    let protocol = match option {
        Opt::TcpService => Protocol::TCP,
        Opt::UdpService => Protocol::UDP,
        Opt::SctpService => Protocol::SCTP,
        _ => return value.parse().ok().map(LiveId::Mark),
    };
    let address = value.parse().ok()?;
    Some(LiveId::Address(protocol, address))
}

fn words(words: &[(&str, &str)]) -> Vec<Candidate> {
    let candidates = words.iter();
    candidates
        .map(|(word, about)| Candidate::new(word, *about))
        .collect()
}

/// Interfaces by names that mean nothing to shells and terminals: nearly any byte may be in one.
fn interfaces(text: &[u8]) -> Vec<Candidate> {
    let text = String::from_utf8_lossy(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| name.trim_start())
        .filter(|name| name.bytes().all(is_plain))
        .map(|name| Candidate::new(name, ""))
        .collect()
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

    /// The candidates for the last word of a line, without what is said about them.
    fn texts(line: &str) -> Vec<String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let candidates = candidates(&words, TABLE.as_bytes());
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
        assert_eq!(texts("-E -f 7 -p "), ["-6", "-s", "-b", "-M", "--pe", "-o"]);
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
        // One that may be followed by another is never the only one.
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
            candidates(&words, TABLE.as_bytes()).swap_remove(0).about
        };
        assert_eq!(about("-D -t 10"), "rr, 2 servers");
        assert_eq!(about("-d -t 10.0.0.1:80 -r 10.1.0.2"), "Route, weight 0");
        assert_eq!(about("-Z"), "zero the counters of one service or all");
    }
}
