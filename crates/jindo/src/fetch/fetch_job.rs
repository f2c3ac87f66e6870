//! One set of calls as a value, and its outcome.

use super::protocol::End;
use crate::archive::{QueryId, Role};
use crate::plan::{PerQuery, Plan, PlanIndex};
use jiff::SignedDuration;

/// Calls to be made, and the ledger's numbers of their queries.
#[derive(Debug)]
pub struct FetchJob<'a> {
    pub plan: &'a Plan,
    /// The plan's queries as the ledger numbers them.
    pub ids: PerQuery<QueryId>,
    /// Queries that an earlier run gave up.
    pub given_up: Vec<PlanIndex>,
    /// Answers fetched sooner than this after their window's end stay open.
    pub look_back: SignedDuration,
    /// Role of the job's queries. Probe and sample jobs write no files, give up no wanted query, and never lower the points limit: a
    /// coarse answer may only mean that the server does not offer the interval.
    pub role: Role,
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
