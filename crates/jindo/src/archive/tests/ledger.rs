//! The conformance suite of ledgers: what any backend must do.

use super::stretches::{confirms, copies, overlaps, types};
use super::*;
use crate::plan::Confidence;

fn conforms(make: &dyn Fn() -> Box<dyn Ledger>) {
    let laws = [
        lists,
        remembers,
        substitutes,
        leads_no_line_in_a_circle,
        commits,
        overtaken,
        taken_back,
        probes,
        reopens,
        notes,
        keeps_facts,
        extracts,
        overlaps,
        confirms,
        copies,
        types,
    ];
    for law in laws {
        law(&*make());
    }
}

#[test]
fn sqlite_conforms() {
    conforms(&|| Box::new(Sqlite::memory().unwrap()));
}

#[test]
fn sqlite_conforms_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    conforms(&|| {
        made.set(made.get() + 1);
        let path = dir.path().join(format!("{}.db", made.get()));
        Box::new(Sqlite::open(&path, IfBlank::Create).unwrap())
    });
}

fn positions(ledger: &dyn Ledger) -> Vec<(String, Option<usize>)> {
    ledger
        .queries()
        .unwrap()
        .into_iter()
        .map(|query| (query.text.written, query.position))
        .collect()
}

fn lists(ledger: &dyn Ledger) {
    assert_eq!(ledger.request().unwrap(), None);
    let mut first = request(&["avg:a{*}", "avg:b{*}", "avg:c{*}"]);
    first
        .lines
        .insert(1, RequestLine::Refused { written: "avg:(".into(), reason: "no name".into() });
    ledger.register(&first).unwrap();
    assert_eq!(ledger.request().unwrap(), Some(first));
    let refused = ledger.refused_lines().unwrap();
    assert_eq!((refused.len(), refused[0].position), (1, 1));
    let numbers: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();

    let mut second = request(&["avg:c{*}", "avg:a{*}"]);
    second.asked = window(30, 90).into();
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

fn remembers(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let before = ledger.remembered().unwrap();
    let known = before[0].1.clone();
    let text = QueryText { written: "other".into(), ..known.text.clone() };
    let foreign = Remembered { text: text.clone(), asked: None, ..known };
    let text = QueryText { sent: "avg:z{*}".into(), ..text };
    let new = Remembered { text, ..foreign.clone() };
    let numbers = ledger.remember(&[new.clone(), foreign]).unwrap();
    assert_eq!(numbers[1], before[0].0);
    assert_eq!(ledger.remembered().unwrap(), [before[0].clone(), (numbers[0], new)]);
}

fn substitutes(ledger: &dyn Ledger) {
    let list = request(&["avg:a{*}", "avg:b{*}"]);
    ledger.register(&list).unwrap();
    let filled = ledger.queries().unwrap().remove(0);
    let unfilled = filled.text.unfilled.clone().unwrap();
    let substitute = ledger.substitute(filled.id, &unfilled).unwrap();
    assert_eq!(ledger.substitute(filled.id, &unfilled).unwrap(), substitute, "repeatable");
    for _ in 0..2 {
        let queries = ledger.queries().unwrap();
        let told = (queries.len(), queries[0].id, queries[0].position, queries[0].text.alone);
        assert_eq!(told, (2, substitute, Some(0), true));
        assert_eq!(queries[0].text.written, "avg:a{*}");
        assert_eq!(queries[0].asked, filled.asked);
        assert_eq!(queries[0].instead_of, Some(filled.id));
        // The next run asks the same list: it is led to the form that the server takes.
        ledger.register(&list).unwrap();
        assert_eq!(ledger.request().unwrap().as_ref(), Some(&list));
    }
    assert!(ledger.substitute(QueryId(99), "x").is_err());
}

/// A file or a footer may name any query as sent in place of any other, and a list a query twice.
fn leads_no_line_in_a_circle(ledger: &dyn Ledger) {
    let list = request(&["avg:a{*}", "avg:b{*}", "avg:c{*}"]);
    ledger.register(&list).unwrap();
    let known: Vec<Remembered> =
        ledger.remembered().unwrap().into_iter().map(|one| one.1).collect();
    let led = |from: usize, to: usize| Remembered {
        substitute: Some(known[to].text.sent.clone()),
        ..known[from].clone()
    };
    ledger.remember(&[led(0, 1), led(1, 0), led(2, 2)]).unwrap();
    let twice = [&list.lines[..], &list.lines[..1]].concat();
    ledger.register(&Request { lines: twice, ..list.clone() }).unwrap();
    assert_eq!(ledger.request().unwrap(), Some(list));
    let places: Vec<_> = ledger.queries().unwrap().iter().map(|query| query.position).collect();
    assert_eq!(places, [Some(0), Some(1), Some(2)]);
}

/// A name as objects have them, in the order of the words.
pub(super) fn named(word: &str) -> String {
    let mut bytes = [0; 16];
    bytes[..word.len()].copy_from_slice(word.as_bytes());
    format!("2021-12-12/{:032x}.parquet", u128::from_be_bytes(bytes))
}

pub(super) fn record(name: &str, queries: &[QueryId], window: Window, generation: u32) -> Record {
    Record {
        name: named(name),
        queries: queries.to_vec(),
        interval: minute(),
        window,
        generation,
        fetched_at: Timestamp::from_second(START_S).unwrap(),
        open: true,
        copy_of: None,
        rows: 3,
        bytes: 5,
        sha256: "00".into(),
    }
}

/// Reserves a generation, and strikes the note of its name.
fn next_generation(ledger: &dyn Ledger, queries: &[QueryId], window: Window) -> u32 {
    let reserved = ledger.reserve(queries, window).unwrap();
    let note = NameNote { name: reserved.name.clone(), noted: NotePurpose::Publish };
    assert!(ledger.noted().unwrap().contains(&note), "the name is noted at once");
    ledger.unnote(&reserved.name).unwrap();
    reserved.generation
}

fn commits(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let day = record("day", &queries, window(0, DAY_S), 0);
    assert_eq!(next_generation(ledger, &queries, day.window), 0);
    ledger.give_up(&given_up(queries[0], day.window)).unwrap();
    let first = ledger.commit(&day).unwrap();
    assert_eq!(first.unreferenced, Vec::<String>::new());
    assert_eq!(ledger.given_up().unwrap(), [], "what is held is not given up");
    assert_eq!(ledger.object(first.object).unwrap().unwrap().record, day);
    assert_eq!(next_generation(ledger, &queries, window(DAY_S, 2 * DAY_S)), 0);
    assert_eq!(next_generation(ledger, &queries[..1], window(60, 120)), 1);

    let hour = record("hour", &queries[..1], window(3600, 7200), 1);
    let second = ledger.commit(&hour).unwrap();
    let held = |ledger: &dyn Ledger, query| {
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
    assert_eq!(last.unreferenced, ["day", "hour", "late"].map(named));
    assert_eq!(ledger.noted().unwrap().len(), 3, "noted for removal in the same transaction");
    assert_eq!(ledger.objects().unwrap().len(), 1);
    assert_eq!(ledger.object(first.object).unwrap(), None);

    ledger.drop_object(last.object).unwrap();
    assert_eq!(ledger.coverage_all().unwrap().len(), 0);
    assert_eq!(next_generation(ledger, &queries, window(0, 60)), 3, "above what was dropped");
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

/// A generation that another object took since it was reserved is not committed; the same object twice is the same answer.
fn overtaken(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let day = window(0, DAY_S);
    let mine = ledger.reserve(&queries, day).unwrap();
    let theirs = ledger.reserve(&queries[..1], day).unwrap();
    assert_eq!((mine.generation, theirs.generation), (0, 0));
    assert_eq!(mine.queries[1].text, ledger.queries().unwrap()[1].text);
    let named = |reserved: &Reserved, queries: &[QueryId]| Record {
        name: reserved.name.clone(),
        ..record("", queries, day, reserved.generation)
    };
    let theirs = named(&theirs, &queries[..1]);
    let NextCommit::Done(first) = ledger.commit_next(&theirs).unwrap() else {
        panic!("it was free")
    };
    assert_eq!(ledger.commit_next(&named(&mine, &queries)).unwrap(), NextCommit::Overtaken);
    let removal = NameNote { name: mine.name.clone(), noted: NotePurpose::Remove };
    assert_eq!(ledger.noted().unwrap(), [removal]);
    let again = Committed { object: first.object, unreferenced: vec![] };
    assert_eq!(ledger.commit_next(&theirs).unwrap(), NextCommit::Done(again));
    assert_eq!(ledger.objects().unwrap().len(), 1);
    assert_eq!(next_generation(ledger, &queries, day), 1);
    let unknown = ledger.reserve(&[queries[0], QueryId(99)], day);
    assert!(matches!(unknown, Err(Error::UnknownQuery { query: QueryId(99) })), "{unknown:?}");
}

pub(super) fn given_up(query: QueryId, window: Window) -> GivenUp {
    GivenUp {
        query,
        window,
        scope: GiveUpScope::Query,
        reason: GiveUpReason::Refused("too many points".into()),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// A query that was given up over its whole range is answered in one window: it is not given up any more, and what was refused
/// for its place in time is refused but for that window.
fn taken_back(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let range = window(0, 96 * DAY_S);
    let old = |query, from_s, to_s| GivenUp {
        scope: GiveUpScope::Window,
        ..given_up(query, window(from_s, to_s))
    };
    for &query in &queries {
        ledger.give_up(&given_up(query, range)).unwrap();
        ledger.give_up(&old(query, 0, 96 * DAY_S)).unwrap();
    }
    assert_eq!(ledger.totals().unwrap().given_up, 2);
    ledger.commit(&record("day", &queries[..1], window(9 * DAY_S, 10 * DAY_S), 0)).unwrap();
    let cut = [old(queries[0], 0, 9 * DAY_S), old(queries[0], 10 * DAY_S, 96 * DAY_S)];
    let other = [old(queries[1], 0, 96 * DAY_S), given_up(queries[1], range)];
    assert_eq!(ledger.given_up().unwrap(), [&cut[..], &other[..]].concat());
    let known = ledger.queries().unwrap();
    assert_eq!((&known[0].given_up, known[1].given_up.is_some()), (&None, true));
    assert_eq!(ledger.totals().unwrap().given_up, 1);
    ledger.commit(&record("days", &queries[..1], window(0, 9 * DAY_S), 0)).unwrap();
    assert_eq!(ledger.given_up().unwrap(), [&cut[1..], &other[..]].concat());
}

/// Every reason is kept as it was given, and the last one of a query as a whole is shown.
fn reasons(ledger: &dyn Ledger, query: QueryId) {
    let interval = |secs| Interval::from_secs(secs).unwrap();
    let reasons = [
        GiveUpReason::Refused("too many points".into()),
        GiveUpReason::NotOffered { asked: interval(1), nearest: interval(10) },
        GiveUpReason::PointTooLarge { mebibytes_max: 64 },
        GiveUpReason::UrlTooLong,
    ];
    for (reason, second) in reasons.into_iter().zip(1..) {
        let at = Timestamp::from_second(second).unwrap();
        let given_up = GivenUp { reason, at, ..given_up(query, window(0, 60)) };
        ledger.give_up(&given_up).unwrap();
        assert_eq!(ledger.given_up().unwrap(), std::slice::from_ref(&given_up));
        assert_eq!(ledger.queries().unwrap()[0].given_up, Some(given_up.reason));
    }
}

fn probes(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let mut probe = ledger.remembered().unwrap()[0].1.clone();
    (probe.text.sent, probe.role) = (query("avg:coarse{*}").text.sent, Role::Probe);
    let ids = ledger.remember(&[probe.clone()]).unwrap();
    assert_eq!(ledger.queries().unwrap().len(), 2, "nobody wants its points");
    assert_eq!(ledger.query(ids[0]).unwrap(), None);
    let swept = ledger.commit(&record("swept", &ids, window(0, 2 * DAY_S), 0)).unwrap().object;
    let early = record("early", &queries[..1], window(0, 3600), 0);
    let early = ledger.commit(&Record { fetched_at: Timestamp::UNIX_EPOCH, ..early }).unwrap();

    // What is held stays as it is; what is fetched later takes over, however old its object.
    let day = window(0, DAY_S);
    ledger.cover_empty(&[(queries[0], swept, day), (queries[1], swept, day)]).unwrap();
    let held = |ledger: &dyn Ledger, query| -> Vec<_> {
        let held = ledger.coverage(query).unwrap().into_iter();
        held.map(|held| (held.window, held.object, held.origin)).collect()
    };
    let fetched = (window(0, 3600), early.object, Origin::Fetched);
    let rest = (window(3600, DAY_S), swept, Origin::Probed);
    assert_eq!(held(ledger, queries[0]), [fetched, rest]);
    let (all, probed) = (DAY_S.unsigned_abs() * 2, DAY_S.unsigned_abs() * 2 - 3600);
    let totals = ledger.totals().unwrap();
    assert_eq!((totals.queries, totals.covered_s, totals.probed_s), (2, all, probed));
    let late = record("late", &queries[1..], window(7200, DAY_S), 0);
    let late = ledger.commit(&Record { fetched_at: Timestamp::UNIX_EPOCH, ..late }).unwrap();
    let taken = (window(7200, DAY_S), late.object, Origin::Fetched);
    assert_eq!(held(ledger, queries[1]), [(window(0, 7200), swept, Origin::Probed), taken]);

    assert_eq!(ledger.forget_answers(Aside::Samples).unwrap(), Vec::<String>::new());
    assert_eq!(ledger.forget_answers(Aside::Probes).unwrap(), [named("swept")]);
    assert_eq!(ledger.noted().unwrap().len(), 1, "noted for removal in the same transaction");
    assert_eq!((held(ledger, queries[0]), held(ledger, queries[1])), (vec![fetched], vec![taken]));

    // A list that names it wants its points after all, and what a footer says later does not change that.
    ledger.register(&request(&["avg:coarse{*}"])).unwrap();
    assert_eq!(ledger.queries().unwrap()[0].id, ids[0]);
    ledger.remember(&[probe]).unwrap();
    assert_eq!(ledger.queries().unwrap().len(), 3);
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

fn reopens(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    let queries: Vec<QueryId> = ledger.queries().unwrap().iter().map(|query| query.id).collect();
    let closed = |name, queries, window, generation| Record {
        open: false,
        ..record(name, queries, window, generation)
    };
    let day = ledger.commit(&closed("day", &queries, window(0, DAY_S), 0)).unwrap().object;
    let noon = window(DAY_S / 2, DAY_S);
    let newer = ledger.commit(&closed("newer", &queries[..1], noon, 1)).unwrap().object;
    let open = |ledger: &dyn Ledger, query| -> Vec<_> {
        let held = ledger.coverage(query).unwrap().into_iter();
        held.map(|held| (held.window, held.object, held.open)).collect()
    };
    let (morning, all) = (window(0, DAY_S / 2), window(0, DAY_S));

    // Of the first query another object holds the afternoon by now: that was not compared.
    assert_eq!(ledger.reopen(&[(queries[0], day, noon)]).unwrap(), 0);
    assert_eq!(ledger.reopen(&[(queries[0], day, all)]).unwrap(), 1);
    assert_eq!(open(ledger, queries[0]), [(morning, day, true), (noon, newer, false)]);
    assert_eq!(open(ledger, queries[1]), [(all, day, false)], "the others of the call stay closed");
    assert_eq!(ledger.reopen(&[(queries[1], day, window(60, 120))]).unwrap(), 1);
    assert_eq!(open(ledger, queries[1]), [(all, day, true)], "whole");
    assert_eq!(ledger.totals().unwrap().open, 2);

    // The next answer closes it, and the object stays for what others count on.
    let again = ledger.commit(&closed("again", &queries[..1], morning, 1)).unwrap();
    assert_eq!(again.unreferenced, Vec::<String>::new());
    assert_eq!(open(ledger, queries[0]), [(morning, again.object, false), (noon, newer, false)]);
    assert_eq!(ledger.check().unwrap(), Vec::<String>::new());
}

fn notes(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    let windows = [window(60, 120), window(0, 60), window(60, 120)];
    let [late, early, _] = windows.map(|of| ledger.reserve(&[query], of).unwrap().name);
    let late = Record { name: late, ..record("", &[query], windows[0], 0) };
    ledger.commit(&late).unwrap();
    let note = NameNote { name: early.clone(), noted: NotePurpose::Publish };
    assert_eq!(ledger.noted().unwrap(), [note]);
    ledger.unnote(&early).unwrap();
    assert_eq!(ledger.noted().unwrap(), []);
}

/// Of each kind the last one counts; that probes are discarded is none of them.
fn limits(ledger: &dyn Ledger) {
    let learnt = |limit| Learnt {
        limit,
        learnt_at: Timestamp::UNIX_EPOCH,
        seen_at: Timestamp::UNIX_EPOCH,
        why: "the server said so".into(),
        refusals: 0,
        largest: 349,
        taught_by: "avg:a{*}".into(),
        teachers: 3,
    };
    let oldest = LearntLimit::OldestKept(Timestamp::from_second(START_S).unwrap());
    let others = [LearntLimit::Queries(20), LearntLimit::UrlChars(5_000)];
    let points = [LearntLimit::Points(1_500), LearntLimit::Points(350)];
    for limit in points.into_iter().chain(others).chain([oldest]) {
        ledger.learn(&learnt(limit)).unwrap();
    }
    assert_eq!(ledger.probes_discarded().unwrap(), None);
    let discarded = ProbesDiscarded { why: "it lied".into(), at: Timestamp::UNIX_EPOCH };
    ledger.discard_probes(&discarded).unwrap();
    assert_eq!(ledger.probes_discarded().unwrap(), Some(discarded));
    let all = [oldest, LearntLimit::Points(350), others[0], others[1]];
    assert_eq!(ledger.learnt().unwrap(), all.map(learnt));
    let later = Timestamp::from_second(START_S).unwrap();
    let again = Learnt { learnt_at: later, seen_at: later, refusals: 2, ..learnt(others[0]) };
    ledger.learn(&again).unwrap();
    let known = Learnt { seen_at: later, refusals: 2, ..learnt(others[0]) };
    assert_eq!(ledger.learnt().unwrap()[2], known, "seen once more");
    ledger.unlearn(LearntLimit::Queries(7)).unwrap();
    assert_eq!(ledger.learnt().unwrap().len(), 3);
}

fn keeps_facts(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    reasons(ledger, query);

    limits(ledger);
    let weight = |ledger: &dyn Ledger| {
        ledger.queries().unwrap()[0]
            .weight
            .map(|weight| (weight.bytes_per_bucket, weight.weighed_at))
    };
    let then = Timestamp::from_second(START_S).unwrap();
    assert_eq!(weight(ledger), None);
    ledger.weigh(&[(query, Some(400_000))], then).unwrap();
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    assert_eq!(weight(ledger), Some((400_000, then)), "another list changes nothing about it");
    ledger.weigh(&[(query, None)], then).unwrap();
    assert_eq!(weight(ledger), None);
    ledger.weigh(&[(query, Some(7))], then).unwrap();

    let spaced = |query: &str, secs, basis| Spaced {
        query: query.into(),
        interval: Interval::from_secs(secs).unwrap(),
        basis,
        why: "its points".into(),
        found_at: Timestamp::UNIX_EPOCH,
    };
    let all = Confidence::ALL.map(|basis| spaced(basis.name(), 60, basis));
    ledger.space(&all).unwrap();
    assert_eq!(ledger.spaced().unwrap().len(), all.len(), "every basis can be kept");
    let finer = spaced("empty", 10, Confidence::Sampled);
    ledger.space(std::slice::from_ref(&finer)).unwrap();
    assert_eq!(ledger.spaced().unwrap()[0], finer, "the last one counts");

    ledger.forget().unwrap();
    assert_eq!((ledger.learnt().unwrap(), ledger.spaced().unwrap()), (vec![], vec![]));
    assert_eq!(ledger.probes_discarded().unwrap(), None);
    assert_eq!(weight(ledger), None);

    assert_eq!(ledger.kept("salt").unwrap(), None);
    ledger.keep("salt", "old").unwrap();
    ledger.keep("salt", "new").unwrap();
    assert_eq!(ledger.kept("salt").unwrap().as_deref(), Some("new"));
}

const CSV: OutputName = OutputName("csv");

fn extracts(ledger: &dyn Ledger) {
    ledger.register(&request(&["avg:a{*}"])).unwrap();
    let query = ledger.queries().unwrap()[0].id;
    assert_eq!(ledger.extracted(CSV, query).unwrap(), None);
    let file = SeriesFile {
        path: "csv/a/k=v.csv".into(),
        metric: "a".into(),
        tags: vec!["k:v, \"w\"".to_owned()].into(),
        unit: None,
        first: Timestamp::from_second(START_S).unwrap(),
        last: Timestamp::from_second(START_S + 60).unwrap(),
        points: 2,
        bytes: 50,
        sha256: "ab".into(),
    };
    let other = SeriesFile { path: "csv/a/values.csv".into(), ..file.clone() };
    let mut extracted = Extracted { digest: "d".into(), files: vec![file, other] };
    ledger.mark_extracted(CSV, &[(query, extracted.clone())]).unwrap();
    assert_eq!(ledger.extracted(CSV, query).unwrap().as_ref(), Some(&extracted));
    extracted.files.pop();
    ledger.mark_extracted(CSV, &[(query, extracted.clone())]).unwrap();
    assert_eq!(ledger.extracted(CSV, query).unwrap().as_ref(), Some(&extracted));
    let other = OutputName("other");
    assert_eq!(ledger.extracted(other, query).unwrap(), None);
    let twin = SeriesFile { path: "csv/A/k=v.csv".into(), ..extracted.files[0].clone() };
    let twin = Extracted { digest: "e".into(), files: vec![twin] };
    let taken = ledger.mark_extracted(other, &[(query, twin)]);
    assert!(matches!(taken, Err(Error::PathTaken { .. })), "{taken:?}");
    assert_eq!(ledger.extracted(other, query).unwrap(), None);
    ledger
        .mark_extracted(other, &[(query, Extracted { files: vec![], ..extracted.clone() })])
        .unwrap();
    assert_eq!(ledger.extracted(CSV, query).unwrap(), Some(extracted));
    let totals = ledger.totals().unwrap();
    assert_eq!((totals.files, totals.file_bytes, totals.file_points), (1, 50, 2));
}
