//! What the simulator counted: the numbers on which tests of a client rest. `GET /sim/stats` shows them as JSON.

use std::collections::BTreeMap;

use crate::json;
use crate::rate::RateWindow;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of the two query endpoints that reached the rate limit: let through, refused or broken.
    pub query_calls: u64,
    /// Queries in them.
    pub queries: u64,
    /// The most queries in one call.
    pub queries_per_call_max: u64,
    /// All calls, by route; unknown paths count as `other`.
    pub calls_by_path: BTreeMap<String, u64>,
    /// Answers whose status was sent.
    pub answers_by_status: BTreeMap<u16, u64>,
    /// Faults injected, by [`crate::Fault::name`].
    pub faults_by_kind: BTreeMap<String, u64>,
    pub rate_windows: Vec<RateWindow>,
    /// Points in whole 200 answers; nulls do not count.
    pub points: u64,
    /// Bytes of bodies as sent, compressed.
    pub bytes: u64,
}

impl Stats {
    /// Faults of all kinds.
    pub fn faults(&self) -> u64 {
        self.faults_by_kind.values().sum()
    }

    /// As `GET /sim/stats` shows it.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        let number =
            |n: u64| move |out: &mut Vec<u8>| out.extend_from_slice(n.to_string().as_bytes());
        json::object(
            &mut out,
            &[
                ("query_calls", &number(self.query_calls)),
                ("queries", &number(self.queries)),
                ("queries_per_call_max", &number(self.queries_per_call_max)),
                ("calls_by_path", &|out| counts(out, &self.calls_by_path)),
                ("answers_by_status", &|out| counts(out, &self.answers_by_status)),
                ("faults", &number(self.faults())),
                ("faults_by_kind", &|out| counts(out, &self.faults_by_kind)),
                ("rate_windows", &|out| json::list(out, &self.rate_windows, window)),
                ("points", &number(self.points)),
                ("bytes", &number(self.bytes)),
            ],
        );
        String::from_utf8(out).expect("JSON is written as UTF-8")
    }
}

fn counts<K: ToString>(out: &mut Vec<u8>, counts: &BTreeMap<K, u64>) {
    out.push(b'{');
    for (i, (key, count)) in counts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        json::string(out, &key.to_string());
        out.extend_from_slice(format!(":{count}").as_bytes());
    }
    out.push(b'}');
}

fn window(out: &mut Vec<u8>, window: &RateWindow) {
    let number = |n: u64| move |out: &mut Vec<u8>| out.extend_from_slice(n.to_string().as_bytes());
    json::object(
        out,
        &[
            ("name", &|out| json::string(out, &window.name)),
            ("start", &number(window.start_s)),
            ("period", &number(window.period_s.into())),
            ("limit", &number(window.limit.into())),
            ("used", &number(window.used.into())),
            ("refused", &number(window.refused.into())),
        ],
    );
}
