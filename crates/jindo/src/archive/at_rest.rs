//! Data at rest: whatever reads the Parquet files below `data/`, and no ledger, finds each row that coverage grants once, and
//! no other. Where newer objects took over a part of one, the rest is copied, and the object goes.

use super::objects::{Encoded, Footer, FooterQuery, Whole, answer_text, encode, name_for};
use super::{Archive, ArchiveId, Coverage, Error, Object, ObjectId, QueryId, Record, Role, Unrest};
use crate::parse::{Answer, CallPosition, Series};
use crate::plan::Window;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stretch that is left of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    start_s: i64,
    end_s: i64,
    open: bool,
}

/// Positions of queries in an object of which the same stretch is left.
type Left = BTreeMap<Stretch, Vec<usize>>;

impl Archive {
    /// Copies what newer objects left of older ones into objects of their own, and moves objects to their place. Each object:
    ///
    /// 1. notes the copies' names;
    /// 2. publishes the copies;
    /// 3. in one transaction grants them what is held, strikes their notes, and forgets the object;
    /// 4. removes the object.
    ///
    /// A crash between any two of these repeats work and changes nothing. Ends early, after any object, when interrupted. An object
    /// that is damaged or gone stays as it is: it is for a repair to find, and no reason to leave the others.
    pub fn bring_to_rest(&self, interrupted: &AtomicBool) -> Result<(), Error> {
        self.check_in_place()?;
        for (id, unrest) in self.ledger().unrested()? {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            let Some(object) = self.ledger().object(id)? else { continue };
            match self.rest(&object, unrest) {
                Err(
                    error @ (Error::ObjectDamaged { .. }
                    | Error::ObjectContradicted { .. }
                    | Error::ObjectGone { .. }),
                ) => {
                    let name = object.record.name;
                    tracing::warn!(name, %error, "an object stays where it is; `jindo verify --repair` mends it");
                }
                rested => rested?,
            }
        }
        Ok(())
    }

    fn rest(&self, object: &Object, unrest: Unrest) -> Result<(), Error> {
        let copies = match unrest {
            Unrest::Misplaced(role) => vec![self.moved(&object.record, role)?],
            Unrest::Overtaken => self.copies(object)?,
        };
        self.take_copies(object, &copies)
    }

    /// Returns the bytes of disk that bringing data to rest takes for a while: objects are rewritten one after the other, so those
    /// of the largest.
    pub fn bytes_to_rest(&self) -> Result<u64, Error> {
        let mut most = 0;
        for (id, _) in self.ledger().unrested()? {
            let object = self.ledger().object(id)?;
            most = most.max(object.map_or(0, |object| object.record.bytes));
        }
        Ok(most)
    }

    /// Returns an object under its name in the place of that role.
    fn moved(&self, record: &Record, role: Role) -> Result<Copy, Error> {
        let bytes = self.objects.read(&record.name)?;
        let bytes = bytes.ok_or_else(|| damaged(record, "its file is gone".to_owned()))?;
        let name = name_for(&record.name, role);
        Ok(Copy { record: Record { name, ..record.clone() }, bytes })
    }

    /// Returns an object for each stretch that is left of one.
    fn copies(&self, object: &Object) -> Result<Vec<Copy>, Error> {
        let (encoded, record) = (self.encoded(object)?, &object.record);
        let left = self.left(object.id, record)?;
        let original = Original { encoded: &encoded, record, archive: self.own_id()? };
        left.iter().map(|(stretch, queries)| original.copy(*stretch, queries)).collect()
    }

    /// Returns the stretches that coverage grants an object, with the positions of their queries in it.
    fn left(&self, id: ObjectId, record: &Record) -> Result<Left, Error> {
        let mut left = Left::new();
        for (position, query) in record.queries.iter().enumerate() {
            for Coverage { window, object, open, .. } in self.ledger().coverage(*query)? {
                if object == id {
                    let (start_s, end_s) = (window.start_s(), window.end_s());
                    let stretch = Stretch { start_s, end_s, open };
                    left.entry(stretch).or_default().push(position);
                }
            }
        }
        Ok(left)
    }

    fn take_copies(&self, object: &Object, copies: &[Copy]) -> Result<(), Error> {
        let names: Vec<String> = copies.iter().map(|copy| copy.record.name.clone()).collect();
        self.ledger().note_copies(&names)?;
        for Copy { record, bytes } in copies {
            if let Some(there) = self.objects.publish(&record.name, bytes.clone())?
                && there != *bytes
            {
                let why = "something else lies where its copy belongs".to_owned();
                return Err(damaged(record, why));
            }
        }
        let records: Vec<Record> = copies.iter().map(|copy| copy.record.clone()).collect();
        self.ledger().copied(object.id, &records)?;
        self.remove_noted(&object.record.name);
        Ok(())
    }
}

/// An object that is not published yet.
struct Copy {
    record: Record,
    bytes: Bytes,
}

/// An object of which copies are made.
struct Original<'a> {
    encoded: &'a Encoded,
    record: &'a Record,
    /// Owner of the copies.
    archive: ArchiveId,
}

impl Original<'_> {
    /// Copies a stretch of some queries.
    fn copy(
        &self,
        Stretch { start_s, end_s, open }: Stretch,
        positions: &[usize],
    ) -> Result<Copy, Error> {
        let Self { encoded, record, archive } = *self;
        let window = Window::from_secs(start_s, end_s).expect("a stretch of coverage is a window");
        let mut answer = Answer::default();
        for (own, &position) in positions.iter().enumerate() {
            rows_within(encoded, record, position, window, &mut |series| {
                answer.series.push(Series { query: CallPosition::new(own), ..series });
            })?;
        }
        let query = |position: &usize| {
            let query = encoded.footer.queries[*position].clone();
            FooterQuery { row_groups: 0, rows: 0, ..query }
        };
        let of_itself = || answer_text(&record.name, &record.sha256);
        let draft = Footer {
            version: Footer::VERSION,
            archive: Some(archive),
            start: window.start(),
            end: window.end(),
            open,
            copy_of: Some(record.copy_of.clone().unwrap_or_else(of_itself)),
            groups: Vec::new(),
            queries: positions.iter().map(query).collect(),
            series: Vec::new(),
            metadata: Vec::new(),
            ..encoded.footer.clone()
        };
        let name = draft.name();
        let (whole, bytes): (Whole, Bytes) = encode(&name, draft, &answer).map_err(|source| {
            Error::Objects { doing: "copying", name: record.name.clone(), source: Box::new(source) }
        })?;
        let queries: Vec<QueryId> = positions.iter().map(|at| record.queries[*at]).collect();
        Ok(Copy { record: whole.record(queries), bytes })
    }
}

/// Hands out the series of one query of an object, cut to the window; those without a point there are left out.
fn rows_within(
    encoded: &Encoded,
    record: &Record,
    position: usize,
    window: Window,
    take: &mut dyn FnMut(Series),
) -> Result<(), Error> {
    let (start_ms, end_ms) = (window.start_s() * 1_000, window.end_s() * 1_000);
    let mut last: Option<Series> = None;
    encoded.rows(position, &|why| damaged(record, why), &mut |chunk| {
        let from = chunk.ts_ms.partition_point(|at| *at < start_ms);
        let until = chunk.ts_ms.partition_point(|at| *at < end_ms);
        if from >= until {
            return Ok(());
        }
        let (ts_ms, values) = (&chunk.ts_ms[from..until], &chunk.values[from..until]);
        match &mut last {
            Some(series) if series.metric == chunk.metric && series.tags == chunk.tags => {
                series.ts_ms.extend_from_slice(ts_ms);
                series.values.extend_from_slice(values);
            }
            _ => {
                let next = Series {
                    query: CallPosition::new(position),
                    metric: chunk.metric.to_owned(),
                    tags: chunk.tags.to_vec(),
                    unit: chunk.unit.map(str::to_owned),
                    metadata: chunk.metadata.cloned().unwrap_or_default(),
                    ts_ms: ts_ms.to_vec(),
                    values: values.to_vec(),
                };
                last.replace(next).into_iter().for_each(&mut *take);
            }
        }
        Ok(())
    })?;
    last.into_iter().for_each(take);
    Ok(())
}

fn damaged(record: &Record, why: String) -> Error {
    Error::ObjectDamaged { name: record.name.clone(), why }
}
