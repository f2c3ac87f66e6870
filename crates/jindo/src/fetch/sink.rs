//! Between the network and the archive: answers that are read but not yet kept, or not yet compared.

use super::protocol::{Ask, Call, Facts, Form};
use crate::archive::{Archive, Error, Fetched, QueryId};
use crate::job::Audit;
use crate::job::{NO_PROBES, ProbeResults, discard_probes};
use crate::parse::{self, Answer, CallPosition, Expected};
use crate::plan::{Plan, PlanIndex, SEPARATOR};
use crate::request::Failure;
use crate::secret::Secrets;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Answers by the number of their call.
#[derive(Debug)]
pub struct Shelf<'a> {
    archive: &'a Archive,
    /// Answers fetched sooner than this after their window's end stay open.
    look_back: SignedDuration,
    keeping: Keeping<'a>,
    /// Stand in no answer that is kept.
    secrets: Secrets,
    answers: BTreeMap<Call, Read>,
}

/// An answer that was read.
#[derive(Debug)]
struct Read {
    ask: Ask,
    /// As the ledger numbered the queries when they were asked: the form that travelled is theirs.
    ids: Vec<QueryId>,
    answer: Answer,
}

/// What becomes of answers.
#[derive(Debug, Clone, Copy)]
pub enum Keeping<'a> {
    /// They go into the archive, and are compared with what probes saw of their queries.
    Store(&'a ProbeResults),
    /// They are compared with what the archive holds, which stays as it is.
    Compare(&'a Audit<'a>),
}

impl<'a> Shelf<'a> {
    pub fn new(archive: &'a Archive, look_back: SignedDuration, keeping: Keeping<'a>) -> Self {
        let (secrets, answers) = (Secrets::default(), BTreeMap::new());
        Self { archive, look_back, keeping, secrets, answers }
    }

    #[must_use]
    pub fn hiding(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Reads and checks a body; what is fine waits here until the machine says what becomes of it. `ids` are the call's queries as the
    /// ledger numbered them when it was made.
    pub fn read(
        &mut self,
        call: Call,
        (ask, ids): (Ask, Vec<QueryId>),
        body: &[u8],
    ) -> Result<Facts, Failure> {
        let expected =
            Expected { queries: ask.queries.len(), window: ask.window, interval: ask.interval };
        let answer = parse::answer(body, &expected, &self.secrets)
            .map_err(|error| Failure::of_answer(error, &self.secrets))?;
        let facts = facts(&answer, ask.queries.len(), body.len());
        self.answers.insert(call, Read { ask, ids, answer });
        Ok(facts)
    }

    /// Moves the answer into the archive, and drops all probes where it contradicts one; or compares it with what is there.
    pub fn store(&mut self, call: Call, now: Timestamp) -> Result<(), Error> {
        let read = self.answers.remove(&call).expect("only an answer that was read is stored");
        match self.keeping {
            Keeping::Store(evidence) => self.doubt(evidence, &read, now)?,
            Keeping::Compare(recheck) => return recheck.compare(&read.ask, &read.answer),
        }
        let Read { ask, ids, answer } = read;
        let open = now.duration_since(ask.window.end()) < self.look_back;
        self.archive.store(&Fetched {
            queries: &ids,
            interval: ask.interval,
            window: ask.window,
            fetched_at: now,
            open,
            answer: &answer,
        })?;
        Ok(())
    }

    fn doubt(&mut self, evidence: &ProbeResults, read: &Read, now: Timestamp) -> Result<(), Error> {
        let Read { ask, ids, answer } = read;
        for (position, &id) in CallPosition::all(ids.len()).zip(ids) {
            let points_ms = || {
                let own = answer.series.iter().filter(|series| series.query == position);
                own.flat_map(|series| series.ts_ms.iter().copied()).collect()
            };
            if let Some(at_s) = evidence.contradiction(id, ask.window, &points_ms) {
                // Once is enough: from now on nobody relies on what probes said.
                self.keeping = Keeping::Store(&NO_PROBES);
                return discard_probes(self.archive, id, at_s, now);
            }
        }
        Ok(())
    }

    pub fn discard(&mut self, call: Call) {
        self.answers.remove(&call);
    }
}

/// The comma list of a call.
pub fn list(plan: &Plan, ask: &Ask) -> String {
    let text = |&query: &PlanIndex| {
        let query = &plan.queries[query];
        match ask.form {
            Form::Sent => query.text.sent.as_str(),
            Form::Unfilled => query.text.unfilled.as_deref().unwrap_or(&query.text.sent),
        }
    };
    ask.queries.iter().map(text).collect::<Vec<_>>().join(SEPARATOR)
}

fn facts(answer: &Answer, queries: usize, bytes: usize) -> Facts {
    let mut points = vec![0; queries];
    let mut points_max = 0;
    for series in &answer.series {
        points[series.query.number()] += series.ts_ms.len() as u64;
        points_max = points_max.max(series.ts_ms.len());
    }
    Facts { bytes: bytes as u64, points, points_max: u32::try_from(points_max).unwrap_or(u32::MAX) }
}
