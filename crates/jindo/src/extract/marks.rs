//! Marks of an output, as the ledger has them, checked: a path that cannot be one of the output's is never looked at.

use super::stream::extent;
use super::{Error, Output};
use crate::archive::{Archive, Extracted, Granted, QueryId, Registered};
use crate::digest::hex;
use sha2::{Digest as _, Sha256};

/// The digest of a query whose files are being replaced; no SHA-256 reads like it.
pub(super) const UNFINISHED: &str = "unfinished";

/// The mark of a query.
#[derive(Debug, PartialEq)]
pub(super) enum Mark {
    /// Never extracted, or not since the ledger was rebuilt.
    Absent,
    Made(Extracted),
    /// It names this path, which is none of the output's: the ledger was written by others. Counts as absent.
    Stray(String),
}

impl Mark {
    pub(super) fn read(
        archive: &Archive,
        output: &dyn Output,
        query: QueryId,
    ) -> Result<Self, Error> {
        let Some(made) = archive.ledger().extracted(output.name(), query)? else {
            return Ok(Self::Absent);
        };
        let stray = made.files.iter().find(|file| !output.is_file(&file.path));
        Ok(match stray {
            Some(file) => Self::Stray(file.path.clone()),
            None => Self::Made(made),
        })
    }
}

/// Returns the digest of everything that decides about the bytes of a query's files.
pub(super) fn digest(output: &dyn Output, query: &Registered, grants: &[Granted]) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    output.ingredients(&extent(query, grants)).iter().for_each(|text| part(text));
    part(&query.text.sent);
    part(&query.text.interval.secs().to_string());
    for Granted { held, name, sha256, .. } in grants {
        part(&format!("{}/{}", held.window.start_s(), held.window.end_s()));
        part(&format!("{name} {sha256}"));
    }
    hex(&hash.finalize())
}
