//! What is stored comes back bit for bit, and coverage stays disjoint and right under any overlaps.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn read_back(archive: &Archive, stored: &Stored, query: QueryId) -> Vec<Series> {
    let mut back: Vec<Series> = Vec::new();
    archive
        .rows::<Error>(stored.object, query, &mut |chunk| {
            match back.last_mut().filter(|series| series.tags == chunk.tags) {
                Some(series) => {
                    series.ts_ms.extend(chunk.ts_ms);
                    series.values.extend(chunk.values);
                }
                None => back.push(Series {
                    query: CallPosition::new(0),
                    metric: chunk.metric.into(),
                    tags: chunk.tags.to_vec(),
                    unit: chunk.unit.map(str::to_owned),
                    metadata: chunk.metadata.cloned().unwrap_or_default(),
                    ts_ms: chunk.ts_ms.to_vec(),
                    values: chunk.values.to_vec(),
                }),
            }
            Ok(())
        })
        .unwrap();
    back
}

fn bits(series: &[Series]) -> Vec<(&[String], &[i64], Vec<u64>)> {
    let bits = |series: &Series| series.values.iter().map(|value| value.to_bits()).collect();
    series.iter().map(|series| (&*series.tags, &*series.ts_ms, bits(series))).collect()
}

fn in_memory() -> Archive {
    let objects =
        Objects::over(std::sync::Arc::new(object_store::memory::InMemory::new())).unwrap();
    Archive::assemble(Box::new(Sqlite::memory().unwrap()), objects, writer().fresh_id).unwrap()
}

fn keep(archive: &Archive, answer: &Answer, window: Window) -> Stored {
    let queries = ids(archive);
    let (interval, fetched_at) = (minute(), window.end());
    let fetched = Fetched { queries: &queries, interval, window, fetched_at, open: false, answer };
    archive.store(&fetched).unwrap()
}

#[test]
fn every_value_comes_back_to_the_bit() {
    let archive = in_memory();
    archive.register(&request(&["avg:m{*}"])).unwrap();
    let values = [0.0, -0.0, 5e-324, 1e300, 0.1, 1e-12, f64::MAX, f64::MIN, -0.0, 0.0, 1e-9];
    // Many times over: what a hash table merges, it merges by chance.
    let values: Vec<f64> = values.iter().cycle().take(1100).copied().collect();
    let window = window(0, DAY_S);
    let mut one = series(0, &[], window, 0.0);
    one.ts_ms.truncate(values.len());
    one.values = values;
    let answer = Answer { series: vec![one] };
    let stored = keep(&archive, &answer, window);
    assert_eq!(bits(&read_back(&archive, &stored, ids(&archive)[0])), bits(&answer.series));
}

#[test]
fn a_series_longer_than_a_row_group_comes_back_whole() {
    let archive = in_memory();
    archive.register(&request(&["avg:a{*}", "avg:b{*}", "avg:c{*}"])).unwrap();
    let long = window(0, 60 * 140_000);
    let answer = Answer {
        series: vec![
            series(0, &["k:short"], window(0, 600), 1.0),
            series(0, &["l:long"], long, 2.0),
            series(0, &["m:short"], window(0, 600), 3.0),
            series(2, &["k:한글 배포", "n:../../etc"], window(60, 120), 4.0),
        ],
    };
    let stored = keep(&archive, &answer, long);
    let queries = ids(&archive);
    assert_eq!(stored.rows, 10 + 140_000 + 10 + 1);
    assert_eq!(bits(&read_back(&archive, &stored, queries[0])), bits(&answer.series[..3]));
    assert_eq!(bits(&read_back(&archive, &stored, queries[1])), bits(&[]));
    assert_eq!(bits(&read_back(&archive, &stored, queries[2])), bits(&answer.series[3..]));
}

#[test]
fn an_empty_answer_is_an_object_too() {
    let archive = in_memory();
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let stored = keep(&archive, &Answer::default(), window(0, DAY_S));
    let query = ids(&archive)[0];
    assert_eq!((stored.rows, read_back(&archive, &stored, query)), (0, Vec::new()));
    assert_eq!(archive.ledger().coverage(query).unwrap()[0].window, window(0, DAY_S));
}

type Points = Vec<(i64, u64)>;

fn any_series() -> impl Strategy<Value = (Vec<String>, Option<String>, Points)> {
    (
        proptest::collection::btree_set(".{0,12}", 0..3)
            .prop_map(|tags| tags.into_iter().collect()),
        proptest::option::of("[a-z/]{1,8}"),
        proptest::collection::btree_map(0_i64..1440, any::<u64>(), 0..40)
            .prop_map(|points| points.into_iter().collect()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_answer_comes_back(per_query in proptest::collection::vec(proptest::collection::vec(any_series(), 0..4), 2)) {
        let archive = in_memory();
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        let mut all = Vec::new();
        for (query, mut listed) in CallPosition::all(2).zip(per_query) {
            listed.sort_by(|a, b| a.0.cmp(&b.0));
            listed.dedup_by(|a, b| a.0 == b.0);
            for (tags, unit, points) in listed {
                let (minutes, values): (Vec<i64>, Vec<u64>) = points.into_iter().unzip();
                let ts_ms = minutes.iter().map(|minute| (START_S + minute * 60) * 1000).collect();
                let values = values.into_iter().map(f64::from_bits);
                let values = values.map(|value| if value.is_finite() { value } else { 0.5 }).collect();
                let metadata = std::sync::Arc::default();
                all.push(Series { query, metric: "m".into(), tags, unit, metadata, ts_ms, values });
            }
        }
        let answer = Answer { series: all };
        let stored = keep(&archive, &answer, window(0, DAY_S));
        for (position, query) in CallPosition::all(2).zip(ids(&archive)) {
            let own: Vec<Series> = answer
                .series
                .iter()
                .filter(|series| series.query == position && !series.ts_ms.is_empty())
                .cloned()
                .collect();
            let back = read_back(&archive, &stored, query);
            prop_assert_eq!(bits(&back), bits(&own));
        }
    }

    /// The naive model: which fetch owns each hour of each query.
    #[test]
    fn coverage_equals_a_naive_model(
        stores in proptest::collection::vec((0_i64..20, 1_i64..8, 1_usize..4), 1..12),
    ) {
        let archive = in_memory();
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        let queries = ids(&archive);
        let mut owners: HashMap<(QueryId, i64), ObjectId> = HashMap::new();
        for (fetched_s, (start, hours, which)) in (0..).zip(stores) {
            let asked: Vec<QueryId> =
                queries.iter().enumerate().filter(|(i, _)| which >> i & 1 == 1).map(|(_, q)| *q).collect();
            let window = window(start * 3600, (start + hours) * 3600);
            let stored = store(&archive, &asked, window, fetched_s).unwrap();
            for query in &asked {
                for hour in start..start + hours {
                    owners.insert((*query, hour), stored.object);
                }
            }
        }
        let mut shown = HashMap::new();
        for (query, held) in archive.ledger().coverage_all().unwrap() {
            prop_assert!(held.windows(2).all(|pair| pair[0].window.end() <= pair[1].window.start()));
            prop_assert_eq!(&held, &archive.ledger().coverage(query).unwrap());
            for stretch in held {
                for hour in (stretch.window.start_s()..stretch.window.end_s()).step_by(3600) {
                    shown.insert((query, (hour - START_S) / 3600), stretch.object);
                }
            }
        }
        prop_assert_eq!(&shown, &owners);
        let referred: std::collections::HashSet<ObjectId> = owners.into_values().collect();
        prop_assert_eq!(archive.ledger().totals().unwrap().objects, referred.len() as u64);
        prop_assert_eq!(archive.objects.list().unwrap().files.len(), referred.len());
    }
}
