//! What a sample came to so far: counts of everything, and the first of what differs.

use super::Stretch;
use super::compare::{Kind, Point};
use crate::archive::{ObjectId, Origin, QueryId};
use crate::plan::{PerQuery, PlanIndex, Window, subtract};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Differences that are kept with their values: enough to see a pattern in, and a report that fits an editor.
const DIFFERENCES_MAX: usize = 1_000;

/// How many points differ, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub late: u64,
    pub changed: u64,
    pub gone: u64,
}

impl Counts {
    pub fn all(self) -> u64 {
        self.late + self.changed + self.gone
    }

    fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::Late => &mut self.late,
            Kind::Changed => &mut self.changed,
            Kind::Gone => &mut self.gone,
        } += 1;
    }
}

/// One point that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// As written in the list.
    pub query: String,
    pub tags: Vec<String>,
    pub point: Point,
    /// When the archive's answer came: a point that is late was not there yet so long after its time.
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

/// What the server would not answer any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub query: String,
    /// `None`: whatever was to be asked of it.
    pub window: Option<Window>,
    /// In the server's words.
    pub reason: String,
}

/// What a sample came to. Windows are counted in calls' worth.
#[derive(Debug, Clone)]
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
    pub refused: Vec<Refused>,
    /// Points of either side that were compared.
    pub points: u64,
    pub counts: Counts,
    /// Those that differ, in the list's order.
    pub queries: Vec<(String, Counts)>,
    /// The first 1,000 by query, tags and time.
    pub differences: Vec<Difference>,
    /// How long after its time the latest point was still not there.
    pub late_by_max: Option<SignedDuration>,
    /// Stretches, compared to their end, where asking again brings more or better, and loses nothing.
    pub to_ask: Vec<(QueryId, ObjectId, Window)>,
    /// Differing stretches of which the archive holds points that the server no longer has: asking again would lose these.
    pub to_keep: usize,
}

/// Whose points are compared.
pub(super) struct Place<'a> {
    /// Counts the plan's queries.
    pub(super) query: PlanIndex,
    pub(super) id: QueryId,
    pub(super) stretch: &'a Stretch,
    pub(super) tags: &'a [String],
}

/// Query, tags and time of a point: by these the first are told from the others.
type Whose = (PlanIndex, Vec<String>, i64);

/// A point that differs, and what the archive knows of its stretch.
type Met = (Point, Timestamp, Origin);

/// What no answer was compared with yet of one stretch.
#[derive(Debug)]
pub(super) struct Left {
    /// Counts the units of the sample.
    pub(super) unit: usize,
    pub(super) windows: Vec<Window>,
}

#[derive(Debug)]
pub(super) struct Tally {
    pub(super) points: u64,
    /// Units of the sample.
    sampled: usize,
    /// Per stretch.
    left: Vec<Left>,
    /// Stretches.
    replaced: BTreeSet<usize>,
    /// Query and window.
    refused: BTreeMap<(PlanIndex, Option<Window>), String>,
    queries: BTreeMap<PlanIndex, Counts>,
    /// The same whatever the order of the answers.
    first: BTreeMap<Whose, Met>,
    late_by_max: Option<SignedDuration>,
    /// By stretch.
    differing: BTreeMap<usize, Differing>,
}

/// A stretch that differs, as the ledger names it, and in how many points so far.
#[derive(Debug)]
struct Differing {
    stretch: (QueryId, ObjectId, Window),
    counts: Counts,
}

impl Tally {
    pub(super) fn new(sampled: usize, left: Vec<Left>) -> Self {
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

    /// What of a stretch lies in the window and was not compared yet; now it counts as compared. Two objects that overlap are two
    /// calls, and each answer speaks of both.
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

    pub(super) fn differs(&mut self, place: &Place<'_>, point: Point) {
        let &Place { query, id, stretch, tags } = place;
        let Stretch { number, object, window, fetched_at, origin } = *stretch;
        self.queries.entry(query).or_default().count(point.kind);
        let stretch = (id, object, window);
        let new = || Differing { stretch, counts: Counts::default() };
        self.differing.entry(number).or_insert_with(new).counts.count(point.kind);
        if point.kind == Kind::Late {
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

    /// Whether all of a stretch was compared: of what was not, nobody knows whether only the archive still has it.
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
        let mut counts = Counts::default();
        for of_query in self.queries.values() {
            counts.late += of_query.late;
            counts.changed += of_query.changed;
            counts.gone += of_query.gone;
        }
        let is_gone = |differing: &&Differing| differing.counts.gone > 0;
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
                .map(|((query, window), reason)| Refused { query: of(query), window, reason })
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
