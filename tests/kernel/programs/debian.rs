//! A Debian 12 with the programs installed, in which `ipvsadm` is ours.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::world::{Program, Side};
use crate::lab::{guest, sys};

/// How long a program may take: those in Perl and Python are slow to start.
const LIMIT: Duration = Duration::from_secs(60);

/// It stays mounted until this is dropped; files written there are then gone.
pub struct Debian {
    root: PathBuf,
}

impl Debian {
    /// One for the host of this name.
    pub fn new(host: &str) -> Result<Self> {
        let installed = guest::programs()?;
        let root = Path::new("/run/debian").join(host);
        fs::create_dir_all(&root)?;
        bind(&installed, &root)?;
        let debian = Debian { root };
        for folder in ["etc", "run", "tmp", "var"] {
            sys::mount(Path::new("none"), &debian.path(folder), "tmpfs", 0, "")?;
        }
        let copied = Command::new("cp")
            .arg("-a")
            .arg(installed.join("etc/."))
            .arg(debian.path("etc"))
            .status()?;
        ensure!(copied.success(), "copying the configuration failed");
        for folder in ["run/lock", "var/lib", "var/log"] {
            fs::create_dir_all(debian.path(folder))?;
        }
        symlink("/run", debian.path("var/run"))?;
        for folder in ["dev", "proc"] {
            bind(&Path::new("/").join(folder), &debian.path(folder))?;
        }
        let ours = Path::new(Side::Ours.folder()).join("ipvsadm");
        bind(&ours, &debian.path("usr/sbin/ipvsadm"))?;
        Ok(debian)
    }

    /// One of the programs, by name.
    pub fn program(&self, name: &str) -> Program {
        Program::new("chroot")
            .args([self.root.as_os_str(), name.as_ref()])
            .limit(LIMIT)
    }

    /// The path of one of its files, seen from outside.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file.trim_start_matches('/'))
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = sys::unmount(&self.root);
    }
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    sys::mount(source, target, "", libc::MS_BIND | libc::MS_REC, "")
}
