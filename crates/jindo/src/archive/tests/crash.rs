//! A crash after every single effect on ledger and objects: nothing that was covered is lost, no half is believed, and doing the
//! work again ends where a faultless run ends.

use super::*;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// Effects left before the crash. The one that uses up the last happens, and its caller never hears of it.
#[derive(Debug, Clone)]
struct Fuse(Arc<AtomicI64>);

impl Fuse {
    fn of(effects: i64) -> Self {
        Self(Arc::new(AtomicI64::new(effects)))
    }

    /// Whether the world still stands before this effect.
    fn alive(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    /// Burns one; whether the world still stands after it.
    fn burn(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) > 1
    }
}

fn crashed() -> Error {
    Error::Ledger { doing: "crashing", source: "crash".into() }
}

#[derive(Debug)]
struct CrashingLedger {
    ledger: Arc<Mutex<Sqlite>>,
    fuse: Fuse,
}

impl CrashingLedger {
    fn ask<T>(&self, ask: impl FnOnce(&mut Sqlite) -> Result<T, Error>) -> Result<T, Error> {
        if self.fuse.alive() { ask(&mut self.ledger.lock().unwrap()) } else { Err(crashed()) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Sqlite) -> Result<T, Error>) -> Result<T, Error> {
        let changed = self.ask(change)?;
        if self.fuse.burn() { Ok(changed) } else { Err(crashed()) }
    }
}

macro_rules! decorated {
    ($how:ident: $($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($argument: $type),*) -> Result<$result, Error> {
            self.$how(|ledger| ledger.$name($($argument),*))
        })*
    };
}

impl Ledger for CrashingLedger {
    decorated! { change:
        register(request: &Request) -> ();
        remember(queries: &[Remembered]) -> Vec<QueryId>;
        substitute(query: QueryId, sent: &str) -> QueryId;
        note(note: &Note) -> ();
        unnote(name: &str) -> ();
        commit(record: &Record) -> Committed;
        cover_empty(empty: &[(QueryId, ObjectId, Window)]) -> ();
        doubt_empty(points: u32) -> ();
        forget_probes() -> Vec<String>;
        reopen(stretches: &[(QueryId, ObjectId, Window)]) -> u64;
        drop_object(object: ObjectId) -> ();
        give_up(given_up: &GivenUp) -> ();
        forgive(query: QueryId) -> ();
        learn(learnt: &Learnt) -> ();
        weigh(weights: &[(QueryId, Option<u64>)], at: Timestamp) -> ();
        forget() -> ();
        space(spaced: &[Spaced]) -> ();
        keep(key: &str, text: &str) -> ();
        mark_extracted(extracted: &[(QueryId, Extracted)]) -> ();
    }
    decorated! { ask:
        request() -> Option<Request>;
        refused_lines() -> Vec<RefusedLine>;
        queries() -> Vec<Registered>;
        query(query: QueryId) -> Option<Registered>;
        remembered() -> Vec<(QueryId, Remembered)>;
        recall(query: QueryId) -> Option<(Remembered, Option<String>)>;
        coverage(query: QueryId) -> Vec<Coverage>;
        coverage_all() -> BTreeMap<QueryId, Vec<Coverage>>;
        generation(queries: &[QueryId], window: Window) -> u32;
        noted() -> Vec<Note>;
        object(object: ObjectId) -> Option<Object>;
        objects() -> Vec<Object>;
        given_up() -> Vec<GivenUp>;
        learnt() -> Vec<Learnt>;
        spaced() -> Vec<Spaced>;
        kept(key: &str) -> Option<String>;
        extracted(query: QueryId) -> Option<Extracted>;
        owner(path: &str) -> Option<QueryId>;
        totals() -> Totals;
        check() -> Vec<String>;
    }
}

/// A store whose last put before the crash may leave only half of the file.
#[derive(Debug, Clone)]
struct CrashingStore {
    store: Arc<object_store::memory::InMemory>,
    fuse: Fuse,
    torn: Torn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Torn {
    Never,
    LastPut,
}

impl fmt::Display for CrashingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that crashes")
    }
}

fn store_crashed() -> object_store::Error {
    object_store::Error::Generic { store: "crash", source: "crash".into() }
}

/// As `async_trait` spells a future that borrows its arguments.
type Future<'f, T> = futures::future::BoxFuture<'f, StoreResult<T>>;

impl ObjectStore for CrashingStore {
    fn put_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Future<'f, PutResult>
    where
        's: 'f,
        'l: 'f,
    {
        Box::pin(async move {
            if !self.fuse.alive() {
                return Err(store_crashed());
            }
            let stands = self.fuse.burn();
            let payload = if !stands && self.torn == Torn::LastPut {
                let whole = bytes::Bytes::from(payload);
                PutPayload::from(whole.slice(..whole.len() / 2))
            } else {
                payload
            };
            let put = self.store.put_opts(location, payload, options).await?;
            if stands { Ok(put) } else { Err(store_crashed()) }
        })
    }

    fn put_multipart_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        options: PutMultipartOptions,
    ) -> Future<'f, Box<dyn MultipartUpload>>
    where
        's: 'f,
        'l: 'f,
    {
        self.store.put_multipart_opts(location, options)
    }

    fn get_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        options: GetOptions,
    ) -> Future<'f, GetResult>
    where
        's: 'f,
        'l: 'f,
    {
        self.store.get_opts(location, options)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Location>>,
    ) -> BoxStream<'static, StoreResult<Location>> {
        if !self.fuse.alive() {
            return Box::pin(futures::stream::iter([Err(store_crashed())]));
        }
        let deleted = self.store.delete_stream(locations);
        if self.fuse.burn() { deleted } else { Box::pin(deleted.map(|_| Err(store_crashed()))) }
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_delimiter<'s, 'l, 'f>(
        &'s self,
        prefix: Option<&'l Location>,
    ) -> Future<'f, ListResult>
    where
        's: 'f,
        'l: 'f,
    {
        self.store.list_with_delimiter(prefix)
    }

    fn copy_opts<'s, 'a, 'b, 'f>(
        &'s self,
        from: &'a Location,
        to: &'b Location,
        options: CopyOptions,
    ) -> Future<'f, ()>
    where
        's: 'f,
        'a: 'f,
        'b: 'f,
    {
        self.store.copy_opts(from, to, options)
    }
}

struct World {
    ledger: Arc<Mutex<Sqlite>>,
    store: Arc<object_store::memory::InMemory>,
}

impl World {
    fn new() -> Self {
        let ledger = Arc::new(Mutex::new(Sqlite::memory().unwrap()));
        Self { ledger, store: Arc::default() }
    }

    fn open(&self, fuse: Fuse, torn: Torn) -> Result<Archive, Error> {
        let ledger = CrashingLedger { ledger: Arc::clone(&self.ledger), fuse: fuse.clone() };
        let store = CrashingStore { store: Arc::clone(&self.store), fuse, torn };
        Archive::assemble(Box::new(ledger), Objects::over(Arc::new(store)))
    }

    fn calm(&self) -> Archive {
        self.open(Fuse::of(i64::MAX), Torn::Never).unwrap()
    }
}

const STEPS: [(i64, i64, i32); 5] = [
    (0, DAY_S, 2),
    (DAY_S, 2 * DAY_S, 3),
    (DAY_S, 2 * DAY_S, 4),
    (3600, 7200, 5),
    (0, 2 * DAY_S, 6),
];

/// A run: what is stored already, by the time its rows tell, is not stored again.
fn run(archive: &Archive, done: &mut usize) -> Result<(), Error> {
    archive.register(&request(&["avg:a{*}", "avg:b{*}"]))?;
    let queries: Vec<QueryId> = archive.queries()?.iter().map(|query| query.id).collect();
    for (from_s, until_s, fetched_s) in STEPS.into_iter().skip(*done) {
        let wanted = window(from_s, until_s);
        if !is_newest(archive, &queries, wanted, fetched_s)? {
            store(archive, &queries, wanted, fetched_s)?;
        }
        *done += 1;
    }
    Ok(())
}

/// Whether all of the window was fetched then, as the records say.
fn is_newest(
    archive: &Archive,
    queries: &[QueryId],
    wanted: Window,
    fetched_s: i32,
) -> Result<bool, Error> {
    let at = Timestamp::from_second(START_S + i64::from(fetched_s)).unwrap();
    for query in queries {
        for held in archive.coverage(*query)? {
            let record = archive.reading().object(held.object)?.unwrap().record;
            if record.fetched_at == at && held.window == wanted {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn survives(torn: Torn) {
    let faultless = World::new();
    run(&faultless.calm(), &mut 0).unwrap();
    let expected = shown(&faultless.calm());
    let mut crashes = 0;
    for effects in 1.. {
        let world = World::new();
        let mut done = 0;
        let fuse = Fuse::of(effects);
        let ended = world.open(fuse.clone(), torn).and_then(|archive| run(&archive, &mut done));
        if ended.is_ok() && fuse.alive() {
            break;
        }
        crashes += 1;
        // Crash in the recovery as well, once.
        drop(world.open(Fuse::of(1 + effects % 3), Torn::Never));
        let archive = world.calm();
        assert_eq!(archive.reading().noted().unwrap(), [], "after {effects} effects");
        let covered = archive.totals().unwrap().covered_s;
        if done > 0 {
            assert!(covered >= 2 * 86_400, "after {effects} effects: coverage was lost");
        }
        shown(&archive);
        run(&archive, &mut done).unwrap();
        assert_eq!(shown(&archive), expected, "after {effects} effects");
        let names = archive.objects.names().unwrap();
        assert_eq!(names.len() as u64, archive.totals().unwrap().objects, "no file is left over");
    }
    assert!(crashes > 20, "{crashes} crashes are too few to mean anything");
}

#[test]
fn a_crash_after_any_effect_changes_nothing() {
    survives(Torn::Never);
}

#[test]
fn a_half_written_object_is_never_believed() {
    survives(Torn::LastPut);
}

#[test]
fn a_published_object_is_adopted_and_its_call_not_repeated() {
    let world = World::new();
    // The request in the ledger and beside it, the note, the object; no commit.
    let archive = world.open(Fuse::of(4), Torn::Never).unwrap();
    assert!(run(&archive, &mut 0).is_err());
    assert_eq!(archive.objects.names().unwrap().len(), 1);
    let archive = world.calm();
    assert_eq!(archive.recovery().adopted, archive.objects.names().unwrap());
    let totals = archive.totals().unwrap();
    assert_eq!((totals.covered_s, totals.rows), (2 * 86_400, 2 * 1440));
}

#[test]
fn only_halves_of_noted_names_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, unknown) = ("start=2021-12-12/a.parquet", "start=2021-12-12/b.parquet");
    let half = |name: &str| dir.path().join(format!("archive/data/{name}#1"));
    let archive = opened(dir.path());
    archive.writing().unwrap().note(&Note { name: ours.into(), noted: Noted::Publish }).unwrap();
    drop(archive);
    std::fs::create_dir_all(half(ours).parent().unwrap()).unwrap();
    for name in [ours, unknown] {
        std::fs::File::create(half(name)).unwrap();
    }
    let archive = opened(dir.path());
    assert_eq!(archive.recovery().removed, [format!("data/{ours}#1")]);
    assert!(!half(ours).exists() && half(unknown).exists());
    assert_eq!(archive.reading().noted().unwrap(), []);
}

#[test]
fn a_crash_before_the_ledger_was_made_leaves_nothing_to_mend() {
    for blank in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("archive/data")).unwrap();
        if blank {
            std::fs::File::create(dir.path().join("archive/ledger.db")).unwrap();
        }
        assert!(matches!(Archive::read(dir.path()), Err(Error::Absent { .. })));
        opened(dir.path()).register(&request(&["avg:a{*}"])).unwrap();
        assert_eq!(ids(&Archive::read(dir.path()).unwrap()).len(), 1);
    }
}

#[test]
fn a_crash_while_marking_open_or_fetching_again_leaves_rows_and_mark_until_the_answer_is_there() {
    let all = window(0, DAY_S);
    let mut crashes = 0;
    for effects in 1.. {
        let world = World::new();
        let archive = world.calm();
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        let queries = ids(&archive);
        store(&archive, &queries, all, 2).unwrap();
        let object = archive.coverage(queries[0]).unwrap()[0].object;
        drop(archive);
        let fuse = Fuse::of(effects);
        let ended = world.open(fuse.clone(), Torn::LastPut).and_then(|archive| {
            archive.reopen(&[(queries[0], object, all)])?;
            store(&archive, &queries[..1], all, 4)
        });
        let archive = world.calm();
        let held = archive.coverage(queries[0]).unwrap();
        assert_eq!((held.len(), held[0].window), (1, all), "after {effects} effects");
        let is_old = held[0].object == object;
        assert_eq!(held[0].open, is_old, "after {effects} effects");
        shown(&archive);
        assert_eq!(archive.coverage(queries[1]).unwrap()[0].object, object);
        if ended.is_ok() && fuse.alive() {
            assert!(!is_old);
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 3, "{crashes} crashes are too few to mean anything");
}
