//! Differences found by an audit: counts of all, and the first with their values.

use super::SampledStretch;
use super::compare::{DifferenceKind, PointDifference};
use crate::archive::{ObjectId, Origin, QueryId};
use crate::plan::{PerQuery, PlanIndex, Window, subtract};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Differences that are kept with their values: enough to see a pattern in, and a report that fits an editor.
const DIFFERENCES_MAX: usize = 1_000;

/// Numbers of points that differ, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DifferenceCounts {
    pub late: u64,
    pub changed: u64,
    pub gone: u64,
}

impl DifferenceCounts {
    pub fn all(self) -> u64 {
        self.late + self.changed + self.gone
    }

    fn count(&mut self, kind: DifferenceKind) {
        *match kind {
            DifferenceKind::Late => &mut self.late,
            DifferenceKind::Changed => &mut self.changed,
            DifferenceKind::Gone => &mut self.gone,
        } += 1;
    }
}

/// One point that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// As written in the list.
    pub query: String,
    pub tags: Vec<String>,
    pub point: PointDifference,
    /// Time of the archive's answer: a point that is late was not there yet so long after its time.
    pub fetched_at: Timestamp,
    /// [`Origin::Probed`]: the query had not been fetched there, since a probe found nothing.
    pub origin: Origin,
}

impl Difference {
    /// Start of the point's interval.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.point.ts_ms).expect("points lie within a window")
    }
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

/// Owner of the points that are compared.
pub(super) struct PointOwner<'a> {
    /// Index into the plan's queries.
    pub(super) query: PlanIndex,
    pub(super) id: QueryId,
    pub(super) stretch: &'a SampledStretch,
    pub(super) tags: &'a [String],
}

/// Query, tags and time of a point: by these the first are told from the others.
type DifferenceKey = (PlanIndex, Vec<String>, i64);

/// A point that differs, and what the archive knows of its stretch.
type FoundDifference = (PointDifference, Timestamp, Origin);

/// Windows of one stretch that no answer was compared with yet.
#[derive(Debug)]
pub(super) struct Uncompared {
    /// Number of the unit in the sample.
    pub(super) unit: usize,
    pub(super) windows: Vec<Window>,
}

/// Differences found so far, and what is left to be compared.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) points: u64,
    /// Units of the sample.
    sampled: usize,
    /// Per stretch.
    left: Vec<Uncompared>,
    /// Stretches.
    replaced: BTreeSet<usize>,
    /// Query and window.
    refused: BTreeMap<(PlanIndex, Option<Window>), String>,
    queries: BTreeMap<PlanIndex, DifferenceCounts>,
    /// The same whatever the order of the answers.
    first: BTreeMap<DifferenceKey, FoundDifference>,
    late_by_max: Option<SignedDuration>,
    /// By stretch.
    differing: BTreeMap<usize, DifferingStretch>,
}

/// A stretch that differs, as the ledger names it, and in how many points so far.
#[derive(Debug)]
struct DifferingStretch {
    stretch: (QueryId, ObjectId, Window),
    counts: DifferenceCounts,
}

impl Findings {
    pub(super) fn new(sampled: usize, left: Vec<Uncompared>) -> Self {
        Self {
            points: 0,
            sampled,
            left,
            replaced: BTreeSet::new(),
            refused: BTreeMap::new(),
            queries: BTreeMap::new(),
            first: BTreeMap::new(),
            late_by_max: None,
            differing: BTreeMap::new(),
        }
    }

    /// Returns the windows of a stretch within `window` that were not compared yet, and counts them as compared. Objects that overlap
    /// are two calls, whose answers both hold the points of either.
    pub(super) fn take(&mut self, stretch: usize, window: Window) -> Vec<Window> {
        let windows = &mut self.left[stretch].windows;
        let taken = windows.iter().filter_map(|left| left.intersect(window)).collect();
        *windows = windows.iter().flat_map(|left| subtract(*left, &[window])).collect();
        taken
    }

    pub(super) fn replaced(&mut self, stretch: usize, window: Window) {
        self.take(stretch, window);
        self.replaced.insert(stretch);
    }

    pub(super) fn refused(&mut self, query: PlanIndex, window: Option<Window>, reason: &str) {
        self.refused.entry((query, window)).or_insert_with(|| reason.to_owned());
    }

    pub(super) fn differs(&mut self, place: &PointOwner<'_>, point: PointDifference) {
        let &PointOwner { query, id, stretch, tags } = place;
        let SampledStretch { number, object, window, fetched_at, origin } = *stretch;
        self.queries.entry(query).or_default().count(point.kind);
        let stretch = (id, object, window);
        let new = || DifferingStretch { stretch, counts: DifferenceCounts::default() };
        self.differing.entry(number).or_insert_with(new).counts.count(point.kind);
        if point.kind == DifferenceKind::Late {
            let by = SignedDuration::from_millis(fetched_at.as_millisecond() - point.ts_ms);
            self.late_by_max = self.late_by_max.max(Some(by));
        }
        if self.first.len() == DIFFERENCES_MAX {
            let last =
                self.first.last_key_value().map(|((query, tags, at), _)| (*query, &tags[..], *at));
            if last.is_some_and(|last| (query, tags, point.ts_ms) >= last) {
                return;
            }
            self.first.pop_last();
        }
        self.first.insert((query, tags.to_vec(), point.ts_ms), (point, fetched_at, origin));
    }

    /// Returns true where all of a stretch was compared. In the rest there may be points that only the archive still has.
    fn is_compared(&self, stretch: usize) -> bool {
        self.left[stretch].windows.is_empty() && !self.replaced.contains(&stretch)
    }

    /// `written`: the plan's queries.
    pub(super) fn ended(
        self,
        written: &PerQuery<String>,
        windows: usize,
        too_old: usize,
    ) -> AuditReport {
        let of = |query: PlanIndex| written[query].clone();
        let mut counts = DifferenceCounts::default();
        for of_query in self.queries.values() {
            counts.late += of_query.late;
            counts.changed += of_query.changed;
            counts.gone += of_query.gone;
        }
        let is_gone = |differing: &&DifferingStretch| differing.counts.gone > 0;
        let to_keep = self.differing.values().filter(is_gone).count();
        let to_ask = self
            .differing
            .iter()
            .filter(|(number, differing)| differing.counts.gone == 0 && self.is_compared(**number));
        let mut to_ask: Vec<_> = to_ask.map(|(_, differing)| differing.stretch).collect();
        to_ask.sort_unstable();
        let left = self.left.iter().filter(|left| !left.windows.is_empty());
        let unfinished: BTreeSet<usize> = left.map(|left| left.unit).collect();
        let replaced: BTreeSet<usize> =
            self.replaced.iter().map(|&stretch| self.left[stretch].unit).collect();
        let touched = unfinished.union(&replaced).count();
        AuditReport {
            windows,
            too_old,
            sampled: self.sampled,
            compared: self.sampled - touched,
            replaced: replaced.len(),
            unfinished: unfinished.len(),
            refused: self
                .refused
                .into_iter()
                .map(|((query, window), reason)| RefusedAudit { query: of(query), window, reason })
                .collect(),
            points: self.points,
            counts,
            queries: self.queries.into_iter().map(|(query, counts)| (of(query), counts)).collect(),
            differences: self
                .first
                .into_iter()
                .map(|((query, tags, _), (point, fetched_at, origin))| Difference {
                    query: of(query),
                    tags,
                    point,
                    fetched_at,
                    origin,
                })
                .collect(),
            late_by_max: self.late_by_max,
            to_ask,
            to_keep,
        }
    }
}
