//! Memory of bodies: what all calls in flight together may hold, whatever the server sends and however many they are.
//!
//! Bodies share a pool. One that does not fit is the large one, of which there is one at a time: it may grow to the bound of a single
//! body, and its room stays taken until its answer is stored. Others wait where they are, unread. The large one waits for none of
//! them, so that one call alone always goes on.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body of more decoded bytes splits its task: 35 queries of 40 series and a day of minutes are about this much.
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// Decoded bytes of all bodies but the large one: with that one 96 MiB, as many as calls are planned for.
const SHARED_BYTES_MAX: usize = 32 << 20;

/// Bytes that a body takes at once: small beside the pool, and a small answer takes no more than one step.
const STEP_BYTES: usize = 64 << 10;

/// The room of all bodies of a client.
#[derive(Debug, Clone)]
pub(super) struct BodyRoom {
    /// Steps that are free.
    shared: Arc<Semaphore>,
    /// Taken while there is a large body, or its answer.
    large: Arc<Semaphore>,
}

impl BodyRoom {
    pub(super) fn new() -> Self {
        let steps = SHARED_BYTES_MAX / STEP_BYTES;
        Self { shared: Arc::new(Semaphore::new(steps)), large: Arc::new(Semaphore::new(1)) }
    }
}

/// The room of the large body. Dropped when its answer is stored or of no use.
#[derive(Debug)]
pub struct LargeRoom(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// A body that was read, or is being read. It holds its room.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    shared: Option<OwnedSemaphorePermit>,
    large: Option<LargeRoom>,
}

impl Body {
    /// Adds a piece, for which it waits until there is room. The whole must not be larger than [`BODY_BYTES_MAX`].
    pub(super) async fn add(&mut self, piece: &[u8], room: &BodyRoom) {
        let len = self.bytes.len() + piece.len();
        assert!(len <= BODY_BYTES_MAX, "what is larger is not read");
        while self.large.is_none() && self.steps() * STEP_BYTES < len {
            self.widen(room).await;
        }
        if len > self.bytes.capacity() {
            // By a quarter: a body that doubles holds three times its bytes for a moment.
            self.bytes.reserve_exact(piece.len() + len / 4);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// Takes one more step of the pool, or the room of the large body, whichever is free first.
    async fn widen(&mut self, room: &BodyRoom) {
        let open = "the room of bodies is never closed";
        tokio::select! {
            biased;
            step = Arc::clone(&room.shared).acquire_owned() => {
                let step = step.expect(open);
                match &mut self.shared {
                    Some(steps) => steps.merge(step),
                    steps @ None => *steps = Some(step),
                }
            }
            large = Arc::clone(&room.large).acquire_owned() => {
                self.large = Some(LargeRoom(large.expect(open)));
                self.shared = None;
            }
        }
    }

    fn steps(&self) -> usize {
        self.shared.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes alone, and lets go of their room.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Frees the bytes. What remains of a large body is its room, to be held until the answer is stored.
    pub(crate) fn into_room(self) -> Option<LargeRoom> {
        self.large
    }
}

/// A body that no client read takes no room.
impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    /// Fills bodies by turns, a step each, until none goes on; returns their sizes in steps.
    fn fill(bodies: &mut [Body], room: &BodyRoom) -> Vec<usize> {
        let piece = vec![0; STEP_BYTES];
        loop {
            let mut grew = false;
            for body in bodies.iter_mut() {
                if body.bytes.len() < BODY_BYTES_MAX {
                    grew |= body.add(&piece, room).now_or_never().is_some();
                }
            }
            if !grew {
                return bodies.iter().map(|body| body.bytes.len() / STEP_BYTES).collect();
            }
        }
    }

    #[test]
    fn all_bodies_together_hold_the_pool_and_one_large_body() {
        let room = BodyRoom::new();
        let mut bodies: Vec<_> = (0..8).map(|_| Body::default()).collect();
        let steps = fill(&mut bodies, &room);
        let held = steps.iter().sum::<usize>() * STEP_BYTES;
        assert!(held <= SHARED_BYTES_MAX + BODY_BYTES_MAX, "{held}");
        assert_eq!(steps.iter().max(), Some(&(BODY_BYTES_MAX / STEP_BYTES)));
        // One after the other gets through, each when the large one before it is stored.
        while let Some(whole) = bodies.iter().position(|body| body.bytes.len() == BODY_BYTES_MAX) {
            let large = bodies.remove(whole).into_room();
            let before: usize = bodies.iter().map(|body| body.bytes.len()).sum();
            fill(&mut bodies, &room);
            let now: usize = bodies.iter().map(|body| body.bytes.len()).sum();
            assert!(now <= SHARED_BYTES_MAX && now >= before, "{now}");
            drop(large);
            fill(&mut bodies, &room);
        }
        assert!(bodies.is_empty(), "{} are stuck", bodies.len());
    }

    #[test]
    fn a_small_body_waits_for_no_large_one() {
        let room = BodyRoom::new();
        let mut large = [Body::default()];
        assert_eq!(fill(&mut large, &room), [BODY_BYTES_MAX / STEP_BYTES]);
        let mut small = Body::default();
        assert!(small.add(b"{}", &room).now_or_never().is_some());
        assert_eq!(small.bytes(), b"{}");
        assert!(small.into_room().is_none());
    }
}
