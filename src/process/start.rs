//! Where the C library enters the program, in place of Rust's own start.
//!
//! That start reads `/proc/self/maps` to learn where the stack ends, sets up a second stack for a
//! message about its overflow, and opens `/dev/null` for standard files that are closed, which
//! would hide lost output.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

static DIES_OF_BROKEN_PIPES: AtomicBool = AtomicBool::new(false);

/// Whether a broken pipe ends this process, as it was started.
pub fn dies_of_broken_pipes() -> bool {
    DIES_OF_BROKEN_PIPES.load(Ordering::Relaxed)
}

// SAFETY: the C library calls the function of this name, with these arguments, and no library that
// this program is linked with has another one.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    fill_closed_files();
    // SAFETY: nothing else runs yet, and no handler is set.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    DIES_OF_BROKEN_PIPES.store(before == libc::SIG_DFL, Ordering::Relaxed);

    let places = 0..usize::try_from(count).unwrap_or(0);
    // SAFETY: there are as many words as said, each ends with a zero, and all outlive `main`.
    let word = |place| unsafe { CStr::from_ptr(*words.add(place)).to_bytes() };
    let arguments: Vec<&[u8]> = places.map(word).collect();
    crate::run(&arguments).into()
}

/// Nothing that is opened later gets the number of a standard file that is closed. What takes its
/// place can be neither read nor written either.
fn fill_closed_files() {
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: the first call is allowed for any number, and the path outlives the second,
        // which takes the lowest number that is free: this one.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) < 0 {
                libc::open(c"/".as_ptr(), libc::O_PATH);
            }
        }
    }
}
