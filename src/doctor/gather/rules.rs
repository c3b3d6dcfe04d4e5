//! Reads the firewall's rules from the programs that list them.

use std::io;

use super::programs::Running;
use crate::doctor::firewall::{Firewall, Tool, read_iptables, read_nft};
use crate::kernel::plain;

/// A program with its arguments, and the function that reads its output.
type Lister = (&'static [&'static str], fn(&str) -> Option<Firewall>);

const LISTERS: [Lister; 5] = [
    (&["iptables-save"], |text| {
        Some(read_iptables(Tool::Iptables, text))
    }),
    (&["ip6tables-save"], |text| {
        Some(read_iptables(Tool::Ip6tables, text))
    }),
    (&["iptables-legacy-save"], |text| {
        Some(read_iptables(Tool::IptablesLegacy, text))
    }),
    (&["ip6tables-legacy-save"], |text| {
        Some(read_iptables(Tool::Ip6tablesLegacy, text))
    }),
    (&["nft", "-j", "list", "ruleset"], read_nft),
];

/// The running programs that list rules, of those that are installed.
pub struct Listings(Vec<(Lister, io::Result<Running>)>);

impl Listings {
    pub fn start() -> Self {
        let listings = LISTERS.into_iter().filter_map(|lister| {
            let running = Running::start(lister.0)?;
            Some((lister, running))
        });
        Self(listings.collect())
    }

    /// The rules that they list. Programs that fail are noted in `unseen`.
    pub fn finish(self, unseen: &mut Vec<String>) -> Firewall {
        let mut firewall = Firewall::default();
        firewall.is_whole = !self.0.is_empty();
        for ((words, read), running) in self.0 {
            let text = running.and_then(Running::finish);
            let rules = text.and_then(|text| {
                read(&text).ok_or_else(|| io::Error::other("its output cannot be read"))
            });
            match rules {
                Ok(rules) => firewall.merge(rules),
                Err(error) => {
                    firewall.is_whole = false;
                    unseen.push(format!("{} ({})", words.join(" "), plain(&error)));
                }
            }
        }
        firewall
    }
}
