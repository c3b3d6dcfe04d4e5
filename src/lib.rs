//! Administer the IP virtual servers (IPVS) of the Linux kernel.

pub mod command;
pub mod model;
