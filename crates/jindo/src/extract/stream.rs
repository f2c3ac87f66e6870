//! The series of one query, from the archive into a [`Writer`]: objects in time order, one open at a time, of each only what
//! coverage grants. Trusts no ledger, and knows no form of files; rows are checked where they come from.

use super::selection::ShownQuery;
use super::{Error, MadeFile, Output, SeriesFacts, Staging, Writer};
use crate::archive::{self, Archive, Chunk, Granted, Origin, Registered};
use crate::packed_tags::PackedTags;
use jiff::Timestamp;
use std::collections::HashMap;

/// Stages the files of one query, ascending by path: everything that is held of it in the range shown.
pub(super) fn stage(
    archive: &Archive,
    shown: &ShownQuery,
    output: &dyn Output,
    staging: Staging<'_>,
) -> Result<Vec<MadeFile>, Error> {
    let mut stream = SeriesStream::new(&shown.query, output.begin(&shown.extent(), staging));
    for grant in shown.grants.iter().filter(|grant| grant.held.origin == Origin::Fetched) {
        let mut sink = |chunk: Chunk<'_>| stream.take(grant, &chunk);
        archive.rows(grant.held.object, shown.query.id, &mut sink)?;
    }
    stream.writer.finish(stream.series)
}

/// Series of a query that have come so far.
struct SeriesStream<'a> {
    query: &'a Registered,
    writer: Box<dyn Writer + 'a>,
    /// Index in `series`, with which the keys share their text.
    by_tags: HashMap<PackedTags, usize>,
    series: Vec<SeriesFacts>,
}

impl<'a> SeriesStream<'a> {
    fn new(query: &'a Registered, writer: Box<dyn Writer + 'a>) -> Self {
        Self { query, writer, by_tags: HashMap::new(), series: Vec::new() }
    }

    /// Passes on the rows of a chunk that the grant covers.
    ///
    /// # Errors
    /// [`archive::Error::LedgerDamaged`] for rows of a time that an earlier grant had.
    fn take(&mut self, grant: &Granted, chunk: &Chunk<'_>) -> Result<(), Error> {
        let window = grant.held.window;
        let from = chunk.ts_ms.partition_point(|ts| *ts < window.start().as_millisecond());
        let to = chunk.ts_ms.partition_point(|ts| *ts < window.end().as_millisecond());
        let (ts_ms, values) = (&chunk.ts_ms[from..to], &chunk.values[from..to]);
        let (Some(first), Some(last)) = (ts_ms.first(), ts_ms.last()) else { return Ok(()) };
        let within = |ms: &i64| Timestamp::from_millisecond(*ms).expect("it lies within a window");
        let (first, last) = (within(first), within(last));
        let tags = PackedTags::from(chunk.tags);
        let known = self.by_tags.get(&tags).copied();
        if known.is_some_and(|at| first <= self.series[at].last) {
            let why = format!("stretches of coverage of {} overlap", self.query.text.written);
            return Err(archive::Error::LedgerDamaged { why }.into());
        }
        let at = known.unwrap_or(self.series.len());
        if known.is_none() {
            self.writer.series(chunk.tags)?;
            self.by_tags.insert(tags.clone(), at);
            let metric = chunk.metric.to_owned();
            self.series.push(SeriesFacts { metric, tags, unit: None, first, last, points: 0 });
        }
        let facts = &mut self.series[at];
        facts.last = last;
        facts.points += ts_ms.len() as u64;
        chunk.metric.clone_into(&mut facts.metric);
        facts.unit = chunk.unit.map(str::to_owned).or(facts.unit.take());
        self.writer.points(at, ts_ms, values)
    }
}

#[cfg(test)]
mod tests {
    use super::SeriesStream;
    use crate::archive::{
        self, Archive, ArchiveId, Chunk, Coverage, Granted, ObjectId, Objects, Origin, Request,
        RequestLine, Sqlite,
    };
    use crate::extract::{
        CsvTree, Directory, DisplayOptions, Error, Output as _, QueryExtent, Staging,
    };
    use crate::plan::Window;
    use crate::query::{Interval, Query, QueryText};
    use jiff::tz::TimeZone;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    /// Seconds since `START_S`, and value.
    type Points<'a> = &'a [(i64, f64)];

    const START_S: i64 = 1_636_257_600;

    fn archive(asked: Window) -> Archive {
        let objects = Objects::over(Arc::new(InMemory::new())).unwrap();
        let archive =
            Archive::assemble(Box::new(Sqlite::memory().unwrap()), objects, ArchiveId::new(1))
                .unwrap();
        let minute = Interval::from_secs(60).unwrap();
        let text = QueryText::new("avg:m{*}", "avg:m{*}", minute);
        let lines = vec![RequestLine::Query(Query { text, weight: None })];
        let (timezone, arguments) = ("UTC".to_owned(), "{}".to_owned());
        archive.register(&Request { lines, asked: asked.into(), timezone, arguments }).unwrap();
        archive
    }

    /// Streams these points as one chunk of one series.
    fn stream(chunks: &[Points<'_>]) -> Result<(), Error> {
        let window = Window::from_secs(START_S, START_S + 600).unwrap();
        let query = archive(window).ledger().queries().unwrap().remove(0);
        let grant = Granted {
            held: Coverage {
                window,
                object: ObjectId(1),
                origin: Origin::Fetched,
                open: false,
                asked_at: jiff::Timestamp::UNIX_EPOCH,
            },
            answer: "object".to_owned(),
            fetched_at: window.end(),
        };
        let dir = tempfile::tempdir().unwrap();
        let disk = Directory::of_archive(dir.path());
        let csv = CsvTree::new(&DisplayOptions { zone: TimeZone::UTC, timezone: "UTC".to_owned() });
        let mut number = 0;
        let staging = Staging::new(&disk, &mut number);
        let mut stream = SeriesStream::new(
            &query,
            csv.begin(&QueryExtent { query: &query, range: window }, staging),
        );
        for points in chunks {
            let ts_ms: Vec<i64> = points.iter().map(|(at, _)| (START_S + at) * 1_000).collect();
            let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
            let (ts_ms, values) = (&ts_ms[..], &values[..]);
            stream.take(
                &grant,
                &Chunk { metric: "m", tags: &[], unit: None, metadata: None, ts_ms, values },
            )?;
        }
        Ok(())
    }

    #[test]
    fn rows_that_are_granted_twice_are_a_damage_of_the_ledger() {
        let failed = stream(&[&[(0, 1.0), (60, 1.0)], &[(60, 2.0)]]);
        let overlap = "stretches of coverage of avg:m{*} overlap";
        assert!(
            matches!(&failed, Err(Error::Archive(archive::Error::LedgerDamaged { why })) if why == overlap),
            "{failed:?}"
        );
        stream(&[&[(0, 1.0), (60, 1.0)], &[(120, 2.0)]]).unwrap();
    }
}
