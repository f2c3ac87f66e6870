//! The jobs that users ask for: which sets of calls are made, and in which order.

mod audit;
mod error;
mod export;
mod look_back;
mod pace;
mod request;
mod resolution;
mod status;

pub use audit::{
    Audit, AuditOutcome, AuditReport, AuditRequest, Difference, DifferenceCounts, DifferenceKind,
    Marking, RefusedAudit, SampleSize,
};
pub use error::Error;
pub use export::{
    Caller, Events, Export, ExportEvent, ExportPlan, ExportReport, FetchWork, Files, Folder,
    Leaving, LookupWork, ProbeYield, Probed, ResolvedRequest, Storage, TakeLookup, TypeChange,
    TypeOrigin,
};
pub use look_back::LookBack;
pub use pace::{KnownPace, StatedLimit};
pub use request::{
    ExportRequest, LearntFacts, ListText, OtherOrganisation, Pacing, Probing, RefusedLines,
    Resolution, closed, learnt_limits,
};
pub use status::{AuditRecord, CallProgress, DirectoryStatus, ListedQuery, StatusCounts};
