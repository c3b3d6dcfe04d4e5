//! The static build: a single file without dependencies that still resolves names.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Result, anyhow, ensure};

use crate::lab::boot::Kit;
use crate::lab::kernels::{self, Kernel};
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Program, World};
use crate::lab::{explain, ours};
use crate::selftest::{self, SelfTest};

pub const TEST: SelfTest = SelfTest {
    name: "static_build::names_without_libraries",
    kernels: &kernels::USER_MODE,
    run: build_and_run,
};

/// Its name among the programs in the guests.
const PROGRAM: &str = "ours/static";

/// The part of the test that runs inside a guest.
const INSIDE: &str = "static_build";

/// The only files it has inside.
const ROOT: &str = "/run/static";

fn build_and_run(kernel: Kernel, kit: Arc<Kit>) -> Result<()> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build(&kit).map_err(|error| explain(&error)));
    built.clone().map_err(|reason| anyhow!(reason))?;
    let [outcome] = selftest::outcomes(kernel, kit, [INSIDE])?;
    outcome.map_err(|reason| anyhow!(reason))
}

fn build(kit: &Kit) -> Result<()> {
    fs::copy(ours::static_program()?, kit.path().join(PROGRAM))?;
    Ok(())
}

pub fn inside() -> KernelTest {
    KernelTest::new(INSIDE, run)
}

/// There are no libraries, and `/etc/nsswitch.conf` names some.
fn run(world: &mut World) -> Result<()> {
    let root = Path::new(ROOT);
    fs::create_dir_all(root.join("etc"))?;
    fs::copy(
        Path::new("/run/lab/kit").join(PROGRAM),
        root.join("ipvsadm"),
    )?;
    for names in ["etc/hosts", "etc/services", "etc/protocols"] {
        fs::copy(Path::new("/").join(names), root.join(names))?;
    }
    let sources = "hosts: absent [!UNAVAIL=return]\nservices: absent\nprotocols: absent\n";
    fs::write(root.join("etc/nsswitch.conf"), sources)?;
    let director = world.namespace("director")?;
    let service = ["-t", "web1.example.net:http"];
    ipvsadm(&director, &[&["-A"], &service[..], &["-s", "rr"]].concat())?;
    let server = ["-r", "web6.example.net:http", "-i"];
    ipvsadm(&director, &[&["-a"], &service[..], &server].concat())?;
    let numbers = "-A -t 10.1.1.1:80 -s rr\n\
        -a -t 10.1.1.1:80 -r [2001:db8::1]:80 -i -w 1 --tun-type ipip\n";
    ensure_saved(&director, "-Sn", numbers)?;
    let names = "-A -t web1.example.net:http -s rr\n\
        -a -t web1.example.net:http -r [web6.example.net]:http -i -w 1 --tun-type ipip\n";
    ensure_saved(&director, "-S", names)
}

fn ensure_saved(director: &Namespace, command: &str, expected: &str) -> Result<()> {
    let saved = String::from_utf8(ipvsadm(director, &[command])?)?;
    ensure!(
        saved == expected,
        "{command} printed\n{saved}instead of\n{expected}"
    );
    Ok(())
}

fn ipvsadm(director: &Namespace, words: &[&str]) -> Result<Vec<u8>> {
    let program = Program::new("chroot").args([ROOT, "/ipvsadm"]);
    director.run(&program.args(words))?.success()
}
