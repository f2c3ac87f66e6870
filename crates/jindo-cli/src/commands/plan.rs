//! The plan in words: before an export, and as `jindo plan`.

use crate::args;
use crate::directory::{existing, last_words};
use crate::disk_space;
use crate::render::resolution::{self, resolutions};
use crate::render::words::{count, counted, seconds, size};
use crate::request::{Asked, Words, understand};
use crate::terminal;
use crate::time::{self, length_in_words};
use jiff::{SignedDuration, Timestamp};
use jindo::archive::{Archive, Coverage, Registered};
use jindo::clock::Clock;
use jindo::job::{as_registered, closed, learnt_limits};
use jindo::plan::{Limits, Pace, Plan, ProbeGrid, RETENTION, Range, Window};
use jindo::query::{Interval, Query, SentText};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

/// The resolutions that `jindo plan` shows side by side, in seconds.
const COMPARED_S: [u32; 3] = [10, 60, 300];

const DAY_S: u64 = 86_400;

/// From so many seconds on a plan suggests to probe first.
const PROBE_SUGGESTED_S: u64 = 2 * 3_600;

/// The time of day at which a job will be done is told from here on: what is shorter is watched to its end.
const DONE_TOLD_S: u64 = 120;

/// The known script asks each query four hours at a time.
const SCRIPT_WINDOW_S: i64 = 4 * 3_600;

/// `jindo plan`: reads the list, and the archive when one is named; touches nothing.
pub(crate) fn run(command: &args::Plan, clock: &dyn Clock) -> anyhow::Result<u8> {
    let now = clock.now();
    let archive = named(command)?;
    let words = Words::new(&command.wanted, last_words(&command.wanted, archive.as_ref())?)?;
    let spaced = archive.as_ref().map(Archive::spaced).transpose()?.unwrap_or_default();
    let asked = understand(words, spaced, command.settle, now)?;
    let limits = archive.as_ref().map(self::limits).transpose()?.unwrap_or(Limits::ASSUMED);
    let plan = plan(&asked, archive.as_ref(), closed, limits, now)?;
    let text = if command.json {
        json(&asked, &plan, command.limit)?
    } else {
        in_words(&asked, &plan, command, now)?
    };
    terminal::answer(&text)?;
    Ok(0)
}

/// The directory that the plan is about: the one that is named, or, without a list, where exports go.
fn named(command: &args::Plan) -> anyhow::Result<Option<Archive>> {
    let default = Path::new(args::OUT_DEFAULT);
    match (&command.out, &command.wanted.queries) {
        (Some(dir), None) => Ok(Some(Archive::read(dir)?)),
        (Some(dir), Some(_)) => existing(dir),
        (None, None) => existing(default),
        (None, Some(_)) => Ok(None),
    }
}

/// As the archive's runs learnt them.
pub(crate) fn limits(archive: &Archive) -> Result<Limits, jindo::archive::Error> {
    learnt_limits(archive, Limits::ASSUMED)
}

/// Wanted minus what the archive covers for good: what is `held` of a query's coverage.
pub(crate) fn plan(
    asked: &Asked,
    archive: Option<&Archive>,
    held: fn(&[Coverage]) -> Vec<Window>,
    limits: Limits,
    now: Timestamp,
) -> anyhow::Result<Plan> {
    let mut queries = asked.list.queries.clone();
    let mut covered = vec![Vec::new(); queries.len()];
    if let Some(archive) = archive {
        let known = archive.queries()?;
        let asked_as = |known: &Registered| {
            known.instead_of.as_deref().map_or_else(|| known.text.sent.clone(), SentText::from)
        };
        let index: HashMap<_, _> =
            known.iter().map(|known| ((asked_as(known), known.text.interval), known)).collect();
        let coverage = archive.coverage_all()?;
        for (query, covered) in queries.iter_mut().zip(&mut covered) {
            let Some(known) = index.get(&(query.text.sent.clone(), query.text.interval)) else {
                continue;
            };
            *query = as_registered(known);
            *covered = held(coverage.get(&known.id).map_or(&[], Vec::as_slice));
        }
    }
    Ok(Plan::new(asked.wanted(), queries, &covered, limits, now))
}

/// Calls that the known script makes for the same job.
pub(crate) fn script_calls(queries: usize, range: Window) -> u64 {
    let windows = range.secs().cast_unsigned().div_ceil(SCRIPT_WINDOW_S.cast_unsigned());
    windows * queries as u64
}

/// The three lines before the first call.
pub(crate) fn brief(asked: &Asked, plan: &Plan, pace: Option<Pace>, now: Timestamp) -> String {
    let mut text = range_in_words(asked, now);
    text.push_str(&resolution::in_words(asked));
    let estimate = plan.estimate();
    let script = script_calls(plan.queries.len(), plan.range);
    let time = pace.filter(|_| plan.calls() > 0).map_or_else(String::new, |pace| {
        let secs = plan.seconds(pace);
        format!(", {} at {}{}", seconds(secs), in_pace(pace), done_by(asked, now, secs))
    });
    writeln!(text, "{}{time} (the known script: {})", job(plan), count(script))
        .expect("a String takes everything");
    if plan.calls() > 0 {
        writeln!(
            text,
            "{} to {} points, {} to {} on disk",
            count(*estimate.points.start()),
            count(*estimate.points.end()),
            size(*estimate.bytes.start()),
            size(*estimate.bytes.end()),
        )
        .expect("a String takes everything");
    }
    text
}

/// ` (until 14:05 KST)`, where it takes long enough to be worth telling.
fn done_by(asked: &Asked, now: Timestamp, secs: u64) -> String {
    if secs < DONE_TOLD_S {
        return String::new();
    }
    format!(" (until {})", time::time_of_day(now, secs, &asked.zone_of_clocks()))
}

/// `579 queries in 17 batches × 8 windows: 136 calls` where that is what is asked; where not every batch is asked for every
/// window (several intervals, or parts that are held), only how many calls it takes, and for how many of the queries.
fn job(plan: &Plan) -> String {
    let (batches, windows, calls) = (plan.batches(), plan.windows(), plan.calls());
    let wanting: HashSet<usize> =
        plan.tasks.iter().flat_map(|task| task.queries.iter().copied()).collect();
    let all = counted(plan.queries.len() as u64, "query", "queries");
    let asked = match wanting.len() {
        0 if plan.asked.iter().all(Option::is_none) => {
            return format!("{all}, of which no interval lies in the range and is over: 0 calls");
        }
        0 => return format!("{all}, all held already: 0 calls"),
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

/// `12 Dec 2021 00:00 KST … 18 Mar 2022 00:00 KST (excluded), 96 days`, and what was changed about it.
fn range_in_words(asked: &Asked, now: Timestamp) -> String {
    let (zone, range) = (&asked.zone, asked.range);
    let mut text = format!(
        "{} … {} (excluded), {}\n",
        time::in_words(range.start(), zone),
        time::in_words(range.end(), zone),
        length_in_words(SignedDuration::from_secs(range.secs())),
    );
    if let Some(wanted) = asked.clipped_from {
        let (wanted, end) = (time::in_words(wanted, zone), time::in_words(range.end(), zone));
        writeln!(text, "  ends at {end} instead of {wanted}: what is younger may still be incomplete (--settle)")
            .expect("a String takes everything");
    }
    if let Some(beyond) = Window::new(range.start(), range.end().min(kept_since(now))) {
        let days = beyond.secs().cast_unsigned().div_ceil(DAY_S);
        let days = counted(days, "day lies", "days lie");
        writeln!(
            text,
            "  the first {days} beyond the 15 months that Datadog keeps: expect nothing from there"
        )
        .expect("a String takes everything");
    }
    let unaligned = |query: &Query| range.aligned(query.text.interval) != Some(range);
    if let Some(query) = asked.list.queries.iter().find(|query| unaligned(query)) {
        let interval = query.text.interval;
        writeln!(
            text,
            "  not a multiple of {interval}: the buckets that begin within the range are exported"
        )
        .expect("a String takes everything");
    }
    let wanted = asked.wanted();
    let is_cut =
        |query: &&Query| wanted.of(query.text.interval) != range.aligned(query.text.interval);
    let cut = asked.list.queries.iter().filter(is_cut).map(|query| query.text.interval).max();
    if let Some(interval) = cut {
        writeln!(text, "  the last {interval} are not over: left out until they are")
            .expect("a String takes everything");
    }
    text
}

/// The oldest moment of which Datadog still has points, in whole seconds.
fn kept_since(now: Timestamp) -> Timestamp {
    Timestamp::from_second((now - RETENTION).as_second()).unwrap_or(now)
}

fn in_pace(pace: Pace) -> String {
    let period = match pace.period_s {
        3_600 => "an hour".to_owned(),
        60 => "a minute".to_owned(),
        86_400 => "a day".to_owned(),
        secs => format!("in {secs} s"),
    };
    format!("{} calls {period}", count(u64::from(pace.calls)))
}

fn in_words(
    asked: &Asked,
    plan: &Plan,
    command: &args::Plan,
    now: Timestamp,
) -> anyhow::Result<String> {
    let pace = command.limit;
    let mut text = brief(asked, plan, Some(pace), now);
    let here = Path::new(".");
    text.push_str(&disk_space::in_words(plan, command.out.as_deref().unwrap_or(here)));
    for note in &asked.list.notes {
        writeln!(text, "  {note}")?;
    }
    for complaint in &asked.list.refused {
        writeln!(text, "  left out: {complaint}")?;
    }
    let probes = ProbeGrid::calls(plan, Limits::ASSUMED, now);
    if plan.seconds(pace) > PROBE_SUGGESTED_S && probes > 0 {
        writeln!(
            text,
            "  jindo export --probe asks first where there is data at all, in about {}, and leaves out the rest",
            counted(probes as u64, "call", "calls")
        )?;
    }
    writeln!(
        text,
        "\nfrom nothing, at {}:\n  resolution        calls        time     known script",
        in_pace(pace)
    )?;
    for resolution_s in COMPARED_S {
        let Some(resolution) = Interval::from_secs(resolution_s) else { continue };
        let other = fresh(&asked.words.at(resolution), asked.wanted(), now)?;
        writeln!(
            text,
            "  {:>10}  {:>11}  {:>10}  {:>15}",
            resolution.to_string(),
            count(other.calls() as u64),
            seconds(other.seconds(pace)),
            count(script_calls(other.queries.len(), other.range)),
        )?;
    }
    Ok(text)
}

/// The plan for the same request when nothing is held yet.
fn fresh(words: &Words, range: Range, now: Timestamp) -> anyhow::Result<Plan> {
    let queries = words.list(&[])?.queries;
    let covered = vec![Vec::new(); queries.len()];
    Ok(Plan::new(range, queries, &covered, Limits::ASSUMED, now))
}

fn json(asked: &Asked, plan: &Plan, pace: Pace) -> anyhow::Result<String> {
    let estimate = plan.estimate();
    let object = serde_json::json!({
        "from": plan.range.start(),
        "to": plan.range.end(),
        "queries": plan.queries.len(),
        "windows": plan.windows(),
        "batches": plan.batches(),
        "calls": plan.calls(),
        "resolutions": resolutions(asked.list.queries.iter().map(|query| query.text.interval)),
        "unsampled": asked.list.unspaced.len(),
        "points": { "low": estimate.points.start(), "high": estimate.points.end() },
        "bytes": { "low": estimate.bytes.start(), "high": estimate.bytes.end() },
        "seconds": plan.seconds(pace),
        "limit": { "calls": pace.calls, "period_seconds": pace.period_s },
        "known_script_calls": script_calls(plan.queries.len(), plan.range),
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&object)?))
}
