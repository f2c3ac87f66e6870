//! Reliability of the limits, which decides how many calls may be in flight.

/// Reliability of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reliability {
    /// No call of the planned size was answered yet: one call at a time, so that a mistake is made once.
    Unproven,
    /// They changed, and what is queued was planned for others.
    Stale,
    Proven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    LimitChanged,
    Replanned,
    /// A call that was planned came through.
    PlannedCallAnswered,
}

impl Reliability {
    /// Returns the reliability after new evidence.
    pub(super) fn after(self, evidence: Evidence) -> Self {
        match (self, evidence) {
            (_, Evidence::LimitChanged) => Self::Stale,
            (Self::Stale, Evidence::Replanned) => Self::Unproven,
            (Self::Unproven, Evidence::PlannedCallAnswered) => Self::Proven,
            (Self::Unproven | Self::Proven, Evidence::Replanned) => self,
            // Sent before the limits changed.
            (Self::Stale | Self::Proven, Evidence::PlannedCallAnswered) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_what_was_planned_anew_proves_changed_limits() {
        let mut reliability = Reliability::Unproven;
        let steps = [
            (Evidence::PlannedCallAnswered, Reliability::Proven),
            (Evidence::Replanned, Reliability::Proven),
            (Evidence::LimitChanged, Reliability::Stale),
            (Evidence::PlannedCallAnswered, Reliability::Stale),
            (Evidence::Replanned, Reliability::Unproven),
            (Evidence::LimitChanged, Reliability::Stale),
            (Evidence::Replanned, Reliability::Unproven),
            (Evidence::PlannedCallAnswered, Reliability::Proven),
        ];
        for (evidence, expected) in steps {
            reliability = reliability.after(evidence);
            assert_eq!(reliability, expected, "{evidence:?}");
        }
    }
}
