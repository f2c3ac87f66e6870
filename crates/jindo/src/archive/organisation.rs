//! To which organisation a directory belongs. Keys never come here: at most the salted hash of one.

use super::objects::KeptOrganisation;
use super::{Archive, Error, Ledger};
use crate::text::one_line;

/// Hashes of keys remembered for one organisation: more than anyone rotates through, few enough to read.
const KEY_HASHES_MAX: usize = 16;
const ORGANISATION: &str = "organisation";
const SALT: &str = "salt";
/// Characters shown of a site and of an organisation's id, which a ledger from elsewhere may hold: those of a host and of a UUID are
/// fewer.
const NAME_CHARS_MAX: usize = 128;

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

impl KeptOrganisation {
    /// The same organisation with what `given` adds; an error when it is another, or cannot be told to be the same.
    fn joined(&self, given: &Organisation) -> Result<Self, Error> {
        let known_key = given.key_hash.as_ref().is_some_and(|hash| self.key_hashes.contains(hash));
        let same = match (&self.org_id, &given.org_id) {
            (Some(kept), Some(given)) => kept == given,
            _ => known_key,
        };
        if self.site != given.site || !same {
            let mut kept = described(&self.site, self.org_id.as_deref());
            let mut given = described(&given.site, given.org_id.as_deref());
            if kept == given {
                kept.push_str(" (the first key)");
                given.push_str(" (another key)");
            }
            return Err(Error::OtherOrganisation { kept, given });
        }
        let mut joined = self.clone();
        joined.org_id = joined.org_id.or_else(|| given.org_id.clone());
        if !known_key {
            joined.key_hashes.extend(given.key_hash.clone());
            let surplus = joined.key_hashes.len().saturating_sub(KEY_HASHES_MAX);
            joined.key_hashes.drain(..surplus);
        }
        Ok(joined)
    }
}

fn described(site: &str, org_id: Option<&str>) -> String {
    let site = one_line(site, NAME_CHARS_MAX);
    match org_id.map(|org_id| one_line(org_id, NAME_CHARS_MAX)) {
        Some(org_id) => format!("organisation {org_id} on {site}"),
        None => format!("an organisation on {site} known by its API key only"),
    }
}

impl Archive {
    /// The salt for hashes of this archive's keys; `fresh` (random, from the caller) becomes it when there is none and the
    /// archive is open for writing.
    pub fn salt(&self, fresh: &str) -> Result<String, Error> {
        if let Some(salt) = self.ledger().kept(SALT)? {
            return Ok(salt);
        }
        match self.ledger().keep(SALT, fresh) {
            // Without a salt there is no hash that one made with this could be compared with.
            Ok(()) | Err(Error::ReadOnly) => Ok(fresh.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// Checks that the directory is this organisation's; at first contact makes it so, later adds what more is known of it.
    ///
    /// An id beats a hash: where both sides have an id, other keys of it are welcome; where one has none, only a key seen
    /// before proves it. Before any query; [`Error::OtherOrganisation`] leaves everything as it was.
    pub fn bind(&self, given: &Organisation) -> Result<(), Error> {
        match self.organisation()? {
            Some(kept) => keep(self.ledger(), &kept.joined(given)?),
            None => self.rebind(given),
        }
    }

    /// The check of [`Archive::bind`], which changes nothing: for readers. A directory without an organisation is
    /// anybody's.
    pub fn recognise(&self, given: &Organisation) -> Result<(), Error> {
        self.organisation()?.map_or(Ok(()), |kept| kept.joined(given).map(drop))
    }

    /// Returns the site of the organisation that the directory belongs to, or the host of an API's own address; `None` before the
    /// first contact.
    pub fn site(&self) -> Result<Option<String>, Error> {
        Ok(self.organisation()?.map(|kept| kept.site))
    }

    /// Gives the directory to this organisation, whosever it was.
    pub fn rebind(&self, given: &Organisation) -> Result<(), Error> {
        let Organisation { site, org_id, key_hash } = given.clone();
        let (key_hashes, salt) = (key_hash.into_iter().collect(), self.ledger().kept(SALT)?);
        keep(self.ledger(), &KeptOrganisation { site, org_id, key_hashes, salt })
    }

    pub(super) fn organisation(&self) -> Result<Option<KeptOrganisation>, Error> {
        kept(self.ledger())
    }
}

/// Returns the organisation that a ledger keeps.
pub(super) fn kept(ledger: &dyn Ledger) -> Result<Option<KeptOrganisation>, Error> {
    let Some(text) = ledger.kept(ORGANISATION)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|wrong| Error::LedgerDamaged {
        why: format!("its organisation is no JSON: {wrong}"),
    })
}

/// Keeps the organisation, and its salt with it.
pub(super) fn keep(ledger: &dyn Ledger, kept: &KeptOrganisation) -> Result<(), Error> {
    let text = serde_json::to_string(kept).expect("texts in a struct are always JSON");
    if let Some(salt) = &kept.salt {
        ledger.keep(SALT, salt)?;
    }
    ledger.keep(ORGANISATION, &text)
}
