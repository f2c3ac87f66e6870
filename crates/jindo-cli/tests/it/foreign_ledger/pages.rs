//! Where the pages of a ledger point: SQLite follows them before anybody has looked, and a page may be pointed at a thousand times.

use super::Sound;
use rusqlite::Connection;
use std::fs;
use std::path::Path;

const PAGE: usize = 4_096;
/// Children of a page at most, so that its cells fit.
const CHILDREN: usize = 300;

/// A ledger as pages, to be changed byte by byte.
struct Pages(Vec<u8>);

impl Pages {
    fn read(ledger: &Path) -> Self {
        Self(fs::read(ledger).unwrap())
    }

    fn write(&self, ledger: &Path) {
        fs::write(ledger, &self.0).unwrap();
    }

    /// Adds a page and returns its number. The header counts it.
    fn add(&mut self, page: &[u8]) -> u32 {
        self.0.extend_from_slice(page);
        let count = u32::try_from(self.0.len() / PAGE).unwrap();
        self.0[28..32].copy_from_slice(&count.to_be_bytes());
        count
    }

    fn page(&self, number: u32) -> &[u8] {
        let start = (number as usize - 1) * PAGE;
        &self.0[start..start + PAGE]
    }

    fn set(&mut self, number: u32, page: &[u8]) {
        let start = (number as usize - 1) * PAGE;
        self.0[start..start + PAGE].copy_from_slice(page);
    }

    /// Makes a table of which every page above the leaf has [`CHILDREN`] children, all of them the same page: `levels` of them.
    fn branch(&mut self, root: u32, levels: usize) {
        let head = if root == 1 { 100 } else { 0 };
        let mut leaf = vec![0; PAGE];
        // What stands on the first page behind the header of the file is moved to a page without one: offsets count from its start.
        leaf[..PAGE].copy_from_slice(self.page(root));
        if head > 0 {
            let count = usize::from(u16::from_be_bytes([leaf[head + 3], leaf[head + 4]]));
            leaf.copy_within(head..head + 8 + 2 * count, 0);
        }
        let mut child = self.add(&leaf);
        for _ in 1..levels {
            child = self.add(&interior(child, 0, &[0; PAGE]));
        }
        let top = interior(child, head, self.page(root));
        self.set(root, &top);
    }
}

/// Returns a page of a table with many children, all of them the same one.
fn interior(child: u32, head: usize, before: &[u8]) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[..head].copy_from_slice(&before[..head]);
    let count = if head > 0 { CHILDREN - 20 } else { CHILDREN };
    let mut content = PAGE;
    for cell in 0..count {
        content -= 6;
        page[content..content + 4].copy_from_slice(&child.to_be_bytes());
        // The key, in two bytes: the last of its left child.
        page[content + 4] = 0x80 | u8::try_from(cell >> 7).unwrap();
        page[content + 5] = u8::try_from(cell & 0x7f).unwrap();
        let place = head + 12 + 2 * cell;
        page[place..place + 2].copy_from_slice(&u16::try_from(content).unwrap().to_be_bytes());
    }
    page[head] = 5;
    page[head + 3..head + 5].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
    page[head + 5..head + 7].copy_from_slice(&u16::try_from(content).unwrap().to_be_bytes());
    page[head + 8..head + 12].copy_from_slice(&child.to_be_bytes());
    page
}

fn root_of(ledger: &Path, table: &str) -> u32 {
    let connection = Connection::open(ledger).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    connection.query_row(sql, [table], |row| row.get(0)).unwrap()
}

fn prepare(ledger: &Path, sql: &str) {
    let connection = Connection::open(ledger).unwrap();
    connection.execute_batch(&format!("PRAGMA journal_mode = DELETE; {sql}")).unwrap();
}

/// Bytes of the header of the file, each with what it says then.
const HEADERS: [(&str, usize, &[u8]); 16] = [
    ("no magic", 0, b"SQLite format 2\0"),
    ("a page of one byte", 16, &[0, 0]),
    ("pages of 65,536 bytes", 16, &[0, 1]),
    ("pages of 512 bytes", 16, &[2, 0]),
    ("pages of 1,000 bytes", 16, &[3, 232]),
    ("a format to be written that is newer", 18, &[9]),
    ("a format to be read that is newer", 19, &[9]),
    ("255 bytes of each page reserved", 20, &[255]),
    ("other fractions", 21, &[1, 1, 1]),
    ("4,294,967,295 pages", 28, &[255; 4]),
    ("a free page that is the first", 32, &[0, 0, 0, 1]),
    ("4,294,967,295 free pages", 36, &[255; 4]),
    ("a schema of format 99", 44, &[0, 0, 0, 99]),
    ("vacuumed by itself, from the last page", 52, &[255; 4]),
    ("text in UTF-16", 56, &[0, 0, 0, 2]),
    ("text in no encoding", 56, &[255; 4]),
];

#[test]
fn attempts_of_ledgers_that_point_anywhere() {
    let sound = Sound::new();
    let mut count = 0;
    for levels in [2, 4, 8, 18] {
        // The schema itself, statistics, and tables of ours.
        for table in [
            "sqlite_schema",
            "sqlite_stat1",
            "sqlite_stat4",
            "queries",
            "objects",
            "lines",
            "trusted",
        ] {
            let ledger = sound.fresh();
            prepare(&ledger, "ANALYZE");
            let root = if table == "sqlite_schema" { 1 } else { root_of(&ledger, table) };
            let mut pages = Pages::read(&ledger);
            assert!(
                matches!(pages.page(root)[if root == 1 { 100 } else { 0 }], 5 | 13),
                "{table} is a table"
            );
            pages.branch(root, levels);
            pages.write(&ledger);
            let name =
                format!("{levels} levels of pages with one child, {CHILDREN} times, in {table}");
            sound.is_damaged(&name);
            count += 1;
        }
    }
    for (name, offset, bytes) in HEADERS {
        let ledger = sound.fresh();
        prepare(&ledger, "");
        let mut pages = Pages::read(&ledger);
        pages.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        pages.write(&ledger);
        is_damaged_or_read(&sound, name);
        count += 1;
    }
    for (name, length) in [
        ("cut behind its header", 100),
        ("cut within its header", 50),
        ("cut in the middle", 3 * PAGE),
    ] {
        let ledger = sound.fresh();
        prepare(&ledger, "");
        let pages = Pages::read(&ledger);
        fs::write(&ledger, &pages.0[..length]).unwrap();
        sound.is_damaged(name);
        count += 1;
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        for (what, bytes) in [
            ("zeros", vec![0; 1 << 20]),
            ("ones", vec![255; 1 << 20]),
            ("text", b"journal".repeat(1 << 14)),
        ] {
            let ledger = sound.fresh();
            fs::write(format!("{}{suffix}", ledger.display()), bytes).unwrap();
            is_damaged_or_read(&sound, &format!("{what} in ledger.db{suffix}"));
            count += 1;
        }
    }
    jindo_testing::all_held("pages and headers of a ledger, with the real binary", count);
}

/// What SQLite may read as it is, or not: within the limits, and with a sentence.
fn is_damaged_or_read(sound: &Sound, name: &str) {
    for args in [
        &["status", "out"][..],
        &["plan", "--out", "out"],
        &["export", "--out", "out", "--progress", "none"],
        &["verify", "out"],
    ] {
        let output = sound.attempt(name, args);
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{name}: {args:?} {code:?}\n{said}");
        assert!(
            code == Some(0) || !said.is_empty() || args[0] == "verify",
            "{name}: {args:?}\n{said}"
        );
    }
    // What a newer SQLite alone may write, and a journal that is to be rolled back first: nothing is touched, and the file can be moved.
    let is_left =
        name.contains("to be written") || (name.contains("-journal") && !name.contains("zeros"));
    if !is_left {
        sound.is_mended(name);
    }
}
