//! The amount of code reached, in builds with the compiler's coverage counters.

#[cfg(fuzz_coverage)]
pub fn told() -> String {
    let counters = crate::library::counters();
    let reached = counters.iter().filter(|&&count| count > 0).count();
    format!("{reached} of {} places reached", counters.len())
}

#[cfg(not(fuzz_coverage))]
pub fn told() -> &'static str {
    "places not counted"
}
