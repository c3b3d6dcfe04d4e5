//! What a whole program run in process ends with where there is no kernel.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use ipvsadm::app::{self, Env};

/// A file that takes nothing.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The status, and what is said on standard error.
fn run(mut env: Env, line: &str) -> (u8, String) {
    let (said, sink) = UnixStream::pair().unwrap();
    env.stderr.sink = Box::new(sink);
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let status = app::run(&words, &mut env);
    drop(env);
    (status, io::read_to_string(said).unwrap())
}

/// A status of 1 would say that the table differs, or that something is wrong with the host.
#[test]
fn output_that_is_lost_is_no_finding() {
    let full = (2, "cannot write: no storage space\n".to_owned());
    // A reader that goes away has seen enough.
    let gone = (2, String::new());
    for line in ["ipvsadm --check --json", "ipvsadm --doctor --json"] {
        for (kind, expected) in [
            (io::ErrorKind::StorageFull, &full),
            (io::ErrorKind::BrokenPipe, &gone),
        ] {
            let mut env = Env::empty();
            env.stdout.sink = Box::new(Refusing(kind));
            assert_eq!(run(env, line), *expected, "{line}");
        }
    }
}

/// It would fill the memory.
#[test]
fn input_without_an_end_is_not_read_to_its_end() {
    for line in ["ipvsadm --check -", "ipvsadm --doctor -"] {
        let mut env = Env::empty();
        env.stdin.source = Box::new(io::repeat(b'\n').take(1_000_001));
        let expected = (2, "more than 1000000 lines\n".to_owned());
        assert_eq!(run(env, line), expected, "{line}");
    }
}
