//! Tests across the library: the shape of the source, and the run under faults and crashes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod archive;
mod extract;
mod simulation;
mod tidy;
mod untrusted;
mod virtual_time;
