//! The jobs that users ask for: which sets of calls are made, and in which order.

mod audit;
mod error;
mod export;
mod files;
mod known;
mod planned;
mod ports;
mod probe;
mod request;
mod resolution;
mod resolve;
mod rounds;
mod run;
mod sampling;

pub use audit::{Audit, AuditReport, Counts, Difference, Kind, Point, Refused, SampleSize};
pub use error::Error;
pub use export::{Export, ExportReport};
pub use files::Files;
pub(crate) use known::remember;
pub use known::{as_registered, closed, learnt_limits, recollect};
pub use planned::ExportPlan;
pub use ports::{Caller, Events, ExportEvent, FetchWork, Folder, Probed, Storage};
pub(crate) use probe::{NO_PROBES, discard_probes};
pub use probe::{ProbeResults, ProbeYield};
pub use request::{
    ExportRequest, LearntFacts, ListText, OtherOrganisation, Pacing, Probing, RefusedLines,
    Resolution,
};
pub use resolution::{SampleJob, SampleTerms, Sampling};
pub use resolve::ResolvedRequest;
