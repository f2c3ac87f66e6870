//! The only source of time and randomness: everything else is handed the moment.

use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;
use std::time::Instant;

/// Source of the current time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's own clock, steadied: see [`Steady`].
#[derive(Debug)]
pub struct System(Mutex<Steady>);

impl Default for System {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn default() -> Self {
        Self(Mutex::new(Steady::starting(Timestamp::now(), Instant::now())))
    }
}

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> Timestamp {
        let mut steady = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        steady.read(Timestamp::now(), Instant::now())
    }
}

/// Two clocks that disagree by less since the last look differ by chance: by when each was read, by how each is slewed.
const JUMP: SignedDuration = SignedDuration::from_secs(1);

/// A clock that always goes on. The calendar's clock can be set back under a long run, and all waits would be longer by the
/// jump; a stopwatch stands still while a laptop sleeps, and would be late for every reset. This one runs by the stopwatch,
/// follows the calendar where that jumps ahead, and never goes back.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    started: Instant,
    /// Its time at the start, with the jumps since.
    base: Timestamp,
    /// The calendar's time at the start, by its last jump.
    calendar: Timestamp,
}

impl Steady {
    pub fn starting(calendar: Timestamp, stopwatch: Instant) -> Self {
        Self { started: stopwatch, base: calendar, calendar }
    }

    /// Returns the time, given both clocks' readings of now.
    pub fn read(&mut self, calendar: Timestamp, stopwatch: Instant) -> Timestamp {
        let ran = stopwatch.saturating_duration_since(self.started);
        let ran = SignedDuration::try_from(ran).unwrap_or(SignedDuration::MAX);
        let back_then = calendar.checked_sub(ran).unwrap_or(self.calendar);
        let jump = back_then.duration_since(self.calendar);
        if jump.abs() > JUMP {
            self.calendar = back_then;
            self.base = self.base.checked_add(jump.max(SignedDuration::ZERO)).unwrap_or(self.base);
        }
        self.base.checked_add(ran).unwrap_or(Timestamp::MAX)
    }
}

/// A stream of pseudo-random numbers (`SplitMix64`) for the jitter of retries and for samples. Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn fraction(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Returns a number that cannot be guessed: the seed of a run, the salt of an archive.
pub fn entropy() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Times that the clock shows after steps of (calendar, stopwatch), in seconds from the start.
    fn shown(steps: &[(i64, u64)]) -> Vec<i64> {
        #[expect(
            clippy::disallowed_methods,
            reason = "an instant to count from; there is no other"
        )]
        let (mut calendar, mut stopwatch) = (Timestamp::UNIX_EPOCH, Instant::now());
        let mut steady = Steady::starting(calendar, stopwatch);
        let mut read = |(moved, ran): &(i64, u64)| {
            calendar += SignedDuration::from_secs(*moved);
            stopwatch += Duration::from_secs(*ran);
            steady.read(calendar, stopwatch).as_second()
        };
        steps.iter().map(&mut read).collect()
    }

    #[test]
    fn it_goes_on_while_the_calendar_is_set_back() {
        assert_eq!(shown(&[(10, 10), (-3_600, 1), (5, 5), (0, 2)]), [10, 11, 16, 18]);
    }

    #[test]
    fn chance_between_two_readings_does_not_add_up() {
        let unsteady: Vec<_> =
            (0..2_000).map(|at| if at % 2 == 0 { (2, 1) } else { (0, 1) }).collect();
        assert_eq!(shown(&unsteady).last(), Some(&2_000));
    }

    #[test]
    fn it_follows_a_jump_ahead_and_a_sleep() {
        assert_eq!(
            shown(&[(10, 10), (3_600, 1), (28_800, 0), (5, 5)]),
            [10, 3_610, 32_410, 32_415]
        );
    }
}
