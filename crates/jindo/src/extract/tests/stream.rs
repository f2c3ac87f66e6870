//! Rows that no object of jindo's has never reach a file.

use super::*;
use crate::archive::{Chunk, Coverage, Granted, ObjectId, Origin};
use crate::extract::staging::{StagedNumbers, Staging};
use crate::extract::stream::{SeriesStream, extent};

/// Streams these points as one chunk of one series.
fn stream(chunks: &[Points<'_>]) -> Result<(), Error> {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    let query = shelf.archive.query(id).unwrap().unwrap();
    let window = Window::from_secs(DAY, DAY + 600).unwrap();
    let grant = Granted {
        held: Coverage { window, object: ObjectId(1), origin: Origin::Fetched, open: false },
        name: "object".to_owned(),
        sha256: String::new(),
        fetched_at: window.end(),
    };
    let (disk, csv) = (Memory::new(&shelf.fuse), csv("UTC"));
    let mut numbers = StagedNumbers::from(0);
    let staging = Staging::new(&disk, &mut numbers);
    let mut stream = SeriesStream::new(&query, csv.begin(&extent(&query, &[]), staging));
    for points in chunks {
        let Series { ts_ms, values, tags, metric, .. } = streamed("", points);
        let (ts_ms, values) = (&ts_ms[..], &values[..]);
        stream.take(&grant, &Chunk { metric: &metric, tags: &tags, unit: None, ts_ms, values })?;
    }
    Ok(())
}

#[test]
fn rows_that_jindo_never_writes_are_damage() {
    for chunks in [
        &[&[(60, 1.0), (0, 1.0)][..]][..],
        &[&[(0, 1.0), (0, 1.0)]],
        &[&[(0, 1.0), (60, 1.0)], &[(60, 2.0)]],
        &[&[(30, 1.0)]],
        &[&[(0, f64::NAN)]],
        &[&[(0, f64::INFINITY)]],
    ] {
        let failed = stream(chunks);
        assert!(matches!(failed, Err(Error::Damaged { .. })), "{chunks:?} {failed:?}");
    }
    stream(&[&[(0, 1.0), (60, 1.0)], &[(120, 2.0)]]).unwrap();
}
