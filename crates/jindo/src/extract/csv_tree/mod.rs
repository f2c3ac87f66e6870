//! The output `csv/`: a file per series, `csv/<query>/<series>.csv`, with the lines `date,values`. Its layout is known here alone.

mod layout;
mod names;
mod rows;
#[cfg(test)]
mod tests;

pub(super) use names::may_have_twins;

use super::{DisplayOptions, Error, MadeFile, Output, QueryExtent, SeriesFacts, Staging, Writer};
use crate::archive::OutputName;
use crate::query::{Interval, SentText};
use layout::query_directory;
use names::series_file;
use rows::{Calendar, HEADER, Rows, SHORTEST_ROW};

/// Counts up when the same rows would make other bytes, so that every query is extracted again.
const FORMAT: &str = "jindo csv 1";

/// The output `csv/` in a zone.
#[derive(Debug, Clone)]
pub struct CsvTree {
    pub display: DisplayOptions,
    pub names: Names,
}

/// Names of directories and files; pure functions, without extension, never empty, safe as one part of a path.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Of a query as sent. Queries that share one must differ in every name of their series.
    pub directory: fn(&SentText, Interval) -> String,
    /// Of a series' tags.
    pub series: fn(&[String]) -> String,
}

impl CsvTree {
    /// Name of its marks in the ledger.
    pub const NAME: OutputName = OutputName("csv");

    /// Times are shown as `display` says.
    pub fn new(display: &DisplayOptions) -> Self {
        let names = Names { directory: query_directory, series: series_file };
        Self { display: display.clone(), names }
    }

    fn directory(&self, query: &QueryExtent<'_>) -> String {
        (self.names.directory)(&query.query.text.sent, query.query.text.interval)
    }

    /// Returns the path of a series, relative to DIR, with `/` on every system.
    fn path(&self, directory: &str, tags: &[String]) -> String {
        format!("csv/{directory}/{}.csv", (self.names.series)(tags))
    }
}

impl Output for CsvTree {
    fn name(&self) -> OutputName {
        Self::NAME
    }

    fn folder(&self) -> &'static str {
        "csv"
    }

    /// `csv/<query directory>/<series>.csv`, of plain names on every system.
    fn is_file(&self, path: &str) -> bool {
        let plain =
            |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', ':', '\0']);
        let [top, directory, series] = path.split('/').collect::<Vec<_>>()[..] else {
            return false;
        };
        top == "csv"
            && [directory, series].into_iter().all(plain)
            && series.strip_suffix(".csv").is_some()
    }

    fn ingredients(&self, query: &QueryExtent<'_>) -> Vec<String> {
        let calendar = Calendar::new(&self.display.zone, query.range);
        vec![FORMAT.to_owned(), calendar.spelled(), self.path(&self.directory(query), &[])]
    }

    fn row_bytes_min(&self) -> u64 {
        SHORTEST_ROW.len() as u64
    }

    fn begin<'a>(&'a self, query: &QueryExtent<'a>, staging: Staging<'a>) -> Box<dyn Writer + 'a> {
        let rows = Rows::new(Calendar::new(&self.display.zone, query.range));
        Box::new(TreeWriter { tree: self, directory: self.directory(query), rows, staging })
    }
}

/// The files of one query; file and series have the same index.
struct TreeWriter<'a> {
    tree: &'a CsvTree,
    directory: String,
    rows: Rows,
    staging: Staging<'a>,
}

impl Writer for TreeWriter<'_> {
    fn series(&mut self, tags: &[String]) -> Result<(), Error> {
        let file = self.staging.create(self.tree.path(&self.directory, tags));
        self.staging.append(file, |out| out.extend_from_slice(HEADER))
    }

    fn points(&mut self, series: usize, ts_ms: &[i64], values: &[f64]) -> Result<(), Error> {
        let rows = &mut self.rows;
        self.staging.append(series, |out| rows.append(out, ts_ms, values))
    }

    fn finish(self: Box<Self>, series: Vec<SeriesFacts>) -> Result<Vec<MadeFile>, Error> {
        self.staging.finish(series)
    }
}
