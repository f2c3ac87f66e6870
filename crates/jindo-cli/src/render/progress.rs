//! Progress of a run on stderr: a bar on a terminal, plain lines without one, JSON for programs.

use crate::args::ProgressStyle;
use crate::interruption::Interruption;
use crate::render::limits;
use crate::render::units::{count, counted, seconds};
use crate::terminal::{self, BarState, Lines};
use crate::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jindo::fetch::{Decision, End, FetchOutcome, Forecast, Milestone, Observer, Progress};
use jindo::plan::{Plan, PlanIndex};
use std::collections::HashSet;

/// Interval of plain lines.
const LINE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Interval at which the bar is drawn.
const BAR_EVERY: SignedDuration = SignedDuration::from_millis(200);

/// Interval of JSON events.
const EVENT_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Shorter waits are not shown: they are the usual distance between calls.
const WAIT_SHOWN_S: u64 = 5;

/// Remarks of the server that are shown, at most: one that counts its calls would fill the screen.
const REMARKS_MAX: usize = 10;

/// Style of the progress, and the interruption that ends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub(crate) style: ProgressStyle,
    pub(crate) interruption: &'a Interruption,
}

/// Progress of one run, as it is shown.
#[derive(Debug)]
pub(crate) struct ProgressReport<'a> {
    style: Style,
    interruption: &'a Interruption,
    started: Timestamp,
    next: Timestamp,
    /// Zone of times of day.
    zone: TimeZone,
    /// Forecast of calls after the first answer, and of the time as soon as it can be told.
    forecast: Option<TimedForecast>,
    /// Most calls in flight at once.
    concurrency: u16,
    /// Remarks of the server that were shown.
    remarks: HashSet<String>,
    /// Lines that were shown: each is shown once.
    said: HashSet<String>,
}

/// Forecast, and the moment from which its time counts.
#[derive(Debug, Clone, Copy)]
struct TimedForecast {
    forecast: Forecast,
    since: Milestone,
}

/// Forecast beside the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForecastResult {
    pub(crate) forecast_calls: u64,
    /// Seconds after so many answers; `None`: it could not be told.
    pub(crate) forecast_s: Option<u64>,
    pub(crate) answered: u64,
    pub(crate) made_calls: u64,
    pub(crate) took_s: u64,
}

#[derive(Debug)]
enum Style {
    Bar,
    Plain,
    Json,
    Silent,
}

impl<'a> ProgressReport<'a> {
    /// Starts at `now`. `concurrency` is the most calls in flight at once; times of day are in `zone`.
    pub(crate) fn new(
        Voice { style, interruption }: Voice<'a>,
        concurrency: u16,
        now: Timestamp,
        zone: TimeZone,
    ) -> Self {
        let style = match style {
            ProgressStyle::Auto | ProgressStyle::Bar if terminal::takes_a_bar() => Style::Bar,
            ProgressStyle::Auto | ProgressStyle::Bar | ProgressStyle::Plain => Style::Plain,
            ProgressStyle::Json => Style::Json,
            ProgressStyle::None => Style::Silent,
        };
        let next = if matches!(style, Style::Bar) { now } else { now + LINE_EVERY };
        Self {
            style,
            interruption,
            started: now,
            next,
            zone,
            forecast: None,
            concurrency,
            remarks: HashSet::new(),
            said: HashSet::new(),
        }
    }

    /// Ends the bar. Returns the forecast beside the result if the run came to its end.
    pub(crate) fn done(&self, outcome: &FetchOutcome, now: Timestamp) -> Option<ForecastResult> {
        terminal::end_bar();
        self.interruption.under_way(0);
        let TimedForecast { forecast, since: Milestone { at, answered } } =
            self.forecast.filter(|_| outcome.end == End::Done)?;
        Some(ForecastResult {
            forecast_calls: forecast.calls,
            forecast_s: forecast.secs,
            answered,
            made_calls: outcome.calls,
            took_s: now.duration_since(at).as_secs().unsigned_abs(),
        })
    }

    fn say(&mut self, line: &str) {
        if !self.said.insert(line.to_owned()) {
            return;
        }
        match &self.style {
            Style::Bar | Style::Plain => terminal::remark(line),
            Style::Json => {
                let note = serde_json::json!({"type": "note", "text": line});
                terminal::remark(Lines::json(&note.to_string()));
            }
            Style::Silent => {}
        }
    }

    /// Makes the forecast: of the calls at the first answer, of the time as soon as it can be told.
    fn foresee(&mut self, progress: &Progress, now: Timestamp) {
        if self.forecast.is_some_and(|made| made.forecast.secs.is_some()) {
            return;
        }
        let elapsed = now.duration_since(self.started);
        let since = self.forecast.map(|made| made.since);
        let concurrency = usize::from(self.concurrency);
        let Some(next) = Forecast::new(progress, elapsed, now, concurrency, since) else { return };
        let calls = self.forecast.map_or(next.calls, |made| made.forecast.calls);
        if self.forecast.is_none() || next.secs.is_some() {
            let since = Milestone { at: now, answered: progress.answered() };
            self.forecast = Some(TimedForecast { forecast: Forecast { calls, ..next }, since });
        }
    }

    /// Returns `36 of 96 calls · 51 s left (16:28 KST)`.
    fn calls(&self, progress: &Progress, now: Timestamp) -> String {
        let all = progress.answered() + progress.calls_left;
        let calls = format!("{} of {}", count(progress.answered()), counted(all, "call", "calls"));
        match self.left_s(progress, now) {
            Some(left) => {
                let then = time::time_of_day(now, left, &self.zone);
                format!("{calls} · {} left ({then})", seconds(left))
            }
            None => calls,
        }
    }

    /// Returns points, what the rate limit allows, and the reason of a wait.
    fn details(progress: &Progress, now: Timestamp) -> Vec<String> {
        let mut parts = vec![counted(progress.points, "point", "points")];
        if let Some((left, limit)) = progress.budget {
            parts.push(format!("rate limit: {} of {} calls left", count(left), count(limit)));
        }
        let mut parts = vec![parts.join(" · ")];
        let wait = progress.waits_until.map_or(0, |until| until.duration_since(now).as_secs());
        let wait = u64::try_from(wait).ok().filter(|&wait| wait >= WAIT_SHOWN_S).map(seconds);
        parts.extend(match (&progress.trouble, wait) {
            (Some(trouble), Some(wait)) => Some(format!("retrying in {wait}: {trouble}")),
            (Some(trouble), None) => Some(format!("retrying: {trouble}")),
            (None, Some(wait)) => Some(format!("waiting {wait} for the rate limit")),
            (None, None) => None,
        });
        parts
    }

    fn event(&self, progress: &Progress, now: Timestamp) -> serde_json::Value {
        let left = self.left_s(progress, now);
        let left_long =
            left.and_then(|left| i64::try_from(left).ok()).map(SignedDuration::from_secs);
        serde_json::json!({
            "type": "progress",
            "calls": progress.calls_made,
            "calls_left": progress.calls_left,
            "points": progress.points,
            "budget_left": progress.budget.map(|(left, _)| left),
            "seconds_left": left,
            "done_at": left_long.and_then(|left| now.checked_add(left).ok()),
            "waits_until": progress.waits_until,
            "trouble": progress.trouble,
        })
    }

    /// Returns the seconds until the last call, at the pace so far and no sooner than the limits allow; `None` before three
    /// answers and one second.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn left_s(&self, progress: &Progress, now: Timestamp) -> Option<u64> {
        let elapsed = now.duration_since(self.started);
        if progress.answered() < 3 || elapsed < SignedDuration::from_secs(1) {
            return None;
        }
        let per_call = elapsed.as_secs_f64() / progress.answered() as f64;
        let so_far = per_call * progress.calls_left as f64;
        Some(so_far.max(progress.paced_s(now).unwrap_or(0.0)).ceil() as u64)
    }
}

impl Observer for ProgressReport<'_> {
    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        self.interruption.under_way(progress.flying);
        if self.interruption.came() {
            // What is left is not made any more.
            return;
        }
        self.foresee(progress, now);
        match &self.style {
            Style::Bar if now >= self.next => {
                self.next = now + BAR_EVERY;
                let (done, beside) = (progress.answered(), self.calls(progress, now));
                let all = done + progress.calls_left;
                let below = Self::details(progress, now);
                terminal::show_bar(&BarState { done, all, beside, below });
            }
            Style::Plain if now >= self.next => {
                self.next = now + LINE_EVERY;
                let details = Self::details(progress, now).join(" · ");
                terminal::remark(format!("{} · {details}", self.calls(progress, now)));
            }
            Style::Json if now >= self.next => {
                self.next = now + EVENT_EVERY;
                terminal::remark(Lines::json(&self.event(progress, now).to_string()));
            }
            Style::Bar | Style::Plain | Style::Json | Style::Silent => {}
        }
    }

    fn remarked(&mut self, remark: &str) {
        if self.remarks.len() < REMARKS_MAX && self.remarks.insert(remark.to_owned()) {
            self.say(&format!("the server says: {remark}"));
        }
    }

    fn decided(&mut self, decision: &Decision, plan: &Plan) {
        let written = |query: PlanIndex| &plan.queries[query].text.written;
        match decision {
            // How far back the server goes is said with the windows that it refuses.
            Decision::Learn { limit, lesson } => {
                if let Some((unit, most)) = limits::at_most(*limit) {
                    let why = &lesson.why;
                    self.say(&format!("learnt: at most {} {unit} ({why})", count(most)));
                }
            }
            Decision::Unlearn { limit } => {
                if let Some((unit, most)) = limits::at_most(*limit) {
                    let most = count(most);
                    self.say(&format!("learnt: more than {most} {unit} came through"));
                }
            }
            Decision::GiveUp { query, reason } => {
                self.say(&format!("given up: {}: {reason}", written(*query)));
            }
            Decision::RefuseWindow { window, reason, .. } => {
                self.say(&format!("refused: {window}: {reason}"));
            }
            Decision::SendUnfilled { query } => {
                self.say(&format!(
                    "sent as written, because the server refuses .fill(null): {}",
                    written(*query)
                ));
            }
            Decision::Reopen { clipped } => self.say(&format!("cut: {}", limits::cut(*clipped))),
            Decision::Confirm { .. } | Decision::Weigh { .. } | Decision::Trust { .. } => {}
        }
    }
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

    /// A report that began 80 s ago.
    fn report(interruption: &Interruption) -> ProgressReport<'_> {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let voice = Voice { style: ProgressStyle::None, interruption };
        ProgressReport::new(voice, 8, NOW - SignedDuration::from_secs(80), zone)
    }

    fn check(progress: &Progress, expected: &str) {
        let interruption = Interruption::default();
        let report = report(&interruption);
        let details = ProgressReport::details(progress, NOW).join(" · ");
        assert_eq!(format!("{} · {details}", report.calls(progress, NOW)), expected);
    }

    #[test]
    fn a_line_says_when_it_is_done_and_why_nothing_moves() {
        let head = "40 of 100 calls · 72 min left (23 Nov 01:02 KST) · 3,494,035 points · \
                    rate limit: 0 of 50 calls left";
        check(&run(), head);
        let waits_until = Some(NOW + SignedDuration::from_mins(50));
        check(
            &Progress { waits_until, ..run() },
            &format!("{head} · waiting 50 min for the rate limit"),
        );
        let trouble = Some("no connection".to_owned());
        check(
            &Progress { trouble: trouble.clone(), waits_until, ..run() },
            &format!("{head} · retrying in 50 min: no connection"),
        );
        check(&Progress { trouble, ..run() }, &format!("{head} · retrying: no connection"));
    }

    #[test]
    fn the_limit_bounds_the_forecast_and_what_is_left() {
        let interruption = Interruption::default();
        let left_s = |progress: &Progress| report(&interruption).left_s(progress, NOW);
        assert_eq!(left_s(&run()), Some(4_320));
        let unlimited = Progress { paced_until: None, ..run() };
        assert_eq!(left_s(&unlimited), Some(120));
        assert_eq!(left_s(&Progress { calls_made: 2, ..run() }), None);
        let first = Progress { calls_made: 1, ..run() };
        let elapsed = SignedDuration::from_secs(2);
        let told = |progress: &Progress, since| {
            let forecast = Forecast::new(progress, elapsed, NOW, 8, since);
            forecast.map(|forecast| (forecast.calls, forecast.secs))
        };
        let forecast = |progress: &Progress| told(progress, None);
        assert_eq!(forecast(&first), Some((61, Some(4_322))));
        // Nothing sets a pace: one answer says nothing of how many come in at once, 32 more do.
        let unlimited = Progress { paced_until: None, ..first.clone() };
        assert_eq!(forecast(&unlimited), Some((61, None)));
        let since = Some(Milestone { at: NOW - SignedDuration::from_secs(16), answered: 1 });
        let later = |calls_made| Progress { calls_made, ..unlimited.clone() };
        assert_eq!(told(&later(32), since), Some((92, None)));
        assert_eq!(told(&later(33), since), Some((93, Some(30))));
        assert_eq!(forecast(&Progress { settled: false, ..first }), None);
    }
}
