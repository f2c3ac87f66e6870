//! What each answer, fine or failed, changes in the machine. Pure, like all of it.

use super::bisect::{Conclusion, Refusal, Verdict};
use super::machine::{Flight, GRACE, Machine, Trust};
use super::protocol::{Action, Call, End, Facts};
use super::query_state::{Job, Purpose, Served, Travels};
use crate::archive::GiveUpReason;
use crate::parse::Other;
use crate::plan::{LearntLimit, Limits, PerQuery, PlanIndex, Task, arrange, union};
use crate::query::Interval;
use crate::request::{BODY_BYTES_MAX, Failure, Rate};
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};

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
        self.trouble.ends();
        self.hold_until = None;
        self.points_proven = self.points_proven.max(facts.points_max);
        let task = flight.job.task.clone();
        if facts.points.iter().any(|&points| points > 0) {
            self.length_proven = self.length_proven.max(points(&task));
        }
        if facts.points_max == 0 && points(&task) > self.limits.points {
            // Sent before the cap was learnt: an empty answer says nothing of its interval.
            actions.push(Action::Discard { call });
            return self.again(flight.job);
        }
        self.weigh(&task, facts, actions);
        self.lengthen_url(&task, actions);
        self.is_kept(task.window);
        let mut conclusions = match flight.job.purpose {
            Purpose::Fetch => {
                if self.trust == Trust::Unproven {
                    self.trust = Trust::Proven;
                }
                Vec::new()
            }
            Purpose::Half(id) | Purpose::Question(id) => {
                self.diagnoses.verdict(id, task.clone(), Verdict::Fine, &self.subjects)
            }
            Purpose::Trial => {
                let rest = self.on_trial.remove(&task.queries[0]).unwrap_or_default();
                self.queue.extend(rest.into_iter().map(Job::fetch));
                Vec::new()
            }
            Purpose::Sounding => {
                self.sounded(&task, &facts.points);
                Vec::new()
            }
        };
        if let Purpose::Question(_) = flight.job.purpose {
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
        if let (Purpose::Question(_), Failure::TooLarge, 0) = (job.purpose, &failure, job.attempts)
        {
            // So small a question has so large an answer only when something is broken.
            let what = format!("more than {} MiB for a small question", BODY_BYTES_MAX >> 20);
            return self.transient(now, job, what, actions);
        }
        if let (
            Purpose::Question(id),
            Failure::OtherInterval { .. } | Failure::TooLarge | Failure::UrlTooLong,
        ) = (job.purpose, &failure)
        {
            // The server took the question, and that is what was to be known.
            let conclusions = self.diagnoses.verdict(id, job.task, Verdict::Fine, &self.subjects);
            return self.apply(conclusions, actions);
        }
        match failure {
            Failure::Forbidden { words } => {
                let after_success = self.succeeded_at.is_some();
                let grace = if after_success { now + GRACE } else { now };
                self.end(End::Forbidden { words, after_success }, grace);
            }
            Failure::Limited { retry_after, .. } => self.limited(now, job, (rate, retry_after)),
            Failure::Transient { what } => self.transient(now, job, what, actions),
            Failure::Unusable { what } => self.unusable(now, job, what, actions),
            Failure::NotAnApi { words } => self.astray(now, job, words, actions),
            Failure::TimedOut { what } => self.timed_out(now, job, what, actions),
            Failure::Refused { words } => self.refused(job, words, actions),
            Failure::UrlTooLong => self.url_too_long(job, actions),
            Failure::TooLarge => self.too_large(&job, actions),
            Failure::OtherInterval { others, others_fine } => {
                let Some(got) = worst(&others, job.task.interval) else {
                    return self.transient(now, job, "no interval came".to_owned(), actions);
                };
                if got > job.task.interval && self.is_contradicted(&job) {
                    let what =
                        format!("coarser ({got}) than the same number of points was served before");
                    return self.transient(now, job, what, actions);
                }
                if got < job.task.interval && job.attempts == 0 {
                    // No cap makes an answer finer: it may be chance, and a query is not given up by chance.
                    let what = format!("finer ({got}) than asked");
                    return self.transient(now, job, what, actions);
                }
                let rest = if others_fine { Others::Fine } else { Others::AlsoCoarse };
                self.other_interval(job, (&others, got), rest, actions);
            }
        }
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

    pub(super) fn refused(&mut self, mut job: Job, words: String, actions: &mut Vec<Action>) {
        if job.purpose == Purpose::Sounding {
            self.settle(&job);
            job.purpose = Purpose::Fetch;
        }
        let task = job.task;
        if job.purpose == Purpose::Fetch && self.is_too_old(task.window) {
            let Task { queries, window, .. } = task;
            let refused = Conclusion::RefuseWindow { queries, window, words };
            return self.apply(vec![refused], actions);
        }
        let conclusions = match job.purpose {
            Purpose::Half(id) | Purpose::Question(id) => {
                self.diagnoses.verdict(id, task, Verdict::Refused(words), &self.subjects)
            }
            Purpose::Trial => vec![Conclusion::GiveUp {
                query: task.queries[0],
                reason: GiveUpReason::Refused(words),
            }],
            Purpose::Sounding => unreachable!("it was made a fetch"),
            // A longer list may be refused for its length as well.
            Purpose::Fetch
                if self.unproven_points.is_some_and(|queries| task.queries.len() <= queries)
                    && !at_points_min(&task) =>
            {
                vec![
                    Conclusion::Ask(Job::fetch(task.clone())),
                    Conclusion::FewerPoints { task, words },
                ]
            }
            Purpose::Fetch => self.diagnoses.refused(Refusal::new(task, words), &self.subjects),
        };
        self.apply(conclusions, actions);
    }

    /// `got`: what has to be explained; see [`worst`].
    fn other_interval(
        &mut self,
        job: Job,
        (others, got): (&[Other], Interval),
        rest: Others,
        actions: &mut Vec<Action>,
    ) {
        let task = &job.task;
        let alike = |other: &&Other| (other.got > task.interval) == (got > task.interval);
        let named: Vec<_> = others
            .iter()
            .filter(alike)
            .map(|other| (*other.query.of(&task.queries), other.got))
            .collect();
        if got < task.interval || at_points_min(task) {
            let asked = task.interval;
            let give_up = |&(query, got): &(PlanIndex, Interval)| {
                let reason = GiveUpReason::NotOffered { asked, nearest: got };
                Conclusion::GiveUp { query, reason }
            };
            self.apply(named.iter().map(give_up).collect(), actions);
            return match job.purpose {
                Purpose::Sounding => self.sound_others(job),
                Purpose::Fetch | Purpose::Half(_) | Purpose::Question(_) | Purpose::Trial => {
                    self.again(job);
                }
            };
        }
        let points = points(task);
        if rest == Others::Fine {
            self.length_proven = self.length_proven.max(points);
        }
        let is_own = |(query, _): &(PlanIndex, Interval)| {
            self.subjects.get(*query).served != Served::AsOthers
        };
        if points <= self.length_proven || named.iter().all(is_own) {
            return self.apart(&job, &named);
        }
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
            actions.push(Action::Learn { limit: LearntLimit::Points(fewer), why });
        }
    }

    pub(super) fn doubt_limits(&mut self) {
        self.trust = Trust::Stale;
    }

    /// Plans all that is queued anew, as limits and weights are now: cutting each old task would cost a call for every remnant.
    pub(super) fn replan(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let mut gaps = PerQuery::filled(Vec::new(), self.queries.len());
        let mut kept = VecDeque::new();
        for job in self.queue.drain(..) {
            match job.purpose {
                Purpose::Fetch => {
                    job.task.queries.iter().for_each(|&query| gaps[query].push(job.task.window));
                }
                Purpose::Half(_) | Purpose::Question(_) | Purpose::Trial | Purpose::Sounding => {
                    kept.push_back(job);
                }
            }
        }
        for query in gaps.indexes() {
            let given_up = self.subjects.get(query).given_up;
            gaps[query] = if given_up { Vec::new() } else { union(&gaps[query]) };
        }
        self.refuse_too_old(&gaps, actions);
        // Windows of their own for those of which fewer points are served at once.
        let points = |query: PlanIndex| self.subjects.points(query, self.limits);
        let caps: BTreeSet<_> = gaps.indexes().map(points).collect();
        for cap in caps.into_iter().rev() {
            let own = |(query, gaps): (PlanIndex, &Vec<_>)| {
                if points(query) == cap { gaps.clone() } else { Vec::new() }
            };
            let own: PerQuery<_> = gaps.indexed().map(own).collect();
            let limits = Limits { points: cap, ..self.limits };
            let tasks = arrange(self.range, &self.queries, &own, limits, now);
            kept.extend(tasks.into_iter().map(Job::fetch));
        }
        self.queue = kept;
        self.outweighed = false;
    }

    /// Puts the job back at once; what was learnt cuts it when it comes up.
    pub(super) fn again(&mut self, job: Job) {
        self.settle(&job);
        self.queue.push_front(Job::fetch(job.task));
    }

    /// The job goes on in another shape: a diagnosis that waited for it can conclude nothing.
    pub(super) fn settle(&mut self, job: &Job) {
        if let Purpose::Half(id) | Purpose::Question(id) = job.purpose {
            for task in self.diagnoses.void(id) {
                self.queue.push_front(Job::fetch(task));
            }
        }
        if let Purpose::Trial = job.purpose {
            let rest = self.on_trial.remove(&job.task.queries[0]).unwrap_or_default();
            self.queue.extend(rest.into_iter().map(Job::fetch));
        }
        if job.purpose == Purpose::Sounding {
            self.unsounded(&job.task);
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
                    self.unproven_points = Some(task.queries.len());
                }
                Conclusion::FewerQueries { most, why } => {
                    if most != self.limits.queries {
                        self.limits.queries = most;
                        self.doubt_limits();
                        actions.push(Action::Learn { limit: LearntLimit::Queries(most), why });
                    }
                }
                Conclusion::GiveUp { query, reason } => {
                    self.subjects.get_mut(query).given_up = true;
                    self.weighing.remove(&query);
                    self.on_trial.remove(&query);
                    actions.push(Action::GiveUp { query, reason });
                }
                Conclusion::RefuseWindow { queries, window, words } => {
                    self.too_old(window, &words, actions);
                    for query in queries {
                        actions.push(Action::RefuseWindow { query, window, reason: words.clone() });
                    }
                }
                Conclusion::SendUnfilled { query } => {
                    self.subjects.get_mut(query).travels = Travels::Unfilled;
                    self.queries[query].text.alone = true;
                    actions.push(Action::SendUnfilled { query });
                }
            }
        }
    }

    /// The first reason to end counts. Until `grace` what is in the air may still come in.
    pub(super) fn end(&mut self, end: End, grace: Timestamp) {
        self.ending.get_or_insert((end, grace));
    }
}

/// What is to be explained: the coarsest interval, or the finest where all are finer than asked.
fn worst(others: &[Other], asked: Interval) -> Option<Interval> {
    let all = || others.iter().map(|other| other.got);
    all().filter(|&got| got > asked).max().or_else(|| all().min())
}

pub(super) fn points(task: &Task) -> u32 {
    u32::try_from(task.window.points(task.interval)).unwrap_or(u32::MAX)
}

fn at_points_min(task: &Task) -> bool {
    points(task) <= Limits::POINTS_MIN
}
