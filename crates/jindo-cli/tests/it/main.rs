//! The real binary against the simulator: the journey, faults, crashes, messages.
//!
//! The oracle of all: after any faults and any crashes, the bytes are those of a faultless run; and every value is the
//! simulator's function at that time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "a test damages what it tests")]

mod auto;
mod clipped;
mod completeness;
mod crash;
mod damage;
mod earlier_version;
mod faults;
#[cfg(unix)]
mod foreign_files;
mod foreign_ledger;
mod help;
mod hostile;
mod journey;
mod keys_in_words;
mod last_request;
mod late_points;
mod lists;
mod memory;
mod messages;
mod metric_types;
mod named_files;
mod network;
mod numbers;
mod oversize;
mod plain_parquet;
mod probe;
#[cfg(unix)]
mod processes;
mod query_text;
mod recovery;
mod refetch;
mod regressions;
mod resources;
#[cfg(target_os = "linux")]
mod screen;
mod secrets;
mod server_profiles;
mod simulator;
mod support;
#[cfg(unix)]
mod walk;
mod words;
