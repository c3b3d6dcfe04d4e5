//! Work in a separate thread, with a limit on how long to wait for its result.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The result, once it is available. A thread that takes too long is left running.
pub struct Later<T>(Arc<(Mutex<Option<T>>, Condvar)>);

impl<T: Send + 'static> Later<T> {
    pub fn begin(work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let later = Self(Arc::new((Mutex::new(None), Condvar::new())));
        let place = later.0.clone();
        thread::Builder::new().spawn(move || {
            let done = work();
            let (result, news) = &*place;
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            news.notify_one();
        })?;
        Ok(later)
    }

    pub fn within(self, patience: Duration) -> Option<T> {
        let (result, news) = &*self.0;
        let result = result.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = news.wait_timeout_while(result, patience, |result| result.is_none());
        let (mut result, _) = waited.unwrap_or_else(PoisonError::into_inner);
        result.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_waited_for() {
        let slow = Later::begin(|| thread::sleep(Duration::from_secs(60))).unwrap();
        assert_eq!(slow.within(Duration::from_millis(10)), None);
        let quick = Later::begin(|| 7).unwrap();
        assert_eq!(quick.within(Duration::from_secs(60)), Some(7));
    }
}
