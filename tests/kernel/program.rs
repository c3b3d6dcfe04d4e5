//! The program itself, as users get it.

use anyhow::{Result, ensure};

use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new(
            "program::loads_the_c_library_alone",
            loads_the_c_library_alone,
        ),
        KernelTest::new(
            "program::completes_with_what_is_there",
            completes_with_what_is_there,
        ),
    ]
}

/// Each further library costs time at every start.
fn loads_the_c_library_alone(world: &mut World) -> Result<()> {
    let program = Program::ipvsadm(Side::Ours).env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = world.namespace("here")?.run(&program)?.success()?;
    let text = String::from_utf8(output)?;
    let loaded: Vec<&str> = text.lines().map(str::trim_start).collect();
    let expected = ["linux-vdso", "libc.so.6", "/lib64/ld-linux"];
    let is_expected = |line: &&str| expected.iter().any(|name| line.starts_with(name));
    ensure!(
        loaded.iter().any(|line| line.starts_with("libc.so.6")),
        "no C library in:\n{text}"
    );
    ensure!(loaded.iter().all(is_expected), "more is loaded:\n{text}");
    Ok(())
}

/// Completion reads what anyone may read, so it needs no rights.
fn completes_with_what_is_there(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let rules = "-A -t 10.0.0.1:80 -s rr\n\
                 -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5\n\
                 -A -t [2001:db8::1]:80\n\
                 -A -f 7 -6\n";
    let restore = Program::ipvsadm(Side::Ours).args(["-R"]).stdin(rules);
    here.run(&restore)?.success()?;
    let cases: [(&[&str], &str); 4] = [
        (&["-D", "-t", "1"], "10.0.0.1:80\trr, 1 server\n"),
        (&["-D", "-t["], "-t[2001:db8::1]:80\twlc, 0 servers\n"),
        (
            &["-d", "-t", "10.0.0.1:80", "-r", ""],
            "10.1.0.1:8080\tMasq, weight 5\n",
        ),
        (
            &["-D", "--fwmark-service="],
            "--fwmark-service=7\twlc, 0 servers\n",
        ),
    ];
    for (words, expected) in cases {
        let program = Program::ipvsadm(Side::Ours).args(words);
        let output = here.run(&program.env("IPVSADM_COMPLETE", "1"))?.success()?;
        let output = String::from_utf8(output)?;
        ensure!(
            output == expected,
            "{words:?} became\n{output}instead of\n{expected}"
        );
    }
    Ok(())
}
