//! The state of a directory as data: for `status`, `verify`, and later a receipt.

use super::audit::{AuditReport, DifferenceCounts};
use super::error::Error;
use super::request::learnt_limits;
use crate::archive::{Archive, QueryId, QueryStanding, QueryStatus, Registered};
use crate::extract::CsvTree;
use crate::plan::{CALLS_MAX, Limits, PerQuery, Window, arrange, calls_least, subtract, union};
use crate::query::Query;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Under which the ledger keeps the last audit.
const AUDIT: &str = "audit";

/// State of a directory, from the ledger alone.
#[derive(Debug, Clone)]
pub struct DirectoryStatus {
    /// The queries of the last request, in its order.
    pub listed: Vec<ListedQuery>,
    /// Lines of the last request's list that were left out.
    pub lines_left_out: u64,
    /// False where no request is known: a first run did not register it, or it was lost with the ledger. What was asked is then not
    /// known, and nothing can be said to be missing or complete.
    pub is_request_known: bool,
    /// Queries whose answers are so large that they shape calls, the heaviest first; those of earlier lists too.
    pub heavy: Vec<Registered>,
    /// Everything before it was asked so long after its time that late points are not expected any more. `None`: nothing is listed.
    pub closed_until: Option<Timestamp>,
    /// The last comparison with the server.
    pub audit: Option<AuditRecord>,
}

/// A query of the last request.
#[derive(Debug, Clone)]
pub struct ListedQuery {
    pub query: Registered,
    pub standing: QueryStanding,
}

/// Numbers of listed queries and lines, by standing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StatusCounts {
    /// Whole, with points.
    pub complete: u64,
    /// Whole, without a point: the server has nothing.
    pub empty: u64,
    pub partial: u64,
    pub given_up: u64,
    /// Lines of the list that were left out.
    pub refused: u64,
}

/// Calls of the last request, as a plan of all of it counts them now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CallProgress {
    pub planned: u64,
    /// Those for what is missing, without what was given up.
    pub left: u64,
}

/// Result of an audit, as the ledger keeps it. Windows are counted in calls' worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub at: Timestamp,
    /// Draws the same sample again.
    pub seed: u64,
    /// Of which the sample was drawn.
    pub windows: usize,
    pub compared: usize,
    /// Points of either side that were compared.
    pub points: u64,
    #[serde(flatten)]
    pub counts: DifferenceCounts,
}

impl DirectoryStatus {
    /// # Errors
    /// If the ledger cannot be read, or keeps an audit that cannot be read.
    pub fn read(archive: &Archive) -> Result<Self, Error> {
        let mut listed = Vec::new();
        let mut heavy = Vec::new();
        let with_files = with_files(archive)?;
        for (query, mut standing) in archive.standings()? {
            if standing.status == QueryStatus::Complete
                && query.position.is_some()
                && query.asked.is_some()
                && !with_files.contains(&query.id)
                && archive.ledger().extracted(CsvTree::NAME, query.id)?.is_some()
            {
                standing.status = QueryStatus::Empty;
            }
            if query.weight.is_some() {
                heavy.push(query.clone());
            }
            if query.position.is_some() {
                listed.push(ListedQuery { query, standing });
            }
        }
        heavy.sort_by_key(|query| Reverse(query.weight.map(|weight| weight.bytes_per_bucket)));
        let lines_left_out = archive.ledger().refused_lines()?.len() as u64;
        let closed_until = closed_until(archive, &listed)?;
        let is_request_known = archive.ledger().request()?.is_some();
        let audit = AuditRecord::read(archive)?;
        Ok(Self { listed, lines_left_out, is_request_known, heavy, closed_until, audit })
    }

    /// Counts the calls of the last request, and those that are left of it; `None` where no request is known, or one of more calls than
    /// an export makes.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn calls(&self, archive: &Archive, now: Timestamp) -> Result<Option<CallProgress>, Error> {
        let Some(request) = archive.ledger().request()? else { return Ok(None) };
        let limits = learnt_limits(archive, Limits::ASSUMED, now)?;
        let queries: PerQuery<Query> = self.listed.iter().map(ListedQuery::as_sent).collect();
        let nothing = vec![Vec::new(); queries.len()];
        if calls_least(request.asked, &queries, &nothing, limits) > CALLS_MAX {
            return Ok(None);
        }
        let calls = |gaps: PerQuery<Vec<Window>>| {
            arrange(request.asked.window, &queries, &gaps, limits, now).len() as u64
        };
        let asked = self.listed.iter().map(|listed| listed.query.asked.into_iter().collect());
        let missing = self.listed.iter().map(ListedQuery::missing);
        Ok(Some(CallProgress { planned: calls(asked.collect()), left: calls(missing.collect()) }))
    }

    pub fn counts(&self) -> StatusCounts {
        let mut counts = StatusCounts { refused: self.lines_left_out, ..StatusCounts::default() };
        for ListedQuery { standing, .. } in &self.listed {
            match standing.status {
                QueryStatus::Complete => counts.complete += 1,
                QueryStatus::Empty => counts.empty += 1,
                QueryStatus::Partial => counts.partial += 1,
                QueryStatus::GivenUp => counts.given_up += 1,
                QueryStatus::Refused => counts.refused += 1,
            }
        }
        counts
    }

    /// Returns how many listed queries lack something.
    pub fn queries_with_gaps(&self) -> u64 {
        self.listed.iter().filter(|listed| !listed.standing.gaps.is_empty()).count() as u64
    }

    /// Returns the seconds that are missing, those of all listed queries together.
    pub fn missing_seconds(&self) -> u64 {
        let gaps = self.listed.iter().flat_map(|listed| &listed.standing.gaps);
        gaps.map(|gap| gap.window.secs().unsigned_abs()).sum()
    }
}

impl ListedQuery {
    fn as_sent(&self) -> Query {
        let weight = self.query.weight.map(|weight| weight.bytes_per_bucket);
        Query { text: self.query.text.clone(), weight }
    }

    /// Returns what the next run fetches of it.
    fn missing(&self) -> Vec<Window> {
        if self.standing.status == QueryStatus::GivenUp {
            return Vec::new();
        }
        let gaps: Vec<_> = self.standing.gaps.iter().map(|gap| gap.window).collect();
        union(&gaps)
    }
}

/// Returns the queries that have a file of at least one point.
fn with_files(archive: &Archive) -> Result<BTreeSet<QueryId>, Error> {
    let extents = archive.ledger().extents(CsvTree::NAME)?;
    Ok(extents.into_iter().map(|extent| extent.query).collect())
}

/// Returns the earliest moment at which a listed query is not held, or was asked too early to be closed; else the end of what was asked.
fn closed_until(archive: &Archive, listed: &[ListedQuery]) -> Result<Option<Timestamp>, Error> {
    let coverage = archive.ledger().coverage_all()?;
    let open_from = |listed: &ListedQuery| {
        let asked = listed.query.asked?;
        let held = coverage.get(&listed.query.id).map_or(&[][..], Vec::as_slice);
        let closed: Vec<_> =
            held.iter().filter(|held| held.is_closed()).map(|h| h.window).collect();
        Some(subtract(asked, &closed).first().map_or(asked.end(), |open| open.start()))
    };
    Ok(listed.iter().filter_map(open_from).min())
}

impl AuditRecord {
    pub fn new(report: &AuditReport, seed: u64, at: Timestamp) -> Self {
        let &AuditReport { windows, compared, points, counts, .. } = report;
        Self { at, seed, windows, compared, points, counts }
    }

    /// Keeps it in the ledger, in place of an earlier one.
    pub fn keep(&self, archive: &Archive) -> Result<(), Error> {
        let text = serde_json::to_string(self).expect("numbers are always JSON");
        Ok(archive.ledger().keep(AUDIT, &text)?)
    }

    /// One that cannot be read is none: it decides about nothing, and the next audit takes its place.
    fn read(archive: &Archive) -> Result<Option<Self>, Error> {
        let kept = archive.ledger().kept(AUDIT)?;
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()))
    }
}
