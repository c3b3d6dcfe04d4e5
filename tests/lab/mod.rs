//! The lab: a real IPVS kernel for tests, without root, KVM or a reboot.
//!
//! Debian packages the kernel as an ordinary program. The lab fetches it (`fetch`), starts it
//! (`boot`), makes a world inside in which nothing of the host can be written (`guest`), and has
//! one runner execute named tests there (`runner`), each in network namespaces of its own
//! (`world`). `schedule` is the outside of that: it hands tests to kernels and collects results.

pub mod boot;
pub mod fetch;
pub mod guest;
pub mod kernels;
pub mod supervise;
pub mod sys;
