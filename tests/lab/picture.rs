//! A picture of a terminal's screen, as SVG with text.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// The size of a character.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;

const BACKGROUND: &str = "#1c1c24";
const FOREGROUND: &str = "#d8d8de";

/// The style of a character: its foreground and background colours, and whether it is bold.
type Look = (&'static str, &'static str, bool);

pub fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (f32::from(columns + 2) * WIDTH, f32::from(rows + 1) * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        let cells = (0..columns).filter_map(|column| screen.cell(row, column));
        let cells: Vec<&Cell> = cells.collect();
        let mut start = 0;
        for run in cells.chunk_by(|one, other| look(one) == look(other)) {
            let text: String = run.iter().map(|cell| letter(cell)).collect();
            draw(&mut svg, look(run[0]), (row, start), &text);
            start += run.len();
        }
    }
    svg + "</svg>\n"
}

/// Draws a run of characters of the same style.
fn draw(svg: &mut String, (front, back, is_bold): Look, (row, column): (u16, usize), text: &str) {
    let length = text.chars().count() as f32 * WIDTH;
    let (x, y) = (
        (column + 1) as f32 * WIDTH,
        f32::from(row) * HEIGHT + HEIGHT / 2.0,
    );
    if back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{back}\"/>"
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if is_bold { " font-weight=\"bold\"" } else { "" };
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.0}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{front}\"{weight}>{text}</text>",
        y + HEIGHT * 0.75
    );
}

fn letter(cell: &Cell) -> &str {
    match cell.contents() {
        "" => " ",
        letter => letter,
    }
}

fn look(cell: &Cell) -> Look {
    let colour = match cell.fgcolor() {
        Color::Idx(1) => "#f07070",
        Color::Idx(3) => "#e0c060",
        Color::Idx(6) => "#60c8d8",
        _ => FOREGROUND,
    };
    if cell.inverse() {
        (BACKGROUND, colour, cell.bold())
    } else {
        (colour, BACKGROUND, cell.bold())
    }
}
