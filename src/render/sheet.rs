//! Tables for people: columns as wide as what is in them.
//!
//! Where a screen has no room for all columns of a row, the others follow on further lines, in
//! their order. Before that, text between spaces gets lines of its own within its column. Nothing
//! is left out, and an address is never cut.

use std::net::IpAddr;
use std::ops::Range;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Screen;

const BETWEEN: &str = " | ";

/// The indentation of the further lines of a row, where there is room for it.
const INDENT: usize = 2;

/// The cells of a table.
pub struct Sheet {
    /// The first is the row of titles.
    rows: Vec<Row>,
    /// How many columns are text. The others are numbers, aligned to the right.
    texts: usize,
}

struct Row {
    cells: Vec<String>,
    style: Style,
}

/// What stands out on a screen with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Bold,
    Cyan,
    Yellow,
}

impl Style {
    /// The codes that switch it on and off.
    fn codes(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Plain => None,
            Self::Bold => Some(("\x1b[1m", "\x1b[22m")),
            Self::Cyan => Some(("\x1b[36m", "\x1b[39m")),
            Self::Yellow => Some(("\x1b[33m", "\x1b[39m")),
        }
    }
}

/// The columns that share a line, and how wide each is.
struct Line {
    columns: Range<usize>,
    widths: Vec<usize>,
}

impl Line {
    fn width(&self) -> usize {
        let between = BETWEEN.len() * self.widths.len().saturating_sub(1);
        self.widths.iter().sum::<usize>() + between
    }
}

impl Sheet {
    pub fn new(texts: &[&str], numbers: &[&str]) -> Self {
        let titles = texts.iter().chain(numbers);
        Self {
            rows: vec![Row {
                cells: titles.map(|title| (*title).to_owned()).collect(),
                style: Style::Bold,
            }],
            texts: texts.len(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn add(&mut self, style: Style, mut cells: Vec<String>) {
        cells.resize(self.rows[0].cells.len(), String::new());
        self.rows.push(Row { cells, style });
    }

    pub fn laid_out(&self, screen: Screen) -> String {
        // A blank begins each line, and ends it where there is room for that.
        let room = screen.width.map_or(usize::MAX, |width| width.max(2) - 1);
        let lines = self.lines(room);
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for line in &lines {
                row.write(&mut text, line, room, self.texts, screen.colour);
            }
            if number == 0 {
                text += &ruler(&lines, room);
            }
        }
        text
    }

    /// As many columns on each line as fit when texts are broken between words; these then take
    /// what room is left.
    fn lines(&self, room: usize) -> Vec<Line> {
        let columns = self.rows[0].cells.len();
        let mut lines: Vec<Line> = Vec::new();
        for column in 0..columns {
            let least = self.width_of(column, least_width).min(room);
            match lines.last_mut() {
                Some(line) if line.width() + BETWEEN.len() + least <= room => {
                    line.columns.end += 1;
                    line.widths.push(least);
                }
                _ => lines.push(Line {
                    columns: column..column + 1,
                    widths: vec![least],
                }),
            }
        }
        for line in &mut lines {
            let mut spare = room - line.width();
            for (width, column) in line.widths.iter_mut().zip(line.columns.clone()) {
                let wanted = self.width_of(column, |_, text| text.width());
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
}

impl Row {
    /// Writes the cells of a line, which may take several below each other. Those of further lines
    /// may all be empty: then there is nothing to write.
    fn write(&self, text: &mut String, line: &Line, room: usize, texts: usize, colour: bool) {
        let cells = &self.cells[line.columns.clone()];
        let goes_on = line.columns.start > 0;
        if goes_on && cells.iter().all(String::is_empty) {
            return;
        }
        let indent = if goes_on && line.width() + INDENT < room {
            INDENT
        } else {
            0
        };
        let end = if indent + line.width() < room {
            " "
        } else {
            ""
        };
        let codes = self.style.codes().filter(|_| colour).unwrap_or_default();
        let cells = cells.iter().zip(&line.widths);
        let cells: Vec<Vec<String>> = cells.map(|(cell, width)| broken(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for level in 0..height {
            *text += &" ".repeat(indent);
            for (index, column) in line.columns.clone().enumerate() {
                let cell = cells[index].get(level).map_or("", String::as_str);
                let padding = " ".repeat(line.widths[index].saturating_sub(cell.width()));
                let shown = match cell {
                    "" => String::new(),
                    cell => [codes.0, cell, codes.1].concat(),
                };
                *text += if index == 0 { " " } else { BETWEEN };
                match column < texts {
                    true => *text += &(shown + &padding),
                    false => *text += &(padding + &shown),
                }
            }
            *text += end;
            text.push('\n');
        }
    }
}

/// What stands between titles and rows.
fn ruler(lines: &[Line], room: usize) -> String {
    let ruler = match lines {
        [line] => {
            let parts = line.widths.iter().map(|width| "-".repeat(width + 2));
            let mut ruler = parts.collect::<Vec<_>>().join("+");
            ruler.truncate(room.saturating_add(1));
            ruler
        }
        lines => {
            let width = lines.iter().map(Line::width).max().unwrap_or(0);
            "-".repeat((width + 1).min(room) + 1)
        }
    };
    ruler + "\n"
}

/// How narrow the column of a text may be. What names a row stays together.
fn least_width(column: usize, text: &str) -> usize {
    match column {
        0 => text.width(),
        _ => text.split(' ').map(str::width).max().unwrap_or(0),
    }
}

/// A text on as many lines as it takes in this width.
fn broken(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let parts = if word.width() <= width {
            vec![word.to_owned()]
        } else {
            parts(word, width)
        };
        for (index, part) in parts.into_iter().enumerate() {
            match lines.last_mut() {
                Some(line) if index == 0 && line.width() + 1 + part.width() <= width => {
                    *line = format!("{line} {part}");
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

/// The parts of a word that is too long: an address is set apart from its brackets and its port,
/// and only what is no address is cut.
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
        let letter_width = letter.width().unwrap_or(0);
        if !parts[last].is_empty() && parts[last].width() + letter_width > width {
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
            sheet.add(Style::Plain, cells);
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
 Service           | How          | Weight | Active
-------------------+--------------+--------+-------
 TCP  192.0.2.1:80 | wlc          |        |       
                   | persistent   |        |       
                   | 300          |        |       
 -> 10.0.0.1:8080  | masq         |      1 |     12
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
