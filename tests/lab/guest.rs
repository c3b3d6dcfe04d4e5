//! Sets up the inside of a guest: a root that shows the host's files read-only, and IPVS.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::runner::{self, KernelTest};
use super::sys;

/// The variables with the lab's folders outside.
pub const KIT: &str = "LAB_KIT";
pub const TOOLS: &str = "LAB_TOOLS";
pub const MODULES: &str = "LAB_MODULES";
/// The same for the programs that people run alongside ours, for tests that need them.
pub const PROGRAMS: &str = "LAB_PROGRAMS";
/// The file, in the kit, with the names of the tests to run.
pub const TESTS: &str = "LAB_TESTS";
/// Variables for tests that are passed on to the inside.
pub const SETTINGS: [&str; 4] = ["LAB_SEED", "LAB_SESSIONS", "LAB_FILES", "LAB_CHANGES"];

/// The role of process 1 of a guest that runs tests.
pub const GUEST_ROLE: &str = "guest";
/// The role of the runner on this machine's own kernel.
pub const HOST_ROLE: &str = "host";

/// IPVS with everything that a service can name, and the devices and filters of traffic tests, so
/// no test waits for a module. Some kernels lack some of them.
const IPVS: &[&str] = &[
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_fo",
    "ip_vs_ovf",
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_dh",
    "ip_vs_sh",
    "ip_vs_mh",
    "ip_vs_sed",
    "ip_vs_nq",
    "ip_vs_pe_sip",
];

/// The files in `/etc` for name resolution, the same on every machine.
const ETC: &[(&str, &str)] = &[
    (
        "hosts",
        "127.0.0.1 localhost\n\
         ::1 localhost6\n\
         10.1.1.1 web1.example.net web1\n\
         10.1.1.2 web2.example.net web2\n\
         10.1.1.3 exactly-twenty-eight-b.net\n\
         10.1.1.4 a-name-of-some-length.with-a-domain.example.net\n\
         10.1.1.5 a-name-beyond-all-limits.with-a-very-long-domain-behind-it.example.net\n\
         2001:db8::1 web6.example.net web6\n\
         2001:db8::2 a-name-of-some-length.with-a-domain.v6.example.net\n\
         2001:db8::3 a-name-beyond-all-limits.with-a-very-long-domain-behind-it.v6.example.net\n",
    ),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    ),
    ("resolv.conf", ""),
];

/// The search path inside.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The mount point of the outside during setup, and the new root.
const LAB: &str = "/run/lab";

/// The first steps of process 1: a new root with the modules of its kernel.
pub fn enter_guest() -> Result<()> {
    mount_new("proc", "/proc")?;
    mount_new("tmpfs", "/run")?;
    let release = release()?;
    let layers = attach_all(hostfs)?;
    let modules = attach("modules", &outside(MODULES)?, hostfs)?;

    // Before 6.1 an overlay over hostfs cannot run programs: links form the same tree there.
    let root = if release.starts_with("5.") {
        linked_root(&layers)?
    } else {
        let overlay = modules.join("kernel/fs/overlayfs/overlay.ko");
        sys::load_module(&overlay).context("loading overlay.ko")?;
        overlay_root(&layers)?
    };
    let inside = own_folder(&root.join("usr/lib/modules"))?.join(release);
    fs::create_dir_all(&inside)?;
    bind(&modules, &inside)?;
    enter_root(&root)
}

/// The same on this machine's own kernel, in a mount namespace that leaves nothing behind.
pub fn enter_host() -> Result<()> {
    sys::unshare(libc::CLONE_NEWNS).context("LAB_KERNEL=host needs root")?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    sys::mount(Path::new("none"), Path::new("/"), "", private, "")?;
    mount_new("tmpfs", LAB)?;
    let layers = attach_all(|source, target| {
        bind(source, target)?;
        sys::forbid_writing(target).context("making it read-only")
    })?;
    // The tools may be below the root, but the layers of an overlay must not overlap.
    let root = linked_root(&layers)?;
    enter_root(&root)
}

/// Mounts the lab's folders from outside; returns the layers of the new root.
fn attach_all(how: fn(&Path, &Path) -> Result<()>) -> Result<[PathBuf; 2]> {
    attach("kit", &outside(KIT)?, how)?;
    let tools = attach("tools", &outside(TOOLS)?, how)?;
    let host = attach("host", Path::new("/"), how)?;
    Ok([tools, host])
}

/// The folder of the programs that people run alongside ours.
pub fn programs() -> Result<PathBuf> {
    Ok(path_of_host(&outside(PROGRAMS)?))
}

fn outside(variable: &str) -> Result<PathBuf> {
    let value = env::var_os(variable).with_context(|| format!("{variable} is not set"))?;
    Ok(PathBuf::from(value))
}

/// The runner of a guest in its new root: runs every test in the list, and reports on the second
/// console.
pub fn run_tests(tests: &[KernelTest], channel: &mut File) -> Result<()> {
    let list = kit().join(outside(TESTS)?);
    let names = fs::read_to_string(list)?;
    let names: Vec<&str> = names.lines().collect();
    runner::run(tests, &names, channel)
}

/// The path of the kit inside.
pub fn kit() -> PathBuf {
    Path::new(LAB).join("kit")
}

/// The path of a host's file for this process, inside or outside.
pub fn path_of_host(path: &Path) -> PathBuf {
    let host = Path::new(LAB).join("host");
    match path.strip_prefix("/") {
        Ok(inside) if host.exists() => host.join(inside),
        _ => path.to_owned(),
    }
}

/// The release of the running kernel, as `uname -r` prints it.
pub fn release() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/osrelease")?
        .trim_end()
        .to_owned())
}

fn mount_new(kind: &str, target: impl AsRef<Path>) -> Result<()> {
    let target = target.as_ref();
    fs::create_dir_all(target).with_context(|| format!("making {}", target.display()))?;
    sys::mount(Path::new("none"), target, kind, 0, "")
}

/// Mounts a folder from outside as `name` in ours.
fn attach(name: &str, source: &Path, how: fn(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let target = Path::new(LAB).join(name);
    fs::create_dir_all(&target)?;
    how(source, &target).with_context(|| format!("mounting {}", source.display()))?;
    Ok(target)
}

fn hostfs(source: &Path, target: &Path) -> Result<()> {
    let source = source.to_str().context("a path that is not UTF-8")?;
    sys::mount(Path::new("none"), target, "hostfs", libc::MS_RDONLY, source)
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    sys::mount(source, target, "", libc::MS_BIND | libc::MS_REC, "")
}

/// A root in which the first of `layers` wins, and writes go to memory.
fn overlay_root(layers: &[PathBuf]) -> Result<PathBuf> {
    let root = Path::new(LAB).join("root");
    let memory = Path::new(LAB).join("memory");
    mount_new("tmpfs", &memory)?;
    let (upper, work) = (memory.join("upper"), memory.join("work"));
    for folder in [&root, &upper, &work] {
        fs::create_dir_all(folder)?;
    }
    let lower: Vec<String> = layers
        .iter()
        .map(|layer| layer.display().to_string())
        .collect();
    let data = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.join(":"),
        upper.display(),
        work.display()
    );
    sys::mount(Path::new("none"), &root, "overlay", 0, &data)?;
    Ok(root)
}

/// The same tree without an overlay: folders in memory with links into the layers.
fn linked_root(layers: &[PathBuf]) -> Result<PathBuf> {
    let root = Path::new(LAB).join("root");
    mount_new("tmpfs", &root)?;
    link_entries(layers, &root)?;
    Ok(root)
}

/// Fills `target` with links to the entries of `layers`, where the first layer wins; a folder in
/// several layers becomes a folder here.
fn link_entries(layers: &[PathBuf], target: &Path) -> Result<()> {
    for layer in layers {
        for entry in fs::read_dir(layer)? {
            let entry = entry?;
            let (source, link) = (entry.path(), target.join(entry.file_name()));
            if link.symlink_metadata().is_ok() {
                continue;
            }
            if entry.file_type()?.is_symlink() {
                symlink(fs::read_link(source)?, link)?;
                continue;
            }
            let mut folders: Vec<PathBuf> = layers
                .iter()
                .map(|layer| layer.join(entry.file_name()))
                .collect();
            folders.retain(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir()));
            if folders.len() > 1 {
                fs::create_dir(&link)?;
                link_entries(&folders, &link)?;
            } else {
                symlink(source, link)?;
            }
        }
    }
    Ok(())
}

/// Ensures that `path`, in a new root, is a real folder there and not a link out of it.
fn own_folder(path: &Path) -> Result<&Path> {
    if path.is_symlink() {
        fs::remove_file(path)?;
    }
    fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    Ok(path)
}

/// Completes the new root and enters it.
fn enter_root(root: &Path) -> Result<()> {
    mount_new("proc", own_folder(&root.join("proc"))?)?;
    mount_new("sysfs", own_folder(&root.join("sys"))?)?;
    mount_new("tmpfs", own_folder(&root.join("run"))?)?;
    mount_new("tmpfs", own_folder(&root.join("tmp"))?)?;
    bind(Path::new("/dev"), own_folder(&root.join("dev"))?)?;
    let terminals = root.join("dev/pts");
    if !terminals.join("ptmx").exists() {
        mount_new("devpts", &terminals)?;
        symlink("/proc/self/fd", root.join("dev/fd"))?;
    }
    // Programs are installed here.
    own_folder(&root.join("usr/local"))?;
    fs::create_dir_all(root.join("run/netns"))?;
    for name in ["kit", "tools", "host"] {
        let (source, target) = (Path::new(LAB).join(name), root.join("run/lab").join(name));
        fs::create_dir_all(&target)?;
        sys::mount(&source, &target, "", libc::MS_MOVE, "")?;
    }
    for (name, text) in ETC {
        let path = root.join("etc").join(name);
        // It may be a link to the outside, which is read-only.
        let _ = fs::remove_file(&path);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    for name in ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"] {
        let program = root.join("usr/sbin").join(name);
        let _ = fs::remove_file(&program);
        symlink(Path::new(LAB).join("kit/ours/ipvsadm"), program)?;
    }

    // The kernel's own helpers, modprobe among them, must see the new root too.
    let old = root.join("run/lab/old");
    fs::create_dir_all(&old)?;
    sys::pivot_root(root, &old).context("entering the new root")?;
    env::set_current_dir("/")?;
    sys::unmount(Path::new("/run/lab/old"))?;
    load_modules()
}

/// Loads every module that tests may need, so that none waits for one.
fn load_modules() -> Result<()> {
    let modprobe = Command::new("/sbin/modprobe")
        .args(["-a", "-q"])
        .args(IPVS)
        .status()?;
    ensure!(has_ipvs(), "modprobe could not load ip_vs ({modprobe})");
    Ok(())
}

/// The kernel's setting with the path of its module loader.
pub const LOADER: &str = "/proc/sys/kernel/modprobe";

/// How long the kernel may take to free the namespaces of earlier tests, which use IPVS.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kernel without IPVS, and unable to load it by itself, until this is dropped.
pub struct WithoutIpvs {
    loader: String,
}

impl WithoutIpvs {
    pub fn new() -> Result<Self> {
        let without = WithoutIpvs {
            loader: fs::read_to_string(LOADER)?,
        };
        fs::write(LOADER, "/bin/false")?;
        let start = Instant::now();
        while has_ipvs() {
            ensure!(
                start.elapsed() < PATIENCE,
                "modprobe cannot unload ip_vs: {}",
                fs::read_to_string("/proc/modules")?
            );
            thread::sleep(Duration::from_millis(20));
            // The first module loaded is the last to be unloaded.
            let modules = IPVS.iter().rev();
            Command::new("/sbin/modprobe")
                .args(["-r", "-q"])
                .args(modules)
                .status()?;
        }
        Ok(without)
    }
}

impl Drop for WithoutIpvs {
    fn drop(&mut self) {
        let loaded = load_modules();
        let restored = fs::write(LOADER, &self.loader);
        if let Err(error) = loaded.and(restored.map_err(Into::into)) {
            panic!("the kernel stays without IPVS: {error:#}");
        }
    }
}

pub fn has_ipvs() -> bool {
    Path::new("/proc/net/ip_vs").exists()
}
