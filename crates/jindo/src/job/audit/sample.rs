//! The parts of an archive that one call each can ask again, and a random sample of them. Pure: numbers come from a seed.
//!
//! Leaves out what the server no longer keeps, what is open (the next export asks it anyway), and queries that are not wanted.

use crate::archive::{Coverage, Object, ObjectId, Origin, QueryId, Record};
use crate::clock::Random;
use crate::job::look_back::is_young;
use crate::plan::{Limits, PerQuery, PlanIndex, RETENTION, Window, buckets, earlier, pack};
use crate::query::{Interval, Query};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Size of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    /// Of all windows, above 0 and at most 100.
    Percent(f64),
    /// So many calls, one a window.
    Calls(u64),
}

impl SampleSize {
    /// Returns how many of `all` windows are drawn: at least one where there is any.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "archives have fewer windows than 2^53"
    )]
    pub fn of(self, all: usize) -> usize {
        let wanted = match self {
            Self::Percent(percent) => (all as f64 * percent / 100.0).ceil() as usize,
            Self::Calls(calls) => usize::try_from(calls).unwrap_or(usize::MAX),
        };
        wanted.max(1).min(all)
    }
}

/// Part of the archive that one call asks again: an object as far as coverage still refers to it, or stretches that a probe found empty.
///
/// The order of the fields is the order of units, which a seed relies on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AuditUnit {
    /// As it was asked, so that the answer can be the same; of a probed unit the stretch itself.
    pub(super) window: Window,
    pub(super) interval: Interval,
    pub(super) origin: Origin,
    /// In the order of the call.
    pub(super) queries: Vec<PlanIndex>,
    pub(super) object: ObjectId,
    pub(super) fetched_at: Timestamp,
    /// Windows that coverage grants the object, or the probe, of each query in turn.
    pub(super) granted: Vec<Vec<Window>>,
}

impl AuditUnit {
    /// Returns true where Datadog still keeps all of it; else the archive alone has it.
    pub(super) fn is_kept(&self, now: Timestamp) -> bool {
        self.window.start() >= earlier(now, RETENTION)
    }
}

/// Returns the units of an archive, in their order: `coverage` of all queries, the records of its objects, and the wanted queries as
/// they are asked, with their numbers in the ledger.
pub(super) fn units(
    coverage: &BTreeMap<QueryId, Vec<Coverage>>,
    objects: Vec<Object>,
    ids: &PerQuery<QueryId>,
    queries: &PerQuery<Query>,
    limits: Limits,
) -> Vec<AuditUnit> {
    let mut fetched: HashMap<(ObjectId, QueryId), (PlanIndex, Vec<Window>)> = HashMap::new();
    let mut probed: HashMap<ObjectId, BTreeMap<(Window, Interval), Vec<PlanIndex>>> =
        HashMap::new();
    for (index, id) in ids.indexed() {
        for held in
            coverage.get(id).into_iter().flatten().filter(|held| !held.open && !is_young(held))
        {
            if held.origin == Origin::Fetched {
                let granted = fetched.entry((held.object, *id)).or_insert((index, Vec::new()));
                granted.1.push(held.window);
            } else {
                let stretch = (held.window, queries[index].text.interval);
                let stretches = probed.entry(held.object).or_default();
                stretches.entry(stretch).or_default().push(index);
            }
        }
    }
    let mut all = Vec::new();
    for Object { id: object, record } in objects {
        let Record { window, interval, queries: asked, fetched_at, .. } = record;
        let granted = asked.iter().filter_map(|query| fetched.remove(&(object, *query)));
        let (members, granted) = granted.unzip();
        let unit = AuditUnit {
            window,
            interval,
            origin: Origin::Fetched,
            queries: members,
            object,
            fetched_at,
            granted,
        };
        for ((window, interval), members) in probed.remove(&object).unwrap_or_default() {
            for queries in pack(&members, queries, limits, buckets(window, interval)) {
                let (origin, granted) = (Origin::Probed, vec![vec![window]; queries.len()]);
                all.push(AuditUnit { window, interval, origin, queries, granted, ..unit });
            }
        }
        if !unit.queries.is_empty() {
            all.push(unit);
        }
    }
    all.sort_unstable();
    all
}

/// Draws from `all`, each as likely as any other, none twice, in their order. The same seed draws the same.
pub(super) fn sample<T: Ord>(mut all: Vec<T>, size: SampleSize, seed: u64) -> Vec<T> {
    let wanted = size.of(all.len());
    let mut random = Random::seeded(seed);
    for drawn in 0..wanted {
        let rest = all.len() - drawn;
        all.swap(drawn, drawn + below(&mut random, rest));
    }
    all.truncate(wanted);
    all.sort_unstable();
    all
}

/// Returns a number below `bound`, which is not 0; 64 random bits make every one as likely, but for one in 2^64 / `bound`.
fn below(random: &mut Random, bound: usize) -> usize {
    let scaled = (u128::from(random.draw()) * bound as u128) >> 64;
    usize::try_from(scaled).expect("below a usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::QueryText;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    const DAY_S: i64 = 86_400;
    const NOW_S: i64 = 1_795_000_000 / DAY_S * DAY_S;

    fn day(number: i64) -> Window {
        Window::from_secs(NOW_S + number * DAY_S, NOW_S + (number + 1) * DAY_S).unwrap()
    }

    fn minute() -> Interval {
        Interval::from_secs(60).unwrap()
    }

    fn object(id: i64, queries: &[i64], window: Window) -> Object {
        let record = Record {
            name: id.to_string(),
            queries: queries.iter().copied().map(QueryId).collect(),
            interval: minute(),
            window,
            generation: 0,
            fetched_at: window.end(),
            open: false,
            copy_of: None,
            rows: 1,
            bytes: 1,
            sha256: String::new(),
        };
        Object { id: ObjectId(id), record }
    }

    fn held(object: i64, window: Window, origin: Origin) -> Coverage {
        let asked_at = Timestamp::MAX;
        Coverage { window, object: ObjectId(object), origin, open: false, asked_at }
    }

    fn query(id: i64) -> Query {
        Query::new(QueryText::new(
            format!("avg:m{id}{{*}}"),
            format!("avg:m{id}{{*}}.rollup(avg,60)"),
            minute(),
        ))
    }

    /// `object of kind: query granted, …` of every unit.
    fn told(coverage: &BTreeMap<QueryId, Vec<Coverage>>, objects: Vec<Object>) -> String {
        let (ids, queries) = ((1..=3).map(QueryId).collect(), (1..=3).map(query).collect());
        let now = Timestamp::from_second(NOW_S).unwrap();
        let limits = Limits { queries: 2, ..Limits::ASSUMED };
        let all = units(coverage, objects, &ids, &queries, limits);
        let (askable, too_old): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|unit| unit.is_kept(now));
        let too_old = too_old.len();
        let mut told = format!("{too_old} too old\n");
        for unit in askable {
            let from = (unit.window.start_s() - NOW_S) / DAY_S;
            let queries: Vec<_> = unit.queries.iter().map(|&query| ids[query].0).collect();
            let parts: Vec<_> = unit.granted.iter().map(Vec::len).collect();
            let (object, origin) = (unit.object.0, unit.origin);
            writeln!(told, "day {from}: {origin:?} {object}, queries {queries:?} in {parts:?}")
                .unwrap();
        }
        told
    }

    #[test]
    fn a_unit_is_what_coverage_still_grants_an_object() {
        let (early, late) = day(-3).halves(minute()).unwrap();
        let mut coverage = BTreeMap::new();
        let mut open = held(1, day(-3), Origin::Fetched);
        open.open = true;
        // Query 1: a newer object holds half a day. Query 2: open. Query 3: two stretches of one object.
        coverage.insert(
            QueryId(1),
            vec![held(1, early, Origin::Fetched), held(2, late, Origin::Fetched)],
        );
        coverage.insert(QueryId(2), vec![open]);
        coverage.insert(
            QueryId(3),
            vec![held(1, early, Origin::Fetched), held(1, late, Origin::Fetched)],
        );
        // Nobody wants query 9, a probe; object 4 is gone by now.
        coverage.insert(QueryId(9), vec![held(3, day(-3), Origin::Fetched)]);
        coverage.get_mut(&QueryId(1)).unwrap().push(held(4, day(-2), Origin::Fetched));
        let objects =
            vec![object(1, &[3, 2, 1], day(-3)), object(2, &[1], late), object(3, &[9], day(-3))];
        expect_test::expect![[r#"
            0 too old
            day -3: Fetched 1, queries [3, 1] in [2, 1]
            day -2: Fetched 2, queries [1] in [1]
        "#]]
        .assert_eq(&told(&coverage, objects));
    }

    #[test]
    fn probed_stretches_travel_together_as_far_as_a_call_carries() {
        let mut coverage = BTreeMap::new();
        for query in 1..=3 {
            coverage.insert(
                QueryId(query),
                vec![held(7, day(-3), Origin::Probed), held(7, day(-1), Origin::Probed)],
            );
        }
        coverage.get_mut(&QueryId(2)).unwrap().pop();
        expect_test::expect![[r#"
            0 too old
            day -3: Probed 7, queries [1, 2] in [1, 1]
            day -3: Probed 7, queries [3] in [1]
            day -1: Probed 7, queries [1, 3] in [1, 1]
        "#]]
        .assert_eq(&told(&coverage, vec![object(7, &[9], day(-3))]));
    }

    #[test]
    fn what_datadog_no_longer_keeps_is_counted_and_not_asked() {
        let days = [-456, -455, -1];
        let coverage = BTreeMap::from([(
            QueryId(1),
            (1..).zip(days).map(|(id, at)| held(id, day(at), Origin::Fetched)).collect(),
        )]);
        let objects = (1..).zip(days).map(|(id, at)| object(id, &[1], day(at))).collect();
        expect_test::expect![[r#"
            1 too old
            day -455: Fetched 2, queries [1] in [1]
            day -1: Fetched 3, queries [1] in [1]
        "#]]
        .assert_eq(&told(&coverage, objects));
    }

    #[test]
    fn a_portion_is_rounded_up_and_bounded_by_what_there_is() {
        let check = |size: SampleSize, all, expected| assert_eq!(size.of(all), expected);
        check(SampleSize::Percent(1.0), 1_632, 17);
        check(SampleSize::Percent(1.0), 100, 1);
        check(SampleSize::Percent(0.001), 5, 1);
        check(SampleSize::Percent(100.0), 1_632, 1_632);
        check(SampleSize::Calls(20), 1_632, 20);
        check(SampleSize::Calls(20), 3, 3);
        check(SampleSize::Percent(1.0), 0, 0);
    }

    #[test]
    fn every_unit_is_as_likely_as_any_other() {
        let mut drawn = [0_u32; 10];
        for seed in 0..10_000 {
            for unit in sample((0..10).collect(), SampleSize::Calls(3), seed) {
                drawn[usize::try_from(unit).unwrap_or(0)] += 1;
            }
        }
        // 3,000 each by expectation; five standard deviations are 230.
        assert!(drawn.iter().all(|&times| (2_770..3_230).contains(&times)), "{drawn:?}");
    }

    proptest! {
        #[test]
        fn a_sample_is_repeatable_in_order_without_doubles_and_as_large_as_asked(
            all in 0..60_usize, calls in 1..70_u64, seed: u64,
        ) {
            let units: Vec<usize> = (0..all).collect();
            let drawn = sample(units.clone(), SampleSize::Calls(calls), seed);
            prop_assert_eq!(drawn.len() as u64, calls.min(all as u64));
            prop_assert!(drawn.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(&drawn, &sample(units, SampleSize::Calls(calls), seed));
        }
    }
}
