//! What the kernel answers, in the program's errors.

use ipvsadm::error::{Action, Error};
use ipvsadm::kernel::{self, Client};

pub fn open(action: Action) -> Result<Client, Error> {
    asked(action, Client::open())
}

/// The kernel's answer to a command.
pub fn asked<T>(action: Action, answer: kernel::Result<T>) -> Result<T, Error> {
    answer.map_err(|error| Error::from_kernel(action, error))
}
