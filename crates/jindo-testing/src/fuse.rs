//! The moment of a failure: a count of moments, burnt by every effect on ledger, objects and files. Decides nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Kinds of failure at the fatal moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doom {
    /// The process is gone: nothing works any more.
    Dies,
    /// A full disk, a moment's fault: one effect fails, all that follow work.
    FailsOnce,
}

/// Moments left. Every effect has one before and one after it, so that it may fail without having happened, and happen
/// without its caller learning of it.
#[derive(Debug, Clone)]
pub struct Fuse {
    left: Arc<AtomicI64>,
    doom: Doom,
}

/// The effect did not succeed, as far as its caller knows.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the simulated machine is dead")]
pub struct Dead;

impl Fuse {
    /// Returns a fuse that never blows.
    pub fn endless() -> Self {
        Self::of(i64::MAX, Doom::Dies)
    }

    /// Returns a fuse that blows when so many moments have passed.
    pub fn of(moments: i64, doom: Doom) -> Self {
        Self { left: Arc::new(AtomicI64::new(moments)), doom }
    }

    /// Lets a moment pass.
    ///
    /// # Errors
    /// [`Dead`] at the fatal moment, and after it unless the effect fails once only.
    pub fn burn(&self) -> Result<(), Dead> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1.. => Ok(()),
            0 => Err(Dead),
            _ if self.doom == Doom::FailsOnce => Ok(()),
            _ => Err(Dead),
        }
    }

    /// Refuses the reads of a dead process. A read takes no moment.
    ///
    /// # Errors
    /// [`Dead`] once the process has died.
    pub fn alive(&self) -> Result<(), Dead> {
        if self.doom == Doom::Dies && self.has_blown() { Err(Dead) } else { Ok(()) }
    }

    /// Returns true after the fatal moment.
    pub fn has_blown(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// Returns the moments burnt of an endless fuse.
    pub fn burnt(&self) -> i64 {
        i64::MAX - self.left.load(Ordering::SeqCst)
    }
}
