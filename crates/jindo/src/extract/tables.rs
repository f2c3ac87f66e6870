//! The tables: series.csv describes the files, queries.csv the standing of each query, gaps.csv what is missing.
//!
//! For machines: no spreadsheet guards, times in RFC 3339 UTC, rows in the list's order, then by file or time. Rendered
//! query by query; only a small table is ever in memory as a whole.

use super::disk::SET_ASIDE;
use super::selection::{ShownQuery, View};
use super::staging::with_staging;
use super::update::{Mark, UNFINISHED};
use super::{CsvTree, Disk, Error, Staged, Staging};
use crate::archive::{
    Archive, Gap, GapReason, GivenUp, Granted, QueryId, QueryStanding, QueryStatus, RefusedLine,
    SeriesFile, StandingFacts,
};
use crate::digest::hex;
use crate::plan::{RETENTION, Window};
use crate::text::{plain, steers};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Remark on a query whose added fill the server refused.
const AS_WRITTEN: &str = "sent as written: the server refuses .fill(null) here";

/// Reason of a gap that the next run asks for.
const NOT_FETCHED: &str = "not fetched yet";

/// Reason of a gap in a part of the archive: no run that is to come asks for it.
const NOT_HELD: &str = "not in the archive";

const NO_INTERVAL: &str = "no interval of it begins within the range and is over";

/// Remark on a query of which nothing was asked long enough after its time.
const NOT_CLOSED: &str = "not closed yet: points may still be reported late";

/// Remark on a query whose range was asked whole and that has nothing in the oldest part of it.
const EXPIRED: &str = "part of the range was older than the 15 months that Datadog usually keeps; nothing came from there";

/// Sums of the tables over the queries shown.
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
    /// Files in `set-aside/`: others lay in the way.
    pub set_aside: u64,
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
        ["series.csv", "queries.csv", "gaps.csv"][self as usize]
    }

    pub(super) fn header(self) -> &'static [u8] {
        match self {
            Self::Series => {
                b"file,query,metric,tags,unit,interval_seconds,first,last,points,timezone\n"
            }
            Self::Queries => {
                b"query,interval_seconds,status,series,points,from,to,first,last,reason\n"
            }
            Self::Gaps => b"query,interval_seconds,start,end,reason\n",
        }
    }

    /// Returns true for a table as an earlier version wrote it, with fewer columns.
    pub(super) fn is_of_earlier_version(self, disk: &dyn Disk) -> Result<bool, Error> {
        let earlier: &[u8] = match self {
            Self::Queries => b"query,interval_seconds,status,series,points,reason\n",
            Self::Series | Self::Gaps => return Ok(false),
        };
        disk.begins_with(self.path(), earlier).map_err(Error::disk("read", self.path()))
    }
}

/// Brings the three tables up to date with the ledger; writes those whose content changes. [`super::update`] all queries
/// first.
///
/// # Errors
/// [`Error::Unfinished`] when files of a query are out of date; others as they come.
pub fn tables(archive: &Archive, disk: &dyn Disk, output: &CsvTree) -> Result<Summary, Error> {
    with_staging(disk, || {
        let (mut summary, changed) = differing(archive, disk, output)?;
        let set_aside = disk.walk(SET_ASIDE).map_err(Error::disk("list", SET_ASIDE))?;
        summary.set_aside = set_aside.len() as u64;
        if changed.is_empty() {
            return Ok(summary);
        }
        let mut number = 0;
        let mut staged = StagedTables::new(disk, &mut number);
        let mut sink = |table: Table, rows: &[u8]| {
            if changed.contains(&table) { staged.append(table, rows) } else { Ok(()) }
        };
        render_marked(archive, output, &mut sink)?;
        staged.publish(&changed)?;
        Ok(summary)
    })
}

/// Returns the tables that say something else on the disk than the ledger, or are not there.
pub(super) fn differing(
    archive: &Archive,
    disk: &dyn Disk,
    output: &CsvTree,
) -> Result<(Summary, Vec<Table>), Error> {
    let mut hashes = Table::ALL.map(|_| Sha256::new());
    let summary = render_marked(archive, output, &mut |table, rows| {
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

/// Tables that grow in the staging folder, under its first numbers.
pub(super) struct StagedTables<'a> {
    disk: &'a dyn Disk,
    staging: Staging<'a>,
}

impl<'a> StagedTables<'a> {
    pub(super) fn new(disk: &'a dyn Disk, number: &'a mut u64) -> Self {
        let mut staging = Staging::new(disk, number);
        for table in Table::ALL {
            staging.create(table.path().to_owned());
        }
        Self { disk, staging }
    }

    pub(super) fn append(&mut self, table: Table, rows: &[u8]) -> Result<(), Error> {
        self.staging.append(table as usize, |out| out.extend_from_slice(rows))
    }

    /// Moves these tables into place and makes everything durable.
    pub(super) fn publish(self, tables: &[Table]) -> Result<(), Error> {
        let Self { disk, mut staging } = self;
        staging.flush()?;
        for table in tables {
            let published = disk.publish(Staged(*table as u64), table.path());
            published.map_err(Error::disk("publish", table.path()))?;
        }
        disk.sync().map_err(Error::disk("sync", "the tables"))?;
        disk.end().map_err(Error::disk("remove", "the staging folder"))
    }
}

/// Renders the tables with the files that the ledger's marks name.
fn render_marked(
    archive: &Archive,
    output: &CsvTree,
    sink: &mut Sink<'_>,
) -> Result<Summary, Error> {
    let mut marked = |shown: &ShownQuery| match Mark::read(archive, output, shown.query.id)? {
        Mark::Absent => Ok(Vec::new()),
        Mark::Made(made) if made.digest != UNFINISHED => Ok(made.files),
        Mark::Made(_) | Mark::Stray(_) => {
            Err(Error::Unfinished { query: shown.query.text.written.clone() })
        }
    };
    let rendering = Rendering::of(archive, View::of_directory(archive)?, &output.display.timezone);
    rendering?.render(&mut marked, sink)
}

/// Receiver of a table's pieces, in their order.
pub(super) type Sink<'a> = dyn FnMut(Table, &[u8]) -> Result<(), Error> + 'a;

/// Source of a query's files.
pub(super) type FilesOf<'a> = dyn FnMut(&ShownQuery) -> Result<Vec<SeriesFile>, Error> + 'a;

/// The three tables on their way into a sink, line by line.
pub(super) struct Rendering<'a> {
    archive: &'a Archive,
    view: View<'a>,
    timezone: &'a str,
    given_up: BTreeMap<QueryId, Vec<GivenUp>>,
    summary: Summary,
}

impl<'a> Rendering<'a> {
    /// `timezone` is the IANA name of the zone in which the files' times are.
    pub(super) fn of(
        archive: &'a Archive,
        view: View<'a>,
        timezone: &'a str,
    ) -> Result<Self, Error> {
        let (given_up, summary) = (archive.given_up_by_query()?, Summary::default());
        Ok(Self { archive, view, timezone, given_up, summary })
    }

    /// Renders the lines of the list in its order, and of a part of the archive the queries of earlier lists behind them.
    pub(super) fn render(
        mut self,
        files_of: &mut FilesOf<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Summary, Error> {
        Table::ALL.into_iter().try_for_each(|table| sink(table, table.header()))?;
        let mut refused = Vec::new();
        // Lines that were left out belong to the request, and to no part of what was fetched.
        if !self.view.is_part() {
            refused = self.archive.ledger().refused_lines()?;
        }
        let mut refused = refused.into_iter().peekable();
        for query in self.archive.ledger().queries()? {
            let at = query.position.unwrap_or(usize::MAX);
            while let Some(line) = refused.next_if(|line| line.position < at) {
                self.refused(&line, sink)?;
            }
            if let Some(shown) = self.view.of_query(self.archive, query)? {
                let files = files_of(&shown)?;
                self.query(&shown, &files, sink)?;
            }
        }
        refused.try_for_each(|line| self.refused(&line, sink))?;
        Ok(self.summary)
    }

    fn refused(&mut self, line: &RefusedLine, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.summary.queries += 1;
        self.summary.refused += 1;
        let status = word(QueryStatus::Refused);
        let row = [&*line.written, "", status, "0", "0", "", "", "", "", &*line.reason];
        sink(Table::Queries, &record(row))
    }

    /// Writes the rows of one query in all three tables.
    fn query(
        &mut self,
        shown: &ShownQuery,
        files: &[SeriesFile],
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let query = &shown.query;
        let interval = query.text.interval.secs().to_string();
        sink(Table::Series, &self.series(shown, files))?;
        let covered: Vec<Window> = shown.grants.iter().map(|grant| grant.held.window).collect();
        let points = files.iter().map(|file| file.points).fold(0, u64::saturating_add);
        let standing = QueryStanding::of(&StandingFacts {
            asked: shown.range,
            covered: &covered,
            given_up: self.given_up.get(&query.id).map_or(&[], Vec::as_slice),
            points: Some(points),
        });
        let expired = is_expired(&shown.grants, files);
        let reason = match &standing.reason {
            Some(reason) => self.missing(reason),
            None if shown.range.is_none() => NO_INTERVAL.to_owned(),
            None => remarks(shown, expired),
        };
        let (series, points) = (files.len().to_string(), points.to_string());
        let status = word(standing.status);
        let [from, to] = [Window::start, Window::end].map(|end| spelled(shown.range.map(end)));
        let first = spelled(files.iter().map(|file| file.first).min());
        let last = spelled(files.iter().map(|file| file.last).max());
        let written = &query.text.written;
        let row =
            [written, &interval, status, &series, &points, &from, &to, &first, &last, &reason];
        sink(Table::Queries, &record(row))?;
        for Gap { window, reason } in &standing.gaps {
            let (start, end) = (window.start().to_string(), window.end().to_string());
            let row = record([written, &interval, &start, &end, &self.missing(reason)]);
            sink(Table::Gaps, &row)?;
        }
        self.summary.add(files, standing.status);
        let whole = matches!(standing.status, QueryStatus::Complete | QueryStatus::Empty);
        self.summary.expired += u64::from(whole && shown.range.is_some() && expired);
        Ok(())
    }

    /// Returns the rows of a query's files.
    fn series(&self, shown: &ShownQuery, files: &[SeriesFile]) -> Vec<u8> {
        let mut rows = Vec::new();
        for file in files {
            rows.extend(record([
                &file.path,
                &shown.query.text.written,
                &file.metric,
                &json(file.tags.as_json()),
                file.unit.as_deref().unwrap_or_default(),
                &shown.query.text.interval.secs().to_string(),
                &file.first.to_string(),
                &file.last.to_string(),
                &file.points.to_string(),
                self.timezone,
            ]));
        }
        rows
    }

    /// Words the reason of a gap.
    fn missing(&self, reason: &GapReason) -> String {
        match reason {
            GapReason::GivenUp(reason) | GapReason::TooOld(reason) => reason.to_string(),
            GapReason::NotFetched if self.view.is_part() => NOT_HELD.to_owned(),
            GapReason::NotFetched => NOT_FETCHED.to_owned(),
        }
    }
}

/// Returns what is to be known of a query of which nothing is missing.
fn remarks(shown: &ShownQuery, expired: bool) -> String {
    let expired = expired.then(|| EXPIRED.to_owned());
    let as_written = shown.query.instead_of.is_some().then(|| AS_WRITTEN.to_owned());
    let open = shown.grants.iter().map(|grant| &grant.held).find(|held| !held.is_closed());
    let open = open.map(|held| match held.window.start() {
        from if shown.range.is_some_and(|range| range.start() < from) => {
            format!("closed until {from}: later points may still be reported")
        }
        _ => NOT_CLOSED.to_owned(),
    });
    let all: Vec<_> = [expired, as_written, open].into_iter().flatten().collect();
    all.join("; ")
}

/// Returns a moment in RFC 3339 UTC; nothing for none.
fn spelled(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.to_string())
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

/// Returns true if part of what was asked was older than what Datadog keeps, and nothing came from there.
fn is_expired(grants: &[Granted], files: &[SeriesFile]) -> bool {
    // A ledger from elsewhere may say any moment.
    let kept_since =
        |grant: &Granted| grant.fetched_at.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
    let edge = grants
        .iter()
        .filter(|grant| grant.held.window.start() < kept_since(grant))
        .map(kept_since)
        .max();
    edge.is_some_and(|edge| files.iter().all(|file| file.first >= edge))
}

impl Summary {
    /// Adds one query that is shown.
    fn add(&mut self, files: &[SeriesFile], status: QueryStatus) {
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
        self.untagged +=
            u64::from(files.iter().any(|file| file.tags.unpacked().iter().any(without_tag)));
    }
}

/// Spells a JSON array of tags so that nothing in it steers a terminal: it reads back to the same tags.
fn json(tags: &str) -> Cow<'_, str> {
    let escaped = |c: char| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    if tags.contains(steers) { tags.chars().map(escaped).collect() } else { tags.into() }
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
    use crate::packed_tags::PackedTags;

    #[test]
    fn what_others_wrote_steers_no_terminal() {
        let tags = ["host:\u{9b}31m\u{202e}".to_owned(), "a:\u{1b}é".to_owned()];
        let text = json(PackedTags::from(&tags[..]).as_json()).into_owned();
        assert_eq!(text, r#"["host:\u009b31m\u202e","a:\u001bé"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), tags);
        assert_eq!(record(["a\u{9b}", "b\r\n"]), "a\u{fffd},b\u{fffd}\u{fffd}\n".as_bytes());
    }
}
