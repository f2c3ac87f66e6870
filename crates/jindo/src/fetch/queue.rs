//! Calls that wait to be made, and those that wait for an answer. Pure.

use super::call::PendingCall;
use super::protocol::Call;
use crate::plan::Task;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Calls that wait, in the order in which they are made.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) ready: VecDeque<PendingCall>,
    /// To be tried again, not before their time.
    pub(super) delayed: Vec<(Timestamp, PendingCall)>,
    turn: Turn,
}

/// The kind that goes first when both are due: a few calls that always fail must not keep the others from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Fresh,
    /// Has failed before.
    Tried,
}

impl Queue {
    pub(super) fn new(calls: VecDeque<PendingCall>) -> Self {
        Self { ready: calls, delayed: Vec::new(), turn: Turn::Tried }
    }

    /// Queues a call behind those that share a query with it and stand before all others.
    pub(super) fn push_behind_overlapping(&mut self, call: PendingCall) {
        let others = self.ready.iter().position(|other| !other.overlaps(&call.task));
        self.ready.insert(others.unwrap_or(self.ready.len()), call);
    }

    /// Puts a delayed call first if it is due and has its turn.
    pub(super) fn bring_due(&mut self, now: Timestamp) {
        let due = self.delayed.iter().position(|(at, _)| *at <= now);
        if let Some(due) = due.filter(|_| self.ready.is_empty() || self.turn == Turn::Tried) {
            let (_, call) = self.delayed.swap_remove(due);
            self.ready.push_front(call);
        }
    }

    /// Takes in that a call was made: the other kind has its turn.
    pub(super) fn made(&mut self, call: &PendingCall) {
        self.turn = if call.attempts > 0 { Turn::Fresh } else { Turn::Tried };
    }

    /// Returns when the next delayed call is due. What is due already waits for something else.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.delayed.iter().map(|(at, _)| *at).filter(|&at| at > now).min()
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Takes out all fetches that are not delayed; other calls stay.
    pub(super) fn take_fetches(&mut self) -> Vec<Task> {
        let (fetches, others): (Vec<_>, Vec<_>) =
            self.ready.drain(..).partition(PendingCall::is_fetch);
        self.ready = others.into();
        fetches.into_iter().map(|call| call.task).collect()
    }

    /// Takes out the fetches of these tasks that are not delayed.
    pub(super) fn take(&mut self, tasks: &[Task]) {
        self.ready.retain(|call| !call.is_fetch() || !tasks.contains(&call.task));
    }

    /// Returns the different starts of fetches before `until_s` (both Unix seconds), ascending.
    pub(super) fn fetch_starts_before(&self, until_s: i64) -> Vec<i64> {
        let fetches = self.ready.iter().filter(|call| call.is_fetch());
        let starts = fetches.map(|call| call.task.window.start_s());
        let starts: BTreeSet<_> = starts.filter(|&start_s| start_s < until_s).collect();
        starts.into_iter().collect()
    }

    /// Puts the first fetch that begins at `start_s` before all others.
    pub(super) fn advance_fetch_from(&mut self, start_s: i64) {
        let is_it = |call: &PendingCall| call.is_fetch() && call.task.window.start_s() == start_s;
        let at = self.ready.iter().position(is_it);
        if let Some(call) = at.and_then(|at| self.ready.remove(at)) {
            self.ready.push_front(call);
        }
    }
}

/// A call that was made, until its answer is stored.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) call: PendingCall,
    pub(super) sent_at: Timestamp,
    /// Decoded bytes that its answer is expected to have.
    pub(super) bytes: f64,
}

/// Calls that wait for an answer, and answers that are being stored.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    pub(super) flying: BTreeMap<Call, Flight>,
    pub(super) storing: BTreeMap<Call, Flight>,
}

impl InFlight {
    /// Decoded bytes that are expected, and that wait to be stored.
    pub(super) fn bytes(&self) -> f64 {
        self.flying.values().chain(self.storing.values()).map(|flight| flight.bytes).sum()
    }

    /// Returns whether a call that waits for an answer shares a query with the task.
    pub(super) fn overlaps(&self, task: &Task) -> bool {
        self.flying.values().any(|flight| flight.call.overlaps(task))
    }
}
