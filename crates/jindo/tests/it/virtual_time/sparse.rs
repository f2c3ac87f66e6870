//! An organisation of which most query-days are empty, as the planner sees it: with a probe and without. No data, no archive.

use super::clockwork::{Outcome, Setting, plan, run_plan};
use jiff::SignedDuration;
use jindo::plan::{Limits, Plan, PlanIndex, PresenceMap, ProbeGrid};
use jindo::query::coarse;

const DAY_S: i64 = 86_400;

/// Probes and runs the job where of the days of each query only so many per cent have data, each day for itself. `needed` is
/// what nobody can go below: the calls that the active queries of each window fill.
pub(crate) fn run_sparse(setting: &Setting, active_percent: u64) -> Outcome {
    let whole = plan(setting, Limits::ASSUMED, |_| None);
    let now = whole.range.end() + SignedDuration::from_hours(48);
    let is_active =
        |query: usize, day: i64| draw(query as u64, day.unsigned_abs()) % 100 < active_percent;
    let sweep = ProbeGrid::before(&whole, Limits::ASSUMED, now).expect("a range to sweep");
    let probes: Vec<_> =
        whole.queries.iter().filter_map(|query| coarse(query, sweep.interval)).collect();
    let nothing = vec![Vec::new(); probes.len()];
    let probe = Plan::new(sweep.window, probes, &nothing, Limits::ASSUMED, now);
    let asked = whole.stretches();
    let empty: Vec<_> = asked
        .indexed()
        .map(|(query, windows)| {
            presence(&sweep, |day| is_active(query.number(), day)).empty(windows, &[])
        })
        .collect();
    let needed = asked[PlanIndex::new(0)]
        .iter()
        .map(|window| {
            let day = window.start_s() / DAY_S;
            let active = (0..whole.queries.len()).filter(|&query| is_active(query, day)).count();
            active.div_ceil(Limits::ASSUMED.queries)
        })
        .sum();
    let queries = whole.queries.into_iter().collect();
    let rest = Plan::new(whole.range, queries, &empty, Limits::ASSUMED, now);
    let (first, second) = (run_plan(setting, &probe, 0), run_plan(setting, &rest, needed));
    Outcome {
        calls: first.calls + second.calls,
        refused: first.refused + second.refused,
        seconds: first.seconds + second.seconds,
        ..second
    }
}

fn presence(sweep: &ProbeGrid, is_active: impl Fn(i64) -> bool) -> PresenceMap {
    let buckets = (sweep.window.start_s()..sweep.window.end_s()).step_by(step(sweep));
    let reported = buckets.filter(|at| is_active(at.div_euclid(DAY_S))).map(|at| at * 1_000);
    let mut presence = PresenceMap::new(sweep.interval, &[sweep.window]);
    presence.report(reported);
    presence
}

fn step(sweep: &ProbeGrid) -> usize {
    usize::try_from(sweep.interval.secs()).expect("a few hours")
}

/// A number that looks random and is not (`SplitMix64`).
fn draw(query: u64, day: u64) -> u64 {
    let mut z = (query << 32 ^ day).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
