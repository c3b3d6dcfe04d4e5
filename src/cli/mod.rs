//! From words to commands.

pub mod clap;
mod kinds;
pub mod meaning;
pub mod options;
mod table;
pub mod values;
pub mod words;
