//! Check of a place that [`super::copy()`] wrote: its files against its own tables. Reads everything, changes nothing. A copy has no ledger and
//! its tables hold no hashes, so that a value that was changed for another number is not seen.

use crate::extract::tables::Table;
use crate::extract::{CsvTree, Directory, Disk as _, Error, Output};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;

/// Bytes of a table or a file that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// Findings that are listed, at most: tables of another archive would name every file.
const FINDINGS_MAX: usize = 1_000;

/// Result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyReport {
    /// Files that are as the tables say, and their rows.
    pub files: u64,
    pub rows: u64,
    /// By path; of more than a thousand the first.
    pub findings: Vec<CopyFinding>,
    /// Queries that the table says are not whole.
    pub queries_with_gaps: u64,
    pub queries_empty: u64,
    pub lines_left_out: u64,
}

/// A difference between a copy's files and its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFinding {
    /// Relative to the copy.
    pub path: String,
    pub fault: CopyFault,
}

/// Kind of difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFault {
    Missing,
    /// It has other rows than series.csv says.
    Rows {
        found: u64,
        expected: u64,
    },
    /// A row, counted from 1, is no time and number in their order.
    Row {
        row: u64,
    },
    /// Its first or last time is not the one in series.csv.
    Bounds,
    /// No table names it.
    Stranger,
    /// A row of a table, counted from 1, cannot be read.
    Table {
        row: u64,
    },
    /// queries.csv counts other series or points of this query than series.csv.
    Contradicted {
        query: String,
    },
}

/// Series and points of a query.
type Counts = (u64, u64);

/// Returns whether the three tables lie there, as jindo writes them.
///
/// # Errors
/// [`Error::Disk`] if they cannot be read.
pub fn is_copy(disk: &Directory) -> Result<bool, Error> {
    for table in Table::ALL {
        let begins = disk.begins_with(table.path(), table.header());
        if !begins.map_err(Error::disk("read", table.path()))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks every file that series.csv names: that it is there, its number of rows, their order, first and last time; and that the tables agree.
///
/// # Errors
/// [`Error::Disk`] if something cannot be read.
pub fn check_copy(disk: &Directory, output: &CsvTree) -> Result<CopyReport, Error> {
    let mut check = Check { disk, report: CopyReport::default(), counts: BTreeMap::new() };
    let mut named = HashSet::new();
    check.table(Table::Series, &mut |check, row| {
        let Some(expected) = ExpectedFile::read(row) else { return Ok(false) };
        if !output.is_file(&expected.path) {
            return Ok(false);
        }
        let (series, points) = check.counts.entry(expected.query.clone()).or_default();
        (*series, *points) = (*series + 1, points.saturating_add(expected.points));
        check.file(&expected)?;
        named.insert(expected.path);
        Ok(true)
    })?;
    check.table(Table::Queries, &mut |check, row| Ok(check.query(row)))?;
    check.table(Table::Gaps, &mut |_, _| Ok(true))?;
    let folder = output.folder();
    let mut strangers = disk.walk(folder).map_err(Error::disk("list", folder))?;
    strangers.retain(|path| !named.contains(path));
    strangers.sort();
    for path in strangers {
        check.find(path, CopyFault::Stranger);
    }
    Ok(check.report)
}

/// A file as series.csv describes it.
struct ExpectedFile {
    path: String,
    /// Query as written, and its interval: what a row of queries.csv has as well.
    query: [String; 2],
    first: Timestamp,
    last: Timestamp,
    points: u64,
    zone: TimeZone,
}

impl ExpectedFile {
    fn read(row: &csv::StringRecord) -> Option<Self> {
        Some(Self {
            path: row.get(0)?.to_owned(),
            query: [row.get(1)?.to_owned(), row.get(5)?.to_owned()],
            first: row.get(6)?.parse().ok()?,
            last: row.get(7)?.parse().ok()?,
            points: row.get(8)?.parse().ok()?,
            zone: TimeZone::get(row.get(9)?).ok()?,
        })
    }
}

struct Check<'a> {
    disk: &'a Directory,
    report: CopyReport,
    /// By query and interval.
    counts: BTreeMap<[String; 2], Counts>,
}

impl Check<'_> {
    fn find(&mut self, path: impl Into<String>, fault: CopyFault) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(CopyFinding { path: path.into(), fault });
        }
    }

    /// Hands every row of a table to `take`, which returns false for one that it cannot read.
    fn table(
        &mut self,
        table: Table,
        take: &mut dyn FnMut(&mut Self, &csv::StringRecord) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let Some(file) = self.open(table.path())? else {
            self.find(table.path(), CopyFault::Missing);
            return Ok(());
        };
        for (row, record) in (1..).zip(reader(file).records()) {
            let is_read = match record {
                Ok(record) => take(self, &record)?,
                Err(error) => {
                    unread(error).map_or(Ok(()), Err).map_err(Error::disk("read", table.path()))?;
                    false
                }
            };
            if !is_read {
                self.find(table.path(), CopyFault::Table { row });
            }
        }
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Option<impl Read + use<>>, Error> {
        self.disk.open(path).map_err(Error::disk("read", path))
    }

    /// Takes a row of queries.csv; returns false for one that cannot be read.
    fn query(&mut self, row: &csv::StringRecord) -> bool {
        let field = |at: usize| row.get(at).unwrap_or_default();
        let (Ok(series), Ok(points)) = (field(3).parse(), field(4).parse()) else { return false };
        match field(2) {
            "complete" => {}
            "empty" => self.report.queries_empty += 1,
            "partial" | "given-up" => self.report.queries_with_gaps += 1,
            "refused" => self.report.lines_left_out += 1,
            _ => return false,
        }
        let key = [field(0), field(1)].map(str::to_owned);
        let counted = self.counts.get(&key).copied().unwrap_or_default();
        if counted != (series, points) {
            let [query, _] = key;
            self.find(Table::Queries.path(), CopyFault::Contradicted { query });
        }
        true
    }

    fn file(&mut self, expected: &ExpectedFile) -> Result<(), Error> {
        let path = &expected.path;
        let Some(file) = self.open(path)? else {
            self.find(path, CopyFault::Missing);
            return Ok(());
        };
        let (mut rows, mut first, mut last) = (0_u64, None, None);
        for record in reader(file).records() {
            rows += 1;
            let at = match record {
                Ok(record) => moment(&record, &expected.zone),
                Err(error) => {
                    unread(error).map_or(Ok(()), Err).map_err(Error::disk("read", path))?;
                    None
                }
            };
            let Some(at) = at.filter(|at| last.is_none_or(|last| last < *at)) else {
                self.find(path, CopyFault::Row { row: rows });
                return Ok(());
            };
            first.get_or_insert(at);
            last = Some(at);
        }
        if rows != expected.points {
            self.find(path, CopyFault::Rows { found: rows, expected: expected.points });
        } else if (first, last) != (Some(expected.first), Some(expected.last)) {
            self.find(path, CopyFault::Bounds);
        } else {
            self.report.files += 1;
            self.report.rows += rows;
        }
        Ok(())
    }
}

fn reader<R: Read>(file: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new().buffer_capacity(READ_BYTES).from_reader(file)
}

/// Returns the disk's error; `None` for text that is no table.
fn unread(error: csv::Error) -> Option<std::io::Error> {
    let csv::ErrorKind::Io(source) = error.into_kind() else { return None };
    Some(source)
}

/// Returns the time of a row of `date,values`; `None` for what is no row.
fn moment(row: &csv::StringRecord, zone: &TimeZone) -> Option<Timestamp> {
    let (date, value) = (row.get(0)?, row.get(1)?);
    value.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let local: jiff::civil::DateTime = date.get(..19)?.parse().ok()?;
    match date.get(19..)? {
        "" => zone.to_timestamp(local).ok(),
        _ => date.parse().ok(),
    }
}
