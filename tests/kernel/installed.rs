//! What `packaging/install` installs: the programs, the manual pages, the service.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::guest::PATH;
use crate::lab::ours::{installer, project};
use crate::lab::runner::KernelTest;
use crate::lab::sys;
use crate::lab::world::{Namespace, Output, Program, Side, Status, World};

pub fn tests() -> Vec<KernelTest> {
    vec![
        KernelTest::new("installed::in_a_package", in_a_package),
        KernelTest::new(
            "installed::removed_without_a_trace",
            removed_without_a_trace,
        ),
        KernelTest::new("installed::whole_or_not_at_all", whole_or_not_at_all),
        KernelTest::new("installed::next_to_other_files", next_to_other_files),
        KernelTest::new(
            "installed::the_commands_of_the_readme",
            the_commands_of_the_readme,
        ),
        KernelTest::new("installed::a_service_that_starts", a_service_that_starts),
        KernelTest::new("installed::a_service_that_reloads", a_service_that_reloads),
        KernelTest::new("installed::a_service_that_stops", a_service_that_stops),
        KernelTest::new("installed::a_service_that_saves", a_service_that_saves),
        KernelTest::new("installed::a_service_without_auto", a_service_without_auto),
        KernelTest::new(
            "installed::a_service_without_rules",
            a_service_without_rules,
        ),
        KernelTest::new("installed::pages_without_faults", pages_without_faults),
    ]
}

/// A new, empty folder.
fn folder(name: &str) -> Result<PathBuf> {
    let path = Path::new("/tmp").join(name);
    fs::create_dir(&path)?;
    Ok(path)
}

/// Everything below a folder that installing could change, by path: the mode of a directory, the
/// target of a link, the contents of a file.
fn tree(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut tree = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        let what = if found.is_symlink() {
            fs::read_link(&path)?.display().to_string()
        } else if found.is_dir() {
            tree.append(&mut self::tree(&path)?);
            format!("{:o}", found.permissions().mode())
        } else {
            String::from_utf8_lossy(&fs::read(&path)?).into_owned()
        };
        tree.insert(path.display().to_string(), what);
    }
    Ok(tree)
}

fn expect_tree(folder: &Path, expected: &BTreeMap<String, String>) -> Result<()> {
    let found = tree(folder)?;
    let paths: Vec<_> = found.keys().collect();
    ensure!(
        found == *expected,
        "there are, or have changed:\n{paths:#?}"
    );
    Ok(())
}

/// A prefix like Debian's `/usr/local`: with empty directories, some of them special.
fn prefix(name: &str) -> Result<PathBuf> {
    let prefix = folder(name)?;
    for name in ["sbin", "lib", "share/man"] {
        fs::create_dir_all(prefix.join(name))?;
    }
    fs::set_permissions(prefix.join("sbin"), Permissions::from_mode(0o2775))?;
    Ok(prefix)
}

fn in_a_package(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let package = folder("package")?;
    let install = installer()
        .env("DESTDIR", &package)
        .env("PREFIX", "/usr")
        .env("RULES", "/etc/sysconfig/ipvsadm");
    // Installing twice gives the same result as once.
    here.run(&install)?.success()?;
    here.run(&install)?.success()?;

    for file in [
        "sbin/ipvsadm",
        "sbin/ipvsadm-save",
        "sbin/ipvsadm-restore",
        "share/bash-completion/completions/ipvsadm",
        "share/zsh/site-functions/_ipvsadm",
        "share/fish/vendor_completions.d/ipvsadm.fish",
        "share/ipvsadm/ipvsadm.schema.json",
        "lib/ipvsadm/service",
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
    let save = Program::new(package.join("usr/sbin/ipvsadm-save")).args(["-h"]);
    let output = here.run(&save)?;
    ensure!(
        output.stderr.starts_with(b"usage: ipvsadm-save"),
        "{output}"
    );
    for (file, text) in [
        ("ipvsadm/service", "/usr/sbin/ipvsadm-restore"),
        (
            "systemd/system/ipvsadm.service",
            "=/etc/sysconfig/ipvsadm\n",
        ),
        (
            "systemd/system/ipvsadm.service",
            "=/usr/lib/ipvsadm/service ",
        ),
    ] {
        let found = fs::read_to_string(package.join("usr/lib").join(file))?;
        ensure!(found.contains(text), "no {text:?} in\n{found}");
        ensure!(!found.contains('@'), "a blank is not filled in:\n{found}");
    }

    let all = tree(&package)?;
    for (path, what) in &all {
        let is_of_the_package = !path.ends_with("manifest") && !path.ends_with(".new");
        ensure!(is_of_the_package, "the package has {path}");
        // The program itself may contain paths of its build.
        let is_text = !path.ends_with("sbin/ipvsadm");
        ensure!(
            !is_text || !what.contains("/tmp/package"),
            "{path} names it:\n{what}"
        );
    }
    here.run(&install.args(["--remove"]))?.success()?;
    let left = tree(&package)?;
    ensure!(left.keys().all(|path| Path::new(path).is_dir()), "{left:?}");
    Ok(())
}

fn removed_without_a_trace(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let remove = installer().args(["--remove"]);

    let prefix = prefix("removed")?;
    let before = tree(&prefix)?;
    let install = |program: Program| here.run(&program.env("PREFIX", &prefix))?.success();
    install(installer())?;
    // The second installation remembers what the first created.
    install(installer())?;
    ensure!(prefix.join("sbin/ipvsadm").exists(), "no program");
    for _ in 0..2 {
        install(remove.clone())?;
        expect_tree(&prefix, &before)?;
    }

    install(installer())?;
    fs::remove_file(prefix.join("lib/ipvsadm/manifest"))?;
    install(remove.clone())?;
    let left = tree(&prefix)?;
    ensure!(
        left.keys().all(|path| Path::new(path).is_dir()) && left.len() > before.len(),
        "{left:?}"
    );

    // A prefix that installing created is removed too.
    let parent = folder("parent")?;
    let own = |program: Program| {
        let program = program.env("PREFIX", parent.join("a/b"));
        here.run(&program)?.success()
    };
    own(installer())?;
    own(remove)?;
    expect_tree(&parent, &BTreeMap::new())
}

fn whole_or_not_at_all(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let fails = |prefix: &Path, program: Program| -> Result<()> {
        let before = tree(prefix)?;
        let output = here.run(&program.env("PREFIX", prefix))?;
        ensure!(output.status == Status::Exit(1), "{output}");
        ensure!(!output.stderr.is_empty(), "it does not say why");
        expect_tree(prefix, &before)
    };

    // Nothing was built; a late step fails; another package's program is in the way.
    let empty = prefix("empty")?;
    fails(&empty, installer().env("BINARY", "/no/program"))?;
    fs::write(empty.join("lib/systemd"), "")?;
    fails(&empty, installer())?;
    let others = prefix("others")?;
    fs::write(others.join("sbin/ipvsadm"), "the original")?;
    fails(&others, installer())?;
    let removed = installer().env("PREFIX", &others).args(["--remove"]);
    here.run(&removed)?.success()?;
    ensure!(others.join("sbin/ipvsadm").exists(), "that is not ours");

    // An update that fails, as late as possible, leaves the old version.
    let updated = prefix("updated")?;
    let before = tree(&updated)?;
    let install = installer().env("PREFIX", &updated);
    here.run(&install)?.success()?;
    let other = installer().env("BINARY", "/bin/true");
    fails(&updated, other.env("RULES", "/a|separator/of/sed"))?;
    here.run(&install.args(["--remove"]))?.success()?;
    expect_tree(&updated, &before)
}

fn next_to_other_files(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    let prefix = folder("prefix")?;
    let install = installer().env("PREFIX", &prefix);
    here.run(&install)?.success()?;
    let refused = here.run(&install.clone().args(["remove"]))?;
    ensure!(refused.status == Status::Exit(2), "{refused}");
    ensure!(prefix.join("sbin/ipvsadm").exists(), "the program has gone");

    // Directories of ours that hold other files stay.
    fs::write(prefix.join("sbin/other"), "")?;
    here.run(&install.args(["--remove"]))?.success()?;
    let left = tree(&prefix)?;
    let sbin = prefix.join("sbin").display().to_string();
    ensure!(
        left.keys().eq([&sbin, &format!("{sbin}/other")]),
        "left are {left:?}"
    );
    Ok(())
}

/// The commands in the README about installing.
fn commands() -> Result<Vec<&'static str>> {
    let readme = include_str!("../../README.md");
    let (_, behind) = readme.split_once("\n## Install\n").context("no section")?;
    let section = behind.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```").skip(1).step_by(2);
    Ok(blocks
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect())
}

/// The commands of the README, pasted into a shell that has run the original before.
fn the_commands_of_the_readme(world: &mut World) -> Result<()> {
    let here = world.namespace("here")?;
    // The lab lacks these.
    let stubs = folder("stubs")?;
    for (name, line) in [("sudo", "exec \"$@\""), ("cargo", ""), ("systemctl", "")] {
        let stub = stubs.join(name);
        fs::write(&stub, format!("#!/bin/sh\n{line}\n"))?;
        fs::set_permissions(&stub, Permissions::from_mode(0o755))?;
    }
    let defaults = "/etc/default/ipvsadm";
    let debians = fs::read_to_string(defaults)?;

    let mut lines = String::from("ipvsadm -h >/dev/null\n");
    let mut expected = String::new();
    let mut winner = "/usr/local/sbin/ipvsadm\n";
    for commands in commands()? {
        if commands.contains("--remove") {
            winner = "/usr/sbin/ipvsadm\n";
        }
        lines += commands;
        lines += "type -p ipvsadm\n";
        expected += winner;
    }
    ensure!(winner.starts_with("/usr/sbin"), "it does not go back");
    let shell = Program::new("/bin/bash")
        .args(["-e", "-c"])
        .args([format!("cd {}\n{lines}", project("").display())])
        .env("PATH", format!("{}:{PATH}", stubs.display()))
        .env("BINARY", Path::new(Side::Ours.folder()).join("ipvsadm"))
        .limit(Duration::from_secs(60));
    let output = here.run(&shell);
    let changed = fs::read_to_string(defaults)?;
    fs::write(defaults, &debians)?;
    let output = output?;
    ensure!(output.stderr.is_empty(), "{output}");
    ensure!(output.stdout == expected.as_bytes(), "{output}");
    let auto = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("AUTO="))
            .map(str::to_owned)
    };
    let autos = (auto(&debians), auto(&changed));
    ensure!(
        autos == (Some("AUTO=\"false\"".into()), Some("AUTO=true".into())),
        "{autos:?}"
    );
    Ok(())
}

/// The installed unit, and the environment it runs in.
struct Service {
    here: Namespace,
    unit: String,
    settings: BTreeMap<String, String>,
    rules: PathBuf,
    /// The directory that systemd creates for `RuntimeDirectory`.
    state: PathBuf,
}

/// The lines that another program has added to the table.
const OTHERS: &str = "-A -f 7 -s wlc\n";

const RULES: &str = "\
# two web servers
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 1
";

impl Service {
    fn new(world: &mut World, name: &str) -> Result<Self> {
        let here = world.namespace(name)?;
        let rules = folder(name)?.join("rules");
        fs::write(&rules, RULES)?;
        // One installation serves all tests of the service.
        let prefix = Path::new("/tmp/service");
        if !prefix.exists() {
            let install = installer().env("PREFIX", prefix);
            here.run(&install)?.success()?;
        }
        let unit = fs::read_to_string(prefix.join("lib/systemd/system/ipvsadm.service"))?;
        let mut service = Service {
            here,
            unit,
            settings: BTreeMap::new(),
            rules: rules.clone(),
            state: PathBuf::new(),
        };
        service.state = Path::new("/run").join(service.value("RuntimeDirectory")?);
        // A failed test leaves one behind.
        let _ = fs::remove_dir_all(&service.state);
        for line in service.values("Environment") {
            for setting in line.split(' ') {
                let (name, value) = setting.split_once('=').context("a setting without =")?;
                service.settings.insert(name.into(), value.into());
            }
        }
        service.set("IPVSADM_CONFIG", &rules.display().to_string())?;
        Ok(service)
    }

    /// The values of a key of the unit, in order.
    fn values(&self, key: &str) -> Vec<String> {
        let lines = self.unit.lines();
        let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        values.map(str::to_owned).collect()
    }

    fn value(&self, key: &str) -> Result<String> {
        let value = self.values(key).pop();
        value.with_context(|| format!("the unit has no {key}"))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let known = self.settings.get_mut(name);
        *known.with_context(|| format!("the unit knows no {name}"))? = value.into();
        Ok(())
    }

    /// Runs the command of a key the way systemd does.
    fn run(&self, key: &str) -> Result<Output> {
        let mut program = Program::new("env").args(["-i", "PATH=/usr/sbin:/usr/bin"]);
        for (name, value) in &self.settings {
            program = program.args([format!("{name}={value}")]);
        }
        self.here
            .run(&program.args(self.value(key)?.split(' ')))
            .with_context(|| format!("running {key}"))
    }

    fn try_to_start(&self) -> Result<Output> {
        fs::create_dir(&self.state)?;
        let output = self.run("ExecStart")?;
        if output.status != Status::Exit(0) {
            fs::remove_dir_all(&self.state)?;
        }
        Ok(output)
    }

    /// Starts it, and returns its messages.
    fn start(&self) -> Result<String> {
        said(self.try_to_start()?)
    }

    fn reload(&self) -> Result<String> {
        said(self.run("ExecReload")?)
    }

    fn try_to_stop(&self) -> Result<Output> {
        let output = self.run("ExecStop")?;
        fs::remove_dir_all(&self.state)?;
        Ok(output)
    }

    fn stop(&self) -> Result<String> {
        said(self.try_to_stop()?)
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

    /// Empties the table, as another program would before filling it.
    fn others(&self) -> Result<()> {
        self.ipvsadm(&["-C"])?;
        self.ipvsadm(&["-A", "-f", "7"])?;
        Ok(())
    }

    fn expect_rules(&self, expected: &str) -> Result<()> {
        let rules = fs::read_to_string(&self.rules)?;
        ensure!(
            rules == expected,
            "the rules are\n{rules}instead of\n{expected}"
        );
        Ok(())
    }

    fn expect_daemons(&self, expected: &[&str]) -> Result<()> {
        let text = self.ipvsadm(&["-L", "--daemon"])?;
        // Newer kernels print more in the brackets.
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

/// The messages that a program, which must succeed, wrote to the journal.
fn said(output: Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.success()?;
    Ok(said)
}

/// The rules, as a save prints them.
fn saved() -> &'static str {
    RULES.split_once('\n').map_or("", |(_, rules)| rules)
}

fn a_service_that_starts(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "starts")?;
    ensure!(service.start()?.is_empty(), "all is well");
    service.expect_table(saved())?;
    service.expect_daemons(&[])?;
    service.stop()?;

    service.set("DAEMON", "both")?;
    service.set("IFACE", "lo")?;
    service.set("SYNCID", "7")?;
    service.start()?;
    service.expect_daemons(&[
        "master sync daemon (mcast=lo, syncid=7",
        "backup sync daemon (mcast=lo, syncid=7",
    ])?;
    service.stop()?;
    service.expect_daemons(&[])?;

    fs::write(&service.rules, "-A -f 8 -q\n")?;
    let output = service.try_to_start()?;
    ensure!(output.status != Status::Exit(0), "{output}");
    ensure!(output.stderr.starts_with(b"line 1: "), "{output}");
    fs::remove_file(&service.rules)?;
    fs::create_dir(&service.rules)?;
    let output = service.try_to_start()?;
    ensure!(output.status != Status::Exit(0), "{output}");
    Ok(())
}

fn a_service_that_reloads(world: &mut World) -> Result<()> {
    let service = Service::new(world, "reloads")?;
    service.start()?;
    fs::write(&service.rules, OTHERS)?;
    service.reload()?;
    service.expect_table(OTHERS)?;

    fs::write(&service.rules, "-A -f 8\n-A -f 9 -q\n")?;
    let output = service.run("ExecReload")?;
    ensure!(output.stderr.starts_with(b"line 2: "), "{output}");
    service.expect_table(OTHERS)?;

    // It does not clear: unchanged services stay, and so does a table that would become empty.
    fs::write(&service.rules, "--set 100 20 30\n")?;
    let output = service.run("ExecReload")?;
    ensure!(output.status == Status::Exit(2), "{output}");
    service.expect_table(OTHERS)
}

fn a_service_that_stops(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "stops")?;
    service.set("IFACE", "lo")?;
    service.start()?;
    service.ipvsadm(&["-A", "-f", "7"])?;
    // The unit did not start this daemon.
    service.ipvsadm(&["--start-daemon", "master", "--mcast-interface", "lo"])?;
    service.set("DAEMON", "master")?;
    service.stop()?;
    service.expect_table("")?;
    service.expect_rules(RULES)?;
    service.expect_daemons(&["master sync daemon (mcast=lo, syncid=0"])?;
    service.ipvsadm(&["--stop-daemon", "master"])?;

    // A daemon that is already gone is an error, but the table is still cleared.
    service.start()?;
    service.ipvsadm(&["--stop-daemon", "master"])?;
    let output = service.try_to_stop()?;
    ensure!(output.status != Status::Exit(0), "{output}");
    service.expect_table("")?;

    service.set("IPVS_CLEAR_ON_STOP", "no")?;
    service.start()?;
    service.stop()?;
    service.expect_table(saved())
}

fn a_service_that_saves(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "saves")?;
    service.set("IPVS_SAVE_ON_STOP", "yes")?;
    let folder = folder("kept")?;
    let kept = folder.join("rules");
    fs::rename(&service.rules, &kept)?;
    symlink(&kept, &service.rules)?;
    chown(&kept, Some(1), Some(2))?;
    fs::set_permissions(&kept, Permissions::from_mode(0o640))?;

    service.start()?;
    service.ipvsadm(&["-A", "-f", "7"])?;
    service.stop()?;
    let more = saved().to_owned() + OTHERS;
    service.expect_rules(&more)?;
    service.expect_table("")?;
    ensure!(service.rules.is_symlink(), "the link was replaced");
    let found = fs::metadata(&kept)?;
    let access = (found.uid(), found.gid(), found.mode() & 0o7777);
    ensure!(access == (1, 2, 0o640), "{access:?}");
    ensure!(fs::read_dir(&folder)?.count() == 1, "something is left");

    // A table that cannot be saved is not cleared, and the rules stay unchanged.
    service.start()?;
    service.ipvsadm(&["-A", "-f", "8"])?;
    let larger = more.clone() + "-A -f 8 -s wlc\n";
    fs::rename(&kept, "/tmp/elsewhere")?;
    sys::mount(Path::new("none"), &folder, "tmpfs", 0, "size=4k")?;
    fs::write(&kept, &more)?;
    let output = service.try_to_stop()?;
    let left = fs::read_dir(&folder)?.count();
    service.expect_rules(&more)?;
    sys::unmount(&folder)?;
    ensure!(output.status != Status::Exit(0), "{output}");
    ensure!(left == 1, "something is left");
    service.expect_table(&larger)?;

    fs::rename("/tmp/elsewhere", &kept)?;
    service.start()?;
    service.set("IPVSADM_CONFIG", "/no/directory/rules")?;
    let output = service.try_to_stop()?;
    ensure!(output.status != Status::Exit(0), "{output}");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("/no/directory"), "{output}");
    service.expect_table(&more)
}

/// The table belongs to another program, from start to stop.
fn a_service_without_auto(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "hands_off")?;
    service.set("IPVS_SAVE_ON_STOP", "yes")?;
    service.set("DAEMON", "master")?;
    service.set("IFACE", "lo")?;
    service.others()?;
    // As in Debian's init script, only this word counts.
    for auto in ["false", "TRUE", "yes", ""] {
        service.set("AUTO", auto)?;
        let said = service.start()?;
        ensure!(said.contains("AUTO is not true"), "it said {said}");
        service.expect_table(OTHERS)?;
        service.expect_daemons(&["master sync daemon (mcast=lo, syncid=0"])?;
        service.reload()?;
        service.expect_table(OTHERS)?;
        service.stop()?;
        service.expect_table(OTHERS)?;
        service.expect_rules(RULES)?;
        service.expect_daemons(&[])?;
    }

    // The table still belongs to the other program although AUTO has changed meanwhile.
    service.start()?;
    service.set("AUTO", "true")?;
    let said = service.stop()?;
    ensure!(said.contains("not saved"), "it said {said}");
    service.expect_table(OTHERS)?;
    service.expect_rules(RULES)?;

    // It is handed over to another program.
    service.start()?;
    service.set("AUTO", "false")?;
    service.others()?;
    service.stop()?;
    service.expect_table(OTHERS)?;
    service.expect_rules(RULES)
}

fn a_service_without_rules(world: &mut World) -> Result<()> {
    let mut service = Service::new(world, "no_rules")?;
    service.others()?;
    let rules = service.rules.display().to_string();
    fs::remove_file(&rules)?;
    for _ in 0..2 {
        let said = service.start()?;
        ensure!(said.contains(&rules), "it said {said}");
        service.expect_table(OTHERS)?;
        let output = service.run("ExecReload")?;
        ensure!(output.status == Status::Exit(1), "{output}");
        service.expect_table(OTHERS)?;
        service.stop()?;
        service.expect_table(OTHERS)?;
        // Comments are not rules.
        fs::write(&rules, "# rules\n\n\t # of today\n")?;
    }

    // Saving could not destroy anything.
    service.set("IPVS_SAVE_ON_STOP", "yes")?;
    for _ in 0..2 {
        service.start()?;
        service.stop()?;
        service.expect_table(OTHERS)?;
        service.expect_rules(OTHERS)?;
        fs::remove_file(&rules)?;
    }

    // Rules written later are kept until a reload has restored them.
    service.start()?;
    fs::write(&rules, RULES)?;
    service.stop()?;
    service.expect_table(OTHERS)?;
    service.expect_rules(RULES)?;

    fs::remove_file(&rules)?;
    service.start()?;
    fs::write(&rules, RULES)?;
    service.reload()?;
    service.expect_table(saved())?;
    service.stop()?;
    service.expect_table("")?;
    service.expect_rules(saved())
}

/// A second formatter reads the manual pages without warnings.
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
