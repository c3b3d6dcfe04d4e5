//! The columns that fit a screen, and the rows in them.

use std::fmt::Display;

use super::cells::{curve, fit, padded, short, width_of};
use super::{Colour, Look, Manner, Span, Spans};
use crate::model::terms::Vocabulary;
use crate::model::watch::state::State;
use crate::model::watch::{Column, Configured, Row};

/// The columns after the names, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Number(Column),
    /// The share of the weight, next to the share of the connections.
    WeightShare,
    Curve,
}

const PLACES: [Place; 11] = [
    Place::Number(Column::Weight),
    Place::Number(Column::Active),
    Place::Number(Column::Inactive),
    Place::Number(Column::Connections),
    Place::Curve,
    Place::Number(Column::Share),
    Place::WeightShare,
    Place::Number(Column::PacketsIn),
    Place::Number(Column::PacketsOut),
    Place::Number(Column::BytesIn),
    Place::Number(Column::BytesOut),
];

/// The order in which they are added while there is room, some together.
const BY_IMPORTANCE: [&[Place]; 8] = [
    &[Place::Number(Column::Connections)],
    &[Place::Number(Column::Active)],
    &[Place::Number(Column::Weight)],
    &[Place::Number(Column::Share), Place::WeightShare],
    &[Place::Number(Column::Inactive)],
    &[Place::Curve],
    &[
        Place::Number(Column::BytesIn),
        Place::Number(Column::BytesOut),
    ],
    &[
        Place::Number(Column::PacketsIn),
        Place::Number(Column::PacketsOut),
    ],
];

/// The minimum width of a number, and of a number in full. Numbers are right-aligned.
const NUMBER: usize = 6;
const WHOLE_NUMBER: usize = 12;

/// The narrowest useful curve, and the widest, with two samples for each character.
const CURVE: usize = 8;
const WIDE_CURVE: usize = 60;

/// Names get at least this width, even if nothing else fits.
const NAME: usize = 12;

/// The width of the most important number columns.
const MANY_COLUMNS: usize = 40;

const TITLE: &str = "Service";

/// How much of a name fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// With the scheduler or forwarding method.
    Full,
    /// As in listings.
    Known,
    /// An address or a mark alone.
    Bare,
}

/// The columns of a screen.
pub struct Layout {
    naming: Naming,
    name: usize,
    places: Vec<(Place, usize)>,
    manner: Manner,
}

impl Layout {
    pub fn new(rows: &[Row], width: usize, manner: Manner) -> Self {
        let longest = |naming| rows.iter().map(|row| width_of_name(row, naming)).max();
        let longest = |naming| longest(naming).unwrap_or_default().max(TITLE.len() + 1);
        let first = 1 + least_width(Place::Number(Column::Connections), manner);
        let naming = if longest(Naming::Full) + MANY_COLUMNS <= width {
            Naming::Full
        } else if longest(Naming::Known) + first <= width {
            Naming::Known
        } else {
            Naming::Bare
        };
        let most = width.saturating_sub(first).max(NAME);
        let name = longest(naming).min(most).min(width);
        let mut room = width - name;
        let mut chosen = Vec::new();
        for places in BY_IMPORTANCE {
            let needed: usize = places
                .iter()
                .map(|place| 1 + least_width(*place, manner))
                .sum();
            if needed <= room {
                room -= needed;
                chosen.extend(places);
            }
        }
        let wide = |place: Place| match place {
            Place::Curve => (CURVE + room).min(WIDE_CURVE),
            place => least_width(place, manner),
        };
        let places = PLACES.into_iter().filter(|place| chosen.contains(place));
        Self {
            naming,
            name,
            places: places.map(|place| (place, wide(place))).collect(),
            manner,
        }
    }

    pub fn heading(&self, state: &State) -> Spans {
        let arrow = match (self.manner.unicode, state.is_reversed) {
            (true, false) => "▼",
            (true, true) => "▲",
            (false, false) => "v",
            (false, true) => "^",
        };
        let title = |place: Place| match place {
            Place::Number(column) if column == state.column => format!("{arrow}{}", title(place)),
            place => title(place).to_owned(),
        };
        let name = fit(&title(Place::Number(Column::Name)), self.name, self.manner);
        let mut text = padded(&name, self.name);
        for (place, width) in &self.places {
            text += &right(&fit(&title(*place), *width, self.manner), *width);
        }
        vec![Span {
            look: Look::REVERSE,
            text,
        }]
    }

    pub fn row(&self, row: &Row, is_selected: bool) -> Spans {
        let plain = plain(row);
        let name = padded(
            &fit(&name(row, self.naming), self.name, self.manner),
            self.name,
        );
        let mut line = vec![Span {
            look: lit(plain, row.lit.settings && row.weight().is_none()),
            text: name,
        }];
        for (place, width) in &self.places {
            let (text, is_lit) = self.cell(*place, *width, row);
            line.push(Span {
                look: lit(plain, is_lit),
                text: right(&text, *width),
            });
        }
        for span in &mut line {
            span.look.reverse ^= is_selected;
        }
        line
    }

    /// The text of a cell, and whether it has just changed.
    fn cell(&self, place: Place, width: usize, row: &Row) -> (String, bool) {
        let number = |number: f64| short(number, self.manner.exact);
        let percent = |share: Option<f64>| match share {
            Some(share) => format!("{:.0}", share * 100.0),
            None => String::new(),
        };
        let rate = |index: usize| {
            row.rates
                .map_or(String::new(), |rates| number(rates[index]))
        };
        let column = match place {
            Place::Curve => return (curve(&row.meter.history().curve(width), self.manner), false),
            Place::WeightShare => {
                return (percent(row.shares.and_then(|shares| shares.weight)), false);
            }
            Place::Number(column) => column,
        };
        match column {
            Column::Name => (name(row, self.naming), false),
            Column::Weight => {
                let weight = row
                    .weight()
                    .map_or(String::new(), |weight| weight.to_string());
                (fit(&weight, width, self.manner), row.lit.settings)
            }
            Column::Active => (number(row.active as f64), row.lit.active),
            Column::Inactive => (number(row.inactive as f64), row.lit.inactive),
            Column::Share => {
                let share = row.shares.and_then(|shares| shares.connections);
                (percent(share), false)
            }
            Column::Connections => (rate(0), false),
            Column::PacketsIn => (rate(1), false),
            Column::PacketsOut => (rate(2), false),
            Column::BytesIn => (rate(3), false),
            Column::BytesOut => (rate(4), false),
        }
    }
}

/// The style of an unchanged row.
fn plain(row: &Row) -> Look {
    let colour = match (row.settings, row.weight()) {
        (Configured::Service(_), _) => Some(Colour::Cyan),
        (_, Some(0)) => Some(Colour::Yellow),
        _ => None,
    };
    Look {
        bold: row.lit.all,
        reverse: row.lit.all,
        colour,
    }
}

/// Changes are highlighted with and without colours.
fn lit(look: Look, is_lit: bool) -> Look {
    Look {
        bold: look.bold || is_lit,
        reverse: look.reverse || is_lit,
        ..look
    }
}

fn name(row: &Row, naming: Naming) -> String {
    let kind: &dyn Display = match &row.settings {
        Configured::Service(service) => &service.scheduler,
        Configured::Server(server) => &server.forwarding,
    };
    match (naming, row.settings) {
        (Naming::Full, _) => format!("{} {kind}", row.name),
        (Naming::Known, _) => row.name.to_owned(),
        (Naming::Bare, Configured::Service(_)) => bare(row).to_owned(),
        (Naming::Bare, Configured::Server(_)) => format!(" {}", bare(row)),
    }
}

/// The width of a name without building it: there may be many, and few are on the screen.
fn width_of_name(row: &Row, naming: Naming) -> usize {
    let kind = match &row.settings {
        Configured::Service(service) => service.scheduler.as_bytes().len(),
        Configured::Server(server) => server.forwarding.word().unwrap_or("unknown").len(),
    };
    match (naming, row.settings) {
        (Naming::Full, _) => width_of(row.name) + 1 + kind,
        (Naming::Known, _) => width_of(row.name),
        (Naming::Bare, Configured::Service(_)) => width_of(bare(row)),
        (Naming::Bare, Configured::Server(_)) => 1 + width_of(bare(row)),
    }
}

/// A name without a prefix such as a protocol.
fn bare<'a>(row: &Row<'a>) -> &'a str {
    row.name.split_whitespace().nth(1).unwrap_or_default()
}

fn title(place: Place) -> &'static str {
    match place {
        Place::Number(column) => column.title().unwrap_or_default(),
        Place::WeightShare => "Wgt%",
        Place::Curve => "4 min",
    }
}

/// The minimum width of a column, without the blank before it but with room for the sort arrow.
fn least_width(place: Place, manner: Manner) -> usize {
    let least = match place {
        Place::Curve => return CURVE,
        Place::WeightShare => return 4,
        Place::Number(Column::Share) => return 5,
        Place::Number(Column::Weight) => NUMBER,
        Place::Number(_) if manner.exact => WHOLE_NUMBER,
        Place::Number(_) => NUMBER,
    };
    least.max(title(place).len() + 1)
}

fn right(text: &str, width: usize) -> String {
    let blanks = 1 + width.saturating_sub(width_of(text));
    format!("{:blanks$}{text}", "")
}
