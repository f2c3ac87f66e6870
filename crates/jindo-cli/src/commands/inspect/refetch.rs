//! `verify --refetch`: a random sample of what is held is asked again and compared point by point. With `--repair` what differs is
//! marked, so that the next export asks it again; else nothing is written but the run's log.

use crate::args::VerifyArgs;
use crate::auth::{self, KeyFacts};
use crate::commands::fetch::plan::limits;
use crate::defaults;
use crate::directory::open;
use crate::environment::{Access, Environment};
use crate::exit_code::Refetched;
use crate::keys;
use crate::render::errors::{Failed, Usage, broken_off};
use crate::render::progress::ProgressReport;
use crate::render::units::{count, counted, seconds};
use crate::terminal;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{self, Archive, Origin};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, End, FetchOutcome, Keeping, RunLog, Settings, drive};
use jindo::job::{Audit, AuditReport, Difference, Kind, SampleSize};
use jindo::request::Client;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Differences that are listed as lines: a screenful. JSON has more.
const LINES_MAX: usize = 20;

/// A seed that is short enough to be typed.
const SEED_BELOW: u64 = 1_000_000_000;

/// What the command line asks for, with all that its calls need.
pub(crate) struct Again<'a> {
    command: &'a VerifyArgs,
    portion: SampleSize,
    access: Access,
}

/// What came of it; of a failure too, how far it came.
pub(crate) struct Told {
    pub(crate) report: Report,
    pub(crate) failure: Option<anyhow::Error>,
}

/// What asking again has to say. Windows are calls' worth.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    seed: u64,
    /// Of which the sample was drawn.
    windows: usize,
    /// Not among them: older than what Datadog keeps.
    windows_too_old: usize,
    sampled: usize,
    compared: usize,
    /// By an export that ran meanwhile; left out.
    replaced: usize,
    /// Of the sample, not compared to the end: the server refused, or failed.
    not_compared: usize,
    calls: u64,
    points: u64,
    late: u64,
    changed: u64,
    gone: u64,
    /// So long after its time the latest of the late points was still not there.
    late_by_seconds_max: Option<i64>,
    /// Stretches that asking again would mend.
    markable: usize,
    /// Of these, what `--repair` marked: the next export asks them again.
    marked: u64,
    /// Differing stretches that asking again would cost points that only the archive has.
    kept: usize,
    interrupted: bool,
    refused: Vec<Refused>,
    queries: Vec<OfQuery>,
    differences: Vec<Line>,
    /// How to ask the same again and mark what differs.
    #[serde(skip)]
    remedy: String,
}

#[derive(Debug, Serialize)]
struct Refused {
    query: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct OfQuery {
    query: String,
    late: u64,
    changed: u64,
    gone: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    query: String,
    tags: Vec<String>,
    at: Timestamp,
    held: Option<f64>,
    served: Option<f64>,
    fetched_at: Timestamp,
    /// A probe had found nothing there, so that it was not fetched.
    probed: bool,
}

impl<'a> Again<'a> {
    /// `None` without `--refetch`.
    pub(crate) fn of(command: &'a VerifyArgs) -> anyhow::Result<Option<Self>> {
        let Some(portion) = command.refetch.sample else { return Ok(None) };
        let place = &command.refetch.connection;
        let given = keys::given(place, Environment::read())?;
        let access = given.access(place, command.refetch.give_up_after())?;
        Ok(Some(Self { command, portion, access }))
    }

    /// Draws the sample, asks it, compares. The archive is locked only where `--repair` is to mark something.
    pub(crate) fn ask(&self, clock: &dyn Clock, interrupted: &AtomicBool) -> anyhow::Result<Told> {
        let VerifyArgs { dir, repair, refetch: again, .. } = self.command;
        let archive = if *repair { open(dir, clock)? } else { Archive::read(dir)? };
        let seed = again.seed.unwrap_or_else(|| entropy() % SEED_BELOW);
        let drawn = Audit::draw(&archive, self.portion, seed, clock.now())?;
        let Some(recheck) = drawn else {
            return Ok(Told { report: self.report(seed, None, 0), failure: None });
        };
        let asked = self.make(&archive, &recheck, clock, interrupted);
        let rechecked = recheck.ended();
        let calls = asked.as_ref().map_or(0, |outcome| outcome.calls);
        let mut report = self.report(seed, Some(&rechecked), calls);
        if *repair && !rechecked.to_ask.is_empty() {
            match archive.reopen(&rechecked.to_ask) {
                Ok(marked) => report.marked = marked,
                // What was found is told all the same: the calls for it are paid.
                Err(error) => return Ok(Told { report, failure: Some(error.into()) }),
            }
        }
        let failure = match asked {
            Ok(FetchOutcome { end: End::Interrupted, .. }) => {
                report.interrupted = true;
                None
            }
            Ok(FetchOutcome { end, .. }) => stopped(end),
            Err(error) => Some(error),
        };
        Ok(Told { report, failure })
    }

    /// Makes sure that the keys are those of the archive's organisation, and makes the calls.
    fn make(
        &self,
        archive: &Archive,
        recheck: &Audit<'_>,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<FetchOutcome> {
        let client = Client::new(&self.access.endpoint, &self.access.keys)
            .map_err(|error| Usage::new(error.to_string()))?;
        let known = self.recognise(&client, archive)?;
        let again = &self.command.refetch;
        let settings = Settings {
            concurrency: usize::from(again.concurrency()),
            reserve: again.reserve(),
            pace: again.limit,
            calls_max: None,
            give_up_after: again.give_up_after(),
            limits: limits(archive)?,
            seed: entropy(),
        };
        let started = clock.now();
        let calls = counted(recheck.plan().calls() as u64, "window is", "windows are");
        terminal::remark(&format!("{calls} asked again, a call each\n"));
        let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
        let mut report =
            ProgressReport::new(defaults::PROGRESS, again.concurrency(), started, zone);
        let doors = Doors {
            archive,
            client: &client,
            clock,
            log: log(RunLog::create(&self.command.dir, started, 0))?,
            report: &mut report,
            keeping: Keeping::Compare(recheck),
            interrupted,
            extract: &|_| Ok(()),
        };
        let outcome = drive(doors, recheck.mission(), settings).context("while asking again")?;
        report.done(&outcome, clock.now());
        match &outcome.end {
            End::Forbidden { words, after_success: false } => {
                Err(auth::which_key(&client, &self.access, known, words))
            }
            End::Astray { words } => Err(auth::no_api(&self.access, words)),
            End::Forbidden { after_success: true, .. }
            | End::Done
            | End::OutOfCalls
            | End::Interrupted
            | End::Failed { .. }
            | End::Broke { .. } => Ok(outcome),
        }
    }

    /// Other keys than those of the archive's organisation are refused before any query.
    fn recognise(&self, client: &Client, archive: &Archive) -> anyhow::Result<KeyFacts> {
        let (organisation, known) = auth::organisation(client, &self.access, archive)?;
        match archive.recognise(&organisation) {
            Err(archive::Error::OtherOrganisation { kept, given }) => Err(Usage::new(format!(
                "this directory belongs to {kept}, the keys to {given}; nothing was asked"
            ))
            .hint("give the keys of the organisation whose data it holds")
            .into()),
            other => Ok(other.map(|()| known)?),
        }
    }

    fn report(&self, seed: u64, rechecked: Option<&AuditReport>, calls: u64) -> Report {
        let of = |number: fn(&AuditReport) -> usize| rechecked.map_or(0, number);
        let counts = rechecked.map(|rechecked| rechecked.counts).unwrap_or_default();
        let late_by = rechecked.and_then(|rechecked| rechecked.late_by_max);
        Report {
            seed,
            windows: of(|rechecked| rechecked.windows),
            windows_too_old: of(|rechecked| rechecked.too_old),
            sampled: of(|rechecked| rechecked.sampled),
            compared: of(|rechecked| rechecked.compared),
            replaced: of(|rechecked| rechecked.replaced),
            not_compared: of(|rechecked| rechecked.unfinished),
            calls,
            points: rechecked.map_or(0, |rechecked| rechecked.points),
            late: counts.late,
            changed: counts.changed,
            gone: counts.gone,
            late_by_seconds_max: late_by.map(|by| by.as_secs()),
            markable: of(|rechecked| rechecked.to_ask.len()),
            marked: 0,
            kept: of(|rechecked| rechecked.to_keep),
            interrupted: false,
            refused: rechecked.map_or_else(Vec::new, refused),
            queries: rechecked.map_or_else(Vec::new, queries),
            differences: rechecked
                .map_or_else(Vec::new, |all| all.differences.iter().map(line).collect()),
            remedy: remedy(&self.command.dir, self.portion, seed),
        }
    }
}

/// Every call leaves its line, where that can be written: a copy on a medium for reading can be compared all the same.
fn log(created: std::io::Result<RunLog>) -> anyhow::Result<RunLog> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match created {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            Ok(RunLog::nowhere())
        }
        other => other.context("while creating the run's log"),
    }
}

fn remedy(dir: &Path, portion: SampleSize, seed: u64) -> String {
    let portion = match portion {
        SampleSize::Percent(percent) => format!("{percent}%"),
        SampleSize::Calls(calls) => calls.to_string(),
    };
    format!("jindo verify {} --refetch {portion} --seed {seed} --repair", dir.display())
}

/// Why the calls ended before the last one.
fn stopped(end: End) -> Option<anyhow::Error> {
    let (text, hint) = match end {
        End::Broke { cause } => return Some(broken_off(&cause).into()),
        End::Failed { why } => (why, "try again later; the same --seed asks the same"),
        End::Forbidden { words, .. } => (
            format!("the keys worked and are now refused: {words}"),
            "with valid keys the same --seed asks the same",
        ),
        End::Done | End::OutOfCalls | End::Interrupted | End::Astray { .. } => return None,
    };
    Some(Failed::new(text, hint).into())
}

fn refused(rechecked: &AuditReport) -> Vec<Refused> {
    let one = |refused: &jindo::job::Refused| Refused {
        query: refused.query.clone(),
        start: refused.window.map(jindo::plan::Window::start),
        end: refused.window.map(jindo::plan::Window::end),
        reason: refused.reason.clone(),
    };
    rechecked.refused.iter().map(one).collect()
}

fn queries(rechecked: &AuditReport) -> Vec<OfQuery> {
    let one = |(query, counts): &(String, jindo::job::Counts)| OfQuery {
        query: query.clone(),
        late: counts.late,
        changed: counts.changed,
        gone: counts.gone,
    };
    rechecked.queries.iter().map(one).collect()
}

fn line(difference: &Difference) -> Line {
    Line {
        kind: match difference.point.kind {
            Kind::Late => "late",
            Kind::Changed => "changed",
            Kind::Gone => "gone",
        },
        query: difference.query.clone(),
        tags: difference.tags.clone(),
        at: difference.at(),
        held: difference.point.held,
        served: difference.point.served,
        fetched_at: difference.fetched_at,
        probed: difference.origin == Origin::Probed,
    }
}

impl Line {
    /// `late: avg:m{*} by {host} host:x 2026-06-01T00:02:00Z: 3.0 is served, nothing was there 2 h 3 min after`
    fn words(&self) -> String {
        let value = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{v:?}"));
        let tags =
            if self.tags.is_empty() { String::new() } else { format!(" {}", self.tags.join(",")) };
        let late = if self.probed {
            ", where a probe had found nothing".to_owned()
        } else if self.kind == "late" {
            let after = self.fetched_at.duration_since(self.at);
            format!(", and was not there {} after its time", span(after.as_secs()))
        } else {
            String::new()
        };
        let (held, served) = (value(self.held), value(self.served));
        format!(
            "{}: {}{tags} {}: {held} is held, {served} is served{late}",
            self.kind, self.query, self.at
        )
    }
}

impl Report {
    /// What decides the exit code.
    pub(crate) fn result(&self) -> Refetched {
        let is_marked = self.marked > 0;
        if self.interrupted {
            Refetched::Interrupted
        } else if self.not_compared > 0 || self.gone > 0 || (self.changed > 0 && !is_marked) {
            Refetched::Wrong
        } else if self.differing() > 0 || self.sampled == 0 {
            Refetched::Unfinished
        } else {
            Refetched::Same
        }
    }

    /// As it is read on a terminal.
    pub(crate) fn words(&self) -> String {
        if self.sampled == 0 {
            let why = if self.windows_too_old > 0 {
                "what is held is older than the 15 months that Datadog keeps"
            } else {
                "what is held was fetched too soon after its time to be final; the next export asks it again"
            };
            return format!("nothing was compared: {why}\n");
        }
        let mut lines: Vec<String> =
            self.differences.iter().take(LINES_MAX).map(Line::words).collect();
        let unlisted = self.differing().saturating_sub(LINES_MAX as u64);
        if unlisted > 0 {
            let more = counted(unlisted, "more point differs", "more points differ");
            lines.push(format!("{more}; --json lists the first 1,000"));
        }
        lines.push(self.verdict());
        lines.extend(self.left_out());
        lines.extend(self.meaning());
        lines.extend(self.what_to_do());
        lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    fn differing(&self) -> u64 {
        self.late + self.changed + self.gone
    }

    fn verdict(&self) -> String {
        let verdict = match (self.differing(), self.compared) {
            (0, 0) => "nothing was compared to the end".to_owned(),
            (0, _) => "all the same".to_owned(),
            (differing, _) => counted(differing, "differs", "differ"),
        };
        format!(
            "{} of {} asked again in {} (--seed {} draws the same): {}, {verdict}",
            count(self.compared as u64),
            windows(self.windows),
            counted(self.calls, "call", "calls"),
            self.seed,
            counted(self.points, "point", "points"),
        )
    }

    /// What was not compared, and why.
    fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.windows_too_old > 0 {
            lines.push(format!(
                "{} begin before the 15 months that Datadog keeps: only the archive has them",
                windows(self.windows_too_old)
            ));
        }
        if self.replaced > 0 {
            let replaced = windows(self.replaced);
            lines.push(format!("{replaced} left out: an export replaced meanwhile what was held"));
        }
        if self.not_compared > 0 {
            let (left, all) = (count(self.not_compared as u64), windows(self.sampled));
            lines.push(format!("{left} of the {all} drawn could not be compared to the end"));
        }
        lines.extend(self.refused.iter().take(LINES_MAX).map(|refused| {
            let Refused { query, start, end, reason } = refused;
            let window = start.zip(*end).map(|(start, end)| format!(" {start} … {end}"));
            format!("refused: {query}{}: {reason}", window.unwrap_or_default())
        }));
        lines
    }

    fn meaning(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(by) = self.late_by_seconds_max.filter(|_| self.late > 0) {
            let (late, by) = (count(self.late), span(by));
            lines.push(format!(
                "late     {late}: reported after they were asked for, the latest more than {by} after its time"
            ));
        }
        if self.changed > 0 {
            let changed = count(self.changed);
            lines.push(format!("changed  {changed}: the server has another value now"));
        }
        if self.gone > 0 {
            let gone = count(self.gone);
            lines.push(format!(
                "gone     {gone}: only the archive still has them; asking again would lose them"
            ));
        }
        lines
    }

    fn what_to_do(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.marked > 0 {
            let marked = counted(self.marked, "stretch is", "stretches are");
            lines.push(format!("{marked} marked; the next export asks them again, whole"));
        } else if self.markable > 0 {
            let remedy = &self.remedy;
            lines.push(format!("{remedy} marks what differs; the next export asks it again"));
        }
        if self.kept > 0 {
            let kept = counted(self.kept as u64, "stretch", "stretches");
            lines.push(format!(
                "{kept} with points that the server no longer has: never marked, left as held"
            ));
        }
        lines
    }
}

fn windows(number: usize) -> String {
    counted(number as u64, "window", "windows")
}

fn span(secs: i64) -> String {
    seconds(u64::try_from(secs).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_medium_for_reading_goes_without_a_log_and_a_full_one_does_not() {
        let made = |kind: ErrorKind| log(Err(kind.into())).is_ok();
        assert!(made(ErrorKind::PermissionDenied) && made(ErrorKind::ReadOnlyFilesystem));
        assert!(!made(ErrorKind::StorageFull) && !made(ErrorKind::NotADirectory));
    }
}
