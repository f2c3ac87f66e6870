//! The conformance suite of ledgers: what any backend must do.

use super::*;

fn conforms(make: &dyn Fn() -> Box<dyn Ledger>) {
    for law in [lists, remembers, substitutes, commits, notes, keeps_facts, extracts] {
        law(&mut *make());
    }
}

#[test]
fn sqlite_conforms() {
    conforms(&|| Box::new(Sqlite::memory().unwrap()));
}

fn positions(ledger: &mut dyn Ledger) -> Vec<(String, Option<usize>)> {
    ledger.queries().unwrap().into_iter().map(|query| (query.written, query.position)).collect()
}

fn lists(ledger: &mut dyn Ledger) {
    assert_eq!(ledger.request().unwrap(), None);
    let mut first = request(&["avg:a{*}", "avg:b{*}", "avg:c{*}"]);
    first.lines.insert(1, Line::Refused { written: "avg:(".into(), reason: "no name".into() });
    ledger.register(&first).unwrap();
    assert_eq!(ledger.request().unwrap(), Some(first));
    let refused = ledger.refused_lines().unwrap();
    assert_eq!((refused.len(), refused[0].position), (1, 1));
    let numbers: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();

    let mut second = request(&["avg:c{*}", "avg:a{*}"]);
    second.asked = window(30, 90);
    ledger.register(&second).unwrap();
    assert_eq!(ledger.request().unwrap(), Some(second));
    let listed = [("avg:c{*}", Some(0)), ("avg:a{*}", Some(1)), ("avg:b{*}", None)];
    assert_eq!(positions(ledger), listed.map(|(text, place)| (text.to_owned(), place)));
    let queries = ledger.queries().unwrap();
    assert_eq!(queries[0].id, numbers[2], "a query keeps its number");
    assert_eq!(queries[0].asked, Some(window(60, 120)), "aligned: buckets that start within");
    assert_eq!(queries[2].asked, Some(window(0, 2 * DAY_S)), "as its own list asked");
    assert_eq!(ledger.refused_lines().unwrap(), []);
}

fn remembers(ledger: &mut dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let before = ledger.remembered().unwrap();
    let foreign = Remembered { written: "other".into(), asked: None, ..before[0].1.clone() };
    let new = Remembered { sent: "avg:z{*}".into(), ..foreign.clone() };
    let numbers = ledger.remember(&[new.clone(), foreign]).unwrap();
    assert_eq!(numbers[1], before[0].0);
    assert_eq!(ledger.remembered().unwrap(), [before[0].clone(), (numbers[0], new)]);
}

fn substitutes(ledger: &mut dyn Ledger) {
    let list = request(&["avg:a{*}", "avg:b{*}"]);
    ledger.register(&list).unwrap();
    let filled = ledger.queries().unwrap().remove(0);
    let unfilled = filled.unfilled.clone().unwrap();
    let substitute = ledger.substitute(filled.id, &unfilled).unwrap();
    assert_eq!(ledger.substitute(filled.id, &unfilled).unwrap(), substitute, "repeatable");
    for _ in 0..2 {
        let queries = ledger.queries().unwrap();
        let told = (queries.len(), queries[0].id, queries[0].position, queries[0].alone);
        assert_eq!(told, (2, substitute, Some(0), true));
        assert_eq!(queries[0].written, "avg:a{*}");
        assert_eq!(queries[0].asked, filled.asked);
        assert_eq!(queries[0].instead_of.as_ref(), Some(&filled.sent));
        // The next run asks the same list: it is led to the form that the server takes.
        ledger.register(&list).unwrap();
        assert_eq!(ledger.request().unwrap().as_ref(), Some(&list));
    }
    assert!(ledger.substitute(QueryId(99), "x").is_err());
}

fn record(name: &str, queries: &[QueryId], window: Window, generation: u32) -> Record {
    Record {
        name: name.into(),
        queries: queries.to_vec(),
        interval: minute(),
        window,
        generation,
        fetched_at: Timestamp::from_second(START_S).unwrap(),
        open: true,
        rows: 3,
        bytes: 5,
        sha256: "00".into(),
    }
}

fn commits(ledger: &mut dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let day = record("day", &queries, window(0, DAY_S), 0);
    assert_eq!(ledger.generation(&queries, day.window).unwrap(), 0);
    ledger.give_up(&given_up(queries[0], day.window)).unwrap();
    let first = ledger.commit(&day).unwrap();
    assert_eq!(first.unreferenced, Vec::<String>::new());
    assert_eq!(ledger.given_up().unwrap(), [], "what is held is not given up");
    assert_eq!(ledger.object(first.object).unwrap().unwrap().record, day);
    assert_eq!(ledger.generation(&queries, window(DAY_S, 2 * DAY_S)).unwrap(), 0);
    assert_eq!(ledger.generation(&queries[..1], window(60, 120)).unwrap(), 1);

    let hour = record("hour", &queries[..1], window(3600, 7200), 1);
    let second = ledger.commit(&hour).unwrap();
    let held = |ledger: &mut dyn Ledger, query| {
        let held = ledger.coverage(query).unwrap();
        held.into_iter().map(|held| (held.window, held.object)).collect::<Vec<_>>()
    };
    assert_eq!(
        held(ledger, queries[0]),
        [
            (window(0, 3600), first.object),
            (window(3600, 7200), second.object),
            (window(7200, DAY_S), first.object)
        ]
    );
    assert_eq!(held(ledger, queries[1]), [(window(0, DAY_S), first.object)]);

    // An older one that is seen later (a rebuild) takes only what no newer one holds.
    let late = record("late", &queries[..1], window(0, DAY_S + 60), 0);
    let third = ledger.commit(&Record { fetched_at: Timestamp::UNIX_EPOCH, ..late }).unwrap();
    assert_eq!(held(ledger, queries[0])[3..], [(window(DAY_S, DAY_S + 60), third.object)]);

    let whole = record("whole", &queries, window(0, 2 * DAY_S), 2);
    let last = ledger.commit(&whole).unwrap();
    assert_eq!(last.unreferenced, ["day", "hour", "late"]);
    assert_eq!(ledger.noted().unwrap().len(), 3, "noted for removal in the same transaction");
    assert_eq!(ledger.objects().unwrap().len(), 1);
    assert_eq!(ledger.object(first.object).unwrap(), None);

    ledger.drop_object(last.object).unwrap();
    assert_eq!(ledger.coverage_all().unwrap().len(), 0);
    assert_eq!(ledger.generation(&queries, window(0, 60)).unwrap(), 3, "above what was dropped");
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

fn given_up(query: QueryId, window: Window) -> GivenUp {
    GivenUp { query, window, reason: "too many points".into(), at: Timestamp::UNIX_EPOCH }
}

fn notes(ledger: &mut dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    for name in ["b", "a", "b"] {
        ledger.note(&Note { name: name.into(), noted: Noted::Publish }).unwrap();
    }
    ledger.commit(&record("b", &[query], window(0, 60), 0)).unwrap();
    assert_eq!(ledger.noted().unwrap(), [Note { name: "a".into(), noted: Noted::Publish }]);
    ledger.unnote("a").unwrap();
    assert_eq!(ledger.noted().unwrap(), []);
}

fn keeps_facts(ledger: &mut dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    ledger.give_up(&given_up(query, window(0, 60))).unwrap();
    assert_eq!(ledger.given_up().unwrap(), [given_up(query, window(0, 60))]);
    assert_eq!(ledger.queries().unwrap()[0].given_up.as_deref(), Some("too many points"));
    ledger.forgive(query).unwrap();
    assert_eq!(ledger.queries().unwrap()[0].given_up, None);

    let mut learnt = Learnt {
        name: "points".into(),
        value: 1500,
        learnt_at: Timestamp::UNIX_EPOCH,
        why: "coarser".into(),
    };
    ledger.learn(&learnt).unwrap();
    learnt.value = 350;
    ledger.learn(&learnt).unwrap();
    assert_eq!(ledger.learnt().unwrap(), [learnt]);
    ledger.forget().unwrap();
    assert_eq!(ledger.learnt().unwrap(), []);

    assert_eq!(ledger.kept("salt").unwrap(), None);
    ledger.keep("salt", "old").unwrap();
    ledger.keep("salt", "new").unwrap();
    assert_eq!(ledger.kept("salt").unwrap().as_deref(), Some("new"));
}

fn extracts(ledger: &mut dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    assert_eq!(ledger.extracted(query).unwrap(), None);
    let file = SeriesFile {
        path: "csv/a/k=v.csv".into(),
        metric: "a".into(),
        tags: vec!["k:v, \"w\"".into()],
        unit: None,
        first: Timestamp::from_second(START_S).unwrap(),
        last: Timestamp::from_second(START_S + 60).unwrap(),
        points: 2,
        bytes: 50,
        sha256: "ab".into(),
    };
    let other = SeriesFile { path: "csv/a/values.csv".into(), ..file.clone() };
    let mut extracted = Extracted { digest: "d".into(), files: vec![file, other] };
    ledger.mark_extracted(&[(query, extracted.clone())]).unwrap();
    assert_eq!(ledger.extracted(query).unwrap().as_ref(), Some(&extracted));
    extracted.files.pop();
    ledger.mark_extracted(&[(query, extracted.clone())]).unwrap();
    assert_eq!(ledger.extracted(query).unwrap(), Some(extracted));
    let totals = ledger.totals().unwrap();
    assert_eq!((totals.files, totals.file_bytes, totals.file_points), (1, 50, 2));
}
