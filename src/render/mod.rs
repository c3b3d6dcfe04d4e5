//! Turns the model into text, with one file for each format. All formats write to the same buffer.

mod address;
mod classic;
mod endpoint;
mod flags;
mod format;
mod harmless;
mod json;
mod out;
mod people;
mod prometheus;
pub mod report;
pub mod save;
pub mod screen;
mod sheet;
pub mod steps;
mod time;

pub use format::{Extent, Renderer, format};
pub use harmless::harmless;
pub use json::Json;
pub use out::Out;
pub use people::Screen;
pub use time::utc;

use crate::model::Mask;

fn mask(out: &mut Out, mask: Mask) {
    match mask {
        Mask::V4(mask) => address::ipv4(out, mask),
        Mask::V6(length) => drop(out.number(length)),
    }
}
