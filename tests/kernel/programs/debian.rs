//! A Debian 12 with the programs installed, in which ours is `ipvsadm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::lab::world::{Program, Side};
use crate::lab::{guest, sys};

const ROOT: &str = "/run/debian";

/// It is mounted as long as this lives; what is written there goes with it.
pub struct Debian;

impl Debian {
    pub fn new() -> Result<Self> {
        let installed = guest::programs()?;
        fs::create_dir_all(ROOT)?;
        bind(&installed, Path::new(ROOT))?;
        let debian = Debian;
        for folder in ["etc", "run", "tmp", "var"] {
            sys::mount(Path::new("none"), &path(folder), "tmpfs", 0, "")?;
        }
        let copied = Command::new("cp")
            .arg("-a")
            .arg(installed.join("etc/."))
            .arg(path("etc"))
            .status()?;
        ensure!(copied.success(), "copying the configuration failed");
        for folder in ["run/lock", "var/lib", "var/log"] {
            fs::create_dir_all(path(folder))?;
        }
        std::os::unix::fs::symlink("/run", path("var/run"))?;
        for folder in ["dev", "proc"] {
            bind(&Path::new("/").join(folder), &path(folder))?;
        }
        bind(
            &Path::new(Side::Ours.folder()).join("ipvsadm"),
            &path("usr/sbin/ipvsadm"),
        )?;
        Ok(debian)
    }

    /// One of the programs, by its name.
    pub fn program(&self, name: &str) -> Program {
        Program::new("chroot").args([ROOT, name])
    }

    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        Ok(fs::write(path(file), text)?)
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = sys::unmount(Path::new(ROOT));
    }
}

fn path(inside: &str) -> PathBuf {
    Path::new(ROOT).join(inside.trim_start_matches('/'))
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    sys::mount(source, target, "", libc::MS_BIND | libc::MS_REC, "")
}
