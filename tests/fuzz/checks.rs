//! Files that `--check` looks at: each line that is wrong is named once, in text and in JSON alike.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use anyhow::Result;
use ipvsadm::app::{self, Env};
use serde_json::Value;

use crate::drive::{Reader, Surface};
use crate::rules;

pub const SURFACE: Surface = Surface {
    name: "checks",
    quick: 300,
    mill: rules::mill,
    open,
};

fn open() -> Result<Reader> {
    Ok(Box::new(|text, _| {
        let plain = check(&[b"ipvsadm", b"--check"], text);
        let strict = check(&[b"ipvsadm", b"--check", b"--strict"], text);
        let json = check(&[b"ipvsadm", b"--check", b"--json"], text);
        let document: Value = serde_json::from_slice(&json.stdout).expect("JSON");
        let errors = findings(&document, "errors", "");
        let warnings = findings(&document, "warnings", "warning: ");

        let is_wrong = !errors.is_empty();
        assert_eq!(plain.status, if is_wrong { 2 } else { 0 });
        assert_eq!(json.status, plain.status);
        let strictly = u8::from(!warnings.is_empty());
        assert_eq!(strict.status, if is_wrong { 2 } else { strictly });
        assert!(plain.stdout.is_empty() && strict.stdout.is_empty() && json.stderr.is_empty());
        assert_eq!(strict.stderr, plain.stderr);
        // In JSON, bytes that are not UTF-8 become U+FFFD.
        let said = String::from_utf8_lossy(&plain.stderr);
        assert_eq!(said, [errors, warnings].concat().concat());
    }))
}

/// The findings of one kind as lines of text.
fn findings(document: &Value, kind: &str, mark: &str) -> Vec<String> {
    let findings = document[kind].as_array().expect("findings").iter();
    let line = |found: &Value| {
        let text = found["text"].as_str().expect("a text");
        format!("line {}: {mark}{text}\n", found["line"])
    };
    findings.map(line).collect()
}

struct Outcome {
    status: u8,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs the whole program over this input. It must ask nothing of the kernel.
fn check(arguments: &[&[u8]], text: &[u8]) -> Outcome {
    let (stdout, stderr) = (Sink::default(), Sink::default());
    let mut env = Env::empty();
    env.stdin.source = Box::new(io::Cursor::new(text.to_vec()));
    env.stdout.sink = Box::new(stdout.clone());
    env.stderr.sink = Box::new(stderr.clone());
    env.open = Box::new(|_| panic!("it asks the kernel"));
    Outcome {
        status: app::run(arguments, &mut env),
        stdout: stdout.0.take(),
        stderr: stderr.0.take(),
    }
}

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
