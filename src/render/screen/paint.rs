//! Turns lines into terminal output: only the changes.

use super::{Colour, Look, Manner, Size, Spans};

/// The current contents of a terminal.
#[derive(Debug, Default)]
pub struct Painter {
    size: Option<Size>,
    shown: Vec<String>,
}

impl Painter {
    /// The output that makes a terminal show these lines.
    pub fn paint(&mut self, lines: &[Spans], size: Size, manner: Manner) -> Vec<u8> {
        let mut text = String::new();
        if self.size != Some(size) {
            text += "\x1b[0m\x1b[2J";
            self.shown = vec![String::new(); size.rows];
            self.size = Some(size);
        }
        for (index, (shown, line)) in self.shown.iter_mut().zip(lines).enumerate() {
            let painted: String = line
                .iter()
                .map(|span| format!("{}{}", escape(span.look, manner), span.text))
                .collect();
            if painted != *shown {
                // Erased first: after the last column there is nothing to erase.
                let row = index + 1;
                text += &format!("\x1b[{row};1H\x1b[0m\x1b[2K{painted}\x1b[0m");
                *shown = painted;
            }
        }
        text.into_bytes()
    }

    /// Forgets the contents, because something else may be on the terminal now.
    pub fn forget(&mut self) {
        self.size = None;
    }
}

fn escape(look: Look, manner: Manner) -> String {
    let mut codes = "0".to_owned();
    if look.bold {
        codes += ";1";
    }
    if look.reverse {
        codes += ";7";
    }
    if let (Some(colour), true) = (look.colour, manner.colour) {
        codes += match colour {
            Colour::Cyan => ";36",
            Colour::Yellow => ";33",
            Colour::Red => ";31",
        };
    }
    format!("\x1b[{codes}m")
}
