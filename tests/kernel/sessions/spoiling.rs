//! The ways to spoil a line.

use ipvsadm::cli::{Spec, Verb, specs};

use super::lines::{LineMaker, long_name};
use super::spelling::Item;
use super::values;
use crate::differences;

/// Options whose position on the line matters: they are often put at the end.
const LATE: &[&str] = &[
    "tcp-service",
    "udp-service",
    "sctp-service",
    "fwmark-service",
    "ipv6",
    "netmask",
    "real-server",
];

const SERVICES: &[&str] = &[
    "tcp-service",
    "udp-service",
    "sctp-service",
    "fwmark-service",
];

/// The names of the ways.
pub fn manners() -> impl Iterator<Item = &'static str> {
    SPOILERS.iter().map(|(_, (manner, _))| *manner)
}

/// Spoils a line in one way.
pub fn spoil(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    let (manner, spoiler) = maker.random.weighted(SPOILERS);
    maker.note(format!("spoiled: {manner}"));
    spoiler(maker, verb, items);
}

type Spoiler = fn(&mut LineMaker, Verb, &mut Vec<Item>);

/// The weight and the name of each.
const SPOILERS: &[(usize, (&str, Spoiler))] = &[
    (25, ("a bad value", bad_value)),
    (20, ("one option more", one_more)),
    (10, ("an option twice", twice)),
    (10, ("one option less", one_less)),
    (5, ("a second command", second_command)),
    (6, ("an unknown option", unknown_option)),
    (6, ("a missing value", missing_value)),
    (6, ("a value too many", unwanted_value)),
    (8, ("a left-over word", left_over)),
    (6, ("an end of options", end_of_options)),
    (3, ("an option before the command", early_option)),
    (3, ("a word before the command", early_word)),
    (3, ("a command with a value", command_with_value)),
    (2, ("no command", no_command)),
];

fn bad_value(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    let valued: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].has_value())
        .collect();
    if valued.is_empty() {
        return one_more(maker, verb, items);
    }
    let at = *maker.random.pick(&valued);
    let Item::Option { name, .. } = items[at] else {
        return;
    };
    let is_ipv6 = maker.notes.iter().any(|note| note.starts_with("prefix:"));
    items[at] = match name {
        "netmask" if is_ipv6 => maker.option_of(name, "prefix", false, values::prefixes()),
        _ => maker.any_option(name, false),
    };
}

fn one_more(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    let known = specs().filter(|row| !differences::is_ours_alone(row.long()));
    let options = known.filter_map(|row| match row {
        Spec::Option(row) => Some(row.long),
        Spec::Command(_) => None,
    });
    let mut options: Vec<&'static str> = options.collect();
    let has = |names: &[&str]| {
        let mut items = items.iter();
        items.any(|item| matches!(item, Item::Option { name, .. } if names.contains(name)))
    };
    options.retain(|name| match *name {
        // A session has thresholds or does not.
        "u-threshold" | "l-threshold" => maker.has_thresholds,
        // These filter listings of ours, and the reference refuses them.
        "real-server" => verb != Verb::List,
        "connection" if has(SERVICES) => false,
        name if SERVICES.contains(&name) && has(&["connection"]) => false,
        // Output that differs between kernels or changes over time.
        "nosort" | "connection" | "stats" | "rate" => !maker.in_file || verb != Verb::List,
        _ => true,
    });
    let name = *maker.random.pick(&options);
    let is_good = maker.random.chance(70);
    let item = maker.any_option(name, is_good);
    if LATE.contains(&name) {
        items.push(item)
    } else {
        insert(maker, items, item)
    }
}

fn twice(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    let names = items[1..].iter().filter_map(|item| match item {
        Item::Option { name, .. } => Some(*name),
        Item::Words(_) => None,
    });
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return one_more(maker, verb, items);
    }
    let name = *maker.random.pick(&names);
    let item = maker.any_option(name, true);
    items.push(item);
}

fn one_less(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    if items.len() < 2 {
        return one_more(maker, verb, items);
    }
    let place = 1 + maker.random.below(items.len() - 1);
    items.remove(place);
}

fn second_command(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let commands = [
        Verb::AddService,
        Verb::Flush,
        Verb::List,
        Verb::Zero,
        Verb::Help,
        Verb::Version,
        Verb::SetTimeouts,
        Verb::StopDaemon,
    ];
    let verb = *maker.random.pick(&commands);
    let item = maker.command(verb);
    insert(maker, items, item);
}

fn unknown_option(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let words = [
        "-q",
        "-1",
        "--foo",
        "--weigh",
        "--foo=1",
        "-nq",
        "-nXq5",
        "--Numeric",
        "-=",
    ];
    let word = *maker.random.pick(&words);
    insert(maker, items, Item::words(&[word.as_bytes()]));
}

fn missing_value(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let words = [
        "-w",
        "--weight",
        "-nt",
        "-s",
        "--pe",
        "--tun-type",
        "-M",
        "-r",
        "--syncid",
    ];
    items.push(Item::words(&[maker.random.pick(&words).as_bytes()]));
}

fn unwanted_value(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let words = [
        "--numeric=3",
        "-n=3",
        "-n=",
        "--stats=",
        "-X=5",
        "--ipv6=1",
        "-nX=",
        "--clear=1",
    ];
    let word = *maker.random.pick(&words);
    insert(maker, items, Item::words(&[word.as_bytes()]));
}

fn left_over(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let words: &[&[u8]] = &[b"x", b"-", b"80", b"a b", b"\xff\x01", b"10.0.0.1:80", b""];
    let words = &words[..words.len() - usize::from(maker.in_file)];
    let word = *maker.random.pick(words);
    insert(maker, items, Item::words(&[word]));
}

fn end_of_options(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    insert(maker, items, Item::words(&[b"--"]));
}

fn early_option(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let item = if maker.random.chance(50) {
        Item::flag("numeric")
    } else {
        maker.option("weight")
    };
    items.insert(0, item);
}

fn early_word(maker: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    let words: [&[u8]; 3] = [b"x", b"-", b"100"];
    let word = *maker.random.pick(&words);
    items.insert(0, Item::words(&[word]));
}

fn command_with_value(maker: &mut LineMaker, verb: Verb, items: &mut Vec<Item>) {
    let long = format!("--{}=3", long_name(verb));
    let words: [&[u8]; 3] = [long.as_bytes(), b"-L=3", b"-A="];
    items.remove(0);
    items.insert(0, Item::words(&[*maker.random.pick(&words)]));
}

fn no_command(_: &mut LineMaker, _: Verb, items: &mut Vec<Item>) {
    items.remove(0);
}

/// Inserts an item anywhere after the command.
fn insert(maker: &mut LineMaker, items: &mut Vec<Item>, item: Item) {
    let place = 1 + maker.random.below(items.len());
    items.insert(place, item);
}
