//! Debian's stock kernels under emulation, in which every instruction costs about the same.
//!
//! They see only what the lab packs into their initial file system.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::boot::{Guest, Kit};
use super::kernels::Kernel;
use super::supervise::{self, ROLE};
use super::{fetch, guest, sys};

/// The modules to load, with their dependencies: IPVS, cables and switches, and packet marking.
const MODULES: &[&str] = &[
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "veth",
    "bridge",
    "nf_tables",
];

/// The path of the modules inside, in the order of loading.
const MODULES_INSIDE: &str = "/modules";

/// The tools in addition to both programs.
const TOOLS: &[&str] = &["bin/ip", "usr/sbin/nft"];

/// How a kernel is emulated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Emulation {
    pub clock: Clock,
    pub processors: usize,
}

/// The clock inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Wall,
    /// The number of instructions, independent of the load of this machine.
    Instructions,
}

impl Emulation {
    pub const ONE: Self = Emulation {
        clock: Clock::Wall,
        processors: 1,
    };
    pub const COUNTED: Self = Emulation {
        clock: Clock::Instructions,
        processors: 1,
    };
    /// Only here do programs run truly in parallel.
    pub const FOUR: Self = Emulation {
        clock: Clock::Wall,
        processors: 4,
    };

    /// Boots `kernel`; its process 1 has this role and additional environment variables.
    pub fn boot(
        self,
        kernel: Kernel,
        kit: &Kit,
        role: &str,
        variables: &[(&str, &str)],
    ) -> Result<Guest> {
        let folder = fetch::stock_kernel(kernel)?;
        let modules = fetch::stock_modules(&folder)?;
        let list = variables.iter().find(|(name, _)| *name == guest::TESTS);
        let list = list.map(|(_, list)| *list);
        let files = kit.path().join(list.unwrap_or("no-tests"));
        let files = files.with_extension("initramfs");
        pack(&files, kit, &modules, list)?;
        // The emulator translates a program again at each address where it runs.
        let mut words = format!("console=ttyS0 quiet panic=-1 norandmaps {ROLE}={role}");
        for (name, value) in variables {
            words += &format!(" {name}={value}");
        }
        let emulator = fetch::emulator()?;
        let libraries = emulator.join(fetch::LIBRARIES);
        let mut command = supervise::command("env")?;
        command
            .arg(format!("QEMU_MODULE_DIR={}/qemu", libraries.display()))
            .arg(emulator.join("lib64/ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(&libraries)
            .arg(emulator.join("usr/bin/qemu-system-x86_64"))
            .arg("-L")
            .arg(emulator.join("usr/share/qemu"))
            .arg("-L")
            .arg(emulator.join("usr/share/seabios"))
            .args(["-accel", "tcg"])
            .args(match self.clock {
                Clock::Wall => &[][..],
                Clock::Instructions => &["-icount", "shift=0,sleep=off"],
            })
            .args(["-smp", &self.processors.to_string()])
            .args(["-m", "1024", "-nodefaults", "-display", "none"])
            .arg("-no-reboot")
            .args(["-chardev", "socket,id=console,fd=1"])
            .args(["-chardev", "socket,id=channel,fd=0"])
            .args(["-serial", "chardev:console", "-serial", "chardev:channel"])
            .arg("-kernel")
            .arg(kernel_image(&folder, &modules)?)
            .arg("-initrd")
            .arg(files)
            .arg("-append")
            .arg(words);
        Guest::start(command).with_context(|| format!("starting the kernel {kernel}"))
    }
}

/// The path of a kernel in its package differs between suites.
fn kernel_image(folder: &Path, modules: &Path) -> Result<PathBuf> {
    let release = modules.file_name().context("modules of no release")?;
    let mut in_boot = OsString::from("boot/vmlinuz-");
    in_boot.push(release);
    let mut places = [modules.join("vmlinuz"), folder.join(in_boot)].into_iter();
    let found = places.find(|path| path.exists());
    found.context("a package without a kernel")
}

/// Creates the initial file system: this executable as process 1, both programs, the tools, the
/// modules and the list of tests to run.
fn pack(files: &Path, kit: &Kit, modules: &Path, list: Option<&str>) -> Result<()> {
    let mut archive = Archive::new(files)?;
    archive.program("/init", &kit.runner())?;
    archive.program(
        "/run/lab/kit/ours/ipvsadm",
        &kit.path().join("ours/ipvsadm"),
    )?;
    let tools = fetch::tools()?;
    archive.program(
        "/opt/reference/ipvsadm",
        &tools.join("opt/reference/ipvsadm"),
    )?;
    archive.program("/bin/cat", Path::new("/bin/cat"))?;
    for tool in TOOLS {
        archive.program(&format!("/{tool}"), &tools.join(tool))?;
    }
    for (number, path) in in_order(modules)?.into_iter().enumerate() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let inside = format!("{MODULES_INSIDE}/{number:02}-{name}");
        archive.file(&inside, &modules.join(&path))?;
    }
    if let Some(list) = list {
        archive.file(&format!("/run/lab/kit/{list}"), &kit.path().join(list))?;
    }
    for folder in ["/proc", "/sys", "/tmp", "/run/netns"] {
        archive.folder(folder)?;
    }
    archive.finish()
}

/// The files of the modules and their dependencies, each after its dependencies.
fn in_order(modules: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(modules.join("modules.dep"))?;
    let mut paths: Vec<String> = Vec::new();
    for name in MODULES {
        let file = format!("/{name}.ko");
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let (path, needed) = lines
            .find(|(path, _)| path.trim_end_matches(".xz").ends_with(&file))
            .with_context(|| format!("the kernel has no module {name}"))?;
        // The first module to load is the last on the line.
        for path in needed.split_whitespace().rev().chain([path]) {
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_owned());
            }
        }
    }
    Ok(paths)
}

/// Process 1's first steps.
pub fn enter() -> Result<()> {
    sys::mount(Path::new("none"), Path::new("/proc"), "proc", 0, "")?;
    sys::mount(Path::new("none"), Path::new("/sys"), "sysfs", 0, "")?;
    sys::mount(Path::new("none"), Path::new("/dev"), "devtmpfs", 0, "")?;
    let terminals = Path::new("/dev/pts");
    fs::create_dir(terminals)?;
    sys::mount(Path::new("none"), terminals, "devpts", 0, "")?;
    sys::mount(Path::new("none"), Path::new("/tmp"), "tmpfs", 0, "")?;
    let entries = fs::read_dir(MODULES_INSIDE)?;
    let mut modules: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    modules.sort();
    for module in modules {
        sys::load_module(&module).with_context(|| format!("loading {}", module.display()))?;
    }
    Ok(())
}

/// An initial file system under construction, in the `newc` format.
struct Archive {
    out: BufWriter<File>,
    /// The paths added so far.
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

    /// Adds a program and its libraries.
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
            let folder = if name.to_string_lossy().starts_with("ld-linux") {
                "/lib64"
            } else {
                "/lib/x86_64-linux-gnu"
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

    /// Bytes that follow `before` others, padded with NULs to a multiple of four.
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
