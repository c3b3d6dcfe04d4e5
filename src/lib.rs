//! Administer the IP virtual servers (IPVS) of the Linux kernel.
