//! Verification and repair: every object read back, decoded and compared with the ledger, and every file accounted
//! for. [`Archive::verify`] changes nothing; [`Archive::repair`] mends, and deletes nothing: what is damaged is set aside.

use super::disk::{ArchiveFolder, Listed};
use super::ledger;
use super::objects::{Encoded, FooterQuery, Objects, Whole, is_as_recorded, place};
use super::organisation;
use super::request_file::{REQUEST, REQUEST_BYTES_MAX, RequestFile, parsed};
use super::write::{assumed_types, keep_assumed_types};
use super::{
    Archive, ArchiveId, ArchiveWriter, Error, IfBlank, KnownType, Ledger, QueryId, Record,
};
use crate::query::MetricType;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;

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

    fn of_ledger(why: String) -> Self {
        Self::new(Fault::LedgerDamaged, "ledger.db", why)
    }

    fn of_object(fault: Fault, name: &str, why: impl Into<String>) -> Self {
        Self::new(fault, place(name), why)
    }

    /// Moves the file to `damaged/`, where it is to be mended.
    fn set_aside(self, mend: Option<&ArchiveFolder>) -> Result<Self, Error> {
        let Some(place) = mend else { return Ok(self) };
        let mended = Some(format!("moved to {}", place.set_aside(&self.name)?));
        Ok(Self { mended, ..self })
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
    /// True where neither the ledger nor `request.json` has a last request: what was asked cannot be known, nor whether it is there.
    pub is_request_lost: bool,
}

impl Archive {
    /// Reads everything, changes nothing; works while an export writes.
    pub fn verify(dir: &Path) -> Result<Verified, Error> {
        let place = ArchiveFolder::existing(dir)?;
        let objects = Objects::local(&place.root)?;
        // Files before the ledger: one that is published in between is then recorded, or noted.
        let listed = objects.list()?;
        let finding = match readable(&place)? {
            Err(finding) => finding,
            Ok(ledger) => {
                let damaged = check(&*ledger)?.into_iter().map(ArchiveFinding::of_ledger).collect();
                let archive = Self::of(ledger, objects);
                match archive.examine(&listed, None) {
                    // What was found already is said by this, and without it nothing more can be.
                    Err(Error::LedgerDamaged { why }) => ArchiveFinding::of_ledger(why),
                    verified => return Ok(verified?.after(damaged).knowing_request(&archive)),
                }
            }
        };
        // Without a ledger every file is a stranger; said once. Which of them are damaged is worth knowing.
        let objects = Objects::local(&place.root)?;
        let request = objects.read_beside(REQUEST, REQUEST_BYTES_MAX);
        let is_request_lost = request.ok().flatten().is_none_or(|bytes| parsed(&bytes).is_err());
        let mut verified =
            Verified { findings: vec![finding], is_request_lost, ..Verified::default() };
        for name in &listed.files {
            match inspected(&objects, name)? {
                Some(Ok(whole)) => verified.count(whole.footer.rows().unwrap_or(0), whole.bytes),
                Some(Err(why)) => {
                    verified.findings.push(ArchiveFinding::of_object(Fault::Damaged, name, why));
                }
                None => {}
            }
        }
        verified.find_remains(&listed, &HashSet::new(), None)?;
        Ok(verified)
    }

    /// Mends what [`Archive::verify`] finds. Takes the lock, so not while an export writes. Repeatable after a crash within it.
    pub fn repair(dir: &Path, writer: &ArchiveWriter) -> Result<Verified, Error> {
        let place = ArchiveFolder::existing(dir)?;
        place.make()?;
        let lock = place.lock(&writer.holder)?;
        let looked = match readable(&place) {
            Err(Error::Ledger { .. } | Error::NotOpened { .. }) => None,
            read => Some(first_wrong(read?)?),
        };
        let broken = match looked {
            Some(Some(finding)) => Some(finding),
            // Some damage shows only when it is opened for writing.
            Some(None) => writable(&place)?.err(),
            // What was left in a journal is taken back by who opens it for writing.
            None => first_wrong(writable(&place)?)?,
        };
        let mut rebuilt = Vec::new();
        if let Some(finding) = broken {
            let mended = Some("rebuilt from what was fetched".to_owned());
            rebuilt.push(ArchiveFinding { mended, ..finding });
            rebuilt.extend(rebuild(&place, writer.fresh_id)?);
        }
        let archive = Self::open_locked(&place, lock, writer.fresh_id)?;
        let verified = archive.examine(&archive.objects.list()?, Some(&place))?.after(rebuilt);
        archive.bring_to_rest(&AtomicBool::new(false))?;
        Ok(verified.knowing_request(&archive))
    }

    /// Looks at every object that the ledger records, and at every file that it does not; mends what is wrong where `mend` is given, for
    /// which the caller holds the lock.
    pub(super) fn examine(
        &self,
        listed: &Listed,
        mend: Option<&ArchiveFolder>,
    ) -> Result<Verified, Error> {
        let ledger = self.ledger();
        let mut verified = Verified::default();
        let records = ledger.objects()?;
        for object in &records {
            let Some((mut finding, whole)) = self.look(&object.record)? else {
                verified.count(object.record.rows, object.record.bytes);
                continue;
            };
            // A writer may have replaced it while we looked.
            if ledger.object(object.id)?.is_none() {
                continue;
            }
            if let Some(place) = mend {
                // Dropped first: a crash in between leaves a stranger, which is then set aside.
                ledger.drop_object(object.id)?;
                finding.mended = Some(match whole {
                    Some(whole) => {
                        whole.adopt(ledger)?;
                        "recorded as its footer says".to_owned()
                    }
                    None if finding.fault == Fault::Missing => {
                        "the next export fetches it again".to_owned()
                    }
                    None => {
                        let aside = place.set_aside(&finding.name)?;
                        format!("moved to {aside}; the next export fetches it again")
                    }
                });
            }
            verified.findings.push(finding);
        }
        let noted: HashSet<String> = ledger.noted()?.into_iter().map(|note| note.name).collect();
        let mut known: HashSet<String> = noted.clone();
        known.extend(records.into_iter().map(|object| object.record.name));
        known.extend(ledger.objects()?.into_iter().map(|object| object.record.name));
        for name in listed.files.iter().filter(|name| !known.contains(*name)) {
            verified.findings.extend(self.examine_stranger(name, mend)?);
        }
        verified.find_remains(listed, &noted, mend)?;
        Ok(verified)
    }

    /// Looks at a file that the ledger does not know; nothing when it is gone by now.
    fn examine_stranger(
        &self,
        name: &str,
        mend: Option<&ArchiveFolder>,
    ) -> Result<Option<ArchiveFinding>, Error> {
        let whole = match inspected(&self.objects, name)? {
            None => return Ok(None),
            Some(Ok(whole)) => whole,
            Some(Err(why)) => {
                let finding = ArchiveFinding::of_object(Fault::Stranger, name, why);
                return finding.set_aside(mend).map(Some);
            }
        };
        if let Some(why) = foreign(&whole, self.id()?) {
            let finding = ArchiveFinding::of_object(Fault::Stranger, name, why);
            return finding.set_aside(mend).map(Some);
        }
        let why = "the ledger does not know it";
        let mut finding = ArchiveFinding::of_object(Fault::Stranger, name, why);
        if mend.is_some() {
            let gone = whole.adopt(self.ledger())?.unreferenced;
            for gone in &gone {
                self.objects.remove(gone)?;
                self.ledger().unnote(gone)?;
            }
            let is_gone = gone.iter().any(|gone| gone == name);
            let how = if is_gone { "removed: newer files hold all of it" } else { "adopted" };
            finding.mended = Some(how.to_owned());
        }
        Ok(Some(finding))
    }

    /// Reads an object back and compares it with its record; `None` when it is sound, the object too where only its record is
    /// wrong.
    fn look(&self, record: &Record) -> Result<Option<(ArchiveFinding, Option<Whole>)>, Error> {
        let finding = |fault, why: &str| ArchiveFinding::of_object(fault, &record.name, why);
        let wrong = |fault, why: &str| Ok(Some((finding(fault, why), None)));
        let whole = match inspected(&self.objects, &record.name) {
            Ok(Some(Ok(whole))) => whole,
            Ok(Some(Err(why))) => return wrong(Fault::Damaged, &why),
            Ok(None) => return wrong(Fault::Missing, "its file is gone"),
            Err(Error::Foreign { path, what }) => {
                let why = format!("in its place, {} is {what}", path.display());
                return wrong(Fault::Missing, &why);
            }
            Err(error) => return Err(error),
        };
        let read_back = whole.record(record.queries.clone());
        if read_back.sha256 != record.sha256 {
            return wrong(Fault::Damaged, "its bytes are not those that were written");
        }
        let is_same = is_as_recorded(self.ledger(), record, &whole.footer)?;
        if is_same && read_back == *record {
            return Ok(None);
        }
        let why = "the ledger records something else than its footer";
        Ok(Some((finding(Fault::Contradicted, why), Some(whole))))
    }
}

/// Checks that these bytes, whatever they are called, are a whole object: every page decoded, everything as their footer says. The text
/// says what is wrong. Returns the name that it has below `archive/data/`. For bytes of unknown origin; takes no more memory than a few
/// times their length.
pub fn inspect(bytes: &[u8]) -> Result<String, String> {
    let encoded = Encoded::parse(&Bytes::copy_from_slice(bytes))?;
    encoded.check_rows()?;
    Ok(encoded.footer.name())
}

impl Verified {
    fn count(&mut self, rows: u64, bytes: u64) {
        self.objects += 1;
        self.rows += rows;
        self.bytes += bytes;
    }

    /// Adds what is neither an object nor a half of one that is noted. What is foreign is neither read nor moved: what it leads
    /// to is not the archive's.
    fn find_remains(
        &mut self,
        listed: &Listed,
        noted: &HashSet<String>,
        mend: Option<&ArchiveFolder>,
    ) -> Result<(), Error> {
        self.findings.extend(listed.foreign.iter().map(|(name, what)| {
            ArchiveFinding::of_object(Fault::Stranger, name, format!("{what}; left alone"))
        }));
        if listed.beyond > 0 {
            let why = format!(
                "{} more with names that no file of the archive has; left alone",
                listed.beyond
            );
            self.findings.push(ArchiveFinding::new(Fault::Stranger, "data", why));
        }
        let is_noted =
            |half: &&String| half.rsplit_once('#').is_some_and(|(whole, _)| noted.contains(whole));
        for name in listed.halves.iter().filter(|half| !is_noted(half)) {
            let why = "a half-written file that nobody counts on";
            let half = ArchiveFinding::of_object(Fault::Half, name, why);
            self.findings.push(half.set_aside(mend)?);
        }
        Ok(())
    }

    /// The same, with whether the archive knows a last request. One that cannot be read is damage, and told as such.
    fn knowing_request(self, archive: &Archive) -> Self {
        Self { is_request_lost: matches!(archive.ledger().request(), Ok(None)), ..self }
    }

    /// The same, with earlier findings first.
    fn after(mut self, mut findings: Vec<ArchiveFinding>) -> Self {
        findings.append(&mut self.findings);
        Self { findings, ..self }
    }
}

/// A ledger, or what is wrong with it as a whole.
type Readable = Result<Box<dyn Ledger>, ArchiveFinding>;

/// Opens the ledger for reading. A newer jindo's is an error: it must not be rebuilt.
fn readable(place: &ArchiveFolder) -> Result<Readable, Error> {
    let ledger = ArchiveFolder::there(&place.dir).and_then(|place| ledger::read(&place.ledger()));
    or_finding(ledger)
}

/// Opens it for writing; the caller holds the lock.
fn writable(place: &ArchiveFolder) -> Result<Readable, Error> {
    or_finding(ledger::open(&place.ledger(), IfBlank::Refuse))
}

fn or_finding(ledger: Result<Box<dyn Ledger>, Error>) -> Result<Readable, Error> {
    Ok(Err(match ledger {
        Ok(ledger) => return Ok(Ok(ledger)),
        Err(Error::LedgerLost { .. }) => {
            ArchiveFinding::new(Fault::LedgerLost, "ledger.db", "there is no ledger")
        }
        Err(Error::LedgerDamaged { why }) => ArchiveFinding::of_ledger(why),
        Err(error) => return Err(error),
    }))
}

/// Returns a line for everything that is wrong with a ledger, also with what others keep in it.
fn check(ledger: &dyn Ledger) -> Result<Vec<String>, Error> {
    let mut wrong = ledger.check()?;
    for read in [organisation::kept(ledger).map(drop), assumed_types(ledger).map(drop)] {
        match read {
            // A cell that cannot be read was told of already.
            Err(Error::LedgerDamaged { why }) if !wrong.contains(&why) => wrong.push(why),
            Err(Error::LedgerDamaged { .. }) => {}
            read => read?,
        }
    }
    Ok(wrong)
}

fn first_wrong(ledger: Readable) -> Result<Option<ArchiveFinding>, Error> {
    Ok(match ledger {
        Ok(ledger) => check(&*ledger)?.into_iter().next().map(ArchiveFinding::of_ledger),
        Err(finding) => Some(finding),
    })
}

/// Reads a file that may be an object: `None` where there is none, the text when it is not whole.
fn inspected(objects: &Objects, name: &str) -> Result<Option<Result<Whole, String>>, Error> {
    match objects.read(name) {
        Ok(bytes) => Ok(bytes.map(|bytes| Whole::inspect(name, &bytes))),
        Err(Error::ObjectDamaged { why, .. }) => Ok(Some(Err(why))),
        Err(error) => Err(error),
    }
}

/// Says that an object belongs to another archive; nothing of one that an earlier version wrote, which named none.
fn foreign(whole: &Whole, own: Option<ArchiveId>) -> Option<String> {
    let theirs = whole.footer.archive.filter(|theirs| own != Some(*theirs))?;
    Some(format!("it belongs to another archive ({theirs})"))
}

/// Returns the id that most objects carry, of equals the least; `None` where none carries one.
fn most_frequent_id(objects: &Objects) -> Result<Option<ArchiveId>, Error> {
    let mut counts: BTreeMap<ArchiveId, u64> = BTreeMap::new();
    for name in &objects.list()?.files {
        let whole = inspected(objects, name)?.and_then(Result::ok);
        if let Some(id) = whole.and_then(|whole| whole.footer.archive) {
            *counts.entry(id).or_default() += 1;
        }
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    Ok(most.map(|(id, _)| id))
}

/// Types of metrics by which queries were rewritten, each with the moment of the newest answer to such a query.
#[derive(Default)]
struct NewestTypes {
    known: BTreeMap<String, (Timestamp, MetricType)>,
    /// By the user's word.
    assumed: BTreeMap<String, (Timestamp, MetricType)>,
}

impl NewestTypes {
    fn add(&mut self, query: &FooterQuery, at: Timestamp) {
        for (newest, types) in
            [(&mut self.known, &query.types), (&mut self.assumed, &query.assumed_types)]
        {
            for (metric, of) in types {
                let known = newest.entry(metric.clone()).or_insert((at, *of));
                *known = (*known).max((at, *of));
            }
        }
    }

    fn keep(mut self, ledger: &dyn Ledger) -> Result<(), Error> {
        self.assumed.retain(|metric, _| !self.known.contains_key(metric));
        if !self.assumed.is_empty() {
            let assumed = self.assumed.into_iter().map(|(metric, (_, of))| (metric, of));
            keep_assumed_types(ledger, &assumed.collect())?;
        }
        for (metric, (found_at, of)) in self.known {
            ledger.keep_type(&KnownType { metric, of, found_at })?;
        }
        Ok(())
    }
}

/// Makes a ledger from request.json and the footers, beside the old one, then puts it in its place: a crash leaves the old
/// state. Returns what else is wrong.
fn rebuild(place: &ArchiveFolder, fresh_id: ArchiveId) -> Result<Option<ArchiveFinding>, Error> {
    let objects = Objects::local(&place.root)?;
    place.remove_new_ledger()?;
    ArchiveFolder::make_blank(&place.new_ledger())?;
    let ledger = ledger::open(&place.new_ledger(), IfBlank::Create)?;
    let (mut finding, mut archive) = (None, None);
    let request = match objects.read_beside(REQUEST, REQUEST_BYTES_MAX) {
        Err(Error::ObjectDamaged { why, .. }) => Some(Err(why)),
        read => read?.map(|bytes| parsed(&bytes)),
    };
    if let Some(request) = request {
        match request {
            Ok(RequestFile { request, known, archive: named }) => {
                archive = named;
                // By their old numbers, so that those of earlier lists keep their order.
                let _: Vec<QueryId> = ledger.remember(&known)?;
                ledger.register(&request)?;
            }
            Err(why) => {
                let damaged = ArchiveFinding::new(Fault::RequestDamaged, REQUEST, why);
                finding = Some(damaged.set_aside(Some(place))?);
            }
        }
    }
    let archive = match archive {
        Some(named) => named,
        None => most_frequent_id(&objects)?.unwrap_or(fresh_id),
    };
    archive.give(&*ledger)?;
    let (mut newest, mut types) = (None, NewestTypes::default());
    for name in &objects.list()?.files {
        // Files that are not whole, or another archive's, stay where they are: mending sets it aside as a stranger.
        let Some(Ok(whole)) = inspected(&objects, name)? else { continue };
        if foreign(&whole, Some(archive)).is_some() {
            continue;
        }
        whole.adopt(&*ledger)?;
        let at = whole.footer.fetched_at;
        for query in &whole.footer.queries {
            types.add(query, at);
        }
        if let Some(kept) = whole.footer.organisation
            && newest.as_ref().is_none_or(|(before, _)| *before < at)
        {
            newest = Some((at, kept));
        }
    }
    if let Some((_, kept)) = newest {
        organisation::keep(&*ledger, &kept)?;
    }
    types.keep(&*ledger)?;
    ledger.close()?;
    drop(ledger);
    place.install_new_ledger()?;
    Ok(finding)
}
