//! How a run shows that it lives: a bar on a terminal, plain lines without one, JSON for programs. Always on stderr.

use crate::args::ProgressStyle;
use crate::render::limits;
use crate::render::units::{count, counted, seconds};
use crate::terminal;
use crate::time;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as Template};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jindo::fetch::{Action, End, FetchOutcome, Forecast, Progress, Report};
use jindo::plan::{Plan, PlanIndex};
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
    /// As it looked after the first answer, and when that was.
    promise: Option<(Forecast, Timestamp)>,
    /// Calls in flight at once, at most.
    concurrency: u16,
    /// Queries given up and limits learnt, said once each.
    said: HashSet<String>,
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
    /// `concurrency`: calls in flight at once, at most.
    pub(crate) fn new(
        style: ProgressStyle,
        concurrency: u16,
        now: Timestamp,
        zone: TimeZone,
    ) -> Self {
        let style = match style {
            ProgressStyle::Auto if std::io::stderr().is_terminal() => Style::Bar(bar()),
            ProgressStyle::Bar => Style::Bar(bar()),
            ProgressStyle::Auto | ProgressStyle::Plain => Style::Plain,
            ProgressStyle::Json => Style::Json,
            ProgressStyle::None => Style::Silent,
        };
        let next = now + LINE_EVERY;
        Self { style, started: now, next, zone, promise: None, concurrency, said: HashSet::new() }
    }

    /// Ends the bar; what comes next is the summary. Says how the promise was kept, once a run has come to its end.
    pub(crate) fn done(&self, outcome: &FetchOutcome, now: Timestamp) -> Option<Kept> {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
        let (promise, since) = self.promise.filter(|_| outcome.end == End::Done)?;
        Some(Kept {
            promised_calls: promise.calls,
            promised_s: promise.secs,
            made_calls: outcome.calls,
            took_s: now.duration_since(since).as_secs().unsigned_abs(),
        })
    }

    fn say(&mut self, line: &str) {
        if !self.said.insert(line.to_owned()) {
            return;
        }
        match &self.style {
            Style::Bar(bar) => bar.suspend(|| terminal::remark(&format!("{line}\n"))),
            Style::Plain => terminal::remark(&format!("{line}\n")),
            Style::Json => {
                terminal::remark(&format!(
                    "{}\n",
                    serde_json::json!({"type": "note", "text": line})
                ));
            }
            Style::Silent => {}
        }
    }
}

impl Report for Shown {
    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        if self.promise.is_none() {
            let elapsed = now.duration_since(self.started);
            let promise = Forecast::new(progress, (elapsed, now), usize::from(self.concurrency));
            self.promise = promise.map(|promise| (promise, now));
        }
        match &self.style {
            Style::Bar(bar) => {
                bar.set_length(progress.answered() + progress.calls_left);
                bar.set_position(progress.answered());
                bar.set_message(
                    terminal::plain(&line(progress, (self.started, now), &self.zone)).into_owned(),
                );
            }
            Style::Plain if now >= self.next => {
                self.next = now + LINE_EVERY;
                let all = progress.answered() + progress.calls_left;
                terminal::remark(&format!(
                    "{} of {} · {}\n",
                    count(progress.answered()),
                    counted(all, "call", "calls"),
                    line(progress, (self.started, now), &self.zone)
                ));
            }
            Style::Json if now >= self.next => {
                self.next = now + EVENT_EVERY;
                terminal::remark(&format!("{}\n", event(progress, self.started, now)));
            }
            Style::Plain | Style::Json | Style::Silent => {}
        }
    }

    fn decided(&mut self, decision: &Action, plan: &Plan) {
        let written = |query: PlanIndex| &plan.queries[query].text.written;
        match decision {
            // How far back the server goes is said with the windows that it refuses.
            Action::Learn { limit, why } => {
                if let Some((unit, most)) = limits::at_most(*limit) {
                    self.say(&format!("learnt: at most {} {unit} ({why})", count(most)));
                }
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
            | Action::Weigh { .. }
            | Action::Remember { .. }
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
    if let Some(left) = left_s(progress, (started, now)) {
        parts.push(format!("{} left ({})", seconds(left), time::time_of_day(now, left, zone)));
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

fn event(progress: &Progress, started: Timestamp, now: Timestamp) -> serde_json::Value {
    let left = left_s(progress, (started, now));
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

/// Seconds until the last call; none before a few have told how long they take.
fn left_s(progress: &Progress, (started, now): (Timestamp, Timestamp)) -> Option<u64> {
    let elapsed = now.duration_since(started);
    let told = progress.answered() >= 3 && elapsed >= SignedDuration::from_secs(1);
    told.then(|| estimate_s(progress, (elapsed, now)))
}

/// Seconds until the last call: at the pace so far, and no sooner than the limits allow.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn estimate_s(progress: &Progress, (elapsed, now): (SignedDuration, Timestamp)) -> u64 {
    let left = progress.calls_left as f64;
    let so_far = elapsed.as_secs_f64() / progress.answered().max(1) as f64 * left;
    so_far.max(progress.paced_s(now).unwrap_or(0.0)).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 23:50 in Seoul.
    const NOW: Timestamp = Timestamp::constant(1_795_359_000, 0);

    fn run() -> Progress {
        Progress {
            calls_made: 40,
            calls_left: 60,
            flying: 0,
            points: 3_494_035,
            budget: Some((0, 50)),
            paced_until: Some(NOW + SignedDuration::from_mins(72)),
            settled: true,
            trouble: None,
            waits_until: None,
        }
    }

    /// What is shown 80 s after the beginning.
    fn check(progress: &Progress, expected: &str) {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        assert_eq!(line(progress, (NOW - SignedDuration::from_secs(80), NOW), &zone), expected);
    }

    #[test]
    fn a_line_says_when_it_is_done_and_why_nothing_moves() {
        let head = "3,494,035 points · budget 0 of 50 · 72 min left (23 Nov 01:02 KST)";
        check(&run(), head);
        let waits_until = Some(NOW + SignedDuration::from_mins(50));
        check(
            &Progress { waits_until, ..run() },
            &format!("{head} · waiting 50 min for the rate limit"),
        );
        let trouble = Some("no connection".to_owned());
        check(
            &Progress { trouble: trouble.clone(), waits_until, ..run() },
            &format!("{head} · trying again in 50 min: no connection"),
        );
        check(&Progress { trouble, ..run() }, &format!("{head} · trying again: no connection"));
    }

    #[test]
    fn the_limit_bounds_what_is_promised_and_what_is_left() {
        let started = NOW - SignedDuration::from_secs(80);
        assert_eq!(left_s(&run(), (started, NOW)), Some(4_320));
        let unlimited = Progress { paced_until: None, ..run() };
        assert_eq!(left_s(&unlimited, (started, NOW)), Some(120));
        assert_eq!(left_s(&Progress { calls_made: 2, ..run() }, (started, NOW)), None);
        let first = Progress { calls_made: 1, ..run() };
        let elapsed = (SignedDuration::from_secs(2), NOW);
        let promised = |progress: &Progress| {
            Forecast::new(progress, elapsed, 8).map(|promise| (promise.calls, promise.secs))
        };
        assert_eq!(promised(&first), Some((61, 4_322)));
        assert_eq!(promised(&Progress { paced_until: None, ..first.clone() }), Some((61, 15)));
        assert_eq!(promised(&Progress { settled: false, ..first }), None);
    }
}
