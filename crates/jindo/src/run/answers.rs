//! What each answer, fine or failed, changes in the machine. Pure, like all of it.

use super::action::{Action, Call, End, Facts};
use super::diagnosis::{Conclusion, Refusal, Verdict};
use super::machine::{Flight, GRACE, Machine, Trouble, Trust};
use super::subject::{Job, Purpose, Travels, buckets};
use crate::plan::{Limits, Task, arrange, union};
use crate::query::Interval;
use crate::request::{BODY_BYTES_MAX, Backoff, Failure, Rate};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// A call that failed so often while others came through is refused for good, whatever the server calls it.
const ATTEMPTS_MAX: u32 = 5;

/// The other series of an answer in which one came back at another interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// As asked: a cap would have hit them all.
    Fine,
    AlsoCoarse,
}

impl Machine {
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        call: Call,
        (outcome, rate): (Result<Facts, Failure>, Option<Rate>),
        actions: &mut Vec<Action>,
    ) {
        let Some(flight) = self.flying.remove(&call) else { return };
        let rate = match outcome {
            // The status decides, whatever `Remaining` says.
            Err(Failure::Limited { .. }) => rate.map(|rate| Rate { remaining: 0.0, ..rate }),
            _ => rate,
        };
        self.budget.answered(flight.sent_at, now, rate.as_ref());
        match outcome {
            Ok(facts) => {
                self.succeeded_at = Some(now);
                if rate.is_none() {
                    self.budget.unlimited();
                }
                self.fine(call, flight, &facts, actions);
            }
            Err(failure) => {
                let mut job = flight.job;
                job.tried_since.get_or_insert(flight.sent_at);
                self.failed(now, job, (failure, rate.as_ref()), actions);
            }
        }
    }

    fn fine(&mut self, call: Call, flight: Flight, facts: &Facts, actions: &mut Vec<Action>) {
        self.trouble = Trouble::default();
        self.hold_until = None;
        self.points_proven = self.points_proven.max(facts.points_max);
        self.weigh(&flight.job.task, facts);
        let task = flight.job.task.clone();
        let mut conclusions = match flight.job.purpose {
            Purpose::Fetch => {
                if self.trust == Trust::Unproven {
                    self.trust = Trust::Proven;
                }
                Vec::new()
            }
            Purpose::Half(id) | Purpose::Probe(id) => {
                self.diagnoses.verdict(id, task.clone(), Verdict::Fine, &self.subjects)
            }
            Purpose::Trial => {
                let rest = self.on_trial.remove(&task.queries[0]).unwrap_or_default();
                self.queue.extend(rest.into_iter().map(Job::fetch));
                Vec::new()
            }
        };
        if let Purpose::Probe(_) = flight.job.purpose {
            actions.push(Action::Discard { call });
        } else {
            if self.unproven_points.is_some() && facts.points.iter().any(|&points| points > 0) {
                self.unproven_points = None;
            }
            conclusions.extend(self.diagnoses.answered(task.queries.len(), self.limits));
            self.points += facts.points.iter().sum::<u64>();
            self.storing.insert(call, flight);
            actions.push(Action::Store { call });
        }
        self.apply(conclusions, actions);
    }

    pub(super) fn stored(&mut self, call: Call, actions: &mut Vec<Action>) {
        let Some(flight) = self.storing.remove(&call) else { return };
        for &query in &flight.job.task.queries {
            let subject = self.subjects.get_mut(query);
            subject.left_s -= flight.job.task.window.secs();
            if subject.left_s == 0 {
                actions.push(Action::Complete { query });
            }
        }
    }

    fn failed(
        &mut self,
        now: Timestamp,
        job: Job,
        (failure, rate): (Failure, Option<&Rate>),
        actions: &mut Vec<Action>,
    ) {
        if let (Purpose::Probe(_), Failure::TooLarge, 0) = (job.purpose, &failure, job.attempts) {
            // So small a question has so large an answer only when something is broken.
            let what = format!("more than {} MiB for a small question", BODY_BYTES_MAX >> 20);
            return self.transient(now, job, what, actions);
        }
        if let (
            Purpose::Probe(id),
            Failure::OtherInterval { .. } | Failure::TooLarge | Failure::UrlTooLong,
        ) = (job.purpose, &failure)
        {
            // The server took the question, and that is what a probe asks.
            let conclusions = self.diagnoses.verdict(id, job.task, Verdict::Fine, &self.subjects);
            return self.apply(conclusions, actions);
        }
        match failure {
            Failure::Forbidden { words } => {
                let after_success = self.succeeded_at.is_some();
                let grace = if after_success { now + GRACE } else { now };
                self.end(End::Forbidden { words, after_success }, grace);
            }
            Failure::Limited { .. } => self.limited(now, job, rate),
            Failure::Transient { what } => self.transient(now, job, what, actions),
            Failure::TimedOut { what } => self.timed_out(now, job, what, actions),
            Failure::Refused { words } => self.refused(job, words, actions),
            Failure::UrlTooLong => self.url_too_long(job, actions),
            Failure::TooLarge => self.too_large(job, actions),
            Failure::OtherInterval { query, got, others_fine } => {
                if got > job.task.interval && self.is_contradicted(&job) {
                    let what =
                        format!("coarser ({got}) than the same number of points was served before");
                    return self.transient(now, job, what, actions);
                }
                let others = if others_fine { Others::Fine } else { Others::AlsoCoarse };
                self.other_interval(job, (query, got), others, actions);
            }
        }
    }

    /// A 429. With a reset the budget waits for it; the time without success starts after that wait.
    fn limited(&mut self, now: Timestamp, job: Job, rate: Option<&Rate>) {
        self.trouble.limited_in_a_row += 1;
        let wait = match rate {
            Some(rate) => {
                SignedDuration::from_secs_f64(rate.reset_s) + SignedDuration::from_secs(1)
            }
            None => Backoff::LIMITED.wait(self.trouble.limited_in_a_row, &mut self.random),
        };
        let until = now + wait;
        self.hold_until = self.hold_until.max(Some(until));
        let since = if rate.is_some() { until } else { now };
        self.trouble.since = Some(
            self.trouble.since.map_or(since, |at| if rate.is_some() { at.max(until) } else { at }),
        );
        self.trouble.what = Some("the rate limit is used up".into());
        self.queue.push_front(job);
        self.lose_patience(now);
    }

    fn transient(&mut self, now: Timestamp, mut job: Job, what: String, actions: &mut Vec<Action>) {
        job.attempts += 1;
        // Others came through meanwhile: it is not the server, it is this call. A probe asks just that.
        let meanwhile =
            self.succeeded_at.is_some_and(|at| job.tried_since.is_some_and(|since| at >= since));
        let is_probe = matches!(job.purpose, Purpose::Probe(_));
        if job.attempts >= ATTEMPTS_MAX && (meanwhile || is_probe) {
            return self.refused(job, what, actions);
        }
        self.trouble.in_a_row += 1;
        self.trouble.since.get_or_insert(now);
        self.trouble.what = Some(what);
        if self.trouble.in_a_row > 1 {
            let pause = Backoff::TRANSIENT.wait(self.trouble.in_a_row - 1, &mut self.random);
            self.hold_until = self.hold_until.max(Some(now + pause));
        }
        let wait = Backoff::TRANSIENT.wait(job.attempts, &mut self.random);
        self.delayed.push((now + wait, job));
        self.lose_patience(now);
    }

    /// Once may be chance. Twice: the call asks for too much.
    fn timed_out(&mut self, now: Timestamp, job: Job, what: String, actions: &mut Vec<Action>) {
        let suspected = matches!(job.purpose, Purpose::Half(_));
        if job.attempts == 0 && !suspected {
            return self.transient(now, job, what, actions);
        }
        self.trouble.what = Some(what.clone());
        if job.task.queries.len() > 1 {
            return self.refused(job, what, actions);
        }
        match job.task.window.halves(job.task.interval) {
            Some((early, late))
                if job.task.window.points(job.task.interval) > u64::from(Limits::POINTS_MIN) =>
            {
                for window in [late, early] {
                    self.queue.push_front(Job::fetch(Task { window, ..job.task.clone() }));
                }
                self.settle(&job);
            }
            _ => self.transient(now, job, what, actions),
        }
    }

    fn refused(&mut self, job: Job, words: String, actions: &mut Vec<Action>) {
        let task = job.task;
        let conclusions = match job.purpose {
            Purpose::Half(id) | Purpose::Probe(id) => {
                self.diagnoses.verdict(id, task, Verdict::Refused(words), &self.subjects)
            }
            Purpose::Trial => vec![Conclusion::GiveUp { query: task.queries[0], words }],
            Purpose::Fetch if self.unproven_points.is_some() && !at_points_min(&task) => {
                vec![
                    Conclusion::Ask(Job::fetch(task.clone())),
                    Conclusion::FewerPoints { task, words },
                ]
            }
            Purpose::Fetch => self.diagnoses.refused(Refusal::new(task, words), &self.subjects),
        };
        self.apply(conclusions, actions);
    }

    fn url_too_long(&mut self, job: Job, actions: &mut Vec<Action>) {
        if let [query] = job.task.queries[..] {
            let words = "its URL is too long for the server (414)".to_owned();
            return self.apply(vec![Conclusion::GiveUp { query, words }], actions);
        }
        let length = self.subjects.url_len(&job.task);
        self.limits.url = self.limits.url.min(length / 2);
        self.doubt_limits();
        let why = format!("a list of {length} escaped characters was refused (414)");
        actions.push(Action::Learn { name: "url", value: self.limits.url as u64, why });
        self.again(job);
    }

    /// The answer is larger than what is taken: its queries weigh at least their share of that.
    fn too_large(&mut self, job: Job, actions: &mut Vec<Action>) {
        let task = &job.task;
        if task.queries.len() == 1 && task.window.points(task.interval) == 1 {
            let words = format!(
                "a single point of all its series is larger than {} MiB",
                BODY_BYTES_MAX >> 20
            );
            return self.apply(vec![Conclusion::GiveUp { query: task.queries[0], words }], actions);
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let share = BODY_BYTES_MAX as f64 / task.queries.len() as f64 / buckets(task);
        for &query in &task.queries {
            let weight = &mut self.subjects.get_mut(query).weight;
            *weight = Some(weight.unwrap_or(0.0).max(share));
        }
        self.again(job);
    }

    fn other_interval(
        &mut self,
        job: Job,
        (query, got): (usize, Interval),
        others: Others,
        actions: &mut Vec<Action>,
    ) {
        let task = &job.task;
        let offered = task.queries[query];
        if got < task.interval || at_points_min(task) {
            let words = format!(
                "the server does not offer points every {} for it; the nearest it offers is {got}",
                task.interval
            );
            let conclusions = vec![Conclusion::GiveUp { query: offered, words }];
            self.again(job);
            return self.apply(conclusions, actions);
        }
        if others == Others::Fine && task.queries.len() > 1 {
            // The cap is not to blame, or the others would be coarse too: that query alone, in the shortest window.
            let limits = Limits { points: Limits::POINTS_MIN, ..self.limits };
            let rest: Vec<_> =
                task.queries.iter().copied().filter(|&other| other != offered).collect();
            let alone = Task { queries: vec![offered], ..task.clone() };
            for window in crate::plan::tile(alone.window, alone.interval, limits).into_iter().rev()
            {
                self.queue.push_front(Job::fetch(Task { window, ..alone.clone() }));
            }
            self.queue.push_front(Job::fetch(Task { queries: rest, ..task.clone() }));
            return self.settle(&job);
        }
        let points = points(task);
        let served = u32::try_from(task.window.secs() / got.secs()).unwrap_or(u32::MAX);
        self.fewer_points(
            points,
            served,
            format!("{points} points came back every {got}"),
            actions,
        );
        self.again(job);
    }

    /// An answer with at least as many points at full resolution has been seen: this one is chance.
    fn is_contradicted(&self, job: &Job) -> bool {
        job.attempts == 0 && points(&job.task) <= self.points_proven
    }

    fn fewer_points(&mut self, points: u32, served: u32, why: String, actions: &mut Vec<Action>) {
        let fewer = Limits::fewer_points(points, served);
        if fewer < self.limits.points {
            self.limits.points = fewer;
            self.doubt_limits();
            actions.push(Action::Learn { name: "points", value: u64::from(fewer), why });
        }
    }

    fn doubt_limits(&mut self) {
        self.trust = Trust::Stale;
    }

    /// Plans all that is queued anew, as the limits are now: cutting each old task would cost a call for every remnant.
    pub(super) fn replan(&mut self, now: Timestamp) {
        let mut gaps = vec![Vec::new(); self.queries.len()];
        let mut kept = VecDeque::new();
        for job in self.queue.drain(..) {
            match job.purpose {
                Purpose::Fetch => {
                    job.task.queries.iter().for_each(|&query| gaps[query].push(job.task.window));
                }
                Purpose::Half(_) | Purpose::Probe(_) | Purpose::Trial => kept.push_back(job),
            }
        }
        for (query, gaps) in gaps.iter_mut().enumerate() {
            *gaps = if self.subjects.get(query).given_up { Vec::new() } else { union(gaps) };
        }
        let tasks = arrange(self.range, &self.queries, &gaps, self.limits, now);
        kept.extend(tasks.into_iter().map(Job::fetch));
        self.queue = kept;
        self.trust = Trust::Unproven;
    }

    /// Puts the job back at once; what was learnt cuts it when it comes up.
    fn again(&mut self, job: Job) {
        self.settle(&job);
        self.queue.push_front(Job::fetch(job.task));
    }

    /// The job goes on in another shape: a diagnosis that waited for it can conclude nothing.
    pub(super) fn settle(&mut self, job: &Job) {
        if let Purpose::Half(id) | Purpose::Probe(id) = job.purpose {
            for task in self.diagnoses.void(id) {
                self.queue.push_front(Job::fetch(task));
            }
        }
        if let Purpose::Trial = job.purpose {
            let rest = self.on_trial.remove(&job.task.queries[0]).unwrap_or_default();
            self.queue.extend(rest.into_iter().map(Job::fetch));
        }
    }

    pub(super) fn apply(&mut self, conclusions: Vec<Conclusion>, actions: &mut Vec<Action>) {
        for conclusion in conclusions {
            match conclusion {
                Conclusion::Ask(job) => self.queue.push_front(job),
                Conclusion::FewerPoints { task, words } => {
                    let points = points(&task);
                    self.fewer_points(
                        points,
                        0,
                        format!("{points} points were refused: {words}"),
                        actions,
                    );
                    self.unproven_points = Some(words);
                }
                Conclusion::FewerQueries { most, why } => {
                    if most != self.limits.queries {
                        self.limits.queries = most;
                        self.doubt_limits();
                        actions.push(Action::Learn { name: "queries", value: most as u64, why });
                    }
                }
                Conclusion::GiveUp { query, words } => {
                    self.subjects.get_mut(query).given_up = true;
                    self.on_trial.remove(&query);
                    actions.push(Action::GiveUp { query, reason: words });
                }
                Conclusion::RefuseWindow { queries, window, words } => {
                    for query in queries {
                        actions.push(Action::RefuseWindow { query, window, reason: words.clone() });
                    }
                }
                Conclusion::SendUnfilled { query } => {
                    self.subjects.get_mut(query).travels = Travels::Unfilled;
                    self.queries[query].alone = true;
                    actions.push(Action::SendUnfilled { query });
                }
            }
        }
    }

    /// Bytes a bucket of each query, from its share of the answer's points.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn weigh(&mut self, task: &Task, facts: &Facts) {
        let all = facts.points.iter().sum::<u64>().max(1) as f64;
        for (&query, &points) in task.queries.iter().zip(&facts.points) {
            let weight = facts.bytes as f64 * (points as f64 / all) / buckets(task);
            self.subjects.get_mut(query).weight = Some(weight);
        }
    }

    fn lose_patience(&mut self, now: Timestamp) {
        let Some(since) = self.trouble.since else { return };
        if now.duration_since(since) >= self.settings.give_up_after {
            let what = self.trouble.what.clone().unwrap_or_default();
            let patience = self.settings.give_up_after;
            let waited = if patience < SignedDuration::from_mins(2) {
                format!("{} seconds", patience.as_secs())
            } else {
                format!("{} minutes", patience.as_mins())
            };
            self.end(
                End::Failed {
                    why: format!("no answer came through for {waited}; the last failure: {what}"),
                },
                now,
            );
        }
    }

    /// The first reason to end counts. Until `grace` what is in the air may still come in.
    pub(super) fn end(&mut self, end: End, grace: Timestamp) {
        self.ending.get_or_insert((end, grace));
    }
}

fn points(task: &Task) -> u32 {
    u32::try_from(task.window.points(task.interval)).unwrap_or(u32::MAX)
}

fn at_points_min(task: &Task) -> bool {
    points(task) <= Limits::POINTS_MIN
}
