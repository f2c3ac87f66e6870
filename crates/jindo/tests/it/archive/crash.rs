//! A crash after every single effect on ledger and objects: nothing that was covered is lost, no half is believed, and doing the
//! work again ends where a faultless run ends.

use super::*;
use futures::TryStreamExt as _;
use futures::executor::block_on;
use jindo::archive::{ArchiveId, CoverageLedger as _, Objects, Sqlite};
use jindo_testing::{Doom, FaultyLedger, FaultyStore, Fuse};
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

struct World {
    ledger: Arc<Sqlite>,
    store: Arc<InMemory>,
}

impl World {
    fn new() -> Self {
        let ledger = Arc::new(Sqlite::memory().unwrap());
        Self { ledger, store: Arc::default() }
    }

    fn open(&self, fuse: &Fuse) -> Result<Archive, Error> {
        let ledger = FaultyLedger { kept: Arc::clone(&self.ledger), fuse: fuse.clone() };
        let store = FaultyStore { kept: Arc::clone(&self.store), fuse: fuse.clone() };
        Archive::assemble(Box::new(ledger), Objects::over(Arc::new(store))?, ArchiveId::new(1))
    }

    fn calm(&self) -> Archive {
        self.open(&Fuse::endless()).unwrap()
    }

    /// Returns the names of the objects in the store.
    fn files(&self) -> Vec<String> {
        let there = self.store.list(Some(&Location::from("data"))).try_collect::<Vec<_>>();
        let names = block_on(there)
            .unwrap()
            .into_iter()
            .map(|meta| meta.location.as_ref().strip_prefix("data/").unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn noted(&self) -> Vec<NameNote> {
        self.ledger.noted().unwrap()
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
    let queries: Vec<QueryId> = archive.ledger().queries()?.iter().map(|query| query.id).collect();
    for (from_s, until_s, fetched_s) in STEPS.into_iter().skip(*done) {
        let wanted = window(from_s, until_s);
        if !is_newest(archive, &queries, wanted, fetched_s)? {
            store(archive, &queries, wanted, fetched_s)?;
        }
        archive.bring_to_rest(&AtomicBool::new(false))?;
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
        for grant in archive.ledger().grants(*query)? {
            if grant.fetched_at == at && grant.held.window == wanted {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Moments that the work takes on a new world: at each of them something may fail.
fn moments(work: impl Fn(&Archive)) -> i64 {
    let fuse = Fuse::endless();
    work(&World::new().open(&fuse).unwrap());
    assert!(fuse.burnt() > 10, "{} moments are too few to mean anything", fuse.burnt());
    fuse.burnt()
}

#[test]
fn a_crash_or_a_failure_at_any_moment_of_any_effect_changes_nothing() {
    let faultless = World::new();
    run(&faultless.calm(), &mut 0).unwrap();
    let expected = shown(&faultless.calm());
    for moment in 0..moments(|archive| run(archive, &mut 0).unwrap()) {
        for doom in [Doom::Dies, Doom::FailsOnce] {
            let (world, mut done) = (World::new(), 0);
            let fuse = Fuse::of(moment, doom);
            drop(world.open(&fuse).and_then(|archive| run(&archive, &mut done)));
            assert!(fuse.has_blown(), "moment {moment} came");
            // A crash in the recovery as well, once.
            drop(world.open(&Fuse::of(moment % 5, Doom::Dies)));
            let archive = world.calm();
            assert_eq!(world.noted(), [], "{doom:?} at {moment}");
            let covered = archive.ledger().totals().unwrap().covered_s;
            assert!(done == 0 || covered >= 2 * 86_400, "{doom:?} at {moment}: coverage was lost");
            shown(&archive);
            run(&archive, &mut done).unwrap();
            assert_eq!(shown(&archive), expected, "{doom:?} at {moment}");
            let names = world.files();
            assert_eq!(
                names.len() as u64,
                archive.ledger().totals().unwrap().objects,
                "no file is left"
            );
        }
    }
}

#[test]
fn a_published_object_is_adopted_and_its_call_not_repeated() {
    let world = World::new();
    // The id (2 moments), the request in the ledger (2) and beside it (3), the note (2), the object (3); no commit.
    let archive = world.open(&Fuse::of(2 + 2 + 3 + 2 + 3, Doom::Dies)).unwrap();
    assert!(run(&archive, &mut 0).is_err());
    drop(archive);
    let archive = world.calm();
    assert_eq!(world.files().len(), 1);
    assert_eq!(archive.recovery().adopted, world.files());
    let totals = archive.ledger().totals().unwrap();
    assert_eq!((totals.covered_s, totals.rows), (2 * 86_400, 2 * 1440));
}

#[test]
fn a_crash_while_marking_open_or_fetching_again_leaves_rows_and_mark_until_the_answer_is_there() {
    let all = window(0, DAY_S);
    let fetch = |archive: &Archive| {
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        store(archive, &ids(archive), all, 2).unwrap();
        archive.ledger().coverage(ids(archive)[0]).unwrap()[0].object
    };
    let again = |archive: &Archive, queries: &[QueryId], object| {
        archive.ledger().reopen(&[(queries[0], object, all)])?;
        store(archive, &queries[..1], all, 4)
    };
    let mut crashes = 0;
    for moment in 0.. {
        let world = World::new();
        let archive = world.calm();
        let object = fetch(&archive);
        let queries = ids(&archive);
        drop(archive);
        let fuse = Fuse::of(moment, Doom::Dies);
        drop(world.open(&fuse).and_then(|archive| again(&archive, &queries, object)));
        let archive = world.calm();
        let held = archive.ledger().coverage(queries[0]).unwrap();
        assert_eq!((held.len(), held[0].window), (1, all), "at {moment}");
        let is_old = held[0].object == object;
        // Before the mark was committed there is nothing to ask again.
        assert_eq!(held[0].open, is_old && moment > 0, "at {moment}");
        shown(&archive);
        assert_eq!(archive.ledger().coverage(queries[1]).unwrap()[0].object, object);
        if !fuse.has_blown() {
            assert!(!is_old);
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 5, "{crashes} crashes are too few to mean anything");
}
