//! Into the archive: an answer becomes an object and coverage, in the order of effects that survives a crash anywhere.

use super::codec::{Encoded, encode};
use super::footer::{Footer, FooterQuery};
use super::ledger::{Ledger, Note, Noted, Record, Remembered};
use super::objects::Published;
use super::request_file::secs;
use super::{Archive, Committed, Error, Fetched, QueryId, Stored};
use crate::digest::sha256;
use crate::query::QueryText;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::PoisonError;

impl Archive {
    /// Stores an answer, durably:
    ///
    /// 1. notes the object's name in the ledger;
    /// 2. publishes the object, create-only; one that is there already, from an attempt whose commit failed, is read back and
    ///    taken in the answer's place;
    /// 3. in one transaction records it, moves coverage to it and strikes the note. Objects that nothing refers to any more are
    ///    noted for removal there, and removed after it.
    ///
    /// A crash between any two of these repeats work and changes nothing.
    ///
    /// # Panics
    /// When the answer is not what `parse` promises: sorted, within its window, of the call's queries.
    pub fn store(&self, fetched: &Fetched<'_>) -> Result<Stored, Error> {
        let one = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let draft = self.draft(fetched)?;
        let name = draft.name();
        let (footer, bytes) = encode(draft, fetched.answer).map_err(|source| Error::Objects {
            doing: "encoding",
            name: name.clone(),
            source: Box::new(source),
        })?;
        self.writing()?.note(&Note { name: name.clone(), noted: Noted::Publish })?;
        let mut record = recorded(&footer, name.clone(), &bytes, fetched.queries.to_vec());
        if self.objects.publish(&name, bytes)? == Published::Before {
            let there = self.objects.read(&name)?.unwrap_or_default();
            let whole = Whole::inspect(&name, there)
                .map_err(|why| Error::ObjectDamaged { name: name.clone(), why })?;
            record = recorded(&whole.footer, name.clone(), &whole.bytes, record.queries);
        }
        let Committed { object, unreferenced } = self.writing()?.commit(&record)?;
        for gone in &unreferenced {
            self.remove_noted(gone);
        }
        drop(one);
        Ok(Stored { object, name, rows: record.rows, bytes: record.bytes })
    }

    /// The footer of an answer, but for what its rows will say.
    fn draft(&self, fetched: &Fetched<'_>) -> Result<Footer, Error> {
        assert!(!fetched.queries.is_empty(), "a call asks for something");
        let organisation = self.organisation()?;
        let mut ledger = self.writing()?;
        let generation = ledger.generation(fetched.queries, fetched.window)?;
        let interval_s = secs(fetched.interval);
        let mut queries = Vec::with_capacity(fetched.queries.len());
        for query in fetched.queries {
            let known = ledger.recall(*query)?.ok_or(Error::UnknownQuery { query: *query })?;
            let (Remembered { text, role, .. }, instead_of) = known;
            let QueryText { written, sent, unfilled, interval, alone } = text;
            assert!(interval == fetched.interval, "queries of a call share their interval");
            let (row_groups, rows) = (0, 0);
            queries.push(FooterQuery {
                sent: sent.to_string(),
                written,
                unfilled,
                alone,
                instead_of,
                role,
                interval_s,
                row_groups,
                rows,
            });
        }
        Ok(Footer {
            version: Footer::VERSION,
            jindo: env!("CARGO_PKG_VERSION").to_owned(),
            organisation,
            start: fetched.window.start(),
            end: fetched.window.end(),
            interval_s,
            generation,
            fetched_at: whole_milliseconds(fetched.fetched_at),
            open: fetched.open,
            data_sha256: String::new(),
            data_bytes: 0,
            queries,
            series: Vec::new(),
        })
    }

    /// Removes a file that the ledger has forgotten. Where that fails its note stays, and the next opening does it.
    pub(super) fn remove_noted(&self, name: &str) {
        let removed = self
            .objects
            .remove(name)
            .and_then(|()| self.writing().and_then(|mut l| l.unnote(name)));
        if let Err(error) = removed {
            tracing::warn!(name, %error, "an object that was replaced is removed at the next start");
        }
    }
}

/// The ledger keeps milliseconds; the footer must say the same moment.
fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("rounding stays in range")
}

fn recorded(footer: &Footer, name: String, bytes: &Bytes, queries: Vec<QueryId>) -> Record {
    Record {
        name,
        queries,
        interval: footer.interval(),
        window: footer.window(),
        generation: footer.generation,
        fetched_at: whole_milliseconds(footer.fetched_at),
        open: footer.open,
        rows: footer.rows().expect("a footer is checked or counted"),
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    }
}

/// A file that was read back and found whole: every page decoded, everything as its footer says, under its own name.
pub(super) struct Whole {
    pub footer: Footer,
    name: String,
    bytes: Bytes,
}

impl Whole {
    /// The text says what is wrong with the file.
    pub(super) fn inspect(name: &str, bytes: Bytes) -> Result<Self, String> {
        let encoded = Encoded::parse(&bytes)?;
        encoded.check_rows()?;
        let footer = encoded.footer;
        if footer.name() != name {
            return Err(format!("its footer belongs to {}", footer.name()));
        }
        Ok(Self { footer, name: name.to_owned(), bytes })
    }

    /// As the ledger would record it, for the numbers that its queries have there.
    pub(super) fn record(&self, queries: Vec<QueryId>) -> Record {
        recorded(&self.footer, self.name.clone(), &self.bytes, queries)
    }

    /// Commits it, with the hash and counts of what was read back.
    pub(super) fn adopt(&self, ledger: &mut dyn Ledger) -> Result<Committed, Error> {
        let mut known = Vec::new();
        let mut own = Vec::new();
        for query in &self.footer.queries {
            if let Some(instead_of) = &query.instead_of {
                let (sent, unfilled) = (instead_of.as_str().into(), Some(query.sent.clone()));
                let own = remembered(query, &self.footer);
                known.push(Remembered {
                    text: QueryText { sent, unfilled, alone: false, ..own.text },
                    substitute: Some(query.sent.clone()),
                    ..own
                });
            }
            own.push(known.len());
            known.push(remembered(query, &self.footer));
        }
        let ids = ledger.remember(&known)?;
        ledger.commit(&self.record(own.into_iter().map(|index| ids[index]).collect()))
    }
}

fn remembered(query: &FooterQuery, footer: &Footer) -> Remembered {
    let (sent, interval) = (query.sent.as_str().into(), footer.interval());
    let (written, unfilled, alone) = (query.written.clone(), query.unfilled.clone(), query.alone);
    Remembered {
        text: QueryText { written, sent, unfilled, interval, alone },
        asked: None,
        substitute: None,
        role: query.role,
    }
}
