//! Answers of an export on their way into the archive, and decisions on their way into the ledger.

use super::probe::{ProbeResults, discard_probes};
use crate::archive::{
    Archive, Error, Fetched, GiveUpReason, GiveUpScope, GivenUp, Learnt, Role, Trusted,
};
use crate::fetch::{
    AnswerSink, AskedCall, Clipped, Decision, FetchJob, Lesson, ReadAnswer, Recorded,
};
use crate::job::pace::{KnownPace, StatedLimit};
use crate::parse::CallPosition;
use crate::plan::{LearntLimit, Pace, PlanIndex};
use crate::request::Rate;
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stores answers in an archive, and compares each with what probes saw of its queries: the first that contradicts one
/// discards all probes of the directory.
#[derive(Debug)]
pub(super) struct StoreAnswers<'a> {
    archive: &'a Archive,
    probes: Option<&'a ProbeResults>,
    discarded: AtomicBool,
    /// Rate limit that was kept last.
    limit: Mutex<Option<Pace>>,
}

impl<'a> StoreAnswers<'a> {
    pub(super) fn new(archive: &'a Archive, probes: Option<&'a ProbeResults>) -> Self {
        Self { archive, probes, discarded: AtomicBool::new(false), limit: Mutex::default() }
    }

    /// Discards all probes if the answer contradicts one.
    fn check_probes(&self, read: &ReadAnswer, now: Timestamp) -> Result<(), Error> {
        let AskedCall { ask, ids } = &read.asked;
        let is_discarded = self.discarded.load(Ordering::Relaxed);
        let Some(probes) = self.probes.filter(|_| !is_discarded) else { return Ok(()) };
        for (position, &id) in CallPosition::all(ids.len()).zip(ids) {
            let points_ms = || {
                let own = read.answer.series.iter().filter(|series| series.query == position);
                own.flat_map(|series| series.ts_ms.iter().copied()).collect()
            };
            if let Some(at_s) = probes.contradiction(id, ask.window, &points_ms) {
                self.discarded.store(true, Ordering::Relaxed);
                return discard_probes(self.archive, id, at_s, now);
            }
        }
        Ok(())
    }
}

impl AnswerSink for StoreAnswers<'_> {
    fn accept(&self, read: &ReadAnswer, now: Timestamp) -> Result<(), Error> {
        self.check_probes(read, now)?;
        let AskedCall { ask, ids } = &read.asked;
        let fetched = Fetched {
            queries: ids,
            interval: ask.interval,
            window: ask.window,
            fetched_at: now,
            open: false,
            answer: &read.answer,
        };
        if !self.archive.confirm(&fetched)? {
            self.archive.store(&fetched)?;
        }
        Ok(())
    }

    /// Keeps a limit once, and again when it differs: a directory's estimates go by it.
    fn note_rate(&self, rate: &Rate, now: Timestamp) -> Result<(), Error> {
        let Some(stated) = StatedLimit::of(rate, now) else { return Ok(()) };
        let mut kept = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.replace(stated.pace()) == Some(stated.pace()) {
            return Ok(());
        }
        KnownPace::note_limit(self.archive, stated)
    }

    fn check_in_place(&self) -> Result<(), Error> {
        self.archive.check_in_place()
    }

    /// Only an export's own queries teach the points limit: a probe or a sample may come back coarse because the server does
    /// not offer its interval.
    fn record(
        &self,
        decision: &Decision,
        job: &mut FetchJob<'_>,
        now: Timestamp,
    ) -> Result<Recorded, Error> {
        let ledger = self.archive.ledger();
        let give_up = |query, window, scope, reason| {
            ledger.give_up(&GivenUp { query, window, scope, reason, at: now })
        };
        match decision {
            Decision::Learn { limit: LearntLimit::Points(_), .. }
            | Decision::Confirm { limit: LearntLimit::Points(_), .. }
            | Decision::Unlearn { limit: LearntLimit::Points(_) }
                if job.role != Role::Wanted => {}
            Decision::Learn { limit, lesson } | Decision::Confirm { limit, lesson } => {
                let learnt = learnt(*limit, lesson, job, now);
                let list = job.plan.queries.iter();
                if !learnt.holds_for(list.map(|query| &*query.text.written)) {
                    return Ok(Recorded::Ignored);
                }
                ledger.learn(&learnt)?;
            }
            Decision::Unlearn { limit } => ledger.unlearn(*limit)?,
            Decision::Reopen { clipped } => {
                let (longer_than, rows_min) = match *clipped {
                    Clipped::Series { points } => (points, 0),
                    Clipped::Call { points } => (0, points),
                    Clipped::Newest => (0, 0),
                };
                ledger.doubt_clipped(longer_than, rows_min)?;
            }
            Decision::Trust { verdicts } => {
                let id = |&(query, trusted): &(PlanIndex, Trusted)| (job.ids[query], trusted);
                ledger.trust(&verdicts.iter().map(id).collect::<Vec<_>>())?;
            }
            Decision::Weigh { weights } => {
                let id = |&(query, bytes): &(PlanIndex, Option<u64>)| (job.ids[query], bytes);
                ledger.weigh(&weights.iter().map(id).collect::<Vec<_>>(), now)?;
            }
            Decision::SendUnfilled { query } => {
                let unfilled = job.plan.queries[*query].text.unfilled.as_deref();
                let unfilled =
                    unfilled.expect("only a query whose fill was added can go without it");
                job.ids[*query] = ledger.substitute(job.ids[*query], unfilled)?;
            }
            Decision::GiveUp { query, reason } => {
                if let Some(window) = job.plan.asked[*query] {
                    give_up(job.ids[*query], window, GiveUpScope::Query, reason.clone())?;
                }
            }
            Decision::RefuseWindow { query, window, reason } => {
                let reason = GiveUpReason::Refused(reason.clone());
                give_up(job.ids[*query], *window, GiveUpScope::Window, reason)?;
            }
        }
        Ok(Recorded::Kept)
    }
}

/// Returns the limit with its evidence.
fn learnt(limit: LearntLimit, lesson: &Lesson, job: &FetchJob<'_>, now: Timestamp) -> Learnt {
    let first = lesson.queries.first().map(|&first| &job.plan.queries[first].text.written);
    Learnt {
        limit,
        learnt_at: now,
        seen_at: now,
        why: lesson.why.clone(),
        refusals: lesson.refusals,
        largest: lesson.largest,
        taught_by: first.cloned().unwrap_or_default(),
        teachers: u32::try_from(lesson.queries.len()).unwrap_or(u32::MAX),
    }
}
