//! The simulator's counters, for tests of a client. `GET /sim/stats` shows them as JSON.

use std::collections::BTreeMap;

use crate::json;
use crate::rate::RateWindow;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// Returns the body of `GET /sim/stats`.
    pub fn to_json(&self) -> String {
        let number = |n: u64| n.to_string().into_bytes();
        let out = json::text(|out| {
            json::members(
                out,
                &[
                    ("query_calls", number(self.query_calls)),
                    ("queries", number(self.queries)),
                    ("queries_per_call_max", number(self.queries_per_call_max)),
                    ("calls_by_path", counts(&self.calls_by_path)),
                    ("answers_by_status", counts(&self.answers_by_status)),
                    ("faults", number(self.faults())),
                    ("faults_by_kind", counts(&self.faults_by_kind)),
                    ("rate_windows", json::text(|out| json::list(out, &self.rate_windows, window))),
                    ("points", number(self.points)),
                    ("bytes", number(self.bytes)),
                ],
            );
        });
        String::from_utf8(out).expect("JSON is written as UTF-8")
    }
}

/// Returns an object of counts by key.
fn counts<K: ToString>(counts: &BTreeMap<K, u64>) -> Vec<u8> {
    let named: Vec<(String, u64)> = counts.iter().map(|(key, n)| (key.to_string(), *n)).collect();
    let members: Vec<(&str, Vec<u8>)> =
        named.iter().map(|(key, n)| (key.as_str(), n.to_string().into_bytes())).collect();
    json::text(|out| json::members(out, &members))
}

/// Appends one rate window.
fn window(out: &mut Vec<u8>, window: &RateWindow) {
    json::members(
        out,
        &[
            ("name", json::text(|out| json::string(out, &window.name))),
            ("start", window.start_s.to_string().into_bytes()),
            ("period", window.period_s.to_string().into_bytes()),
            ("limit", window.limit.to_string().into_bytes()),
            ("used", window.used.to_string().into_bytes()),
            ("refused", window.refused.to_string().into_bytes()),
        ],
    );
}
