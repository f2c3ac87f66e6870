//! series.csv, queries.csv and gaps.csv: what the files are, how each query stands, and what is missing.
//!
//! For machines: no spreadsheet guards, times in RFC 3339 UTC, rows in the list's order, then by file or time. Rendered
//! query by query; the whole table is never in memory.

use super::publish::{Disk, Staged};
use super::source::{Extracted, Grant, RefusedLine, SeriesFile, Source};
use super::update::UNFINISHED;
use super::{Error, Shown, hex};
use crate::archive::Registered;
use crate::plan::{RETENTION, Window};
use crate::text::{plain, steers};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Of a query whose added fill the server refused.
const AS_WRITTEN: &str = "sent as written: the server refuses .fill(null) here";

/// Why a stretch is missing that nobody gave up.
const NOT_FETCHED: &str = "not fetched yet";

/// Of a query that is shown because its data is there, and not because it was asked for last.
const EARLIER: &str = "of an earlier list, as far as that went";

const NO_INTERVAL: &str = "no interval of it begins within the range and is over";

/// Why a query whose range was asked whole may have nothing in the oldest part of it.
const EXPIRED: &str =
    "part of the range was older than the 15 months that Datadog keeps; nothing came from there";

/// What the tables say, added up over the queries of the last request's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub queries: u64,
    pub series: u64,
    pub points: u64,
    /// Fetched whole, with at least one point.
    pub complete: u64,
    /// Fetched whole, without a point.
    pub empty: u64,
    /// With stretches not fetched yet.
    pub partial: u64,
    pub given_up: u64,
    /// Complete or empty, and nothing came from what was older than Datadog keeps.
    pub expired: u64,
    /// Lines that were left out.
    pub refused: u64,
    /// Queries with a group `N/A`: sources without the tag.
    pub untagged: u64,
    /// Queries of earlier lists, whose files are shown too. Counted in nothing else.
    pub earlier: u64,
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Series,
    Queries,
    Gaps,
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Series, Self::Queries, Self::Gaps];

    /// Relative to DIR.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Series => "series.csv",
            Self::Queries => "queries.csv",
            Self::Gaps => "gaps.csv",
        }
    }

    fn header(self) -> &'static [u8] {
        match self {
            Self::Series => {
                b"file,query,metric,tags,unit,interval_seconds,first,last,points,timezone\n"
            }
            Self::Queries => b"query,interval_seconds,status,series,points,reason\n",
            Self::Gaps => b"query,interval_seconds,start,end,reason\n",
        }
    }
}

/// Takes a piece of a table; pieces follow one another.
pub(super) type Sink<'a> = dyn FnMut(Table, &[u8]) -> Result<(), Error> + 'a;

/// Brings the three tables up to date with the ledger; writes those whose content changes. [`super::update`] all queries
/// first.
pub fn tables(source: &impl Source, disk: &dyn Disk, shown: &Shown) -> Result<Summary, Error> {
    let _turn = disk.turn().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    let (summary, changed) = differing(source, disk, shown)?;
    if changed.is_empty() {
        return Ok(summary);
    }
    let mut sink = |table: Table, rows: &[u8]| {
        if changed.contains(&table) { stage(disk, table, rows) } else { Ok(()) }
    };
    let made = render(source, shown, &mut sink).and_then(|_| publish(disk, &changed));
    if made.is_err() {
        disk.clear();
    }
    made.map(|()| summary)
}

pub(super) fn stage(disk: &dyn Disk, table: Table, rows: &[u8]) -> Result<(), Error> {
    disk.append(Staged(table as u64), rows).map_err(Error::disk("stage", table.path()))
}

/// Moves staged tables into place and makes everything durable.
pub(super) fn publish(disk: &dyn Disk, tables: &[Table]) -> Result<(), Error> {
    for table in tables {
        let publish = disk.publish(Staged(*table as u64), table.path());
        publish.map_err(Error::disk("publish", table.path()))?;
    }
    disk.sync().map_err(Error::disk("sync", "the tables"))?;
    disk.end().map_err(Error::disk("remove", "the staging folder"))
}

/// What the tables say, and those that say something else on the disk, or are not there.
pub(super) fn differing(
    source: &impl Source,
    disk: &dyn Disk,
    shown: &Shown,
) -> Result<(Summary, Vec<Table>), Error> {
    let mut hashes = Table::ALL.map(|_| Sha256::new());
    let summary = render(source, shown, &mut |table, rows| {
        hashes[table as usize].update(rows);
        Ok(())
    })?;
    let mut changed = Vec::new();
    for (table, hash) in Table::ALL.into_iter().zip(hashes) {
        let found = disk.sha256(table.path()).map_err(Error::disk("read", table.path()))?;
        if found != Some(hex(&hash.finalize())) {
            changed.push(table);
        }
    }
    Ok((summary, changed))
}

fn render(source: &impl Source, shown: &Shown, sink: &mut Sink<'_>) -> Result<Summary, Error> {
    let mut rendering = Rendering::begin(shown, sink)?;
    for line in lines(source)? {
        let query = match line {
            Line::Query(query) => query,
            Line::Refused(line) => {
                rendering.refused(&line)?;
                continue;
            }
        };
        let files = match source.extracted(query.id).map_err(Error::Archive)? {
            None => Vec::new(),
            Some(Extracted { digest, .. }) if digest == UNFINISHED => {
                return Err(Error::Unfinished { query: query.text.written });
            }
            Some(Extracted { files, .. }) => files,
        };
        rendering.query(source, &query, &files)?;
    }
    Ok(rendering.summary)
}

/// A line of the tables.
pub(super) enum Line {
    Query(Box<Registered>),
    Refused(RefusedLine),
}

/// The last request's lines in its order, then the queries of earlier ones.
pub(super) fn lines(source: &impl Source) -> Result<Vec<Line>, Error> {
    let queries = source
        .queries()
        .map_err(Error::Archive)?
        .into_iter()
        .map(|query| Line::Query(Box::new(query)));
    let refused = source.refused().map_err(Error::Archive)?.into_iter().map(Line::Refused);
    let mut lines: Vec<Line> = queries.chain(refused).collect();
    lines.sort_by_key(|line| match line {
        Line::Query(query) => query.position.unwrap_or(usize::MAX),
        Line::Refused(line) => line.position,
    });
    Ok(lines)
}

/// The three tables on their way into a sink, line by line.
pub(super) struct Rendering<'a, 'b> {
    shown: &'a Shown,
    sink: &'a mut Sink<'b>,
    pub(super) summary: Summary,
}

impl<'a, 'b> Rendering<'a, 'b> {
    pub(super) fn begin(shown: &'a Shown, sink: &'a mut Sink<'b>) -> Result<Self, Error> {
        Table::ALL.into_iter().try_for_each(|table| sink(table, table.header()))?;
        Ok(Self { shown, sink, summary: Summary::default() })
    }

    pub(super) fn refused(&mut self, line: &RefusedLine) -> Result<(), Error> {
        self.summary.queries += 1;
        self.summary.refused += 1;
        let row = record([&*line.written, "", "refused", "0", "0", &*line.reason]);
        (self.sink)(Table::Queries, &row)
    }

    /// The rows of one query in all three tables.
    pub(super) fn query(
        &mut self,
        source: &impl Source,
        query: &Registered,
        files: &[SeriesFile],
    ) -> Result<(), Error> {
        let interval = query.text.interval.secs().to_string();
        (self.sink)(Table::Series, &series_rows(query, &interval, files, self.shown))?;

        let grants = source.grants(query.id).map_err(Error::Archive)?;
        let covered: Vec<Window> = grants.iter().map(|grant| grant.window).collect();
        let gaps = query.gaps(&covered);
        let given_up = query.given_up.as_ref().map(ToString::to_string);
        let standing =
            Standing::of(query, &gaps, files, (age(&grants, files), given_up.as_deref()));
        let (series, points) = (files.len().to_string(), standing.points.to_string());
        let status = standing.status.word();
        let row = [&query.text.written, &interval, status, &series, &points, standing.reason];
        (self.sink)(Table::Queries, &record(row))?;
        for (gap, reason) in reasons(query, &gaps, standing.reason) {
            let (start, end) = (gap.start().to_string(), gap.end().to_string());
            let row = record([&query.text.written, &interval, &start, &end, reason]);
            (self.sink)(Table::Gaps, &row)?;
        }
        self.summary.add(query, &standing, files);
        Ok(())
    }
}

/// The gaps, cut where the server refuses what is older, each with its reason.
fn reasons<'a>(query: &'a Registered, gaps: &[Window], reason: &'a str) -> Vec<(Window, &'a str)> {
    let Some((until, words)) = &query.too_old else {
        return gaps.iter().map(|&gap| (gap, reason)).collect();
    };
    let younger = if query.given_up.is_some() { reason } else { NOT_FETCHED };
    let mut cut = Vec::new();
    for gap in gaps {
        let (start, end) = (gap.start(), gap.end());
        cut.extend(Window::new(start, end.min(*until)).map(|old| (old, words.as_str())));
        cut.extend(Window::new(start.max(*until), end).map(|young| (young, younger)));
    }
    cut
}

fn series_rows(query: &Registered, interval: &str, files: &[SeriesFile], shown: &Shown) -> Vec<u8> {
    let mut rows = Vec::new();
    for file in files {
        let tags = json(&file.tags);
        rows.extend_from_slice(&record([
            &file.path,
            &query.text.written,
            &file.metric,
            &tags,
            file.unit.as_deref().unwrap_or_default(),
            interval,
            &file.first.to_string(),
            &file.last.to_string(),
            &file.points.to_string(),
            &shown.timezone,
        ]));
    }
    rows
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Complete,
    Empty,
    Partial,
    GivenUp,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Empty => "empty",
            Self::Partial => "partial",
            Self::GivenUp => "given-up",
        }
    }
}

/// How a query stands.
struct Standing<'a> {
    status: Status,
    /// Why something is or may be missing; empty when nothing is.
    reason: &'a str,
    points: u64,
}

impl<'a> Standing<'a> {
    /// A reason of earlier does not matter once nothing is missing.
    fn of(
        query: &'a Registered,
        gaps: &[Window],
        files: &[SeriesFile],
        (age, given_up): (Age, Option<&'a str>),
    ) -> Self {
        let points = files.iter().map(|file| file.points).fold(0, u64::saturating_add);
        let whole = match age {
            _ if query.position.is_none() => EARLIER,
            _ if query.asked.is_none() => NO_INTERVAL,
            Age::Kept if query.instead_of.is_some() => AS_WRITTEN,
            Age::Kept => "",
            Age::Expired => EXPIRED,
        };
        let (status, reason) = match (gaps.is_empty(), points, given_up) {
            (true, 0, _) => (Status::Empty, whole),
            (true, _, _) => (Status::Complete, whole),
            (false, _, Some(reason)) => (Status::GivenUp, reason),
            (false, _, None) if query.position.is_none() => (Status::Partial, EARLIER),
            (false, _, None) => (Status::Partial, not_fetched(query, gaps)),
        };
        Self { status, reason, points }
    }
}

/// Why nothing came from the gaps of a query that was not given up.
fn not_fetched<'a>(query: &'a Registered, gaps: &[Window]) -> &'a str {
    let all_old = |until| gaps.iter().all(|gap| gap.end() <= until);
    match &query.too_old {
        Some((until, words)) if all_old(*until) => words,
        _ => NOT_FETCHED,
    }
}

/// Whether silence may only mean that the points are no longer kept.
#[derive(Clone, Copy, PartialEq)]
enum Age {
    Kept,
    Expired,
}

/// Expired: asked for times that were older than what Datadog keeps, and nothing came from there.
fn age(grants: &[Grant], files: &[SeriesFile]) -> Age {
    // A ledger from elsewhere may say any moment.
    let kept_since =
        |grant: &Grant| grant.fetched_at.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
    let edge = grants
        .iter()
        .filter(|grant| grant.window.start() < kept_since(grant))
        .map(kept_since)
        .max();
    let oldest = files.iter().map(|file| file.first).min();
    match edge {
        Some(edge) if oldest.is_none_or(|oldest| oldest >= edge) => Age::Expired,
        _ => Age::Kept,
    }
}

impl Summary {
    /// One query of the list, or of an earlier one.
    fn add(&mut self, query: &Registered, standing: &Standing<'_>, files: &[SeriesFile]) {
        if query.position.is_none() {
            self.earlier += 1;
            return;
        }
        let without_tag = |tag: &String| tag.ends_with(":N/A");
        self.queries += 1;
        self.series += files.len() as u64;
        self.points = self.points.saturating_add(standing.points);
        match standing.status {
            Status::Complete => self.complete += 1,
            Status::Empty => self.empty += 1,
            Status::Partial => self.partial += 1,
            Status::GivenUp => self.given_up += 1,
        }
        self.expired += u64::from(standing.reason == EXPIRED);
        self.untagged += u64::from(files.iter().any(|file| file.tags.iter().any(without_tag)));
    }
}

/// Tags as a JSON array in which nothing steers a terminal: it reads back to the same tags.
fn json(tags: &[String]) -> String {
    let text = serde_json::to_string(tags).expect("texts are always JSON");
    let escaped = |c: char| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    if text.contains(steers) { text.chars().map(escaped).collect() } else { text }
}

/// One row, quoted where it has to be. Words of others are made plain.
fn record<const N: usize>(fields: [&str; N]) -> Vec<u8> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer
        .write_record(fields.map(|field| plain(field, &[]).into_owned()))
        .expect("a Vec takes every row, and one row has one length");
    writer.into_inner().expect("a Vec is always flushed")
}

#[cfg(test)]
mod tests {
    use super::{json, record};

    #[test]
    fn what_others_wrote_steers_no_terminal() {
        let tags = ["host:\u{9b}31m\u{202e}".to_owned(), "a:\u{1b}é".to_owned()];
        let text = json(&tags);
        assert_eq!(text, r#"["host:\u009b31m\u202e","a:\u001bé"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), tags);
        assert_eq!(record(["a\u{9b}", "b\r\n"]), "a\u{fffd},b\u{fffd}\u{fffd}\n".as_bytes());
    }
}
