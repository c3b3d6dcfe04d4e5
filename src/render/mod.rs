//! From the model to bytes: a file per format over one buffer.

mod address;
pub mod connections;
mod endpoint;
mod flags;
mod harmless;
pub mod json;
pub mod listing;
mod out;
pub mod save;
pub mod settings;
pub mod table;

pub use harmless::harmless;
pub use out::Out;

use crate::model::Mask;

fn mask(out: &mut Out, mask: Mask) {
    match mask {
        Mask::V4(mask) => address::ipv4(out, mask),
        Mask::V6(length) => drop(out.number(length)),
    }
}
