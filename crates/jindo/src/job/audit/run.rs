//! Runs an audit: draws the sample, has its calls made, and marks what differs where that is requested.

use super::{Audit, AuditReport, SampleSize};
use crate::archive::{Archive, Error};
use crate::fetch::FetchOutcome;
use jiff::Timestamp;

/// An audit as it is requested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AuditRequest {
    pub size: SampleSize,
    /// The same seed draws the same sample of the same archive.
    pub seed: u64,
    pub marking: Marking,
}

/// Treatment of stretches that differ and of which the server lacks no point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// They stay as they are; the archive may be open for reading only.
    Keep,
    /// They are marked, and the next export asks for them again, whole.
    Mark,
}

/// Result of an audit, as far as it came.
#[derive(Debug)]
pub struct AuditOutcome<E> {
    pub report: AuditReport,
    /// Number of stretches that were marked.
    pub marked: Result<u64, Error>,
    /// Outcome of the calls; `None` where the archive holds nothing that can be asked again.
    pub calls: Option<Result<FetchOutcome, E>>,
}

impl AuditRequest {
    /// Draws the sample, has its calls made by `make`, and marks what differs where that is requested. Fails where the sample cannot be
    /// drawn; a later failure is part of the outcome, since the differences found so far were paid for.
    pub fn run<E>(
        &self,
        archive: &Archive,
        now: Timestamp,
        make: impl FnOnce(&Audit<'_>) -> Result<FetchOutcome, E>,
    ) -> Result<AuditOutcome<E>, Error> {
        let Some(audit) = Audit::draw(archive, self.size, self.seed, now)? else {
            return Ok(AuditOutcome { report: AuditReport::default(), marked: Ok(0), calls: None });
        };
        let calls = Some(make(&audit));
        let report = audit.ended();
        let is_marked = self.marking == Marking::Mark && !report.to_ask.is_empty();
        let marked = if is_marked { archive.reopen(&report.to_ask) } else { Ok(0) };
        Ok(AuditOutcome { report, marked, calls })
    }
}
