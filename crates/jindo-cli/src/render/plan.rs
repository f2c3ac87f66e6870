//! Plans in words and as JSON: before an export, and for `jindo plan`.

use crate::args::PlanArgs;
use crate::disk_space;
use crate::render::resolution::{self, resolutions};
use crate::render::shell;
use crate::render::units::{count, counted, seconds, size};
use crate::request::{RequestNotes, zone_of_clocks};
use crate::terminal::Lines;
use crate::time::{self, length_in_words};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use jindo::job::{ExportPlan, ExportRequest, Leaving, ResolvedRequest};
use jindo::plan::{Estimate, Limits, Pace, Plan, ProbeGrid, RETENTION, SeriesAssumption, Window};
use jindo::query::{Complaint, Interval, Query};
use jindo::request::Reserve;
use std::collections::HashSet;
use std::path::Path;

/// Plans that take longer than this suggest a probe.
const PROBE_SUGGESTED_S: u64 = 2 * 3_600;

/// Plans that take at least this long say at what time of day they will be done.
const DONE_SHOWN_S: u64 = 120;

/// Points a second beyond which a machine of two cores did not keep up when it was measured (`cargo xtask measure`). Faster plans say that
/// they count on more.
const MACHINE_POINTS_PER_S: u64 = 1_000_000;

/// Window of a simple script, the yardstick of a plan: it asks each query 4 hours at a time.
const SCRIPT_WINDOW_S: u64 = 4 * 3_600;

/// Returns the calls of a script that asks each query 4 hours at a time.
pub(crate) fn script_calls(queries: usize, range: Window) -> u64 {
    range.secs().cast_unsigned().div_ceil(SCRIPT_WINDOW_S) * queries as u64
}

/// A request and its notes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Annotated<'a> {
    pub(crate) request: &'a ExportRequest,
    pub(crate) notes: &'a RequestNotes,
}

/// Rate limit that a plan reckons with.
#[derive(Clone, Copy)]
pub(crate) struct ReckonedLimit {
    limit: Pace,
    reserve: Reserve,
}

impl ReckonedLimit {
    fn of(command: &PlanArgs) -> Self {
        Self { limit: command.limit(), reserve: command.reserve() }
    }

    /// The user's own bound on an export: all of it is ours.
    pub(crate) fn own(limit: Pace) -> Self {
        Self { limit, reserve: Reserve::NONE }
    }

    /// A limit of which the usual share is left to others.
    pub(crate) fn usual(limit: Pace) -> Self {
        Self { limit, reserve: Reserve::USUAL }
    }

    fn ours(self) -> Pace {
        self.reserve.left_of(self.limit)
    }

    /// Seconds that the plan's calls take.
    fn seconds(self, plan: &Plan) -> u64 {
        plan.seconds(self.ours())
    }

    /// Seconds that so many calls take.
    pub(crate) fn seconds_of(self, calls: u64) -> u64 {
        self.ours().seconds(calls)
    }

    /// Returns `1,440 of 1,600 calls an hour (--reserve 10%)`.
    pub(crate) fn in_words(self) -> String {
        let (ours, all) = (self.ours(), in_pace(self.limit));
        if ours == self.limit {
            return all;
        }
        format!("{} of {all} (--reserve {})", count(u64::from(ours.calls)), self.reserve)
    }
}

/// Returns the plan in a few lines, as it stands before the first call.
pub(crate) fn brief(
    Annotated { request, notes }: Annotated<'_>,
    planned: &ExportPlan,
    pace: Option<ReckonedLimit>,
    now: Timestamp,
) -> Lines {
    let plan = &planned.plan;
    let mut lines = range_in_words(request, &planned.request, now);
    lines.splice(1..1, notes.below_range());
    lines.extend(resolution::in_words(request, &planned.request));
    let script = count(script_calls(plan.queries.len(), plan.range));
    let estimate = planned.estimate();
    let time = pace.filter(|_| plan.calls() > 0).map_or_else(String::new, |pace| {
        let time = ReckonedTime::new(planned, &estimate, pace);
        format!(", {}{}", time.in_words(pace), done_by(request, now, time.seconds()))
    });
    lines.push(format!("{}{time}; a script that asks 4 hours at a time makes {script}", job(plan)));
    if !notes.changes.is_empty() {
        lines.push(format!("  {}: {}", notes.changes.join(", "), what_follows(plan)));
    }
    lines.extend(types_in_words(planned));
    if plan.calls() > 0 {
        lines.extend(estimate_in_words(&estimate));
    }
    lines.into()
}

/// Returns a line with points and bytes, and one that says on what they are based where the number of series decides.
fn estimate_in_words(Estimate { points, bytes, series }: &Estimate) -> Vec<String> {
    let (low, most) = (count(*points.start()), count(*points.end()));
    let (bytes, most_bytes) = (size(*bytes.start()), size(*bytes.end()));
    let points = if low == most {
        format!("{low} points if none is missing")
    } else {
        format!("{low} to {most} points")
    };
    let mut lines = vec![format!("{points}, {bytes} to {most_bytes} on disk")];
    let SeriesAssumption { grouped, guessed } = *series;
    let queries = counted(grouped, "query", "queries");
    if guessed > 0 {
        let of = match grouped - guessed {
            0 if grouped == 1 => "1 query with by has".to_owned(),
            0 => format!("{queries} with by have"),
            _ => format!("{} of {queries} with by have", count(guessed)),
        };
        let most = SeriesAssumption::GUESSED_MAX;
        lines.push(format!("  a guess: {of} 1 to {most} series each; more take more calls"));
    } else if grouped > 0 {
        lines.push(format!("  by the series that {queries} with by had before"));
    }
    lines
}

/// Time of a plan's calls, by what sets their pace.
#[derive(Debug, Clone, Copy)]
struct ReckonedTime {
    /// At the rate limit.
    limited_s: u64,
    /// At the speed of the last run here that no limit held back; `None`: none was measured.
    measured_s: Option<u64>,
    points: u64,
}

impl ReckonedTime {
    fn new(planned: &ExportPlan, estimate: &Estimate, pace: ReckonedLimit) -> Self {
        let points = *estimate.points.start();
        let measured_s = planned.pace.seconds(points);
        Self { limited_s: pace.seconds(&planned.plan), measured_s, points }
    }

    fn seconds(self) -> u64 {
        self.limited_s.max(self.measured_s.unwrap_or(0))
    }

    fn in_words(self, pace: ReckonedLimit) -> String {
        let (limited, pace) = (seconds(self.limited_s), pace.in_words());
        match self.measured_s {
            Some(measured_s) if measured_s > self.limited_s => {
                format!("{} at the speed of the last run here", seconds(measured_s))
            }
            None if self.points / MACHINE_POINTS_PER_S > self.limited_s => {
                format!("{limited} at {pace}, if this machine is so fast")
            }
            _ => format!("{limited} at {pace}"),
        }
    }
}

/// Returns what a change of the request costs.
fn what_follows(plan: &Plan) -> String {
    let calls = counted(plan.calls() as u64, "call", "calls");
    if plan.calls() == 0 {
        format!("the files are written anew, {calls}")
    } else if plan.holds_nothing() {
        format!("all of it is fetched anew: {calls}")
    } else {
        format!("what is not held yet is fetched: {calls}")
    }
}

/// Returns a refused query that is left out.
pub(crate) fn left_out(complaint: &Complaint) -> Vec<String> {
    let mut lines = complaint.lines();
    lines[0].insert_str(0, "left out: ");
    lines
}

/// Returns lines for files of an earlier request that go away or get shorter, with the command that shows them; empty without any.
pub(crate) fn leaving_in_words(leaving: Leaving, dir: &Path) -> Vec<String> {
    let Leaving { queries, files, shortened } = leaving;
    let gone = (queries > 0).then(|| {
        let (files, queries) =
            (counted(files, "file", "files"), counted(queries, "query", "queries"));
        format!("{files} of {queries} that this request does not name are removed from it")
    });
    let shorter = (shortened > 0).then(|| {
        let queries = counted(shortened, "query", "queries");
        format!("rows of {queries} outside the range are removed from it")
    });
    let parts: Vec<String> = gone.into_iter().chain(shorter).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let parts = parts.join(", and ");
    vec![
        format!(
            "  csv/ shows this request alone: {parts}; the archive keeps all of it, and writes it elsewhere in 0 calls:"
        ),
        format!("    jindo extract {} --query '*' --out PATH", shell::path(dir)),
    ]
}

/// Returns a line for the types of metrics that are asked first, and one for modifiers that do nothing.
fn types_in_words(planned: &ExportPlan) -> Vec<String> {
    let mut lines = Vec::new();
    let asked = planned.metadata_calls() as u64;
    if asked > 0 {
        let calls = counted(asked, "call", "calls");
        let types = if asked == 1 { "the type of a metric" } else { "types of metrics" };
        lines.push(format!(
            "  before them {calls} for {types}, which decides what .as_count() and .as_rate() mean"
        ));
    }
    let ineffective = planned.request.ineffective_modifiers();
    if let Some(first) = ineffective.first() {
        let more = match ineffective.len() - 1 {
            0 => String::new(),
            more => format!(" and {} more", count(more as u64)),
        };
        lines.push(format!(
            "  {first}{more}: .as_count() and .as_rate() do nothing there, as Datadog documents for gauges, and for rates without \
             an interval"
        ));
    }
    lines
}

/// Returns ` (until 14:05 KST)`; empty for short plans.
fn done_by(request: &ExportRequest, now: Timestamp, secs: u64) -> String {
    if secs < DONE_SHOWN_S {
        return String::new();
    }
    format!(" (until {})", time::time_of_day(now, secs, &zone_of_clocks(request)))
}

/// Returns `579 queries in 17 batches × 8 windows: 136 calls` if every batch is asked for every window. Otherwise (several
/// intervals, or parts that are fetched already) only the number of calls and of queries.
fn job(plan: &Plan) -> String {
    let (batches, windows, calls) = (plan.batches(), plan.windows(), plan.calls());
    let wanting: HashSet<_> =
        plan.tasks.iter().flat_map(|task| task.queries.iter().copied()).collect();
    let all = counted(plan.queries.len() as u64, "query", "queries");
    let asked = match wanting.len() {
        0 if plan.asked.iter().all(Option::is_none) => {
            return format!("{all}, none with a complete interval in the range: 0 calls");
        }
        0 => return format!("{all}, all fetched already: 0 calls"),
        some if some < plan.queries.len() => format!("{} of {all}", count(some as u64)),
        _ => all,
    };
    let calls_in_words = counted(calls as u64, "call", "calls");
    // Tasks differ in batch or window, so that the count tells: as many as pairs means every pair.
    if batches * windows == calls {
        let batches = counted(batches as u64, "batch", "batches");
        let windows = counted(windows as u64, "window", "windows");
        format!("{asked} in {batches} × {windows}: {calls_in_words}")
    } else {
        format!("{asked} in {calls_in_words}")
    }
}

/// Returns `12 Dec 2021 00:00 KST … 18 Mar 2022 00:00 KST (excluded), 96 days`, and a line for each change to the range.
fn range_in_words(request: &ExportRequest, asked: &ResolvedRequest, now: Timestamp) -> Vec<String> {
    let (zone, range) = (&request.zone, asked.range);
    let (start, end) = (time::in_words(range.start(), zone), time::in_words(range.end(), zone));
    let length = length_in_words(SignedDuration::from_secs(range.secs()));
    let mut lines = vec![format!("{start} … {end} (excluded), {length}")];
    if let Some(wanted) = asked.clipped_from {
        let wanted = time::in_words(wanted, zone);
        lines.push(format!(
            "  ends at {end} instead of {wanted}: younger points may still be incomplete (--settle)"
        ));
    }
    if let Some(beyond) = Window::new(range.start(), range.end().min(kept_since(now))) {
        let length = length_in_words(SignedDuration::from_secs(beyond.secs()));
        lines.push(format!(
            "  the first {length} of it are older than the 15 months that Datadog usually keeps: expect no data"
        ));
    }
    let intervals = asked.list.queries.iter().map(|query| query.text.interval);
    if let Some(interval) =
        intervals.clone().find(|interval| range.aligned(*interval) != Some(range))
    {
        lines.push(format!(
            "  not a multiple of {interval}: intervals that start within the range are exported"
        ));
    }
    let wanted = asked.wanted();
    let is_cut = |interval: &Interval| wanted.of(*interval) != range.aligned(*interval);
    if let Some(interval) = intervals.filter(is_cut).max() {
        lines.push(format!("  the last {interval} are incomplete: left out until they are over"));
    }
    lines
}

/// Returns the time before which Datadog keeps no points, in whole seconds.
fn kept_since(now: Timestamp) -> Timestamp {
    Timestamp::from_second((now - RETENTION).as_second()).unwrap_or(now)
}

/// Returns notes on queries with a point a day or a week, where the files have another zone than UTC: the server counts both in UTC.
pub(crate) fn days_of_utc(request: &ExportRequest, asked: &ResolvedRequest) -> Vec<String> {
    let is_utc = |offset: Offset| offset == Offset::UTC;
    let (start, end) = (asked.range.start(), asked.range.end());
    let mut changes = request.zone.following(start).take_while(|change| change.timestamp() < end);
    if is_utc(request.zone.to_offset(start)) && changes.all(|change| is_utc(change.offset())) {
        return Vec::new();
    }
    let zone = request.zone.iana_name().unwrap_or("the zone of the files");
    let note = |(secs, kind, span)| {
        let is_such = |query: &&Query| query.text.interval.secs() == secs;
        let queries = asked.list.queries.iter().filter(is_such).count() as u64;
        let have = if queries == 1 { "query has" } else { "queries have" };
        (queries > 0).then(|| {
            format!("{} {have} {kind} points: of {span} in UTC, not in {zone}", count(queries))
        })
    };
    [(86_400, "daily", "days"), (604_800, "weekly", "weeks from Thursday on")]
        .into_iter()
        .filter_map(note)
        .collect()
}

fn in_pace(pace: Pace) -> String {
    let period = match pace.period_s {
        3_600 => "an hour".to_owned(),
        60 => "a minute".to_owned(),
        86_400 => "a day".to_owned(),
        secs => format!("in {secs} s"),
    };
    format!("{} {period}", counted(pace.calls.into(), "call", "calls"))
}

/// The same request from nothing, at another resolution.
pub(crate) struct Alternative {
    pub(crate) resolution: Interval,
    pub(crate) plan: Plan,
}

/// Returns the text of `jindo plan`: the plan, notes on the list, and a table of alternatives.
pub(crate) fn in_words(
    annotated: Annotated<'_>,
    planned: &ExportPlan,
    command: &PlanArgs,
    alternatives: &[Alternative],
    now: Timestamp,
) -> Lines {
    let pace = ReckonedLimit::of(command);
    let (plan, asked) = (&planned.plan, &planned.request);
    let mut lines = brief(annotated, planned, Some(pace), now);
    let here = Path::new(".");
    let dir = command.out.as_deref().unwrap_or(Path::new(crate::defaults::OUT));
    lines.extend(leaving_in_words(planned.leaving, dir));
    lines.extend(disk_space::in_words(planned, command.out.as_deref().unwrap_or(here)));
    lines.extend(asked.list.notes.iter().map(|note| format!("  {note}")));
    let days = days_of_utc(annotated.request, asked);
    lines.extend(days.into_iter().map(|note| format!("  {note}")));
    lines.extend(asked.list.refused.iter().flat_map(left_out).map(|line| format!("  {line}")));
    let probes = ProbeGrid::calls(plan, Limits::ASSUMED, now);
    let is_slow = pace.seconds(plan) > PROBE_SUGGESTED_S && probes > 0;
    lines.extend(is_slow.then(|| {
        let probes = counted(probes as u64, "call", "calls");
        format!("  jindo export --probe first finds out where there is data at all, in about {probes}, and skips the rest")
    }));
    lines.extend(["", &format!("from nothing, at {}:", pace.in_words())]);
    lines.push("  resolution        calls        time     script calls");
    lines.extend(alternatives.iter().map(|Alternative { resolution, plan }| {
        format!(
            "  {:>10}  {:>11}  {:>10}  {:>15}",
            resolution.to_string(),
            count(plan.calls() as u64),
            seconds(pace.seconds(plan)),
            count(script_calls(plan.queries.len(), plan.range)),
        )
    }));
    lines
}

/// Returns the JSON object of `jindo plan --json`.
pub(crate) fn json(planned: &ExportPlan, command: &PlanArgs) -> Lines {
    let pace = ReckonedLimit::of(command);
    let (plan, asked) = (&planned.plan, &planned.request);
    let estimate = planned.estimate();
    let SeriesAssumption { grouped, guessed } = estimate.series;
    let object = serde_json::json!({
        "from": plan.range.start(),
        "to": plan.range.end(),
        "queries": plan.queries.len(),
        "windows": plan.windows(),
        "batches": plan.batches(),
        "calls": plan.calls(),
        "metadata_calls": planned.metadata_calls(),
        "resolutions": resolutions(asked.list.queries.iter().map(|query| query.text.interval)),
        "unsampled": asked.list.unspaced.len(),
        "points": { "low": estimate.points.start(), "high": estimate.points.end() },
        "bytes": { "low": estimate.bytes.start(), "high": estimate.bytes.end() },
        "series": {
            "grouped_queries": grouped,
            "guessed_queries": guessed,
            "guessed_low": 1,
            "guessed_high": SeriesAssumption::GUESSED_MAX,
        },
        "is_guess": guessed > 0,
        "seconds": ReckonedTime::new(planned, &estimate, pace).seconds(),
        "limit": { "calls": pace.limit.calls, "period_seconds": pace.limit.period_s },
        "reserve_percent": pace.reserve.in_percent(),
        "known_script_calls": script_calls(plan.queries.len(), plan.range),
    });
    Lines::json(&format!("{object:#}"))
}
