//! Connections that wait for their clients: so many at most, and the one that has waited longest goes first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The connections that wait, in the order in which they began to.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// Dropping what is held closes the connection.
    held: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A connection's place among those that wait; left when it is dropped.
#[derive(Debug)]
pub(super) struct WaitingPlace<'a> {
    waiting: &'a Waiting,
    number: u64,
    closed: oneshot::Receiver<()>,
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the last place.
    pub(super) fn enter(&self) -> WaitingPlace<'_> {
        let (close, closed) = oneshot::channel();
        let mut queue = self.queue();
        let number = queue.next;
        queue.next += 1;
        queue.held.insert(number, close);
        WaitingPlace { waiting: self, number, closed }
    }

    /// Closes the connection that has waited longest; false where none waits.
    pub(super) fn close_first(&self) -> bool {
        self.queue().held.pop_first().is_some()
    }
}

impl WaitingPlace<'_> {
    /// Returns when the connection is to be closed.
    pub(super) async fn closed(&mut self) {
        // Nothing is ever sent.
        (&mut self.closed).await.unwrap_or_default();
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.waiting.queue().held.remove(&self.number);
    }
}
