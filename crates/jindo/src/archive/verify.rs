//! Verification and repair: every object read back, decoded and compared with the ledger, and every file accounted
//! for. [`Archive::verify`] changes nothing; [`Archive::repair`] mends, and deletes nothing: what is damaged is set aside.

use super::disk::ArchiveFolder;
use super::ledger;
use super::objects::{Encoded, KeptOrganisation, Listed, Objects, Whole};
use super::organisation;
use super::request_file::{REQUEST, parsed};
use super::{Archive, Error, Holder, IfBlank, Ledger, Object, QueryId};
use crate::query::Interval;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Kind of fault of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Objects without a ledger. Mended: rebuilt from their footers.
    LedgerLost,
    /// Mended: set aside and rebuilt.
    LedgerDamaged,
    /// `request.json` cannot be read where it is needed. Mended: set aside; coverage is whole, the last request is not known.
    RequestDamaged,
    /// The ledger counts on a file that is not there. Mended: its coverage is dropped, the next export fetches it.
    Missing,
    /// An object is not what was written. Mended: set aside, its coverage dropped.
    Damaged,
    /// A whole object that the ledger contradicts. Mended: recorded as its footer says.
    Contradicted,
    /// A file that the ledger does not know. Mended: adopted where it is whole, set aside where not; what is no plain file is
    /// left alone.
    Stranger,
    /// A half-written file that a crash left and no record names. Mended: set aside.
    Half,
}

/// One thing that is wrong, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveFinding {
    pub fault: Fault,
    /// Below `archive/`.
    pub name: String,
    pub why: String,
    /// `None`: left as it was (verify), or needs a person.
    pub mended: Option<String>,
}

impl ArchiveFinding {
    fn new(fault: Fault, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { fault, name: name.into(), why: why.into(), mended: None }
    }

    fn mended(mut self, how: impl Into<String>) -> Self {
        self.mended = Some(how.into());
        self
    }
}

/// Report of a verification or repair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verified {
    /// Objects that are as they should be, their rows and bytes.
    pub objects: u64,
    pub rows: u64,
    pub bytes: u64,
    pub findings: Vec<ArchiveFinding>,
}

/// Result of comparing a file with its record.
enum Looked {
    Sound { rows: u64, bytes: u64 },
    Missing(String),
    Damaged(String),
    Contradicted(String, Box<Whole>),
}

impl Archive {
    /// Reads everything, changes nothing; works while an export writes.
    pub fn verify(dir: &Path) -> Result<Verified, Error> {
        let place = ArchiveFolder::at(dir)?;
        if !place.exists() {
            return Err(Error::Absent { dir: dir.to_owned() });
        }
        let objects = Objects::local(&place.root)?;
        // Files before the ledger: one that is published in between is then recorded, or noted.
        let (listed, halves) = (objects.list()?, place.halves()?);
        let finding = match readable(&place)? {
            Err(finding) => finding,
            Ok(mut ledger) => match verify_with(&mut *ledger, &objects, &listed, &halves) {
                // What was found already is said by this, and without it nothing more can be.
                Err(Error::LedgerDamaged { why }) => ledger_damaged(why),
                verified => return verified,
            },
        };
        let mut verified = Verified { findings: vec![finding], ..Verified::default() };
        verify_without(&objects, &listed, &mut verified)?;
        verified.findings.extend(halves.into_iter().map(half));
        Ok(verified)
    }

    /// Mends what [`Archive::verify`] finds. Takes the lock, so not while an export writes. Repeatable after a crash within it.
    pub fn repair(dir: &Path, holder: &Holder) -> Result<Verified, Error> {
        let place = ArchiveFolder::at(dir)?;
        if !place.exists() {
            return Err(Error::Absent { dir: dir.to_owned() });
        }
        place.make()?;
        let lock = place.lock(holder)?;
        let objects = Objects::local(&place.root)?;
        let listed = objects.list()?;
        let mut verified = Verified::default();
        let broken = match readable(&place)? {
            Ok(mut ledger) => ledger.check()?.into_iter().next().map(ledger_damaged),
            Err(finding) => Some(finding),
        };
        if let Some(finding) = broken {
            rebuild(&place, &objects, &listed.files, &mut verified)?;
            verified.findings.insert(0, finding.mended("rebuilt from the objects' footers"));
        }
        let archive = Self::open_locked(&place, lock, place.journal()?)?;
        archive.mend(&mut verified)?;
        for name in place.halves()? {
            let aside = place.set_aside(&name)?;
            verified.findings.push(half(name).mended(format!("moved to {aside}")));
        }
        Ok(verified)
    }

    /// Mends object by object, under the lock.
    fn mend(&self, verified: &mut Verified) -> Result<(), Error> {
        let Listed { files: mut strangers, foreign } = self.objects.list()?;
        let records = self.reading().objects()?;
        let known: HashMap<&str, &Object> =
            records.iter().map(|object| (object.record.name.as_str(), object)).collect();
        strangers.retain(|name| !known.contains_key(name.as_str()));
        for object in &records {
            let name = &object.record.name;
            let looked = look(&mut **self.reading(), &self.objects, object)?;
            let finding = match looked {
                Looked::Sound { rows, bytes } => {
                    verified.count(rows, bytes);
                    continue;
                }
                Looked::Missing(why) => {
                    self.writing()?.drop_object(object.id)?;
                    missing(name, why).mended("the next export fetches it again")
                }
                Looked::Damaged(why) => {
                    // Dropped first: a crash in between leaves a stranger, which is then set aside.
                    self.writing()?.drop_object(object.id)?;
                    let aside = self.objects.set_aside(name)?;
                    damaged(name, why)
                        .mended(format!("moved to {aside}; the next export fetches it again"))
                }
                Looked::Contradicted(why, whole) => {
                    let mut ledger = self.writing()?;
                    ledger.drop_object(object.id)?;
                    whole.adopt(&mut **ledger)?;
                    contradicted(name, why).mended("recorded as its footer says")
                }
            };
            verified.findings.push(finding);
        }
        for name in strangers {
            let finding = self.take_in(&name)?;
            verified.findings.push(finding);
        }
        verified.findings.extend(foreign.iter().map(|(name, what)| left_alone(name, what)));
        Ok(())
    }

    fn take_in(&self, name: &str) -> Result<ArchiveFinding, Error> {
        let inspected = match self.objects.read(name) {
            Ok(bytes) => Whole::inspect(name, &bytes.unwrap_or_default()),
            Err(Error::ObjectDamaged { why, .. }) => Err(why),
            Err(error) => return Err(error),
        };
        match inspected {
            Ok(whole) => {
                let committed = whole.adopt(&mut **self.writing()?)?;
                for gone in &committed.unreferenced {
                    self.objects.remove(gone)?;
                    self.writing()?.unnote(gone)?;
                }
                let how = if committed.unreferenced.iter().any(|gone| gone == name) {
                    "removed: newer objects hold all of it"
                } else {
                    "adopted"
                };
                Ok(stranger(name).mended(how))
            }
            Err(why) => {
                let aside = self.objects.set_aside(name)?;
                let finding = ArchiveFinding::new(Fault::Stranger, format!("data/{name}"), why);
                Ok(finding.mended(format!("moved to {aside}")))
            }
        }
    }
}

/// Checks that these bytes, whatever they are called, are a whole object: every page decoded, everything as their footer says. The text
/// says what is wrong. For bytes of unknown origin; takes no more memory than a few times their length.
pub fn inspect(bytes: &[u8]) -> Result<(), String> {
    Encoded::parse(&Bytes::copy_from_slice(bytes))?.check_rows()
}

impl Verified {
    fn count(&mut self, rows: u64, bytes: u64) {
        self.objects += 1;
        self.rows += rows;
        self.bytes += bytes;
    }
}

fn verify_with(
    ledger: &mut dyn Ledger,
    objects: &Objects,
    listed: &Listed,
    halves: &[String],
) -> Result<Verified, Error> {
    let mut verified = Verified::default();
    verified.findings.extend(ledger.check()?.into_iter().map(ledger_damaged));
    let records = ledger.objects()?;
    for object in &records {
        let name = &object.record.name;
        let finding = match look(ledger, objects, object)? {
            Looked::Sound { rows, bytes } => {
                verified.count(rows, bytes);
                continue;
            }
            // A writer may have replaced it while we looked.
            _ if ledger.object(object.id)?.is_none() => continue,
            Looked::Missing(why) => missing(name, why),
            Looked::Damaged(why) => damaged(name, why),
            Looked::Contradicted(why, _) => contradicted(name, why),
        };
        verified.findings.push(finding);
    }
    let mut known: Vec<String> = records.into_iter().map(|object| object.record.name).collect();
    let noted = ledger.noted()?;
    known.extend(noted.iter().map(|note| note.name.clone()));
    known.extend(ledger.objects()?.into_iter().map(|object| object.record.name));
    known.sort_unstable();
    for name in listed.files.iter().filter(|name| known.binary_search(name).is_err()) {
        match objects.read(name) {
            // Listed, then replaced and removed by a writer.
            Ok(None) => {}
            Ok(Some(_)) => verified.findings.push(stranger(name)),
            Err(Error::ObjectDamaged { why, .. }) => {
                verified.findings.push(ArchiveFinding::new(
                    Fault::Stranger,
                    format!("data/{name}"),
                    why,
                ));
            }
            Err(error) => return Err(error),
        }
    }
    verified.findings.extend(listed.foreign.iter().map(|(name, what)| left_alone(name, what)));
    let is_noted =
        |half: &str| noted.iter().any(|note| half.starts_with(&format!("data/{}#", note.name)));
    let left = halves.iter().filter(|half| !is_noted(half));
    verified.findings.extend(left.cloned().map(half));
    Ok(verified)
}

/// Without a ledger every file is a stranger; said once. Which of them are damaged is worth knowing.
fn verify_without(
    objects: &Objects,
    listed: &Listed,
    verified: &mut Verified,
) -> Result<(), Error> {
    for name in &listed.files {
        let inspected = match objects.read(name) {
            Ok(bytes) => Whole::inspect(name, &bytes.unwrap_or_default()),
            Err(Error::ObjectDamaged { why, .. }) => Err(why),
            Err(error) => return Err(error),
        };
        match inspected {
            Ok(whole) => {
                let record = whole.record(Vec::new());
                verified.count(record.rows, record.bytes);
            }
            Err(why) => verified.findings.push(damaged(name, why)),
        }
    }
    verified.findings.extend(listed.foreign.iter().map(|(name, what)| left_alone(name, what)));
    Ok(())
}

/// The ledger, or what is wrong with it as a whole. A newer jindo's is an error: it must not be rebuilt.
fn readable(place: &ArchiveFolder) -> Result<Result<Box<dyn Ledger>, ArchiveFinding>, Error> {
    let lost = || ArchiveFinding::new(Fault::LedgerLost, "ledger.db", "there is no ledger");
    if !place.ledger().exists() {
        return Ok(Err(lost()));
    }
    match place.check_journal().and_then(|()| ledger::read(&place.ledger())) {
        Ok(ledger) => Ok(Ok(ledger)),
        Err(Error::LedgerLost { .. }) => Ok(Err(lost())),
        Err(Error::LedgerDamaged { why }) => Ok(Err(ledger_damaged(why))),
        Err(error) => Err(error),
    }
}

/// Reads an object back and compares it with its record.
fn look(ledger: &mut dyn Ledger, objects: &Objects, object: &Object) -> Result<Looked, Error> {
    let record = &object.record;
    let bytes = match objects.read(&record.name) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Looked::Missing("its file is gone".to_owned())),
        Err(Error::Foreign { path, what }) => {
            return Ok(Looked::Missing(format!("in its place, {} is {what}", path.display())));
        }
        Err(Error::ObjectDamaged { why, .. }) => return Ok(Looked::Damaged(why)),
        Err(error) => return Err(error),
    };
    let whole = match Whole::inspect(&record.name, &bytes) {
        Ok(whole) => whole,
        Err(why) => return Ok(Looked::Damaged(why)),
    };
    let read_back = whole.record(record.queries.clone());
    if read_back.sha256 != record.sha256 {
        return Ok(Looked::Damaged("its bytes are not those that were written".into()));
    }
    let mut same = read_back == *record && whole.footer.queries.len() == record.queries.len();
    for (query, told) in record.queries.iter().zip(&whole.footer.queries) {
        same &= known_as(ledger, *query, &told.sent, whole.footer.interval())?;
    }
    if !same {
        let why = "the ledger records something else than its footer".to_owned();
        return Ok(Looked::Contradicted(why, Box::new(whole)));
    }
    Ok(Looked::Sound { rows: record.rows, bytes: record.bytes })
}

/// Returns true if the ledger knows the query by that text and interval.
fn known_as(
    ledger: &mut dyn Ledger,
    query: QueryId,
    sent: &str,
    interval: Interval,
) -> Result<bool, Error> {
    match ledger.recall(&[query]) {
        Ok(known) => {
            Ok(known.iter().all(|known| known.text.sent == sent && known.text.interval == interval))
        }
        Err(Error::UnknownQuery { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a ledger from request.json and the footers, beside the old one, then puts it in its place: a crash leaves the old state.
fn rebuild(
    place: &ArchiveFolder,
    objects: &Objects,
    names: &[String],
    verified: &mut Verified,
) -> Result<(), Error> {
    place.remove_new_ledger()?;
    ArchiveFolder::make_blank(&place.new_ledger())?;
    let mut ledger = ledger::open(&place.new_ledger(), IfBlank::Create, place.journal()?)?;
    if let Some(bytes) = objects.read_beside(REQUEST)? {
        match parsed(&bytes) {
            Ok((request, known)) => {
                // By their old numbers, so that those of earlier lists keep their order.
                let _: Vec<QueryId> = ledger.remember(&known)?;
                ledger.register(&request)?;
            }
            Err(why) => {
                let aside = place.set_aside(REQUEST)?;
                let finding = ArchiveFinding::new(Fault::RequestDamaged, REQUEST, why);
                verified.findings.push(finding.mended(format!("moved to {aside}")));
            }
        }
    }
    let mut newest: Option<(Timestamp, KeptOrganisation)> = None;
    for name in names {
        // What is not whole stays where it is: mending sets it aside as a stranger.
        let bytes = match objects.read(name) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(Error::ObjectDamaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Ok(whole) = Whole::inspect(name, &bytes) else { continue };
        whole.adopt(&mut *ledger)?;
        let at = whole.footer.fetched_at;
        if let Some(kept) = whole.footer.organisation
            && newest.as_ref().is_none_or(|(before, _)| *before < at)
        {
            newest = Some((at, kept));
        }
    }
    if let Some((_, kept)) = newest {
        organisation::keep(&mut *ledger, &kept)?;
    }
    ledger.close()?;
    place.set_ledger_aside()?;
    place.install_new_ledger()
}

fn ledger_damaged(why: String) -> ArchiveFinding {
    ArchiveFinding::new(Fault::LedgerDamaged, "ledger.db", why)
}

fn missing(name: &str, why: String) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Missing, format!("data/{name}"), why)
}

/// Neither read nor moved: what it leads to is not the archive's.
fn left_alone(name: &str, what: &str) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Stranger, format!("data/{name}"), format!("{what}; left alone"))
}

fn damaged(name: &str, why: String) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Damaged, format!("data/{name}"), why)
}

fn contradicted(name: &str, why: String) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Contradicted, format!("data/{name}"), why)
}

fn stranger(name: &str) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Stranger, format!("data/{name}"), "the ledger does not know it")
}

fn half(name: String) -> ArchiveFinding {
    ArchiveFinding::new(Fault::Half, name, "a half-written file that nobody counts on")
}
