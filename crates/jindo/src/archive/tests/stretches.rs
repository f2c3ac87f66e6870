//! Laws of ledgers about stretches of coverage: which overlap, when they were asked last, and to which copies they move.

use super::ledger::{given_up, named, record};
use super::*;
use crate::query::MetricType;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START_S + second).unwrap()
}

fn listed(ledger: &dyn Ledger) -> Vec<QueryId> {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    ledger.queries().unwrap().iter().map(|query| query.id).collect()
}

/// Windows, objects and last moments of asking, of what is open or not.
fn asked(ledger: &dyn Ledger, query: QueryId) -> Vec<(Window, ObjectId, bool, Timestamp)> {
    let held = ledger.coverage(query).unwrap().into_iter();
    held.map(|held| (held.window, held.object, held.open, held.asked_at)).collect()
}

/// What overlaps is returned whole, oldest first; what only touches is not.
pub(super) fn overlaps(ledger: &dyn Ledger) {
    let queries = listed(ledger);
    for (name, hours) in [("one", (0, 3)), ("two", (3, 6)), ("three", (9, 12))] {
        let window = window(hours.0 * 3600, hours.1 * 3600);
        ledger.commit(&record(name, &queries[..1], window, 0)).unwrap();
    }
    let all = ledger.coverage(queries[0]).unwrap();
    for (hours, expected) in [
        ((1, 2), 0..1),
        ((2, 4), 0..2),
        ((3, 6), 1..2),
        ((6, 9), 0..0),
        ((0, 24), 0..3),
        ((11, 24), 2..3),
    ] {
        let within = window(hours.0 * 3600, hours.1 * 3600);
        assert_eq!(ledger.overlapping(queries[0], within).unwrap(), all[expected], "{hours:?}");
    }
    assert_eq!(ledger.overlapping(queries[1], window(0, DAY_S)).unwrap(), []);
}

/// An equal answer changes the moment of asking within its window, takes back what was given up there, and nothing else.
pub(super) fn confirms(ledger: &dyn Ledger) {
    let queries = listed(ledger);
    let day = window(0, DAY_S);
    let object = ledger.commit(&record("day", &queries, day, 0)).unwrap().object;
    let refused = GivenUp { scope: GiveUpScope::Window, ..given_up(queries[0], window(0, 3600)) };
    ledger.give_up(&refused).unwrap();
    let objects = ledger.objects().unwrap();
    ledger.confirm(&queries[..1], window(3600, 7200), at(50)).unwrap();
    let left = (window(0, 3600), object, true, at(0));
    let rest = (window(7200, DAY_S), object, true, at(0));
    assert_eq!(
        asked(ledger, queries[0]),
        [left, (window(3600, 7200), object, false, at(50)), rest]
    );
    assert_eq!(asked(ledger, queries[1]), [(day, object, true, at(0))], "it was not asked");
    assert_eq!(ledger.given_up().unwrap(), [refused], "of another window");
    // A moment before the last one, which a clock that was set tells.
    ledger.confirm(&queries, day, at(20)).unwrap();
    let moments: Vec<_> = asked(ledger, queries[0]).iter().map(|held| (held.2, held.3)).collect();
    assert_eq!(moments, [(false, at(20)), (false, at(50)), (false, at(20))]);
    assert_eq!(asked(ledger, queries[1]), [(day, object, false, at(20))]);
    assert_eq!((ledger.given_up().unwrap(), ledger.objects().unwrap()), (vec![], objects));
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

/// Copies take over what is left of an object, and with it the moments of asking; the answer stays the same.
pub(super) fn copies(ledger: &dyn Ledger) {
    let queries = listed(ledger);
    let old = ledger.commit(&record("old", &queries[..1], window(0, DAY_S), 0)).unwrap().object;
    let new = ledger.commit(&record("new", &queries[..1], window(0, 3600), 1)).unwrap().object;
    ledger.confirm(&queries[..1], window(3600, DAY_S), at(50)).unwrap();
    assert_eq!(ledger.unrested().unwrap(), [(old, Unrest::Overtaken)]);
    let answer = ledger.grants(queries[0]).unwrap()[1].answer.clone();
    ledger.note_copies(&[named("copy")]).unwrap();
    let copy_of = Some(answer.clone());
    let left = record("copy", &queries[..1], window(3600, DAY_S), 0);
    // Equal bytes would be the same object in another place.
    let copy = Record { copy_of, open: false, sha256: "01".into(), ..left };
    ledger.copied(old, std::slice::from_ref(&copy)).unwrap();
    let grants = ledger.grants(queries[0]).unwrap();
    let [first, second] = &grants[..] else { panic!("{grants:?}") };
    assert_eq!((first.held.window, first.held.object), (window(0, 3600), new));
    assert_eq!((second.held.window, second.held.asked_at), (window(3600, DAY_S), at(50)));
    assert_eq!(second.answer, answer);
    assert_eq!(ledger.object(second.held.object).unwrap().unwrap().record, copy);
    assert_eq!(ledger.object(old).unwrap(), None);
    let removal = NameNote { name: named("old"), noted: NotePurpose::Remove };
    assert_eq!((ledger.noted().unwrap(), ledger.unrested().unwrap()), (vec![removal], vec![]));
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

/// Of a metric the last type counts.
pub(super) fn types(ledger: &dyn Ledger) {
    let known = |metric: &str, of| KnownType { metric: metric.into(), of, found_at: at(0) };
    let [gauge, rate] = [MetricType::Gauge, MetricType::RateWithoutInterval];
    for one in [known("b", gauge), known("a", gauge), known("b", rate)] {
        ledger.keep_type(&one).unwrap();
    }
    assert_eq!(ledger.metric_types().unwrap(), [known("a", gauge), known("b", rate)]);
    ledger.forget().unwrap();
    assert_eq!(ledger.metric_types().unwrap(), []);
}
