//! How a run shows that it lives: a bar on a terminal, plain lines without one, JSON for programs. Always on stderr.

use crate::args::ProgressStyle;
use crate::screen;
use crate::words::{count, counted, seconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as Template};
use jiff::{SignedDuration, Timestamp};
use jindo::plan::Plan;
use jindo::run::{Action, Progress, Report};
use std::io::IsTerminal;

/// Plain lines come this often.
const LINE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// JSON events come this often.
const EVENT_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Shows one run.
#[derive(Debug)]
pub(crate) struct Shown {
    style: Style,
    started: Timestamp,
    next: Timestamp,
    /// Queries given up and limits learnt, said once each.
    said: Vec<String>,
}

#[derive(Debug)]
enum Style {
    Bar(ProgressBar),
    Plain,
    Json,
    Silent,
}

impl Shown {
    pub(crate) fn new(style: ProgressStyle, now: Timestamp) -> Self {
        let style = match style {
            ProgressStyle::Auto if std::io::stderr().is_terminal() => Style::Bar(bar()),
            ProgressStyle::Bar => Style::Bar(bar()),
            ProgressStyle::Auto | ProgressStyle::Plain => Style::Plain,
            ProgressStyle::Json => Style::Json,
            ProgressStyle::None => Style::Silent,
        };
        Self { style, started: now, next: now + LINE_EVERY, said: Vec::new() }
    }

    /// Ends the bar; what comes next is the summary.
    pub(crate) fn done(&self) {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
    }

    fn say(&mut self, line: &str) {
        if self.said.iter().any(|said| said == line) {
            return;
        }
        self.said.push(line.to_owned());
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
        match &self.style {
            Style::Bar(bar) => {
                bar.set_length(progress.calls_made + progress.calls_left);
                bar.set_position(progress.calls_made - progress.flying as u64);
                bar.set_message(line(progress, self.started, now));
            }
            Style::Plain if now >= self.next => {
                self.next = now + LINE_EVERY;
                let all = progress.calls_made + progress.calls_left - progress.flying as u64;
                let made = count(progress.calls_made - progress.flying as u64);
                screen::remark(&format!(
                    "{made} of {} · {}\n",
                    counted(all, "call", "calls"),
                    line(progress, self.started, now)
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
                let what = match *name {
                    "points" => "points per series and call",
                    "queries" => "queries per call",
                    _ => "escaped characters per call",
                };
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

/// Points, budget, time left; and why nothing moves when nothing does.
fn line(progress: &Progress, started: Timestamp, now: Timestamp) -> String {
    let mut parts = vec![counted(progress.points, "point", "points")];
    if let Some((left, limit)) = progress.budget {
        parts.push(format!("budget {} of {}", count(left), count(limit)));
    }
    if let Some(left) = left_s(progress, started, now) {
        parts.push(format!("{} left", seconds(left)));
    }
    let wait = progress.waits_until.map_or(0, |until| until.duration_since(now).as_secs());
    if wait >= 5 {
        parts.push(format!("waiting {} for the rate limit", seconds(wait.unsigned_abs())));
    }
    if let Some(trouble) = &progress.trouble {
        parts.push(format!("trying again: {trouble}"));
    }
    parts.join(" · ")
}

fn event(progress: &Progress, started: Timestamp, now: Timestamp) -> serde_json::Value {
    serde_json::json!({
        "type": "progress",
        "calls": progress.calls_made,
        "calls_left": progress.calls_left,
        "points": progress.points,
        "budget_left": progress.budget.map(|(left, _)| left),
        "seconds_left": left_s(progress, started, now),
        "trouble": progress.trouble,
    })
}

/// Seconds until the last call, from the pace so far; none before there is one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn left_s(progress: &Progress, started: Timestamp, now: Timestamp) -> Option<u64> {
    let done = progress.calls_made.saturating_sub(progress.flying as u64);
    let elapsed = now.duration_since(started).as_secs_f64();
    if done < 3 || elapsed < 1.0 {
        return None;
    }
    Some((elapsed / done as f64 * progress.calls_left as f64).ceil() as u64)
}
