//! Runs the program with the arguments and the environment of this process.

mod process;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use ipvsadm::app;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let arguments: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    ExitCode::from(app::run(&arguments, &mut process::env()))
}
