//! Result of an audit: counts of all differences, and the first with their values.

use crate::archive::{ObjectId, Origin, QueryId};
use crate::plan::Window;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Way in which a point differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the server has it: it was reported after the window was fetched.
    Late,
    /// Both have it, with other bits.
    Changed,
    /// Only the archive has it.
    Gone,
}

impl DifferenceKind {
    /// Returns the difference between the values of one point, bit by bit; `None` where there is none.
    pub(super) fn between(held: Option<f64>, served: Option<f64>) -> Option<Self> {
        match (held, served) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Late),
            (Some(_), None) => Some(Self::Gone),
            (Some(held), Some(served)) => {
                (held.to_bits() != served.to_bits()).then_some(Self::Changed)
            }
        }
    }
}

/// Numbers of points that differ, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceCounts {
    pub late: u64,
    pub changed: u64,
    pub gone: u64,
}

impl DifferenceCounts {
    pub fn all(self) -> u64 {
        self.late + self.changed + self.gone
    }

    pub(super) fn count(&mut self, kind: DifferenceKind) {
        *match kind {
            DifferenceKind::Late => &mut self.late,
            DifferenceKind::Changed => &mut self.changed,
            DifferenceKind::Gone => &mut self.gone,
        } += 1;
    }
}

/// One point that differs. Not [`PartialEq`]: two NaN, or 0.0 and -0.0, would be taken for what they are not.
#[derive(Debug, Clone)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// As written in the list.
    pub query: String,
    pub tags: Vec<String>,
    /// Start of its interval.
    pub at: Timestamp,
    /// In the archive.
    pub held: Option<f64>,
    /// By the server, now.
    pub served: Option<f64>,
    /// Time of the archive's answer: a point that is late was not there yet so long after its time.
    pub fetched_at: Timestamp,
    /// [`Origin::Probed`]: the query had not been fetched there, since a probe found nothing.
    pub origin: Origin,
}

/// A query or window that the server refused to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAudit {
    pub query: String,
    /// `None`: whatever was to be asked of it.
    pub window: Option<Window>,
    /// In the server's words.
    pub reason: String,
}

/// Result of an audit. Windows are counted in calls.
#[derive(Debug, Clone, Default)]
pub struct AuditReport {
    /// Of which the sample was drawn.
    pub windows: usize,
    /// Not among them: they begin before what Datadog keeps.
    pub too_old: usize,
    pub sampled: usize,
    /// Of the sample, compared to the end.
    pub compared: usize,
    /// Of the sample, left out at least in part, because an export replaced what the archive held.
    pub replaced: usize,
    /// Of the sample, not compared to the end: no answer came for it.
    pub unfinished: usize,
    pub refused: Vec<RefusedAudit>,
    /// Points of either side that were compared.
    pub points: u64,
    pub counts: DifferenceCounts,
    /// Those that differ, in the list's order.
    pub queries: Vec<(String, DifferenceCounts)>,
    /// The first 1,000 by query, tags and time.
    pub differences: Vec<Difference>,
    /// Longest time after which a late point was still missing.
    pub late_by_max: Option<SignedDuration>,
    /// Stretches, compared to their end, where asking again brings more or better, and loses nothing.
    pub to_ask: Vec<(QueryId, ObjectId, Window)>,
    /// Differing stretches of which the archive holds points that the server no longer has: fetching again would lose these.
    pub to_keep: usize,
}
