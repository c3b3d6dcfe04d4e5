//! The kernels of the lab: which there are, and which of them a run wants.

use std::env;
use std::fmt;

use anyhow::{Result, bail};

/// A kernel, named by the version that the suite had when the lab was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kernel {
    V5_10,
    V6_1,
    V6_12,
    V7_2,
    /// The one this machine runs.
    Host,
}

/// The kernels that a run uses unless told otherwise, the slow ones first.
pub const ALL: [Kernel; 4] = [Kernel::V5_10, Kernel::V6_1, Kernel::V6_12, Kernel::V7_2];

impl Kernel {
    pub fn name(self) -> &'static str {
        match self {
            Kernel::V5_10 => "5.10",
            Kernel::V6_1 => "6.1",
            Kernel::V6_12 => "6.12",
            Kernel::V7_2 => "7.2",
            Kernel::Host => "host",
        }
    }

    /// The Debian suite whose package `user-mode-linux` this is.
    pub fn suite(self) -> &'static str {
        match self {
            Kernel::V5_10 => "bullseye",
            Kernel::V6_1 => "bookworm",
            Kernel::V6_12 => "trixie",
            Kernel::V7_2 => "forky",
            Kernel::Host => unreachable!("this machine's kernel comes from no suite"),
        }
    }

    /// Says so when the suite of this kernel has moved on to the version `release`.
    pub fn moved(self, release: &str) -> Option<String> {
        let expected = format!("{}.", self.name());
        (self != Kernel::Host && !release.starts_with(&expected)).then(|| {
            format!(
                "ATTENTION: Debian's suite {} has moved on: what is called {self} here is now {release}",
                self.suite()
            )
        })
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The kernels that `LAB_KERNEL=host` or `LAB_KERNELS="6.1 7.2"` ask for; all four otherwise.
pub fn wanted() -> Result<Vec<Kernel>> {
    match env::var("LAB_KERNEL").as_deref() {
        Ok("host") => return Ok(vec![Kernel::Host]),
        Ok(other) => {
            bail!("LAB_KERNEL={other}: only LAB_KERNEL=host is known (or use LAB_KERNELS)")
        }
        Err(_) => {}
    }
    let Ok(names) = env::var("LAB_KERNELS") else {
        return Ok(ALL.to_vec());
    };
    parse(&names)
}

/// Kernels from names between blanks or commas.
pub fn parse(names: &str) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
        match ALL.into_iter().find(|kernel| kernel.name() == name) {
            Some(kernel) => kernels.push(kernel),
            None => bail!("there is no kernel {name} in the lab, only 5.10, 6.1, 6.12 and 7.2"),
        }
    }
    if kernels.is_empty() {
        bail!("no kernel is named; the lab has 5.10, 6.1, 6.12 and 7.2");
    }
    Ok(kernels)
}
