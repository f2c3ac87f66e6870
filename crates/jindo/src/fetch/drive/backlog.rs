//! Memory of answers that were read and are not stored yet: reading waits for storing where they are many, and takes turns with the
//! making of files, which needs as much memory as reading.
//!
//! An answer that the machine holds back counts no longer, since reading must go on for it; the machine bounds those.

use crate::request::LargeRoom;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of answers that wait to be stored, beyond which none is read. One more comes to them: the answer that is read next.
const WAITING_BYTES_MAX: usize = 32 << 20;

/// Bytes of a body, and of answers that wait, that are nothing beside the making of files.
const LIGHT_BYTES_MAX: usize = 4 << 20;

/// Counts the bytes of answers between reading and storing.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    /// Files are being made, or wait for answers to be stored.
    is_extracting: bool,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, mut is_early: impl FnMut(&State) -> bool) {
        let state = self.changed.wait_while(self.state(), |state| is_early(state));
        drop(state.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Share of one answer. Dropped with the answer, or when it is held back.
#[derive(Debug)]
pub(super) struct BacklogShare {
    of: Arc<Waiting>,
    bytes: usize,
    /// Of the body that it was read from.
    _large: Option<LargeRoom>,
}

/// Time in which files are made.
#[derive(Debug)]
pub(super) struct ExtractTurn(Arc<Waiting>);

impl Backlog {
    /// Waits until a body of so many bytes may be read.
    pub(super) fn wait(&self, body_bytes: usize) {
        self.0.wait_while(|state| {
            state.bytes > WAITING_BYTES_MAX || state.is_extracting && body_bytes > LIGHT_BYTES_MAX
        });
    }

    /// Adds an answer of so many bytes.
    pub(super) fn add(&self, bytes: usize, large: Option<LargeRoom>) -> BacklogShare {
        self.0.state().bytes += bytes;
        BacklogShare { of: Arc::clone(&self.0), bytes, _large: large }
    }

    /// Waits until hardly anything waits to be stored; until the turn ends no large body is read.
    pub(super) fn turn(&self) -> ExtractTurn {
        self.0.state().is_extracting = true;
        self.0.wait_while(|state| state.bytes > LIGHT_BYTES_MAX);
        ExtractTurn(Arc::clone(&self.0))
    }
}

impl Drop for BacklogShare {
    fn drop(&mut self) {
        self.of.state().bytes -= self.bytes;
        self.of.changed.notify_all();
    }
}

impl Drop for ExtractTurn {
    fn drop(&mut self) {
        self.0.state().is_extracting = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;

    #[test]
    fn reading_waits_until_enough_is_stored() {
        let backlog = Backlog::default();
        let (first, second) =
            (backlog.add(WAITING_BYTES_MAX, None), backlog.add(WAITING_BYTES_MAX, None));
        let (waits_tx, waits_rx) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                backlog.wait(0);
                waits_tx.send(backlog.0.state().bytes).unwrap();
            });
            drop(first);
            assert_eq!(waits_rx.recv(), Ok(WAITING_BYTES_MAX));
        });
        drop(second);
        backlog.wait(usize::MAX);
    }

    #[test]
    fn large_bodies_and_files_take_turns() {
        let backlog = Backlog::default();
        let answer = backlog.add(LIGHT_BYTES_MAX + 1, None);
        let (told_tx, told_rx) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let turn = backlog.turn();
                told_tx.send("files").unwrap();
                backlog.wait(LIGHT_BYTES_MAX);
                told_tx.send("small body").unwrap();
                drop(turn);
            });
            drop(answer);
            assert_eq!(told_rx.recv(), Ok("files"));
            assert_eq!(told_rx.recv(), Ok("small body"));
            backlog.wait(usize::MAX);
        });
        assert!(!backlog.0.state().is_extracting);
    }
}
