//! An object's facts about itself, as JSON in Parquet's key-value metadata: enough to rebuild a lost ledger.
//!
//! A footer is untrusted until [`Footer::parse`] has found it consistent. It never carries a key, only the salted hash of one.

use crate::archive::{Recalled, Role};
use crate::digest::hex;
use crate::plan::Window;
use crate::query::Interval;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Organisation as kept in the ledger and in every footer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::archive) struct KeptOrganisation {
    pub site: String,
    pub org_id: Option<String>,
    /// Oldest first.
    pub key_hashes: Vec<String>,
    pub salt: Option<String>,
}

/// The key of Parquet's key-value metadata under which the footer lies.
pub(in crate::archive) const KEY: &str = "jindo";
/// Hexadecimal digits of an object's name: 128 bits, so that no two of them ever meet.
const NAME_DIGITS: usize = 32;
/// Beginning of the names of answers to probes and samples, which are not among the rows that were asked for.
pub(in crate::archive) const ASIDE: &str = "probes/";
/// Beginning of names that earlier versions gave: readers of Parquet take it for a column.
pub(in crate::archive) const EARLIER: &str = "start=";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::archive) struct Footer {
    pub version: u32,
    /// The jindo that wrote it.
    pub jindo: String,
    /// Owner of the data, if known then.
    pub organisation: Option<KeptOrganisation>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub interval_s: u32,
    pub generation: u32,
    pub fetched_at: Timestamp,
    pub open: bool,
    /// The answer of which these rows are a part that newer ones left, as [`answer_text`] spells it; generation and time are that answer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
    /// Of the row groups, which are the file up to `data_bytes`: what is not ours, or no longer, is not decoded.
    pub data_sha256: String,
    pub data_bytes: usize,
    /// In the order of the call; their row groups follow each other in this order.
    pub queries: Vec<FooterQuery>,
    /// In the order of the rows.
    pub series: Vec<FooterSeries>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::archive) struct FooterQuery {
    pub sent: String,
    pub written: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfilled: Option<String>,
    pub alone: bool,
    /// The form whose fill the server refused, and instead of which this one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    #[serde(default, skip_serializing_if = "is_wanted")]
    pub role: Role,
    pub interval_s: u32,
    pub row_groups: usize,
    pub rows: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_wanted(role: &Role) -> bool {
    *role == Role::Wanted
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::archive) struct FooterSeries {
    /// Counts into `queries`.
    pub query: usize,
    pub metric: String,
    pub tags: Vec<String>,
    pub unit: Option<String>,
    pub points: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl Footer {
    /// Raised when a released jindo's footers change so that an older one would misread them.
    pub(in crate::archive) const VERSION: u32 = 1;

    /// Reads a footer; the text says what is wrong with it.
    pub(in crate::archive) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)
            .map_err(|wrong| format!("its footer is no JSON: {wrong}"))?;
        if version != Self::VERSION {
            let reads = Self::VERSION;
            return Err(format!("its footer has version {version}; this jindo reads {reads}"));
        }
        let footer: Self = serde_json::from_str(text)
            .map_err(|wrong| format!("its footer misses facts: {wrong}"))?;
        footer.check()?;
        Ok(footer)
    }

    fn check(&self) -> Result<(), String> {
        Window::new(self.start, self.end).ok_or("its footer's window is empty")?;
        Interval::from_secs(self.interval_s).ok_or("its footer's interval is 0")?;
        if self.queries.is_empty() {
            return Err("its footer names no query".into());
        }
        let mut points = vec![0_u64; self.queries.len()];
        for series in &self.series {
            let total = points.get_mut(series.query).ok_or("its footer's series is of no query")?;
            let bounds = series.first.zip(series.last);
            if bounds.is_none() != (series.points == 0)
                || bounds.is_some_and(|(first, last)| {
                    first < self.start || first > last || last >= self.end
                })
            {
                return Err("its footer's series has impossible bounds".into());
            }
            *total = total.checked_add(series.points).ok_or("its footer counts beyond reason")?;
        }
        if !self.series.is_sorted_by_key(|series| series.query) {
            return Err("its footer's series are out of order".into());
        }
        for (query, points) in self.queries.iter().zip(points) {
            if query.interval_s != self.interval_s || query.rows != points {
                return Err(format!("its footer contradicts itself about {}", query.sent));
            }
        }
        self.rows().ok_or("its footer counts beyond reason")?;
        Ok(())
    }

    pub(in crate::archive) fn window(&self) -> Window {
        Window::new(self.start, self.end).expect("a footer is parsed or built with a window")
    }

    pub(in crate::archive) fn interval(&self) -> Interval {
        Interval::from_secs(self.interval_s).expect("a footer is parsed or built with an interval")
    }

    /// `None` when the sum is beyond any number of rows.
    pub(in crate::archive) fn rows(&self) -> Option<u64> {
        self.queries.iter().try_fold(0_u64, |sum, query| sum.checked_add(query.rows))
    }

    /// The name that this object has among the rows that were asked for.
    pub(in crate::archive) fn name(&self) -> String {
        let sent = self.queries.iter().map(|query| query.sent.as_str());
        let copy_of = self.copy_of.as_deref();
        named(sent.chain(copy_of), self.interval(), self.window(), self.generation)
    }

    /// Returns true for the names that this object may have, in whatever place.
    pub(in crate::archive) fn is_called(&self, name: &str) -> bool {
        asked_name(name) == self.name()
    }
}

/// The name of the object of an answer, a pure function of what identifies it: `YYYY-MM-DD/<hash>.parquet`, and below `probes/` for
/// queries that only tell something about others.
pub(in crate::archive) fn object_name(
    queries: &[Recalled],
    window: Window,
    generation: u32,
) -> String {
    let first = queries.first().expect("a call asks for something");
    let sent = queries.iter().map(|query| &*query.text.sent);
    let name = named(sent, first.text.interval, window, generation);
    name_for(&name, first.role)
}

/// Returns the same name in the place where objects of that role lie.
pub(in crate::archive) fn name_for(name: &str, role: Role) -> String {
    let name = asked_name(name);
    match role {
        Role::Wanted => name.to_owned(),
        Role::Probe | Role::Sample => format!("{ASIDE}{name}"),
    }
}

/// Returns the path of an object below the archive's root.
pub(in crate::archive) fn place(name: &str) -> String {
    if name.starts_with(ASIDE) { name.to_owned() } else { format!("data/{name}") }
}

/// Spells an answer by its object, alike in every place: the digests of files that earlier versions made hold it.
pub(in crate::archive) fn answer_text(name: &str, sha256: &str) -> String {
    format!("{EARLIER}{} {sha256}", asked_name(name))
}

/// Strips what a name begins with for its place.
fn asked_name(name: &str) -> &str {
    [EARLIER, ASIDE].iter().find_map(|place| name.strip_prefix(place)).unwrap_or(name)
}

fn named<'a>(
    sent: impl Iterator<Item = &'a str>,
    interval: Interval,
    window: Window,
    generation: u32,
) -> String {
    let mut hash = Sha256::new();
    for number in [interval.secs(), window.start_s(), window.end_s(), i64::from(generation)] {
        hash.update(number.to_be_bytes());
    }
    for query in sent {
        // Length first: no two lists of queries make the same bytes.
        hash.update(query.len().to_be_bytes());
        hash.update(query.as_bytes());
    }
    let digits = hex(&hash.finalize());
    format!("{}/{}.parquet", window.start().strftime("%Y-%m-%d"), &digits[..NAME_DIGITS])
}

/// Returns true for a name shaped as [`object_name`] shapes them, or earlier versions: plain names, which lead nowhere else.
pub(in crate::archive) fn is_object_name(name: &str) -> bool {
    let parts = asked_name(name).strip_suffix(".parquet").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(date, hash)| {
        !date.is_empty()
            && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            && hash.len() == NAME_DIGITS
            && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
