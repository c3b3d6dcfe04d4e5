//! Arguments in, exit status out.

#![no_main]

mod process;

use ipvsadm::app;

/// Runs the program with the words that it was called with.
fn run(arguments: &[&[u8]]) -> u8 {
    app::run(arguments, &mut process::env())
}
