//! Numbers, names and curves in few characters.

use tabled::grid::util::string::{get_char_width, get_line_width};

use super::Manner;

pub fn width_of(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        get_line_width(text)
    }
}

/// A number in at most five characters, as in `1.23k`, or in full if `exact`.
pub fn short(number: f64, exact: bool) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    if exact {
        return format!("{number:.0}");
    }
    let mut number = number;
    let mut unit = 0;
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let decimals = match number {
        0.0 => 0,
        _ if number >= 99.95 => 0,
        _ if unit == 0 && number.fract() == 0.0 => 0,
        _ if unit == 0 || number >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$}{}", UNITS[unit])
}

/// The text with blanks up to a width.
pub fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(width_of(text));
    format!("{text}{:blanks$}", "")
}

/// The text, without its middle if it does not fit: names differ most at their ends.
pub fn fit(text: &str, width: usize, manner: Manner) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let room = width - 1;
    let front = head(text.chars(), room - room / 2);
    let back: Vec<char> = head(text.chars().rev(), room / 2).chars().rev().collect();
    let gap = if manner.unicode { '…' } else { '~' };
    front.chars().chain([gap]).chain(back).collect()
}

/// As many characters as fit.
pub fn head(letters: impl Iterator<Item = char>, width: usize) -> String {
    let mut room = width;
    let fits = |letter: &char| {
        let rest = room.checked_sub(get_char_width(*letter));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    letters.take_while(fits).collect()
}

/// A curve one character high, scaled so that the largest value has full height.
pub fn curve(values: &[f32], manner: Manner) -> String {
    let levels: [char; 8] = if manner.unicode {
        ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    } else {
        ['.', ':', '-', '=', '+', '*', '%', '#']
    };
    let highest = values.iter().copied().fold(0.0, f32::max);
    let level = |value: f32| match value / highest * levels.len() as f32 {
        height if height > 0.0 => levels[(height.ceil() as usize).min(levels.len()) - 1],
        _ => ' ',
    };
    values.iter().map(|value| level(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNER: Manner = Manner {
        unicode: true,
        colour: false,
        exact: false,
    };

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.25, "0.2"),
            (3.0, "3"),
            (99.97, "100"),
            (999.4, "999"),
            (999.9, "1.00k"),
            (12_345.0, "12.3k"),
            (999_400.0, "999k"),
            (1_234_567.0, "1.23M"),
            (u64::MAX as f64, "18.4E"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number, false), text);
        }
        assert_eq!(short(1_234_567.0, true), "1234567");
    }

    #[test]
    fn what_does_not_fit_loses_its_middle() {
        assert_eq!(fit("10.0.0.1:80", 11, MANNER), "10.0.0.1:80");
        assert_eq!(fit("10.0.0.1:80", 8, MANNER), "10.0…:80");
        let ascii = Manner {
            unicode: false,
            ..MANNER
        };
        assert_eq!(fit("10.0.0.1:80", 2, ascii), "1~");
        assert_eq!(fit("10.0.0.1:80", 0, ascii), "");
        assert_eq!(fit("漢字漢字", 5, MANNER), "漢…字");
    }

    #[test]
    fn a_curve_reaches_the_top() {
        assert_eq!(curve(&[0.0, 1.0, 4.0, 8.0], MANNER), " ▁▄█");
        assert_eq!(curve(&[0.0, 0.0], MANNER), "  ");
        assert_eq!(curve(&[], MANNER), "");
    }
}
