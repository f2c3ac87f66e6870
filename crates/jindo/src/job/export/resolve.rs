//! A request read against a moment: its list understood, its range cut to what is over.

use super::list_types::ListTypes;
use crate::archive::{Request, RequestLine, Spaced};
use crate::extract::{CsvTree, DisplayOptions};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, ListText, RefusedLines, Resolution};
use crate::plan::{Range, SampleRange, Window, earlier};
use crate::query::{self, List, MetricTypes, Spacings};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use std::collections::BTreeSet;

/// A request with everything that follows from its list and from the time.
#[derive(Debug, Clone)]
pub struct ResolvedRequest {
    pub list: List,
    pub range: Window,
    /// Moment at which buckets must have ended to be asked.
    settled: Timestamp,
    /// End that was requested, where it was younger than `settle` allows.
    pub clipped_from: Option<Timestamp>,
    /// Native intervals by which the list was read.
    pub spaced: Vec<Spaced>,
    /// Types of metrics by which it was read.
    pub(super) types: ListTypes,
}

impl ExportRequest {
    /// Reads the list and cuts the range.
    ///
    /// # Errors
    /// [`Error::RefusedLines`] with all lines that are not understood, unless they are to be left out; [`Error::NoQuery`];
    /// [`Error::EmptyRange`].
    pub fn resolve(
        &self,
        spaced: Vec<Spaced>,
        types: ListTypes,
        now: Timestamp,
    ) -> Result<ResolvedRequest, Error> {
        let list = self.read_list(&spaced, &types);
        if !list.refused.is_empty() && self.refused_lines == RefusedLines::Stop {
            return Err(Error::RefusedLines(list.refused));
        }
        if list.queries.is_empty() {
            return Err(Error::NoQuery { list: self.list.name.clone() });
        }
        let to = whole_second(self.to);
        let youngest = whole_second(earlier(now, self.settle));
        let end = to.min(youngest);
        let range =
            Window::new(self.from, end).ok_or(Error::EmptyRange { start: self.from, end })?;
        let clipped_from = (end < to).then_some(to);
        let settled = minute_after(youngest);
        Ok(ResolvedRequest { list, range, settled, clipped_from, spaced, types })
    }

    fn read_list(&self, spaced: &[Spaced], types: &ListTypes) -> List {
        let options = query::RewriteOptions {
            resolution: self.resolution.fixed(),
            variables: self.variables.clone(),
            fill: self.fill,
            range_functions: self.range_functions,
            types: types.known.clone(),
        };
        let ListText { name, text } = &self.list;
        if let Resolution::Every(_) = self.resolution {
            return query::list(name, text, &options);
        }
        let mut spacings = Spacings::default();
        for Spaced { query, interval, .. } in spaced {
            spacings.insert(query.clone(), *interval);
        }
        query::list_spaced(name, text, &options, &spacings)
    }

    /// Returns the zone's IANA name; `local` is a name of today's machine only.
    pub(super) fn timezone(&self) -> Result<String, Error> {
        self.zone.iana_name().map(str::to_owned).ok_or(Error::UnnamedZone)
    }

    /// Returns the output of the request.
    pub(super) fn csv(&self) -> Result<CsvTree, Error> {
        let display = DisplayOptions { zone: self.zone.clone(), timezone: self.timezone()? };
        Ok(CsvTree::new(&display))
    }
}

impl ResolvedRequest {
    /// Returns what is asked of each query. The settled moment is no later than it matters, so that a range of long ago is the
    /// same request every time.
    pub fn wanted(&self) -> Range {
        let ends =
            self.list.queries.iter().filter_map(|query| self.range.aligned(query.text.interval));
        let last = ends.map(Window::end).max().unwrap_or(self.range.end());
        Range { window: self.range, settled: self.settled.min(last) }
    }

    /// Returns the part of the range that samples may be taken from.
    pub(super) fn sample_range(&self, request: &ExportRequest, now: Timestamp) -> SampleRange {
        SampleRange::new(self.range, earlier(now, request.look_back.shortest()), now)
    }

    /// Returns the same request, now that more native intervals are known.
    #[must_use]
    pub(super) fn with_intervals(mut self, request: &ExportRequest, more: Vec<Spaced>) -> Self {
        if !more.is_empty() {
            self.spaced.extend(more);
            self.list = request.read_list(&self.spaced, &self.types);
        }
        self
    }

    /// Returns the same request, now that more types of metrics are known.
    #[must_use]
    pub(super) fn with_types(mut self, request: &ExportRequest, types: ListTypes) -> Self {
        self.list = request.read_list(&self.spaced, &types);
        // Those that cannot be had are asked by the next run.
        self.list.untyped.clear();
        self.types = types;
        self
    }

    /// Returns the types by which the list is read.
    pub(super) fn known_types(&self) -> &MetricTypes {
        &self.types.known
    }

    /// Returns the metrics on which `.as_count()` or `.as_rate()` does nothing, each once.
    pub fn ineffective_modifiers(&self) -> BTreeSet<&str> {
        self.types.ineffective(&self.list.queries)
    }

    /// Returns what the directory keeps of the request.
    pub(super) fn to_register(&self, request: &ExportRequest) -> Result<Request, Error> {
        let queries = self.list.queries.iter().cloned().map(RequestLine::Query);
        let refused = self.list.refused.iter().map(|complaint| RequestLine::Refused {
            written: complaint.written.clone(),
            reason: complaint.reason.to_string(),
        });
        Ok(Request {
            lines: queries.chain(refused).collect(),
            asked: self.wanted(),
            timezone: request.timezone()?,
            arguments: request.arguments.clone(),
        })
    }
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Returns the first whole minute that is not before the moment.
fn minute_after(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(Unit::Minute).mode(RoundMode::Ceil)).unwrap_or(at)
}
