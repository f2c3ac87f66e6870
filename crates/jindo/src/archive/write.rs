//! Into the archive: an answer becomes an object and coverage, in the order of effects that survives a crash anywhere.

use super::objects::{Footer, FooterQuery, KeptOrganisation, Whole, encode, whole_milliseconds};
use super::{
    Archive, ArchiveId, Committed, Error, Ledger, NextCommit, ObjectId, QueryId, Recalled, Reserved,
};
use crate::parse::Answer;
use crate::plan::Window;
use crate::query::{Interval, MetricTypes, QueryText};
use jiff::Timestamp;

/// Attempts to commit an answer whose generation other writers take first, which none does within one process.
const ATTEMPTS_MAX: u32 = 8;

/// Name under which the ledger keeps the types that the user assumed.
const ASSUMED_TYPES: &str = "assumed types";

/// One answer on its way into the archive.
#[derive(Debug, Clone)]
pub struct Fetched<'a> {
    /// The queries of the call, in its order; `Series::query` counts into it.
    pub queries: &'a [QueryId],
    pub interval: Interval,
    pub window: Window,
    pub fetched_at: Timestamp,
    pub open: bool,
    pub answer: &'a Answer,
}

/// Object that a store left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub object: ObjectId,
    /// As the ledger names it.
    pub name: String,
    pub rows: u64,
    pub bytes: u64,
}

impl Archive {
    /// Stores an answer, durably:
    ///
    /// 1. reserves the next generation in the ledger, which notes the object's name;
    /// 2. publishes the object, create-only; one that is there already, from an attempt whose commit failed, is read back and
    ///    taken in the answer's place;
    /// 3. in one transaction records it, if its generation still is the next, moves coverage to it and strikes the note. Objects
    ///    that nothing refers to any more are noted for removal there, and removed after it.
    ///
    /// A crash between any two of these repeats work and changes nothing.
    ///
    /// # Panics
    /// When the answer is not what `parse` promises: sorted, within its window, of the call's queries.
    pub fn store(&self, fetched: &Fetched<'_>) -> Result<Stored, Error> {
        assert!(!fetched.queries.is_empty(), "a call asks for something");
        self.check_in_place()?;
        for _ in 0..ATTEMPTS_MAX {
            let reserved = self.ledger().reserve(fetched.queries, fetched.window)?;
            let name = reserved.name.clone();
            let record = self.publish(fetched, reserved)?.record(fetched.queries.to_vec());
            let committed = self.ledger().commit_next(&record)?;
            if let NextCommit::Done(Committed { object, unreferenced }) = committed {
                for gone in &unreferenced {
                    self.remove_noted(gone);
                }
                return Ok(Stored { object, name, rows: record.rows, bytes: record.bytes });
            }
            self.remove_noted(&name);
        }
        Err(Error::Overtaken { attempts: ATTEMPTS_MAX })
    }

    /// Publishes an answer under its reserved name; or what an earlier attempt published there.
    fn publish(&self, fetched: &Fetched<'_>, reserved: Reserved) -> Result<Whole, Error> {
        let name = reserved.name.clone();
        let types = self.types_of(&reserved.queries)?;
        let owner = ObjectOwner { archive: self.own_id()?, organisation: self.organisation()? };
        let draft = draft(fetched, reserved, owner, &types);
        let (written, bytes) = encode(&name, draft, fetched.answer).map_err(|source| {
            Error::Objects { doing: "encoding", name: name.clone(), source: Box::new(source) }
        })?;
        let Some(there) = self.objects.publish(&name, bytes)? else { return Ok(written) };
        Whole::inspect(&name, &there).map_err(|why| Error::ObjectDamaged { name, why })
    }

    /// Returns the types of metrics, where one of the queries was rewritten by them.
    fn types_of(&self, queries: &[Recalled]) -> Result<UsedTypes, Error> {
        if queries.iter().all(|query| query.text.sent.typed_metrics().is_empty()) {
            return Ok(UsedTypes::default());
        }
        let known = self.ledger().metric_types()?.into_iter();
        let known: MetricTypes = known.map(|known| (known.metric, known.of)).collect();
        let mut assumed = self.assumed_types()?;
        assumed.retain(|metric, _| !known.contains_key(metric));
        Ok(UsedTypes { known, assumed })
    }

    /// Returns the types that the user assumed for metrics whose own could not be had.
    pub fn assumed_types(&self) -> Result<MetricTypes, Error> {
        assumed_types(self.ledger())
    }

    /// Keeps assumed types in place of those before.
    pub fn keep_assumed_types(&self, assumed: &MetricTypes) -> Result<(), Error> {
        keep_assumed_types(self.ledger(), assumed)
    }

    /// Removes a file that the ledger has forgotten. Where that fails its note stays, and the next opening does it.
    pub(super) fn remove_noted(&self, name: &str) {
        let removed = self.objects.remove(name).and_then(|()| self.ledger().unnote(name));
        if let Err(error) = removed {
            tracing::warn!(name, %error, "an object that was replaced is removed at the next start");
        }
    }
}

/// Returns the assumed types that a ledger keeps.
pub(super) fn assumed_types(ledger: &dyn Ledger) -> Result<MetricTypes, Error> {
    let Some(text) = ledger.kept(ASSUMED_TYPES)? else { return Ok(MetricTypes::new()) };
    serde_json::from_str(&text).map_err(|wrong| Error::LedgerDamaged {
        why: format!("its assumed types are no JSON: {wrong}"),
    })
}

pub(super) fn keep_assumed_types(ledger: &dyn Ledger, assumed: &MetricTypes) -> Result<(), Error> {
    let text = serde_json::to_string(assumed).expect("names and types are always JSON");
    ledger.keep(ASSUMED_TYPES, &text)
}

/// Types by which queries were rewritten.
#[derive(Default)]
struct UsedTypes {
    /// As metadata had them.
    known: MetricTypes,
    /// As the user had them, where metadata did not.
    assumed: MetricTypes,
}

/// To whom an object belongs.
struct ObjectOwner {
    archive: ArchiveId,
    organisation: Option<KeptOrganisation>,
}

/// The footer of an answer, but for what its rows will say.
fn draft(
    fetched: &Fetched<'_>,
    reserved: Reserved,
    owner: ObjectOwner,
    types: &UsedTypes,
) -> Footer {
    let interval_s = u32::try_from(fetched.interval.secs()).expect("an interval is made of a u32");
    let query = |recalled: Recalled| {
        let QueryText { written, sent, unfilled, interval, alone } = recalled.text;
        assert!(interval == fetched.interval, "queries of a call share their interval");
        let metrics = sent.typed_metrics();
        let used = |types: &MetricTypes| {
            let of = |metric: &&str| Some(((*metric).to_owned(), *types.get(*metric)?));
            metrics.iter().filter_map(of).collect()
        };
        FooterQuery {
            types: used(&types.known),
            assumed_types: used(&types.assumed),
            sent: sent.to_string(),
            written,
            unfilled,
            alone,
            instead_of: recalled.instead_of,
            role: recalled.role,
            interval_s,
            row_groups: 0,
            rows: 0,
        }
    };
    Footer {
        version: Footer::VERSION,
        jindo: env!("CARGO_PKG_VERSION").to_owned(),
        organisation: owner.organisation,
        archive: Some(owner.archive),
        start: fetched.window.start(),
        end: fetched.window.end(),
        interval_s,
        generation: reserved.generation,
        fetched_at: whole_milliseconds(fetched.fetched_at),
        open: fetched.open,
        copy_of: None,
        data_sha256: String::new(),
        data_bytes: 0,
        groups: Vec::new(),
        queries: reserved.queries.into_iter().map(query).collect(),
        series: Vec::new(),
        metadata: Vec::new(),
    }
}
