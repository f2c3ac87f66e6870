//! Panics of libraries that read bytes of others: caught where those are read, and told apart from bugs of jindo's own. Prints
//! nothing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Depth of [`contained`] on this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs `read`, and returns `None` where it panics. What it changed by then must not be used any more.
pub(crate) fn contained<T>(read: impl FnOnce() -> T) -> Option<T> {
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(read));
    DEPTH.set(DEPTH.get() - 1);
    outcome.ok()
}

/// Returns true while a panic of this thread would be caught and become an error. A panic hook asks it, to say nothing: the text
/// of such a panic may hold what was read.
pub fn are_contained() -> bool {
    DEPTH.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_at_every_depth_and_not_behind_it() {
        let inner = contained(|| {
            assert_eq!(contained(|| -> u32 { panic!("read") }), None);
            are_contained()
        });
        assert_eq!((inner, are_contained()), (Some(true), false));
    }
}
