//! How far the limits can be relied on, and so how many calls may be in flight.

/// Reliability of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confidence {
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

impl Confidence {
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
        let mut confidence = Confidence::Unproven;
        let steps = [
            (Evidence::PlannedCallAnswered, Confidence::Proven),
            (Evidence::Replanned, Confidence::Proven),
            (Evidence::LimitChanged, Confidence::Stale),
            (Evidence::PlannedCallAnswered, Confidence::Stale),
            (Evidence::Replanned, Confidence::Unproven),
            (Evidence::LimitChanged, Confidence::Stale),
            (Evidence::Replanned, Confidence::Unproven),
            (Evidence::PlannedCallAnswered, Confidence::Proven),
        ];
        for (evidence, expected) in steps {
            confidence = confidence.after(evidence);
            assert_eq!(confidence, expected, "{evidence:?}");
        }
    }
}
