//! Events of a running export, and the errors of one that did not start, in words.

use crate::disk_space;
use crate::render::errors::Usage;
use crate::render::plan::{
    Annotated, ReckonedLimit, brief, days_of_utc, leaving_in_words, left_out,
};
use crate::render::progress::{ForecastResult, ProgressReport, Voice};
use crate::render::units::{count, counted};
use crate::request::{RequestNotes, zone_of_clocks};
use crate::terminal::{self, Lines};
use crate::time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::fetch::{Decision, Observer, Progress};
use jindo::job::{
    Error, Events, ExportEvent, ExportPlan, ExportRequest, Probed, RefusedLines, TypeChange,
    TypeOrigin,
};
use jindo::plan::{CALLS_MAX, Plan};
use jindo::query::{Complaint, Reason};
use std::path::Path;

/// Shows the events of one export on stderr.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    request: &'a ExportRequest,
    notes: &'a RequestNotes,
    out: &'a Path,
    voice: Voice<'a>,
    started: Timestamp,
    progress: Option<ProgressReport<'a>>,
    forecast: Option<ForecastResult>,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(
        Annotated { request, notes }: Annotated<'a>,
        out: &'a Path,
        voice: Voice<'a>,
        started: Timestamp,
    ) -> Self {
        voice.interruption.answer_as(voice.style);
        Self { request, notes, out, voice, started, progress: None, forecast: None }
    }

    /// Returns the forecast after the first answer of the last job, beside its result.
    pub(crate) fn forecast(&self) -> Option<ForecastResult> {
        self.forecast
    }

    fn remark(&self, words: impl Into<Lines>) {
        if self.voice.style.is_talkative() {
            terminal::remark(words);
        }
    }

    fn planned(&self, plan: &ExportPlan) {
        for note in &plan.request.list.notes {
            self.remark(note.to_string());
        }
        self.remark(days_of_utc(self.request, &plan.request));
        if self.request.refused_lines == RefusedLines::LeaveOut {
            for complaint in &plan.request.list.refused {
                self.remark(left_out(complaint));
            }
        }
        let annotated = Annotated { request: self.request, notes: self.notes };
        let own = self.request.pacing.limit.map(ReckonedLimit::own);
        self.remark(brief(annotated, plan, own, self.started));
        self.remark(leaving_in_words(plan.leaving, self.out));
        self.remark(Vec::from_iter(disk_space::in_words(plan, self.out)));
    }

    fn probed(&self, probed: Probed) {
        let Probed { calls, found, planned, left } = probed;
        let percent = (found.empty * 100).checked_div(found.windows).unwrap_or(0);
        self.remark(format!(
            "probed in {}: {percent} % of {} hold no data, which leaves {} of {}",
            counted(calls, "call", "calls"),
            counted(found.windows as u64, "window of a query", "windows of queries"),
            count(left as u64),
            counted(planned as u64, "call", "calls"),
        ));
    }
}

impl Observer for Screen<'_> {
    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        if let Some(shown) = &mut self.progress {
            shown.progress(progress, now);
        }
    }

    fn decided(&mut self, decision: &Decision, plan: &Plan) {
        if let Some(shown) = &mut self.progress {
            shown.decided(decision, plan);
        }
    }

    fn remarked(&mut self, remark: &str) {
        if let Some(shown) = &mut self.progress {
            shown.remarked(remark);
        }
    }
}

impl Events for Screen<'_> {
    fn happened(&mut self, event: ExportEvent<'_>) {
        match event {
            ExportEvent::Planned(plan) => self.planned(plan),
            ExportEvent::Typing { metrics } => {
                let metrics = counted(metrics as u64, "metric", "metrics");
                self.remark(format!(
                    "asking for the types of {metrics}: they decide what .as_count() and .as_rate() mean"
                ));
            }
            ExportEvent::Typed { changes } => {
                for change in changes {
                    self.remark(type_change(change));
                }
            }
            ExportEvent::Unsummed { rows } => {
                let rows = counted(rows, "point", "points");
                self.remark(format!(
                    "{rows} of gauges were fetched as sums of their samples by an earlier version: they are dropped, and come anew as far as \
                     they are asked for"
                ));
            }
            ExportEvent::Sampling { queries } => {
                let queries = counted(queries as u64, "query", "queries");
                self.remark(format!("sampling {queries}: at what interval do they have points?"));
            }
            ExportEvent::Calling { at } => {
                let (zone, concurrency) =
                    (zone_of_clocks(self.request), self.request.pacing.concurrency);
                self.progress = Some(ProgressReport::new(self.voice, concurrency, at, zone));
            }
            ExportEvent::Called { outcome, at } => {
                self.forecast = self.progress.take().and_then(|shown| shown.done(outcome, at));
            }
            ExportEvent::Probed(probed) => self.probed(probed),
            ExportEvent::Extracted(_) => {}
        }
    }
}

/// Returns an error of the library in the user's words, with times in `zone`.
pub(crate) fn of_job(error: Error, zone: &TimeZone) -> anyhow::Error {
    match error {
        Error::Archive(error) => error.into(),
        Error::Extract(error) => error.into(),
        Error::RefusedLines(complaints) => refused(&complaints).into(),
        Error::NoQuery { list } => no_query(&list).into(),
        Error::EmptyRange { start, end } => {
            let (from, end) = (time::in_words(start, zone), time::in_words(end, zone));
            Usage::new(format!("the range is empty: it starts at {from} and ends at {end}"))
                .hint("give an earlier --from or a later --to; points younger than --settle are left out")
                .into()
        }
        Error::TooManyCalls { calls } => Usage::new(format!(
            "the range takes {calls} calls or more, and an export makes {CALLS_MAX} at most"
        ))
        .hint("give a later --from or an earlier --to, or fewer points: --resolution 1h")
        .into(),
        Error::UnnamedZone => anyhow::anyhow!("the time zone has no IANA name"),
    }
}

/// Returns the error of an empty list.
fn no_query(list: &str) -> Usage {
    let list = if list == "-" { "standard input" } else { list };
    Usage::without_list(format!("{list} holds no query"))
}

/// Returns every error of a list, with its place.
fn refused(complaints: &[Complaint]) -> Usage {
    if let [Complaint { file, reason: Reason::EmptyList, .. }] = complaints {
        return no_query(file);
    }
    let mut lines: Vec<_> = complaints.iter().flat_map(Complaint::lines).collect();
    let number = counted(complaints.len() as u64, "line is", "lines are");
    lines.push(format!("{number} not understood; nothing was fetched or written"));
    Usage::of_lines(lines).hint("correct the list, or leave these lines out with --keep-going")
}

fn type_change(TypeChange { metric, used, origin, now }: &TypeChange) -> String {
    let (used, now) = (used.name(), now.name());
    match origin {
        TypeOrigin::Metadata => format!(
            "{metric} was a {used} when its data was fetched, and is a {now} now: what is there is kept, and goes on the same way; \
             --forget fetches it anew"
        ),
        TypeOrigin::Assumption => format!(
            "{metric} was taken for a {used} (--assume-type) when its data was fetched, and its metadata says {now}: its queries \
             are fetched anew where that gives other numbers"
        ),
    }
}
