//! One set of calls as a value, and the destinations of what it brings: an [`AnswerSink`] for answers and decisions, an [`Observer`] for a
//! front end.

use super::protocol::{Ask, Decision, End, Facts, Form, Progress};
use crate::archive::{Error, QueryId, Role, Trusted};
use crate::parse::{self, Answer, Expected, Outline, ReadBody};
use crate::plan::{PerQuery, Plan, PlanIndex, SEPARATOR};
use crate::request::{BODY_BYTES_MAX, Failure, Rate};
use crate::secret::Secrets;
use jiff::Timestamp;

/// Calls to be made, and the ledger's numbers of their queries.
#[derive(Debug)]
pub struct FetchJob<'a> {
    pub plan: &'a Plan,
    /// The plan's queries as the ledger numbers them.
    pub ids: PerQuery<QueryId>,
    /// Queries that an earlier run gave up.
    pub given_up: Vec<PlanIndex>,
    /// Role of the job's queries. Probe and sample jobs write no files, give up no wanted query, and never lower the points limit: a
    /// coarse answer may only mean that the server does not offer the interval.
    pub role: Role,
    /// Verdicts of earlier runs about answers that looked cut; `None`: none is suspected.
    pub trusted: Option<PerQuery<Trusted>>,
}

impl<'a> FetchJob<'a> {
    /// A job beside an export's own: no query was given up before.
    pub fn aside(plan: &'a Plan, ids: PerQuery<QueryId>, role: Role) -> Self {
        Self { plan, ids, given_up: Vec::new(), role, trusted: None }
    }
}

/// Outcome of a job.
///
/// Calls and points are those of this job alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOutcome {
    pub end: End,
    pub calls: u64,
    pub points: u64,
}

/// Takes the answers of a set of calls, and what the machine decided about its queries. Called from two threads: one accepts
/// answers, the other records decisions.
pub trait AnswerSink: Sync {
    /// Takes an answer for good. Once this returns, a crash loses nothing of it.
    fn accept(&self, answer: &ReadAnswer, now: Timestamp) -> Result<(), Error>;

    /// Records a decision before the machine goes on. A query that is sent in another form from now on gets another number in
    /// the job.
    fn record(
        &self,
        decision: &Decision,
        job: &mut FetchJob<'_>,
        now: Timestamp,
    ) -> Result<Recorded, Error>;

    /// Takes the rate limit that an answer stated; called for every answer that states one.
    fn note_rate(&self, _rate: &Rate, _now: Timestamp) -> Result<(), Error> {
        Ok(())
    }

    /// Fails where answers could not be kept any more, whatever they are: the run then ends without further calls. Called every second.
    fn check_in_place(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Takes the reports of a run, and passes over those that it does not show; called from one thread. The library prints nothing.
pub trait Observer: Send {
    /// Takes the state of the run, many times a second.
    fn progress(&mut self, _progress: &Progress, _now: Timestamp) {}

    /// Takes a decision that is kept.
    fn decided(&mut self, _decision: &Decision, _plan: &Plan) {}

    /// Takes a remark of the server, with every answer that makes it.
    fn remarked(&mut self, _remark: &str) {}
}

/// The outcome of recording a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It holds for later runs too.
    Kept,
    /// It holds for this set of calls alone.
    Ignored,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct AskedCall {
    pub ask: Ask,
    /// Its queries as the ledger numbered them when it was made: the form that travelled is theirs.
    pub ids: Vec<QueryId>,
}

/// An answer that was read and found to be what was asked.
#[derive(Debug)]
pub struct ReadAnswer {
    pub asked: AskedCall,
    pub answer: Answer,
    /// Remark of the server beside its data, on one line.
    pub remark: Option<String>,
    /// Bytes of memory that it takes until it is stored.
    pub held_bytes: usize,
}

impl ReadAnswer {
    /// Reads and checks the body of a 200. None of `secrets` stands in the answer, nor in the failure.
    pub fn read(
        asked: AskedCall,
        body: &[u8],
        secrets: &Secrets,
    ) -> Result<(Self, Facts), Failure> {
        let Ask { queries, window, interval, .. } = &asked.ask;
        let expected = Expected { queries: queries.len(), window: *window, interval: *interval };
        let ReadBody { answer, remark, held_bytes } = parse::read(body, &expected, secrets)
            .map_err(|error| Failure::of_answer(error, secrets))?;
        let (mut points, mut points_max) = (vec![0; queries.len()], 0);
        for series in &answer.series {
            points[series.query.number()] += series.ts_ms.len() as u64;
            points_max = points_max.max(series.ts_ms.len());
        }
        let points_max = u32::try_from(points_max).unwrap_or(u32::MAX);
        let outlines = Outline::of(&answer, &expected);
        let facts = Facts { bytes: weight(body.len(), held_bytes), points, points_max, outlines };
        Ok((Self { asked, answer, remark, held_bytes }, facts))
    }
}

/// Returns the bytes of a body, or more where its answer takes more memory: what is too large for one bound weighs like what is too
/// large for the other.
fn weight(body_bytes: usize, held_bytes: usize) -> u64 {
    let of_memory = held_bytes as u128 * BODY_BYTES_MAX as u128 / parse::HELD_BYTES_MAX as u128;
    (body_bytes as u64).max(u64::try_from(of_memory).unwrap_or(u64::MAX))
}

/// Returns the comma list of a call.
pub fn list(plan: &Plan, ask: &Ask) -> String {
    let text = |&query: &PlanIndex| {
        let text = &plan.queries[query].text;
        match ask.form {
            Form::Sent => text.sent.as_str(),
            Form::Unfilled => text.unfilled.as_deref().unwrap_or(&text.sent),
        }
    };
    ask.queries.iter().map(text).collect::<Vec<_>>().join(SEPARATOR)
}
