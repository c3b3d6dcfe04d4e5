//! What the rows of the table are made of, and how they are found.

use super::table::{COMMANDS, OPTIONS};

/// What the program is asked to do; exactly one stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    AddService,
    EditService,
    DeleteService,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
    Help,
    Version,
}

/// An option of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    TcpService,
    UdpService,
    SctpService,
    MarkService,
    Ipv6,
    Scheduler,
    SchedulerFlags,
    Persistent,
    Netmask,
    Engine,
    OnePacket,
    RealServer,
    DirectRouting,
    Tunnel,
    Masquerade,
    Weight,
    UpperThreshold,
    LowerThreshold,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    Connections,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConnections,
    TunnelInfo,
    Exact,
    NoSort,
    Sort,
    Numeric,
    Interface,
    SyncId,
    SyncMaxLength,
    McastGroup,
    McastPort,
    McastTtl,
}

/// A place on the line that may be filled once. Several options may compete for one.
/// Messages name slots, and checks go through them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Numeric,
    Connections,
    ServiceAddress,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Forwarding,
    Weight,
    UpperThreshold,
    LowerThreshold,
    Interface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConnections,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxLength,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
}

const SLOTS: [(Slot, &str); 34] = [
    (Slot::Numeric, "numeric"),
    (Slot::Connections, "connection"),
    (Slot::ServiceAddress, "service-address"),
    (Slot::Scheduler, "scheduler"),
    (Slot::Persistent, "persistent"),
    (Slot::Netmask, "netmask"),
    (Slot::RealServer, "real-server"),
    (Slot::Forwarding, "forwarding-method"),
    (Slot::Weight, "weight"),
    (Slot::UpperThreshold, "u-threshold"),
    (Slot::LowerThreshold, "l-threshold"),
    (Slot::Interface, "mcast-interface"),
    (Slot::Timeout, "timeout"),
    (Slot::Daemon, "daemon"),
    (Slot::Stats, "stats"),
    (Slot::Rate, "rate"),
    (Slot::Thresholds, "thresholds"),
    (Slot::PersistentConnections, "persistent-conn"),
    (Slot::NoSort, "nosort"),
    (Slot::SyncId, "syncid"),
    (Slot::Exact, "exact"),
    (Slot::OnePacket, "ops"),
    (Slot::Engine, "pe"),
    (Slot::SchedulerFlags, "sched-flags"),
    (Slot::McastGroup, "mcast-group"),
    (Slot::McastPort, "mcast-port"),
    (Slot::McastTtl, "mcast-ttl"),
    (Slot::SyncMaxLength, "sync-maxlen"),
    (Slot::TunnelInfo, "tun-info"),
    (Slot::TunnelType, "tun-type"),
    (Slot::TunnelPort, "tun-port"),
    (Slot::TunnelNoChecksum, "tun-nocsum"),
    (Slot::TunnelChecksum, "tun-csum"),
    (Slot::TunnelRemoteChecksum, "tun-remcsum"),
];

impl Slot {
    /// The word for it in messages.
    pub fn name(self) -> &'static str {
        SLOTS[self as usize].1
    }
}

/// A set of slots: what is given on a line, or what a command takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots(u64);

impl Slots {
    pub const NONE: Self = Self(0);

    pub const fn with(self, slot: Slot) -> Self {
        Self(self.0 | 1 << slot as u32)
    }

    pub fn has(self, slot: Slot) -> bool {
        self.0 & Self::NONE.with(slot).0 != 0
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn except(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The first slot of the set in the order of checks.
    pub fn first(self) -> Option<Slot> {
        SLOTS
            .get(self.0.trailing_zeros() as usize)
            .map(|slot| slot.0)
    }
}

/// Whether a command or an option has a value, and what the help calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Nothing,
    Required(&'static str),
    Optional(&'static str),
}

#[derive(Debug)]
pub struct CommandRow {
    pub verb: Verb,
    pub short: &'static [u8],
    pub long: &'static str,
    pub value: Value,
    /// The word for it in messages.
    pub name: &'static str,
    pub help: &'static str,
}

#[derive(Debug)]
pub struct OptionRow {
    pub option: Opt,
    /// None for an option that may stand anywhere, any number of times.
    pub slot: Option<Slot>,
    pub short: Option<u8>,
    pub long: &'static str,
    pub value: Value,
    /// The commands that need it.
    pub must: &'static [Verb],
    /// The commands that take it.
    pub may: &'static [Verb],
    /// The commands that take just one of all options that name them here.
    pub one_of: &'static [Verb],
    pub help: &'static str,
}

/// What a word that begins with `-` stands for.
#[derive(Clone, Copy, Debug)]
pub enum Row {
    Command(&'static CommandRow),
    Option(&'static OptionRow),
}

impl Row {
    pub fn value(self) -> Value {
        match self {
            Self::Command(row) => row.value,
            Self::Option(row) => row.value,
        }
    }

    fn long(self) -> &'static str {
        match self {
            Self::Command(row) => row.long,
            Self::Option(row) => row.long,
        }
    }

    pub fn by_short(letter: u8) -> Option<Self> {
        *BY_SHORT.get(usize::from(letter))?
    }

    pub fn by_long(name: &[u8]) -> Option<Self> {
        rows().find(|row| row.long().as_bytes() == name)
    }
}

/// Every row, commands first.
pub fn rows() -> impl Iterator<Item = Row> {
    let commands = COMMANDS.iter().map(Row::Command);
    commands.chain(OPTIONS.iter().map(Row::Option))
}

const BY_SHORT: [Option<Row>; 128] = {
    let mut index = [None; 128];
    let mut row = 0;
    while row < COMMANDS.len() {
        let mut letter = 0;
        while letter < COMMANDS[row].short.len() {
            index[COMMANDS[row].short[letter] as usize] = Some(Row::Command(&COMMANDS[row]));
            letter += 1;
        }
        row += 1;
    }
    row = 0;
    while row < OPTIONS.len() {
        if let Some(letter) = OPTIONS[row].short {
            index[letter as usize] = Some(Row::Option(&OPTIONS[row]));
        }
        row += 1;
    }
    index
};

/// What a command demands of its line.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub must: Slots,
    pub may: Slots,
    pub one_of: Slots,
}

/// How a line does not meet its needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    Missing(Slot),
    Illegal(Slot),
    Conflict { slot: Slot, other: Slot },
}

impl Needs {
    pub fn of(verb: Verb) -> Self {
        NEEDS[verb as usize]
    }

    /// What is missing, or given and not taken: the first in the order of slots.
    pub fn check(self, given: Slots) -> Result<(), Breach> {
        let chosen = given.and(self.one_of).first();
        let taken = self.must.or(self.may);
        let taken = chosen.map_or(taken, |slot| taken.with(slot));
        let missing = self.must.except(given);
        let Some(slot) = missing.or(given.except(taken)).first() else {
            return Ok(());
        };
        Err(match chosen {
            _ if missing.has(slot) => Breach::Missing(slot),
            Some(other) if self.one_of.has(slot) => Breach::Conflict { slot, other },
            _ => Breach::Illegal(slot),
        })
    }
}

const NEEDS: [Needs; COMMANDS.len()] = {
    let nothing = Needs {
        must: Slots::NONE,
        may: Slots::NONE,
        one_of: Slots::NONE,
    };
    let mut needs = [nothing; COMMANDS.len()];
    let mut verb = 0;
    while verb < needs.len() {
        let mut row = 0;
        while row < OPTIONS.len() {
            if let Some(slot) = OPTIONS[row].slot {
                if contains(OPTIONS[row].must, verb) {
                    needs[verb].must = needs[verb].must.with(slot);
                }
                if contains(OPTIONS[row].may, verb) {
                    needs[verb].may = needs[verb].may.with(slot);
                }
                if contains(OPTIONS[row].one_of, verb) {
                    needs[verb].one_of = needs[verb].one_of.with(slot);
                }
            }
            row += 1;
        }
        verb += 1;
    }
    needs
};

const fn contains(verbs: &[Verb], verb: usize) -> bool {
    let mut i = 0;
    while i < verbs.len() {
        if verbs[i] as usize == verb {
            return true;
        }
        i += 1;
    }
    false
}

impl Verb {
    /// The word for it in messages.
    pub fn name(self) -> &'static str {
        COMMANDS[self as usize].name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_letter_and_no_name_stands_twice() {
        let mut names: Vec<&str> = rows().map(Row::long).collect();
        let letters = COMMANDS.iter().flat_map(|row| row.short.to_vec());
        let mut letters: Vec<u8> = letters
            .chain(OPTIONS.iter().filter_map(|r| r.short))
            .collect();
        let (all_names, all_letters) = (names.len(), letters.len());
        names.sort_unstable();
        names.dedup();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((names.len(), letters.len()), (all_names, all_letters));
    }

    #[test]
    fn every_row_is_found_by_its_letters_and_its_name() {
        for row in rows() {
            let letters = match row {
                Row::Command(row) => row.short.to_vec(),
                Row::Option(row) => row.short.into_iter().collect(),
            };
            for letter in letters {
                let found = Row::by_short(letter).map(Row::long);
                assert_eq!(found, Some(row.long()), "-{}", char::from(letter));
            }
            let found = Row::by_long(row.long().as_bytes()).map(Row::long);
            assert_eq!(found, Some(row.long()));
        }
    }

    #[test]
    fn every_row_has_a_name_and_a_help_line() {
        for row in rows() {
            let (help, value) = match row {
                Row::Command(row) => (row.help, row.value),
                Row::Option(row) => (row.help, row.value),
            };
            assert!(row.long().len() > 1 && !help.is_empty(), "{row:?}");
            if let Value::Required(name) | Value::Optional(name) = value {
                assert!(!name.is_empty(), "{row:?}");
            }
        }
    }

    #[test]
    fn rows_of_commands_and_slots_stand_in_the_order_of_their_kinds() {
        for (index, row) in COMMANDS.iter().enumerate() {
            assert_eq!(row.verb as usize, index);
        }
        for (index, (slot, _)) in SLOTS.iter().enumerate() {
            assert_eq!(*slot as usize, index);
        }
    }

    #[test]
    fn every_option_that_fills_a_slot_has_a_command_that_takes_it() {
        for row in OPTIONS {
            let commands = [row.must, row.may, row.one_of].concat();
            assert_eq!(row.slot.is_some(), !commands.is_empty(), "{row:?}");
        }
    }
}
