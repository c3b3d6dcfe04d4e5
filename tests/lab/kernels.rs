//! The kernels of the lab, and the selection for a run.
//!
//! Stock kernels run under a slow emulator: they are for what user-mode kernels cannot do.

use std::env;
use std::fmt;

use anyhow::{Result, bail};

/// A kernel, named after the version in the suite when the lab was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kernel {
    V5_10,
    V6_1,
    V6_12,
    V7_2,
    Stock6_1,
    Stock7_2,
    /// The kernel of this machine.
    Host,
}

/// The user-mode kernels, the slow ones first.
pub const USER_MODE: [Kernel; 4] = [Kernel::V5_10, Kernel::V6_1, Kernel::V6_12, Kernel::V7_2];

/// The emulated kernels.
pub const STOCK: [Kernel; 2] = [Kernel::Stock6_1, Kernel::Stock7_2];

/// What a run uses unless told otherwise.
pub const USUAL: [Kernel; 5] = [
    Kernel::V5_10,
    Kernel::V6_1,
    Kernel::V6_12,
    Kernel::V7_2,
    Kernel::Stock6_1,
];

impl Kernel {
    pub fn name(self) -> &'static str {
        match self {
            Kernel::V5_10 => "5.10",
            Kernel::V6_1 => "6.1",
            Kernel::V6_12 => "6.12",
            Kernel::V7_2 => "7.2",
            Kernel::Stock6_1 => "stock-6.1",
            Kernel::Stock7_2 => "stock-7.2",
            Kernel::Host => "host",
        }
    }

    /// The Debian suite whose package `user-mode-linux` or `linux-image-cloud-amd64` this is.
    pub fn suite(self) -> &'static str {
        match self {
            Kernel::V5_10 => "bullseye",
            Kernel::V6_1 | Kernel::Stock6_1 => "bookworm",
            Kernel::V6_12 => "trixie",
            Kernel::V7_2 | Kernel::Stock7_2 => "forky",
            Kernel::Host => unreachable!("this machine's kernel comes from no suite"),
        }
    }

    /// The version, for any kind of kernel.
    pub fn version(self) -> &'static str {
        self.name().trim_start_matches("stock-")
    }

    /// True for a kernel that runs under an emulator.
    pub fn is_stock(self) -> bool {
        STOCK.contains(&self)
    }

    /// Prints a notice if the suite of this kernel has moved on to the version `release`.
    pub fn moved(self, release: &str) -> Option<String> {
        let expected = format!("{}.", self.version());
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

/// The kernels that `LAB_KERNEL=host` or `LAB_KERNELS="6.1 7.2"` ask for; the usual ones otherwise.
pub fn wanted() -> Result<Vec<Kernel>> {
    match env::var("LAB_KERNEL").as_deref() {
        Ok("host") => return Ok(vec![Kernel::Host]),
        Ok(other) => {
            bail!("LAB_KERNEL={other}: only LAB_KERNEL=host is known (or use LAB_KERNELS)")
        }
        Err(_) => {}
    }
    let Ok(names) = env::var("LAB_KERNELS") else {
        return Ok(USUAL.to_vec());
    };
    parse(&names)
}

/// Kernels from names separated by blanks or commas.
pub fn parse(names: &str) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
        let mut known = USER_MODE.into_iter().chain(STOCK);
        match known.find(|kernel| kernel.name() == name) {
            Some(kernel) => kernels.push(kernel),
            None => bail!("there is no kernel {name} in the lab, only {}", all_names()),
        }
    }
    if kernels.is_empty() {
        bail!("no kernel is named; the lab has {}", all_names());
    }
    Ok(kernels)
}

fn all_names() -> String {
    let names: Vec<_> = USER_MODE
        .iter()
        .chain(&STOCK)
        .map(|kernel| kernel.name())
        .collect();
    names.join(", ")
}
