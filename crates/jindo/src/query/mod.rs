//! Text → [`Query`]: tokenizer, grammar, list files, rewriting, fingerprint. Pure.

use std::fmt;
use std::num::NonZeroU32;

/// Seconds per point (the rollup interval).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(NonZeroU32);

impl Interval {
    pub fn from_secs(secs: u32) -> Option<Self> {
        NonZeroU32::new(secs).map(Self)
    }

    pub fn secs(self) -> i64 {
        i64::from(self.0.get())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// One metric query, ready to travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    /// As it stands in the list: one query, trimmed, variables not yet filled in.
    pub written: String,
    /// As it travels: normalised, with its rollup and its fill. With `interval` the identity of its data.
    pub sent: String,
    /// The same without the fill that jindo added; sent, alone, when the server refuses that fill. `None`: none was added.
    pub unfilled: Option<String>,
    pub interval: Interval,
    /// Travels alone in its calls (`--fill keep`), because its values would differ among others.
    pub alone: bool,
}
