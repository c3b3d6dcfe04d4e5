//! Options that go with every command.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::cli::complete::Completes;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Value};

pub const GROUP: Group = Group {
    name: "ALWAYS",
    options: OPTIONS,
};

pub const NETNS: Slot = Slot::new(60, "netns");

const OPTIONS: &[OptionSpec] = &[OptionSpec {
    long: "netns",
    slot: NETNS,
    is_global: true,
    value: Value::Required(Form {
        name: "name",
        allowed: "",
        completes: Completes::Namespaces,
    }),
    take: |line, text| {
        line.netns = text.map(OsStr::from_bytes);
        Ok(())
    },
    help: "in this network namespace",
    manual: "\
        Works in another network namespace: a name that ip netns lists, or a path such as \
        /proc/4711/ns/net. It goes with every command and may come before it. Host names are \
        looked up outside the namespace. It needs CAP_SYS_ADMIN. A file of commands cannot contain \
        it: put it on the command line that reads the file.",
    ..OPTION
}];
