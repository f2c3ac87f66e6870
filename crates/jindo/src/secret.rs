//! A value that must not be shown: an API key, an application key.

use sha2::{Digest, Sha256};
use std::fmt;

/// Text that prints as `[secret]`. Only the network door calls [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be sent, never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be kept in its place, to tell it from others: a hash that is worth nothing without the salt.
    pub fn salted_hash(&self, salt: &str) -> String {
        let digest = Sha256::new()
            .chain_update(salt)
            .chain_update([0])
            .chain_update(self.0.trim())
            .finalize();
        digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
