//! Debian's stock kernel under emulation, in which every instruction costs about the same.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::lab::boot::{Guest, Kit};
use crate::lab::supervise::{self, ROLE};
use crate::lab::{fetch, sys};

/// The role of process 1 there.
pub const ROLE_INSIDE: &str = "bench-emulated";

/// What the loading of IPVS takes, in this order.
const MODULES: &[&str] = &[
    "kernel/lib/libcrc32c.ko",
    "kernel/net/ipv4/netfilter/nf_defrag_ipv4.ko",
    "kernel/net/ipv6/netfilter/nf_defrag_ipv6.ko",
    "kernel/net/netfilter/nf_conntrack.ko",
    "kernel/net/netfilter/ipvs/ip_vs.ko",
    "kernel/net/netfilter/ipvs/ip_vs_rr.ko",
    "kernel/net/netfilter/ipvs/ip_vs_wrr.ko",
];

/// The emulator with everything it needs, and the kernel.
pub struct Emulator {
    folder: PathBuf,
    files: PathBuf,
    pub clock: Clock,
    processors: usize,
}

/// What time is in there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Wall,
    /// The number of instructions, whatever else this machine does.
    Instructions,
}

impl Emulator {
    pub fn new(kit: &Kit, clock: Clock) -> Result<Self> {
        let folder = fetch::stock_kernel()?;
        let files = kit.path().join("initramfs");
        let modules = only_entry(&folder.join("lib/modules"))?;
        let mut archive = Archive::new(&files)?;
        archive.program("/init", &kit.runner())?;
        archive.program(
            "/run/lab/kit/ours/ipvsadm",
            &kit.path().join("ours/ipvsadm"),
        )?;
        archive.program(
            "/opt/reference/ipvsadm",
            &fetch::tools()?.join("opt/reference/ipvsadm"),
        )?;
        archive.program("/bin/cat", Path::new("/bin/cat"))?;
        archive.program("/bin/ip", &fetch::tools()?.join("bin/ip"))?;
        for (number, module) in MODULES.iter().enumerate() {
            archive.file(&module_path(number), &modules.join(module))?;
        }
        for folder in ["/proc", "/tmp"] {
            archive.folder(folder)?;
        }
        archive.finish()?;
        Ok(Emulator {
            folder,
            files,
            clock,
            processors: 1,
        })
    }

    pub fn with_processors(self, processors: usize) -> Self {
        Self { processors, ..self }
    }

    pub fn boot(&self, variables: &[(&str, &str)]) -> Result<Guest> {
        // The emulator translates a program anew wherever else in memory it runs.
        let mut words = format!("console=ttyS0 quiet panic=-1 norandmaps {ROLE}={ROLE_INSIDE}");
        for (name, value) in variables {
            words += &format!(" {name}={value}");
        }
        let libraries = self.folder.join(fetch::LIBRARIES);
        let kernel = fs::read_dir(self.folder.join("boot"))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains("vmlinuz"))
            .context("a package without a kernel")?;
        let mut command = supervise::command("env")?;
        command
            .arg(format!("QEMU_MODULE_DIR={}/qemu", libraries.display()))
            .arg(self.folder.join("lib64/ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(&libraries)
            .arg(self.folder.join("usr/bin/qemu-system-x86_64"))
            .arg("-L")
            .arg(self.folder.join("usr/share/qemu"))
            .arg("-L")
            .arg(self.folder.join("usr/share/seabios"))
            .args(["-accel", "tcg"])
            .args(match self.clock {
                Clock::Wall => &[][..],
                Clock::Instructions => &["-icount", "shift=0,sleep=off"],
            })
            .args(["-smp", &self.processors.to_string()])
            .args(["-m", "1024", "-nodefaults", "-display", "none"])
            .args(["-chardev", "socket,id=console,fd=1"])
            .args(["-chardev", "socket,id=channel,fd=0"])
            .args(["-serial", "chardev:console", "-serial", "chardev:channel"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(&self.files)
            .arg("-append")
            .arg(words);
        Guest::start(command)
    }
}

fn module_path(number: usize) -> String {
    format!("/modules/{number}.ko")
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().context("an empty folder")??.path())
}

/// Process 1's first steps.
pub fn enter() -> Result<()> {
    sys::mount(Path::new("none"), Path::new("/proc"), "proc", 0, "")?;
    sys::mount(Path::new("none"), Path::new("/dev"), "devtmpfs", 0, "")?;
    sys::mount(Path::new("none"), Path::new("/tmp"), "tmpfs", 0, "")?;
    for (number, module) in MODULES.iter().enumerate() {
        let file = File::open(module_path(number))?;
        sys::load_module(&file).with_context(|| format!("loading {module}"))?;
    }
    Ok(())
}

/// Files on their way into a kernel's first file system, in the format called `newc`.
struct Archive {
    out: BufWriter<File>,
    /// The paths in it so far.
    paths: Vec<PathBuf>,
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_755;

impl Archive {
    fn new(path: &Path) -> Result<Self> {
        Ok(Archive {
            out: BufWriter::new(File::create(path)?),
            paths: vec!["/".into()],
        })
    }

    /// Adds a program and the libraries that it loads.
    fn program(&mut self, path: &str, source: &Path) -> Result<()> {
        self.file(path, source)?;
        let libraries = fetch::tools()?.join(fetch::LIBRARIES);
        let output = Command::new("ldd")
            .arg(source)
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .output()
            .context("running ldd")?;
        let said = String::from_utf8_lossy(&output.stdout);
        for library in said.split_whitespace().filter(|word| word.starts_with('/')) {
            let library = Path::new(library);
            let name = library.file_name().context("a library without a name")?;
            let folder = match name.to_string_lossy().starts_with("ld-linux") {
                true => "/lib64",
                false => "/lib/x86_64-linux-gnu",
            };
            let path = Path::new(folder).join(name);
            if !self.paths.contains(&path) {
                self.file(path.to_str().context("an odd name")?, library)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str, source: &Path) -> Result<()> {
        if let Some(folder) = Path::new(path).parent().and_then(Path::to_str) {
            self.folder(folder)?;
        }
        let bytes = fs::read(source).with_context(|| format!("reading {}", source.display()))?;
        self.entry(path, FILE, &bytes)
    }

    fn folder(&mut self, path: &str) -> Result<()> {
        if self.paths.iter().any(|known| known == Path::new(path)) {
            return Ok(());
        }
        if let Some(parent) = Path::new(path).parent().and_then(Path::to_str) {
            self.folder(parent)?;
        }
        self.entry(path, FOLDER, &[])
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.paths.push(path.into());
        let name = path.trim_start_matches('/');
        let number = self.paths.len() as u32;
        let (length, name_length) = (bytes.len() as u32, name.len() as u32 + 1);
        write!(self.out, "070701")?;
        for field in [number, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0] {
            write!(self.out, "{field:08x}")?;
        }
        self.padded(&[name.as_bytes(), b"\0"].concat(), 110)?;
        self.padded(bytes, 0)
    }

    /// Bytes behind `before` others, and as many NULs as end them at a multiple of four.
    fn padded(&mut self, bytes: &[u8], before: usize) -> Result<()> {
        let length = before + bytes.len();
        self.out.write_all(bytes)?;
        self.out
            .write_all(&[0; 3][..length.next_multiple_of(4) - length])?;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.entry("/TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(())
    }
}
