//! Work on a thread of its own that is waited for, which keeps memory together. A leaf.
//!
//! The usual allocator keeps what a thread freed for that thread, and hands it on when the thread ends. Long-lived threads of which each
//! now and then holds a large answer so keep that much each; threads that follow each other share it. Of the 450 MB that an export of
//! 100,000 series took, half was kept so.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does the work on a new thread, and returns what it returns, or panics as it does. Where the system gives no thread (a limit on
/// processes), it is done on this one: it then takes more memory, and loses nothing.
pub(crate) fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = Mutex::new(Some(work));
    let once = || work.lock().unwrap_or_else(PoisonError::into_inner).take().map(|work| work());
    let done = thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, once) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        Err(_) => once(),
    });
    done.expect("it is done once")
}
