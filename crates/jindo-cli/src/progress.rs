//! How a run shows that it lives: a bar on a terminal, plain lines without one, JSON for programs. Always on stderr.

use crate::args::{Export, ProgressStyle};
use crate::screen;
use crate::words::{count, counted, seconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as Template};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jindo::plan::Plan;
use jindo::run::{Action, End, Outcome, Progress, Report};
use std::collections::HashSet;
use std::io::IsTerminal;

/// Plain lines come this often.
const LINE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// JSON events come this often.
const EVENT_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// A shorter wait is the usual distance between calls.
const WAIT_SHOWN_S: u64 = 5;

/// Shows one run.
#[derive(Debug)]
pub(crate) struct Shown {
    style: Style,
    started: Timestamp,
    next: Timestamp,
    /// In which the time of day is told.
    zone: TimeZone,
    /// As it looked after the first answer.
    promise: Option<Promise>,
    /// Calls in flight at once, at most.
    concurrency: u16,
    /// Queries given up and limits learnt, said once each.
    said: HashSet<String>,
}

#[derive(Debug)]
struct Promise {
    calls: u64,
    secs: u64,
    since: Timestamp,
}

/// A promise beside what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) promised_calls: u64,
    /// From the first answer on.
    pub(crate) promised_s: u64,
    pub(crate) made_calls: u64,
    pub(crate) took_s: u64,
}

#[derive(Debug)]
enum Style {
    Bar(ProgressBar),
    Plain,
    Json,
    Silent,
}

impl Shown {
    pub(crate) fn new(command: &Export, now: Timestamp, zone: TimeZone) -> Self {
        let style = match command.progress {
            ProgressStyle::Auto if std::io::stderr().is_terminal() => Style::Bar(bar()),
            ProgressStyle::Bar => Style::Bar(bar()),
            ProgressStyle::Auto | ProgressStyle::Plain => Style::Plain,
            ProgressStyle::Json => Style::Json,
            ProgressStyle::None => Style::Silent,
        };
        let next = now + LINE_EVERY;
        let concurrency = command.pace.concurrency;
        Self { style, started: now, next, zone, promise: None, concurrency, said: HashSet::new() }
    }

    /// Ends the bar; what comes next is the summary. Says how the promise was kept, once a run has come to its end.
    pub(crate) fn done(&self, outcome: &Outcome, now: Timestamp) -> Option<Kept> {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
        let promise = self.promise.as_ref().filter(|_| outcome.end == End::Done)?;
        Some(Kept {
            promised_calls: promise.calls,
            promised_s: promise.secs,
            made_calls: outcome.calls,
            took_s: now.duration_since(promise.since).as_secs().unsigned_abs(),
        })
    }

    fn say(&mut self, line: &str) {
        if !self.said.insert(line.to_owned()) {
            return;
        }
        match &self.style {
            Style::Bar(bar) => bar.suspend(|| screen::remark(&format!("{line}\n"))),
            Style::Plain => screen::remark(&format!("{line}\n")),
            Style::Json => {
                screen::remark(&format!("{}\n", serde_json::json!({"type": "note", "text": line})));
            }
            Style::Silent => {}
        }
    }
}

impl Report for Shown {
    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        if self.promise.is_none() && progress.trouble.is_none() && answered(progress) > 0 {
            self.promise = Some(Promise {
                calls: answered(progress) + progress.calls_left,
                secs: promise_s(progress, now.duration_since(self.started), self.concurrency),
                since: now,
            });
        }
        match &self.style {
            Style::Bar(bar) => {
                bar.set_length(answered(progress) + progress.calls_left);
                bar.set_position(answered(progress));
                bar.set_message(
                    screen::plain(&line(progress, (self.started, now), &self.zone)).into_owned(),
                );
            }
            Style::Plain if now >= self.next => {
                self.next = now + LINE_EVERY;
                let all = answered(progress) + progress.calls_left;
                screen::remark(&format!(
                    "{} of {} · {}\n",
                    count(answered(progress)),
                    counted(all, "call", "calls"),
                    line(progress, (self.started, now), &self.zone)
                ));
            }
            Style::Json if now >= self.next => {
                self.next = now + EVENT_EVERY;
                screen::remark(&format!("{}\n", event(progress, self.started, now)));
            }
            Style::Plain | Style::Json | Style::Silent => {}
        }
    }

    fn decided(&mut self, decision: &Action, plan: &Plan) {
        let written = |query: usize| &plan.queries[query].written;
        match decision {
            Action::Learn { name, value, why } => {
                let what = crate::status::learnt_of(name);
                self.say(&format!("learnt: at most {} {what} ({why})", count(*value)));
            }
            Action::GiveUp { query, reason } => {
                self.say(&format!("given up: {}: {reason}", written(*query)));
            }
            Action::RefuseWindow { window, reason, .. } => {
                self.say(&format!("refused: {window}: {reason}"));
            }
            Action::SendUnfilled { query } => {
                self.say(&format!(
                    "sent as written, since the server refuses .fill(null): {}",
                    written(*query)
                ));
            }
            Action::Ask { .. }
            | Action::Store { .. }
            | Action::Discard { .. }
            | Action::Complete { .. }
            | Action::Wake { .. }
            | Action::Finish { .. } => {}
        }
    }
}

fn bar() -> ProgressBar {
    let template = Template::with_template("{bar:32} {pos}/{len} calls · {msg}")
        .expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5))
        .with_style(template)
}

/// Points, budget, time left and the time of day then; and why nothing moves when nothing does.
fn line(progress: &Progress, (started, now): (Timestamp, Timestamp), zone: &TimeZone) -> String {
    let mut parts = vec![counted(progress.points, "point", "points")];
    if let Some((left, limit)) = progress.budget {
        parts.push(format!("budget {} of {}", count(left), count(limit)));
    }
    if let Some(left) = left_s(progress, now.duration_since(started)) {
        parts.push(format!("{} left ({})", seconds(left), time_of_day(now, left, zone)));
    }
    let wait = progress.waits_until.map_or(0, |until| until.duration_since(now).as_secs());
    let wait = u64::try_from(wait).ok().filter(|&wait| wait >= WAIT_SHOWN_S).map(seconds);
    match (&progress.trouble, wait) {
        (Some(trouble), Some(wait)) => parts.push(format!("trying again in {wait}: {trouble}")),
        (Some(trouble), None) => parts.push(format!("trying again: {trouble}")),
        (None, Some(wait)) => parts.push(format!("waiting {wait} for the rate limit")),
        (None, None) => {}
    }
    parts.join(" · ")
}

/// When it will be `left_s` later: `14:05 KST`, with its day unless that is today.
fn time_of_day(now: Timestamp, left_s: u64, zone: &TimeZone) -> String {
    let left = SignedDuration::from_secs(i64::try_from(left_s).unwrap_or(i64::MAX));
    let today = now.to_zoned(zone.clone());
    let Ok(then) = today.checked_add(left) else { return "never".into() };
    let format = if then.date() == today.date() { "%H:%M %Z" } else { "%-d %b %H:%M %Z" };
    then.strftime(format).to_string()
}

fn event(progress: &Progress, started: Timestamp, now: Timestamp) -> serde_json::Value {
    let left = left_s(progress, now.duration_since(started));
    serde_json::json!({
        "type": "progress",
        "calls": progress.calls_made,
        "calls_left": progress.calls_left,
        "points": progress.points,
        "budget_left": progress.budget.map(|(left, _)| left),
        "seconds_left": left,
        "done_at": left.and_then(|left| {
            now.checked_add(SignedDuration::from_secs(i64::try_from(left).ok()?)).ok()
        }),
        "waits_until": progress.waits_until,
        "trouble": progress.trouble,
    })
}

/// Calls that have come to their end.
fn answered(progress: &Progress) -> u64 {
    progress.calls_made.saturating_sub(progress.flying as u64)
}

/// Seconds until the last call; none before a few have told how long they take.
fn left_s(progress: &Progress, elapsed: SignedDuration) -> Option<u64> {
    let told = answered(progress) >= 3 && elapsed >= SignedDuration::from_secs(1);
    told.then(|| estimate_s(progress, elapsed))
}

/// Seconds until the last call as they look after the first answer: as fast as the limit allows in the long run, and as
/// the answers come in side by side.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn promise_s(progress: &Progress, elapsed: SignedDuration, concurrency: u16) -> u64 {
    let left = progress.calls_left as f64;
    let limited = progress.rate.map_or(0.0, |rate| left / rate.max(f64::EPSILON));
    let answering = elapsed.as_secs_f64() * left / f64::from(concurrency.max(1));
    limited.max(answering).ceil() as u64
}

/// Seconds until the last call: at the pace so far, and no sooner than the limit allows when this period's rest is used up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn estimate_s(progress: &Progress, elapsed: SignedDuration) -> u64 {
    let left = progress.calls_left as f64;
    let so_far = elapsed.as_secs_f64() / answered(progress).max(1) as f64 * left;
    let now = progress.budget.map_or(0, |(left, _)| left) as f64;
    let later = progress.rate.map_or(0.0, |rate| (left - now).max(0.0) / rate.max(f64::EPSILON));
    so_far.max(later).ceil() as u64
}
