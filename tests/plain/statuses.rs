//! The exit status of whole program runs, in process and without a kernel.

use std::io::{self, Read, Write};

use crate::common::{Ran, run};

/// A file that cannot be written to.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ended(ran: &Ran) -> (u8, &[u8]) {
    (ran.status, &ran.stderr)
}

/// A status of 1 would mean that the table differs, or that something is wrong with the host.
#[test]
fn lost_output_is_not_a_finding() {
    let full = (2, &b"cannot write: no storage space\n"[..]);
    // A reader that closes the pipe has seen enough.
    let gone = (2, &b""[..]);
    for line in ["ipvsadm --check --json", "ipvsadm --doctor --json"] {
        for (kind, expected) in [
            (io::ErrorKind::StorageFull, full),
            (io::ErrorKind::BrokenPipe, gone),
        ] {
            let ran = run(line, |env| env.stdout.sink = Box::new(Refusing(kind)));
            assert_eq!(ended(&ran), expected, "{line}");
        }
    }
}

/// It would fill up the memory.
#[test]
fn endless_input_is_refused() {
    for line in ["ipvsadm --check -", "ipvsadm --doctor -"] {
        let ran = run(line, |env| {
            env.stdin.source = Box::new(io::repeat(b'\n').take(1_000_001));
        });
        assert_eq!(
            ended(&ran),
            (2, &b"more than 1000000 lines\n"[..]),
            "{line}"
        );
    }
}
