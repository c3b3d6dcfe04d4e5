//! The shapes of values: every way to write a value, valid and invalid.

use ipvsadm::cli::{Spec, specs};

use super::random::Random;
use crate::differences::Difference;

/// A value as passed to both programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub ours: Vec<u8>,
    pub theirs: Vec<u8>,
    pub difference: Option<Difference>,
    /// The text in the reference's message, and the one in ours.
    pub echo: Option<(&'static str, &'static str)>,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value {
            ours: text.into(),
            theirs: text.into(),
            difference: None,
            echo: None,
        }
    }
}

/// Values written in the same way.
#[derive(Clone, Debug)]
pub struct Shape {
    pub name: &'static str,
    /// Whether the program accepts such a value; the kernel may still refuse it.
    pub good: bool,
    pub values: Vec<Value>,
}

fn good(name: &'static str, texts: &[&str]) -> Shape {
    Shape {
        name,
        good: true,
        values: texts.iter().map(|text| Value::from(*text)).collect(),
    }
}

fn bad(name: &'static str, texts: &[&str]) -> Shape {
    Shape {
        good: false,
        ..good(name, texts)
    }
}

/// A value that the reference would not understand, and the one passed to it instead.
fn different(name: &'static str, difference: Difference, texts: &[(&str, &str)]) -> Shape {
    let values = texts.iter().map(|(ours, theirs)| Value {
        theirs: theirs.as_bytes().to_owned(),
        difference: Some(difference),
        ..Value::from(*ours)
    });
    Shape {
        name,
        good: true,
        values: values.collect(),
    }
}

/// Numbers between two limits, in every notation of the C library.
fn numbers(usual: &[i64], least: i64, most: i64) -> Vec<Shape> {
    let mut shapes = vec![
        shape("usual", true, usual, |n| n.to_string()),
        shape("least", true, &[least], |n| n.to_string()),
        shape("greatest", true, &[most], |n| n.to_string()),
        shape("blank before", true, usual, |n| format!(" {n}")),
        shape("tab before", true, usual, |n| format!("\t{n}")),
        shape("plus before", true, usual, |n| format!("+{n}")),
        shape("zeros before", true, usual, |n| format!("00{n}")),
        shape("too small", false, &[least - 1, -5], |n| n.to_string()),
        shape("too great", false, &[most + 1], |n| n.to_string()),
        bad(
            "beyond 64 bits",
            &["99999999999999999999", "18446744073709551617"],
        ),
        bad("empty", &[""]),
        shape("blank behind", false, usual, |n| format!("{n} ")),
        shape("letter behind", false, usual, |n| format!("{n}x")),
        shape("point behind", false, usual, |n| format!("{n}.0")),
        shape("hexadecimal", false, usual, |n| format!("{n:#x}")),
        bad("only a sign", &["+", " ", " -"]),
        bad("word", &["many"]),
    ];
    if least == 0 {
        shapes.push(good("minus zero", &["-0", " -00"]));
    }
    shapes
}

fn shape(
    name: &'static str,
    is_good: bool,
    numbers: &[i64],
    write: impl Fn(i64) -> String,
) -> Shape {
    let texts: Vec<String> = numbers.iter().map(|number| write(*number)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    if is_good {
        good(name, &texts)
    } else {
        bad(name, &texts)
    }
}

/// The ways to write a value of an option, if they do not depend on the rest of the line.
pub fn shapes(option: &str) -> Vec<Shape> {
    match option {
        "weight" => numbers(&[0, 1, 5, 100], 0, 2_147_483_647),
        "u-threshold" | "l-threshold" => numbers(&[0, 1, 20, 100], 0, 2_147_483_647),
        "persistent" => numbers(&[60, 300, 360], 1, 2_678_400),
        "set" => numbers(&[0, 100, 200], 0, 2_678_400),
        "tun-port" => numbers(&[5555, 6080], 1, 65_535),
        "syncid" => numbers(&[0, 7, 9], 0, 255),
        "sync-maxlen" => numbers(&[1000, 1400], 1, 65_507),
        "mcast-port" => numbers(&[8848, 8900], 1, 65_535),
        "mcast-ttl" => numbers(&[1, 64], 1, 255),
        "scheduler" => vec![
            good(
                "usual",
                &["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf"],
            ),
            good("with flags", &["sh", "mh"]),
            good("by destination", &["dh", "lblc", "lblcr"]),
            good("empty", &[""]),
            good("unknown", &["nosuch", "RR"]),
            good("too long", &["a-very-long-name-of-a-scheduler"]),
            different(
                "macro of popt",
                Difference::MacroOfPopt,
                &[("!#:+", "!#:-")],
            ),
        ],
        "pe" => vec![
            good("usual", &["sip"]),
            good("empty", &[""]),
            good("unknown", &["nosuch"]),
            good("too long", &["a-very-long-name-of-an-engine"]),
        ],
        "tun-type" => vec![
            good("usual", &["ipip", "gue", "gre"]),
            bad("capitals", &["GUE"]),
            bad("empty", &[""]),
            bad("unknown", &["vxlan", "gre0"]),
        ],
        "mcast-interface" => vec![
            good("usual", &["lo", "eth0"]),
            good("empty", &[""]),
            good("unknown", &["nosuch"]),
            good("too long", &["a-name-of-more-than-fifteen-bytes"]),
        ],
        "mcast-group" => vec![
            good("IPv4", &["224.0.0.99", "239.1.2.3"]),
            good("IPv6", &["ff02::99", "ff05::1"]),
            bad("no multicast", &["10.0.0.1", "2001:db8::1"]),
            bad("not four parts", &["224.1", "224.0.0.1.2"]),
            bad("not decimal", &["0xe0.0.0.1"]),
            bad("with a zone", &["ff02::99%lo"]),
            bad("name", &["localhost", "nosuch"]),
            bad("empty", &[""]),
            bad("only a colon", &[":"]),
        ],
        "start-daemon" | "stop-daemon" => vec![
            good("usual", &["master", "backup"]),
            bad("unknown", &["both", "Master"]),
            bad("empty", &[""]),
        ],
        _ => Vec::new(),
    }
}

/// Masks of IPv4 persistence.
pub fn masks() -> Vec<Shape> {
    vec![
        good("usual", &["255.255.255.0", "255.255.0.0"]),
        good("default", &["255.255.255.255"]),
        good("digits alone", &["24"]),
        good("hexadecimal", &["0xffffff00"]),
        good("name", &["localhost"]),
        good("nothing", &["0.0.0.0"]),
        bad("unknown name", &["nosuch"]),
        bad("empty", &[""]),
        bad("part too great", &["256.0.0.0"]),
        bad("with a port", &["255.255.255.0:80"]),
    ]
}

/// Masks of IPv6 persistence.
pub fn prefixes() -> Vec<Shape> {
    vec![
        good("usual", &["64", "120"]),
        good("default", &["128"]),
        good("least", &["1"]),
        good("blank before", &[" 64"]),
        good("plus before", &["+64"]),
        good("letter behind", &["64x", "64/"]),
        bad("too small", &["0", "-64"]),
        bad("too great", &["129"]),
        bad("empty", &[""]),
        bad("word", &["many"]),
    ]
}

/// The flags of a scheduler. The third has no name with `sh` and `mh`, so there it is always used
/// alone: the reference does not list it together with another.
pub fn flags(scheduler: &[u8]) -> Vec<Shape> {
    let (own, foreign): (&[&str], &[&str]) = match scheduler {
        b"sh" => (
            &["sh-fallback", "sh-port", "sh-port,sh-fallback", "flag-3"],
            &["mh-port", "mh-fallback"],
        ),
        b"mh" => (&["mh-fallback", "mh-port", "flag-3"], &["sh-port"]),
        // The third is used alone: if the line names sh or mh, the reference does not list it next
        // to others.
        _ => (&["flag-1,flag-2", "flag-3"], &["sh-port", "mh-fallback"]),
    };
    let commas = Value {
        theirs: b"only-commas".to_vec(),
        difference: Some(Difference::OnlyCommas),
        echo: Some(("`only-commas'", "`,,'")),
        ..Value::from(",,")
    };
    vec![
        good("of the scheduler", own),
        good("by number", &["flag-1", "flag-2", "flag-2,flag-1"]),
        good("third", &["flag-3"]),
        good("empty parts", &[",flag-1", "flag-1,,flag-2,"]),
        good("empty", &[""]),
        bad("of another scheduler", foreign),
        bad("unknown", &["nosuch", "flag-4", "flag-1,FLAG-2", "flag-1 "]),
        Shape {
            values: vec![commas],
            ..good("only commas", &[])
        },
    ]
}

/// A service of the small world: its option, and all ways to write it.
#[derive(Clone, Debug)]
pub struct Service {
    pub option: &'static str,
    pub is_ipv6: bool,
    pub shapes: Vec<Shape>,
}

/// The services of the world. Their addresses and marks are close enough that the reference's
/// comparison, which wraps around, orders them correctly.
pub fn services() -> Vec<Service> {
    use Difference::{BracketsWithoutPort, HexadecimalMark, NameOfIpv6Host, PortBehindBrackets};
    let service = |option, is_ipv6, shapes| Service {
        option,
        is_ipv6,
        shapes,
    };
    vec![
        service(
            "tcp-service",
            false,
            vec![
                good("IPv4", &["10.0.0.1:80"]),
                good("short", &["10.1:80"]),
                good("octal and hexadecimal", &["012.0x0.0.01:80"]),
                good("port by name", &["10.0.0.1:http"]),
                good("words behind a blank", &["10.0.0.1 any thing:80"]),
                good(
                    "port as a number is read",
                    &["10.0.0.1:+0080", "10.0.0.1: 80"],
                ),
                different(
                    "brackets",
                    PortBehindBrackets,
                    &[("[10.0.0.1]:80", "10.0.0.1:80")],
                ),
            ],
        ),
        service(
            "udp-service",
            false,
            vec![
                good("IPv4", &["10.0.0.1:53"]),
                good("port by name", &["10.0.0.1:domain"]),
            ],
        ),
        service(
            "sctp-service",
            false,
            vec![good("IPv4", &["10.0.0.2:9000", "10.2:9000"])],
        ),
        service(
            "tcp-service",
            false,
            vec![
                good("name", &["localhost:80", "localhost:http"]),
                good("IPv4", &["127.0.0.1:80", "127.1:80"]),
                different(
                    "brackets",
                    PortBehindBrackets,
                    &[("[localhost]:http", "localhost:http")],
                ),
            ],
        ),
        service(
            "udp-service",
            false,
            vec![
                good("no port", &["10.0.0.3", "10.3"]),
                good("port zero", &["10.0.0.3:0", "10.0.0.3:-0"]),
            ],
        ),
        service(
            "tcp-service",
            false,
            vec![good("digits with a port", &["80:80", "0x50:80"])],
        ),
        service(
            "tcp-service",
            false,
            vec![
                good("IPv4", &["10.1.1.5:8080"]),
                good(
                    "long name",
                    &[
                        "a-name-beyond-all-limits.with-a-very-long-domain-behind-it.example.net:8080",
                    ],
                ),
            ],
        ),
        service(
            "tcp-service",
            true,
            vec![
                good("IPv6", &["[2001:db8::1]:80", "[2001:DB8:0:0::1]:http"]),
                different(
                    "name",
                    NameOfIpv6Host,
                    &[
                        ("web6:80", "[2001:db8::1]:80"),
                        ("[web6]:80", "[2001:db8::1]:80"),
                    ],
                ),
            ],
        ),
        service(
            "udp-service",
            true,
            vec![
                good("no port", &["2001:db8::5"]),
                good("port zero", &["[2001:db8::5]:0"]),
                different(
                    "brackets",
                    BracketsWithoutPort,
                    &[("[2001:db8::5]", "2001:db8::5")],
                ),
            ],
        ),
        service(
            "tcp-service",
            true,
            vec![good("long name", &["[2001:db8::3]:8080"])],
        ),
        service(
            "tcp-service",
            true,
            vec![good("mapped", &["[::ffff:10.0.0.1]:80"])],
        ),
        service(
            "fwmark-service",
            false,
            vec![
                good("mark", &["5"]),
                good("mark as a number is read", &[" 5", "+5", "005"]),
                different(
                    "hexadecimal",
                    HexadecimalMark,
                    &[("0x5", "5"), ("0X05", "5")],
                ),
            ],
        ),
        service("fwmark-service", true, vec![good("mark", &["5"])]),
        service(
            "fwmark-service",
            false,
            vec![
                good("great mark", &["4294967290"]),
                different(
                    "hexadecimal",
                    HexadecimalMark,
                    &[("0xfffffffa", "4294967290")],
                ),
            ],
        ),
        service(
            "fwmark-service",
            true,
            vec![good("great mark", &["4294967295"])],
        ),
    ]
}

/// Values that are not services.
pub fn bad_services(option: &str) -> Vec<Shape> {
    if option == "fwmark-service" {
        return vec![
            bad("mark zero", &["0"]),
            bad("mark too great", &["4294967296"]),
            bad("negative mark", &["-1"]),
            bad("letter behind the mark", &["5x", "5 "]),
            bad("empty mark", &[""]),
            bad("no mark", &["many", "10.0.0.1:80", "0x", "0xx"]),
        ];
    }
    vec![
        bad("digits alone", &["80"]),
        bad("empty", &["", ":80"]),
        bad("nothing behind the colon", &["10.0.0.1:"]),
        bad("port too great", &["10.0.0.1:65536", "[2001:db8::1]:65536"]),
        bad("negative port", &["10.0.0.1:-1"]),
        bad("letter behind the port", &["10.0.0.1:80x"]),
        bad(
            "unknown name of a port",
            &["10.0.0.1:nosuch", "10.0.0.1:HTTP"],
        ),
        bad("unknown host", &["nosuch:80", "nosuch"]),
        bad("five parts", &["1.2.3.4.5:80"]),
        bad("part too great", &["256.1.1.1:80", "1.2.65536:80"]),
        bad("letters behind the brackets", &["[2001:db8::1]80"]),
        bad("nothing behind the brackets' colon", &["[2001:db8::1]:"]),
        bad("open brackets", &["[2001:db8::1:80"]),
        bad("with a zone", &["[fe80::1%lo]:80", "fe80::1%lo"]),
    ]
}

/// A server of the small world.
#[derive(Clone, Debug)]
pub struct Server {
    pub is_ipv6: bool,
    pub shapes: Vec<Shape>,
}

pub fn servers() -> Vec<Server> {
    use Difference::{BracketsWithoutPort, NameOfIpv6Host, PortBehindBrackets};
    let server = |is_ipv6, shapes| Server { is_ipv6, shapes };
    vec![
        server(
            false,
            vec![
                good("IPv4", &["10.1.1.1:80"]),
                good("port by name", &["10.1.1.1:http", "10.1.1.1:domain"]),
                good("no port", &["10.1.1.1", "10.1.257"]),
                good("name", &["web1:80", "web1.example.net"]),
                different(
                    "brackets",
                    PortBehindBrackets,
                    &[("[10.1.1.1]:80", "10.1.1.1:80"), ("[web1]:80", "web1:80")],
                ),
            ],
        ),
        server(
            false,
            vec![
                good("IPv4", &["10.1.1.2:8080", "10.1.1.2:80"]),
                good(
                    "port as a number is read",
                    &["10.1.1.2:+8080", "10.1.1.2: 080"],
                ),
            ],
        ),
        server(
            false,
            vec![good("our own address", &["10.9.0.1:80", "localhost:80"])],
        ),
        server(
            false,
            vec![good("long name", &["10.1.1.4:8080", "10.1.1.4:http"])],
        ),
        server(
            true,
            vec![
                good("IPv6", &["[2001:db8:1::1]:80", "[2001:db8:1::1]:http"]),
                good("no port", &["2001:db8:1::1"]),
                different(
                    "brackets",
                    BracketsWithoutPort,
                    &[("[2001:db8:1::1]", "2001:db8:1::1")],
                ),
            ],
        ),
        server(
            true,
            vec![
                good("IPv6", &["[2001:db8::1]:80"]),
                different("name", NameOfIpv6Host, &[("web6:80", "[2001:db8::1]:80")]),
            ],
        ),
    ]
}

/// Servers that only the kernel refuses.
fn refused_servers() -> Vec<Server> {
    let server = |is_ipv6, texts: &[&str]| Server {
        is_ipv6,
        shapes: vec![good("not unicast", texts)],
    };
    vec![
        server(false, &["0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80"]),
        server(true, &["[::]:80", "[ff02::1]:80", "[fe80::1]:80"]),
    ]
}

/// A shape of the values of one option. Every one is covered.
#[derive(Clone, Debug)]
pub struct Sample {
    pub option: &'static str,
    /// The subject of the values: an option, or objects that several options name.
    pub subject: &'static str,
    /// The required family of the service.
    pub is_ipv6: bool,
    pub shape: Shape,
}

impl Sample {
    pub fn name(&self) -> String {
        format!("{}: {}", self.subject, self.shape.name)
    }
}

/// Every shape of every value.
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |option, subject, is_ipv6, shapes: Vec<Shape>| {
        samples.extend(shapes.into_iter().map(|shape| Sample {
            option,
            subject,
            is_ipv6,
            shape,
        }));
    };
    for row in specs() {
        let option = match row {
            Spec::Command(row) => row.long,
            Spec::Option(row) => row.long,
        };
        add(option, option, false, shapes(option));
    }
    add("netmask", "netmask", false, masks());
    add("netmask", "prefix", true, prefixes());
    add("sched-flags", "sched-flags", false, flags(b""));
    for service in services() {
        add(service.option, "service", service.is_ipv6, service.shapes);
    }
    for option in [
        "tcp-service",
        "udp-service",
        "sctp-service",
        "fwmark-service",
    ] {
        add(option, "service", false, bad_services(option));
    }
    for server in servers().into_iter().chain(refused_servers()) {
        add("real-server", "server", server.is_ipv6, server.shapes);
    }
    add("real-server", "server", false, bad_services("tcp-service"));
    samples
}

/// A value of one of the shapes: the name of the shape, and the value.
pub fn pick(shapes: &[Shape], random: &mut Random) -> (&'static str, Value) {
    let shape = random.pick(shapes);
    (shape.name, random.pick(&shape.values).clone())
}

/// The shapes that the program accepts, or those that it refuses.
pub fn of_kind(shapes: &[Shape], is_good: bool) -> Vec<Shape> {
    let mut shapes = shapes.to_vec();
    shapes.retain(|shape| shape.good == is_good);
    shapes
}
