//! Tests against a real kernel.

#[path = "../lab/mod.rs"]
mod lab;

use lab::*;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    match std::env::var(supervise::ROLE).as_deref() {
        Ok(supervise::SUPERVISOR) => return supervise::supervise(),
        Ok(guest::GUEST_ROLE) => {
            let t = std::time::Instant::now();
            let r = guest::enter_guest();
            println!("{r:?} {:?}", t.elapsed());
            println!(
                "{}",
                std::fs::read_to_string("/proc/modules").unwrap_or_default()
            );
            let out = std::process::Command::new("/opt/reference/ipvsadm")
                .arg("-Ln")
                .output();
            println!("{out:?} {:?}", t.elapsed());
            std::fs::write("/dev/tty1", "hello\n")?;
            sys::power_off();
        }
        _ => {}
    }
    sys::die_with_parent();
    let kit = boot::Kit::new(&[])?;
    for k in kernels::wanted()? {
        let t = std::time::Instant::now();
        let mut g = boot::Guest::boot(k, &kit, guest::GUEST_ROLE, &[])?;
        let mut s = String::new();
        let r = std::io::Read::read_to_string(&mut g.link(), &mut s);
        println!("{k} {r:?} {s} {:?} {:?}", g.wait(), t.elapsed());
        println!("{}", g.console_tail());
    }
    Ok(ExitCode::SUCCESS)
}
