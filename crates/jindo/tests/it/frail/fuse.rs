//! When the world ends: a count of moments, burnt by every effect on ledger, objects and files. Decides nothing else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What happens at the fatal moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doom {
    /// The process is gone: nothing works any more.
    Dies,
    /// A full disk, a moment's fault: one effect fails, all that follow work.
    FailsOnce,
}

/// Moments left. Every effect has one before and one after it, so that it may fail without having happened, and happen
/// without its caller ever hearing of it.
#[derive(Debug, Clone)]
pub(crate) struct Fuse {
    left: Arc<AtomicI64>,
    doom: Doom,
}

/// The effect did not succeed, as far as its caller knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dead;

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated machine is dead")
    }
}

impl std::error::Error for Dead {}

impl Fuse {
    pub(crate) fn endless() -> Self {
        Self::of(i64::MAX, Doom::Dies)
    }

    pub(crate) fn of(moments: i64, doom: Doom) -> Self {
        Self { left: Arc::new(AtomicI64::new(moments)), doom }
    }

    /// Lets a moment pass.
    pub(crate) fn burn(&self) -> Result<(), Dead> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1.. => Ok(()),
            0 => Err(Dead),
            _ if self.doom == Doom::FailsOnce => Ok(()),
            _ => Err(Dead),
        }
    }

    /// Reading takes no moment, but a dead process does not read.
    pub(crate) fn alive(&self) -> Result<(), Dead> {
        if self.doom == Doom::Dies && self.has_blown() { Err(Dead) } else { Ok(()) }
    }

    pub(crate) fn has_blown(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// Moments burnt of an endless one.
    pub(crate) fn burnt(&self) -> i64 {
        i64::MAX - self.left.load(Ordering::SeqCst)
    }
}
