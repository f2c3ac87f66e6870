//! What holds of any ledger: every question to it is answered or refused, what is answered keeps the bounds that are promised, and what
//! is refused can be mended. The bounded tests beside it and a fuzz target share it.

use super::forge::Beginnings;
use jindo::archive::{Archive, ArchiveId, ArchiveWriter, Error, Holder, Ledger};
use jindo::extract::{self, CsvTree, Directory, DisplayOptions, Which};
use std::fs;
use std::path::Path;

/// The largest generation of an object.
const GENERATION_MAX: u32 = 10_000_000;

/// Makes a directory, in memory where the system has a place for that.
pub(crate) fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a place for files")
}

pub(crate) fn writer() -> ArchiveWriter {
    let since = jiff::Timestamp::UNIX_EPOCH;
    let holder = Holder { pid: 1, host: "fuzz".into(), since };
    ArchiveWriter { holder, fresh_id: ArchiveId::new(1) }
}

pub(crate) fn csv() -> CsvTree {
    CsvTree::new(&DisplayOptions { zone: jiff::tz::TimeZone::UTC, timezone: "UTC".into() })
}

/// Draws one in so many inputs, always the same ones.
pub(crate) fn is_drawn(input: &[u8], one_in: u64) -> bool {
    // FNV-1a.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    hash >> 32 & 0xffff_ffff < (1 << 32) / one_in
}

/// A ledger of somebody else's making, as these bytes spell it: asked everything, and of one in so many a whole directory is read,
/// mended and extracted.
pub(crate) fn ledger(beginnings: &Beginnings, input: &[u8], one_in: u64) {
    let path = beginnings.dir.path().join("archive/ledger.db");
    beginnings.write(input, &path);
    read(beginnings.dir.path());
    if is_drawn(input, one_in) {
        let dir = directory();
        copied(&beginnings.dir.path().join("archive"), &dir.path().join("archive"));
        mended(dir.path());
    }
    for companion in ["-wal", "-shm", "-journal"] {
        drop(fs::remove_file(path.with_file_name(format!("ledger.db{companion}"))));
    }
}

/// Asks a ledger everything: who reads it is told that it is damaged, or is told nothing that cannot be.
fn read(dir: &Path) {
    let archive = match Archive::read(dir) {
        Ok(archive) => archive,
        Err(error) => return assert!(is_refusal(&error), "{error:?}"),
    };
    let ledger = archive.ledger();
    let wrong = ledger.check().expect("damage is told, no failure");
    let mut failures = Vec::new();
    ask(ledger, &mut failures);
    for failure in failures {
        let of_rows = matches!(failure, Error::LedgerDamaged { .. } | Error::UnknownQuery { .. });
        assert!(of_rows, "{failure:?}");
        assert!(!wrong.is_empty(), "the check passes over what fails by {failure:?}");
    }
}

/// Returns true for the errors by which a ledger is refused for good: it is another's, or to be rebuilt.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::LedgerDamaged { .. } | Error::LedgerNewer { .. } | Error::LedgerLost { .. }
    )
}

/// Asks everything, and looks at the answers; adds those that failed.
fn ask(ledger: &dyn Ledger, failures: &mut Vec<Error>) {
    macro_rules! answer {
        ($asked:expr) => {
            $asked.map_err(|failure| failures.push(failure)).ok()
        };
    }
    answer!(ledger.request());
    answer!(ledger.refused_lines());
    answer!(ledger.queries());
    answer!(ledger.remembered());
    answer!(ledger.given_up());
    answer!(ledger.noted());
    answer!(ledger.probes_discarded());
    answer!(ledger.spaced());
    answer!(ledger.metric_types());
    answer!(ledger.trusted());
    answer!(ledger.totals());
    answer!(ledger.unrested());
    answer!(ledger.extents(CsvTree::NAME));
    for learnt in answer!(ledger.learnt()).unwrap_or_default() {
        assert!(learnt.limit.may_be_learnt(), "{learnt:?}");
    }
    for object in answer!(ledger.objects()).unwrap_or_default() {
        assert!(object.record.generation <= GENERATION_MAX, "{object:?}");
        assert!(!object.record.name.contains(".."), "{object:?}");
        answer!(ledger.recall(&object.record.queries));
    }
    for (query, held) in answer!(ledger.coverage_all()).unwrap_or_default() {
        answer!(ledger.query(query));
        answer!(ledger.grants(query));
        answer!(ledger.extracted(CsvTree::NAME, query));
        answer!(ledger.coverage(query));
        for held in held {
            answer!(ledger.overlapping(query, held.window));
            answer!(ledger.object(held.object));
        }
    }
}

/// A directory whose ledger was written by somebody else: it is read, written or refused; then it is mended, and nothing is wrong with
/// it any more.
pub(crate) fn mended(dir: &Path) {
    questions(dir);
    let found = Archive::verify(dir);
    let newer = |error: &Error| matches!(error, Error::LedgerNewer { .. });
    if found.as_ref().is_err_and(newer) {
        assert!(Archive::repair(dir, &writer()).as_ref().is_err_and(newer), "it is not rebuilt");
        return;
    }
    let found = found.expect("damage is told, no failure");
    match Archive::open(dir, &writer()) {
        Ok(archive) => drop(files(dir, &archive)),
        Err(error) => {
            assert!(is_refusal(&error), "{error:?}");
            assert_ne!(found.findings, [], "what is found sound can be opened: {error:?}");
        }
    }
    Archive::repair(dir, &writer()).expect("it is mended");
    assert_eq!(Archive::verify(dir).expect("it was mended").findings, []);
    questions(dir);
    let archive = Archive::open(dir, &writer()).expect("it was mended");
    archive.site().expect("it was mended");
    archive.assumed_types().expect("it was mended");
    archive.standings().expect("it was mended");
    files(dir, &archive).expect("files are made of what was mended");
}

/// Makes files and tables.
fn files(dir: &Path, archive: &Archive) -> Result<(), extract::Error> {
    let disk = Directory::of_archive(dir);
    let queries = extract::with_files(archive, &csv())?;
    let made = extract::update(archive, &disk, &csv(), &queries, Which::Outdated);
    drop(extract::verify(archive, &disk, &csv()));
    match made {
        // Of names that somebody chose so.
        Err(extract::Error::Collision { .. } | extract::Error::Twins { .. }) => Ok(()),
        made => {
            made?;
            extract::tables(archive, &disk, &csv()).map(drop)
        }
    }
}

/// Asks for everything, and for every row.
fn questions(dir: &Path) {
    let Ok(archive) = Archive::read(dir) else { return };
    let ledger = archive.ledger();
    ask(ledger, &mut Vec::new());
    drop((archive.identities(), archive.travelling(), archive.bytes_to_rest()));
    for (query, held) in ledger.coverage_all().unwrap_or_default() {
        for held in held {
            drop(archive.rows(held.object, query, &mut |_| Ok::<_, Error>(())));
        }
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new directory");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a folder");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a file or a folder").is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a new directory");
        }
    }
}
