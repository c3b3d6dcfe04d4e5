//! The live screen: turns data and choices into lines.

mod cells;
mod columns;
mod paint;

use std::time::Duration;

use cells::{curve, head, padded, short, width_of};
use columns::Layout;
pub use paint::Painter;

use super::endpoint::{self, Cut, endpoint};
use super::people::cell;
use crate::model::terms::Vocabulary;
use crate::model::watch::state::State;
use crate::model::watch::{Column, Row, RowId, Sums};
use crate::names::Names;

/// The size of a screen, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// What a screen can show, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    pub unicode: bool,
    pub colour: bool,
    /// Numbers are written in full.
    pub exact: bool,
}

/// A piece of a line in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub look: Look,
    pub text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub bold: bool,
    pub reverse: bool,
    pub colour: Option<Colour>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Cyan,
    Yellow,
    Red,
}

pub type Spans = Vec<Span>;

impl Look {
    const PLAIN: Self = Self {
        bold: false,
        reverse: false,
        colour: None,
    };
    const BOLD: Self = Self {
        bold: true,
        ..Self::PLAIN
    };
    const REVERSE: Self = Self {
        reverse: true,
        ..Self::PLAIN
    };
}

/// The text around the rows.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The time of day.
    pub time: &'a str,
    pub period: Duration,
    pub state: &'a State,
    /// The reason why there is no new data.
    pub trouble: Option<&'a str>,
    /// The latest event.
    pub news: Option<&'a str>,
    pub size: Size,
    pub manner: Manner,
}

/// Lines of text, such as connections.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    pub title: &'a str,
    /// The lines that always stay.
    pub head: &'a [String],
    /// The others; whether each is new.
    pub lines: &'a [(String, bool)],
}

/// The lines above and below the rows of services.
const AROUND_ROWS: usize = 4;

/// Those above and below a page, in addition to its head.
const AROUND_PAGE: usize = 2;

impl Frame<'_> {
    /// The number of rows of services that fit the screen.
    pub fn room_for_rows(&self) -> usize {
        self.size.rows.saturating_sub(AROUND_ROWS).max(1)
    }

    /// The number of lines of a page that fit.
    pub fn room_for_lines(&self, page: &Page) -> usize {
        let around = AROUND_PAGE + page.head.len();
        self.size.rows.saturating_sub(around).max(1)
    }

    /// The lines of a screen of services and servers.
    pub fn services(&self, rows: &[Row], sums: &Sums) -> Vec<Spans> {
        let layout = Layout::new(rows, self.size.columns, self.manner);
        let selected = rows
            .iter()
            .position(|row| Some(row.place) == self.state.selected);
        let room = self.room_for_rows();
        // The selected row is in the middle, where there are rows on both sides.
        let last_top = rows.len().saturating_sub(room);
        let top = selected
            .unwrap_or_default()
            .saturating_sub(room / 2)
            .min(last_top);
        let mut lines = vec![
            self.top(&format!(
                "{}, {}",
                count(sums.services, "service"),
                count(sums.servers, "server")
            )),
            self.totals(sums),
            layout.heading(self.state),
        ];
        for (index, row) in rows.iter().enumerate().skip(top).take(room) {
            lines.push(layout.row(row, Some(index) == selected));
        }
        self.ended(lines)
    }

    /// The lines of a screen of text.
    pub fn page(&self, page: &Page) -> Vec<Spans> {
        let mut lines = vec![self.top(page.title)];
        for line in page.head {
            lines.push(self.line(line, Look::REVERSE));
        }
        let room = self.room_for_lines(page);
        // There may have been more lines when the state was chosen.
        let top = self.state.top.min(page.lines.len().saturating_sub(room));
        for (line, is_new) in page.lines.iter().skip(top).take(room) {
            let look = if *is_new { Look::BOLD } else { Look::PLAIN };
            lines.push(self.line(line, look));
        }
        self.ended(lines)
    }

    /// The help for the keys.
    pub fn help(&self) -> Vec<Spans> {
        let keys = [
            ("up, down, page up, page down", "move"),
            ("Enter", "the connections of the selected one; Esc: back"),
            ("/", "filter; Enter: keep it, Esc: clear it"),
            (
                "< >",
                "sort by the next column; the key of a column again: reversed",
            ),
            ("q", "quit"),
        ];
        let mut lines = vec![self.top("Keys")];
        let keys = keys.map(|(keys, what)| format!("{keys}: {what}"));
        let columns = Column::TERMS.iter().map(|term| {
            let key = term.value.key();
            format!(
                "{key}: sort by {} ({}): {}",
                term.word, term.title, term.about
            )
        });
        let texts = keys.into_iter().chain(columns);
        lines.extend(texts.map(|text| self.line(&text, Look::PLAIN)));
        lines.truncate(self.size.rows.saturating_sub(1));
        self.ended(lines)
    }

    fn top(&self, title: &str) -> Spans {
        let every = format!("{} every {} s", self.time, self.period.as_secs_f64());
        self.both(title, &every, Look::BOLD)
    }

    fn totals(&self, sums: &Sums) -> Spans {
        let number = |number: f64| short(number, self.manner.exact);
        let Some([connections, packets_in, packets_out, bytes_in, bytes_out]) =
            sums.totals.and_then(|meter| meter.rates())
        else {
            let connections = format!("{} active, {} inactive", sums.active, sums.inactive);
            return self.line(&connections, Look::PLAIN);
        };
        let parts = [
            format!("{} conn/s", number(connections)),
            format!(", {} active", number(sums.active as f64)),
            format!(", {} inactive", number(sums.inactive as f64)),
            format!("; in {} pkt/s", number(packets_in)),
            format!(", {} B/s", number(bytes_in)),
            format!("; out {} pkt/s", number(packets_out)),
            format!(", {} B/s", number(bytes_out)),
        ];
        // A cut number would be a different number.
        let mut text = String::new();
        for part in parts {
            if width_of(&text) + width_of(&part) > self.size.columns {
                break;
            }
            text += &part;
        }
        let room = self
            .size
            .columns
            .saturating_sub(width_of(&text) + 1)
            .min(60);
        let points = sums
            .totals
            .map(|meter| meter.history().curve(room))
            .unwrap_or_default();
        self.both(&text, &curve(&points, self.manner), Look::PLAIN)
    }

    /// Fills the screen up to the last line, which shows the choices and the latest event.
    fn ended(&self, mut lines: Vec<Spans>) -> Vec<Spans> {
        let last = self.size.rows.saturating_sub(1);
        lines.resize_with(last, Spans::new);
        lines.push(self.foot());
        lines
    }

    fn foot(&self) -> Spans {
        if self.state.is_typing {
            return self.line(&format!("/{}_", self.state.filter), Look::BOLD);
        }
        let chosen = self.chosen();
        match (self.trouble, self.news) {
            (Some(trouble), _) => {
                let look = Look {
                    reverse: true,
                    colour: Some(Colour::Red),
                    ..Look::BOLD
                };
                self.both(trouble, &chosen, look)
            }
            (None, Some(news)) => self.both(news, &chosen, Look::BOLD),
            (None, None) => self.both(&chosen, "? help  q quit", Look::PLAIN),
        }
    }

    /// The sort column and the filter.
    fn chosen(&self) -> String {
        let State {
            column,
            is_reversed,
            filter,
            open,
            ..
        } = self.state;
        let mut texts = Vec::new();
        if open.is_none() {
            let reversed = if *is_reversed { ", reversed" } else { "" };
            texts.push(format!(
                "by {}{reversed}",
                column.word().unwrap_or_default()
            ));
        }
        if !filter.is_empty() {
            texts.push(format!("filter: {filter}"));
        }
        texts.join("  ")
    }

    /// One text on the left, and another on the right if it fits.
    fn both(&self, left: &str, right: &str, look: Look) -> Spans {
        let room = self.size.columns.checked_sub(width_of(right) + 1);
        let room = room.filter(|room| !right.is_empty() && width_of(left) <= *room);
        let Some(room) = room else {
            return self.line(left, look);
        };
        let text = format!("{} {right}", padded(left, room));
        vec![Span { look, text }]
    }

    fn line(&self, text: &str, look: Look) -> Spans {
        let text = head(text.chars(), self.size.columns);
        vec![Span { look, text }]
    }
}

/// A service or a server by its name, as a screen shows it.
pub fn name(names: &mut Names, place: &RowId) -> String {
    let (service, server) = place;
    cell(|out| match server {
        None => endpoint::service(out, names, service, Cut::Never),
        Some(id) => {
            let protocol = endpoint::server_protocol(service);
            out.text("  -> ");
            endpoint(out, names, id.address, id.port, protocol, Cut::Never);
        }
    })
}

/// A count with its noun.
pub fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}
