//! Tables for people: columns as wide as their content.
//!
//! If a screen has no room for all columns of a row, the others follow on further lines, in order.
//! Before that, text is wrapped at spaces within its column. Nothing is left out, and an address is
//! never cut.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use tabled::grid::CompactGrid;
use tabled::grid::config::{Borders, CompactConfig, Indent, Position, Sides};
use tabled::grid::dimension::Dimension;
use tabled::grid::records::IterRecords;
use tabled::grid::util::string::{get_char_width, get_line_width};
use tabled::settings::Color;

use super::Screen;

/// The width of the separator of two columns: a line with a blank on each side.
const BETWEEN: usize = 3;

/// The indentation of the further lines of a row, where there is room for it.
const INDENT: usize = 2;

/// The cells of a table.
pub struct Sheet {
    /// The first is the row of titles.
    rows: Vec<Row>,
    /// The number of text columns. The others are numbers, aligned to the right.
    texts: usize,
}

struct Row {
    cells: Vec<String>,
    /// Its highlighting on a screen with colours.
    colour: Option<Color>,
}

/// The columns that share a line, and their maximum widths.
struct Band {
    columns: Range<usize>,
    widths: Vec<usize>,
}

impl Band {
    fn width(&self) -> usize {
        let between = BETWEEN * self.widths.len().saturating_sub(1);
        self.widths.iter().sum::<usize>() + between
    }
}

/// Some columns of all rows, each row on as many lines as its highest cell needs.
struct Grid {
    rows: Vec<Vec<String>>,
    /// The separator after the titles, if any.
    ruler: Option<String>,
    /// With a blank at both ends.
    width: usize,
}

impl Sheet {
    pub fn new(texts: &[&str], numbers: &[&str]) -> Self {
        let titles = texts.iter().chain(numbers);
        Self {
            rows: vec![Row {
                cells: titles.map(|title| (*title).to_owned()).collect(),
                colour: Some(Color::BOLD),
            }],
            texts: texts.len(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn add(&mut self, cells: Vec<String>) {
        self.add_row(cells, None);
    }

    pub fn add_coloured(&mut self, colour: Color, cells: Vec<String>) {
        self.add_row(cells, Some(colour));
    }

    fn add_row(&mut self, mut cells: Vec<String>, colour: Option<Color>) {
        cells.resize(self.rows[0].cells.len(), String::new());
        self.rows.push(Row { cells, colour });
    }

    pub fn laid_out(&self, screen: Screen) -> String {
        let room = screen.width.unwrap_or(usize::MAX);
        // Each line begins with a blank.
        let lines = self.lines(room.max(2) - 1);
        let grids: Vec<_> = lines.iter().map(|line| self.grid(line, screen)).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (line, grid) in lines.iter().zip(&grids) {
                if row.goes_on_in(line) {
                    write(&mut text, line, grid, number, room);
                }
            }
            if number == 0 {
                text += &ruler(&grids, room);
                text.push('\n');
            }
        }
        text
    }

    /// Puts as many columns on each line as fit with texts wrapped between words. The texts then
    /// get the remaining room.
    fn lines(&self, room: usize) -> Vec<Band> {
        let columns = self.rows[0].cells.len();
        let mut lines: Vec<Band> = Vec::new();
        for column in 0..columns {
            let least = self.width_of(column, least_width).min(room);
            match lines.last_mut() {
                Some(line) if line.width() + BETWEEN + least <= room => {
                    line.columns.end += 1;
                    line.widths.push(least);
                }
                _ => lines.push(Band {
                    columns: column..column + 1,
                    widths: vec![least],
                }),
            }
        }
        for line in &mut lines {
            let mut spare = room - line.width();
            for (width, column) in line.widths.iter_mut().zip(line.columns.clone()) {
                let wanted = self.width_of(column, |_, text| get_line_width(text));
                let more = wanted.saturating_sub(*width).min(spare);
                *width += more;
                spare -= more;
            }
        }
        lines
    }

    fn width_of(&self, column: usize, width: impl Fn(usize, &str) -> usize) -> usize {
        let cells = self.rows.iter().map(|row| &row.cells[column]);
        cells.map(|cell| width(column, cell)).max().unwrap_or(0)
    }

    fn grid(&self, line: &Band, screen: Screen) -> Grid {
        let mut cells: Vec<Vec<String>> = Vec::new();
        let mut heights = Vec::new();
        let mut colours = HashMap::new();
        for row in &self.rows {
            let parts = row.cells[line.columns.clone()].iter().zip(&line.widths);
            let parts: Vec<_> = parts.map(|(cell, width)| broken(cell, *width)).collect();
            let height = parts.iter().map(Vec::len).max().unwrap_or(0);
            for at in 0..height {
                let part = |parts: &Vec<String>| parts.get(at).cloned().unwrap_or_default();
                let shown: Vec<String> = parts.iter().map(part).collect();
                let colour = row.colour.as_ref().filter(|_| screen.colour);
                let coloured = shown
                    .iter()
                    .enumerate()
                    .filter(|(_, cell)| !cell.is_empty());
                colours.extend(coloured.flat_map(|(column, _)| {
                    let place = Position::new(cells.len(), column);
                    colour.map(|colour| (place, colour.clone()))
                }));
                cells.push(shown);
            }
            heights.push(height);
        }
        let texts = self.texts.saturating_sub(line.columns.start);
        let widths = aligned(&mut cells, texts);
        let ruler = widths.iter().map(|width| "-".repeat(width + 2));
        let ruler = ruler.collect::<Vec<_>>().join("+");
        let width = ruler.len();
        let text = joined(cells, widths, colours);
        let mut lines = text.lines().map(str::to_owned);
        let rows = heights.into_iter();
        Grid {
            rows: rows
                .map(|height| lines.by_ref().take(height).collect())
                .collect(),
            ruler: (self.rows.len() > 1).then_some(ruler),
            width,
        }
    }
}

/// Aligns numbers to the right, and returns the widths of the columns.
fn aligned(cells: &mut [Vec<String>], texts: usize) -> Vec<usize> {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let widths = cells.iter().map(|row| get_line_width(&row[column]));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in cells {
        for (cell, width) in row.iter_mut().zip(&widths).skip(texts) {
            *cell = " ".repeat(width - get_line_width(cell)) + cell;
        }
    }
    widths
}

/// Cells of one line each, with a blank on both sides, and lines between the columns.
fn joined(
    cells: Vec<Vec<String>>,
    widths: Vec<usize>,
    colours: HashMap<Position, Color>,
) -> String {
    let blank = Indent::spaced(1);
    let none = Indent::zero();
    let config = CompactConfig::new()
        .set_padding(Sides::new(blank, blank, none, none))
        .set_borders(Borders {
            vertical: Some('|'),
            ..Borders::empty()
        });
    let columns = widths.len();
    let records = IterRecords::new(cells, columns, None);
    CompactGrid::new(records, config, Widths(widths), colours).to_string()
}

/// The widths of the columns of a grid, without their blanks.
struct Widths(Vec<usize>);

impl Dimension for Widths {
    fn get_width(&self, column: usize) -> usize {
        self.0[column] + 2
    }

    fn get_height(&self, _row: usize) -> usize {
        1
    }
}

impl Row {
    /// A further line with only empty cells is not shown.
    fn goes_on_in(&self, line: &Band) -> bool {
        let mut cells = self.cells[line.columns.clone()].iter();
        line.columns.start == 0 || cells.any(|cell| !cell.is_empty())
    }
}

/// Writes the lines of a row; further ones are indented. Their trailing blank is left out if there
/// is no room for it.
fn write(text: &mut String, line: &Band, grid: &Grid, row: usize, room: usize) {
    let is_indented = line.columns.start > 0 && grid.width + INDENT <= room;
    let indent = if is_indented { INDENT } else { 0 };
    for shown in &grid.rows[row] {
        *text += &" ".repeat(indent);
        *text += match shown.strip_suffix(' ') {
            Some(cut) if indent + grid.width > room => cut,
            _ => shown,
        };
        text.push('\n');
    }
}

/// The separator between titles and rows. On one line it crosses the lines between the columns.
fn ruler(grids: &[Grid], room: usize) -> String {
    let mut ruler = match grids {
        [
            Grid {
                ruler: Some(ruler), ..
            },
        ] => ruler.clone(),
        grids => "-".repeat(grids.iter().map(|grid| grid.width).max().unwrap_or(0)),
    };
    ruler.truncate(room);
    ruler
}

/// The minimum width of a text column. The name of a row is never split.
fn least_width(column: usize, text: &str) -> usize {
    match column {
        0 => get_line_width(text),
        _ => text.split(' ').map(get_line_width).max().unwrap_or(0),
    }
}

/// A text on as many lines as it needs in this width.
fn broken(text: &str, width: usize) -> Vec<String> {
    if get_line_width(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let parts = if get_line_width(word) <= width {
            vec![word.to_owned()]
        } else {
            parts(word, width)
        };
        for (index, part) in parts.into_iter().enumerate() {
            match lines.last_mut() {
                Some(line)
                    if index == 0 && get_line_width(line) + 1 + get_line_width(&part) <= width =>
                {
                    *line = format!("{line} {part}");
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

/// The parts of a word that is too long: an address is separated from its brackets and port, and
/// only other text is cut.
fn parts(word: &str, width: usize) -> Vec<String> {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let in_brackets = word.strip_prefix('[').and_then(|word| word.split_once(']'));
    if let Some((address, behind)) = in_brackets.filter(|(inside, _)| is_address(inside)) {
        return vec!["[".to_owned(), address.to_owned(), format!("]{behind}")];
    }
    let host = word.split_once(':').map_or(word, |(host, _)| host);
    if is_address(host) || is_address(word) {
        return vec![word.to_owned()];
    }
    let mut parts = vec![String::new()];
    for letter in word.chars() {
        let last = parts.len() - 1;
        let is_full = get_line_width(&parts[last]) + get_char_width(letter) > width;
        if !parts[last].is_empty() && is_full {
            parts.push(letter.to_string());
        } else {
            parts[last].push(letter);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(width: usize, texts: &[&str], numbers: &[&str], rows: &[&[&str]]) -> String {
        let mut sheet = Sheet::new(texts, numbers);
        for row in rows {
            let cells = row.iter().map(|cell| (*cell).to_owned()).collect();
            sheet.add(cells);
        }
        let screen = Screen {
            width: Some(width),
            colour: false,
        };
        sheet.laid_out(screen)
    }

    const SERVICES: &[&[&str]] = &[
        &["TCP  192.0.2.1:80", "wlc persistent 300"],
        &["-> 10.0.0.1:8080", "masq", "1", "12"],
    ];

    #[test]
    fn what_fits_is_on_one_line() {
        let text = laid_out(60, &["Service", "How"], &["Weight", "Active"], SERVICES);
        let expected = "
 Service           | How                | Weight | Active 
-------------------+--------------------+--------+--------
 TCP  192.0.2.1:80 | wlc persistent 300 |        |        
 -> 10.0.0.1:8080  | masq               |      1 |     12 
";
        assert_eq!(text, expected[1..]);
    }

    #[test]
    fn words_get_lines_of_their_own_before_columns_do() {
        let text = laid_out(51, &["Service", "How"], &["Weight", "Active"], SERVICES);
        let expected = "
 Service           | How        | Weight | Active 
-------------------+------------+--------+--------
 TCP  192.0.2.1:80 | wlc        |        |        
                   | persistent |        |        
                   | 300        |        |        
 -> 10.0.0.1:8080  | masq       |      1 |     12 
";
        assert_eq!(text, expected[1..]);
    }

    #[test]
    fn other_columns_go_on_below() {
        let text = laid_out(36, &["Service", "How"], &["Weight", "Active"], SERVICES);
        let expected = "
 Service           | How            
   Weight | Active 
------------------------------------
 TCP  192.0.2.1:80 | wlc persistent 
                   | 300            
 -> 10.0.0.1:8080  | masq           
        1 |     12 
";
        assert_eq!(text, expected[1..]);
    }

    #[test]
    fn addresses_stay_whole() {
        let address = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
        assert_eq!(
            broken(&format!("-> [{address}]:http"), 40),
            ["-> [", address, "]:http"]
        );
        assert_eq!(broken("10.0.0.1:80", 5), ["10.0.0.1:80"]);
        assert_eq!(broken("a.long.name:http", 7), ["a.long.", "name:ht", "tp"]);
    }
}
