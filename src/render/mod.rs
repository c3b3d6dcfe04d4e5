//! From the model to bytes: a file per format over one buffer.

pub mod connections;
mod endpoint;
mod flags;
pub mod listing;
mod out;
pub mod save;
pub mod settings;

pub use out::Out;

use crate::model::Mask;

fn mask(out: &mut Out, mask: Mask) {
    match mask {
        Mask::V4(address) => out.text(address.to_string()),
        Mask::V6(length) => out.number(length),
    };
}
