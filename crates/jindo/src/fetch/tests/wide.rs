//! Queries whose answers are larger than what is taken: weighed once, then alone and in shorter windows.

use super::*;
use crate::request::BODY_BYTES_MAX;

const HEAVY: PlanIndex = PlanIndex::new(17);

/// The job of 35 queries over 20 days, the heavy one with 10,000 series. What was asked, and how many answers were too large.
fn wide(
    weights: &BTreeMap<PlanIndex, Option<u64>>,
    settings: Settings,
) -> (Plan, Run, Vec<Ask>, u64) {
    let mut queries = queries(35);
    for (&query, &weight) in weights {
        queries[query.number()].weight = weight;
    }
    let range = Window::from_secs(START, START + 20 * DAY_S).unwrap();
    let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    let plan = Plan::new(range, queries, &vec![Vec::new(); 35], settings.limits, now);
    let (mut asks, mut too_large) = (Vec::new(), 0);
    let run = drive_weighed(&plan, settings, |_, ask| {
        asks.push(ask.clone());
        let series = |&query: &PlanIndex| if query == HEAVY { 10_000 } else { 3 };
        let weights: Vec<u64> =
            ask.queries.iter().map(|query| series(query) * points(ask)).collect();
        let bytes = 40 * weights.iter().sum::<u64>();
        if bytes > BODY_BYTES_MAX as u64 {
            too_large += 1;
            return (Err(Failure::TooLarge), None);
        }
        (Ok(Facts { bytes, points: weights, points_max: 0, ..Facts::default() }), None)
    });
    (plan, run, asks, too_large)
}

#[test]
fn ten_thousand_series_travel_alone_in_shorter_windows() {
    let (plan, run, asks, too_large) = wide(&BTreeMap::new(), settings());
    assert!(run.is_complete(&plan), "{run:?}");
    let (heavy, light): (Vec<_>, Vec<_>) =
        asks[20..].iter().partition(|ask| ask.queries.contains(&HEAVY));
    assert!(heavy.iter().all(|ask| ask.queries == [HEAVY] && points(ask) < 160), "{heavy:?}");
    assert!(light.iter().all(|ask| points(ask) == 1_440), "the others keep theirs");
    assert!(too_large <= 9, "{too_large} answers too large");
}

#[test]
fn the_next_run_begins_with_what_was_weighed() {
    let (_, first, ..) = wide(&BTreeMap::new(), settings());
    let heavy: Vec<_> =
        first.weights.iter().filter_map(|(&q, weight)| Some((q, (*weight)?))).collect();
    assert!(matches!(heavy[..], [(HEAVY, 300_000..)]), "only what is heavy is kept: {heavy:?}");
    let (plan, run, asks, too_large) = wide(&first.weights, settings());
    assert!(run.is_complete(&plan), "{run:?}");
    assert_eq!(too_large, 0);
    assert_eq!(asks.len(), plan.calls(), "and the plan says so");
}

#[test]
fn runs_of_one_call_weigh_it_too() {
    let mut weights = BTreeMap::new();
    for _ in 0..20 {
        let (_, run, ..) = wide(&weights, Settings { calls_max: Some(1), ..settings() });
        weights.extend(run.weights);
        if !run.stored.is_empty() {
            return;
        }
    }
    panic!("twenty calls and nothing to show for them: {weights:?}");
}
