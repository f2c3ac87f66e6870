//! The jobs that users ask for: which sets of calls are made, and in which order.

mod audit;
mod export;
mod known;
mod probe;
mod request;
mod resolution;

pub use audit::{Audit, AuditReport, Counts, Difference, Kind, Point, Refused, SampleSize};
pub use export::{Caller, Export, Planned, Probed, ahead};
pub(crate) use known::remember;
pub use known::{as_registered, closed, closed_without_probes, learnt_limits, recollect};
pub(crate) use probe::{NO_PROBES, discard_probes};
pub use probe::{ProbeResults, ProbeYield};
pub use request::{
    ExportRequest, LearntFacts, ListText, OtherOrganisation, Pacing, Probing, RefusedLines,
    Resolution,
};
pub use resolution::{SampleJob, SampleTerms, Sampling};
