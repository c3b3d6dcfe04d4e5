//! Services and servers as the command line writes them.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::terms::{protocol_of, service_option};
use super::{Family, Protocol, ServerId, ServiceId};

/// A text that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub(super) &'static str);

/// `-t 192.0.2.1:80`, `-u [2001:db8::1]:53`, `--sctp-service 192.0.2.1:9`, `-f 7`, `-f 7 -6`.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Address {
                protocol,
                address,
                port,
            } => {
                let address = SocketAddr::new(address, port);
                match service_option(protocol) {
                    Some(option) => format!("{option} {address}"),
                    None => format!("protocol {} {address}", protocol.0),
                }
            }
            Self::Mark {
                mark,
                family: Family::V4,
            } => format!("-f {mark}"),
            Self::Mark {
                mark,
                family: Family::V6,
            } => format!("-f {mark} -6"),
        };
        f.pad(&text)
    }
}

/// Reads what `Display` writes.
impl FromStr for ServiceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const INVALID: Invalid = Invalid("a service is written as in -t 192.0.2.1:80 or -f 7");
        let mut words = text.split_whitespace();
        let mut next = || words.next().ok_or(INVALID);
        let protocol = match next()? {
            "protocol" => Protocol(next()?.parse().map_err(|_| INVALID)?),
            "-f" => {
                let mark: NonZeroU32 = next()?.parse().map_err(|_| INVALID)?;
                let family = match (words.next(), words.next()) {
                    (None, None) => Family::V4,
                    (Some("-6"), None) => Family::V6,
                    _ => return Err(INVALID),
                };
                return Ok(Self::Mark { mark, family });
            }
            option => protocol_of(option).ok_or(INVALID)?,
        };
        let address = address_and_port(next()?).ok_or(INVALID)?;
        match words.next() {
            None => Ok(Self::address(protocol, address)),
            Some(_) => Err(INVALID),
        }
    }
}

/// `10.0.0.1:80` or `[2001:db8::1]:80`.
impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl FromStr for ServerId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        address_and_port(text).map(Self::from).ok_or(Invalid(
            "a server is written as in 10.0.0.1:80 or [2001:db8::1]:80",
        ))
    }
}

/// The kernel has no scopes: `[fe80::1%7]:80` would become another address.
fn address_and_port(text: &str) -> Option<SocketAddr> {
    if text.contains('%') {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn services_are_read_as_they_are_written() {
        let services = [
            "-t 192.0.2.1:80",
            "-u [2001:db8::1]:53",
            "--sctp-service 192.0.2.1:0",
            "protocol 50 192.0.2.1:0",
            "-f 4294967295",
            "-f 7 -6",
        ];
        for text in services {
            assert_eq!(text.parse::<ServiceId>().unwrap().to_string(), text);
        }
        assert_eq!(
            format!("{:>6}|", "-f 7".parse::<ServiceId>().unwrap()),
            "  -f 7|"
        );
        let bad = [
            "",
            "-t",
            "-t 192.0.2.1",
            "-t 192.0.2.1:80 x",
            "192.0.2.1:80",
            "-f 0",
            "-f 7 -4",
            "-f 7 -6 x",
            "-t [fe80::1%7]:80",
        ];
        for text in bad {
            text.parse::<ServiceId>().unwrap_err();
        }
    }

    #[test]
    fn servers_are_read_as_they_are_written() {
        for text in ["10.0.0.1:80", "[2001:db8::1]:0"] {
            assert_eq!(text.parse::<ServerId>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.1", "[fe80::1%7]:80", "[fe80::1%0]:80"] {
            text.parse::<ServerId>().unwrap_err();
        }
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
            any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
            // Shortened, and with an IPv4 address at the end.
            any::<u32>().prop_map(|bits| Ipv6Addr::from(u128::from(bits)).into()),
            any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_ipv6_mapped().into()),
        ]
    }

    fn service() -> impl Strategy<Value = ServiceId> {
        let protocol = prop_oneof![
            Just(Protocol::TCP),
            Just(Protocol::UDP),
            Just(Protocol::SCTP),
            any::<u16>().prop_map(Protocol),
        ];
        let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
        let by_address = (protocol, address(), any::<u16>());
        let by_mark = (any::<NonZeroU32>(), family);
        prop_oneof![
            by_address.prop_map(|(protocol, address, port)| ServiceId::Address {
                protocol,
                address,
                port
            }),
            by_mark.prop_map(|(mark, family)| ServiceId::Mark { mark, family }),
        ]
    }

    proptest! {
        #[test]
        fn any_service_is_read_as_it_is_written(service in service()) {
            prop_assert_eq!(service.to_string().parse(), Ok(service));
        }

        #[test]
        fn any_server_is_read_as_it_is_written(address in address(), port: u16) {
            let server = ServerId { address, port };
            prop_assert_eq!(server.to_string().parse(), Ok(server));
        }
    }
}
