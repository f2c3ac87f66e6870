//! Performs lookups: calls through the client, the answers handed on one after another on the caller's thread.

use super::machine::{LookupAction, LookupEvent, LookupFailure, Lookups};
use crate::clock::Clock;
use crate::fetch::protocol::{Call, End, Settings};
use crate::request::{ApiCall, Body, Client, Reply};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Interval at which an interruption is looked for.
const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

/// Everything outside the machine that lookups touch.
#[expect(missing_debug_implementations, reason = "holds a trait object")]
#[derive(Clone, Copy)]
pub struct LookupDoors<'a> {
    pub client: &'a Client,
    pub clock: &'a dyn Clock,
    /// Set from a signal handler; the lookups then end at once.
    pub interrupted: &'a AtomicBool,
}

/// Makes the calls and hands each outcome, with its position, to `take`, whose error ends them. Returns [`End::Done`] or
/// [`End::Interrupted`].
pub fn drive_lookups<E>(
    doors: LookupDoors<'_>,
    calls: &[ApiCall],
    settings: Settings,
    take: &mut dyn FnMut(usize, Result<Vec<u8>, LookupFailure>) -> Result<(), E>,
) -> Result<End, E> {
    let mut machine = Lookups::new(calls.len(), settings);
    let (reply_tx, reply_rx) = channel::<(Call, Reply)>();
    let mut event = Some(LookupEvent::Started);
    let mut wake: Option<Timestamp> = None;
    loop {
        if let Some(event) = event.take() {
            wake = None;
            for action in machine.step(doors.clock.now(), event) {
                match action {
                    LookupAction::Ask { call, index } => {
                        let reply_tx = reply_tx.clone();
                        // Nobody listens any more once the lookups have ended.
                        let done = move |reply| reply_tx.send((call, reply)).unwrap_or_default();
                        doors.client.send(&calls[index], done);
                    }
                    LookupAction::Take { index, outcome } => take(index, outcome)?,
                    LookupAction::Wake { at } => wake = Some(wake.map_or(at, |w| w.min(at))),
                    LookupAction::Finish { end } => return Ok(end),
                }
            }
        }
        let sleep = wake.map_or(LOOK_UP_EVERY, |at| {
            let left = at.duration_since(doors.clock.now());
            Duration::try_from(left).unwrap_or(Duration::ZERO).min(LOOK_UP_EVERY)
        });
        event = match reply_rx.recv_timeout(sleep) {
            _ if doors.interrupted.load(Ordering::Relaxed) => Some(LookupEvent::Interrupted),
            Ok((call, Reply { body, rate })) => {
                Some(LookupEvent::Answered { call, outcome: body.map(Body::into_bytes), rate })
            }
            Err(RecvTimeoutError::Timeout) => {
                let due = wake.is_some_and(|at| at <= doors.clock.now());
                due.then_some(LookupEvent::Woke)
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is held here"),
        };
    }
}
