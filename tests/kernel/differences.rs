//! Where ours differs from the reference on purpose: each is a named rewriting of what the
//! reference prints, after which ours must print the same.

use ipvsadm::cli::clap;

use crate::lab::world::Output;

/// The first line of the reference's help, and all that it says of its version.
const THEIR_VERSION: &[u8] = b"ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

/// Rewrites what the reference printed into what ours must print.
pub fn expected(mut theirs: Output) -> Output {
    if let Some(rest) = theirs.stdout.strip_prefix(THEIR_VERSION) {
        theirs.stdout = match rest {
            b"" => clap::VERSION.into(),
            _ => clap::help(b"ipvsadm").into(),
        };
    }
    theirs
}
