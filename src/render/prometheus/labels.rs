//! The labels of a metric's samples.

use std::iter;
use std::net::IpAddr;

use crate::model::terms::{MARK, Vocabulary};
use crate::model::{Entry, Family, ServerId, ServiceId};
use crate::render::Out;
use crate::render::address::ipv4;

/// The labels of all services, one after another. They are written once for all metrics; those of
/// servers are written each time, which is faster than storing so many.
pub struct LabelsOfServices {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl LabelsOfServices {
    pub fn new(table: &[Entry]) -> Self {
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(table.len()));
        for entry in table {
            text.extend(Labels::of_service(&entry.service.service.id).0.as_bytes());
            ends.push(text.len());
        }
        Self { text, ends }
    }

    pub fn each(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, &end)| &self.text[start..end])
    }
}

/// The labels of a sample.
pub trait Sample {
    fn write(&self, out: &mut Out);
}

/// Labels that are already written.
impl<T: AsRef<[u8]>> Sample for T {
    fn write(&self, out: &mut Out) {
        out.text(self);
    }
}

pub struct OfService<'a>(pub &'a [u8]);

impl Sample for OfService<'_> {
    fn write(&self, out: &mut Out) {
        out.text(self.0).text(END);
    }
}

pub struct OfServer<'a>(pub &'a [u8], pub ServerId);

impl Sample for OfServer<'_> {
    fn write(&self, out: &mut Out) {
        out.text(self.0).text(",remote_address=\"");
        match self.1.address {
            IpAddr::V4(address) => ipv4(out, address),
            // Not as the C library writes it, but as node_exporter does.
            IpAddr::V6(address) => drop(out.text(address.to_string())),
        }
        out.text("\",remote_port=\"").number(self.1.port);
        out.text("\"").text(END);
    }
}

/// The text between labels and value.
const END: &str = "} ";
pub const NO_LABELS: &str = " ";

/// Few labels are longer.
const ROOM: usize = 128;

/// The labels of a sample, in written form.
pub struct Labels(String);

impl Labels {
    pub fn new() -> Self {
        Self(String::with_capacity(ROOM))
    }

    /// The labels that node_exporter gives a service. It does not distinguish the address families
    /// of a mark.
    fn of_service(id: &ServiceId) -> Self {
        match *id {
            ServiceId::Address {
                protocol,
                address,
                port,
            } => Self::new()
                .with("local_address", address.to_string())
                .with("local_mark", "")
                .with("local_port", port.to_string())
                .with(
                    "proto",
                    protocol
                        .title()
                        .map_or(protocol.0.to_string(), str::to_owned),
                ),
            ServiceId::Mark { mark, family } => {
                let labels = Self::new()
                    .with("local_address", "")
                    .with("local_mark", format!("{mark:08X}"))
                    .with("local_port", "0")
                    .with("proto", MARK);
                match family {
                    Family::V4 => labels,
                    Family::V6 => labels.with("family", "ipv6"),
                }
            }
        }
    }

    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0 += name;
        self.0 += "=\"";
        for part in value.as_ref().split_inclusive(['\n', '\\', '"']) {
            let plain = part.trim_end_matches(['\n', '\\', '"']);
            self.0 += plain;
            self.0 += match &part[plain.len()..] {
                "\n" => "\\n",
                "\\" => "\\\\",
                "\"" => "\\\"",
                _ => "",
            };
        }
        self.0.push('"');
        self
    }

    pub fn end(self) -> String {
        self.0 + END
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let labels = Labels::new()
            .with("plain", "eth0")
            .with("odd", "\"a\\\nb\"c");
        assert_eq!(labels.end(), r#"{plain="eth0",odd="\"a\\\nb\"c"} "#);
    }
}
