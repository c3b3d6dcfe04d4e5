//! The table's rows by letter, by name and by command.

pub use super::kinds::{CommandRow, Opt, OptionRow, Slot, Slots, Value, Verb};
use super::table::{COMMANDS, OPTIONS};

impl Verb {
    /// The word for it in messages.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn row(self) -> &'static CommandRow {
        &COMMANDS[self as usize]
    }
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

    pub fn long(self) -> &'static str {
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

/// The options that fill a slot.
pub fn options_for(slot: Slot) -> impl Iterator<Item = &'static OptionRow> {
    OPTIONS.iter().filter(move |row| row.slot == Some(slot))
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
    fn rows_of_commands_stand_in_the_order_of_their_kind() {
        for (index, row) in COMMANDS.iter().enumerate() {
            assert_eq!(row.verb as usize, index);
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
