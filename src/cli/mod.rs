//! From words to commands.

pub mod clap;
pub mod complete;
mod kinds;
mod live;
pub mod meaning;
pub mod options;
mod table;
pub mod values;
pub mod words;
