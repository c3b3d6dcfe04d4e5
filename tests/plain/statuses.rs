//! What a whole program run in process ends with where there is no kernel.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use ipvsadm::app::{self, Env};

/// What was written.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

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
fn run(env: &mut Env, line: &str) -> (u8, String) {
    let said = Sink::default();
    env.stderr.sink = Box::new(said.clone());
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let status = app::run(&words, env);
    (status, String::from_utf8(said.0.take()).unwrap())
}

/// A status of 1 would say that the table differs, or that something is wrong with the host.
#[test]
fn output_that_is_lost_is_no_finding() {
    for line in ["ipvsadm --check --json", "ipvsadm --doctor --json"] {
        let mut env = Env::empty();
        env.stdout.sink = Box::new(Refusing(io::ErrorKind::StorageFull));
        let expected = (2, "cannot write: no storage space\n".to_owned());
        assert_eq!(run(&mut env, line), expected, "{line}");
        // A reader that goes away has seen enough.
        env.stdout.sink = Box::new(Refusing(io::ErrorKind::BrokenPipe));
        assert_eq!(run(&mut env, line), (2, String::new()), "{line}");
    }
}

/// It would fill the memory.
#[test]
fn input_without_an_end_is_not_read_to_its_end() {
    for line in ["ipvsadm --check -", "ipvsadm --doctor -"] {
        let mut env = Env::empty();
        env.stdin.source = Box::new(io::repeat(b'\n').take(1_000_001));
        let expected = (2, "more than 1000000 lines\n".to_owned());
        assert_eq!(run(&mut env, line), expected, "{line}");
    }
}
