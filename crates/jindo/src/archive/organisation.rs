//! To which organisation a directory belongs. Keys never come here: at most the salted hash of one.

use super::objects::KeptOrganisation;
use super::{Archive, Error, Ledger};
use std::fmt;

/// Hashes of keys remembered for one organisation: more than anyone rotates through, few enough to read.
const KEY_HASHES_MAX: usize = 16;
const ORGANISATION: &str = "organisation";
const SALT: &str = "salt";

/// Organisation behind a run's keys, as far as the run knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// `datadoghq.eu`; compared to the letter.
    pub site: String,
    /// As the API names it; `None` where it does not answer.
    pub org_id: Option<String>,
    /// Hex of the salted sha256 of the API key (see [`Archive::salt`]).
    pub key_hash: Option<String>,
}

/// Result of binding a directory to an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It had no organisation yet.
    First,
    Same,
    /// The same, of which more is known now: its id, or another of its keys.
    Upgraded,
}

impl KeptOrganisation {
    fn of(organisation: &Organisation, salt: Option<String>) -> Self {
        let Organisation { site, org_id, key_hash } = organisation.clone();
        Self { site, org_id, key_hashes: key_hash.into_iter().collect(), salt }
    }

    /// The same organisation with what `given` adds; `None` when it is another, or cannot be told to be the same.
    fn joined(&self, given: &Organisation) -> Option<Self> {
        let known_key = given.key_hash.as_ref().is_some_and(|hash| self.key_hashes.contains(hash));
        let same = match (&self.org_id, &given.org_id) {
            (Some(kept), Some(given)) => kept == given,
            _ => known_key,
        };
        if self.site != given.site || !same {
            return None;
        }
        let mut joined = self.clone();
        joined.org_id = joined.org_id.or_else(|| given.org_id.clone());
        if !known_key {
            joined.key_hashes.extend(given.key_hash.clone());
            let surplus = joined.key_hashes.len().saturating_sub(KEY_HASHES_MAX);
            joined.key_hashes.drain(..surplus);
        }
        Some(joined)
    }
}

impl fmt::Display for KeptOrganisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        described(f, &self.site, self.org_id.as_deref())
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        described(f, &self.site, self.org_id.as_deref())
    }
}

fn described(f: &mut fmt::Formatter<'_>, site: &str, org_id: Option<&str>) -> fmt::Result {
    match org_id {
        Some(org_id) => write!(f, "organisation {org_id} on {site}"),
        None => write!(f, "an organisation on {site} known by its API key only"),
    }
}

impl Archive {
    /// The salt for hashes of this archive's keys; `fresh` (random, from the caller) becomes it when there is none and the
    /// archive is open for writing.
    pub fn salt(&self, fresh: &str) -> Result<String, Error> {
        if let Some(salt) = self.reading().kept(SALT)? {
            return Ok(salt);
        }
        match self.writing() {
            Ok(mut ledger) => ledger.keep(SALT, fresh)?,
            // Without a salt there is no hash that one made with this could be compared with.
            Err(Error::ReadOnly) => {}
            Err(error) => return Err(error),
        }
        Ok(fresh.to_owned())
    }

    /// Checks that the directory is this organisation's; at first contact makes it so.
    ///
    /// An id beats a hash: where both sides have an id, other keys of it are welcome; where one has none, only a key seen
    /// before proves it. Before any query; [`Error::OtherOrganisation`] leaves everything as it was.
    pub fn bind(&self, given: &Organisation) -> Result<Bound, Error> {
        let Some(kept) = self.organisation()? else {
            self.rebind(given)?;
            return Ok(Bound::First);
        };
        let joined = joined(&kept, given)?;
        if joined == kept {
            return Ok(Bound::Same);
        }
        self.keep_organisation(&joined)?;
        Ok(Bound::Upgraded)
    }

    /// The check of [`Archive::bind`], which changes nothing: for readers. A directory without an organisation is
    /// anybody's.
    pub fn recognise(&self, given: &Organisation) -> Result<(), Error> {
        match self.organisation()? {
            Some(kept) => joined(&kept, given).map(drop),
            None => Ok(()),
        }
    }

    /// Gives the directory to this organisation, whosever it was.
    pub fn rebind(&self, given: &Organisation) -> Result<(), Error> {
        let salt = self.reading().kept(SALT)?;
        self.keep_organisation(&KeptOrganisation::of(given, salt))
    }

    fn keep_organisation(&self, kept: &KeptOrganisation) -> Result<(), Error> {
        keep(&mut **self.writing()?, kept)
    }

    pub(super) fn organisation(&self) -> Result<Option<KeptOrganisation>, Error> {
        let Some(text) = self.reading().kept(ORGANISATION)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|wrong| Error::LedgerDamaged {
            why: format!("its organisation is no JSON: {wrong}"),
        })
    }
}

/// Keeps the organisation, and its salt with it.
pub(super) fn keep(ledger: &mut dyn Ledger, kept: &KeptOrganisation) -> Result<(), Error> {
    let text = serde_json::to_string(kept).expect("texts in a struct are always JSON");
    if let Some(salt) = &kept.salt {
        ledger.keep(SALT, salt)?;
    }
    ledger.keep(ORGANISATION, &text)
}

/// Adds `given` to what is known of the organisation; an error when it is another.
fn joined(kept: &KeptOrganisation, given: &Organisation) -> Result<KeptOrganisation, Error> {
    kept.joined(given).ok_or_else(|| {
        let (kept, given) = told_apart(kept, given);
        Error::OtherOrganisation { kept, given }
    })
}

/// Both in words that differ.
fn told_apart(kept: &KeptOrganisation, given: &Organisation) -> (String, String) {
    let (mut kept, mut given) = (kept.to_string(), given.to_string());
    if kept == given {
        kept.push_str(" (the first key)");
        given.push_str(" (another key)");
    }
    (kept, given)
}
