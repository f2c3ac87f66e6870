//! Differences found so far, what is left to be compared, and the report: counts of all differences, and the first with their values.

use super::sample::AuditUnit;
use crate::archive::{ObjectId, Origin, QueryId};
use crate::plan::{PerQuery, Plan, PlanIndex, Window, subtract};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Differences that are kept with their values: enough to see a pattern in, and a report that fits an editor.
const DIFFERENCES_MAX: usize = 1_000;

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

/// A stretch of one query that the archive held when the sample was drawn, and its comparison so far.
#[derive(Debug)]
pub(super) struct SampledStretch {
    pub(super) query: PlanIndex,
    pub(super) window: Window,
    /// Number of its unit in the sample.
    pub(super) unit: usize,
    /// Windows that no answer was compared with yet.
    left: Vec<Window>,
    is_replaced: bool,
    counts: DifferenceCounts,
}

/// Differences found so far.
#[derive(Debug)]
pub(super) struct Findings {
    /// The sample.
    pub(super) units: Vec<AuditUnit>,
    /// By query, the oldest first; those of one query are disjoint.
    pub(super) stretches: Vec<SampledStretch>,
    /// Reasons by query and window.
    pub(super) refused: BTreeMap<(PlanIndex, Option<Window>), String>,
    /// The first by query, tags and time, whatever the order of the answers.
    first: BTreeMap<(PlanIndex, Vec<String>, Timestamp), Difference>,
    /// Its points and its longest delay so far; the rest follows at the end.
    report: AuditReport,
}

/// Points of one query, by tags and time (Unix milliseconds).
pub(super) type PointPairs = BTreeMap<Vec<String>, BTreeMap<i64, PointPair>>;

/// The value held and the value served.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PointPair {
    pub(super) held: Option<f64>,
    pub(super) served: Option<f64>,
}

impl SampledStretch {
    /// Returns the windows within `window` that were not compared yet, and counts them as compared. Objects that overlap are two calls,
    /// whose answers both hold the points of either.
    fn take(&mut self, window: Window) -> Vec<Window> {
        let taken = self.left.iter().filter_map(|left| left.intersect(window)).collect();
        self.left = self.left.iter().flat_map(|left| subtract(*left, &[window])).collect();
        taken
    }

    /// Returns true where it differs and asking again loses nothing. What was not compared to its end may hold points that only the
    /// archive still has.
    fn is_to_ask(&self) -> bool {
        let is_compared = self.left.is_empty() && !self.is_replaced;
        is_compared && self.counts.all() > 0 && self.counts.gone == 0
    }
}

impl Findings {
    /// Nothing yet of a sample, which the report says what it was drawn from.
    pub(super) fn of(units: Vec<AuditUnit>, report: AuditReport) -> Self {
        let mut stretches = Vec::new();
        for (number, unit) in units.iter().enumerate() {
            for (&query, granted) in unit.queries.iter().zip(&unit.granted) {
                stretches.extend(granted.iter().map(|&window| SampledStretch {
                    query,
                    window,
                    unit: number,
                    left: vec![window],
                    is_replaced: false,
                    counts: DifferenceCounts::default(),
                }));
            }
        }
        stretches.sort_unstable_by_key(|stretch| (stretch.query, stretch.window));
        Self { units, stretches, refused: BTreeMap::new(), first: BTreeMap::new(), report }
    }

    /// Returns the numbers of the stretches of a query that touch the window.
    pub(super) fn touching(&self, query: PlanIndex, window: Window) -> Range<usize> {
        let all = &self.stretches;
        all.partition_point(|own| (own.query, own.window.end()) <= (query, window.start()))
            ..all.partition_point(|own| (own.query, own.window.start()) < (query, window.end()))
    }

    /// Compares what is left of a stretch within the window; without `pairs` the archive does not show the stretch any more.
    pub(super) fn compare(&mut self, number: usize, window: Window, pairs: Option<&PointPairs>) {
        let parts = self.stretches[number].take(window);
        let Some(pairs) = pairs else {
            self.stretches[number].is_replaced = true;
            return;
        };
        for part in parts {
            let times = part.start().as_millisecond()..part.end().as_millisecond();
            for (tags, series) in pairs {
                for (&ts_ms, &PointPair { held, served }) in series.range(times.clone()) {
                    self.report.points += 1;
                    let Some(kind) = DifferenceKind::between(held, served) else { continue };
                    let at = Timestamp::from_millisecond(ts_ms).expect("it lies within a window");
                    let AuditUnit { fetched_at, origin, .. } =
                        self.units[self.stretches[number].unit];
                    let (query, tags) = (String::new(), tags.clone());
                    let difference =
                        Difference { kind, query, tags, at, held, served, fetched_at, origin };
                    self.differs(number, difference);
                }
            }
        }
    }

    /// Counts a point that differs, and keeps it if it is one of the first.
    fn differs(&mut self, number: usize, difference: Difference) {
        let stretch = &mut self.stretches[number];
        stretch.counts.count(difference.kind);
        if difference.kind == DifferenceKind::Late {
            let by = difference.fetched_at.duration_since(difference.at);
            self.report.late_by_max = self.report.late_by_max.max(Some(by));
        }
        let key = (stretch.query, difference.tags.clone(), difference.at);
        self.first.insert(key, difference);
        if self.first.len() > DIFFERENCES_MAX {
            self.first.pop_last();
        }
    }

    /// Returns the report of everything found.
    pub(super) fn ended(self, plan: &Plan, ids: &PerQuery<QueryId>) -> AuditReport {
        let Self { units: sample, stretches, refused, first, report } = self;
        let written = |query: PlanIndex| plan.queries[query].text.written.clone();
        let units = |is: fn(&&SampledStretch) -> bool| -> BTreeSet<usize> {
            stretches.iter().filter(is).map(|stretch| stretch.unit).collect()
        };
        let refusal = |((query, window), reason): ((PlanIndex, _), _)| {
            let query = written(query);
            RefusedAudit { query, window, reason }
        };
        let unfinished = units(|stretch| !stretch.left.is_empty());
        let replaced = units(|stretch| stretch.is_replaced);
        let differing =
            stretches.chunk_by(|a, b| a.query == b.query).map(|own| (own[0].query, sum(own)));
        let mut to_ask: Vec<_> = stretches
            .iter()
            .filter(|stretch| stretch.is_to_ask())
            .map(|stretch| (ids[stretch.query], sample[stretch.unit].object, stretch.window))
            .collect();
        to_ask.sort_unstable();
        AuditReport {
            sampled: plan.calls(),
            compared: plan.calls() - unfinished.union(&replaced).count(),
            replaced: replaced.len(),
            unfinished: unfinished.len(),
            refused: refused.into_iter().map(refusal).collect(),
            counts: sum(&stretches),
            queries: differing
                .filter(|(_, counts)| counts.all() > 0)
                .map(|(query, counts)| (written(query), counts))
                .collect(),
            differences: first
                .into_iter()
                .map(|((query, ..), difference)| Difference { query: written(query), ..difference })
                .collect(),
            to_ask,
            to_keep: stretches.iter().filter(|stretch| stretch.counts.gone > 0).count(),
            ..report
        }
    }
}

/// Returns the differences of all the stretches together.
fn sum(stretches: &[SampledStretch]) -> DifferenceCounts {
    stretches.iter().fold(DifferenceCounts::default(), |sum, SampledStretch { counts, .. }| {
        DifferenceCounts {
            late: sum.late + counts.late,
            changed: sum.changed + counts.changed,
            gone: sum.gone + counts.gone,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Interval;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// One query that was granted an hour.
    fn findings() -> Findings {
        let units = vec![AuditUnit {
            window: hour(),
            interval: Interval::from_secs(60).unwrap(),
            origin: Origin::Fetched,
            queries: vec![PlanIndex::new(0)],
            object: ObjectId(1),
            fetched_at: hour().end(),
            granted: vec![vec![hour()]],
        }];
        Findings::of(units, AuditReport::default())
    }

    fn hour() -> Window {
        Window::from_secs(0, 3_600).unwrap()
    }

    /// Returns the differences between two series of (second, value), a line each, and how many times there are.
    fn told(held: &[(i64, f64)], served: &[(i64, f64)]) -> (String, u64) {
        told_within(hour(), held, served)
    }

    fn told_within(window: Window, held: &[(i64, f64)], served: &[(i64, f64)]) -> (String, u64) {
        let (mut pairs, mut findings) = (PointPairs::default(), findings());
        let series: &mut BTreeMap<i64, PointPair> = pairs.entry(Vec::new()).or_default();
        for &(at_s, value) in held {
            series.entry(at_s * 1000).or_default().held = Some(value);
        }
        for &(at_s, value) in served {
            series.entry(at_s * 1000).or_default().served = Some(value);
        }
        findings.compare(0, window, Some(&pairs));
        let mut text = String::new();
        for difference in findings.first.values() {
            let Difference { kind, at, held, served, .. } = difference;
            writeln!(text, "{kind:?} at {}: {held:?} {served:?}", at.as_second()).unwrap();
        }
        (text, findings.report.points)
    }

    fn check(held: &[(i64, f64)], served: &[(i64, f64)], expected: &Expect) {
        expected.assert_eq(&told(held, served).0);
    }

    #[test]
    fn equal_bits_are_equal_and_nothing_else_is() {
        check(&[], &[], &expect![[""]]);
        check(&[(0, 1.5), (60, -0.0)], &[(0, 1.5), (60, -0.0)], &expect![[""]]);
        check(
            &[(0, 0.0), (60, 5e-324), (120, 0.1)],
            &[(0, -0.0), (60, 0.0), (120, 0.100_000_000_000_000_02)],
            &expect![[r#"
                Changed at 0: Some(0.0) Some(-0.0)
                Changed at 60: Some(5e-324) Some(0.0)
                Changed at 120: Some(0.1) Some(0.10000000000000002)
            "#]],
        );
    }

    #[test]
    fn what_one_side_has_alone_is_late_or_gone() {
        check(
            &[(60, 1.0), (120, 2.0), (240, 4.0)],
            &[(0, 0.0), (120, 2.5), (180, 3.0), (240, 4.0), (300, 5.0)],
            &expect![[r#"
                Late at 0: None Some(0.0)
                Gone at 60: Some(1.0) None
                Changed at 120: Some(2.0) Some(2.5)
                Late at 180: None Some(3.0)
                Late at 300: None Some(5.0)
            "#]],
        );
        check(&[(60, 1.0)], &[], &expect![["Gone at 60: Some(1.0) None\n"]]);
    }

    #[test]
    fn only_what_lies_in_the_window_counts() {
        let window = Window::from_secs(60, 180).unwrap();
        let points = [(0, 0.0), (60, 1.0), (120, 2.0), (180, 3.0)];
        let (text, times) = told_within(window, &points, &[]);
        expect![[r#"
            Gone at 60: Some(1.0) None
            Gone at 120: Some(2.0) None
        "#]]
        .assert_eq(&text);
        assert_eq!((times, told_within(window, &[], &[]).1), (2, 0));
    }

    fn series() -> impl Strategy<Value = BTreeMap<i64, u8>> {
        prop::collection::btree_map(0..40_i64, 0..3_u8, 0..30)
    }

    proptest! {
        /// Against the plainest way to say it.
        #[test]
        fn every_time_of_either_side_is_compared_once(held in series(), served in series()) {
            let times: BTreeSet<i64> = held.keys().chain(served.keys()).copied().collect();
            let value = |points: &BTreeMap<i64, u8>, at| points.get(&at).copied().map(f64::from);
            let mut expected = String::new();
            for &at in &times {
                let (held, served) = (value(&held, at), value(&served, at));
                let kind = match (held, served) {
                    (None, _) => "Late",
                    (_, None) => "Gone",
                    _ if held != served => "Changed",
                    _ => continue,
                };
                writeln!(expected, "{kind} at {at}: {held:?} {served:?}").unwrap();
            }
            let list = |points: &BTreeMap<i64, u8>| -> Vec<(i64, f64)> {
                points.iter().map(|(&at, &value)| (at, f64::from(value))).collect()
            };
            let (text, count) = told(&list(&held), &list(&served));
            prop_assert_eq!(text, expected);
            prop_assert_eq!(count, times.len() as u64);
        }
    }
}
