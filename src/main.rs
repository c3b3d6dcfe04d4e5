//! Arguments in, exit status out.

mod ask;
mod console;
mod restore;
mod run;
mod show;
mod start;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut words = arguments.iter().map(|word| word.as_bytes());
    let program = words.next().unwrap_or(b"ipvsadm");
    let words: Vec<&[u8]> = words.collect();
    ExitCode::from(run::run(program, &words))
}
