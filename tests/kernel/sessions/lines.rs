//! Generates command lines: mostly valid ones over a small world, and some that are spoiled.

use std::collections::BTreeSet;

use ipvsadm::cli::{Spec, Verb, specs};

use super::random::Random;
use super::script::Line;
use super::spelling::{Item, reordered, spell};
use super::spoiling::spoil;
use super::values::{self, Sample, Server, Service, Shape, Value};
use crate::differences::{self, Difference};

/// The percentage of spoiled lines.
const SPOILED: usize = 18;

pub struct LineMaker<'a> {
    pub random: &'a mut Random,
    pub services: Vec<Service>,
    pub servers: Vec<Server>,
    /// The services that were added.
    known: Vec<Service>,
    /// Packets flow, so nothing may expire during the session.
    pub has_packets: bool,
    /// Servers have thresholds.
    pub has_thresholds: bool,
    /// The line is part of a file, which each program reads by itself.
    pub in_file: bool,
    pub notes: BTreeSet<String>,
    /// A shape that the line must have.
    sample: Option<Sample>,
    /// Only words with the same meaning for both programs are allowed.
    is_spoiled: bool,
}

impl<'a> LineMaker<'a> {
    /// A line maker for one session, which must use these samples.
    pub fn new(random: &'a mut Random, samples: &[Sample]) -> Self {
        let mut services = random.some(&values::services(), 3);
        let servers = random.some(&values::servers(), 4);
        let moves = |sample: &Sample| {
            let daemons = [Verb::StartDaemon, Verb::StopDaemon];
            let takers = takers(sample);
            sample.option == "persistent" || daemons.iter().any(|verb| takers.contains(verb))
        };
        let has_packets = random.chance(35) && !samples.iter().any(moves);
        if has_packets {
            // They go to this one.
            let udp = |service: &Service| service.option == "udp-service" && !service.is_ipv6;
            services.splice(..1, values::services().into_iter().find(udp));
        }
        let is_threshold = |sample: &Sample| sample.option.ends_with("-threshold");
        let has_thresholds = random.chance(50) || samples.iter().any(is_threshold);
        LineMaker {
            random,
            services,
            servers,
            known: Vec::new(),
            has_packets,
            has_thresholds,
            in_file: false,
            notes: BTreeSet::new(),
            sample: None,
            is_spoiled: false,
        }
    }

    /// A line that begins with a command.
    pub fn line(&mut self, verb: Verb) -> Line {
        self.is_spoiled = self.random.chance(SPOILED);
        let mut items = self.items(verb);
        if self.is_spoiled {
            spoil(self, verb, &mut items);
        }
        self.finish(verb, &items)
    }

    /// A line with a value of a certain shape.
    pub fn line_with(&mut self, sample: Sample) -> Line {
        let verb = *self.random.pick(&takers(&sample));
        self.is_spoiled = !sample.shape.good;
        self.sample = Some(sample);
        let mut items = self.items(verb);
        if let Some(sample) = self.sample.clone() {
            // Ours lists the connections of a service, which the reference refuses.
            if verb == Verb::List && sample.option.ends_with("-service") {
                items.retain(|item| {
                    !matches!(
                        item,
                        Item::Option {
                            name: "connection",
                            ..
                        }
                    )
                });
            }
            let item = self.option_of(sample.option, sample.subject, true, Vec::new());
            items.push(item);
        }
        self.finish(verb, &items)
    }

    fn finish(&mut self, verb: Verb, items: &[Item]) -> Line {
        let mut notes = std::mem::take(&mut self.notes);
        let pieces = spell(items, self.random, &mut notes);
        Line {
            verb,
            pieces,
            notes,
        }
    }

    fn items(&mut self, verb: Verb) -> Vec<Item> {
        self.notes.clear();
        self.note(format!("command: {}", verb.spec().name));
        let mut items = self.target(verb);
        let mut options = self.options(verb, &mut items);
        self.random.shuffle(&mut options);
        for option in options {
            let place = self.random.below(items.len() + 1);
            items.insert(place, option);
        }
        items.insert(0, self.command(verb));
        if verb == Verb::SetTimeouts {
            self.add_timeouts(&mut items);
        }
        items
    }

    pub fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    pub fn command(&mut self, verb: Verb) -> Item {
        match verb {
            Verb::StartDaemon => self.option("start-daemon"),
            Verb::StopDaemon => self.option("stop-daemon"),
            verb => Item::flag(long_name(verb)),
        }
    }

    /// An option with a value that the program accepts.
    pub fn option(&mut self, name: &'static str) -> Item {
        self.option_of(name, name, true, values::shapes(name))
    }

    pub fn option_of(
        &mut self,
        name: &'static str,
        subject: &str,
        is_good: bool,
        shapes: Vec<Shape>,
    ) -> Item {
        let value = self.value(subject, is_good, shapes);
        Item::valued(name, value)
    }

    fn value(&mut self, subject: &str, is_good: bool, shapes: Vec<Shape>) -> Value {
        if let Some(sample) = self.sample.take_if(|sample| sample.subject == subject) {
            self.note(sample.name());
            return self.random.pick(&sample.shape.values).clone();
        }
        let mut shapes = match values::of_kind(&shapes, is_good) {
            // Any scheduler name is valid.
            none if none.is_empty() => shapes,
            of_kind => of_kind,
        };
        for shape in &mut shapes {
            shape.values.retain(|value| self.is_possible(value));
        }
        shapes.retain(|shape| !shape.values.is_empty());
        if self.has_packets && subject == "persistent" {
            shapes.retain(|shape| shape.name != "least");
        }
        let usual = shapes.len().min(1);
        // The first shape is the usual one, so that commands often name the same service.
        if is_good && self.random.chance(50) {
            shapes.truncate(usual);
        }
        let (shape, value) = values::pick(&shapes, self.random);
        self.note(format!("{subject}: {shape}"));
        value
    }

    fn is_possible(&self, value: &Value) -> bool {
        let is_understood = value.difference.is_none() || !self.is_spoiled;
        let is_blank = value.ours.iter().all(|byte| b" \t".contains(byte));
        is_understood && !(is_blank && self.in_file)
    }

    /// The service of a command, its mask and its server, in this order.
    fn target(&mut self, verb: Verb) -> Vec<Item> {
        let sets_service = matches!(verb, Verb::AddService | Verb::EditService);
        let has_service = match verb {
            Verb::DeleteService | Verb::AddServer | Verb::EditServer | Verb::DeleteServer => true,
            Verb::List => self.random.chance(20),
            Verb::Zero => self.random.chance(60),
            _ => sets_service,
        };
        if !has_service {
            return Vec::new();
        }
        let service = self.choose_service(verb);
        if verb == Verb::AddService && !self.is_spoiled {
            self.known.push(service.clone());
        }
        let mut items = self.service(&service);
        let wants_mask = |sample: &Sample| sample.option == "netmask";
        if sets_service && (self.random.chance(20) || self.sample.as_ref().is_some_and(wants_mask))
        {
            self.add_mask(&mut items, service.is_ipv6);
        }
        if matches!(
            verb,
            Verb::AddServer | Verb::EditServer | Verb::DeleteServer
        ) {
            self.add_server(&mut items, service.is_ipv6);
        }
        items
    }

    /// Often the same, so that commands name the same service.
    fn choose_service(&mut self, verb: Verb) -> Service {
        match &self.sample {
            Some(sample) if sample.subject == "service" => Service {
                option: sample.option,
                is_ipv6: sample.is_ipv6,
                shapes: vec![sample.shape.clone()],
            },
            Some(sample) if sample.option == "netmask" => {
                let mut services = values::services();
                services.retain(|service| service.is_ipv6 == sample.is_ipv6);
                self.random.pick(&services).clone()
            }
            Some(sample) if sample.subject == "server" => {
                let is_ipv6 = sample.is_ipv6;
                self.known_service(|service| service.is_ipv6 == is_ipv6)
            }
            _ if verb != Verb::AddService && self.random.chance(85) => self.known_service(|_| true),
            _ => self.random.pick(&self.services).clone(),
        }
    }

    /// A service that was added before, if this line can name one.
    fn known_service(&mut self, is_wanted: impl Fn(&Service) -> bool) -> Service {
        let mut known = self.known.clone();
        known.retain(|service| {
            let mut values = service.shapes.iter().flat_map(|shape| &shape.values);
            is_wanted(service) && values.any(|value| self.is_possible(value))
        });
        if known.is_empty() {
            self.random.pick(&self.services).clone()
        } else {
            self.random.pick(&known).clone()
        }
    }

    fn service(&mut self, service: &Service) -> Vec<Item> {
        let address = self.value("service", true, service.shapes.clone());
        let address = Item::valued(service.option, address);
        if service.option != "fwmark-service" || !service.is_ipv6 {
            return vec![address];
        }
        let ipv6 = Item::flag("ipv6");
        self.note("option: --ipv6".to_owned());
        if self.may_differ(25) {
            let theirs = [address.clone(), ipv6.clone()];
            return vec![reordered(Difference::EarlyIpv6, &[ipv6, address], &theirs)];
        }
        vec![address, ipv6]
    }

    fn may_differ(&mut self, percent: usize) -> bool {
        !self.is_spoiled && self.random.chance(percent)
    }

    fn add_mask(&mut self, items: &mut Vec<Item>, is_ipv6: bool) {
        let mask = if is_ipv6 {
            self.value("prefix", true, values::prefixes())
        } else {
            self.value("netmask", true, values::masks())
        };
        self.note("option: --netmask".to_owned());
        let mask = Item::valued("netmask", mask);
        if is_ipv6 && self.may_differ(30) {
            let theirs = [&items[..], std::slice::from_ref(&mask)].concat();
            let ours = [&[mask], &items[..]].concat();
            *items = vec![reordered(Difference::EarlyMask, &ours, &theirs)];
        } else {
            items.push(mask);
        }
    }

    fn add_server(&mut self, items: &mut Vec<Item>, is_ipv6: bool) {
        let mut servers = self.servers.clone();
        if self.random.chance(80) && servers.iter().any(|server| server.is_ipv6 == is_ipv6) {
            servers.retain(|server| server.is_ipv6 == is_ipv6);
        }
        let server = if self.random.chance(50) {
            servers[0].clone()
        } else {
            self.random.pick(&servers).clone()
        };
        let address = self.value("server", true, server.shapes);
        self.note("option: --real-server".to_owned());
        let server = Item::valued("real-server", address);
        if self.may_differ(10) {
            let theirs = [&items[..], std::slice::from_ref(&server)].concat();
            let ours = [&[server], &items[..]].concat();
            *items = vec![reordered(Difference::EarlyServer, &ours, &theirs)];
        } else {
            items.push(server);
        }
    }

    /// The options for a command and its target.
    fn options(&mut self, verb: Verb, target: &mut [Item]) -> Vec<Item> {
        match verb {
            Verb::AddService | Verb::EditService => self.service_options(target),
            Verb::AddServer | Verb::EditServer => self.server_options(),
            Verb::List => self.listing_options(!target.is_empty()),
            Verb::Save => self.flags(&[(60, "numeric")]),
            Verb::StartDaemon => self.daemon_options(),
            Verb::StopDaemon => self.valued_options(&[(15, "syncid")]),
            _ => Vec::new(),
        }
    }

    fn flags(&mut self, choices: &[(usize, &'static str)]) -> Vec<Item> {
        let chosen = choices
            .iter()
            .filter(|(percent, _)| self.random.chance(*percent));
        chosen.map(|(_, name)| Item::flag(name)).collect()
    }

    fn valued_options(&mut self, choices: &[(usize, &'static str)]) -> Vec<Item> {
        let mut options = Vec::new();
        for (percent, name) in choices {
            if self.random.chance(*percent) {
                options.push(self.option(name));
            }
        }
        options
    }

    fn service_options(&mut self, target: &[Item]) -> Vec<Item> {
        let is_tcp = target
            .iter()
            .any(|item| matches!(item, Item::Option { name, .. } if *name == "tcp-service"));
        let mut options = self.flags(&[(if is_tcp { 2 } else { 15 }, "ops")]);
        let is_portless = self.notes.contains("service: no port");
        if self.random.chance(if is_portless { 80 } else { 40 }) {
            options.push(if self.random.chance(30) {
                Item::flag("persistent")
            } else {
                self.option("persistent")
            });
        }
        options.extend(self.valued_options(&[(10, "pe")]));
        let mut scheduler = Vec::new();
        // The flags of a sample belong to no scheduler.
        let has_flags = |sample: &Sample| sample.option == "sched-flags";
        if self.random.chance(60) && !self.sample.as_ref().is_some_and(has_flags) {
            let mut shapes = values::shapes("scheduler");
            if self.random.chance(25) {
                shapes.retain(|shape| shape.name == "with flags");
            }
            let item = self.option_of("scheduler", "scheduler", true, shapes);
            if let Item::Option {
                value: Some(value), ..
            } = &item
            {
                scheduler.clone_from(&value.ours);
            }
            options.push(item);
        }
        let has_flags = matches!(&scheduler[..], b"sh" | b"mh");
        if self.random.chance(if has_flags { 60 } else { 12 }) {
            let flags = self.value("sched-flags", true, values::flags(&scheduler));
            options.push(Item::valued("sched-flags", flags));
        }
        options
    }

    fn server_options(&mut self) -> Vec<Item> {
        let mut options = self.valued_options(&[(50, "weight")]);
        if self.has_thresholds {
            options.extend(self.valued_options(&[(40, "u-threshold"), (25, "l-threshold")]));
        }
        let method = self.random.weighted(&[
            (30, None),
            (15, Some("gatewaying")),
            (30, Some("ipip")),
            (25, Some("masquerading")),
        ]);
        options.extend(method.map(Item::flag));
        if method == Some("ipip") && self.random.chance(70) {
            options.extend(self.valued_options(&[(80, "tun-type"), (45, "tun-port")]));
            options.extend(self.flags(&[
                (15, "tun-nocsum"),
                (15, "tun-csum"),
                (15, "tun-remcsum"),
            ]));
        }
        options
    }

    fn listing_options(&mut self, has_service: bool) -> Vec<Item> {
        let mut options = self.flags(&[(65, "numeric"), (15, "exact"), (5, "sort")]);
        let mut formats = vec![
            (40, None),
            (10, Some("thresholds")),
            (10, Some("persistent-conn")),
            (12, Some("tun-info")),
        ];
        if !self.in_file {
            formats.extend([(14, Some("stats")), (10, Some("rate"))]);
            options.extend(self.flags(&[(12, "nosort")]));
        }
        let format = self.random.weighted(&formats);
        let mut subjects = vec![(70, None), (10, Some("timeout")), (10, Some("daemon"))];
        if !self.in_file {
            subjects.push((20, Some("connection")));
        }
        let subject = self.random.weighted(&subjects);
        // Most formats are for services only. Ours lists the connections of a service.
        let subject = subject
            .filter(|subject| !has_service || *subject != "connection" && self.random.chance(10));
        let format = format.filter(|_| subject.is_none() || self.random.chance(15));
        options.extend(format.into_iter().chain(subject).map(Item::flag));
        options.extend(self.valued_options(&[(3, "syncid")]));
        if self.may_differ(10) {
            self.note("option: --format".to_owned());
            let words = Item::words(&[b"--format", b"classic"]);
            options.push(reordered(Difference::Format, &[words], &[]));
        }
        options
    }

    fn daemon_options(&mut self) -> Vec<Item> {
        self.valued_options(&[
            (70, "mcast-interface"),
            (40, "syncid"),
            (25, "sync-maxlen"),
            (25, "mcast-group"),
            (20, "mcast-port"),
            (20, "mcast-ttl"),
        ])
    }

    /// The three values of `--set`, which may be anywhere on the line.
    fn add_timeouts(&mut self, items: &mut Vec<Item>) {
        let mut place = items.len() - usize::from(self.random.chance(15));
        for _ in 0..3 {
            let is_good = !(self.is_spoiled && self.random.chance(25));
            let value = self.value("set", is_good, values::shapes("set"));
            // After the command, a word with this start would be an option.
            items.insert(place, Item::words(&[&value.ours]));
            place = items.len();
        }
    }

    /// Any option, with a valid or invalid value if it takes one.
    pub fn any_option(&mut self, name: &'static str, is_good: bool) -> Item {
        let mut samples = values::samples();
        samples.retain(|sample| sample.option == name);
        let Some(subject) = samples.first().map(|sample| sample.subject) else {
            return Item::flag(name);
        };
        samples.retain(|sample| sample.subject == subject);
        let shapes = samples.into_iter().map(|sample| sample.shape).collect();
        self.option_of(name, subject, is_good, shapes)
    }
}

/// The commands of the reference that accept the option of the sample.
fn takers(sample: &Sample) -> Vec<Verb> {
    let takers = specs().find_map(|row| match row {
        Spec::Command(row) if row.long == sample.option => Some(vec![row.verb]),
        Spec::Option(row) if row.long == sample.option => {
            Some([row.must, row.may, row.one_of].concat())
        }
        _ => None,
    });
    let mut takers = takers.unwrap_or_default();
    takers.retain(|verb| !differences::is_ours_alone(long_name(*verb)));
    if sample.option == "real-server" {
        // Ours filters listings by it, which the reference refuses.
        takers.retain(|verb| *verb != Verb::List);
    }
    takers
}

pub fn long_name(verb: Verb) -> &'static str {
    specs()
        .find_map(|row| match row {
            Spec::Command(row) if row.verb == verb => Some(row.long),
            _ => None,
        })
        .unwrap_or_default()
}
