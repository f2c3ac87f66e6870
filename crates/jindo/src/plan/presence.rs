//! Where there is data at all: how coarsely the whole range is asked, and what such answers prove empty. Pure.

use super::{Limits, Plan, Window, tile, union};
use crate::query::Interval;
use jiff::Timestamp;

/// Of so many windows that are to be fetched, one call more per batch may be spent on asking coarsely: at most 3 %, where in
/// a batch of 35 every window saved is a call.
const WINDOWS_PER_CALL: usize = 32;

/// What a presence probe asks of every query: everything that is to be fetched, as coarsely as few calls can carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    pub interval: Interval,
    /// Aligned to the interval: the buckets that overlap what is to be fetched.
    pub window: Window,
}

impl Sweep {
    /// The finest sweep over the plan's windows that one call carries; with a finer one that takes a few calls more, where only its
    /// buckets begin where the windows do. What is younger than `settled` is no part of it: points may still come.
    pub fn before(plan: &Plan, limits: Limits, settled: Timestamp) -> Option<Self> {
        let windows = || plan.tasks.iter().map(|task| task.window);
        let start_s = windows().map(Window::start_s).min()?;
        let end_s = windows().map(Window::end_s).max()?;
        let sweep = |interval: Interval| {
            let step = interval.secs();
            let end_s = ceil(end_s, step).min(floor(settled.as_second(), step));
            Some(Self { interval, window: Window::from_secs(floor(start_s, step), end_s)? })
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
}

/// In which buckets of an answer a query has points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    interval: Interval,
    /// What was asked, aligned to the interval: disjoint, oldest first.
    asked: Vec<Window>,
    /// Starts of the buckets with a point, ascending.
    reported_s: Vec<i64>,
}

impl Presence {
    /// `asked`: windows aligned to the interval; `points_ms`: Unix milliseconds of the points of all series, in any order.
    pub fn new(
        interval: Interval,
        asked: &[Window],
        points_ms: impl IntoIterator<Item = i64>,
    ) -> Self {
        let start = |at_ms: i64| floor(at_ms.div_euclid(1_000), interval.secs());
        let mut reported_s: Vec<i64> = points_ms.into_iter().map(start).collect();
        reported_s.sort_unstable();
        reported_s.dedup();
        Self { interval, asked: union(asked), reported_s }
    }

    /// Whether all of the window was asked.
    pub fn covers(&self, window: Window) -> bool {
        self.asked.iter().any(|asked| asked.covers(window))
    }

    /// Those of `planned` (disjoint) that need not be fetched. Every bucket that overlaps such a window is empty. So is the
    /// one before and the one after it, or that one lies in a stretch whose own points bear it out: one that is `planned`
    /// and not empty, so that [`Presence::contradiction`] will judge it, or one that was `judged` before. What lies before the first
    /// planned window and after the last is nobody's neighbour.
    pub fn empty(&self, planned: &[Window], judged: &[Window]) -> Vec<Window> {
        let (silent, loud): (Vec<Window>, Vec<Window>) =
            planned.iter().partition(|&&window| self.is_silent(window));
        let borne_out = union(&[&loud, judged].concat());
        let step = self.interval.secs();
        let first_s = planned.iter().map(|window| window.start_s()).min();
        let last_s = planned.iter().map(|window| window.end_s()).max();
        let quiet_at = |start_s: i64| match self.at(start_s) {
            _ if Some(start_s) < first_s || Some(start_s) >= last_s => true,
            Some(Reported::Nothing) => true,
            Some(Reported::Points) => Window::from_secs(start_s, start_s + step)
                .is_some_and(|bucket| borne_out.iter().any(|window| window.covers(bucket))),
            None => false,
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
        let fine = Self::new(self.interval, &[], points_ms).reported_s;
        let unseen = fine.iter().find(|&&at| self.at(at) == Some(Reported::Nothing));
        let whole = |&&at: &&i64| window.start_s() <= at && at + step <= window.end_s();
        let first = self.reported_s.partition_point(|&at| at < window.start_s());
        let mut reported = self.reported_s[first..].iter().take_while(|&&at| at < window.end_s());
        unseen.or_else(|| reported.find(|at| whole(at) && fine.binary_search(at).is_err())).copied()
    }

    fn is_silent(&self, window: Window) -> bool {
        let step = self.interval.secs();
        let (from_s, to_s) = (floor(window.start_s(), step), ceil(window.end_s(), step));
        let asked = Window::from_secs(from_s, to_s).is_some_and(|hull| self.covers(hull));
        let next = self.reported_s.partition_point(|&at| at < from_s);
        asked && self.reported_s.get(next).is_none_or(|&at| at >= to_s)
    }

    /// What the bucket that starts there reported; `None`: it was not asked.
    fn at(&self, start_s: i64) -> Option<Reported> {
        let bucket = Window::from_secs(start_s, start_s + self.interval.secs())?;
        let reported = self.reported_s.binary_search(&start_s).is_ok();
        self.covers(bucket).then_some(if reported { Reported::Points } else { Reported::Nothing })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    Points,
    Nothing,
}

impl Plan {
    /// Per query, the windows in which it is to be fetched, oldest first.
    pub fn stretches(&self) -> Vec<Vec<Window>> {
        let mut stretches = vec![Vec::new(); self.queries.len()];
        for task in &self.tasks {
            task.queries.iter().for_each(|&query| stretches[query].push(task.window));
        }
        for own in &mut stretches {
            own.sort_unstable();
        }
        stretches
    }
}

fn floor(at_s: i64, step: i64) -> i64 {
    at_s.div_euclid(step) * step
}

fn ceil(at_s: i64, step: i64) -> i64 {
    -floor(-at_s, step)
}

#[cfg(test)]
mod tests {
    use super::super::Task;
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
        let task = |window| Task { queries: vec![0], interval: secs(60), window };
        let tasks = windows.into_iter().map(task).collect();
        Plan { range, queries: Vec::new(), asked: Vec::new(), tasks }
    }

    #[test]
    fn a_sweep_is_as_fine_as_one_call_carries_and_meets_the_windows_where_that_is_cheap() {
        let settled = Timestamp::from_second(START_S + 1_000 * DAY_S).unwrap();
        let sweep = |days, offset_s| {
            let sweep = Sweep::before(&plan(days, offset_s), Limits::ASSUMED, settled).unwrap();
            let Sweep { interval, window } = sweep;
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
        let young = Sweep::before(&plan(96, 0), Limits::ASSUMED, young).unwrap();
        assert_eq!(young.window, hours(0, 95 * 24), "what is not settled is not swept");
    }

    fn check(reported: &[i64], planned: &[(i64, i64)], judged: &[(i64, i64)], expected: &Expect) {
        let points = reported.iter().map(|hour| (START_S + hour * HOUR_S) * 1_000);
        let presence = Presence::new(secs(3_600), &[hours(0, 24)], points);
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
        let presence = Presence::new(secs(3_600), &[hours(0, 24)], [at(6, 0), at(9, 0)]);
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
            let presence = Presence::new(secs(7_200), &asked, points.iter().map(|at| (START_S + at) * 1_000));
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
