//! Presence of data: the interval at which the whole range is probed, and the stretches that such answers prove empty. Pure.

use super::window::{ceil, floor};
use super::{Limits, PerQuery, Plan, RETENTION, Window, earlier, hull, tile, union};
use crate::query::{Interval, coarse};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Windows to be fetched for each further call per batch that a probe may take: at most 3 % more calls, where in a batch of
/// 35 every window saved is a call.
const WINDOWS_PER_CALL: usize = 32;

/// Grid of a presence probe: everything that is to be fetched, as coarsely as few calls can carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeGrid {
    pub interval: Interval,
    /// Aligned to the interval: the buckets that lie within what is to be fetched.
    pub window: Window,
}

impl ProbeGrid {
    /// The finest sweep over the plan's windows that one call carries; with a finer one that takes a few calls more, where only its
    /// buckets begin where the windows do. No part of it: what is younger than `settled`, since points may still come; what is older
    /// than anything that is kept, for which all of it would be refused; and buckets that reach out of the windows, since a probe's
    /// points may become data that is wanted.
    pub fn before(plan: &Plan, limits: Limits, settled: Timestamp) -> Option<Self> {
        let windows = || plan.tasks.iter().map(|task| task.window);
        let all = hull(windows())?;
        let kept_s = limits.oldest_s.max(earlier(settled, RETENTION).as_second());
        let sweep = |interval: Interval| {
            let step = interval.secs();
            let start_s = ceil(all.start_s().max(kept_s), step);
            let end_s = floor(all.end_s().min(settled.as_second()), step);
            Some(Self { interval, window: Window::from_secs(start_s, end_s)? })
        };
        let calls = |sweep: &Self| tile(sweep.window, sweep.interval, limits).len();
        let meets = |sweep: &Self| {
            let step = sweep.interval.secs();
            windows().all(|w| w.start_s() % step == 0 && w.end_s() % step == 0)
        };
        let calls_max = 1 + plan.windows() / WINDOWS_PER_CALL;
        let mut sweeps: Vec<_> = Interval::all_offered().filter_map(sweep).collect();
        sweeps.retain(|sweep| calls(sweep) <= calls_max);
        let finest = sweeps.iter().find(|sweep| calls(sweep) == 1).copied();
        sweeps
            .into_iter()
            .rfind(|sweep| finest.is_none_or(|f| sweep.interval <= f.interval) && meets(sweep))
            .or(finest)
    }

    /// Returns about how many calls a probe before the plan takes: of the queries whose absence it can prove.
    pub fn calls(plan: &Plan, limits: Limits, settled: Timestamp) -> usize {
        let Some(sweep) = Self::before(plan, limits, settled) else { return 0 };
        let sound = plan.queries.iter().filter(|query| coarse(query, sweep.interval).is_some());
        let batches = sound.count().div_ceil(limits.queries);
        batches * tile(sweep.window, sweep.interval, limits).len()
    }
}

/// Buckets of a map at most, from the first window asked to the end of the last: 2 MiB. A probe has some thousands.
const BUCKETS_MAX: usize = 1 << 24;

/// Buckets of its answers in which a query has points: a bit a bucket, for all its series together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceMap {
    interval: Interval,
    /// Stretches asked for, aligned to the interval: disjoint, oldest first.
    asked: Vec<Window>,
    /// From the start of the first window asked, in words of 64.
    reported: Vec<u64>,
}

impl PresenceMap {
    /// A map of a query that was asked in these windows, aligned to the interval, without any point yet. Of windows with more than
    /// `BUCKETS_MAX` buckets from end to end nothing is taken in: they prove nothing.
    pub fn new(interval: Interval, asked: &[Window]) -> Self {
        let mut asked = union(asked);
        let ends = asked.first().zip(asked.last());
        let buckets =
            ends.map_or(0, |(first, last)| (last.end_s() - first.start_s()) / interval.secs());
        let mut buckets = usize::try_from(buckets).expect("windows end after they start");
        if buckets > BUCKETS_MAX {
            asked.clear();
            buckets = 0;
        }
        Self { interval, asked, reported: vec![0; buckets.div_ceil(64)] }
    }

    /// Takes in points of any series, Unix milliseconds in any order; those outside of the windows asked are left out.
    pub fn report(&mut self, points_ms: impl IntoIterator<Item = i64>) {
        for at_ms in points_ms {
            if let Some((word, bit)) = self.place(at_ms.div_euclid(1_000)) {
                self.reported[word] |= bit;
            }
        }
    }

    /// The word and the bit of the bucket that holds the moment.
    fn place(&self, at_s: i64) -> Option<(usize, u64)> {
        let since = at_s - self.asked.first()?.start_s();
        let bucket = usize::try_from(since.div_euclid(self.interval.secs())).ok()?;
        let word = bucket / 64;
        (word < self.reported.len()).then_some((word, 1 << (bucket % 64)))
    }

    /// True if all of the window was asked.
    pub fn covers(&self, window: Window) -> bool {
        self.asked.iter().any(|asked| asked.covers(window))
    }

    /// Those of `planned` (disjoint) that need not be fetched. Every bucket that overlaps such a window is empty. So is the
    /// one before and the one after it, or that one lies in a stretch whose own points bear it out: one that is `planned`
    /// and not empty, so that [`PresenceMap::contradiction`] will judge it, or one that was `judged` before. What lies before the first
    /// planned window and after the last has no neighbour.
    pub fn empty(&self, planned: &[Window], judged: &[Window]) -> Vec<Window> {
        let (silent, loud): (Vec<Window>, Vec<Window>) =
            planned.iter().partition(|&&window| self.is_silent(window));
        let borne_out = union(&[&loud, judged].concat());
        let step = self.interval.secs();
        let all = hull(planned.iter().copied());
        let is_within = |at_s: i64| all.is_some_and(|a| a.start_s() <= at_s && at_s < a.end_s());
        let quiet_at = |start_s: i64| match self.has_points_at(start_s) {
            _ if !is_within(start_s) => true,
            Some(true) => Window::from_secs(start_s, start_s + step)
                .is_some_and(|bucket| borne_out.iter().any(|window| window.covers(bucket))),
            was_asked => was_asked.is_some(),
        };
        let neighbours =
            |window: &Window| [floor(window.start_s(), step) - step, ceil(window.end_s(), step)];
        silent.into_iter().filter(|window| neighbours(window).into_iter().all(quiet_at)).collect()
    }

    /// Compares the answer about `window`, finer than this one, with what this one said: the start (Unix seconds) of a bucket
    /// where one has points and the other none. A bucket that reaches out of the window is judged only by points within.
    pub fn contradiction(
        &self,
        window: Window,
        points_ms: impl IntoIterator<Item = i64>,
    ) -> Option<i64> {
        let step = self.interval.secs();
        let fine: BTreeSet<i64> =
            points_ms.into_iter().map(|at_ms| floor(at_ms.div_euclid(1_000), step)).collect();
        let unseen = fine.iter().copied().find(|&at| self.has_points_at(at) == Some(false));
        let mut whole = (ceil(window.start_s(), step)..=window.end_s() - step)
            .step_by(usize::try_from(step).expect("an interval is made of a u32"));
        unseen.or_else(|| {
            whole.find(|at| self.has_points_at(*at) == Some(true) && !fine.contains(at))
        })
    }

    /// True if all buckets that overlap the window were asked and are empty.
    fn is_silent(&self, window: Window) -> bool {
        let step = self.interval.secs();
        let mut buckets = (floor(window.start_s(), step)..ceil(window.end_s(), step))
            .step_by(usize::try_from(step).expect("an interval is made of a u32"));
        buckets.all(|at| self.has_points_at(at) == Some(false))
    }

    /// Returns true if the bucket that starts there has points; `None`: it was not asked.
    fn has_points_at(&self, start_s: i64) -> Option<bool> {
        let bucket = Window::from_secs(start_s, start_s + self.interval.secs())?;
        let (word, bit) = self.place(start_s)?;
        self.covers(bucket).then(|| self.reported[word] & bit != 0)
    }
}

impl Plan {
    /// Returns the windows in which each query is to be fetched, oldest first.
    pub fn stretches(&self) -> PerQuery<Vec<Window>> {
        let mut stretches = PerQuery::filled(Vec::new(), self.queries.len());
        for task in &self.tasks {
            task.queries.iter().for_each(|&query| stretches[query].push(task.window));
        }
        for own in stretches.iter_mut() {
            own.sort_unstable();
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PlanIndex, Task};
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const DAY_S: i64 = 86_400;
    const HOUR_S: i64 = 3_600;
    const START_S: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z

    fn span(from_s: i64, to_s: i64) -> Window {
        Window::from_secs(START_S + from_s, START_S + to_s).unwrap()
    }

    fn hours(from: i64, to: i64) -> Window {
        span(from * HOUR_S, to * HOUR_S)
    }

    fn secs(secs: u32) -> Interval {
        Interval::from_secs(secs).unwrap()
    }

    /// A plan of one query in daily windows that begin at this second of the day.
    fn plan(days: i64, offset_s: i64) -> Plan {
        let range = span(offset_s, offset_s + days * DAY_S);
        let windows = tile(range, secs(60), Limits::ASSUMED);
        let task = |window| Task { queries: vec![PlanIndex::new(0)], interval: secs(60), window };
        let tasks = windows.into_iter().map(task).collect();
        let (queries, asked) = (Vec::new().into(), Vec::new().into());
        Plan { range, queries, asked, tasks }
    }

    #[test]
    fn a_sweep_is_as_fine_as_one_call_carries_and_meets_the_windows_where_that_is_cheap() {
        let settled = Timestamp::from_second(START_S + 430 * DAY_S).unwrap();
        let sweep = |days, offset_s| {
            let sweep = ProbeGrid::before(&plan(days, offset_s), Limits::ASSUMED, settled).unwrap();
            let ProbeGrid { interval, window } = sweep;
            let calls = tile(window, interval, Limits::ASSUMED).len();
            (interval.secs(), calls)
        };
        assert_eq!(
            [6, 30, 96, 420].map(|days| sweep(days, 0)),
            [(600, 1), (1_800, 1), (7_200, 1), (28_800, 1)]
        );
        assert_eq!(sweep(96, -9 * HOUR_S), (3_600, 2), "days of Tokyo begin at odd hours");
        assert_eq!(sweep(96, -5 * HOUR_S - 1_800), (1_800, 4), "days of Kolkata at half hours");
        assert_eq!(sweep(96, 61 * 60), (7_200, 1), "no bucket meets these");
        let young = Timestamp::from_second(START_S + 95 * DAY_S + 3_000).unwrap();
        let young = ProbeGrid::before(&plan(96, 0), Limits::ASSUMED, young).unwrap();
        assert_eq!(young.window, hours(0, 95 * 24), "what is not settled is not swept");
    }

    fn check(reported: &[i64], planned: &[(i64, i64)], judged: &[(i64, i64)], expected: &Expect) {
        let points = reported.iter().map(|hour| (START_S + hour * HOUR_S) * 1_000);
        let mut presence = PresenceMap::new(secs(3_600), &[hours(0, 24)]);
        presence.report(points);
        let windows =
            |all: &[(i64, i64)]| -> Vec<_> { all.iter().map(|&(a, b)| hours(a, b)).collect() };
        let hour = |at_s: i64| (at_s - START_S) / HOUR_S;
        let empty: Vec<_> = presence
            .empty(&windows(planned), &windows(judged))
            .into_iter()
            .map(|window| format!("{}-{}", hour(window.start_s()), hour(window.end_s())))
            .collect();
        expected.assert_eq(&empty.join(" "));
    }

    #[test]
    fn a_stretch_is_empty_when_its_buckets_are_and_their_neighbours_are_or_will_be_judged() {
        check(&[], &[(1, 6), (6, 23)], &[], &expect!["1-6 6-23"]);
        check(&[], &[(0, 6), (6, 24)], &[], &expect!["0-6 6-24"]);
        check(&[], &[(0, 6), (6, 30)], &[], &expect!["0-6"]);
        check(&[0, 23], &[(1, 6), (6, 23)], &[], &expect!["1-6 6-23"]);
        check(&[6], &[(1, 6), (6, 12), (12, 20)], &[], &expect!["1-6 12-20"]);
        check(&[6], &[(1, 6), (12, 20)], &[], &expect!["12-20"]);
        check(&[6], &[(1, 6), (12, 20)], &[(6, 12)], &expect!["1-6 12-20"]);
        check(&[11], &[(1, 6), (6, 12), (12, 20)], &[], &expect!["1-6 12-20"]);
    }

    #[test]
    fn answers_that_disagree_are_found_whichever_is_wrong() {
        let at = |hour: i64, minute: i64| (START_S + hour * HOUR_S + minute * 60) * 1_000;
        let mut presence = PresenceMap::new(secs(3_600), &[hours(0, 24)]);
        presence.report([at(6, 0), at(9, 0), at(30, 0), at(-1, 0)]);
        let contradiction = |from_s, to_s, points: &[i64]| {
            let found = presence.contradiction(span(from_s, to_s), points.iter().copied());
            found.map(|at_s| (at_s - START_S) / HOUR_S)
        };
        assert_eq!(contradiction(0, 12 * HOUR_S, &[at(9, 59), at(6, 30), at(6, 1)]), None);
        assert_eq!(contradiction(0, 12 * HOUR_S, &[at(6, 30), at(7, 0), at(9, 1)]), Some(7));
        assert_eq!(contradiction(0, 12 * HOUR_S, &[at(6, 30)]), Some(9), "where are its points?");
        assert_eq!(
            contradiction(0, 9 * HOUR_S + 60, &[at(6, 30)]),
            None,
            "perhaps after the window"
        );
        assert_eq!(contradiction(23 * HOUR_S, 30 * HOUR_S, &[at(25, 0)]), None, "not asked");
    }

    proptest! {
        #[test]
        fn where_a_point_lies_nothing_is_empty(
            points in proptest::collection::vec(0..96 * DAY_S, 0..20),
            cuts in proptest::collection::btree_set(0..96 * DAY_S, 2..9),
        ) {
            let asked = [span(0, 96 * DAY_S)];
            let mut presence = PresenceMap::new(secs(7_200), &asked);
            presence.report(points.iter().map(|at| (START_S + at) * 1_000));
            let cuts: Vec<_> = cuts.into_iter().collect();
            let windows: Vec<_> = cuts.windows(2).map(|pair| span(pair[0], pair[1])).collect();
            let empty = presence.empty(&windows, &[]);
            for at in &points {
                let at = Timestamp::from_second(START_S + at).unwrap();
                prop_assert!(!empty.iter().any(|window| window.contains(at)));
            }
            for &window in &windows {
                let within = points.iter().map(|at| START_S + at).filter(|&at| window.start_s() <= at && at < window.end_s());
                prop_assert_eq!(presence.contradiction(window, within.map(|at| at * 1_000)), None);
            }
            prop_assert!(!points.is_empty() || empty == windows);
        }
    }
}
