//! `jindo status`: prints the contents of a directory from its ledger alone. Works while an export runs.

use crate::args;
use crate::directory::check_default;
use crate::exit_code;
use crate::render::plan::ReckonedLimit;
use crate::render::resolution::{self, counted_resolutions, resolutions};
use crate::render::units::{count, counted, seconds, size};
use crate::render::{limits, shell, summary};
use crate::terminal::{self, Lines};
use crate::time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{
    self, Archive, Learnt, ProbesDiscarded, QueryStatus, Registered, Totals, Weight,
};
use jindo::clock::Clock;
use jindo::job::{
    AuditRecord, CallProgress, DifferenceCounts, DirectoryStatus, KnownPace, ListedQuery,
    StatedLimit,
};
use jindo::plan::{LearntLimit, Window};
use jindo::query::Interval;
use std::collections::BTreeMap;
use std::path::Path;

/// Prints the standing of a directory's queries, its size, and what earlier runs learnt.
pub(crate) fn run(command: &args::StatusArgs, clock: &dyn Clock) -> anyhow::Result<u8> {
    check_default(command.dir.as_deref(), "status")?;
    let dir = command.dir();
    let archive = Archive::read(dir)?;
    let status = DirectoryStatus::read(&archive)?;
    let position = Position {
        dir,
        writer: Archive::writer(dir)?,
        calls: status.calls(&archive, clock.now())?,
        limit: KnownPace::read(&archive)?.limit,
    };
    let text = if command.json {
        json(&archive, &status, &position)?
    } else {
        words(&archive, &status, &position)?
    };
    terminal::answer(text)?;
    Ok(exit_code::COMPLETE)
}

/// Progress of a directory's last request, and who is at it.
struct Position<'a> {
    dir: &'a Path,
    /// The error that a second writer would get now.
    writer: Option<archive::Error>,
    calls: Option<CallProgress>,
    /// The rate limit that was stated last.
    limit: Option<StatedLimit>,
}

impl Position<'_> {
    /// Returns how long the calls that are left take at the limit that was stated last.
    fn seconds_left(&self) -> Option<u64> {
        let (calls, limit) = (self.calls?, self.limit?);
        Some(ReckonedLimit::usual(limit.pace()).seconds_of(calls.left))
    }

    /// Returns `96 of 136 done (70 %), 40 left: 45 s at 3,240 of 3,600 calls an hour, as stated on 2026-11-28`.
    fn calls_in_words(&self, CallProgress { planned, left }: CallProgress) -> String {
        let done = planned.saturating_sub(left);
        // A plan of no call is done.
        let percent = (done * 100).checked_div(planned).unwrap_or(100);
        let head = format!("{} of {} done ({percent} %)", count(done), count(planned));
        if left == 0 {
            return head;
        }
        let left = count(left);
        match (self.seconds_left(), self.limit) {
            (Some(secs), Some(limit)) => {
                let pace = ReckonedLimit::usual(limit.pace()).in_words();
                let on = limit.at.strftime("%Y-%m-%d");
                format!("{head}, {left} left: {} at {pace}, as stated on {on}", seconds(secs))
            }
            _ => format!("{head}, {left} left; no rate limit was stated yet"),
        }
    }

    /// Returns the command to type next, and what it does.
    fn next(&self, status: &DirectoryStatus) -> String {
        let (dir, counts) = (shell::path(self.dir), status.counts());
        if self.writer.is_some() {
            return format!("jindo status {dir} again shows how far it is");
        }
        if !status.is_request_known {
            return format!("jindo export LIST --from T --out {dir} names list and range again");
        }
        if counts.partial > 0 {
            return format!("jindo export --out {dir} fetches what is missing");
        }
        if counts.given_up > 0 {
            return format!(
                "jindo export --out {dir} tries again what was given up; queries.csv says why it was"
            );
        }
        format!(
            "jindo verify {dir} checks every file; jindo export --out {dir} --to now adds newer points"
        )
    }
}

fn intervals(status: &DirectoryStatus) -> impl Iterator<Item = Interval> {
    status.listed.iter().map(|listed| listed.query.text.interval)
}

fn json(
    archive: &Archive,
    status: &DirectoryStatus,
    position: &Position<'_>,
) -> anyhow::Result<Lines> {
    let request = archive.ledger().request()?;
    let object = serde_json::json!({
        "asked": request.as_ref().map(|request| serde_json::json!({
            "from": request.asked.window.start(),
            "to": request.asked.window.end(),
            "timezone": request.timezone,
        })),
        "request_known": status.is_request_known,
        "queries": status.counts(),
        "empty": empty(status).map(|listed| &listed.query.text.written).collect::<Vec<_>>(),
        "calls": position.calls,
        "limit": position.limit,
        "seconds_left": position.seconds_left(),
        "writer": position.writer.as_ref().map(ToString::to_string),
        "resolutions": resolutions(intervals(status)),
        "spacings": archive.ledger().spaced()?.iter().map(resolution::json).collect::<Vec<_>>(),
        "totals": archive.ledger().totals()?,
        "learnt": learnt_json(archive)?.values().collect::<Vec<_>>(),
        "heavy": status.heavy.iter().map(|query| serde_json::json!({
            "query": query.text.written,
            "bytes_per_bucket": query.weight.map(|weight| weight.bytes_per_bucket),
            "weighed_at": query.weight.map(|weight| weight.weighed_at),
        })).collect::<Vec<_>>(),
        "closed_until": status.closed_until,
        "audit": status.audit,
    });
    Ok(Lines::json(&format!("{object:#}")))
}

/// Returns the learnt limits by name. The entry `probe` with the figure 0 says that probe results are discarded.
fn learnt_json(archive: &Archive) -> anyhow::Result<BTreeMap<&'static str, serde_json::Value>> {
    let limits = archive.ledger().learnt()?.into_iter().map(|learnt| {
        let (name, figure) = limits::named(learnt.limit);
        let entry = serde_json::json!({
            "name": name,
            "value": figure,
            "learnt_at": learnt.learnt_at,
            "why": learnt.why,
            "refusals": learnt.refusals,
            "largest_answer": Some(learnt.largest).filter(|&largest| largest > 0),
            "taught_by": Some(&learnt.taught_by).filter(|query| !query.is_empty()),
            "teachers": Some(learnt.teachers).filter(|&teachers| teachers > 0),
            "seen_at": learnt.seen_at,
            "expires_at": learnt.expires_at(),
        });
        (name, entry)
    });
    let probe = archive.ledger().probes_discarded()?.map(|ProbesDiscarded { at, why }| {
        let entry = serde_json::json!({ "name": "probe", "value": 0, "learnt_at": at, "why": why });
        ("probe", entry)
    });
    Ok(limits.chain(probe).collect())
}

/// Returns the moment until which late points are not expected any more.
fn closed_in_words(until: Timestamp, asked: Window, zone: &TimeZone) -> String {
    if until >= asked.end() {
        return "all of it was asked 48 h or more after its time: no late points are expected"
            .into();
    }
    let part = if until <= asked.start() {
        "nothing yet".to_owned()
    } else {
        format!("until {}", time::in_words(until, zone))
    };
    format!("{part}: what is later may still change, or is not fetched yet")
}

/// Returns the listed queries for which the server has nothing.
fn empty(status: &DirectoryStatus) -> impl Iterator<Item = &ListedQuery> {
    status.listed.iter().filter(|listed| listed.standing.status == QueryStatus::Empty)
}

/// Returns the numbers of queries by their standing.
fn queries_in_words(status: &DirectoryStatus, totals: Totals) -> String {
    if !status.is_request_known {
        let queries = counted(totals.queries, "query is", "queries are");
        return format!("{queries} held; which were asked, and for which range, is not known");
    }
    let counts = status.counts();
    let left_out = match counts.refused {
        0 => String::new(),
        lines => format!("; {} left out", counted(lines, "line", "lines")),
    };
    let listed = count(totals.listed);
    let (complete, empty) = (count(counts.complete), count(counts.empty));
    let (partial, given_up) = (count(counts.partial), count(counts.given_up));
    format!(
        "{listed} listed: {complete} complete, {empty} empty, {partial} with gaps, {given_up} given up{left_out}"
    )
}

fn audit_in_words(audit: AuditRecord) -> String {
    let AuditRecord { at, windows, compared, points, counts, .. } = audit;
    let DifferenceCounts { late, changed, gone } = counts;
    let (compared, windows) =
        (count(compared as u64), counted(windows as u64, "window", "windows"));
    let (on, points) = (at.strftime("%Y-%m-%d"), counted(points, "point", "points"));
    format!(
        "{compared} of {windows} compared with the server on {on}: {points}, {late} late, {changed} changed, {gone} gone"
    )
}

fn words(
    archive: &Archive,
    status: &DirectoryStatus,
    position: &Position<'_>,
) -> anyhow::Result<Lines> {
    let totals = archive.ledger().totals()?;
    let mut lines = Lines::default();
    let mut line = |name: &str, words: String| lines.push(format!("{name:<11}{words}"));
    if let Some(request) = archive.ledger().request()? {
        let zone = time::zone(&request.timezone).unwrap_or(TimeZone::UTC);
        let (start, end) = (request.asked.window.start(), request.asked.window.end());
        let (start, end) = (time::in_words(start, &zone), time::in_words(end, &zone));
        line("range", format!("{start} … {end} (excluded), {}", request.timezone));
        if let Some(until) = status.closed_until {
            line("closed", closed_in_words(until, request.asked.window, &zone));
        }
    } else {
        line("range", "not known: the last request is lost, or none was registered yet".into());
    }
    line("queries", queries_in_words(status, totals));
    for (number, words) in summary::empty_in_words(status).into_iter().enumerate() {
        line(if number == 0 { "empty" } else { "" }, words);
    }
    if let Some(calls) = position.calls {
        line("calls", position.calls_in_words(calls));
    }
    let resolutions = resolutions(intervals(status));
    if resolutions.len() > 1 {
        line("resolution", counted_resolutions(&resolutions));
    }
    let objects = counted(totals.objects, "file", "files");
    line("archive", format!("{objects}, {}, {} rows", size(totals.bytes), count(totals.rows)));
    if totals.open > 0 {
        let stretches = counted(totals.open, "part is", "parts are");
        line("", format!("{stretches} marked: the next export fetches them again"));
    }
    if totals.probed_s > 0 {
        let percent = totals.probed_s * 100 / totals.covered_s.max(1);
        line(
            "",
            format!(
                "{percent} % of the time was found empty by jindo export --probe, and not fetched; jindo export --recheck-probed fetches it"
            ),
        );
    }
    let files = counted(totals.files, "file", "files");
    let (bytes, points) = (size(totals.file_bytes), count(totals.file_points));
    line(
        "csv",
        format!(
            "{files}, {bytes}, {points} points, as written (jindo verify checks that they are there)"
        ),
    );
    if let Some(audit) = status.audit {
        line("audit", audit_in_words(audit));
    }
    for learnt in learnt(archive, &status.heavy)? {
        line("learnt", format!("{learnt}; jindo export --forget drops it"));
    }
    if let Some(writer) = &position.writer {
        line("now", writer.to_string());
    }
    line("next", position.next(status));
    Ok(lines)
}

/// Returns a text for each learnt limit, and one for queries with large answers.
fn learnt(archive: &Archive, heavy: &[Registered]) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for learnt in archive.ledger().learnt()? {
        let why = &learnt.why;
        let rule = if let Some((unit, most)) = limits::at_most(learnt.limit) {
            let on = learnt.learnt_at.strftime("%Y-%m-%d");
            format!("{unit}: at most {} ({why}, on {on})", count(most))
        } else if let LearntLimit::Withheld(buckets) = learnt.limit {
            let buckets = counted(buckets.into(), "bucket", "buckets");
            format!("the newest {buckets} of a window are asked for with a later one ({why})")
        } else {
            let until = Timestamp::from_second(limits::named(learnt.limit).1)?;
            format!("windows that end by {until} are not fetched: {why}")
        };
        texts.push(format!("{rule}; {}", evidence(&learnt)));
    }
    if let Some(ProbesDiscarded { why, at }) = archive.ledger().probes_discarded()? {
        let on = at.strftime("%Y-%m-%d");
        texts.push(format!("probe results are discarded here ({why}, on {on})"));
    }
    if let Some(query) = heavy.first()
        && let Some(Weight { bytes_per_bucket, weighed_at }) = query.weight
    {
        let queries = counted(heavy.len() as u64, "query", "queries");
        let (heaviest, bytes) = (&query.text.written, size(bytes_per_bucket));
        let on = weighed_at.strftime("%Y-%m-%d");
        texts.push(format!(
            "{queries} in smaller calls, because their answers are large: the heaviest, {heaviest}, brings {bytes} a point in time \
             (on {on})"
        ));
    }
    Ok(texts)
}

/// Returns the evidence of a limit, and the day from which it counts no more.
fn evidence(learnt: &Learnt) -> String {
    let refusals = counted(learnt.refusals.into(), "refusal", "refusals");
    let mut parts = vec![match (&*learnt.taught_by, learnt.teachers) {
        _ if learnt.refusals == 0 => "no refusal".to_owned(),
        ("", _) => refusals,
        (query, 0 | 1) => format!("{refusals} of {query}"),
        (query, teachers) => {
            let others = counted((teachers - 1).into(), "other query", "other queries");
            format!("{refusals} of {query} and {others}")
        }
    }];
    if learnt.largest > 0 {
        parts.push(format!("the largest answer had {}", count(learnt.largest)));
    }
    let until = learnt.expires_at().strftime("%Y-%m-%d");
    parts.push(format!("counts until {until} unless it is seen again"));
    parts.join(", ")
}
