//! Objects that are known to be whole, and their records in a ledger.

use super::{Encoded, Footer, FooterQuery};
use crate::archive::{Committed, Error, Ledger, QueryId, Recalled, Record, Remembered};
use crate::query::QueryText;
use bytes::Bytes;
use jiff::Timestamp;

/// A file that was written just now, or read back and found whole: every page decoded, everything as its footer says, under its
/// own name.
pub(in crate::archive) struct Whole {
    pub name: String,
    pub footer: Footer,
    pub bytes: u64,
    /// Of the file, hex.
    pub sha256: String,
}

impl Whole {
    /// Reads a file of unknown origin; the text says what is wrong with it.
    pub(in crate::archive) fn inspect(name: &str, bytes: &Bytes) -> Result<Self, String> {
        let encoded = Encoded::parse(bytes)?;
        encoded.check_rows()?;
        let Encoded { footer, bytes, sha256, .. } = encoded;
        if !footer.is_called(name) {
            return Err(format!("its footer belongs to {}", footer.name()));
        }
        Ok(Self { name: name.to_owned(), footer, bytes, sha256 })
    }

    /// As the ledger would record it, for the numbers that its queries have there.
    pub(in crate::archive) fn record(&self, queries: Vec<QueryId>) -> Record {
        let Self { name, footer, bytes, sha256 } = self;
        Record {
            name: name.clone(),
            queries,
            interval: footer.interval(),
            window: footer.window(),
            generation: footer.generation,
            fetched_at: whole_milliseconds(footer.fetched_at),
            open: footer.open,
            copy_of: footer.copy_of.clone(),
            rows: footer.rows().expect("a footer is checked or counted"),
            bytes: *bytes,
            sha256: sha256.clone(),
        }
    }

    /// Commits it, with the hash and counts of what was read back.
    pub(in crate::archive) fn adopt(&self, ledger: &dyn Ledger) -> Result<Committed, Error> {
        let (mut known, mut own) = (Vec::new(), Vec::new());
        for query in &self.footer.queries {
            let FooterQuery { sent, written, unfilled, alone, instead_of, role, .. } =
                query.clone();
            let (interval, asked) = (self.footer.interval(), None);
            let text = QueryText { written, sent: sent.as_str().into(), unfilled, interval, alone };
            if let Some(instead_of) = instead_of {
                let (instead_of, unfilled) = (instead_of.into(), Some(sent.clone()));
                let text = QueryText { sent: instead_of, unfilled, alone: false, ..text.clone() };
                known.push(Remembered { text, asked, substitute: Some(sent.into()), role });
            }
            own.push(known.len());
            known.push(Remembered { text, asked, substitute: None, role });
        }
        let ids = ledger.remember(&known)?;
        ledger.commit(&self.record(own.into_iter().map(|index| ids[index]).collect()))
    }
}

/// Rounds a moment as the ledger does; the footer must say the same.
pub(in crate::archive) fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("rounding stays in range")
}

/// Returns true if an object with that footer holds what the ledger's record says: these queries, over that window, at that
/// interval, in so many rows. Readers of rows ask this, and `verify` compares the rest as well.
pub(in crate::archive) fn is_as_recorded(
    ledger: &dyn Ledger,
    record: &Record,
    footer: &Footer,
) -> Result<bool, Error> {
    let known = match ledger.recall(&record.queries) {
        Err(Error::UnknownQuery { .. }) => return Ok(false),
        known => known?,
    };
    let is_query = |known: &Recalled, told: &FooterQuery| {
        *known.text.sent == *told.sent && known.text.interval == footer.interval()
    };
    Ok(known.len() == footer.queries.len()
        && known.iter().zip(&footer.queries).all(|(known, told)| is_query(known, told))
        && record.interval == footer.interval()
        && record.window == footer.window()
        && Some(record.rows) == footer.rows())
}
