//! The rules of iptables, as `iptables-save` prints them.

use super::condition::Condition;
use super::{Chain, Firewall, Hook, Rule, State, Tool, Verdict};
use crate::model::{Network, Protocol};

pub fn read(tool: Tool, text: &str) -> Firewall {
    let mut firewall = Firewall::default();
    let mut table = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            let (name, policy) = (words.next().unwrap_or_default(), words.next());
            firewall.add(Chain {
                tool,
                table: table.to_owned(),
                name: name.to_owned(),
                hook: hook(name),
                drops: policy == Some("DROP"),
                rules: Vec::new(),
            });
        } else if let Some(rest) = line.strip_prefix("-A ") {
            let words = words(rest);
            let Some((name, words)) = words.split_first() else {
                continue;
            };
            let (rule, has_other_mark) = rule(words, line);
            firewall.has_other_marks |= has_other_mark;
            if let Some(chain) = firewall.chain(tool, table, name) {
                chain.rules.push(rule);
            }
        }
    }
    firewall
}

fn hook(chain: &str) -> Option<Hook> {
    Some(match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    })
}

/// The words of a rule. A comment in quotes is a single word.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            '\\' => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.extend(letters.next())),
            letter => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.push(letter)),
        }
    }
    words
}

/// The rule, and whether it sets a mark whose value is not known.
fn rule(words: &[String], text: &str) -> (Rule, bool) {
    let mut rule = Rule {
        conditions: Vec::new(),
        verdict: Verdict::Nothing,
        text: text.to_owned(),
    };
    let mut is_negated = false;
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let condition = match word {
            "!" => {
                is_negated = true;
                continue;
            }
            // Skipped: the options after `-m` say what is matched, and a comment is not a
            // condition.
            "-m" | "--comment" => {
                words.next();
                continue;
            }
            "-j" | "-g" => {
                let words: Vec<&str> = words.collect();
                let (verdict, is_other) = verdict(word, &words);
                rule.verdict = verdict;
                return (rule, is_other);
            }
            word if word.starts_with('-') => {
                // Some options have no value.
                let value = words.next_if(|next| !next.starts_with('-') && *next != "!");
                condition(word, value.unwrap_or_default())
            }
            // Another value of an option.
            _ => Condition::Unknown,
        };
        rule.conditions.push(if is_negated {
            Condition::Not(Box::new(condition))
        } else {
            condition
        });
        is_negated = false;
    }
    (rule, false)
}

fn condition(option: &str, value: &str) -> Condition {
    let known = match option {
        "-s" => networks(value).map(Condition::Sources),
        "-d" => networks(value).map(Condition::Destinations),
        "-p" => protocol(value).map(|protocol| Condition::Protocols(vec![protocol])),
        "-i" => Some(Condition::From(value.to_owned())),
        "-o" => Some(Condition::Through(value.to_owned())),
        "--dport" | "--dports" => ports(value).map(Condition::DestinationPorts),
        "--sport" | "--sports" => ports(value).map(Condition::SourcePorts),
        "--ctstate" | "--state" => Some(Condition::States(
            value.split(',').filter_map(state).collect(),
        )),
        _ => None,
    };
    known.unwrap_or(Condition::Unknown)
}

fn networks(text: &str) -> Option<Vec<Network>> {
    text.split(',').map(Network::read).collect()
}

fn protocol(text: &str) -> Option<Protocol> {
    match text {
        // Protocols that IPVS does not balance.
        "icmp" => Some(Protocol(1)),
        "ipv6-icmp" => Some(Protocol(58)),
        text => text.parse().ok(),
    }
}

fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let range = |text: &str| {
        let (low, high) = text.split_once(':').unwrap_or((text, text));
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    text.split(',').map(range).collect()
}

/// Reads a state of connection tracking, not of IPVS: both have an ESTABLISHED. Other states do not
/// matter, because packets of services never have them.
fn state(text: &str) -> Option<State> {
    Some(match text {
        "NEW" => State::New,
        "ESTABLISHED" => State::Established,
        "INVALID" => State::Invalid,
        "UNTRACKED" => State::Untracked,
        _ => return None,
    })
}

/// The verdict of `-j` or `-g` and the words after it, and whether they set an unknown mark.
fn verdict(option: &str, words: &[&str]) -> (Verdict, bool) {
    let (&target, options) = words.split_first().unwrap_or((&"", &[]));
    let verdict = match target {
        "ACCEPT" => Verdict::Accept,
        "DROP" | "REJECT" => Verdict::Drop,
        "RETURN" => Verdict::Return,
        "MASQUERADE" | "SNAT" => Verdict::TranslateSource,
        "MARK" => match options {
            ["--set-xmark" | "--set-mark", mark] => match whole_mark(mark) {
                Some(mark) => Verdict::Mark(mark),
                None => return (Verdict::Nothing, true),
            },
            _ => return (Verdict::Nothing, true),
        },
        "CONNMARK" | "TPROXY" | "SET" => return (Verdict::Nothing, true),
        "LOG" | "NFLOG" | "CT" | "NOTRACK" | "TCPMSS" | "TRACE" | "AUDIT" | "CLASSIFY" | "TOS"
        | "DSCP" | "TTL" | "CHECKSUM" | "DNAT" | "REDIRECT" => Verdict::Nothing,
        "QUEUE" | "NFQUEUE" => Verdict::Unclear,
        chain if option == "-g" => Verdict::Goto(chain.to_owned()),
        chain => Verdict::Jump(chain.to_owned()),
    };
    (verdict, false)
}

/// The mark, if it replaces all bits of the old one.
fn whole_mark(text: &str) -> Option<u32> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match text.split_once('/') {
        Some((mark, mask)) => number(mask)
            .filter(|mask| *mask == u32::MAX)
            .and(number(mark)),
        None => number(text),
    }
}
