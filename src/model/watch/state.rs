//! The user's choices: keys in, state out.

use super::keys::Key;
use super::{Column, Row, RowId};
use crate::model::Filter;
use crate::model::order::merge_sort;
use crate::model::terms::Vocabulary;

/// What the user has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The filter from the command line.
    pub wanted: Filter,
    pub column: Column,
    /// Sorts the smallest number first, or names in reverse order.
    pub is_reversed: bool,
    pub filter: String,
    /// The filter is being typed.
    pub is_typing: bool,
    pub shows_help: bool,
    /// The selected row of the services.
    pub selected: Option<RowId>,
    /// The service or server whose connections are shown in place of the services.
    pub open: Option<RowId>,
    /// The first line shown if no row is selected.
    pub top: usize,
}

/// What a key asks for, besides a new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    /// Read again, because something else is shown.
    Look,
    Leave,
}

/// The current contents of the screen.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// Services and servers.
    Rows(&'a [RowId]),
    /// This many lines of text.
    Lines(usize),
}

impl State {
    pub fn new(column: Column) -> Self {
        Self {
            wanted: Filter::ALL,
            column,
            is_reversed: false,
            filter: String::new(),
            is_typing: false,
            shows_help: false,
            selected: None,
            open: None,
            top: 0,
        }
    }

    /// Handles a key; `room` says how many rows or lines fit the screen.
    pub fn press(&mut self, key: Key, shown: Shown, room: usize) -> Wish {
        if self.shows_help {
            self.shows_help = false;
            return match key {
                Key::Char('q') => Wish::Leave,
                _ => Wish::Nothing,
            };
        }
        if self.is_typing {
            self.type_filter(key);
            return Wish::Nothing;
        }
        match key {
            Key::Char('q') => return Wish::Leave,
            Key::Char('?' | 'h') => self.shows_help = true,
            Key::Char('/') => self.is_typing = true,
            Key::Escape | Key::Backspace if self.open.is_some() => {
                self.show(None);
                return Wish::Look;
            }
            Key::Escape => self.filter.clear(),
            Key::Char('<') | Key::Left => self.next_column(Column::TERMS.len() - 1),
            Key::Char('>') | Key::Right => self.next_column(1),
            Key::Enter => {
                if let (Shown::Rows(_), Some(place)) = (shown, self.selected) {
                    self.show(Some(place));
                    return Wish::Look;
                }
            }
            Key::Char(letter) => self.sort_by(letter),
            key => self.go(key, shown, room),
        }
        Wish::Nothing
    }

    fn show(&mut self, place: Option<RowId>) {
        self.open = place;
        self.filter.clear();
        self.top = 0;
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(letter) => self.filter.push(letter),
            Key::Backspace if self.filter.is_empty() => self.is_typing = false,
            Key::Backspace => drop(self.filter.pop()),
            Key::Erase => self.filter.clear(),
            Key::Escape => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => self.is_typing = false,
        }
        self.top = 0;
    }

    fn sort_by(&mut self, letter: char) {
        let mut columns = Column::TERMS.iter();
        let Some(term) = columns.find(|term| term.value.key() == letter) else {
            return;
        };
        self.is_reversed = self.column == term.value && !self.is_reversed;
        self.column = term.value;
    }

    fn next_column(&mut self, distance: usize) {
        let columns = Column::TERMS;
        let place = columns.iter().position(|term| term.value == self.column);
        let next = (place.unwrap_or_default() + distance) % columns.len();
        self.column = columns[next].value;
        self.is_reversed = false;
    }

    fn go(&mut self, key: Key, shown: Shown, room: usize) {
        let (place, count) = match shown {
            Shown::Rows(places) => (self.place_in(places), places.len()),
            Shown::Lines(count) => {
                let last = count.saturating_sub(room);
                (self.top.min(last), last + 1)
            }
        };
        let place = match key {
            Key::Up => place.saturating_sub(1),
            Key::Down => place + 1,
            Key::PageUp => place.saturating_sub(room),
            Key::PageDown => place + room,
            Key::Home => 0,
            Key::End => count,
            _ => return,
        };
        let place = place.min(count.saturating_sub(1));
        match shown {
            Shown::Rows(places) => self.selected = places.get(place).copied(),
            Shown::Lines(_) => self.top = place,
        }
    }

    fn place_in(&self, places: &[RowId]) -> usize {
        let selected = |place: &RowId| Some(*place) == self.selected;
        places.iter().position(selected).unwrap_or_default()
    }

    /// Selects the row in the same place if the selected one no longer exists.
    pub fn keep_selected(&mut self, before: &[RowId], places: &[RowId]) {
        let is_there = |place: &RowId| places.contains(place);
        if self.selected.as_ref().is_some_and(is_there) {
            return;
        }
        let place = self.place_in(before).min(places.len().saturating_sub(1));
        self.selected = places.get(place).copied();
    }

    /// Whether the filter lets a name or a line through; case does not matter.
    pub fn shows(&self, text: &str) -> bool {
        let filter = self.filter.to_lowercase();
        filter.is_empty() || text.to_lowercase().contains(&filter)
    }

    /// Sorts as chosen, by default the largest first. Equal rows stay in the order of the table.
    pub(super) fn sort<'a, T>(&self, items: &mut [T], row: impl Fn(&T) -> Row<'a>) {
        if self.column == Column::Name {
            if self.is_reversed {
                items.reverse();
            }
            return;
        }
        let number = |item: &T| row(item).number(self.column).unwrap_or(-1.0);
        merge_sort(items, number, |one, other| {
            let order = one.total_cmp(other);
            if self.is_reversed {
                order.is_le()
            } else {
                order.is_ge()
            }
        });
    }
}
