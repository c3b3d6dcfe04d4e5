//! What `packaging/install` puts in its place: the programs, the pages, the service.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::ours::{installer, project};
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("installed::and_taken_away_again", and_taken_away_again),
        KernelTest::new("installed::beside_other_files", beside_other_files),
        KernelTest::new("installed::a_service_that_starts", a_service_that_starts),
        KernelTest::new("installed::a_service_that_reloads", a_service_that_reloads),
        KernelTest::new("installed::a_service_that_stops", a_service_that_stops),
        KernelTest::new("installed::pages_without_faults", pages_without_faults),
    ]
}

/// A new, empty folder.
fn folder(name: &str) -> Result<PathBuf> {
    let path = Path::new("/tmp").join(name);
    fs::create_dir(&path)?;
    Ok(path)
}

/// Everything in a folder and below, folders too.
fn paths(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            paths.extend(self::paths(&path)?);
        }
        paths.push(path.display().to_string());
    }
    Ok(paths)
}

fn and_taken_away_again(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let package = folder("package")?;
    let install = installer()
        .env("DESTDIR", &package)
        .env("PREFIX", "/usr")
        .env("RULES", "/etc/sysconfig/ipvsadm");
    here.run(&install)?.success()?;

    for file in [
        "sbin/ipvsadm",
        "sbin/ipvsadm-save",
        "sbin/ipvsadm-restore",
        "share/bash-completion/completions/ipvsadm",
        "share/zsh/site-functions/_ipvsadm",
        "share/fish/vendor_completions.d/ipvsadm.fish",
        "lib/systemd/system/ipvsadm.service",
    ] {
        let path = package.join("usr").join(file);
        let length = fs::metadata(&path).with_context(|| format!("no {}", path.display()))?;
        ensure!(length.len() > 0, "{} is empty", path.display());
    }
    for entry in fs::read_dir(project("man"))? {
        let page = entry?.path();
        let (name, section) = (page.file_name(), page.extension());
        let (name, section) = name.zip(section).context("a page without a section")?;
        let folder = format!("usr/share/man/man{}", section.to_string_lossy());
        let path = package.join(folder).join(name);
        ensure!(path.exists(), "no {}", path.display());
    }
    let save = Program::new(package.join("usr/sbin/ipvsadm-save")).args(["-x"]);
    let output = here.run(&save)?;
    ensure!(
        output.stderr.starts_with(b"usage: ipvsadm-save"),
        "{output}"
    );
    let unit = fs::read_to_string(package.join("usr/lib/systemd/system/ipvsadm.service"))?;
    for text in ["/usr/sbin/ipvsadm-restore", "=/etc/sysconfig/ipvsadm "] {
        ensure!(unit.contains(text), "no {text:?} in\n{unit}");
    }
    ensure!(!unit.contains('@'), "a blank is not filled in:\n{unit}");

    here.run(&install.args(["--remove"]))?.success()?;
    let left = paths(&package)?;
    ensure!(left.is_empty(), "left are {left:?}");
    Ok(())
}

fn beside_other_files(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let prefix = folder("prefix")?;
    let other = prefix.join("sbin/other");
    fs::create_dir(prefix.join("sbin"))?;
    fs::write(&other, "")?;
    let install = installer().env("PREFIX", &prefix);
    // Twice is as good as once.
    here.run(&install)?.success()?;
    here.run(&install)?.success()?;
    let refused = here.run(&install.clone().args(["remove"]))?;
    ensure!(refused.status == Status::Exit(2), "{refused}");
    ensure!(prefix.join("sbin/ipvsadm").exists(), "the program has gone");

    here.run(&install.args(["--remove"]))?.success()?;
    let left = paths(&prefix)?;
    let sbin = prefix.join("sbin").display().to_string();
    ensure!(
        left == [other.display().to_string(), sbin],
        "left are {left:?}"
    );
    Ok(())
}

/// The installed unit, and what it is to run in.
struct Service {
    here: Namespace,
    unit: String,
    settings: BTreeMap<String, String>,
    rules: PathBuf,
}

const RULES: &str = "\
# two web servers
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 1
";

impl Service {
    fn new(world: &mut World, name: &str) -> Result<Self> {
        let here = world.namespace(name)?;
        let prefix = folder(name)?;
        let rules = prefix.join("rules");
        fs::write(&rules, RULES)?;
        let install = installer().env("PREFIX", &prefix).env("RULES", &rules);
        here.run(&install)?.success()?;
        let unit = fs::read_to_string(prefix.join("lib/systemd/system/ipvsadm.service"))?;
        let mut service = Service {
            here,
            unit,
            settings: BTreeMap::new(),
            rules,
        };
        for line in service.values("Environment") {
            for setting in line.split(' ') {
                let (name, value) = setting.split_once('=').context("a setting without =")?;
                service.settings.insert(name.into(), value.into());
            }
        }
        Ok(service)
    }

    /// The values of a key of the unit, in their order.
    fn values(&self, key: &str) -> Vec<String> {
        let lines = self.unit.lines();
        let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        values.map(str::to_owned).collect()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let known = self.settings.get_mut(name);
        *known.with_context(|| format!("the unit knows no {name}"))? = value.into();
        Ok(())
    }

    /// Runs the commands of a key as the service manager does, to the first that fails.
    fn run(&self, key: &str) -> Result<Output> {
        let commands = self.values(key);
        let mut last = None;
        for command in &commands {
            let mut program = Program::new("env").args(["-i", "PATH=/usr/sbin:/usr/bin"]);
            for (name, value) in &self.settings {
                program = program.args([format!("{name}={value}")]);
            }
            let output = self.here.run(&program.args(words(command)?))?;
            let failed = output.status != Status::Exit(0);
            last = Some(output);
            if failed {
                break;
            }
        }
        last.with_context(|| format!("the unit has no {key}"))
    }

    fn ipvsadm(&self, args: &[&str]) -> Result<String> {
        let program = Program::ipvsadm(Side::Ours).args(args);
        Ok(String::from_utf8(self.here.run(&program)?.success()?)?)
    }

    fn expect_table(&self, expected: &str) -> Result<()> {
        let table = self.ipvsadm(&["-Sn"])?;
        ensure!(
            table == expected,
            "the table is\n{table}instead of\n{expected}"
        );
        Ok(())
    }

    fn expect_daemons(&self, expected: &[&str]) -> Result<()> {
        let text = self.ipvsadm(&["-L", "--daemon"])?;
        // More of it stands in the brackets on newer kernels.
        let daemons: Vec<&str> = text
            .lines()
            .flat_map(|line| line.split(", maxlen"))
            .collect();
        let daemons = daemons.iter().filter(|part| part.contains("daemon"));
        let daemons: Vec<&str> = daemons.map(|part| part.trim_end_matches(')')).collect();
        ensure!(daemons == expected, "the daemons are\n{text}");
        Ok(())
    }
}

/// The rules as the table is saved.
fn saved() -> &'static str {
    RULES.split_once('\n').map_or("", |(_, rules)| rules)
}

/// The words of a command of a unit: blanks between, one pair of quotes at the end.
fn words(command: &str) -> Result<Vec<&str>> {
    let (before, quoted) = command
        .split_once('\'')
        .context("a command without quotes")?;
    let Some(quoted) = quoted
        .strip_suffix('\'')
        .filter(|text| !text.contains('\''))
    else {
        bail!("the lab cannot read {command}");
    };
    Ok(before.split_whitespace().chain([quoted]).collect())
}

fn a_service_that_starts(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "starts")?;
    service.run("ExecStart")?.success()?;
    service.expect_table(saved())?;
    service.expect_daemons(&[])?;

    service.set("AUTO", "false")?;
    service.set("DAEMON", "both")?;
    service.set("IFACE", "lo")?;
    service.set("SYNCID", "7")?;
    service.ipvsadm(&["-C"])?;
    service.run("ExecStart")?.success()?;
    service.expect_table("")?;
    service.expect_daemons(&[
        "master sync daemon (mcast=lo, syncid=7",
        "backup sync daemon (mcast=lo, syncid=7",
    ])?;

    service.set("AUTO", "true")?;
    service.set("IPVSADM_CONFIG", "/tmp/there-is-none")?;
    let output = service.run("ExecStart")?;
    ensure!(
        output.status != Status::Exit(0),
        "no rules, no failure:\n{output}"
    );
    Ok(())
}

fn a_service_that_reloads(world: &mut World) -> Result<()> {
    let service = Service::new(world, "reloads")?;
    service.run("ExecStart")?.success()?;
    let other = "-A -f 7 -s wlc\n";
    fs::write(&service.rules, other)?;
    service.run("ExecReload")?.success()?;
    service.expect_table(other)?;

    fs::write(&service.rules, "-A -f 8\n-A -f 9 -q\n")?;
    let output = service.run("ExecReload")?;
    ensure!(output.stderr.starts_with(b"line 2: "), "{output}");
    service.expect_table(other)
}

fn a_service_that_stops(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "stops")?;
    service.run("ExecStart")?.success()?;
    service.ipvsadm(&["-A", "-f", "7"])?;
    service.run("ExecStop")?.success()?;
    service.expect_table("")?;
    ensure!(
        fs::read_to_string(&service.rules)? == RULES,
        "the rules were changed"
    );

    service.set("DAEMON", "master")?;
    service.set("IFACE", "lo")?;
    service.set("IPVS_SAVE_ON_STOP", "yes")?;
    service.set("IPVS_CLEAR_ON_STOP", "no")?;
    service.run("ExecStart")?.success()?;
    service.ipvsadm(&["-A", "-f", "7"])?;
    service.run("ExecStop")?.success()?;
    let more = saved().to_owned() + "-A -f 7 -s wlc\n";
    service.expect_table(&more)?;
    service.expect_daemons(&[])?;
    ensure!(
        fs::read_to_string(&service.rules)? == more,
        "the table was not saved"
    );

    // What cannot be saved is not cleared.
    service.set("IPVS_CLEAR_ON_STOP", "yes")?;
    service.set("IPVSADM_CONFIG", "/proc/nowhere")?;
    let output = service.run("ExecStop")?;
    ensure!(output.status != Status::Exit(0), "{output}");
    service.expect_table(&more)
}

/// The manual pages, as a second formatter reads them.
fn pages_without_faults(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let mut lint = Program::new("mandoc").args(["-T", "lint", "-W", "style"]);
    for entry in fs::read_dir(project("man"))? {
        lint = lint.args([entry?.path()]);
    }
    let output = here.run(&lint)?;
    ensure!(output.stdout.is_empty(), "{output}");
    output.success()?;
    Ok(())
}
