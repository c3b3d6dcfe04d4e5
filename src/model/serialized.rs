//! How `serde` reads and writes the model. Values with a notation are strings, so that the ids of
//! services and servers can also be the keys of a map. Missing fields get their usual values, so
//! that documents stay readable when fields are added.

use std::str::{self, FromStr};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    DaemonRole, Engine, Flags, Forwarding, Invalid, Mask, Name, Protocol, Scheduler, ServerId,
    ServiceId, Tunnel, TunnelKind,
};

fn parsed<'de, T: FromStr<Err = Invalid>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// Written as `Display` does, read as `FromStr` does.
macro_rules! strings {
    ($($name:ty;)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }
    )*};
}

strings! {
    ServiceId;
    ServerId;
    Protocol;
    Forwarding;
    TunnelKind;
    DaemonRole;
}

/// A service in a document. All fields but the id may be missing.
#[derive(Deserialize)]
pub struct Service {
    id: ServiceId,
    scheduler: Option<Scheduler>,
    #[serde(default)]
    flags: Flags,
    persistence: Option<u32>,
    mask: Option<Mask>,
    engine: Option<Engine>,
}

impl From<Service> for super::Service {
    fn from(written: Service) -> Self {
        let usual = Self::new(written.id);
        Self {
            scheduler: written.scheduler.unwrap_or(usual.scheduler),
            flags: written.flags,
            persistence: written.persistence,
            mask: written.mask.unwrap_or(usual.mask),
            engine: written.engine,
            ..usual
        }
    }
}

/// A server in a document. All fields but the id may be missing.
#[derive(Deserialize)]
pub struct Server {
    id: ServerId,
    forwarding: Option<Forwarding>,
    #[serde(default)]
    tunnel: Tunnel,
    weight: Option<i32>,
    #[serde(default)]
    upper_threshold: u32,
    #[serde(default)]
    lower_threshold: u32,
}

impl From<Server> for super::Server {
    fn from(written: Server) -> Self {
        let usual = Self::new(written.id);
        Self {
            forwarding: written.forwarding.unwrap_or(usual.forwarding),
            tunnel: written.tunnel,
            weight: written.weight.unwrap_or(usual.weight),
            upper_threshold: written.upper_threshold,
            lower_threshold: written.lower_threshold,
            ..usual
        }
    }
}

/// Refuses a name that is not UTF-8, because it would be read back as another one.
impl<const N: usize> Serialize for Name<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = str::from_utf8(self.as_bytes());
        serializer.serialize_str(text.map_err(|_| S::Error::custom("a name is not UTF-8"))?)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Name<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

/// Reads flags as the kernel's bits.
pub fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let bits = u32::deserialize(deserializer)?;
    if Flags::from_bits(bits).bits() == bits {
        return Ok(bits);
    }
    Err(D::Error::custom("bits 1 and 2 are no flags"))
}

/// Reads the prefix length of an IPv6 mask.
pub fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let length = u32::deserialize(deserializer)?;
    if Mask::PREFIXES.contains(&length) {
        return Ok(length);
    }
    Err(D::Error::custom("a prefix has 1 to 128 bits"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::model::{Change, Server, ServerState, Service, Timeouts};

    fn check<T>(value: &T, text: &str)
    where
        T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
    {
        assert_eq!(serde_json::to_string(value).unwrap(), text);
        assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
    }

    fn refusal<T: DeserializeOwned + fmt::Debug>(text: &str) -> String {
        serde_json::from_str::<T>(text).unwrap_err().to_string()
    }

    #[test]
    fn services_and_servers_are_strings() {
        let web: ServiceId = "-t [2001:db8::1]:80".parse().unwrap();
        let server: ServerId = "10.0.0.1:8080".parse().unwrap();
        let table = HashMap::from([(web, vec![server])]);
        check(&table, r#"{"-t [2001:db8::1]:80":["10.0.0.1:8080"]}"#);
        let server = Server {
            forwarding: Forwarding::Unknown(5),
            tunnel: Tunnel {
                kind: TunnelKind::Gue,
                port: 6080,
                ..Tunnel::IPIP
            },
            ..Server::new(server)
        };
        check(
            &Change::AddServer("-f 7 -6".parse().unwrap(), server),
            r#"{"AddServer":["-f 7 -6",{"id":"10.0.0.1:8080","forwarding":"5","tunnel":{"kind":"gue","port":6080,"checksum":0},"weight":1,"upper_threshold":0,"lower_threshold":0}]}"#,
        );
        check(
            &Service::tcp("192.0.2.1:80".parse().unwrap()),
            r#"{"id":"-t 192.0.2.1:80","scheduler":"wlc","flags":0,"persistence":null,"mask":{"V4":"255.255.255.255"},"engine":null}"#,
        );
    }

    #[test]
    fn what_is_missing_has_its_usual_value() {
        let service: Service = serde_json::from_str(r#"{"id":"-t [2001:db8::1]:80"}"#).unwrap();
        assert_eq!(service, Service::tcp("[2001:db8::1]:80".parse().unwrap()));
        let text = r#"{"server":{"id":"10.0.0.1:80","tunnel":{"port":7}}}"#;
        let state: ServerState = serde_json::from_str(text).unwrap();
        let server = Server {
            tunnel: Tunnel {
                port: 7,
                ..Tunnel::IPIP
            },
            ..Server::new(([10, 0, 0, 1], 80))
        };
        assert_eq!(state, server.into());
        let timeouts: Timeouts = serde_json::from_str(r#"{"udp":9}"#).unwrap();
        assert_eq!(
            timeouts,
            Timeouts {
                udp: 9,
                ..Timeouts::default()
            }
        );
        let refused = refusal::<Service>("{}");
        assert!(refused.starts_with("missing field `id`"), "{refused}");
    }

    #[test]
    fn what_no_kernel_reports_is_refused() {
        let refused = refusal::<Forwarding>(r#""1""#);
        assert!(refused.starts_with("forwarding is masq,"), "{refused}");
        let refused = refusal::<TunnelKind>(r#""2""#);
        assert!(refused.starts_with("a tunnel is ipip,"), "{refused}");
        let refused = refusal::<ServiceId>(r#""-f 0""#);
        assert!(refused.starts_with("a service is written"), "{refused}");
    }

    #[test]
    fn what_would_come_back_as_another_value_is_refused() {
        let name = Name::<15>::new(b"\xff").unwrap();
        let refused = serde_json::to_string(&name).unwrap_err().to_string();
        assert_eq!(refused, "a name is not UTF-8");
        check(&Flags::ONE_PACKET, "4");
        for bits in ["1", "2", "7"] {
            let refused = refusal::<Flags>(bits);
            assert!(
                refused.starts_with("bits 1 and 2 are no flags"),
                "{refused}"
            );
        }
    }

    #[test]
    fn prefixes_have_1_to_128_bits() {
        check(&Mask::V6(1), r#"{"V6":1}"#);
        check(&Mask::V6(128), r#"{"V6":128}"#);
        check(&Mask::V4([255, 0, 0, 0].into()), r#"{"V4":"255.0.0.0"}"#);
        for text in [r#"{"V6":0}"#, r#"{"V6":129}"#] {
            let refused = refusal::<Mask>(text);
            assert!(
                refused.starts_with("a prefix has 1 to 128 bits"),
                "{refused}"
            );
        }
    }
}
