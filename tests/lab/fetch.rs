//! Fetches the kernels, the reference, and the guest's tools and programs from Debian's packages
//! into the cache.
//!
//! It runs `apt-get` without root, with separate sources, lists and folders; the archive's address
//! and key are taken from the machine's apt configuration. Programs without a Debian package come
//! from pip.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::kernels::Kernel;
use super::{supervise, sys};

/// The reference with its libraries, and the tools for guests that a slim Debian 12 lacks.
const TOOLS: &[&str] = &[
    "ipvsadm",
    "libpopt0",
    "libnl-3-200",
    "libnl-genl-3-200",
    "kmod",
    "libkmod2",
    "netbase",
    "iproute2",
    "libbpf1",
    "libbsd0",
    "libcap2",
    "libdb5.3",
    "libelf1",
    "libmd0",
    "libmnl0",
    "libtirpc3",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libkrb5support0",
    "libk5crypto3",
    "libkeyutils1",
    "libcom-err2",
    "libxtables12",
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "nftables",
    "libnftables1",
    "libedit2",
    "libgmp10",
    "libjansson4",
    "bash-completion",
    "fish",
    "fish-common",
    "libpcre2-32-0",
    "mandoc",
    "zlib1g",
    "zsh",
    "zsh-common",
    "procps",
    "libproc2-0",
    "jq",
    "libjq1",
    "libonig5",
];

/// Programs that people run alongside ours, and what a separate Debian 12 needs to run them.
const PROGRAMS: &[&str] = &[
    "keepalived",
    "ldirectord",
    "ipvsadm",
    "prometheus",
    "prometheus-node-exporter",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "mawk",
    "procps",
    "sed",
    "sysvinit-utils",
    "python3",
    "python3-distro",
    "python3-jsonschema",
    "python3-packaging",
    "python3-pip",
    "python3-setuptools",
    "python3-wheel",
    "python3-yaml",
];

/// Programs without a Debian package, as arguments for pip.
const REQUIREMENTS: &str = "\
salt==3006.9 --hash=sha256:7703c73a71c67327d48b2893ce9cf031ee52e2816df0daf78d6fe18a99b353e3
looseversion==1.3.0 --hash=sha256:781ef477b45946fc03dd4c84ea87734b21137ecda0e1e122bcb3c8d16d2a56e0
";

/// The path of a suite's C library in the folder of a kernel or of the programs.
pub const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The path in a kernel's folder of the library that is preloaded for its program.
pub const REGISTERS: &str = "registers.so";

/// The ELF interpreter of all Debian programs on this architecture.
const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";

/// The folder with everything that the lab fetches and builds.
pub fn cache() -> Result<PathBuf> {
    let from_env = |name| env::var_os(name).filter(|value| !value.is_empty());
    let folder = if let Some(folder) = from_env("LAB_CACHE") {
        PathBuf::from(folder)
    } else if let Some(folder) = from_env("XDG_CACHE_HOME") {
        Path::new(&folder).join("ipvsadm-lab")
    } else {
        let home = from_env("HOME").context("neither LAB_CACHE nor HOME is set")?;
        Path::new(&home).join(".cache/ipvsadm-lab")
    };
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let text = folder.to_str().unwrap_or(" ");
    ensure!(
        !text.contains([' ', ',', ':', '"', '\\']),
        "the path of the lab's cache, {text:?}, goes on a kernel's command line: \
         set LAB_CACHE to one of plain letters"
    );
    Ok(folder)
}

/// The folder of a kernel: its program `linux`, to be run in that folder, and its modules.
pub fn kernel(kernel: Kernel) -> Result<PathBuf> {
    let unit = format!("kernel-{kernel}-2");
    obtain(
        &unit,
        kernel.suite(),
        &["user-mode-linux", "libc6"],
        |folder| {
            symlink(
                format!("{LIBRARIES}/ld-linux-x86-64.so.2"),
                folder.join("ld.so"),
            )?;
            let program = fs::read(folder.join("usr/bin/linux.uml"))?;
            let linux = folder.join("linux");
            fs::write(&linux, with_own_interpreter(program)?)?;
            fs::set_permissions(&linux, fs::Permissions::from_mode(0o755))?;
            compile(include_str!("registers.c"), &folder.join(REGISTERS))
        },
    )
}

/// Builds a library with the C compiler that Rust uses as its linker.
fn compile(source: &str, library: &Path) -> Result<()> {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-x", "c", "-", "-o"]);
    let mut running = compiler
        .arg(library)
        .stdin(Stdio::piped())
        .spawn()
        .context("running cc")?;
    let mut input = running.stdin.take().context("cc without its input")?;
    input.write_all(source.as_bytes())?;
    drop(input);
    let status = running.wait()?;
    ensure!(status.success(), "cc failed ({status})");
    Ok(())
}

/// The folder that is laid over a guest's root: the tools, and the reference in `opt`.
pub fn tools() -> Result<PathBuf> {
    obtain("tools-6", "bookworm", TOOLS, |folder| {
        let reference = folder.join("opt/reference");
        fs::create_dir_all(&reference)?;
        // Debian chooses between the two variants when the package is installed.
        symlink("iptables-legacy", folder.join("usr/sbin/iptables"))?;
        for program in ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"] {
            fs::rename(
                folder.join("usr/sbin").join(program),
                reference.join(program),
            )?;
        }
        Ok(())
    })
}

/// The folder of a complete Debian 12 with the programs that people run alongside ours, and a
/// release of Salt that still has a module for IPVS.
pub fn programs() -> Result<PathBuf> {
    let fetch = Apt::collect;
    obtain_by("programs-2", "bookworm", PROGRAMS, fetch, |folder| {
        // Debian does the same when the packages are installed.
        symlink("mawk", folder.join("usr/bin/awk"))?;
        python(folder, &["-m", "compileall", "-q", "usr/lib/python3.11"])?;

        eprintln!("lab: installing Salt by pip");
        fs::write(folder.join("requirements"), REQUIREMENTS)?;
        let pip = "-m pip install --quiet --no-deps --no-build-isolation --require-hashes \
                   --root-user-action=ignore --requirement requirements --target opt/python";
        python(folder, &pip.split_whitespace().collect::<Vec<_>>())
    })
}

/// Runs the Python interpreter of `folder`.
fn python(folder: &Path, words: &[&str]) -> Result<()> {
    // pip starts Python again under the same name: that of a script that uses the libraries in
    // the folder instead of this machine's.
    let script = folder.with_file_name("python");
    let (libraries, at) = (folder.join(LIBRARIES), folder.display());
    let lines = format!(
        "#!/bin/sh\n\
         libraries={}\n\
         exec $libraries/ld-linux-x86-64.so.2 --library-path $libraries --argv0 $0 \
         {at}/usr/bin/python3 \"$@\"\n",
        libraries.display()
    );
    fs::write(&script, lines)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let status = supervise::output(
        supervise::command(script)?
            .args(words)
            .current_dir(folder)
            .env("PYTHONHOME", folder.join("usr"))
            .env_remove("PYTHONDONTWRITEBYTECODE"),
    )?
    .status;
    ensure!(status.success(), "python3 {}: {status}", words.join(" "));
    Ok(())
}

/// The reference with its manual pages, which a test compares with ours.
pub fn pages() -> Result<PathBuf> {
    obtain("pages-1", "bookworm", &["ipvsadm"], |_| Ok(()))
}

/// The emulator for stock kernels, with all its dependencies.
pub fn emulator() -> Result<PathBuf> {
    let packages = ["qemu-system-x86"];
    obtain_by(
        "emulator-1",
        "bookworm",
        &packages,
        Apt::collect,
        |_| Ok(()),
    )
}

/// The folder of a stock kernel; its modules are in `stock_modules`.
pub fn stock_kernel(kernel: Kernel) -> Result<PathBuf> {
    let unit = format!("kernel-{kernel}-1");
    let packages = ["linux-image-cloud-amd64"];
    let fetch = Apt::collect;
    obtain_by(&unit, kernel.suite(), &packages, fetch, list_dependencies)
}

/// The modules of the stock kernel in `folder`, in a folder named after its release.
pub fn stock_modules(folder: &Path) -> Result<PathBuf> {
    only_entry(&folder.join("lib/modules"))
}

/// Writes the file `modules.dep`, as Debian does when the kernel is installed.
fn list_dependencies(folder: &Path) -> Result<()> {
    let modules = stock_modules(folder)?;
    let release = modules.file_name().context("modules of no release")?;
    let tools = tools()?;
    let status = Command::new(tools.join("bin/kmod"))
        .arg0("depmod")
        .arg("-b")
        .arg(folder)
        .arg(release)
        .env("LD_LIBRARY_PATH", tools.join(LIBRARIES))
        .status()?;
    ensure!(status.success(), "depmod: {status}");
    Ok(())
}

/// The modules of the kernel in `folder`, in a folder named after its release.
pub fn modules(folder: &Path) -> Result<PathBuf> {
    only_entry(&folder.join("usr/lib/uml/modules"))
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().context("a kernel without modules")??.path())
}

/// A kernel program that uses the C library of its own suite instead of this machine's.
///
/// The path of its interpreter is replaced by a shorter one, relative to the kernel's folder.
fn with_own_interpreter(mut program: Vec<u8>) -> Result<Vec<u8>> {
    let mut own = b"ld.so\0".to_vec();
    own.resize(INTERPRETER.len(), 0);
    let place = program
        .windows(INTERPRETER.len())
        .position(|bytes| bytes == INTERPRETER)
        .context("the kernel program names no interpreter that the lab knows")?;
    program[place..place + own.len()].copy_from_slice(&own);
    Ok(program)
}

/// The folder `unit` of the cache; if it is missing, the packages are fetched and unpacked, and
/// `finish` completes them. It is created atomically, so an interruption does no harm.
fn obtain(
    unit: &str,
    suite: &str,
    packages: &[&str],
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    obtain_by(unit, suite, packages, Apt::download, finish)
}

fn obtain_by(
    unit: &str,
    suite: &str,
    packages: &[&str],
    fetch: fn(&Apt, &[&str]) -> Result<Vec<PathBuf>>,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "Debian packages user-mode kernels for x86-64 only: use LAB_KERNEL=host as root"
    );
    let cache = cache()?;
    let folder = cache.join(unit);
    if folder.exists() {
        return Ok(folder);
    }
    let lock = File::create(cache.join(format!("{unit}.lock")))?;
    sys::lock(&lock)?;
    if folder.exists() {
        return Ok(folder);
    }
    let work = cache.join(format!("{unit}.partial"));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let unpacked = work.join("unpacked");
    // A unit is a name and a version of its contents.
    let name = unit.rsplit_once('-').map_or(unit, |(name, _)| name);
    let apt = Apt::new(&work, suite, name)?;
    fetch(&apt, packages)
        .and_then(|packages| unpack(&packages, &unpacked))
        .and_then(|()| finish(&unpacked))
        .with_context(|| format!("cannot get {} of Debian {suite}", packages.join(", ")))?;
    fs::rename(&unpacked, &folder)?;
    fs::remove_dir_all(&work)?;
    Ok(folder)
}

/// A separate apt: one suite, with all its files in one folder.
struct Apt {
    folder: PathBuf,
    suite: String,
    /// A description of what it fetches, for messages.
    name: String,
}

impl Apt {
    /// Lists of any age are fine: an outdated mirror has the packages too.
    fn new(folder: &Path, suite: &str, name: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let at = folder.display();
        let configuration = format!(
            "Dir::Etc::sourcelist \"{at}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::State \"{at}\";\n\
             Dir::State::lists \"{at}/lists\";\n\
             Dir::State::status \"{at}/status\";\n\
             Dir::Cache \"{at}/cache\";\n\
             APT::Architecture \"amd64\";\n\
             APT::Sandbox::User \"\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"3\";\n\
             Acquire::Check-Valid-Until \"false\";\n\
             #clear Acquire::IndexTargets::deb::DEP-11;\n\
             #clear APT::Update::Pre-Invoke;\n\
             #clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success;\n"
        );
        fs::write(folder.join("apt.conf"), configuration)?;
        fs::write(folder.join("status"), "")?;
        fs::write(
            folder.join("sources.list"),
            Archive::of_this_machine(&folder.join("lists"))?.source(suite),
        )?;
        Ok(Apt {
            folder: folder.to_owned(),
            suite: suite.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Only these packages.
    fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        self.fetch(&["download", "-q"], packages)?;
        files_in(&self.folder.join("packages"))
    }

    /// These packages and their dependencies.
    fn collect(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut command = vec!["install", "-q", "-y", "--download-only"];
        command.extend(["--no-install-recommends", "-o", "Debug::NoLocking=1"]);
        self.fetch(&command, packages)?;
        let mut files = files_in(&self.folder.join("cache/archives"))?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "deb"));
        Ok(files)
    }

    /// Fetches with an apt-get command, and reports the size.
    fn fetch(&self, command: &[&str], packages: &[&str]) -> Result<()> {
        let (name, suite) = (&self.name, &self.suite);
        eprintln!("lab: looking for {name} in Debian {suite}");
        self.update()?;
        let words = [command, packages].concat();
        let plan = self.run(&[&words[..], &["--print-uris"]].concat())?;
        // A line is an address, the name of a file, its size and its checksum.
        let sizes = plan.lines().filter_map(|line| line.split(' ').nth(2));
        let bytes: u64 = sizes.filter_map(|size| size.parse::<u64>().ok()).sum();
        eprintln!("lab: fetching {name} ({} MB)", bytes.div_ceil(1_000_000));
        self.run(&words)?;
        Ok(())
    }

    fn update(&self) -> Result<String> {
        self.run(&["update", "-q"]).with_context(|| {
            format!(
                "the archive in this machine's apt configuration gives no suite {}: check the \
                 network; if the suite is gone, configure a mirror that has it, or leave its \
                 kernel out with LAB_KERNELS",
                self.suite
            )
        })
    }

    /// Runs apt-get, and returns its output.
    fn run(&self, words: &[&str]) -> Result<String> {
        let log = File::create(self.folder.join("log"))?;
        let status = supervise::output(
            supervise::command("apt-get")?
                .arg("-c")
                .arg(self.folder.join("apt.conf"))
                .args(words)
                .current_dir(self.folder.join("packages"))
                .env("LC_ALL", "C")
                .stdout(log.try_clone()?)
                .stderr(log),
        )?
        .status;
        // If old lists exist, apt-get only warns about a missing suite.
        let said = fs::read_to_string(self.folder.join("log"))?;
        let complaint = said.lines().any(|line| line.starts_with("W: Failed"));
        ensure!(
            status.success() && !complaint,
            "apt-get {}: {status}\n{said}",
            words.join(" ")
        );
        Ok(said)
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// The source of Debian packages for this machine.
struct Archive {
    address: String,
    key: Option<String>,
}

impl Archive {
    /// The archive with the suites, from this machine's apt configuration; `lists` is an empty
    /// folder, so apt assumes that it has no lists yet.
    fn of_this_machine(lists: &Path) -> Result<Self> {
        let output = Command::new("apt-get")
            .args(["update", "--print-uris", "-o"])
            .arg(format!("Dir::State::lists={}", lists.display()))
            .stdin(Stdio::null())
            .output()
            .context("the lab needs apt-get, which this machine does not have")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let address = said.lines().find_map(archive_address).with_context(|| {
            format!(
                "this machine's apt configuration names no archive with Debian's suites:\n{said}"
            )
        })?;
        Ok(Archive {
            key: key_file(address),
            address: address.to_owned(),
        })
    }

    /// The sources.list line for one suite of this archive.
    fn source(&self, suite: &str) -> String {
        let key = match &self.key {
            Some(key) => format!("[signed-by={key}] "),
            None => String::new(),
        };
        format!("deb {key}{} {suite} main\n", self.address)
    }
}

/// The archive in a line of `apt-get update --print-uris`, if it has whole suites.
fn archive_address(line: &str) -> Option<&str> {
    let (address, rest) = line.strip_prefix('\'')?.split_once("/dists/")?;
    let (suite, _) = rest.split_once('/')?;
    let suites = [
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "oldstable",
        "stable",
        "testing",
        "sid",
    ];
    suites.contains(&suite).then_some(address)
}

/// The key file in the source list with this address, in either of apt's two formats.
fn key_file(address: &str) -> Option<String> {
    let mut lists = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        lists.extend(entries.flatten().map(|entry| entry.path()));
    }
    let texts = lists
        .iter()
        .filter_map(|list| fs::read_to_string(list).ok());
    texts
        .filter(|text| text.contains(address))
        .find_map(|text| {
            let place = text.to_ascii_lowercase().find("signed-by")? + "signed-by".len();
            let value = text[place..].trim_start_matches([':', '=', ' ', '\t']);
            let path = value.split([' ', ']', '\n', ',']).next()?;
            path.starts_with('/').then(|| path.to_owned())
        })
}

/// Manual pages are skipped, except those of the reference, which are compared with ours.
fn without_pages(package: &Path) -> Option<&'static str> {
    let name = package.file_name().unwrap_or_default().as_encoded_bytes();
    let is_reference = name.starts_with(b"ipvsadm_");
    (!is_reference).then_some("--exclude=./usr/share/man")
}

/// Unpacks packages into a tree whose `/bin`, `/lib`, … are links into `/usr`, as in a guest.
fn unpack(packages: &[PathBuf], folder: &Path) -> Result<()> {
    for name in ["bin", "lib", "lib64", "sbin"] {
        fs::create_dir_all(folder.join("usr").join(name))?;
        symlink(format!("usr/{name}"), folder.join(name))?;
    }
    for package in packages {
        let mut reader = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .spawn()
            .context("the lab needs dpkg-deb, which this machine does not have")?;
        let stdout = reader.stdout.take().context("dpkg-deb has no output")?;
        let tar = Command::new("tar")
            .args(["-x", "--keep-directory-symlink", "--no-same-owner", "-C"])
            .arg(folder)
            .arg("--exclude=./usr/share/doc")
            .args(without_pages(package))
            .stdin(stdout)
            .status()?;
        if !(tar.success() && reader.wait()?.success()) {
            bail!("unpacking {} failed", package.display());
        }
    }
    Ok(())
}
