//! The items that a line has at most once, and those that each command requires and accepts.

use super::commands::{COMMANDS, Verb};
use super::options::GROUPS;

/// An item that a line has at most once. Several options may compete for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Checks go through slots in this order, which determines the first error.
    order: u32,
    /// The word for it in messages.
    pub name: &'static str,
}

impl Slot {
    pub const fn new(order: u32, name: &'static str) -> Self {
        Self { order, name }
    }
}

/// A set of slots: those filled on a line, or those that a command accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots(u64);

impl Slots {
    pub const NONE: Self = Self(0);

    pub const fn with(self, slot: Slot) -> Self {
        Self(self.0 | 1 << slot.order)
    }

    pub const fn has(self, slot: Slot) -> bool {
        self.0 & 1 << slot.order != 0
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
        *SLOTS.get(self.0.trailing_zeros() as usize)?
    }
}

/// What a command requires of its line.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub must: Slots,
    pub may: Slots,
    pub one_of: Slots,
}

/// How a line violates the requirements.
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

    /// The first slot that is missing or not accepted.
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

/// Calls a function with each option, where iterators cannot be used.
macro_rules! for_each_option {
    ($option:ident => $body:block) => {
        let mut group = 0;
        while group < GROUPS.len() {
            let mut index = 0;
            while index < GROUPS[group].options.len() {
                let $option = &GROUPS[group].options[index];
                $body
                index += 1;
            }
            group += 1;
        }
    };
}
pub(super) use for_each_option;

/// The slots by their order. Two slots with the same number do not compile.
static SLOTS: [Option<Slot>; 64] = {
    let mut slots = [None; 64];
    for_each_option!(option => {
        let place = &mut slots[option.slot.order as usize];
        if let Some(Slot { name, .. }) = place {
            assert!(is_same(name, option.slot.name), "two slots have one number");
        }
        *place = Some(option.slot);
    });
    slots
};

static NEEDS: [Needs; COMMANDS.len()] = {
    let nothing = Needs {
        must: Slots::NONE,
        may: Slots::NONE,
        one_of: Slots::NONE,
    };
    let mut needs = [nothing; COMMANDS.len()];
    let mut verb = 0;
    while verb < needs.len() {
        for_each_option!(option => {
            let Needs { must, may, one_of } = needs[verb];
            if contains(option.must, verb) {
                needs[verb].must = must.with(option.slot);
            }
            if option.is_global || contains(option.may, verb) {
                needs[verb].may = may.with(option.slot);
            }
            if contains(option.one_of, verb) {
                needs[verb].one_of = one_of.with(option.slot);
            }
        });
        verb += 1;
    }
    needs
};

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut i = 0;
    while i < one.len() && i < other.len() && one[i] == other[i] {
        i += 1;
    }
    i == one.len() && i == other.len()
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::REAL_SERVER;
    use crate::cli::spec::{OptionSpec, options, options_for};

    #[test]
    fn commands_that_take_a_server_say_what_it_is() {
        for spec in COMMANDS {
            let Needs { must, may, .. } = Needs::of(spec.verb);
            let takes_server = must.or(may).has(REAL_SERVER);
            assert_eq!(takes_server, spec.server.is_some(), "--{}", spec.long);
        }
    }

    /// Requirements are stored by slot, so one option would change the declaration of another.
    #[test]
    fn options_that_share_a_slot_go_with_the_same_commands() {
        for spec in options() {
            let takers = |spec: &OptionSpec| [spec.must, spec.may, spec.one_of].map(<[_]>::to_vec);
            for other in options_for(spec.slot) {
                let names = (spec.long, other.long);
                assert_eq!(takers(spec), takers(other), "{names:?}");
                assert_eq!(spec.is_global, other.is_global, "{names:?}");
            }
        }
    }
}
