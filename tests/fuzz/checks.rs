//! Files for `--check`: each wrong line is reported once, the same in text and in JSON.

use std::io;

use anyhow::Result;
use serde_json::Value;

use crate::common::{Ran, run};
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
        let plain = check("ipvsadm --check", text);
        let strict = check("ipvsadm --check --strict", text);
        let json = check("ipvsadm --check --json", text);
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

/// Runs the whole program with this input. It must not talk to the kernel.
fn check(line: &str, text: &[u8]) -> Ran {
    let text = text.to_vec();
    run(line, |env| {
        env.stdin.source = Box::new(io::Cursor::new(text));
        env.open = Box::new(|_| panic!("it asks the kernel"));
    })
}
