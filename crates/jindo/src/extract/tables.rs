//! The tables: series.csv describes the files, queries.csv the standing of each query, gaps.csv what is missing.
//!
//! For machines: no spreadsheet guards, times in RFC 3339 UTC, rows in the list's order, then by file or time. Rendered
//! query by query; only a small table is ever in memory as a whole.

use super::marks::{Mark, UNFINISHED};
use super::{BufferLimits, CsvTree, Disk, Error, Staged};
use crate::archive::{
    Archive, Gap, GapReason, GivenUp, Granted, QueryId, QueryStanding, QueryStatus, RefusedLine,
    Registered, SeriesFile, StandingFacts,
};
use crate::digest::hex;
use crate::plan::{RETENTION, Window};
use crate::text::{plain, steers};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Remark on a query whose added fill the server refused.
const AS_WRITTEN: &str = "sent as written: the server refuses .fill(null) here";

/// Reason of a gap that the next run asks for.
const NOT_FETCHED: &str = "not fetched yet";

/// Remark on a query that is shown because its data is there, and not because it was asked for last.
const EARLIER: &str = "of an earlier list, as far as that went";

const NO_INTERVAL: &str = "no interval of it begins within the range and is over";

/// Remark on a query whose range was asked whole and that has nothing in the oldest part of it.
const EXPIRED: &str =
    "part of the range was older than the 15 months that Datadog keeps; nothing came from there";

/// Sums of the tables over the queries of the last request's list.
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

/// A table.
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

/// Receiver of a table's pieces, in their order.
pub(super) type Sink<'a> = dyn FnMut(Table, &[u8]) -> Result<(), Error> + 'a;

/// Brings the three tables up to date with the ledger; writes those whose content changes. [`super::update`] all queries
/// first.
///
/// # Errors
/// [`Error::Unfinished`] when files of a query are out of date; others as they come.
pub fn tables(archive: &Archive, disk: &dyn Disk, output: &CsvTree) -> Result<Summary, Error> {
    let _lock = disk.lock().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    let mut rendered = Rendered::of(archive, output, disk.buffer_limits())?;
    let changed = rendered.differing(disk)?;
    if changed.is_empty() {
        return Ok(rendered.summary);
    }
    let made = rendered
        .stage(disk, &changed, |sink| render(archive, output, sink))
        .and_then(|()| publish(disk, &changed));
    if made.is_err() {
        disk.clear();
    }
    made.map(|()| rendered.summary)
}

/// Returns the tables that say something else on the disk than the ledger, or are not there.
pub(super) fn differing(
    archive: &Archive,
    disk: &dyn Disk,
    output: &CsvTree,
) -> Result<Vec<Table>, Error> {
    Rendered::of(archive, output, disk.buffer_limits())?.differing(disk)
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

/// The tables as the ledger has them, hashed and, where they are small, kept.
struct Rendered {
    hashes: [Sha256; Table::ALL.len()],
    /// `None` for a table that is too large.
    kept: [Option<Vec<u8>>; Table::ALL.len()],
    summary: Summary,
}

impl Rendered {
    fn of(archive: &Archive, output: &CsvTree, buffer_limits: BufferLimits) -> Result<Self, Error> {
        let mut hashes = Table::ALL.map(|_| Sha256::new());
        let mut kept = Table::ALL.map(|_| Some(Vec::new()));
        let summary = render(archive, output, &mut |table, rows| {
            hashes[table as usize].update(rows);
            let keeps = |all: &Vec<u8>| all.len() + rows.len() <= buffer_limits.table_bytes_max;
            let all = &mut kept[table as usize];
            *all = all.take().filter(keeps);
            if let Some(all) = all {
                all.extend_from_slice(rows);
            }
            Ok(())
        })?;
        Ok(Self { hashes, kept, summary })
    }

    fn differing(&self, disk: &dyn Disk) -> Result<Vec<Table>, Error> {
        let mut changed = Vec::new();
        for table in Table::ALL {
            let found = disk.sha256(table.path()).map_err(Error::disk("read", table.path()))?;
            if found != Some(hex(&self.hashes[table as usize].clone().finalize())) {
                changed.push(table);
            }
        }
        Ok(changed)
    }

    /// Stages these tables; `again` renders those that were not kept.
    fn stage(
        &mut self,
        disk: &dyn Disk,
        tables: &[Table],
        again: impl FnOnce(&mut Sink<'_>) -> Result<Summary, Error>,
    ) -> Result<(), Error> {
        let mut large = Vec::new();
        for table in tables {
            match self.kept[*table as usize].take() {
                Some(rows) => stage(disk, *table, &rows)?,
                None => large.push(*table),
            }
        }
        if large.is_empty() {
            return Ok(());
        }
        let mut sink = |table: Table, rows: &[u8]| {
            if large.contains(&table) { stage(disk, table, rows) } else { Ok(()) }
        };
        again(&mut sink).map(drop)
    }
}

fn render(archive: &Archive, output: &CsvTree, sink: &mut Sink<'_>) -> Result<Summary, Error> {
    let mut rendering = Rendering::begin(archive, &output.display.timezone, sink)?;
    for line in lines(archive)? {
        let query = match line {
            TableLine::Query(query) => query,
            TableLine::Refused(line) => {
                rendering.refused(&line)?;
                continue;
            }
        };
        let files = match Mark::read(archive, output, query.id)? {
            Mark::Absent => Vec::new(),
            Mark::Made(made) if made.digest != UNFINISHED => made.files,
            Mark::Made(_) | Mark::Stray(_) => {
                return Err(Error::Unfinished { query: query.text.written });
            }
        };
        rendering.query(&query, &files)?;
    }
    Ok(rendering.summary)
}

/// A line of the tables.
pub(super) enum TableLine {
    Query(Box<Registered>),
    Refused(RefusedLine),
}

/// Returns the last request's lines in its order, then the queries of earlier ones.
pub(super) fn lines(archive: &Archive) -> Result<Vec<TableLine>, Error> {
    let queries = archive.queries()?.into_iter().map(|query| TableLine::Query(Box::new(query)));
    let refused = archive.refused_lines()?.into_iter().map(TableLine::Refused);
    let mut lines: Vec<TableLine> = queries.chain(refused).collect();
    lines.sort_by_key(|line| match line {
        TableLine::Query(query) => query.position.unwrap_or(usize::MAX),
        TableLine::Refused(line) => line.position,
    });
    Ok(lines)
}

/// The three tables on their way into a sink, line by line.
pub(super) struct Rendering<'a, 'b> {
    archive: &'a Archive,
    /// IANA name of the zone in which the files' times are.
    timezone: &'a str,
    given_up: BTreeMap<QueryId, Vec<GivenUp>>,
    sink: &'a mut Sink<'b>,
    pub(super) summary: Summary,
}

impl<'a, 'b> Rendering<'a, 'b> {
    pub(super) fn begin(
        archive: &'a Archive,
        timezone: &'a str,
        sink: &'a mut Sink<'b>,
    ) -> Result<Self, Error> {
        let given_up = archive.given_up_by_query()?;
        Table::ALL.into_iter().try_for_each(|table| sink(table, table.header()))?;
        Ok(Self { archive, timezone, given_up, sink, summary: Summary::default() })
    }

    pub(super) fn refused(&mut self, line: &RefusedLine) -> Result<(), Error> {
        self.summary.queries += 1;
        self.summary.refused += 1;
        let status = word(QueryStatus::Refused);
        let row = record([&*line.written, "", status, "0", "0", &*line.reason]);
        (self.sink)(Table::Queries, &row)
    }

    /// Writes the rows of one query in all three tables.
    pub(super) fn query(&mut self, query: &Registered, files: &[SeriesFile]) -> Result<(), Error> {
        let interval = query.text.interval.secs().to_string();
        (self.sink)(Table::Series, &series_rows(query, &interval, files, self.timezone))?;

        let grants = self.archive.grants(query.id)?;
        let covered: Vec<Window> = grants.iter().map(|grant| grant.held.window).collect();
        let points = files.iter().map(|file| file.points).fold(0, u64::saturating_add);
        let standing = QueryStanding::of(&StandingFacts {
            asked: query.asked,
            covered: &covered,
            given_up: self.given_up.get(&query.id).map_or(&[], Vec::as_slice),
            points: Some(points),
        });
        let age = age(&grants, files);
        let reason = match &standing.reason {
            Some(GapReason::TooOld(_)) if query.position.is_none() => EARLIER.to_owned(),
            Some(reason) => missing(query, reason),
            None => remark(query, age).to_owned(),
        };
        let (series, points) = (files.len().to_string(), points.to_string());
        let status = word(standing.status);
        let row = [&query.text.written, &interval, status, &series, &points, &reason];
        (self.sink)(Table::Queries, &record(row))?;
        for Gap { window, reason } in &standing.gaps {
            let (start, end) = (window.start().to_string(), window.end().to_string());
            let row =
                record([&query.text.written, &interval, &start, &end, &missing(query, reason)]);
            (self.sink)(Table::Gaps, &row)?;
        }
        self.summary.add(query, files, standing.status, age);
        Ok(())
    }
}

fn word(status: QueryStatus) -> &'static str {
    match status {
        QueryStatus::Complete => "complete",
        QueryStatus::Empty => "empty",
        QueryStatus::Partial => "partial",
        QueryStatus::GivenUp => "given-up",
        QueryStatus::Refused => "refused",
    }
}

/// Words the reason of a gap.
fn missing(query: &Registered, reason: &GapReason) -> String {
    match reason {
        GapReason::GivenUp(reason) | GapReason::TooOld(reason) => reason.to_string(),
        GapReason::NotFetched if query.position.is_none() => EARLIER.to_owned(),
        GapReason::NotFetched => NOT_FETCHED.to_owned(),
    }
}

/// Words a remark on a query of which nothing is missing; mostly empty.
fn remark(query: &Registered, age: Age) -> &'static str {
    match age {
        _ if query.position.is_none() => EARLIER,
        _ if query.asked.is_none() => NO_INTERVAL,
        Age::Kept if query.instead_of.is_some() => AS_WRITTEN,
        Age::Kept => "",
        Age::Expired => EXPIRED,
    }
}

fn series_rows(
    query: &Registered,
    interval: &str,
    files: &[SeriesFile],
    timezone: &str,
) -> Vec<u8> {
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
            timezone,
        ]));
    }
    rows
}

/// Age of what was asked.
#[derive(Clone, Copy, PartialEq)]
enum Age {
    /// Datadog still had it.
    Kept,
    /// Part of it was older than what Datadog keeps, and nothing came from there.
    Expired,
}

fn age(grants: &[Granted], files: &[SeriesFile]) -> Age {
    // A ledger from elsewhere may say any moment.
    let kept_since =
        |grant: &Granted| grant.fetched_at.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
    let edge = grants
        .iter()
        .filter(|grant| grant.held.window.start() < kept_since(grant))
        .map(kept_since)
        .max();
    let oldest = files.iter().map(|file| file.first).min();
    match edge {
        Some(edge) if oldest.is_none_or(|oldest| oldest >= edge) => Age::Expired,
        _ => Age::Kept,
    }
}

impl Summary {
    /// Adds one query of the list, or of an earlier one.
    fn add(&mut self, query: &Registered, files: &[SeriesFile], status: QueryStatus, age: Age) {
        if query.position.is_none() {
            self.earlier += 1;
            return;
        }
        let without_tag = |tag: &String| tag.ends_with(":N/A");
        self.queries += 1;
        self.series += files.len() as u64;
        self.points = files.iter().map(|file| file.points).fold(self.points, u64::saturating_add);
        match status {
            QueryStatus::Complete => self.complete += 1,
            QueryStatus::Empty => self.empty += 1,
            QueryStatus::Partial => self.partial += 1,
            QueryStatus::GivenUp => self.given_up += 1,
            QueryStatus::Refused => self.refused += 1,
        }
        let whole = matches!(status, QueryStatus::Complete | QueryStatus::Empty);
        self.expired += u64::from(whole && query.asked.is_some() && age == Age::Expired);
        self.untagged += u64::from(files.iter().any(|file| file.tags.iter().any(without_tag)));
    }
}

/// Spells tags as a JSON array in which nothing steers a terminal: it reads back to the same tags.
fn json(tags: &[String]) -> String {
    let text = serde_json::to_string(tags).expect("texts are always JSON");
    let escaped = |c: char| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    if text.contains(steers) { text.chars().map(escaped).collect() } else { text }
}

/// Makes a row, quoted where it has to be. Words of others are made plain.
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
