//! Administer the IP virtual servers (IPVS) of the Linux kernel.

pub mod cli;
pub mod command;
pub mod error;
pub mod kernel;
pub mod lines;
pub mod model;
pub mod names;
pub mod render;
pub mod rules;
