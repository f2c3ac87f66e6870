//! Waits after a failure that may pass: exponential backoff with jitter. Pure.

use crate::clock::Random;
use jiff::SignedDuration;

/// Waits that double from `first` to `longest`, each shortened at random by up to half, so that several runs do not come
/// back at the same moment.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first: SignedDuration,
    pub longest: SignedDuration,
}

impl Backoff {
    /// After a broken answer: soon, since most passes in a second; a minute at most, so that a server that comes back is
    /// not kept waiting.
    pub const TRANSIENT: Self =
        Self { first: SignedDuration::from_millis(500), longest: SignedDuration::from_secs(60) };

    /// After an answer that came and cannot be used: the server is there, and one query may be to blame, which several calls
    /// have to find out.
    pub const UNUSABLE: Self =
        Self { first: SignedDuration::from_millis(500), longest: SignedDuration::from_secs(4) };

    /// After a 429 that does not say when: the wait that Datadog's own clients take.
    pub const LIMITED: Self =
        Self { first: SignedDuration::from_secs(2), longest: SignedDuration::from_secs(60) };

    /// The wait after `failures` (1 or more) failures in a row.
    pub fn wait(self, failures: u32, random: &mut Random) -> SignedDuration {
        let doublings = failures.saturating_sub(1).min(16);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        full.mul_f64(1.0 - random.fraction() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_between_half_and_full() {
        let mut random = Random::seeded(7);
        for (failures, full_ms) in [(1, 500), (2, 1_000), (3, 2_000), (8, 60_000), (1_000, 60_000)]
        {
            let wait = Backoff::TRANSIENT.wait(failures, &mut random).as_millis();
            assert!((full_ms / 2..=full_ms).contains(&wait), "{failures} failures: {wait} ms");
        }
    }
}
