//! Tests of the lab itself.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;

use crate::lab::boot::Kit;
use crate::lab::runner::KernelTest;

pub fn tests() -> Vec<KernelTest> {
    Vec::new()
}

pub fn trials(_kit: &Arc<Kit>) -> Result<Vec<Trial>> {
    Ok(Vec::new())
}
