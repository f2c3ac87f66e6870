//! An object's facts about itself, as JSON in Parquet's key-value metadata: enough to rebuild a lost ledger.
//!
//! A footer is untrusted until [`Footer::parse`] has found it consistent. It never carries a key, only the salted hash of one.

use super::archive_id::ArchiveId;
use crate::archive::{Recalled, Role};
use crate::digest::{hex, sha256};
use crate::packed_tags::PackedTags;
use crate::parse::SeriesMetadata;
use crate::plan::Window;
use crate::query::{Interval, MetricTypes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::sync::Arc;

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
/// Bytes of Parquet's mark before the first row group.
const MARK_BYTES: usize = 4;
/// Hexadecimal digits of an object's name: 128 bits, so that no two of them ever meet.
const NAME_DIGITS: usize = 32;
/// Beginning of the names of answers to probes and samples, which are not among the rows that were asked for.
pub(in crate::archive) const ASIDE: &str = "probes/";
/// Beginning of names that earlier versions gave: readers of Parquet take it for a column.
pub(in crate::archive) const EARLIER: &str = "start=";

/// Its series are those that were read, or those that are about to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::archive) struct Footer<S = FooterSeries> {
    pub version: u32,
    /// The jindo that wrote it.
    pub jindo: String,
    /// Owner of the data, if known then.
    pub organisation: Option<KeptOrganisation>,
    /// The archive of which it is an object; `None` in footers of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveId>,
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
    /// Of each row group, so that a damage has a place; none in footers of version 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<FooterGroup>,
    /// In the order of the call; their row groups follow each other in this order.
    pub queries: Vec<FooterQuery>,
    /// In the order of the rows.
    pub series: Vec<S>,
    /// The distinct metadata of the series.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "shared")]
    pub metadata: Vec<Arc<SeriesMetadata>>,
}

/// A row group, which lies right behind the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::archive) struct FooterGroup {
    pub bytes: usize,
    /// Hex.
    pub sha256: String,
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
    /// Types of its metrics by which it was rewritten.
    #[serde(default, skip_serializing_if = "MetricTypes::is_empty")]
    pub types: MetricTypes,
    /// Types that the user assumed for the others.
    #[serde(default, skip_serializing_if = "MetricTypes::is_empty")]
    pub assumed_types: MetricTypes,
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
    pub tags: PackedTags,
    pub unit: Option<String>,
    pub points: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Counts into `metadata`; `None`: the server said nothing else, or version 1 did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<usize>,
}

/// Metadata in a footer and in memory: there the series share it.
mod shared {
    use super::{Arc, Deserialize as _, SeriesMetadata};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        all: &[Arc<SeriesMetadata>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|one| &**one))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<SeriesMetadata>>, D::Error> {
        let all = Vec::<SeriesMetadata>::deserialize(from)?;
        Ok(all.into_iter().map(Arc::new).collect())
    }
}

/// An entry of a footer, from an answer that still holds its texts: there may be much of them.
#[derive(Debug, Serialize)]
pub(in crate::archive) struct WrittenSeries<'a> {
    pub query: usize,
    pub metric: &'a str,
    pub tags: &'a [String],
    pub unit: Option<&'a str>,
    pub points: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<usize>,
}

impl<S> Footer<S> {
    /// Returns the same footer with other series.
    pub(in crate::archive) fn with_series<T>(self, series: Vec<T>) -> Footer<T> {
        Footer {
            version: self.version,
            jindo: self.jindo,
            organisation: self.organisation,
            archive: self.archive,
            start: self.start,
            end: self.end,
            interval_s: self.interval_s,
            generation: self.generation,
            fetched_at: self.fetched_at,
            open: self.open,
            copy_of: self.copy_of,
            data_sha256: self.data_sha256,
            data_bytes: self.data_bytes,
            groups: self.groups,
            queries: self.queries,
            series,
            metadata: self.metadata,
        }
    }
}

impl Footer {
    /// Raised when a released jindo's footers change so that an older one would misread them.
    pub(in crate::archive) const VERSION: u32 = 2;
    /// The oldest version that is read: without hashes of row groups, metadata of series and types of metrics.
    const VERSION_MIN: u32 = 1;

    /// Reads a footer; the text says what is wrong with it.
    pub(in crate::archive) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)
            .map_err(|wrong| format!("its footer is no JSON: {wrong}"))?;
        let (oldest, newest) = (Self::VERSION_MIN, Self::VERSION);
        if !(oldest..=newest).contains(&version) {
            let reads = format!("{oldest} to {newest}");
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
        if self.version > Self::VERSION_MIN && self.archive.is_none() {
            return Err("its footer names no archive".into());
        }
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
        for (query, points) in self.queries.iter().zip(points) {
            if query.interval_s != self.interval_s || query.rows != points {
                return Err(format!("its footer contradicts itself about {}", query.sent));
            }
        }
        self.check_groups()?;
        self.check_metadata()
    }

    /// Checks that the row groups that are named fill the data.
    fn check_groups(&self) -> Result<(), String> {
        if self.version == Self::VERSION_MIN && self.groups.is_empty() {
            return Ok(());
        }
        let bytes = |sum: usize, group: &FooterGroup| sum.checked_add(group.bytes);
        let groups = |sum: usize, query: &FooterQuery| sum.checked_add(query.row_groups);
        let fills = self.groups.iter().try_fold(MARK_BYTES, bytes) == Some(self.data_bytes);
        if fills && self.queries.iter().try_fold(0, groups) == Some(self.groups.len()) {
            return Ok(());
        }
        Err("its footer's row groups are not its data".into())
    }

    fn check_metadata(&self) -> Result<(), String> {
        let needed: Vec<usize> = self.metadata.iter().map(|one| one.tags_needed()).collect();
        let fits = |series: &FooterSeries| {
            series.metadata.is_none_or(|at| {
                needed.get(at).is_some_and(|n| *n == 0 || *n <= series.tags.unpacked().len())
            })
        };
        if self.series.iter().all(fits) {
            return Ok(());
        }
        Err("its footer's series has metadata of another".into())
    }

    /// Returns where the bytes of each row group lie, with the query of which it is.
    fn places(&self) -> impl Iterator<Item = (Range<usize>, &FooterGroup, &FooterQuery)> {
        let of = self.queries.iter().flat_map(|query| (0..query.row_groups).map(move |_| query));
        self.groups.iter().zip(of).scan(MARK_BYTES, |from, (group, query)| {
            let place = *from..*from + group.bytes;
            *from = place.end;
            Some((place, group, query))
        })
    }

    /// Returns the places of the row groups that are not as they were written, as far as the footer knows them.
    pub(in crate::archive) fn damage(&self, data: &[u8]) -> Vec<String> {
        let is_whole = |place: &Range<usize>, group: &FooterGroup| {
            data.get(place.clone()).is_some_and(|bytes| sha256(bytes) == group.sha256)
        };
        let groups = self.groups.len();
        let damaged =
            self.places().enumerate().filter(|(_, (place, group, _))| !is_whole(place, group));
        damaged
            .map(|(index, (place, _, query))| {
                let Range { start, end } = place;
                format!(
                    "row group {} of {groups}, bytes {start} to {end}, of {}",
                    index + 1,
                    query.sent
                )
            })
            .collect()
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
        let place = ObjectPlace {
            archive: self.archive,
            interval: self.interval(),
            window: self.window(),
            generation: self.generation,
        };
        place.name_of(sent.chain(copy_of))
    }

    /// Returns true for the names that this object may have, in whatever place.
    pub(in crate::archive) fn is_called(&self, name: &str) -> bool {
        asked_name(name) == self.name()
    }
}

/// The name of the object of an answer, a pure function of what identifies it: `YYYY-MM-DD/<hash>.parquet`, and below `probes/` for
/// queries that only tell something about others.
pub(in crate::archive) fn object_name(
    archive: Option<ArchiveId>,
    queries: &[Recalled],
    window: Window,
    generation: u32,
) -> String {
    let first = queries.first().expect("a call asks for something");
    let sent = queries.iter().map(|query| &*query.text.sent);
    let place = ObjectPlace { archive, interval: first.text.interval, window, generation };
    name_for(&place.name_of(sent), first.role)
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

/// Identity of an answer but for its queries.
struct ObjectPlace {
    /// `None`: named as earlier versions did.
    archive: Option<ArchiveId>,
    interval: Interval,
    window: Window,
    generation: u32,
}

impl ObjectPlace {
    fn name_of<'a>(&self, sent: impl Iterator<Item = &'a str>) -> String {
        let Self { archive, interval, window, generation } = self;
        let mut hash = Sha256::new();
        if let Some(archive) = archive {
            hash.update(archive.bytes());
        }
        for number in [interval.secs(), window.start_s(), window.end_s(), i64::from(*generation)] {
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
