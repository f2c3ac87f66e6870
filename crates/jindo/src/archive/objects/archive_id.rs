//! The id of an archive: random, made once, in the ledger, in every footer and in the names of objects. Two archives below one
//! bucket never take each other's objects for their own.

use crate::archive::{Error, Ledger};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Hexadecimal digits of an id.
const DIGITS: usize = 32;
/// Its key among the small things that a ledger keeps.
pub(in crate::archive) const ARCHIVE: &str = "archive";

/// Id of an archive: 128 random bits, so that no two are ever equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ArchiveId(u128);

impl ArchiveId {
    /// Returns the id of a random number, which the caller draws.
    pub const fn new(random: u128) -> Self {
        Self(random)
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Returns the id that a ledger keeps; `None` for one that was not opened for writing since ids exist.
    pub(in crate::archive) fn of(ledger: &dyn Ledger) -> Result<Option<Self>, Error> {
        let Some(text) = ledger.kept(ARCHIVE)? else { return Ok(None) };
        text.parse().map(Some).map_err(|why| Error::LedgerDamaged { why })
    }

    /// Gives the id to a ledger that has none.
    pub(in crate::archive) fn give(self, ledger: &dyn Ledger) -> Result<(), Error> {
        match Self::of(ledger)? {
            Some(_) => Ok(()),
            None => ledger.keep(ARCHIVE, &self.to_string()),
        }
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

impl From<ArchiveId> for String {
    fn from(id: ArchiveId) -> Self {
        id.to_string()
    }
}

impl FromStr for ArchiveId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = text.len() == DIGITS && text.bytes().all(is_digit);
        let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| format!("{text:?} is the id of no archive"))
    }
}

impl TryFrom<String> for ArchiveId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_digits_and_nothing_else() {
        let id = ArchiveId::new(0xab);
        assert_eq!(id.to_string(), "000000000000000000000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in
            ["", "ab", "+00000000000000000000000000000ab", "000000000000000000000000000000AB"]
        {
            wrong.parse::<ArchiveId>().unwrap_err();
        }
    }
}
