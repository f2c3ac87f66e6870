//! The seam between the archive's series and forms of files. A new output implements [`Output`] and [`Writer`] in files of
//! its own; streaming, staging, marks and publishing stay as they are.

use super::Error;
use super::staging::{MadeFile, SeriesFacts, Staging};
use crate::archive::{OutputName, Registered};
use crate::plan::Window;

/// A form of output: the files that it makes of a query.
pub trait Output: Sync {
    /// Name of its marks in the ledger. Never changes.
    fn name(&self) -> OutputName;

    /// Folder below DIR that holds its files, and those of no other output.
    fn folder(&self) -> &'static str;

    /// Returns whether a path can be one of its files. A ledger may come from elsewhere: no other path that it names is read,
    /// replaced or removed.
    fn is_file(&self, path: &str) -> bool;

    /// Returns everything but query, coverage and points that decides about the bytes of a query's files: format, zone, names.
    /// The query is written again when it changes.
    fn ingredients(&self, query: &QueryExtent<'_>) -> Vec<String>;

    /// Begins the files of a query.
    fn begin<'a>(&'a self, query: &QueryExtent<'a>, staging: Staging<'a>) -> Box<dyn Writer + 'a>;
}

/// The files of one query while its series stream in.
///
/// Calls come in this order: [`Writer::series`] once for each series, before its first points; [`Writer::points`] in time order
/// for each series, while the series themselves alternate; [`Writer::finish`] once.
pub trait Writer {
    /// Begins the next series, counted from 0.
    fn series(&mut self, tags: &[String]) -> Result<(), Error>;

    /// Appends points of a series: whole seconds in ascending Unix milliseconds, as many finite values.
    fn points(&mut self, series: usize, ts_ms: &[i64], values: &[f64]) -> Result<(), Error>;

    /// Ends all files; `series` has the facts of each. Returns the files ascending by path.
    fn finish(self: Box<Self>, series: Vec<SeriesFacts>) -> Result<Vec<MadeFile>, Error>;
}

/// A query and the range of its rows.
#[derive(Debug, Clone, Copy)]
pub struct QueryExtent<'a> {
    pub query: &'a Registered,
    /// Hull of what was asked and what is covered, and so the same for two runs of one request, whatever was fetched between.
    pub range: Window,
}
