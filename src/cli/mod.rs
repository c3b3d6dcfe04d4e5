//! From words to commands.

pub mod complete;
pub mod help;
mod kinds;
mod live;
pub mod meaning;
pub mod options;
mod table;
pub mod values;
pub mod words;
