//! The job of one boot of a kernel.

use std::fmt;

use super::sets::Set;
use crate::lab::world::Side;

/// The measured listings, as words separated by blanks.
pub const VIEWS: [&str; 3] = ["-Ln", "-Ln --stats", "-Sn"];

/// Metrics, and the listings they are compared with.
pub const METRICS: [&str; 2] = ["-Ln --stats", "-L --format prometheus"];

/// The queries about a million connections.
pub const QUESTIONS: [&str; 3] = [
    "-Lc --count",
    "-Lnc --client 11.0.0.0/29",
    "-Lnc --state SYN_RECV",
];

/// The program to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Program(Side),
    Floor,
}

impl Who {
    pub const ALL: [Who; 3] = [
        Who::Program(Side::Ours),
        Who::Program(Side::Reference),
        Who::Floor,
    ];
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Who::Program(Side::Ours) => "ours",
            Who::Program(Side::Reference) => "original",
            Who::Floor => "floor",
        })
    }
}

/// A job, written on a kernel's command line as words separated by colons.
#[derive(Clone, Copy)]
pub enum Job {
    Restore(Who, Set),
    List(Set),
    Connections,
    Huge,
    /// Applying a file of 10,000 services with 10 servers each, and checking a longer one.
    Apply,
    /// Metrics of 10,000 services with 10 servers each.
    Metrics,
    /// A million connections, filtered and counted.
    Million,
    /// A live screen of 1,000 services once a second.
    Watch,
    /// Nothing is measured: ten writers and five listers for a minute.
    Together,
}

impl Job {
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(':').collect();
        Some(match words[..] {
            ["restore", who, set] => {
                let who = Who::ALL.into_iter().find(|one| one.to_string() == who)?;
                Job::Restore(who, Set::named(set)?)
            }
            ["list", set] => Job::List(Set::named(set)?),
            ["connections"] => Job::Connections,
            ["huge"] => Job::Huge,
            ["apply"] => Job::Apply,
            ["metrics"] => Job::Metrics,
            ["million"] => Job::Million,
            ["watch"] => Job::Watch,
            ["together"] => Job::Together,
            _ => return None,
        })
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Job::Restore(who, set) => write!(f, "restore:{who}:{}", set.name),
            Job::List(set) => write!(f, "list:{}", set.name),
            Job::Connections => f.write_str("connections"),
            Job::Huge => f.write_str("huge"),
            Job::Apply => f.write_str("apply"),
            Job::Metrics => f.write_str("metrics"),
            Job::Million => f.write_str("million"),
            Job::Watch => f.write_str("watch"),
            Job::Together => f.write_str("together"),
        }
    }
}
