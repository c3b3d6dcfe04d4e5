//! The public interface of the library, and its independence from the program.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// An item of formatted code, or a field or variant. An item begins and ends in the same column,
/// and its contents are indented further.
struct Item<'a> {
    attributes: Vec<String>,
    /// The text up to its braces, or all of it.
    head: String,
    /// The lines between its braces.
    body: &'a [&'a str],
}

impl Item<'_> {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|found| found == attribute)
    }

    fn is_hidden(&self) -> bool {
        self.has("#[doc(hidden)]") || self.has("#[cfg(test)]")
    }

    fn is_public(&self) -> bool {
        self.head.starts_with("pub ") && !self.is_hidden()
    }

    fn is_use(&self) -> bool {
        self.head.starts_with("pub use ")
    }

    /// Whether it implements a trait.
    fn is_of_trait(&self) -> bool {
        self.head.starts_with("impl") && self.head.contains(" for ")
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let is_other = |c: char| !c.is_alphanumeric() && c != '_';
        let words = self.head.split(is_other);
        words.filter(|word| !["", "pub", "use"].contains(word))
    }

    /// The name that it defines.
    fn name(&self) -> Option<&str> {
        let mut names = self.names().skip_while(|&name| name == "const");
        match names.next()? {
            "struct" | "enum" | "trait" | "fn" | "type" | "mod" => names.next(),
            constant => Some(constant),
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Joins lines into one.
fn joined(lines: &[&str]) -> String {
    let lines = lines.iter().map(|line| line.trim());
    let code: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
    code.join(" ").replace("( ", "(").replace(", )", ")")
}

/// The items that begin in the column of the first line.
fn items<'a>(mut lines: &'a [&'a str]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut attributes = Vec::new();
    while let [first, rest @ ..] = lines {
        let text = first.trim();
        if text.is_empty() || text.starts_with("//") {
            lines = rest;
            continue;
        }
        let outside = indent(first);
        let ends = |line: &&str, with: &[char]| indent(line) == outside && line.ends_with(with);
        if text.starts_with('#') {
            let end = lines.iter().position(|line| ends(line, &[']']));
            let (attribute, rest) = lines.split_at(end.expect("the end of an attribute") + 1);
            attributes.push(joined(attribute));
            lines = rest;
            continue;
        }
        let mut places = lines.iter();
        let end = places.position(|line| ends(line, &['{', '}', ';', ',']));
        let (head, rest) = lines.split_at(end.map_or(lines.len(), |end| end + 1));
        let has_body = head.last().is_some_and(|line| line.ends_with('{'));
        let is_inside = |line: &&&str| has_body && (line.is_empty() || indent(line) > outside);
        let (body, rest) = rest.split_at(rest.iter().take_while(is_inside).count());
        items.push(Item {
            attributes: std::mem::take(&mut attributes),
            head: joined(head).trim_end_matches([' ', '{']).to_owned(),
            body,
        });
        lines = &rest[usize::from(has_body)..];
    }
    items
}

/// The names that users see.
fn public_names(items: &[Item]) -> HashSet<String> {
    let public = items.iter().filter(|item| item.is_public());
    let names = public.flat_map(|item| {
        if item.is_use() {
            item.names().collect()
        } else {
            Vec::from_iter(item.name())
        }
    });
    names.map(str::to_owned).collect()
}

/// Whether users see a member of an item.
type IsSeen = fn(&Item) -> bool;

/// Which members of an item users see; `None` if they do not see the item.
fn members_of(item: &Item, public: &HashSet<String>) -> Option<IsSeen> {
    let head = item.head.as_str();
    if head.starts_with("impl") {
        let is_ours = item.names().any(|name| public.contains(name));
        let members: IsSeen = if item.is_of_trait() {
            |member| member.head.starts_with("type ")
        } else {
            |member| member.is_public()
        };
        return (is_ours && !item.is_hidden()).then_some(members);
    }
    if head.ends_with('!') {
        return Some(|_| true);
    }
    let is_ours = if item.is_use() {
        item.names().any(|name| public.contains(name))
    } else {
        item.name().is_some_and(|name| public.contains(name))
    };
    if !is_ours || !item.is_public() {
        return None;
    }
    let members: IsSeen = match head.split(' ').nth(1) {
        Some("enum" | "trait") => |_| true,
        Some("struct") => |member| member.is_public(),
        _ => |_| false,
    };
    Some(members)
}

fn describe(item: &Item, public: &HashSet<String>, out: &mut String) {
    if item.head.starts_with("mod ") && !item.is_hidden() {
        let within = items(item.body);
        return within.iter().for_each(|item| describe(item, public, out));
    }
    let Some(is_seen) = members_of(item, public) else {
        return;
    };
    let members = items(item.body);
    let (seen, others): (Vec<&Item>, Vec<&Item>) = members.iter().partition(|item| is_seen(item));
    if item.head.starts_with("impl") && !item.is_of_trait() && seen.is_empty() {
        return;
    }
    write(item, "", out);
    for member in seen {
        write(member, "    ", out);
        if item.head.starts_with("pub enum") {
            for field in &items(member.body) {
                write(field, "        ", out);
            }
        }
    }
    if item.head.starts_with("pub struct") && !others.is_empty() {
        *out += "    private fields\n";
    }
}

/// Messages are not part of the interface.
fn write(item: &Item, margin: &str, out: &mut String) {
    let attributes = item.attributes.iter();
    let attributes = attributes.filter(|attribute| !attribute.starts_with("#[error("));
    for line in attributes.chain([&item.head]) {
        *out += &format!("{margin}{line}\n");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let files = paths.into_iter().flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

/// The public items of a file, and the names that it re-exports. Modules in its folder count only
/// through re-exports, unless it makes them public itself.
fn seen_of(path: &str, public: Option<&HashSet<String>>) -> (String, HashSet<String>) {
    let text = fs::read_to_string(path).expect(path);
    let lines: Vec<&str> = text.lines().collect();
    let items = items(&lines);
    let own = public_names(&items);
    let mut seen = String::new();
    for item in &items {
        describe(item, public.unwrap_or(&own), &mut seen);
    }
    if !seen.is_empty() {
        let path = path.trim_start_matches(SOURCE);
        seen = format!("// {path}\n{seen}\n");
    }
    (seen, own)
}

/// A change here affects programs that use the library.
#[test]
fn what_is_public() {
    let (mut interface, _) = seen_of(&format!("{SOURCE}lib.rs"), None);
    for folder in ["kernel", "model"] {
        let names = format!("{SOURCE}{folder}/mod.rs");
        let (seen, public) = seen_of(&names, None);
        interface += &seen;
        for file in files_below(Path::new(SOURCE).join(folder).as_path()) {
            let file = file.to_str().expect("a name of ours");
            if file != names && !file.ends_with("/tests.rs") {
                interface += &seen_of(file, Some(&public)).0;
            }
        }
    }
    insta::assert_snapshot!(interface);
}

fn cargo(words: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(words)
        .args(["--offline", "--no-default-features"]);
    let output = command.current_dir(ROOT).output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_library_needs_nothing_of_the_program() {
    let tree = cargo(&[
        "tree", "--edges", "normal", "--prefix", "none", "--depth", "1",
    ]);
    let crates = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next());
    let mut crates: Vec<&str> = crates.collect();
    crates.sort();
    let netlink = [
        "netlink-packet-core",
        "netlink-packet-generic",
        "netlink-sys",
    ];
    assert_eq!(
        crates,
        [&["libc", "memchr"], &netlink[..], &["thiserror"]].concat()
    );
    cargo(&["test", "--quiet", "--lib", "--features", "serde"]);
}
