//! Case files: the reference and ours do the same, and leave the same.
//!
//! `tests/cases/README.md` describes the format. The reference works in one network namespace and
//! ours in another, on the same kernel. A step that changes something runs once on each side, with
//! the same output. A step that lists is run by both programs in both namespaces, back to back,
//! because counters change and the kernel may list in any order. At the end the reference lists
//! both tables, which must be the same.

mod text;

use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result, bail, ensure};

use crate::lab::guest::{self, WithoutIpvs};
use crate::lab::runner::KernelTest;
use crate::lab::world::{Namespace, Output, Program, Side, World};
use text::{Case, Expected, Step, What};

/// How often to retry a listing that changes while it is compared.
const MOST_ATTEMPTS: usize = 20;

/// Every case of every file in `tests/cases`, as a test.
pub fn tests() -> Result<Vec<KernelTest>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(guest::path_of_host(&folder))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "case")
    });
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let subject = file
            .file_stem()
            .context("a file without a name")?
            .to_string_lossy();
        let text = fs::read_to_string(&file)?;
        let cases = text::parse(&text).with_context(|| format!("in {}", file.display()))?;
        all.extend(cases.into_iter().map(|case| (subject.to_string(), case)));
    }
    // What the kernel has not yet freed after other tests also holds IPVS.
    all.sort_by_key(|(_, case)| !case.without_ipvs);
    let tests = all.into_iter();
    Ok(tests.map(|(subject, case)| test(&subject, case)).collect())
}

/// One case as a test, named after its subject and title.
pub fn test(subject: &str, case: Case) -> KernelTest {
    let name = format!("cases::{subject}::{}", case.title.replace(' ', "_"));
    let kernels = case.kernels.clone();
    let mut test = KernelTest::new(name, move |world| play(world, &case));
    if let Some(kernels) = kernels {
        test.kernels = kernels;
    }
    test
}

fn play(world: &mut World, case: &Case) -> Result<()> {
    if !case.without_ipvs {
        return Sides::new(world)?.play(case);
    }
    ensure!(
        process::id() == 1,
        "this unloads IPVS, which others may use on this machine's own kernel: use the lab's"
    );
    let _without = WithoutIpvs::new()?;
    Sides::new(world)?.play(case)
}

/// The only case in `text` as a test.
pub fn test_of(subject: &str, text: &str) -> Result<KernelTest> {
    let case = text::parse(text)?.pop().context("no case")?;
    Ok(test(subject, case))
}

/// A namespace for each program.
struct Sides<'a> {
    world: &'a mut World,
    reference: Namespace,
    ours: Namespace,
}

impl<'a> Sides<'a> {
    fn new(world: &'a mut World) -> Result<Self> {
        let reference = world.namespace("reference")?;
        let ours = world.namespace("ours")?;
        Ok(Sides {
            world,
            reference,
            ours,
        })
    }

    fn play(&mut self, case: &Case) -> Result<()> {
        for step in &case.steps {
            self.step(step)
                .with_context(|| format!("line {}: {}", step.line, step.text))?;
        }
        self.compare_tables()
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let theirs = step.program(Side::Reference);
        let mut ours = step.program(Side::Ours);
        if let Some(mutant) = &self.world.mutant {
            ours = ours.env("IPVSADM_MUTANT", mutant);
        }
        if !step.lists() {
            let outputs = [self.reference.run(&theirs)?, self.ours.run(&ours)?];
            return self.judge(&step.expected, outputs);
        }
        for (name, namespace) in [("reference", &self.reference), ("ours", &self.ours)] {
            let outputs = back_to_back(namespace, &theirs, &ours)?;
            self.world.comparisons += 1;
            judge(&step.expected, outputs)
                .with_context(|| format!("listing the table that {name} made"))?;
        }
        Ok(())
    }

    fn judge(&mut self, expected: &Expected, outputs: [Output; 2]) -> Result<()> {
        self.world.comparisons += 1;
        judge(expected, outputs)
    }

    /// The tables in the two namespaces, as the reference reads them.
    fn compare_tables(&mut self) -> Result<()> {
        let saved = self.read_tables(&["-Sn"])?;
        // A save lacks only the thresholds, and an empty table has none.
        if !saved.stdout.is_empty() {
            self.read_tables(&["-Ln", "--thresholds"])?;
        }
        Ok(())
    }

    fn read_tables(&mut self, words: &[&str]) -> Result<Output> {
        let program = Program::ipvsadm(Side::Reference).args(words);
        let outputs = [self.reference.run(&program)?, self.ours.run(&program)?];
        let first = outputs[0].clone();
        self.judge(&Expected::Same, outputs)
            .with_context(|| format!("the tables in the end, by ipvsadm {}", words.join(" ")))?;
        Ok(first)
    }
}

/// What both programs print for the same namespace at the same time. Where they differ, the
/// reference must print the same before and after ours, apart from seconds that passed.
fn back_to_back(namespace: &Namespace, theirs: &Program, ours: &Program) -> Result<[Output; 2]> {
    let mut before = namespace.run(theirs)?;
    for _ in 0..MOST_ATTEMPTS {
        let output = namespace.run(ours)?;
        if before == output {
            return Ok([before, output]);
        }
        let after = namespace.run(theirs)?;
        if before == after {
            return Ok([before, output]);
        }
        before = after;
    }
    bail!("the reference never printed the same twice");
}

/// Compares the output of the reference and ours, with each other or with what each should print.
fn judge(expected: &Expected, [theirs, ours]: [Output; 2]) -> Result<()> {
    match expected {
        Expected::Same => same("the reference", &theirs, "ours", &ours),
        Expected::Both(expected) => {
            same("expected", expected, "the reference", &theirs)?;
            same("the reference", &theirs, "ours", &ours)
        }
        Expected::Each {
            theirs: their_part,
            ours: our_part,
        } => {
            same("expected", their_part, "the reference", &theirs)?;
            same("expected", our_part, "ours", &ours)
        }
    }
}

pub fn same(left_name: &str, left: &Output, right_name: &str, right: &Output) -> Result<()> {
    if left == right {
        return Ok(());
    }
    let (left, right) = (left.to_string(), right.to_string());
    bail!(
        "- {left_name}\n+ {right_name}\n{}",
        difference(&left, &right)
    );
}

/// The lines of two texts: a common start and end once, and the differing lines between marked.
fn difference(left: &str, right: &str) -> String {
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    let pairs = || left.iter().zip(&right);
    let start = pairs().take_while(|(a, b)| a == b).count();
    let most = left.len().min(right.len()) - start;
    let from_the_end = left.iter().rev().zip(right.iter().rev());
    let end = from_the_end.take(most).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    let mut add = |mark, lines: &[&str]| {
        for line in lines {
            text.push_str(&format!("{mark} {line}\n"));
        }
    };
    add(' ', &left[..start]);
    add('-', &left[start..left.len() - end]);
    add('+', &right[start..right.len() - end]);
    add(' ', &left[left.len() - end..]);
    text
}

impl Step {
    fn program(&self, side: Side) -> Program {
        let program = match &self.what {
            What::Command(words) => Program::ipvsadm(side).argv0(&words[0]).args(&words[1..]),
            What::Shell => Program::shell(side, &self.text),
        };
        program.stdin(&self.stdin)
    }
}
