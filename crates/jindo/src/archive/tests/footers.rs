//! Footers keep what the server said of each series, the types by which queries were rewritten, and a hash of each row group.

use super::objects::{Encoded, Footer};
use super::*;
use crate::parse::{SeriesMetadata, TagTemplate};
use crate::query::MetricType;
use bytes::Bytes;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn template(text: &str) -> TagTemplate {
    serde_json::from_str(text).unwrap()
}

fn served() -> Arc<SeriesMetadata> {
    Arc::new(SeriesMetadata {
        scope: Some(template(r#"["env:prod,",0]"#)),
        expression: Some(template(r#"["sum:a{env:prod,",0,"}"]"#)),
        aggr: Some("sum".into()),
        display_name: Some("a".into()),
        unit: vec![Some(serde_json::from_str(r#"{"id":92,"family":"bytes"}"#).unwrap()), None],
    })
}

/// An archive of one query of a count, of three hosts in one day.
fn furnished(dir: &Path) -> (Archive, String) {
    let archive = opened(dir);
    archive.register(&request(&["sum:a{env:prod} by {host}.as_count()", "avg:b{*}"])).unwrap();
    let known = |metric: &str, of, second| KnownType {
        metric: metric.into(),
        of,
        found_at: Timestamp::from_second(second).unwrap(),
    };
    archive.ledger().keep_type(&known("a", MetricType::Count, 1)).unwrap();
    archive.ledger().keep_type(&known("unused", MetricType::Gauge, 1)).unwrap();
    let day = window(0, DAY_S);
    let of_host = |(query, host): (usize, &str)| Series {
        metadata: if query == 0 { served() } else { Arc::default() },
        ..series(query, &[host], day, 1.0)
    };
    let series = [(0, "host:a"), (0, "host:b"), (0, "host:c"), (1, "")].map(of_host).into();
    let queries = ids(&archive);
    let (interval, fetched_at, answer) = (minute(), day.end(), &Answer { series });
    let (queries, window, open) = (&*queries, day, false);
    let fetched = Fetched { queries, interval, window, fetched_at, open, answer };
    let name = archive.store(&fetched).unwrap().name;
    (archive, name)
}

fn read(archive: &Archive, name: &str) -> Encoded {
    Encoded::parse(&archive.objects.read(name).unwrap().unwrap()).unwrap()
}

/// Returns the scope and the expression of every series of an object, in full.
fn named(encoded: &Encoded) -> Vec<(String, String)> {
    let Footer { series, metadata, .. } = &encoded.footer;
    let named = series.iter().filter_map(|series| {
        let SeriesMetadata { scope, expression, .. } = &*metadata[series.metadata?];
        let in_full = |text: &Option<TagTemplate>| {
            text.as_ref().unwrap().in_full(&series.tags.unpacked()).unwrap()
        };
        Some((in_full(scope), in_full(expression)))
    });
    named.collect()
}

#[test]
fn metadata_of_series_comes_back_and_is_held_once_and_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, name) = furnished(dir.path());
    let first = read(&archive, &name);
    let of =
        |host: &str| (format!("env:prod,host:{host}"), format!("sum:a{{env:prod,host:{host}}}"));
    assert_eq!(named(&first), ["a", "b", "c"].map(of));
    assert_eq!(first.footer.metadata, [served()], "three groups share it");
    // Newer points take over an hour: the rest is copied.
    store(&archive, &ids(&archive), window(0, 3600), 4).unwrap();
    archive.bring_to_rest(&AtomicBool::new(false)).unwrap();
    let names = archive.objects.list().unwrap().files;
    let copy = names.iter().map(|name| read(&archive, name));
    let copy = copy.into_iter().find(|object| object.footer.copy_of.is_some()).unwrap();
    assert_eq!((named(&copy), &copy.footer.metadata[..]), (named(&first), &[served()][..]));
}

#[test]
fn a_rebuilt_ledger_has_the_types_by_which_its_queries_were_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, name) = furnished(dir.path());
    let used = |encoded: &Encoded| encoded.footer.queries[0].types.clone();
    assert_eq!(used(&read(&archive, &name)), [("a".to_owned(), MetricType::Count)].into());
    drop(archive);
    fs::remove_file(dir.path().join("archive/ledger.db")).unwrap();
    Archive::repair(dir.path(), &writer()).unwrap();
    let known = opened(dir.path()).ledger().metric_types().unwrap();
    let known: Vec<_> = known.into_iter().map(|known| (known.metric, known.of)).collect();
    assert_eq!(known, [("a".to_owned(), MetricType::Count)]);
}

#[test]
fn a_damage_has_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, name) = furnished(dir.path());
    drop(archive);
    let path = dir.path().join("archive/data").join(name);
    let mut bytes = fs::read(&path).unwrap();
    let group = Encoded::parse(&Bytes::from(bytes.clone())).unwrap().footer.groups[0].bytes;
    bytes[4 + group + 40] ^= 1;
    fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
    let findings = Archive::verify(dir.path()).unwrap().findings;
    let sent = "avg:b{*}.rollup(avg, 60).fill(null)";
    let end = Encoded::parse(&Bytes::from({
        bytes[4 + group + 40] ^= 1;
        bytes
    }));
    let place = format!("bytes {} to {}, of {sent}", 4 + group, end.unwrap().footer.data_bytes);
    let why = format!("its rows are not those that were written: row group 2 of 2, {place}");
    assert_eq!((findings.len(), &findings[0].fault, &findings[0].why), (1, &Fault::Damaged, &why));
}
