//! The help text, and its arrangement.

use ipvsadm::cli::help::help;
use ipvsadm::cli::{GROUPS, Group, OptionSpec};

#[test]
fn help_text() {
    insta::assert_snapshot!(help(b"ipvsadm"));
}

#[test]
fn the_help_fits_on_a_terminal() {
    for line in help(b"ipvsadm").lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// Options of one group belong to the same command: the first that any of them names. Those of CARE
/// apply to commands of every kind.
#[test]
fn each_group_has_its_command() {
    let takers = |row: &OptionSpec| [row.must, row.may, row.one_of].concat();
    let groups = GROUPS.iter().filter(|group| group.name != "CARE");
    for Group { name, options } in groups.filter(|group| !group.options[0].is_global) {
        let verbs = takers(&options[0]);
        let verb = verbs
            .first()
            .expect("the first option of a group has a command");
        for row in options.iter().filter(|row| !row.is_free) {
            assert!(takers(row).contains(verb), "--{} in {name}", row.long);
        }
    }
}
