//! The simulator's counters, for tests of a client. `GET /sim/stats` shows them as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rate::RateWindow;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls of the two query endpoints that reached the rate limit: let through, refused or broken.
    pub query_calls: u64,
    /// Queries in the calls that the rate limit let through.
    pub queries: u64,
    /// The most queries in one call.
    pub queries_per_call_max: u64,
    /// All calls by route; unknown paths count as `other`.
    pub calls_by_path: BTreeMap<String, u64>,
    /// Answers whose status line was sent.
    pub answers_by_status: BTreeMap<u16, u64>,
    /// Injected faults by [`crate::Fault::name`].
    pub faults_by_kind: BTreeMap<String, u64>,
    /// One entry per limit and window, oldest first.
    pub rate_windows: Vec<RateWindow>,
    /// Points in whole 200 answers; nulls do not count.
    pub points: u64,
    /// Bytes of bodies as sent, compressed.
    pub bytes: u64,
}

impl Stats {
    /// Returns the number of injected faults.
    pub fn faults(&self) -> u64 {
        self.faults_by_kind.values().sum()
    }

    /// Returns the body of `GET /sim/stats`: the fields and the number of faults.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::json!(self);
        json["faults"] = self.faults().into();
        json.to_string()
    }
}
