//! Points that are reported late: windows are asked again some time after their end. Pure.

use crate::archive::Coverage;
use crate::plan::CLOSED_AFTER;
use jiff::{SignedDuration, Timestamp};

/// Times after a window's end. The first export after each of them asks the window again, whole; one that was first asked later
/// is not asked again for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookBack(Vec<SignedDuration>);

impl LookBack {
    /// Nothing is asked again.
    pub const NONE: Self = Self(Vec::new());

    /// Times that catch what agents sent late, then what crawlers of cloud metrics did, some of them a day later.
    const USUAL: [SignedDuration; 3] = [Self::YOUNG, SignedDuration::from_hours(6), CLOSED_AFTER];

    const YOUNG: SignedDuration = SignedDuration::from_hours(1);

    /// Takes the times in any order; those of no length ask for nothing.
    pub fn new(steps: impl IntoIterator<Item = SignedDuration>) -> Self {
        let mut steps: Vec<_> = steps.into_iter().filter(SignedDuration::is_positive).collect();
        steps.sort_unstable();
        steps.dedup();
        Self(steps)
    }

    /// Returns true if one of the times has come since the stretch was last asked.
    pub(super) fn is_due(&self, held: &Coverage, now: Timestamp) -> bool {
        self.0.iter().any(|&step| {
            let due = held.window.end().saturating_add(step).unwrap_or(Timestamp::MAX);
            held.asked_at < due && due <= now
        })
    }

    /// Returns the longest time; zero where nothing is asked again.
    pub(super) fn longest(&self) -> SignedDuration {
        self.0.last().copied().unwrap_or(SignedDuration::ZERO)
    }

    /// Returns the shortest time; zero where nothing is asked again.
    pub(super) fn shortest(&self) -> SignedDuration {
        self.0.first().copied().unwrap_or(SignedDuration::ZERO)
    }
}

impl Default for LookBack {
    fn default() -> Self {
        Self::new(Self::USUAL)
    }
}

/// Returns true if the stretch was asked so soon after its end that points which came since say nothing against what is held.
pub(super) fn is_young(held: &Coverage) -> bool {
    held.asked_at.duration_since(held.window.end()) < LookBack::YOUNG
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ObjectId, Origin};
    use crate::plan::Window;

    const HOUR_S: i64 = 3_600;

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * HOUR_S).unwrap()
    }

    /// Counts the runs, at these hours after a window's end, that ask it, the first included.
    fn asked(look_back: &LookBack, runs: &[i64]) -> usize {
        let window = Window::from_secs(-24 * HOUR_S, 0).unwrap();
        let mut held = Coverage {
            window,
            object: ObjectId(1),
            origin: Origin::Fetched,
            open: false,
            asked_at: hours(runs[0]),
        };
        let again = runs[1..].iter().filter(|&&at| {
            let is_due = look_back.is_due(&held, hours(at));
            if is_due {
                held.asked_at = hours(at);
            }
            is_due
        });
        1 + again.count()
    }

    #[test]
    fn each_step_asks_once_and_no_more() {
        let usual = LookBack::default();
        assert_eq!(asked(&usual, &[0, 2, 3, 30, 31, 50, 51, 1_000]), 4);
        assert_eq!(asked(&usual, &[0, 1, 6, 48, 49]), 4, "at the step itself");
        assert_eq!(asked(&usual, &[0, 50, 51]), 2, "one run for all that have come");
        assert_eq!(asked(&usual, &[7, 8, 47]), 1, "first asked after a step");
        assert_eq!(asked(&usual, &[48, 49, 1_000]), 1);
        assert_eq!(asked(&LookBack::NONE, &[0, 2, 30, 50]), 1);
    }

    #[test]
    fn steps_come_in_any_order() {
        let hours =
            |hours: &[i64]| LookBack::new(hours.iter().copied().map(SignedDuration::from_hours));
        assert_eq!(hours(&[48, 1, 6, 1, 0]), LookBack::default());
        assert_eq!(hours(&[0]), LookBack::NONE);
        assert_eq!(LookBack::default().longest(), CLOSED_AFTER);
    }
}
