//! From words to commands.

pub mod clap;
pub mod meaning;
pub mod options;
pub mod values;
pub mod words;
